//! Pictures that come in another shape than the one asked for: formats, turnings, colours and sizes.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

use super::{BAKER, Case, check};
use crate::fake::script::{OnDownload, OnPoll};
use crate::paid::{Paid, portraits};

/// 512 x 768 pixels, as another encoder wrote them.
const AVIF: &[u8] = include_bytes!("../../pictures/portrait.avif");
/// 512 x 768 pixels with a profile of Display P3.
const DISPLAY_P3: &[u8] = include_bytes!("../../pictures/display-p3.png");
/// The beginning of a HEIC picture, whole as far as its boxes say.
const HEIC: &[u8] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic\0\0\0\x10mdat........";

fn seen(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8 * 2, 99])).into()
}

fn file(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    seen(128, 128).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Buys one picture of this size, which comes as this file; returns what is published of it.
fn bought((width, height): (u32, u32), came: Vec<u8>) -> (Paid, DynamicImage) {
    let size = format!("  width: {width}\n  height: {height}\n");
    let paid = Paid::new(&portraits(1).replace("  width: 128\n  height: 128\n", &size));
    paid.fake.fault(OnDownload::File(came));
    paid.apply(&[]).expect(0);
    assert_eq!((paid.fake.charges().len(), paid.statuses(BAKER)), (1, vec!["finished".to_owned()]));
    let url = paid.project.query("SELECT image_url FROM portraits").remove(0);
    let published = image::open(paid.project.storage().join(url.strip_prefix("/files/").unwrap())).unwrap();
    assert_eq!((published.width(), published.height()), (width, height));
    (paid, published)
}

fn original(paid: &Paid) -> String {
    paid.project.query("SELECT path FROM pixform_originals").remove(0)
}

#[test]
fn an_original_of_another_format_is_kept_by_its_name_and_read() {
    for (format, ending) in [(ImageFormat::Gif, "gif"), (ImageFormat::Bmp, "bmp"), (ImageFormat::Tiff, "tiff")] {
        let (paid, published) = bought((128, 128), file(format));
        assert!(original(&paid).ends_with(&format!(".{ending}")), "{}", original(&paid));
        let Rgb([r, g, _]) = *published.into_rgb8().get_pixel(100, 50);
        assert!(r.abs_diff(100) < 20 && g.abs_diff(100) < 20, "{ending}: {r} {g}");
    }
    let (paid, _) = bought((512, 768), AVIF.to_vec());
    assert!(original(&paid).ends_with(".avif"));
    let kept = std::fs::read(paid.project.storage().join(original(&paid))).unwrap();
    assert_eq!(kept, AVIF, "the original is the very file that came");
}

#[test]
fn a_jpeg_that_lies_on_its_side_is_put_upright() {
    let upright = seen(256, 128);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 95).encode_image(&upright.rotate270()).unwrap();
    let exif = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    jpeg.splice(2..2, exif.iter().copied());
    let (_, published) = bought((256, 128), jpeg);
    for (x, y) in [(5, 5), (240, 5), (5, 100), (240, 100)] {
        let [is, was] = [&published, &upright].map(|picture| *picture.to_rgb8().get_pixel(x, y));
        assert!(is.0.iter().zip(was.0).all(|(is, was)| is.abs_diff(was) < 24), "{x} {y}: {is:?} for {was:?}");
    }
}

#[test]
fn colours_of_a_wider_space_become_those_of_srgb() {
    let (_, published) = bought((512, 768), DISPLAY_P3.to_vec());
    let raw = image::load_from_memory(DISPLAY_P3).unwrap().into_rgb8();
    let published = published.into_rgb8();
    let far = published.as_raw().iter().zip(raw.as_raw()).map(|(is, was)| is.abs_diff(*was)).max().unwrap();
    assert!(far > 30, "the numbers were taken over as they are");
}

#[test]
fn what_nothing_here_decodes_is_kept_and_named() {
    check(&[
        Case {
            name: "HEIC",
            faults: |fake| fake.fault(OnDownload::File(HEIC.to_vec())),
            reason: "the format HEIC is not supported",
            ..Case::UNUSABLE
        },
        Case {
            name: "SVG",
            faults: |fake| fake.fault(OnDownload::File(b"<svg width='128' height='128'></svg>".to_vec())),
            reason: "the format SVG is not supported",
            ..Case::UNUSABLE
        },
    ]);
    let paid = Paid::new(&portraits(1));
    paid.fake.fault(OnDownload::File(HEIC.to_vec()));
    paid.apply(&[]).expect(7);
    let kept = original(&paid);
    assert!(kept.starts_with("originals/rejected/") && kept.ends_with(".heic"), "{kept}");
    assert_eq!(std::fs::read(paid.project.storage().join(&kept)).unwrap(), HEIC);
    assert!(!paid.project.ok(&["plan"]).contains("take it as it is"));
    let taken = paid.apply(&["--accept-rejected"]).expect(7);
    let all = format!("{}{}", taken.stdout, taken.stderr);
    assert!(all.contains("the format HEIC is not supported; it is kept as `originals/rejected/"), "{all}");
    assert_eq!((paid.fake.charges().len(), paid.fake.downloads_with_key()), (1, 0));
}

#[test]
fn of_several_pictures_the_one_that_was_asked_for_is_taken() {
    for first in [HEIC.to_vec(), b"<html>no</html>".to_vec(), file(ImageFormat::Png)[..500].to_vec()] {
        let paid = Paid::new(&portraits(1));
        paid.fake.fault(OnPoll::Twice);
        paid.fake.fault(OnDownload::File(first));
        paid.apply(&[]).expect(0);
        assert_eq!((paid.fake.charges().len(), paid.published().len()), (1, 1));
    }
}

/// What an earlier release published stays as it is; what of it is lost becomes another file only where it must.
#[test]
fn what_an_earlier_renderer_made_stays_until_it_is_lost() {
    let as_before = |paid: &Paid| {
        let first = r#"REPLACE(published, '"renderer":2', '"renderer":1')"#;
        paid.project.execute(&format!("UPDATE pixform_record_details SET published = {first}"));
        paid.project.execute(&format!("UPDATE pixform_objects SET published = {first}, renderer = 1"));
        let url = paid.project.query("SELECT image_url FROM portraits").remove(0);
        let file = paid.project.storage().join(url.strip_prefix("/files/").unwrap());
        (url, file)
    };
    // A plain original: the file is put back as it was.
    let (plain, _) = bought((128, 128), file(ImageFormat::Png));
    let (url, lost) = as_before(&plain);
    assert!(plain.project.ok(&["plan"]).contains("No changes."));
    std::fs::remove_file(&lost).unwrap();
    assert!(plain.project.ok(&["plan"]).contains("1 to repair"), "{}", plain.project.ok(&["plan"]));
    plain.apply(&[]).expect(0);
    assert!(lost.exists() && plain.project.query("SELECT image_url FROM portraits") == [url]);
    // One with a profile: the file becomes another, at another place, and the row says so.
    let (coloured, _) = bought((512, 768), DISPLAY_P3.to_vec());
    let (url, lost) = as_before(&coloured);
    let other = lost.with_file_name("baker-0000000000000000.png");
    let rename = |from: &str, to: &str| {
        for (table, column) in [
            ("pixform_record_details", "published"),
            ("pixform_objects", "published"),
            ("pixform_objects", "path"),
            ("pixform_records", "objects"),
        ] {
            coloured.project.execute(&format!("UPDATE {table} SET {column} = REPLACE({column}, '{from}', '{to}')"));
        }
    };
    let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    rename(&name(&lost), &name(&other));
    std::fs::remove_file(&lost).unwrap();
    let plan = coloured.project.ok(&["plan"]);
    assert!(plan.contains("was made by an earlier pixform") && plan.contains("1 to render"), "{plan}");
    coloured.apply(&[]).expect(0);
    assert!(lost.exists() && coloured.project.query("SELECT image_url FROM portraits") == [url]);
    assert!(coloured.project.ok(&["plan"]).contains("No changes."));
    assert_eq!(coloured.fake.charges().len(), 1);
}

#[test]
fn transparency_that_was_asked_for_and_is_not_there_is_told_once() {
    let manifest = portraits(2).replace("  steps: 20\n", "  steps: 20\n  enable_transparent_background: true\n");
    let paid = Paid::new(&manifest);
    let first = paid.apply(&[]).expect(0);
    assert_eq!(
        first.stderr.matches("transparency was asked for, and the picture has none").count(),
        1,
        "{}",
        first.stderr
    );
}

/// The picture claims 8192 x 8192 pixels of 16 bits and holds none: who decoded it would find it broken.
#[test]
fn a_picture_of_another_size_is_refused_by_its_header() {
    let mut claims = Vec::new();
    let mut encoder = png::Encoder::new(&mut claims, 8192, 8192);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[0x78, 0x01, 0x03, 0x00, 0, 0, 0, 1]).unwrap();
    drop(writer);
    let paid = Paid::new(&portraits(1));
    paid.fake.fault(OnDownload::File(claims));
    let first = paid.apply(&[]).expect(7);
    assert!(first.stderr.contains("the picture has 8192 x 8192 pixels, 128 x 128 were asked for"), "{}", first.stderr);
    // Whoever takes it all the same is told that nobody can.
    let taken = paid.apply(&["--accept-rejected"]).expect(7);
    let all = format!("{}{}", taken.stdout, taken.stderr);
    assert!(all.contains("it is kept as `originals/rejected/"), "{all}");
}

#[test]
fn a_picture_beyond_the_memory_is_kept_until_there_is_more() {
    let manifest = portraits(1).replace("  width: 128\n  height: 128\n", "  width: 2048\n  height: 2048\n");
    let paid = Paid::new(&manifest);
    paid.configure(&[], &[("limits", "{ memory: 64MiB }")]);
    let mut deep = Cursor::new(Vec::new());
    let large = image::ImageBuffer::<image::Rgba<u16>, _>::from_fn(2048, 2048, |x, y| {
        image::Rgba([x as u16 * 31, y as u16 * 31, 7, u16::MAX])
    });
    DynamicImage::from(large).write_to(&mut deep, ImageFormat::Png).unwrap();
    paid.fake.fault(OnDownload::File(deep.into_inner()));
    let first = paid.apply(&[]).expect(7);
    assert!(first.stderr.contains("`limits.memory` leaves 48 MiB for one picture"), "{}", first.stderr);
    assert_eq!(paid.statuses(BAKER), ["rejected"]);
    paid.configure(&[], &[]);
    paid.apply(&["--accept-rejected"]).expect(0);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (1, 1));
}
