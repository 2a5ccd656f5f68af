//! What is known of a picture that was looked at.

use super::{FileFormat, ImagingError};
use crate::asset::Format;

/// What a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its file format, by how the file begins.
    pub format: FileFormat,
    /// Its width as it is seen, in pixels.
    pub width: u32,
    /// Its height as it is seen, in pixels.
    pub height: u32,
}

impl Facts {
    /// Returns the format of a rendition that the picture is as it lies there.
    ///
    /// # Errors
    /// No rendition has its format.
    pub fn published(&self) -> Result<Format, ImagingError> {
        self.format.published().ok_or(ImagingError::NeverPublished { format: self.format.name() })
    }
}

/// What is remarkable about a picture that can be used all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// Its colour profile is broken, or of another kind than the picture: the numbers were taken for sRGB.
    ProfileIgnored,
    /// It cannot be seen through anywhere, though that was asked for.
    Opaque,
    /// It is made of inks, whose own profile is not followed: they were mixed by the usual rule.
    InksByRule,
}

/// Whether a picture can be seen through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transparency {
    /// Somewhere it can.
    Some,
    /// Nowhere.
    None,
}
