//! Tells whether a file is there to its end, by the frame of its own format.
//!
//! The decoders forgive a cut-off file more or less, and a header proves nothing about the rest. Where a format has no
//! frame that says where it ends, only decoding tells.

use super::FileFormat;

/// Tells whether the file is whole, as far as its frame says.
pub(super) fn is_whole(format: FileFormat, bytes: &[u8]) -> bool {
    match format {
        FileFormat::Png => png(bytes),
        FileFormat::Jpeg => jpeg(bytes),
        FileFormat::Webp => webp(bytes),
        FileFormat::Avif | FileFormat::Heic => boxes_end(bytes).is_some(),
        FileFormat::Gif => gif(bytes).unwrap_or(false),
        FileFormat::Svg => bytes.trim_ascii_end().ends_with(b">"),
        FileFormat::JpegXl | FileFormat::Jpeg2000 if bytes.starts_with(b"\0\0\0\x0c") => boxes_end(bytes).is_some(),
        FileFormat::Bmp | FileFormat::Tiff | FileFormat::JpegXl | FileFormat::Jpeg2000 | FileFormat::Psd => true,
    }
}

/// A chunk of a PNG file.
pub(super) struct Chunk<'b> {
    /// Its four letters.
    pub kind: [u8; 4],
    /// What it holds.
    pub data: &'b [u8],
}

/// Returns the chunks of a PNG file, up to the first that is not whole.
pub(super) fn chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&[a, b, c, d, ref kind @ ..], after) = rest.split_first_chunk::<8>()?;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        // Four bytes of checksum follow the data.
        rest = after.get(length.checked_add(4)?..)?;
        Some(Chunk { kind: *kind, data: &after[..length] })
    })
}

/// Walks the chunks to the end chunk.
fn png(bytes: &[u8]) -> bool {
    chunks(bytes).any(|chunk| &chunk.kind == b"IEND")
}

/// Returns the markers of a JPEG file's segments up to the first end marker, or to the first segment that is not whole.
///
/// A thumbnail in the metadata has an end marker of its own, so a search for one would not do.
pub(super) fn markers(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = bytes.get(2..);
    std::iter::from_fn(move || {
        let from = rest?;
        // Between segments, and in the coded pixels, 0xff 00 is data, 0xff ff filling, and some markers stand alone.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0x01 | 0xd0..=0xd7 | 0xff);
        let at = from.windows(2).position(is_marker)?;
        let marker = from[at + 1];
        if marker == JPEG_END {
            rest = None;
            return Some(marker);
        }
        let &[high, low] = from.get(at + 2..at + 4)? else { return None };
        rest = Some(from.get(at + 2 + usize::from(u16::from_be_bytes([high, low]))..)?);
        Some(marker)
    })
}

/// The marker at the end of a JPEG picture.
const JPEG_END: u8 = 0xd9;

fn jpeg(bytes: &[u8]) -> bool {
    markers(bytes).any(|marker| marker == JPEG_END)
}

/// Compares the length with what the frame says.
fn webp(bytes: &[u8]) -> bool {
    let length = bytes.get(4..8).and_then(|field| field.try_into().ok()).map(u32::from_le_bytes);
    length.is_some_and(|length| u64::from(length) + 8 <= bytes.len() as u64)
}

/// Returns where the boxes of an ISO media file end; `None` where one is cut off. What follows the last whole box, and is
/// none, is rubbish behind the picture, once the box with its data was there.
pub(super) fn boxes_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut has_data = false;
    while let Some((&[a, b, c, d, ref kind @ ..], after)) = bytes.get(at..)?.split_first_chunk::<8>() {
        let length = match u32::from_be_bytes([a, b, c, d]) {
            // The last box reaches to the end of the file, wherever that is.
            0 => return Some(bytes.len()),
            1 => after.first_chunk().map(|field| u64::from_be_bytes(*field)),
            length => Some(u64::from(length)),
        };
        let data = matches!(kind, b"mdat" | b"jxlc" | b"jxlp" | b"jp2c");
        let length = length.filter(|length| *length >= 8).and_then(|length| usize::try_from(length).ok());
        let next = length.and_then(|length| at.checked_add(length)).filter(|next| *next <= bytes.len());
        let Some(next) = next else { return (has_data && !data && kind != b"meta").then_some(at) };
        has_data |= data;
        at = next;
    }
    has_data.then_some(at)
}

/// Walks the blocks to the trailer.
fn gif(bytes: &[u8]) -> Option<bool> {
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let mut at = 13 + table(*bytes.get(10)?);
    loop {
        match bytes.get(at)? {
            b'!' => at += 2,
            b',' => at += 11 + table(*bytes.get(at + 9)?),
            b';' => return Some(true),
            _ => return Some(false),
        }
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
}
