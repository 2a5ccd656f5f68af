//! Pictures as bytes: looked at, re-encoded, and painted as placeholders.
//!
//! Pure: bytes in, bytes out. All of it is bounded, for the bytes come from strangers. Decoding is half of the work, so
//! [`Decoded`] does it once for the checks and for all renditions; the free functions are for those who need one thing.

mod avif;
mod canvas;
mod colour;
mod completeness;
mod contact_sheet;
mod encode;
mod facts;
mod flatness;
mod format;
mod header;
mod inspect;
mod pixels;
mod placeholder;
mod placeholder_mosaic;
mod yuv;

pub use contact_sheet::{SHEET_COLUMNS_MAX, SheetRow, contact_sheet, sheet_copy};
pub use encode::{Encoded, encode, fitted};
pub use facts::{Facts, Remark, Transparency};
pub use format::FileFormat;
pub use header::{Header, undecodable};
pub use inspect::{Decoded, inspect, renders_otherwise, verify};
pub use placeholder::paint;

/// The version of the renderer: of how a file is made of an original. Another one may make other bytes of the same picture,
/// and what is published stays as it is until it is lost. The second turns pictures, converts colours and reads more formats.
pub const RENDERER: u16 = 2;
/// Largest picture that is decoded or made, in pixels: 8192 x 8192.
pub const PIXELS_MAX: u64 = 8192 * 8192;
/// Longest side of a picture, in pixels: a JPEG's limit; resizing needs memory in proportion to it.
pub const SIDE_MAX: u32 = 65_535;
/// Largest file that is looked at, in bytes.
pub const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What can be wrong with a picture.
#[derive(Debug, thiserror::Error)]
pub enum ImagingError {
    /// The bytes begin like no picture that we know.
    #[error("this is no picture: it begins with {begins}")]
    NoImage {
        /// What it looks like instead: `an HTML page`, `an XML document`, `the bytes 00 01 02`; printable ASCII.
        begins: String,
    },
    /// The bytes begin like a picture in a format that is not decoded here.
    #[error("the format {format} is not supported")]
    Unsupported {
        /// The format's name.
        format: &'static str,
    },
    /// The picture is in a format that no rendition has.
    #[error("a {format} picture is never published: PNG, JPEG, WebP and AVIF are")]
    NeverPublished {
        /// The format's name.
        format: &'static str,
    },
    /// The picture would take more memory than it may.
    #[error(
        "to decode {width} x {height} pixels takes {needed} MiB, and `limits.memory` leaves {limit} MiB for one picture"
    )]
    TooMuchMemory {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// What it takes, in MiB.
        needed: u64,
        /// What it may take, in MiB.
        limit: u64,
    },
    /// The picture claims more pixels than we decode, or would get more than we make.
    #[error("{width} x {height} pixels are too many: at most 8192 x 8192 in all, and {SIDE_MAX} on a side")]
    TooLarge {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// The file is larger than we read.
    #[error("the picture's file has {bytes} bytes, more than {BYTES_MAX}")]
    TooLong {
        /// Its size.
        bytes: u64,
    },
    /// The bytes begin like an image and are none, or not a whole one.
    #[error("the picture cannot be decoded")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The decoder ended by itself: a bug.
    #[error("it makes the decoder crash")]
    Crashed,
    /// The picture has another size than was asked for.
    #[error("the picture has {width} x {height} pixels, {wanted_width} x {wanted_height} were asked for")]
    WrongSize {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The width asked for.
        wanted_width: u32,
        /// The height asked for.
        wanted_height: u32,
    },
    /// Every pixel has the same colour.
    #[error("the picture is one flat colour")]
    Flat,
    /// The format cannot hold the picture.
    #[error("the picture cannot be written as {format}")]
    Encoding {
        /// The format's name.
        format: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn broken(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ImagingError {
    ImagingError::Broken(source.into())
}
