//! File formats of pictures, told by how a file begins: those that are read, and those that are only known by name.
//!
//! What a service sends is paid for, so a whole picture in a format that nothing here reads is still called what it is.
//! What a stranger calls a file is never asked.

use crate::asset::Format;

/// The file format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
    /// AVIF.
    Avif,
    /// GIF.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF.
    Tiff,
    /// HEIC, and other HEIF pictures that are not AVIF.
    Heic,
    /// JPEG XL.
    JpegXl,
    /// JPEG 2000.
    Jpeg2000,
    /// SVG.
    Svg,
    /// Photoshop's own format.
    Psd,
}

/// Whether this program decodes a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FormatSupport {
    Read,
    Named,
}

/// Most bytes of a prolog before the first element of an SVG picture.
const PROLOG_BYTES_MAX: usize = 4096;

impl FileFormat {
    /// All formats; those that are read come first.
    pub const ALL: [Self; 12] = [
        Self::Png,
        Self::Jpeg,
        Self::Webp,
        Self::Avif,
        Self::Gif,
        Self::Bmp,
        Self::Tiff,
        Self::Heic,
        Self::JpegXl,
        Self::Jpeg2000,
        Self::Svg,
        Self::Psd,
    ];

    /// What is known of each: its name for people, its file ending, its media type, and whether it is read.
    ///
    /// A format that is only named is stored as bytes: a browser that was given an SVG file as a picture would run its
    /// scripts under the store's address.
    fn facts(self) -> (&'static str, &'static str, &'static str, FormatSupport) {
        match self {
            Self::Png => ("PNG", "png", "image/png", FormatSupport::Read),
            Self::Jpeg => ("JPEG", "jpg", "image/jpeg", FormatSupport::Read),
            Self::Webp => ("WebP", "webp", "image/webp", FormatSupport::Read),
            Self::Avif => ("AVIF", "avif", "image/avif", FormatSupport::Read),
            Self::Gif => ("GIF", "gif", "image/gif", FormatSupport::Read),
            Self::Bmp => ("BMP", "bmp", "image/bmp", FormatSupport::Read),
            Self::Tiff => ("TIFF", "tiff", "image/tiff", FormatSupport::Read),
            Self::Heic => ("HEIC", "heic", "image/heic", FormatSupport::Named),
            Self::JpegXl => ("JPEG XL", "jxl", "image/jxl", FormatSupport::Named),
            Self::Jpeg2000 => ("JPEG 2000", "jp2", "image/jp2", FormatSupport::Named),
            Self::Svg => ("SVG", "svg", "application/octet-stream", FormatSupport::Named),
            Self::Psd => ("PSD", "psd", "image/vnd.adobe.photoshop", FormatSupport::Named),
        }
    }

    /// Tells the format by how the file begins; `None` where it is no picture that we know.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let begins = |magic: &[u8]| bytes.starts_with(magic);
        Some(match () {
            () if begins(b"\x89PNG\r\n\x1a\n") => Self::Png,
            () if begins(b"\xff\xd8\xff") => Self::Jpeg,
            () if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") => Self::Webp,
            () if begins(b"GIF87a") || begins(b"GIF89a") => Self::Gif,
            () if is_bitmap(bytes) => Self::Bmp,
            () if begins(b"II*\0") || begins(b"MM\0*") => Self::Tiff,
            () if begins(b"\xff\x0a") || begins(b"\0\0\0\x0cJXL \r\n\x87\n") => Self::JpegXl,
            () if begins(b"\0\0\0\x0cjP  \r\n\x87\n") || begins(b"\xff\x4f\xff\x51") => Self::Jpeg2000,
            () if begins(b"8BPS\0\x01") => Self::Psd,
            () if bytes.get(4..8) == Some(b"ftyp") => return of_brands(bytes),
            () if is_svg(bytes) => Self::Svg,
            () => return None,
        })
    }

    /// Returns the format that files with this ending have.
    pub fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.extension() == extension)
    }

    /// Returns the name for people: `JPEG`.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// Returns the file ending.
    pub fn extension(self) -> &'static str {
        self.facts().1
    }

    /// Returns the media type that it is stored with.
    pub fn content_type(self) -> &'static str {
        self.facts().2
    }

    /// Tells whether this program can decode it.
    pub fn is_read(self) -> bool {
        self.facts().3 == FormatSupport::Read
    }

    /// Returns the format of a rendition that it is; `None` for one that is never published.
    pub fn published(self) -> Option<Format> {
        match self {
            Self::Png => Some(Format::Png),
            Self::Jpeg => Some(Format::Jpeg),
            Self::Webp => Some(Format::Webp),
            Self::Avif => Some(Format::Avif),
            Self::Gif | Self::Bmp | Self::Tiff | Self::Heic | Self::JpegXl | Self::Jpeg2000 | Self::Svg | Self::Psd => {
                None
            }
        }
    }
}

/// Says what bytes that are no picture look like. They may be hostile: only printable ASCII is repeated.
pub(super) fn begins(bytes: &[u8]) -> String {
    let text = text_of(bytes);
    let tag = text[..text.len().min(16)].to_ascii_lowercase();
    let is_html = [&b"<!doctype html"[..], b"<html", b"<head", b"<body"].iter().any(|start| tag.starts_with(start));
    match text {
        [] => "nothing, it is empty".to_owned(),
        [b'<', ..] if is_html => "an HTML page".to_owned(),
        [b'<', ..] => "an XML document".to_owned(),
        [b'{' | b'[', ..] => "a JSON document".to_owned(),
        _ => {
            let readable = |byte: &&u8| byte.is_ascii_graphic() || **byte == b' ';
            let words: String = text.iter().take_while(readable).take(40).map(|&byte| char::from(byte)).collect();
            if words.len() >= 8 || words.len() == text.trim_ascii_end().len() {
                return format!("the text `{}`", words.trim_end());
            }
            let digits: Vec<_> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("the bytes {}", digits.join(" "))
        }
    }
}

/// Returns what follows a byte order mark and white space.
fn text_of(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start()
}

/// Two letters are no magic number: the size of the header that follows says the rest.
fn is_bitmap(bytes: &[u8]) -> bool {
    let header = bytes.get(14..18).and_then(|field| field.try_into().ok()).map(u32::from_le_bytes);
    bytes.starts_with(b"BM") && matches!(header, Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124))
}

/// Tells what an ISO media file is by the brands that it lists: AVIF wherever it says so.
fn of_brands(bytes: &[u8]) -> Option<FileFormat> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
    let brands = bytes.get(8..length.min(bytes.len()))?;
    let lists = |names: &[&[u8]]| brands.chunks_exact(4).any(|brand| names.contains(&brand));
    if lists(&[b"avif", b"avis"]) {
        return Some(FileFormat::Avif);
    }
    let heif: [&[u8]; 9] = [b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif"];
    lists(&heif).then_some(FileFormat::Heic)
}

/// Tells whether the first element is `svg`, behind declaration, comments and document type.
fn is_svg(bytes: &[u8]) -> bool {
    let mut text = text_of(&bytes[..bytes.len().min(PROLOG_BYTES_MAX)]);
    loop {
        let end: &[u8] = match text {
            [b'<', b'?', ..] => b"?>",
            [b'<', b'!', b'-', b'-', ..] => b"-->",
            [b'<', b'!', ..] if text.get(2..13).is_some_and(|kind| kind.eq_ignore_ascii_case(b"DOCTYPE svg")) => b">",
            _ => break,
        };
        let Some(at) = text.windows(end.len()).position(|window| window == end) else { return false };
        text = text[at + end.len()..].trim_ascii_start();
    }
    let after = text.strip_prefix(b"<svg").and_then(|rest| rest.first());
    after.is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_told_by_how_the_file_begins() {
        for (bytes, format) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some(FileFormat::Png)),
            (b"\xff\xd8\xff\xe0", Some(FileFormat::Jpeg)),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some(FileFormat::Webp)),
            (b"RIFF\x10\0\0\0WAVE", None),
            (b"GIF89a....", Some(FileFormat::Gif)),
            (b"GIF of a cat", None),
            (b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", Some(FileFormat::Bmp)),
            (b"BMW is a car maker in Munich", None),
            (b"II*\0\x08\0\0\0", Some(FileFormat::Tiff)),
            (b"MM\0*\0\0\0\x08", Some(FileFormat::Tiff)),
            (b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf", Some(FileFormat::Avif)),
            (b"\0\0\0\x18ftypmif1\0\0\0\0avifmif1", Some(FileFormat::Avif)),
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", Some(FileFormat::Heic)),
            (b"\0\0\0\x18ftypisom\0\0\0\0mp41avc1", None),
            (b"\xff\x0a\xfa\x1f", Some(FileFormat::JpegXl)),
            (b"\0\0\0\x0cJXL \r\n\x87\n", Some(FileFormat::JpegXl)),
            (b"\0\0\0\x0cjP  \r\n\x87\n", Some(FileFormat::Jpeg2000)),
            (b"8BPS\0\x01", Some(FileFormat::Psd)),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", Some(FileFormat::Svg)),
            (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a -->\n<!DOCTYPE svg PUBLIC ''>\n<svg>", Some(FileFormat::Svg)),
            (b"<?xml version='1.0'?><Error><svg/></Error>", None),
            (b"<svgs>", None),
            (b"<!DOCTYPE html><svg>", None),
            (b"", None),
        ] {
            assert_eq!(FileFormat::of(bytes), format, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn an_ending_names_one_format() {
        for format in FileFormat::ALL {
            assert_eq!(FileFormat::of_extension(format.extension()), Some(format));
            if let Some(published) = format.published() {
                assert_eq!(published.extension(), format.extension());
                assert_eq!(published.content_type(), format.content_type());
            }
        }
    }
}
