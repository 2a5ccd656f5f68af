//! Published files as the JSON that a state keeps.

use serde::{Deserialize, Serialize};

use super::Published;
use crate::asset::{Encoding, Fit, Format, ObjectPath, PathPattern, Rendition, RenditionName, Resize};
use crate::digest::{ContentDigest, RenditionDigest};

#[derive(Serialize, Deserialize)]
struct PublishedDocument {
    name: String,
    digest: RenditionDigest,
    format: Format,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    quality: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    resize: Option<(Option<u32>, Option<u32>, Fit)>,
    pattern: String,
    path: String,
    sha256: ContentDigest,
    bytes: u64,
    width: u32,
    height: u32,
    #[serde(default = "first_renderer")]
    renderer: u16,
}

/// Returns the version of the renderer that made all files which say none.
fn first_renderer() -> u16 {
    1
}

/// A stored document does not hold what it should: the state was written by another program, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("what is stored of a published file cannot be read")]
pub struct StoredError(#[from] StoredCause);

/// Why a stored document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredCause {
    /// Not the JSON that was written.
    #[error("not the expected JSON")]
    Json(#[from] serde_json::Error),
    /// A name or path in it is not legal.
    #[error(transparent)]
    Name(#[from] crate::asset::NameError),
}

/// Writes published files as the JSON that a state keeps.
pub fn published_to_json(published: &[Published]) -> String {
    let documents: Vec<_> = published
        .iter()
        .map(|file| PublishedDocument {
            name: file.rendition.name.to_string(),
            digest: file.rendition.digest,
            format: file.rendition.encoding.format,
            quality: file.rendition.encoding.quality,
            resize: match file.rendition.encoding.resize {
                Resize::Keep => None,
                Resize::Width(width) => Some((Some(width), None, Fit::Cover)),
                Resize::Height(height) => Some((None, Some(height), Fit::Cover)),
                Resize::Box { width, height, fit } => Some((Some(width), Some(height), fit)),
            },
            pattern: file.rendition.path.for_people(),
            path: file.path.to_string(),
            sha256: file.sha256,
            bytes: file.bytes,
            width: file.width,
            height: file.height,
            renderer: file.renderer,
        })
        .collect();
    serde_json::to_string(&documents).expect("names and numbers are JSON")
}

/// Reads what [`published_to_json`] wrote.
///
/// # Errors
/// When the text is not such JSON.
pub fn published_from_json(text: &str) -> Result<Vec<Published>, StoredError> {
    let documents: Vec<PublishedDocument> = serde_json::from_str(text).map_err(StoredCause::from)?;
    documents.into_iter().map(published_from_document).collect()
}

fn published_from_document(document: PublishedDocument) -> Result<Published, StoredError> {
    let resize = match document.resize {
        None | Some((None, None, _)) => Resize::Keep,
        Some((Some(width), None, _)) => Resize::Width(width),
        Some((None, Some(height), _)) => Resize::Height(height),
        Some((Some(width), Some(height), fit)) => Resize::Box { width, height, fit },
    };
    let pattern = document.pattern.replace("{{ digest }}", PathPattern::DIGEST_MARK);
    Ok(Published {
        rendition: Rendition {
            name: document.name.parse::<RenditionName>().map_err(StoredCause::from)?,
            encoding: Encoding { format: document.format, quality: document.quality, resize },
            path: PathPattern::new(pattern).map_err(StoredCause::from)?,
            digest: document.digest,
        },
        path: document.path.parse::<ObjectPath>().map_err(StoredCause::from)?,
        sha256: document.sha256,
        bytes: document.bytes,
        width: document.width,
        height: document.height,
        renderer: document.renderer,
    })
}
