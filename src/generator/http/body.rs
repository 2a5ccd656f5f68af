//! Bodies of requests: JSON, or the parts of a form.

use bytes::Bytes;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use reqwest::multipart::{Form, Part};
use serde::Serialize;

use crate::secret::SafeText;

/// What is sent with a request.
#[derive(Debug, Clone)]
pub enum RequestBody {
    /// JSON, written already.
    Json(Bytes),
    /// A form of texts and files, `multipart/form-data`.
    Form(Vec<FormPart>),
}

/// One part of a form.
#[derive(Debug, Clone)]
pub struct FormPart {
    /// The field's name.
    pub name: &'static str,
    /// What it holds.
    pub content: FormContent,
}

/// What a part of a form holds.
#[derive(Debug, Clone)]
pub enum FormContent {
    /// A text.
    Text(String),
    /// A file.
    File {
        /// What it is called.
        name: String,
        /// Its type, as `image/png`.
        media_type: &'static str,
        /// Its bytes.
        bytes: Bytes,
    },
}

impl RequestBody {
    /// Writes JSON.
    pub fn json(value: &impl Serialize) -> Self {
        Self::Json(serde_json::to_vec(value).expect("bodies hold texts, numbers, lists and maps").into())
    }

    /// Puts the body into a request.
    pub(super) fn send(&self, request: RequestBuilder) -> RequestBuilder {
        match self {
            Self::Json(bytes) => request.header(CONTENT_TYPE, "application/json").body(bytes.clone()),
            Self::Form(parts) => request.multipart(parts.iter().fold(Form::new(), |form, part| match &part.content {
                FormContent::Text(text) => form.text(part.name, text.clone()),
                FormContent::File { name, media_type, bytes } => {
                    let file = Part::stream_with_length(bytes.clone(), bytes.len() as u64).file_name(name.clone());
                    let typed = file.mime_str(media_type).expect("a kind names media types by their letters");
                    form.part(part.name, typed)
                }
            })),
        }
    }

    /// Returns the body as the log shows it: texts without secrets, files by their sizes.
    pub(super) fn shown(&self) -> SafeText {
        match self {
            Self::Json(bytes) => SafeText::body(bytes),
            Self::Form(parts) => {
                let shown = parts.iter().map(|part| match &part.content {
                    FormContent::Text(text) => format!("{}={text}", part.name),
                    FormContent::File { media_type, bytes, .. } => {
                        format!("{}=({media_type}, {} bytes)", part.name, bytes.len())
                    }
                });
                SafeText::of(&shown.collect::<Vec<_>>().join("; "))
            }
        }
    }
}
