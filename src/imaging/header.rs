//! What a picture's file says of itself, read before a decoder may reserve memory for its pixels.
//!
//! A file of a hundred bytes can claim gigabytes, and a picture of the wrong size need not be decoded to be refused. So
//! size, depth and turning come first, and with them what decoding will take.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{ExtendedColorType, ImageDecoder, Limits};

use super::avif::Container;
use super::completeness::{chunks, is_whole, markers};
use super::format::begins;
use super::{BYTES_MAX, Facts, FileFormat, ImagingError, PIXELS_MAX, SIDE_MAX, broken};

/// Memory that a decoder may use beside the pixels, in bytes: text chunks, colour profiles, tables.
const OVERHEAD_MAX: u64 = 32 * 1024 * 1024;
/// Bytes of a pixel while it is made smaller or encoded.
const ENCODING_BYTES: u64 = 4;
/// Bytes of a pixel in a copy of eight bits a channel.
const COPY_BYTES: u64 = 4;
/// Bytes of a pixel beside the pixel itself while a progressive JPEG is put together.
const PROGRESSIVE_BYTES: u64 = 6;
/// Bytes of a pixel while an AVIF is decoded: a frame and its neighbour, and the canvas.
const AVIF_BYTES: u64 = 20;
/// Bytes of a pixel as the decoders for AVIF hand it out.
const DEEP_BYTES: u64 = 8;

/// What a picture's file says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub(super) facts: Facts,
    pub(super) orientation: Orientation,
    memory: u64,
}

impl Header {
    /// Reads the header of a whole picture in a format that can be decoded.
    ///
    /// # Errors
    /// The bytes are no picture, none that is supported, too many, too large, cut off, or broken.
    pub fn read(bytes: &[u8]) -> Result<Self, ImagingError> {
        let length = bytes.len() as u64;
        if length > BYTES_MAX {
            return Err(ImagingError::TooLong { bytes: length });
        }
        let format = FileFormat::of(bytes).ok_or_else(|| ImagingError::NoImage { begins: begins(bytes) })?;
        if !is_whole(format, bytes) {
            return Err(broken("the file ends before the picture does"));
        }
        if !format.is_read() {
            return Err(ImagingError::Unsupported { format: format.name() });
        }
        let (size, orientation, pixel_bytes) = match format {
            FileFormat::Avif => {
                let container = Container::read(bytes)?;
                (container.size, container.orientation, AVIF_BYTES + DEEP_BYTES)
            }
            _ => {
                let mut decoder = open(format, bytes)?;
                let size = decoder.dimensions();
                let orientation = orientation(&mut *decoder, bytes);
                (size, orientation, pixel_bytes(&*decoder) + beside(format, bytes))
            }
        };
        let (width, height) = size;
        check_size(width, height)?;
        let turned = if is_turned(orientation) { pixel_bytes } else { 0 };
        let pixels = u64::from(width) * u64::from(height);
        let memory = length + pixels * (pixel_bytes + turned + COPY_BYTES + ENCODING_BYTES);
        let (width, height) = if is_turned(orientation) { (height, width) } else { (width, height) };
        Ok(Self { facts: Facts { format, width, height }, orientation, memory })
    }

    /// Returns what the picture is; its size is that which is seen.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Returns how much memory it takes to decode and encode the picture, its file included, in bytes.
    pub fn memory(&self) -> u64 {
        self.memory
    }

    /// Checks that the picture has the size asked for.
    ///
    /// # Errors
    /// It has another.
    pub fn fits(&self, (wanted_width, wanted_height): (u32, u32)) -> Result<(), ImagingError> {
        let Facts { format: _, width, height } = self.facts;
        if (width, height) == (wanted_width, wanted_height) {
            return Ok(());
        }
        Err(ImagingError::WrongSize { width, height, wanted_width, wanted_height })
    }
}

/// Tells why a picture that was kept can never be decoded, by what is remembered of it: its file ending, and its size, 0 x 0
/// where nobody could tell.
pub fn undecodable(extension: &str, (width, height): (u32, u32)) -> Option<ImagingError> {
    match FileFormat::of_extension(extension) {
        Some(format) if !format.is_read() => Some(ImagingError::Unsupported { format: format.name() }),
        _ if (width, height) == (0, 0) => Some(broken("its header says no size")),
        _ => check_size(width, height).err(),
    }
}

/// Refuses sizes that would need too much memory.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), ImagingError> {
    if u64::from(width) * u64::from(height) > PIXELS_MAX || width.max(height) > SIDE_MAX {
        return Err(ImagingError::TooLarge { width, height });
    }
    Ok(())
}

/// Opens a decoder whose limits are those of the size that the file claims; AVIF has its own.
pub(super) fn open<'b>(format: FileFormat, bytes: &'b [u8]) -> Result<Box<dyn ImageDecoder + 'b>, ImagingError> {
    let source = Cursor::new(bytes);
    let mut decoder: Box<dyn ImageDecoder + 'b> = match format {
        FileFormat::Png => {
            // The decoder reserves memory for rows before it can be asked for the size, so that is read here first.
            let (width, height) = png_size(bytes)?;
            check_size(width, height)?;
            Box::new(PngDecoder::with_limits(source, limits(width, height)).map_err(broken)?)
        }
        FileFormat::Jpeg => Box::new(JpegDecoder::new(source).map_err(broken)?),
        FileFormat::Webp => Box::new(WebPDecoder::new(source).map_err(broken)?),
        FileFormat::Gif => Box::new(GifDecoder::new(source).map_err(broken)?),
        FileFormat::Bmp => Box::new(BmpDecoder::new(source).map_err(broken)?),
        FileFormat::Tiff => Box::new(TiffDecoder::new(source).map_err(broken)?),
        FileFormat::Avif
        | FileFormat::Heic
        | FileFormat::JpegXl
        | FileFormat::Jpeg2000
        | FileFormat::Svg
        | FileFormat::Psd => return Err(ImagingError::Unsupported { format: format.name() }),
    };
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    decoder.set_limits(limits(width, height)).map_err(broken)?;
    Ok(decoder)
}

fn png_size(bytes: &[u8]) -> Result<(u32, u32), ImagingError> {
    let Some(&[a, b, c, d, e, f, g, h]) = bytes.get(16..24) else { return Err(broken("the header is missing")) };
    Ok((u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])))
}

/// Most bytes of one pixel as a decoder hands it out: four channels of 32 bits.
const PIXEL_BYTES_MAX: u64 = 16;

fn limits(width: u32, height: u32) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(width);
    limits.max_image_height = Some(height);
    limits.max_alloc = Some(u64::from(width) * u64::from(height) * PIXEL_BYTES_MAX + OVERHEAD_MAX);
    limits
}

/// Returns the bytes of a pixel while the decoder works.
fn pixel_bytes(decoder: &dyn ImageDecoder) -> u64 {
    let inks = decoder.original_color_type() == ExtendedColorType::Cmyk8;
    u64::from(decoder.color_type().bytes_per_pixel()) + if inks { 4 } else { 0 }
}

/// Returns the bytes of a pixel that a format takes beside the pixel.
fn beside(format: FileFormat, bytes: &[u8]) -> u64 {
    let progressive = format == FileFormat::Jpeg && markers(bytes).any(|marker| marker == 0xc2);
    if progressive { PROGRESSIVE_BYTES } else { 0 }
}

/// Tells how the picture is turned; a PNG file may say so behind its pixels, too.
fn orientation(decoder: &mut dyn ImageDecoder, bytes: &[u8]) -> Orientation {
    let said = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let exif = chunks(bytes).filter(|_| said == Orientation::NoTransforms && bytes.starts_with(b"\x89PNG"));
    let behind = exif.filter(|chunk| &chunk.kind == b"eXIf").find_map(|chunk| Orientation::from_exif_chunk(chunk.data));
    behind.unwrap_or(said)
}

/// Tells whether width and height change places.
fn is_turned(orientation: Orientation) -> bool {
    match orientation {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            true
        }
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => false,
    }
}
