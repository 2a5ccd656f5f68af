//! Renditions: the published forms of an original, all but the bytes.

use serde::{Deserialize, Serialize};

use crate::digest::{
    CanonicalObject, ContentDigest, RENDITION_DOMAIN, RenditionDigest, RenditionsDigest, domain_digest,
};

use super::{NameError, ObjectPath, RenditionName};

/// The file format of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG, lossy, no transparency.
    Jpeg,
    /// PNG, lossless.
    Png,
    /// WebP, lossy.
    Webp,
    /// AVIF, lossy.
    Avif,
}

impl Format {
    /// All formats, in the order in which messages list them.
    pub const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::Webp, Self::Avif];

    /// Returns the name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Avif => "avif",
        }
    }

    /// Returns the file ending, `{{ ext }}` in a path.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png | Self::Webp | Self::Avif => self.name(),
        }
    }

    /// Returns the media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Avif => "image/avif",
        }
    }
}

/// How a picture is fitted when both width and height are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Fills the box and crops what stands out, from the centre.
    Cover,
    /// Fits into the box; the picture may be narrower or lower than it.
    Contain,
}

impl Fit {
    /// Returns the name in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cover => "cover",
            Self::Contain => "contain",
        }
    }
}

/// What size a rendition gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// The original's size.
    Keep,
    /// This width, in pixels; the height follows.
    Width(u32),
    /// This height, in pixels; the width follows.
    Height(u32),
    /// A box, in pixels.
    Box {
        /// Width of the box.
        width: u32,
        /// Height of the box.
        height: u32,
        /// What happens when the picture has other proportions.
        fit: Fit,
    },
}

/// How one published form is made of an original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// The file format.
    pub format: Format,
    /// Quality of a lossy format, 1..=100; `None` for PNG.
    pub quality: Option<u8>,
    /// The size.
    pub resize: Resize,
}

/// One published form of one asset, all but the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// Its name.
    pub name: RenditionName,
    /// How it is made.
    pub encoding: Encoding,
    /// The path with everything filled in but the digest.
    pub path: PathPattern,
    /// The digest of all that.
    pub digest: RenditionDigest,
}

/// A path in which only the digest of the published bytes is still open.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern(String);

impl PathPattern {
    /// Stands for the digest while a path is open; no legal path contains it.
    pub const DIGEST_MARK: &'static str = "\u{1}";
    /// How many hex digits of the digest a path carries.
    pub const DIGEST_DIGITS: usize = 16;

    /// Takes a rendered path in which [`PathPattern::DIGEST_MARK`] stands for the digest.
    ///
    /// # Errors
    /// Says what the path breaks when it would be no legal [`ObjectPath`].
    pub fn new(rendered: String) -> Result<Self, NameError> {
        let pattern = Self(rendered);
        pattern.0.replace(Self::DIGEST_MARK, &"0".repeat(Self::DIGEST_DIGITS)).parse::<ObjectPath>()?;
        Ok(pattern)
    }

    /// Tells whether the path changes with the digest.
    pub fn has_digest(&self) -> bool {
        self.0.contains(Self::DIGEST_MARK)
    }

    /// Returns the path for published bytes with that digest.
    pub fn fill(&self, digest: &ContentDigest) -> ObjectPath {
        self.0
            .replace(Self::DIGEST_MARK, &digest.hex()[..Self::DIGEST_DIGITS])
            .parse()
            .expect("the pattern was checked with as many digits")
    }

    /// Returns the text with `{{ digest }}` in the open place, for people.
    pub fn for_people(&self) -> String {
        self.0.replace(Self::DIGEST_MARK, "{{ digest }}")
    }
}

/// Returns the digest of one rendition: how it is made, the path's template, and the labels and vars that the path uses,
/// which must come in ascending order of their names.
pub fn rendition_digest<'i>(
    encoding: &Encoding,
    path: &str,
    inputs: impl Iterator<Item = (&'i str, &'i str)>,
    buffer: &mut Vec<u8>,
) -> RenditionDigest {
    let Encoding { format, quality, resize } = encoding;
    buffer.clear();
    let mut object = CanonicalObject::open(buffer);
    object.text("format", format.name());
    let mut inner = object.object("inputs");
    for (name, value) in inputs {
        inner.text(name, value);
    }
    inner.close();
    object.text("path", path);
    if let Some(quality) = quality {
        object.integer("quality", u32::from(*quality));
    }
    match resize {
        Resize::Keep => {}
        Resize::Width(width) => object.text("resize", &format!("{width}x")),
        Resize::Height(height) => object.text("resize", &format!("x{height}")),
        Resize::Box { width, height, fit } => object.text("resize", &format!("{width}x{height} {}", fit.name())),
    }
    object.close();
    RenditionDigest::from_bytes(domain_digest(RENDITION_DOMAIN, buffer))
}

/// Returns the digest over all renditions of an asset.
pub fn renditions_digest<'r>(
    renditions: impl IntoIterator<Item = (&'r RenditionName, &'r RenditionDigest)>,
) -> RenditionsDigest {
    let mut canonical = Vec::with_capacity(100);
    let mut sorted: Vec<_> = renditions.into_iter().collect();
    sorted.sort();
    let mut object = CanonicalObject::open(&mut canonical);
    for (name, digest) in sorted {
        object.text(name.as_str(), &digest.to_string());
    }
    object.close();
    RenditionsDigest::from_bytes(domain_digest(RENDITION_DOMAIN, &canonical))
}
