//! Colours: whatever space a picture's numbers are meant in, they become those of sRGB, which every browser takes for
//! granted.
//!
//! A profile may be broken or of another kind than the picture: then the numbers stay as they are, and that is told. The
//! arithmetic is the same on every machine: the library is built without its paths for vector units, for the bytes that
//! are published are named by their digest.

use image::DynamicImage;
use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, CmsError, ColorPrimaries, ColorProfile, DataColorSpace, Layout,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics, TransformExecutor, TransformOptions, XyY,
};

use super::Remark;
use super::completeness::chunks;

/// Pixels that are converted at once.
const PIXELS_AT_ONCE: usize = 4096;
/// Longest colour profile that is looked at, in bytes.
const PROFILE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How far a profile may lead from the numbers themselves, of 255, to count as sRGB in other words.
const SAME_MAX: u8 = 2;
/// The exponent of sRGB pictures as PNG files state it, in 100,000ths, and how far one may be from it.
const GAMMA_SRGB: u32 = 45_455;
const GAMMA_NEAR: u32 = 500;
/// The exponents that are believed, in 100,000ths.
const GAMMAS: std::ops::RangeInclusive<u32> = 20_000..=500_000;

/// What the numbers of a picture mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Space {
    /// Colours of sRGB, or nothing was said.
    Srgb,
    /// An ICC profile says it.
    Profile(Vec<u8>),
    /// Code points of ITU-T H.273 say it.
    Coded {
        /// The primaries.
        primaries: u8,
        /// The transfer characteristics.
        transfer: u8,
    },
    /// A PNG file says it, in 100,000ths.
    Gamma {
        /// The exponent, inverted; `None` for that of sRGB.
        gamma: Option<u32>,
        /// White point, red, green and blue, two coordinates each.
        primaries: Option<[u32; 8]>,
    },
}

impl Space {
    /// Reads what a PNG file says; `profile` is the ICC profile that its decoder unpacked.
    ///
    /// The order is that of the specification: code points, profile, sRGB, exponent.
    /// Source: <https://www.w3.org/TR/png-3/#color-chunk-precendence>, read 2026-11-30.
    pub fn of_png(bytes: &[u8], profile: Option<Vec<u8>>) -> Self {
        let (mut says_srgb, mut gamma, mut primaries) = (false, None, None);
        for chunk in chunks(bytes).take_while(|chunk| &chunk.kind != b"IDAT") {
            match (&chunk.kind, chunk.data) {
                (b"cICP", &[primaries, transfer, 0, 1]) => return Self::Coded { primaries, transfer },
                (b"sRGB", _) => says_srgb = true,
                (b"gAMA", data) => gamma = data.first_chunk().map(|field| u32::from_be_bytes(*field)),
                (b"cHRM", data) if data.len() == 32 => {
                    let mut fields = [0; 8];
                    for (field, bytes) in fields.iter_mut().zip(data.as_chunks().0) {
                        *field = u32::from_be_bytes(*bytes);
                    }
                    primaries = Some(fields);
                }
                _ => {}
            }
        }
        match profile {
            Some(profile) => Self::Profile(profile),
            None if says_srgb => Self::Srgb,
            // Primaries alone say nothing: most programs ignore them, and so do we.
            None => match gamma.filter(|gamma| GAMMAS.contains(gamma)) {
                None => Self::Srgb,
                Some(gamma) => {
                    Self::Gamma { gamma: (gamma.abs_diff(GAMMA_SRGB) > GAMMA_NEAR).then_some(gamma), primaries }
                }
            },
        }
    }

    /// Returns the profile; `None` where nothing is to be converted.
    fn profile(&self) -> Result<Option<ColorProfile>, Remark> {
        match self {
            Self::Srgb => Ok(None),
            Self::Profile(bytes) if bytes.len() > PROFILE_BYTES_MAX => Err(Remark::ProfileIgnored),
            Self::Profile(bytes) => ColorProfile::new_from_slice(bytes).map(Some).map_err(|_| Remark::ProfileIgnored),
            Self::Coded { primaries, transfer } => Ok(coded(*primaries, *transfer)),
            Self::Gamma { gamma: None, primaries: None } => Ok(None),
            Self::Gamma { gamma, primaries } => {
                let mut profile = ColorProfile::new_srgb();
                if let Some([wx, wy, rx, ry, gx, gy, bx, by]) = primaries {
                    let unit = |number: u32| f64::from(number) / 100_000.0;
                    let point = |x: u32, y: u32| Chromaticity::new(unit(x) as f32, unit(y) as f32);
                    if [wy, ry, gy, by].into_iter().any(|y| *y == 0 || *y > 100_000) {
                        return Err(Remark::ProfileIgnored);
                    }
                    let primaries =
                        ColorPrimaries { red: point(*rx, *ry), green: point(*gx, *gy), blue: point(*bx, *by) };
                    profile.update_rgb_colorimetry(XyY::new(unit(*wx), unit(*wy), 1.0), primaries);
                }
                if let Some(gamma) = gamma {
                    let curve = ToneReprCurve::Parametric(vec![100_000.0 / *gamma as f32]);
                    profile.red_trc = Some(curve.clone());
                    profile.green_trc = Some(curve.clone());
                    profile.blue_trc = Some(curve);
                }
                profile.cicp = None;
                Ok(Some(profile))
            }
        }
    }
}

/// Returns the profile of code points; `None` where they say sRGB, or nothing that is known.
///
/// The curves of television count as that of sRGB, as in every browser: pictures that say so were never graded by them.
fn coded(primaries: u8, transfer: u8) -> Option<ColorProfile> {
    let transfer = if matches!(transfer, 0 | 1 | 2 | 6 | 14 | 15) { 13 } else { transfer };
    let primaries = if matches!(primaries, 0 | 2) { 1 } else { primaries };
    if (primaries, transfer) == (1, 13) {
        return None;
    }
    let profile = CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    };
    let profile = ColorProfile::new_from_cicp(profile);
    profile.red_trc.is_some().then_some(profile)
}

/// Tells whether pictures of a space, coloured or gray, get other numbers.
pub(super) fn converts(space: &Space, colours: bool) -> bool {
    let probe = if colours { DynamicImage::new_rgb8(1, 1) } else { DynamicImage::new_luma8(1, 1) };
    // What is converted has four channels; what stays has those that it had.
    to_srgb(probe, space, &mut Vec::new()).color().has_alpha()
}

/// Brings a picture into sRGB, eight bits a channel; gray pictures become coloured ones.
pub(super) fn to_srgb(picture: DynamicImage, space: &Space, remarks: &mut Vec<Remark>) -> DynamicImage {
    let converted = match space.profile() {
        Ok(None) => return picture,
        Ok(Some(profile)) => convert(picture, &profile),
        Err(remark) => Err((picture, remark)),
    };
    converted.unwrap_or_else(|(picture, remark)| {
        remarks.push(remark);
        picture
    })
}

type Converted = Result<DynamicImage, (DynamicImage, Remark)>;

fn convert(picture: DynamicImage, profile: &ColorProfile) -> Converted {
    let gray = match profile.color_space {
        DataColorSpace::Rgb => false,
        DataColorSpace::Gray if !picture.color().has_color() => true,
        DataColorSpace::Cmyk => return Err((picture, Remark::InksByRule)),
        _ => return Err((picture, Remark::ProfileIgnored)),
    };
    let from = if gray { Layout::Gray } else { Layout::Rgb };
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let Ok(small) = profile.create_transform_8bit(from, &srgb, Layout::Rgb, options) else {
        return Err((picture, Remark::ProfileIgnored));
    };
    match says_srgb(&*small, from) {
        None => return Err((picture, Remark::ProfileIgnored)),
        Some(true) => return Ok(picture),
        Some(false) => {}
    }
    let deep = picture.color().bytes_per_pixel() > picture.color().channel_count();
    let converted = if deep {
        let mut pixels = picture.to_rgba16();
        let large = profile.create_transform_16bit(from, &srgb, Layout::Rgb, options);
        large.and_then(|large| each(&mut pixels, from, &*large)).map(|()| pixels.into())
    } else {
        let mut pixels = picture.to_rgba8();
        each(&mut pixels, from, &*small).map(|()| pixels.into())
    };
    converted.map_err(|_| (picture, Remark::ProfileIgnored))
}

/// Converts the colours of pixels of four channels, and leaves their transparency as it is.
fn each<S: Copy + Default>(
    samples: &mut [S],
    from: Layout,
    transform: &(dyn TransformExecutor<S> + Send + Sync),
) -> Result<(), CmsError> {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for some in samples.chunks_mut(4 * PIXELS_AT_ONCE) {
        before.clear();
        before.extend(some.chunks_exact(4).flat_map(|pixel| pixel[..from.channels()].iter().copied()));
        after.resize(some.len() / 4 * 3, S::default());
        transform.transform(&before, &mut after)?;
        for (pixel, colour) in some.chunks_exact_mut(4).zip(after.chunks_exact(3)) {
            pixel[..3].copy_from_slice(colour);
        }
    }
    Ok(())
}

/// Tells whether a transform leaves colours as they are, but for its own rounding; `None` where it fails.
///
/// Most profiles in pictures say sRGB: to convert those would change every pixel by nothing that anybody sees.
fn says_srgb(transform: &(dyn TransformExecutor<u8> + Send + Sync), from: Layout) -> Option<bool> {
    let steps = || (0..=255_u16).step_by(15).map(|step| step as u8);
    let probes: Vec<[u8; 3]> = match from {
        Layout::Gray => (0..=255).map(|level| [level; 3]).collect(),
        _ => steps().flat_map(|r| steps().flat_map(move |g| steps().map(move |b| [r, g, b]))).collect(),
    };
    let channels = from.channels();
    let input: Vec<u8> = probes.iter().flat_map(|probe| probe[..channels].iter().copied()).collect();
    let mut output = vec![0; probes.len() * 3];
    transform.transform(&input, &mut output).ok()?;
    let differs = probes.as_flattened().iter().zip(&output).any(|(before, after)| before.abs_diff(*after) > SAME_MAX);
    Some(!differs)
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, Rgb, RgbImage};

    use super::*;

    fn colours() -> RgbImage {
        RgbImage::from_fn(16, 16, |x, y| Rgb([x as u8 * 17, y as u8 * 17, (x * y) as u8]))
    }

    fn converted(picture: DynamicImage, space: &Space) -> (RgbImage, Vec<Remark>) {
        let mut remarks = Vec::new();
        let picture = to_srgb(picture, space, &mut remarks);
        (picture.into_rgb8(), remarks)
    }

    fn profile(profile: &ColorProfile) -> Space {
        Space::Profile(profile.encode().unwrap())
    }

    #[test]
    fn colours_of_a_wider_space_become_stronger_numbers() {
        let green = RgbImage::from_pixel(2, 2, Rgb([100, 200, 100]));
        for (name, space) in [
            ("a profile", profile(&ColorProfile::new_display_p3())),
            ("code points", Space::Coded { primaries: 12, transfer: 13 }),
        ] {
            let (found, remarks) = converted(green.clone().into(), &space);
            let Rgb([r, g, b]) = *found.get_pixel(0, 0);
            assert!((40..80).contains(&r) && (200..206).contains(&g) && (80..97).contains(&b), "{name}: {r} {g} {b}");
            assert_eq!(remarks, []);
        }
    }

    #[test]
    fn a_profile_that_says_srgb_changes_nothing() {
        for space in [
            Space::Srgb,
            profile(&ColorProfile::new_srgb()),
            Space::Coded { primaries: 1, transfer: 1 },
            Space::Coded { primaries: 2, transfer: 2 },
            Space::Gamma { gamma: None, primaries: Some([31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]) },
        ] {
            assert_eq!(converted(colours().into(), &space), (colours(), Vec::new()), "{space:?}");
        }
    }

    #[test]
    fn a_broken_profile_is_ignored_and_told() {
        let whole = ColorProfile::new_display_p3().encode().unwrap();
        for bytes in [Vec::new(), b"no profile".to_vec(), whole[..200].to_vec(), vec![0; 4096]] {
            assert_eq!(converted(colours().into(), &Space::Profile(bytes)), (colours(), vec![Remark::ProfileIgnored]));
        }
        let gray = profile(&ColorProfile::new_gray_with_gamma(1.8));
        assert_eq!(converted(colours().into(), &gray), (colours(), vec![Remark::ProfileIgnored]), "gray for colours");
        let unknown = Space::Gamma { gamma: Some(100_000), primaries: Some([0; 8]) };
        assert_eq!(converted(colours().into(), &unknown), (colours(), vec![Remark::ProfileIgnored]));
    }

    #[test]
    fn a_linear_picture_becomes_brighter_in_either_depth() {
        let space = Space::Gamma { gamma: Some(100_000), primaries: None };
        let plain = ImageBuffer::<Luma<u8>, _>::from_pixel(4, 4, Luma([55]));
        let deep = ImageBuffer::<Luma<u16>, _>::from_pixel(4, 4, Luma([55 * 257]));
        for picture in [DynamicImage::from(plain), DynamicImage::from(deep)] {
            let (found, remarks) = converted(picture, &space);
            let Rgb([r, g, b]) = *found.get_pixel(1, 1);
            assert!((127..=129).contains(&r) && r == g && g == b, "{r} {g} {b}");
            assert_eq!(remarks, []);
        }
    }

    #[test]
    fn transparency_stays() {
        let clear = image::RgbaImage::from_pixel(2, 2, image::Rgba([100, 200, 100, 7]));
        let mut remarks = Vec::new();
        let found = to_srgb(clear.into(), &profile(&ColorProfile::new_display_p3()), &mut remarks).into_rgba8();
        assert_eq!(found.get_pixel(1, 1).0[3], 7);
        assert_ne!(found.get_pixel(1, 1).0[0], 100);
    }

    /// What is published is named by its bytes, so these must be the same on every machine.
    #[test]
    fn converted_pixels_keep_their_bytes() {
        let spaces = [
            profile(&ColorProfile::new_display_p3()),
            profile(&ColorProfile::new_adobe_rgb()),
            Space::Coded { primaries: 9, transfer: 14 },
            Space::Gamma { gamma: Some(55_556), primaries: None },
        ];
        let digests = spaces.map(|space| {
            let (found, _) = converted(colours().into(), &space);
            crate::digest::ContentDigest::of(found.as_raw()).hex()[..16].to_owned()
        });
        insta::assert_snapshot!(digests.join(" "), @"e4a132595c7115cb 67a9388ba3dbcdbb c123d3105d9ee7b9 2a94a333ca50669b");
    }
}
