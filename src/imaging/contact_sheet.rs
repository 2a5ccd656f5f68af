//! Contact sheets: several pictures of each asset side by side, each with its number, to choose one of them.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::Facts;
use super::inspect::Decoded;
use super::pixels::{Channels, Pixels};
use super::{FileFormat, ImagingError};
use crate::asset::{Encoding, Fit, Format, Resize};

/// Longest side of a picture on a sheet, in pixels.
const SIDE: u32 = 256;
/// Pixels around each picture.
const GAP: u32 = 12;
/// Height of a line of text, in pixels.
const LINE: u32 = 24;
/// The paper, and the most that ink takes from it.
const PAPER: u8 = 250;
/// Quality of the sheet, as JPEG.
const QUALITY: u8 = 88;
/// Pictures side by side at most; more than can be told apart on a screen.
pub const SHEET_COLUMNS_MAX: usize = 64;

/// One asset's line on a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SheetRow {
    /// What stands above the pictures: printable Latin letters; others are shown as `?`.
    pub title: String,
    /// Each picture's caption, and its file as [`sheet_copy`] makes it; one that could not be made has none.
    pub pictures: Vec<(String, Option<Vec<u8>>)>,
}

/// Lays pictures out on a sheet, a line for each asset; returns a JPEG file.
///
/// # Errors
/// A picture cannot be decoded, or the sheet would be too large.
pub fn contact_sheet(rows: &[SheetRow]) -> Result<Vec<u8>, ImagingError> {
    let columns =
        rows.iter().map(|row| row.pictures.len()).max().unwrap_or_default().clamp(1, SHEET_COLUMNS_MAX) as u32;
    let row_height = LINE + SIDE + LINE + GAP;
    let (width, height) = (GAP + columns * (SIDE + GAP), GAP + rows.len() as u32 * row_height);
    super::header::check_size(width, height)?;
    let mut sheet = Sheet { width, bytes: vec![PAPER; width as usize * height as usize * 3] };
    for (number, row) in rows.iter().enumerate() {
        let top = GAP + number as u32 * row_height;
        sheet.write(&row.title, GAP, top, FontWeight::Bold, width - 2 * GAP);
        for (column, (caption, file)) in row.pictures.iter().take(columns as usize).enumerate() {
            let left = GAP + column as u32 * (SIDE + GAP);
            if let Some(file) = file {
                sheet.place(&Decoded::new(file)?.pixels, left, top + LINE);
            }
            sheet.write(caption, left, top + LINE + SIDE, FontWeight::Regular, SIDE);
        }
    }
    let pixels = Pixels { width, height, channels: Channels::Rgb, bytes: sheet.bytes };
    let facts = Facts { format: FileFormat::Png, width, height };
    let whole = Decoded { facts, pixels, remarks: Vec::new() };
    let encoding = Encoding { format: Format::Jpeg, quality: Some(QUALITY), resize: Resize::Keep };
    Ok(whole.encode(&encoding)?.bytes)
}

/// Makes a picture as large as it is on a sheet; returns a file.
///
/// # Errors
/// The result would be too large.
pub fn sheet_copy(picture: &Decoded) -> Result<Vec<u8>, ImagingError> {
    let resize = Resize::Box { width: SIDE, height: SIDE, fit: Fit::Contain };
    Ok(picture.encode(&Encoding { format: Format::Png, quality: None, resize })?.bytes)
}

struct Sheet {
    width: u32,
    bytes: Vec<u8>,
}

impl Sheet {
    /// Puts a picture there; what is transparent shows the paper.
    fn place(&mut self, picture: &Pixels, left: u32, top: u32) {
        let count = picture.channels.count();
        for (y, row) in picture.bytes.chunks_exact(picture.width as usize * count).enumerate() {
            for (x, pixel) in row.chunks_exact(count).enumerate() {
                let alpha = pixel.get(3).copied().unwrap_or(u8::MAX);
                let at = self.at(left + x as u32, top + y as u32);
                for (under, over) in self.bytes[at..at + 3].iter_mut().zip(pixel) {
                    *under = mix(*under, *over, alpha);
                }
            }
        }
    }

    /// Writes a line of text, as much of it as fits.
    fn write(&mut self, text: &str, left: u32, top: u32, weight: FontWeight, width_max: u32) {
        let advance = get_raster_width(weight, RasterHeight::Size16) as u32;
        let letters = text.chars().take((width_max / advance.max(1)) as usize);
        for (number, letter) in letters.enumerate() {
            let raster = |letter| get_raster(letter, weight, RasterHeight::Size16);
            let Some(glyph) = raster(letter).or_else(|| raster('?')) else { continue };
            for (y, x) in (0..glyph.height()).flat_map(|y| (0..glyph.width()).map(move |x| (y, x))) {
                let at = self.at(left + number as u32 * advance + x as u32, top + y as u32 + 2);
                for channel in &mut self.bytes[at..at + 3] {
                    *channel = mix(*channel, 0, glyph.pixel(x, y).unwrap_or_default());
                }
            }
        }
    }

    fn at(&self, x: u32, y: u32) -> usize {
        (y as usize * self.width as usize + x as usize) * 3
    }
}

/// Lays one colour over another.
fn mix(under: u8, over: u8, alpha: u8) -> u8 {
    let (under, over, alpha) = (u32::from(under), u32::from(over), u32::from(alpha));
    ((under * (255 - alpha) + over * alpha + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::Recipe;

    #[test]
    fn a_sheet_holds_every_picture_below_its_title() {
        let picture = super::super::paint(&Recipe::new("placeholder", "a prompt", 64, 96)).unwrap();
        let picture = sheet_copy(&Decoded::new(&picture).unwrap()).unwrap();
        let captions = ["take 1", "take 2", "take 3"];
        let pictures = captions.map(|caption| (caption.to_owned(), Some(picture.clone()))).to_vec();
        let missing = vec![("take 1".to_owned(), None)];
        let rows = [
            SheetRow { title: "age/70+/anime".to_owned(), pictures },
            SheetRow { title: "ß漢".to_owned(), pictures: missing },
        ];
        let sheet = Decoded::new(&contact_sheet(&rows).unwrap()).unwrap();
        let (width, height) = (GAP + 3 * (SIDE + GAP), GAP + 2 * (LINE + SIDE + LINE + GAP));
        assert_eq!((sheet.facts.width, sheet.facts.height), (width, height));
        let dark = |left: u32, top: u32, side: u32| {
            let inside = |x: &u32| (left..left + side).contains(x);
            let rows = sheet.pixels.bytes.chunks_exact(width as usize * 3).skip(top as usize).take(side as usize);
            let pixels = rows.flat_map(|row| row.chunks_exact(3).enumerate());
            pixels.filter(|(x, pixel)| inside(&(*x as u32)) && pixel[0] < 128).count()
        };
        for column in 0..3 {
            assert!(dark(GAP + column * (SIDE + GAP), GAP + LINE, 64) > 0, "picture {column} is there");
        }
        let second = GAP + LINE + SIDE + LINE + GAP;
        assert_eq!(dark(GAP, second + LINE + 2, 200), 0, "one that could not be made leaves its place empty");
        assert!(
            contact_sheet(&[SheetRow { title: String::new(), pictures: vec![(String::new(), Some(vec![1]))] }])
                .is_err()
        );
    }
}
