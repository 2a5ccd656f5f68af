//! Looks at the bytes that a generator answered with, before anything is done with them.
//!
//! The order matters: magic number, length and claimed size are read before a decoder may reserve memory, for a file of
//! a hundred bytes can claim gigabytes. Then the whole picture is decoded, because a header proves nothing about the
//! rest. The decoders forgive a cut-off file more or less, so its end is looked for here, by the format's own frame.

use std::error::Error;
use std::io::Cursor;

use image::codecs::{jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{DynamicImage, ImageDecoder, Limits};

use super::{BYTES_MAX, ImagingError, PIXELS_MAX, SIDE_MAX};
use crate::asset::Format;

/// Memory that a decoder may use beside the pixels, in bytes: text chunks, colour profiles, tables.
const OVERHEAD_MAX: u64 = 32 * 1024 * 1024;
/// Most bytes of one decoded pixel: four channels of 16 bits.
const PIXEL_BYTES_MAX: u64 = 8;

/// What a picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its file format, by its magic number: PNG, JPEG or WebP.
    pub format: Format,
    /// Its width, in pixels.
    pub width: u32,
    /// Its height, in pixels.
    pub height: u32,
}

/// A picture, decoded once, for all that is to be done with it.
#[derive(Debug, Clone)]
pub struct Decoded {
    pub(super) facts: Facts,
    pub(super) pixels: Pixels,
}

/// The pixels, eight bits a channel, row by row without gaps.
#[derive(Debug, Clone)]
pub(super) struct Pixels {
    pub width: u32,
    pub height: u32,
    pub channels: Channels,
    pub bytes: Vec<u8>,
}

/// What a pixel is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, and an alpha that is not 255 everywhere.
    Rgba,
}

impl Channels {
    /// Returns the bytes of a pixel.
    pub fn count(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// Decodes a picture and says what it is.
///
/// # Errors
/// The bytes are no picture, too many, too large, or broken.
pub fn inspect(bytes: &[u8]) -> Result<Facts, ImagingError> {
    Decoded::new(bytes).map(|decoded| decoded.facts)
}

/// Decodes a picture and checks that it is one that was asked for.
///
/// # Errors
/// As [`inspect`]; or the picture has another size, or is one flat colour.
pub fn verify(bytes: &[u8], width: u32, height: u32) -> Result<Facts, ImagingError> {
    Decoded::new(bytes)?.verify(width, height)
}

impl Decoded {
    /// Decodes a whole PNG, JPEG or WebP picture; the first frame of an animated one.
    ///
    /// # Errors
    /// The bytes are no picture, too many, too large, or broken.
    pub fn new(bytes: &[u8]) -> Result<Self, ImagingError> {
        let length = bytes.len() as u64;
        if length > BYTES_MAX {
            return Err(ImagingError::TooLong { bytes: length });
        }
        let format = format_of(bytes).ok_or_else(|| ImagingError::NoImage { begins: begins(bytes) })?;
        let end_found = match format {
            Format::Png => png_is_whole(bytes),
            Format::Jpeg => jpeg_is_whole(bytes),
            Format::Webp | Format::Avif => webp_is_whole(bytes),
        };
        if !end_found {
            return Err(ImagingError::Broken("the file ends before the picture does".into()));
        }
        let picture = match format {
            Format::Png => decode_png(bytes),
            Format::Jpeg => decode(JpegDecoder::new(Cursor::new(bytes)).map_err(broken)?),
            Format::Webp | Format::Avif => decode(WebPDecoder::new(Cursor::new(bytes)).map_err(broken)?),
        }?;
        let pixels = Pixels::of(picture);
        Ok(Self { facts: Facts { format, width: pixels.width, height: pixels.height }, pixels })
    }

    /// Returns what the picture is.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Checks that the picture has the size asked for and is not one flat colour; a single pixel may be.
    ///
    /// # Errors
    /// The picture has another size, or is one flat colour.
    pub fn verify(&self, wanted_width: u32, wanted_height: u32) -> Result<Facts, ImagingError> {
        let Facts { width, height, .. } = self.facts;
        if (width, height) != (wanted_width, wanted_height) {
            return Err(ImagingError::WrongSize { width, height, wanted_width, wanted_height });
        }
        let mut pixels = self.pixels.bytes.chunks_exact(self.pixels.channels.count());
        let first = pixels.next();
        if pixels.len() > 0 && pixels.all(|pixel| Some(pixel) == first) {
            return Err(ImagingError::Flat);
        }
        Ok(self.facts)
    }
}

/// Refuses sizes that would need too much memory.
pub(super) fn check_size(width: u32, height: u32) -> Result<(), ImagingError> {
    if u64::from(width) * u64::from(height) > PIXELS_MAX || width.max(height) > SIDE_MAX {
        return Err(ImagingError::TooLarge { width, height });
    }
    Ok(())
}

fn broken(source: impl Into<Box<dyn Error + Send + Sync>>) -> ImagingError {
    ImagingError::Broken(source.into())
}

/// Tells the format by the magic number, never AVIF, which is only written. What a stranger calls a file is not asked.
fn format_of(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Format::Png)
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some(Format::Jpeg)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some(Format::Webp)
    } else {
        None
    }
}

/// Says what bytes that are no picture look like. They may be hostile: only printable ASCII is repeated.
fn begins(bytes: &[u8]) -> String {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let tag = text[..text.len().min(16)].to_ascii_lowercase();
    let is_html = [&b"<!doctype html"[..], b"<html", b"<head", b"<body"].iter().any(|start| tag.starts_with(start));
    match text {
        [] => "nothing, it is empty".to_owned(),
        [b'<', ..] if is_html => "an HTML page".to_owned(),
        [b'<', ..] => "an XML document".to_owned(),
        [b'{' | b'[', ..] => "a JSON document".to_owned(),
        [b'G', b'I', b'F', b'8', ..] => "a GIF picture".to_owned(),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f', ..] => "an AVIF picture".to_owned(),
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

/// Walks the chunks to the end chunk.
fn png_is_whole(bytes: &[u8]) -> bool {
    let mut rest = &bytes[8..];
    while let Some((&[a, b, c, d, ref kind @ ..], after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        // Four bytes of checksum follow the data.
        let Some(next) = length.checked_add(4).and_then(|length| after.get(length..)) else { return false };
        if kind == b"IEND" {
            return true;
        }
        rest = next;
    }
    false
}

/// Walks the segments to the end marker. A thumbnail in the metadata has an end marker of its own, so a search for one
/// would not do.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut rest = &bytes[2..];
    loop {
        // Between segments, and in the coded pixels, 0xff 00 is data, 0xff ff filling, and some markers stand alone.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0x01 | 0xd0..=0xd7 | 0xff);
        let Some(at) = rest.windows(2).position(is_marker) else { return false };
        if rest[at + 1] == 0xd9 {
            return true;
        }
        let Some(&[high, low]) = rest.get(at + 2..at + 4) else { return false };
        let Some(next) = rest.get(at + 2 + usize::from(u16::from_be_bytes([high, low]))..) else { return false };
        rest = next;
    }
}

/// Compares the length with what the frame says.
fn webp_is_whole(bytes: &[u8]) -> bool {
    bytes
        .get(4..8)
        .and_then(|field| field.try_into().ok())
        .is_some_and(|field| u64::from(u32::from_le_bytes(field)) + 8 <= bytes.len() as u64)
}

fn decode_png(bytes: &[u8]) -> Result<DynamicImage, ImagingError> {
    // The decoder reserves memory for rows before it can be asked for the size, so the header is read here first.
    let Some(&[a, b, c, d, e, f, g, h]) = bytes.get(16..24) else {
        return Err(ImagingError::Broken("the header is missing".into()));
    };
    let (width, height) = (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]));
    check_size(width, height)?;
    decode(PngDecoder::with_limits(Cursor::new(bytes), limits(width, height)).map_err(broken)?)
}

fn decode(mut decoder: impl ImageDecoder) -> Result<DynamicImage, ImagingError> {
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    decoder.set_limits(limits(width, height)).map_err(broken)?;
    DynamicImage::from_decoder(decoder).map_err(broken)
}

fn limits(width: u32, height: u32) -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(width);
    limits.max_image_height = Some(height);
    limits.max_alloc = Some(u64::from(width) * u64::from(height) * PIXEL_BYTES_MAX + OVERHEAD_MAX);
    limits
}

impl Pixels {
    /// Takes the picture as it is where it has eight bits a channel; a generator's has.
    fn of(picture: DynamicImage) -> Self {
        let (width, height) = (picture.width(), picture.height());
        if !picture.color().has_alpha() {
            return Self { width, height, channels: Channels::Rgb, bytes: picture.into_rgb8().into_raw() };
        }
        let mut bytes = picture.into_rgba8().into_raw();
        if bytes.chunks_exact(4).any(|pixel| pixel[3] != 255) {
            return Self { width, height, channels: Channels::Rgba, bytes };
        }
        // Alpha that says nothing costs every encoder time and the published file bytes.
        let count = bytes.len() / 4;
        for pixel in 0..count {
            bytes.copy_within(pixel * 4..pixel * 4 + 3, pixel * 3);
        }
        bytes.truncate(count * 3);
        Self { width, height, channels: Channels::Rgb, bytes }
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Rgb, RgbImage, RgbaImage};
    use proptest::prelude::*;

    use super::*;

    fn picture(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])).into()
    }

    fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn files() -> [(Format, Vec<u8>); 3] {
        [(Format::Png, ImageFormat::Png), (Format::Jpeg, ImageFormat::Jpeg), (Format::Webp, ImageFormat::WebP)]
            .map(|(format, name)| (format, file(&picture(13, 7), name)))
    }

    /// A PNG of one short row that claims another size; its header's checksum is right.
    fn bomb(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Rgba);
        drop(encoder.write_header().unwrap());
        bytes
    }

    fn check_text(bytes: &[u8], text: &str) {
        assert_eq!(inspect(bytes).unwrap_err().to_string(), text);
    }

    #[test]
    fn the_format_is_told_by_the_magic_number() {
        for (format, bytes) in files() {
            assert_eq!(inspect(&bytes).unwrap(), Facts { format, width: 13, height: 7 });
            assert_eq!(verify(&bytes, 13, 7).unwrap().format, format);
        }
    }

    #[test]
    fn what_is_no_picture_is_said_in_words() {
        for (bytes, begins) in [
            (&b""[..], "nothing, it is empty"),
            (b" \n\t", "nothing, it is empty"),
            (b"<!DOCTYPE html><title>502 Bad Gateway</title>", "an HTML page"),
            (b"\xef\xbb\xbf\n<HTML>", "an HTML page"),
            (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "an XML document"),
            (b"<svg/>", "an XML document"),
            (b"{\"error\": \"no credit\"}", "a JSON document"),
            (b"GIF89a....", "a GIF picture"),
            (b"\0\0\0\x20ftypavif", "an AVIF picture"),
            (b"Not Found", "the text `Not Found`"),
            (b"upstream timed out\x1b[2J\n", "the text `upstream timed out`"),
            (b"no\n", "the text `no`"),
            (b"\0\x01\x02", "the bytes 00 01 02"),
            (b"RIFF\0\0\0\0WAVE", "the bytes 52 49 46 46 00 00 00 00"),
            (b"\x89PNG", "the bytes 89 50 4e 47"),
            (b"\x1b]0;title\x07", "the bytes 1b 5d 30 3b 74 69 74 6c"),
        ] {
            check_text(bytes, &format!("this is no PNG, JPEG or WebP picture: it begins with {begins}"));
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_is_decoded() {
        for (width, height) in [(60_000, 60_000), (65_536, 1), (8192, 8193), (0x7fff_ffff, 0x7fff_ffff)] {
            check_text(
                &bomb(width, height),
                &format!("{width} x {height} pixels are too many: at most 8192 x 8192 in all, and 65535 on a side"),
            );
        }
        // A JPEG keeps its height and width in the frame header.
        let mut jpeg = file(&picture(13, 7), ImageFormat::Jpeg);
        let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        assert!(matches!(inspect(&jpeg), Err(ImagingError::TooLarge { width: 65_535, height: 65_535 })));
        // One that claims no more than we decode is merely broken.
        assert!(matches!(inspect(&bomb(8, 8)), Err(ImagingError::Broken(_))));
    }

    #[test]
    fn too_long_a_file_is_not_looked_at() {
        let bytes = vec![0; usize::try_from(BYTES_MAX).unwrap() + 1];
        check_text(&bytes, "the picture's file has 268435457 bytes, more than 268435456");
    }

    #[test]
    fn a_file_cut_anywhere_is_broken() {
        for (format, bytes) in files() {
            for length in 12..bytes.len() {
                let cut = inspect(&bytes[..length]);
                assert!(matches!(cut, Err(ImagingError::Broken(_))), "{format:?} cut to {length}: {cut:?}");
            }
            for length in 0..12 {
                assert!(inspect(&bytes[..length]).is_err(), "{format:?} cut to {length}");
            }
        }
    }

    #[test]
    fn what_follows_the_picture_does_no_harm() {
        for (_, mut bytes) in files() {
            bytes.extend_from_slice(b"\0\0 trailing");
            assert!(inspect(&bytes).is_ok());
        }
    }

    #[test]
    fn another_size_is_refused_with_both() {
        let bytes = file(&picture(13, 7), ImageFormat::Png);
        let text = verify(&bytes, 7, 13).unwrap_err().to_string();
        assert_eq!(text, "the picture has 13 x 7 pixels, 7 x 13 were asked for");
    }

    #[test]
    fn a_flat_picture_is_refused_unless_it_has_one_pixel() {
        let flat = |width, height| file(&RgbImage::from_pixel(width, height, Rgb([9, 9, 9])).into(), ImageFormat::Png);
        assert!(matches!(verify(&flat(5, 5), 5, 5), Err(ImagingError::Flat)));
        assert!(matches!(verify(&flat(2, 1), 2, 1), Err(ImagingError::Flat)));
        assert!(verify(&flat(1, 1), 1, 1).is_ok());
        let mut spotted = RgbImage::from_pixel(5, 5, Rgb([9, 9, 9]));
        spotted.put_pixel(4, 4, Rgb([9, 9, 8]));
        assert!(verify(&file(&spotted.into(), ImageFormat::Png), 5, 5).is_ok());
    }

    #[test]
    fn alpha_is_kept_only_where_it_says_something() {
        let opaque = RgbaImage::from_fn(5, 3, |x, y| image::Rgba([x as u8, y as u8, 3, 255]));
        let pixels = Decoded::new(&file(&opaque.clone().into(), ImageFormat::Png)).unwrap().pixels;
        assert_eq!(pixels.channels, Channels::Rgb);
        assert_eq!(pixels.bytes, DynamicImage::from(opaque.clone()).into_rgb8().into_raw());
        let mut clear = opaque;
        clear.get_pixel_mut(2, 2).0[3] = 254;
        let pixels = Decoded::new(&file(&clear.clone().into(), ImageFormat::Png)).unwrap().pixels;
        assert_eq!((pixels.channels, pixels.bytes), (Channels::Rgba, clear.into_raw()));
    }

    #[test]
    fn every_kind_of_png_is_decoded() {
        for picture in [
            DynamicImage::from(picture(9, 9).into_luma8()),
            picture(9, 9).into_luma_alpha8().into(),
            picture(9, 9).into_luma16().into(),
            picture(9, 9).into_rgb16().into(),
            picture(9, 9).into_rgba16().into(),
        ] {
            assert!(verify(&file(&picture, ImageFormat::Png), 9, 9).is_ok());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            magic in prop::sample::select(vec![
                &b""[..], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\0\0\0WEBPVP8 ",
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = inspect(&[magic, &rest].concat());
        }

        #[test]
        fn no_mutation_makes_it_panic(
            which in 0..3_usize,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            kept in any::<prop::sample::Index>(),
        ) {
            let [png, jpeg, webp] = files();
            let mut bytes = [png, jpeg, webp][which].1.clone();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = inspect(&bytes);
            bytes.truncate(kept.index(bytes.len()));
            let _ = inspect(&bytes);
        }
    }
}
