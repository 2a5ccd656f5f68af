//! Looks at the bytes that a generator answered with, before anything is done with them.
//!
//! The order matters: the header is read first, then the whole picture is decoded, because a header proves nothing about
//! the rest. What is decoded is what is seen: turned as the file says, in colours of sRGB, eight bits a channel.

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _};

use super::avif::Container;
use super::colour::{Space, converts, to_srgb};
use super::flatness::is_flat;
use super::header::{Header, open};
use super::pixels::{Channels, Pixels};
use super::{Facts, FileFormat, ImagingError, RENDERER, Remark, Transparency, broken};

/// A picture, decoded once, for all that is to be done with it.
#[derive(Debug, Clone)]
pub struct Decoded {
    pub(super) facts: Facts,
    pub(super) pixels: Pixels,
    pub(super) remarks: Vec<Remark>,
}

/// Decodes a picture and says what it is.
///
/// # Errors
/// The bytes are no picture, none that is supported, too many, too large, or broken.
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

/// Tells whether an earlier renderer made other files of an original; one that it could not read has none.
///
/// # Errors
/// As [`inspect`].
pub fn renders_otherwise(bytes: &[u8], renderer: u16) -> Result<bool, ImagingError> {
    if renderer >= RENDERER {
        return Ok(false);
    }
    let header = Header::read(bytes)?;
    if !matches!(header.facts.format, FileFormat::Png | FileFormat::Jpeg | FileFormat::Webp) {
        return Ok(true);
    }
    let mut decoder = open(header.facts.format, bytes)?;
    let colours = decoder.color_type().has_color();
    let profile = decoder.icc_profile().ok().flatten();
    Ok(header.orientation != Orientation::NoTransforms
        || converts(&space(header.facts.format, bytes, profile), colours))
}

/// Tells what the numbers of a picture mean that is no AVIF.
fn space(format: FileFormat, bytes: &[u8], profile: Option<Vec<u8>>) -> Space {
    match format {
        FileFormat::Png => Space::of_png(bytes, profile),
        _ => profile.map_or(Space::Srgb, Space::Profile),
    }
}

impl Decoded {
    /// Decodes a whole picture; the first frame of an animated one.
    ///
    /// # Errors
    /// The bytes are no picture, none that is supported, too many, too large, or broken.
    pub fn new(bytes: &[u8]) -> Result<Self, ImagingError> {
        Self::of(&Header::read(bytes)?, bytes)
    }

    /// Decodes a picture whose header was read.
    ///
    /// # Errors
    /// It is broken.
    pub fn of(header: &Header, bytes: &[u8]) -> Result<Self, ImagingError> {
        let Header { facts, orientation, .. } = header;
        let mut remarks = Vec::new();
        let (mut picture, space) = match facts.format {
            FileFormat::Avif => Container::read(bytes)?.decode()?,
            format => {
                let mut decoder = open(format, bytes)?;
                let profile = decoder.icc_profile().unwrap_or_else(|_| {
                    remarks.push(Remark::ProfileIgnored);
                    None
                });
                let space = space(format, bytes, profile);
                (DynamicImage::from_decoder(decoder).map_err(broken)?, space)
            }
        };
        picture.apply_orientation(*orientation);
        let pixels = Pixels::of(to_srgb(picture, &space, &mut remarks));
        if (pixels.width, pixels.height) != (facts.width, facts.height) {
            return Err(broken("the picture has another size than its header says"));
        }
        Ok(Self { facts: *facts, pixels, remarks })
    }

    /// Returns what the picture is.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Returns what is remarkable about it.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// Tells whether it can be seen through.
    pub fn transparency(&self) -> Transparency {
        match self.pixels.channels {
            Channels::Rgb => Transparency::None,
            Channels::Rgba => Transparency::Some,
        }
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
        if is_flat(&self.pixels) {
            return Err(ImagingError::Flat);
        }
        Ok(self.facts)
    }
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
    use std::io::Cursor;

    use image::{ImageFormat, Rgb, RgbImage, RgbaImage};
    use proptest::prelude::*;

    use super::super::BYTES_MAX;
    use super::*;
    use crate::asset::Format;
    use crate::asset::{Encoding, Resize};

    fn picture(width: u32, height: u32) -> DynamicImage {
        RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])).into()
    }

    fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn files() -> [(FileFormat, Vec<u8>); 7] {
        let written = |format, name| (format, file(&picture(13, 7), name));
        let avif = Decoded::new(&file(&picture(13, 7), ImageFormat::Png)).unwrap();
        let encoding = Encoding { format: Format::Avif, quality: Some(90), resize: Resize::Keep };
        [
            written(FileFormat::Png, ImageFormat::Png),
            written(FileFormat::Jpeg, ImageFormat::Jpeg),
            written(FileFormat::Webp, ImageFormat::WebP),
            (FileFormat::Avif, avif.encode(&encoding).unwrap().bytes),
            written(FileFormat::Gif, ImageFormat::Gif),
            written(FileFormat::Bmp, ImageFormat::Bmp),
            written(FileFormat::Tiff, ImageFormat::Tiff),
        ]
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
            (b"{\"error\": \"no credit\"}", "a JSON document"),
            (b"GIF of a cat", "the text `GIF of a cat`"),
            (b"Not Found", "the text `Not Found`"),
            (b"upstream timed out\x1b[2J\n", "the text `upstream timed out`"),
            (b"no\n", "the text `no`"),
            (b"\0\x01\x02", "the bytes 00 01 02"),
            (b"RIFF\0\0\0\0WAVE", "the bytes 52 49 46 46 00 00 00 00"),
            (b"\x89PNG", "the bytes 89 50 4e 47"),
            (b"\x1b]0;title\x07", "the bytes 1b 5d 30 3b 74 69 74 6c"),
        ] {
            check_text(bytes, &format!("this is no picture: it begins with {begins}"));
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
            // A bitmap's padding and a TIFF's directory may be cut in without harm; what is told of the rest is enough.
            let told = !matches!(format, FileFormat::Bmp | FileFormat::Tiff);
            for length in 32..bytes.len() {
                let cut = inspect(&bytes[..length]);
                assert!(!told || matches!(cut, Err(ImagingError::Broken(_))), "{format:?} cut to {length}: {cut:?}");
            }
            for length in 0..32 {
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
        spotted.put_pixel(4, 4, Rgb([9, 9, 80]));
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

    /// A turned and mirrored picture of 3 x 2 pixels in six colours, for each of the eight ways that EXIF knows.
    #[test]
    fn a_picture_is_turned_as_its_file_says_before_anything_else() {
        let seen = RgbImage::from_fn(3, 2, |x, y| Rgb([40 * (1 + x as u8 + 3 * y as u8), 9, 200]));
        for exif in 1..=8_u8 {
            let turn = image::metadata::Orientation::from_exif(exif).unwrap();
            let back = match exif {
                6 => 8,
                8 => 6,
                same => same,
            };
            let mut stored = DynamicImage::from(seen.clone());
            stored.apply_orientation(image::metadata::Orientation::from_exif(back).unwrap());
            let chunk = [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", &[exif][..], b"\0\0\0\0\0\0"].concat();
            let mut bytes = Vec::new();
            let mut info = png::Info::with_size(stored.width(), stored.height());
            info.color_type = png::ColorType::Rgb;
            info.exif_metadata = Some(chunk.clone().into());
            let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
            writer.write_image_data(stored.as_bytes()).unwrap();
            writer.finish().unwrap();
            let decoded = Decoded::new(&bytes).unwrap();
            assert_eq!(decoded.pixels.bytes, seen.as_raw()[..], "{turn:?}");
            assert!(decoded.verify(3, 2).is_ok());
            // A PNG file may say so behind its pixels, too.
            let at = bytes.windows(4).position(|kind| kind == b"eXIf").unwrap() - 4;
            let whole: Vec<u8> = bytes.drain(at..at + 12 + chunk.len()).collect();
            let end = bytes.len() - 12;
            bytes.splice(end..end, whole);
            assert_eq!(Decoded::new(&bytes).unwrap().pixels.bytes, seen.as_raw()[..], "{turn:?} behind the pixels");
        }
    }

    #[test]
    fn sixteen_bits_are_rounded() {
        let levels = [0, 127, 128, 129, 384, 385, 386, 32_767, 32_768, 65_406, 65_407, 65_535];
        let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(12, 1, levels.to_vec()).unwrap();
        let pixels = Decoded::new(&file(&deep.into(), ImageFormat::Png)).unwrap().pixels;
        let rounded: Vec<u8> = levels.iter().map(|level| (f64::from(*level) / 257.0).round() as u8).collect();
        let first: Vec<u8> = pixels.bytes.chunks(3).map(|pixel| pixel[0]).collect();
        assert_eq!(first, rounded);
    }

    #[test]
    fn what_nothing_here_decodes_is_named() {
        for (bytes, text) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x0cmdat...."[..], "the format HEIC is not supported"),
            (b"\xff\x0a\xfa\x1f", "the format JPEG XL is not supported"),
            (b"<svg/>", "the format SVG is not supported"),
        ] {
            check_text(bytes, text);
        }
    }

    /// What is published is named by its bytes, so these must be the same on every machine.
    #[test]
    fn pixels_of_an_avif_keep_their_bytes() {
        let (_, bytes) = files().into_iter().find(|(format, _)| *format == FileFormat::Avif).unwrap();
        let decoded = Decoded::new(&bytes).unwrap();
        let original = picture(13, 7).into_rgb8();
        let far = decoded.pixels.bytes.iter().zip(original.as_raw()).map(|(one, other)| one.abs_diff(*other)).max();
        assert!(far.unwrap() < 40, "{far:?}");
        let digest = crate::digest::ContentDigest::of(&decoded.pixels.bytes).to_string();
        insta::assert_snapshot!(digest, @"sha256:269eb1735bed774f2218450633da92657482d216adee1bdd23dfda76901c5c99");
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

    thread_local! {
        static FILES: [(FileFormat, Vec<u8>); 7] = files();
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            magic in prop::sample::select(vec![
                &b""[..], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\0\0\0WEBPVP8 ", b"GIF89a", b"II*\0", b"MM\0*",
                b"\0\0\0\x10ftypavif\0\0\0\0", b"\xff\x0a", b"<svg ",
            ]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = inspect(&[magic, &rest].concat());
        }

        #[test]
        fn no_mutation_makes_it_panic(
            which in 0..7_usize,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            kept in any::<prop::sample::Index>(),
        ) {
            let mut bytes = FILES.with(|files| files[which].1.clone());
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
