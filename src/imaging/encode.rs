//! Makes the published forms of a picture: resized, and written in another format.
//!
//! The same picture and encoding always give the same bytes, however many threads or vector units there are: the path of
//! a published file holds the bytes' digest. Which quality and size are wanted is decided in the manifest.

use std::borrow::Cow;
use std::error::Error;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{U8x3, U8x4};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::png::{CompressionType, FilterType as RowFilter, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::header::check_size;
use super::inspect::Decoded;
use super::pixels::{Channels, Pixels};
use super::{ImagingError, SIDE_MAX};
use crate::asset::{Encoding, Fit, Format, Resize};

/// Quality of a lossy format where the encoding names none, 1..=100.
const QUALITY_DEFAULT: u8 = 90;
/// Longest side of a WebP picture, in pixels: the format keeps it in 14 bits.
const WEBP_SIDE_MAX: u32 = 16_383;
/// How hard AVIF is compressed, 1 (slowest) to 10: at 8 a picture takes a fraction of a second.
const AVIF_SPEED: u8 = 8;

/// A published form of a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The image file.
    pub bytes: Vec<u8>,
    /// Its width, in pixels.
    pub width: u32,
    /// Its height, in pixels.
    pub height: u32,
}

/// Decodes a picture and encodes it; who needs several encodings takes [`Decoded::encode`].
///
/// # Errors
/// The original is no picture that can be decoded, or the format cannot hold the result.
pub fn encode(original: &[u8], encoding: &Encoding) -> Result<Encoded, ImagingError> {
    Decoded::new(original)?.encode(encoding)
}

/// Returns the size that a picture of this size gets, in pixels; proportions are kept to the nearest pixel, and no side
/// is less than 1. A result beyond 32 bits is cut to them: it is too large to be encoded anyway.
pub fn fitted(resize: &Resize, width: u32, height: u32) -> (u32, u32) {
    match *resize {
        Resize::Keep => (width, height),
        Resize::Width(wanted) => (wanted.max(1), in_proportion(height, wanted, width)),
        Resize::Height(wanted) => (in_proportion(width, wanted, height), wanted.max(1)),
        Resize::Box { width: wanted_width, height: wanted_height, fit: Fit::Cover } => {
            (wanted_width.max(1), wanted_height.max(1))
        }
        Resize::Box { width: wanted_width, height: wanted_height, fit: Fit::Contain } => {
            let is_flatter = u64::from(width) * u64::from(wanted_height) > u64::from(height) * u64::from(wanted_width);
            fitted(&if is_flatter { Resize::Width(wanted_width) } else { Resize::Height(wanted_height) }, width, height)
        }
    }
}

/// Returns `side * wanted / of`, rounded, at least 1.
fn in_proportion(side: u32, wanted: u32, of: u32) -> u32 {
    let of = u64::from(of.max(1));
    let rounded = (u64::from(side) * u64::from(wanted) + of / 2) / of;
    u32::try_from(rounded).unwrap_or(u32::MAX).max(1)
}

impl Decoded {
    /// Makes one published form.
    ///
    /// # Errors
    /// The result would be too large, or the format cannot hold it.
    pub fn encode(&self, encoding: &Encoding) -> Result<Encoded, ImagingError> {
        let Encoding { format, quality, resize } = encoding;
        let quality = quality.unwrap_or(QUALITY_DEFAULT).clamp(1, 100);
        let pixels = resized(&self.pixels, resize)?;
        let written = match format {
            Format::Jpeg => write_jpeg(&pixels, quality),
            Format::Png => write_png(&pixels),
            Format::Webp => write_webp(&pixels, quality),
            Format::Avif => write_avif(&pixels, quality),
        };
        let bytes = written.map_err(|source| ImagingError::Encoding { format: format.name(), source })?;
        Ok(Encoded { bytes, width: pixels.width, height: pixels.height })
    }
}

fn resized<'p>(pixels: &'p Pixels, resize: &Resize) -> Result<Cow<'p, Pixels>, ImagingError> {
    let (width, height) = fitted(resize, pixels.width, pixels.height);
    check_size(width, height)?;
    if (width, height) == (pixels.width, pixels.height) {
        return Ok(Cow::Borrowed(pixels));
    }
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    if let Resize::Box { fit: Fit::Cover, .. } = resize {
        options = options.fit_into_destination(None);
    }
    let mut bytes = vec![0; width as usize * height as usize * pixels.channels.count()];
    match pixels.channels {
        Channels::Rgb => resample::<U8x3>(pixels, &mut bytes, (width, height), &options),
        Channels::Rgba => resample::<U8x4>(pixels, &mut bytes, (width, height), &options),
    }
    Ok(Cow::Owned(Pixels { width, height, channels: pixels.channels, bytes }))
}

/// Typed, because the untyped way compiles thirteen kinds of pixels into this crate where two are wanted, and made the
/// crate twice as slow to build.
fn resample<P: PixelTrait>(pixels: &Pixels, into: &mut [u8], (width, height): (u32, u32), options: &ResizeOptions) {
    let source = TypedImageRef::<P>::from_buffer(pixels.width, pixels.height, &pixels.bytes)
        .expect("decoded pixels fill their width and height");
    let mut target =
        TypedImage::<P>::from_buffer(width, height, into).expect("the buffer was made for this width and height");
    Resizer::new().resize_typed(&source, &mut target, options).expect("the crop lies inside the picture");
}

type EncodeResult = Result<Vec<u8>, Box<dyn Error + Send + Sync>>;

fn write_jpeg(pixels: &Pixels, quality: u8) -> EncodeResult {
    let side = |length| u16::try_from(length).map_err(|_| format!("a side has at most {SIDE_MAX} pixels"));
    let opaque = match pixels.channels {
        Channels::Rgb => Cow::Borrowed(&pixels.bytes),
        Channels::Rgba => Cow::Owned(on_white(&pixels.bytes)),
    };
    // A photograph of average detail fits; a longer file grows the buffer.
    let mut bytes = Vec::with_capacity(opaque.len() / 8 + 1024);
    jpeg_encoder::Encoder::new(&mut bytes, quality).encode(
        &opaque,
        side(pixels.width)?,
        side(pixels.height)?,
        jpeg_encoder::ColorType::Rgb,
    )?;
    Ok(bytes)
}

/// Lays the picture on white, for a format without transparency.
fn on_white(rgba: &[u8]) -> Vec<u8> {
    let over = |channel: u8, alpha: u8| {
        let (channel, alpha) = (u32::from(channel), u32::from(alpha));
        let mixed = (channel * alpha + 255 * (255 - alpha) + 127) / 255;
        u8::try_from(mixed).unwrap_or(u8::MAX)
    };
    rgba.chunks_exact(4).flat_map(|pixel| [0, 1, 2].map(|at| over(pixel[at], pixel[3]))).collect()
}

fn write_png(pixels: &Pixels) -> EncodeResult {
    let colour = match pixels.channels {
        Channels::Rgb => ExtendedColorType::Rgb8,
        Channels::Rgba => ExtendedColorType::Rgba8,
    };
    let mut bytes = Vec::new();
    // Named, though they are the default now: another default would change every published digest.
    PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, RowFilter::Adaptive).write_image(
        &pixels.bytes,
        pixels.width,
        pixels.height,
        colour,
    )?;
    Ok(bytes)
}

fn write_webp(pixels: &Pixels, quality: u8) -> EncodeResult {
    if pixels.width.max(pixels.height) > WEBP_SIDE_MAX {
        return Err(format!("a side has at most {WEBP_SIDE_MAX} pixels").into());
    }
    let encoder = match pixels.channels {
        Channels::Rgb => webp::Encoder::from_rgb(&pixels.bytes, pixels.width, pixels.height),
        Channels::Rgba => webp::Encoder::from_rgba(&pixels.bytes, pixels.width, pixels.height),
    };
    match encoder.encode_simple(false, f32::from(quality)) {
        Ok(memory) => Ok(memory.to_vec()),
        Err(code) => Err(format!("libwebp says {code:?}").into()),
    }
}

fn write_avif(pixels: &Pixels, quality: u8) -> EncodeResult {
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    // One thread, named: the encoder cuts a picture into as many tiles as it has threads, so that with a free choice
    // the bytes would depend on the machine. Several pictures are encoded at a time anyway.
    let encoder = ravif::Encoder::new()
        .with_quality(f32::from(quality))
        .with_alpha_quality(f32::from(quality))
        .with_speed(AVIF_SPEED)
        .with_num_threads(Some(1));
    let image = match pixels.channels {
        Channels::Rgb => {
            let colours: Vec<_> = pixels.bytes.chunks_exact(3).map(|p| ravif::RGB8::new(p[0], p[1], p[2])).collect();
            encoder.encode_rgb(ravif::Img::new(&colours, width, height))?
        }
        Channels::Rgba => {
            let colours: Vec<_> =
                pixels.bytes.chunks_exact(4).map(|p| ravif::RGBA8::new(p[0], p[1], p[2], p[3])).collect();
            encoder.encode_rgba(ravif::Img::new(&colours, width, height))?
        }
    };
    Ok(image.avif_file)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::digest::ContentDigest;

    fn original(width: u32, height: u32, channels: Channels) -> Decoded {
        let count = width as usize * height as usize * channels.count();
        let bytes = (0..count).map(|at| (at * 7 + at / 100) as u8).collect();
        let png = write_png(&Pixels { width, height, channels, bytes }).unwrap();
        Decoded::new(&png).unwrap()
    }

    fn keep(format: Format) -> Encoding {
        Encoding { format, quality: (format != Format::Png).then_some(80), resize: Resize::Keep }
    }

    fn fit(width: u32, height: u32, fit: Fit) -> Resize {
        Resize::Box { width, height, fit }
    }

    /// An encoder that writes other bytes after an update would make every picture be published again.
    #[test]
    fn an_encoded_picture_keeps_its_bytes() {
        let original = original(61, 47, Channels::Rgb);
        let digests: Vec<_> = Format::ALL
            .map(|format| (format, original.encode(&keep(format)).unwrap()))
            .map(|(format, encoded)| format!("{} {}", format.name(), ContentDigest::of(&encoded.bytes)))
            .into();
        insta::assert_snapshot!(digests.join("\n"), @r"
        jpeg sha256:affcbeb5af0a43258d8afc26dc9198704e66b2881582914952dbe6ef304c3af4
        png sha256:58d758f40db9f8c736b3405f7e7cf88c0f7f69165ce48fdf006ddadc60eee285
        webp sha256:0d139bdf96c719aed098190b670f522bed804ef82e875a70b3fcba637890bf12
        avif sha256:1aaee7391bb25a99647da408f4c5731bde5e62b999c5220215732a901d28c386
        ");
        let resize = Resize::Width(20);
        let thumb = original.encode(&Encoding { resize, ..keep(Format::Jpeg) }).unwrap();
        let digest = ContentDigest::of(&thumb.bytes).to_string();
        insta::assert_snapshot!(digest, @"sha256:b5234298ccac793705179e7292de5e6506f81519213e617d3a70a27fd1b2fb1b");
    }

    #[test]
    fn a_size_keeps_its_proportions() {
        for (resize, from, to) in [
            (Resize::Keep, (512, 768), (512, 768)),
            (Resize::Width(160), (512, 768), (160, 240)),
            (Resize::Height(160), (512, 768), (107, 160)),
            (Resize::Width(1024), (512, 768), (1024, 1536)),
            (Resize::Width(1), (100, 4), (1, 1)),
            (Resize::Height(1), (4, 100), (1, 1)),
            (Resize::Width(0), (4, 100), (1, 1)),
            (Resize::Width(u32::MAX), (1, 8192), (u32::MAX, u32::MAX)),
            (fit(100, 100, Fit::Cover), (512, 768), (100, 100)),
            (fit(100, 100, Fit::Contain), (512, 768), (67, 100)),
            (fit(100, 100, Fit::Contain), (768, 512), (100, 67)),
            (fit(100, 150, Fit::Contain), (512, 768), (100, 150)),
            (fit(1000, 10, Fit::Contain), (1, 1000), (1, 10)),
        ] {
            assert_eq!(fitted(&resize, from.0, from.1), to, "{resize:?} of {from:?}");
        }
    }

    #[test]
    fn the_file_is_what_the_encoding_says() {
        for channels in [Channels::Rgb, Channels::Rgba] {
            let original = original(61, 47, channels);
            for format in Format::ALL {
                let encoded = original.encode(&keep(format)).unwrap();
                assert_eq!((encoded.width, encoded.height), (61, 47));
                let facts = Decoded::new(&encoded.bytes).unwrap().verify(61, 47).unwrap();
                assert_eq!(facts.published().unwrap(), format);
            }
        }
    }

    #[test]
    fn png_is_lossless() {
        for channels in [Channels::Rgb, Channels::Rgba] {
            let original = original(33, 9, channels);
            let encoded = original.encode(&keep(Format::Png)).unwrap();
            assert_eq!(Decoded::new(&encoded.bytes).unwrap().pixels.bytes, original.pixels.bytes);
        }
    }

    #[test]
    fn what_is_transparent_becomes_white_in_jpeg() {
        assert_eq!(on_white(&[0, 0, 0, 0, 9, 8, 7, 255, 0, 255, 100, 128]), [255, 255, 255, 9, 8, 7, 127, 255, 177]);
        let bytes = [10, 20, 30, 0].repeat(64);
        let clear = Pixels { width: 8, height: 8, channels: Channels::Rgba, bytes };
        let jpeg = Decoded::new(&write_jpeg(&clear, 90).unwrap()).unwrap();
        assert!(jpeg.pixels.bytes.iter().all(|&channel| channel == 255));
    }

    #[test]
    fn cover_crops_from_the_centre() {
        // Red, green and blue thirds: a square from the middle is green.
        let bytes = (0..10).flat_map(|_| [[[255, 0, 0]; 10], [[0, 255, 0]; 10], [[0, 0, 255]; 10]].concat().concat());
        let png =
            write_png(&Pixels { width: 30, height: 10, channels: Channels::Rgb, bytes: bytes.collect() }).unwrap();
        let encoding = Encoding { resize: fit(10, 10, Fit::Cover), ..keep(Format::Png) };
        let encoded = encode(&png, &encoding).unwrap();
        assert_eq!(Decoded::new(&encoded.bytes).unwrap().pixels.bytes, [0, 255, 0].repeat(100));
    }

    #[test]
    fn what_a_format_cannot_hold_is_an_error() {
        let original = original(4, 4, Channels::Rgb);
        for (format, resize) in [
            (Format::Jpeg, fit(70_000, 1, Fit::Cover)),
            (Format::Png, Resize::Width(8193)),
            (Format::Png, Resize::Width(u32::MAX)),
            (Format::Webp, fit(16_384, 1, Fit::Cover)),
        ] {
            let error = original.encode(&Encoding { resize, ..keep(format) });
            let refused = matches!(error, Err(ImagingError::TooLarge { .. } | ImagingError::Encoding { .. }));
            assert!(refused, "{format:?} {resize:?}");
        }
    }

    fn resize() -> impl Strategy<Value = Resize> {
        let side = || 1_u32..90;
        prop_oneof![
            Just(Resize::Keep),
            side().prop_map(Resize::Width),
            side().prop_map(Resize::Height),
            (side(), side(), prop::sample::select(vec![Fit::Cover, Fit::Contain]))
                .prop_map(|(width, height, fit)| Resize::Box { width, height, fit }),
        ]
    }

    proptest! {
        #[test]
        fn a_picture_gets_the_size_that_was_promised(
            (width, height) in (1_u32..60, 1_u32..60),
            channels in prop::sample::select(vec![Channels::Rgb, Channels::Rgba]),
            format in prop::sample::select(vec![Format::Jpeg, Format::Png, Format::Webp]),
            quality in prop::option::of(1_u8..=100),
            resize in resize(),
        ) {
            let encoded = original(width, height, channels).encode(&Encoding { format, quality, resize }).unwrap();
            let size = (encoded.width, encoded.height);
            prop_assert_eq!(size, fitted(&resize, width, height));
            let facts = Decoded::new(&encoded.bytes).unwrap().facts();
            prop_assert_eq!((facts.width, facts.height), size);
            match resize {
                Resize::Keep => prop_assert_eq!(size, (width, height)),
                Resize::Width(wanted) => prop_assert_eq!(size.0, wanted),
                Resize::Height(wanted) => prop_assert_eq!(size.1, wanted),
                Resize::Box { width, height, fit: Fit::Cover } => prop_assert_eq!(size, (width, height)),
                Resize::Box { width, height, fit: Fit::Contain } => {
                    prop_assert!(size.0 <= width && size.1 <= height && (size.0 == width || size.1 == height));
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        #[test]
        fn avif_takes_every_size_and_is_the_same_in_every_pool(
            (width, height) in (1_u32..40, 1_u32..40),
            channels in prop::sample::select(vec![Channels::Rgb, Channels::Rgba]),
        ) {
            let original = original(width, height, channels);
            let encodings = [1, 5].map(|threads| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| original.encode(&keep(Format::Avif)).unwrap())
            });
            prop_assert_eq!(&encodings[0], &encodings[1]);
        }
    }

    /// At this quality a tile has 128 x 128 pixels at least, so there is room for two; a smooth picture is quick.
    #[test]
    fn an_avif_has_no_more_tiles_in_a_larger_pool() {
        let bytes = (0..512 * 256 * 3).map(|at| (at / 1536) as u8).collect();
        let png = write_png(&Pixels { width: 512, height: 256, channels: Channels::Rgb, bytes }).unwrap();
        let encoding = Encoding { quality: Some(30), ..keep(Format::Avif) };
        let [one, five] = [1, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| encode(&png, &encoding).unwrap())
        });
        assert!(one == five);
    }
}
