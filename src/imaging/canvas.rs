//! A canvas of few colours: what placeholders are painted on.
//!
//! A pixel is one byte: an ink, which is a pair of colours, and how much of the upper colour covers the lower one. That
//! is all that flat shapes and text with soft edges need; it is painted and compressed three times as fast as true
//! colour, and a PNG with a palette holds it as it is.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::ImagingError;

/// Red, green, blue: `0xrrggbb`.
pub(super) type PackedColour = u32;

/// Most inks of a canvas: four bits.
pub(super) const INKS_MAX: usize = 16;
/// Full coverage: four bits.
const COVERAGE_MAX: u8 = 15;

/// A pair of colours, by its place in the list of inks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink(pub u8);

/// A rectangle, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

/// How text is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Face {
    pub weight: FontWeight,
    /// Height of a line, in pixels: 16, 24, 32, or a multiple of these.
    pub height: usize,
    /// Pixels between two letters, beside what the font has.
    pub tracking: usize,
}

/// The picture while it is painted.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Makes a canvas of a size that was checked; all of it is the lower colour of the first ink.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![0; width * height] }
    }

    /// Returns the whole canvas.
    pub fn area(&self) -> Area {
        Area { left: 0, top: 0, width: self.width, height: self.height }
    }

    /// Fills an area with a shape, where it lies on the canvas. The shape is told the centre of a pixel, in pixels from
    /// the area's corner, and says how far inside it lies; outside is negative.
    pub fn fill(&mut self, area: Area, under: Ink, turned_over: TurnedOver, inside: impl Fn(f32, f32) -> f32) {
        let bottom = (area.top + area.height).min(self.height);
        let right = (area.left + area.width).min(self.width);
        let flip = match turned_over {
            TurnedOver::No => 0,
            TurnedOver::Yes => COVERAGE_MAX,
        };
        for y in area.top..bottom {
            let row = &mut self.pixels[y * self.width + area.left..y * self.width + right];
            let from_top = (y - area.top) as f32 + 0.5;
            for (x, pixel) in row.iter_mut().enumerate() {
                let covered = (inside(x as f32 + 0.5, from_top) + 0.5).clamp(0.0, 1.0) * f32::from(COVERAGE_MAX);
                *pixel = under.0 << 4 | ((covered + 0.5) as u8 ^ flip);
            }
        }
    }

    /// Writes a line of text with its upper left corner there; the ground under it must be the ink's lower colour. What
    /// does not fit on the canvas is left out.
    pub fn write(&mut self, text: &str, left: usize, top: usize, face: Face, ink: Ink) {
        let mut left = left;
        for letter in text.chars() {
            self.letter(letter, left, top, face, ink);
            left += face.advance();
        }
    }

    fn letter(&mut self, letter: char, left: usize, top: usize, face: Face, ink: Ink) {
        let (raster, scale) = face.raster();
        let known = get_raster(letter, face.weight, raster).or_else(|| get_raster('?', face.weight, raster));
        let Some(glyph) = known else { return };
        for y in 0..(glyph.height() * scale).min(self.height.saturating_sub(top)) {
            for x in 0..(glyph.width() * scale).min(self.width.saturating_sub(left)) {
                let covered = if scale == 1 {
                    glyph.pixel(x, y).unwrap_or(0)
                } else {
                    enlarged(|x, y| glyph.pixel(x, y).unwrap_or(0), scale, x, y)
                };
                if covered >> 4 > 0 {
                    self.pixels[(top + y) * self.width + left + x] = ink.0 << 4 | covered >> 4;
                }
            }
        }
    }

    /// Makes sure that a picture of several pixels has several colours, however small it is.
    pub fn break_monotony(&mut self) {
        if let [first, .., last] = &mut self.pixels[..]
            && *first == *last
        {
            *last ^= COVERAGE_MAX;
        }
    }

    /// Writes the canvas as PNG, with a note in it.
    pub fn into_png(
        self,
        inks: &[(PackedColour, PackedColour)],
        note: (&str, String),
    ) -> Result<Vec<u8>, ImagingError> {
        let failed = |source: png::EncodingError| ImagingError::Encoding { format: "png", source: source.into() };
        let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(self.pixels.len() / 16 + 2048);
        let mut encoder = png::Encoder::new(&mut bytes, side(self.width), side(self.height));
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette(inks));
        encoder.set_compression(png::Compression::Fast);
        // What equals the row above becomes zero, and runs of zeros are what the fast compression can shorten.
        encoder.set_filter(png::Filter::Up);
        encoder.add_text_chunk(note.0.to_owned(), note.1).map_err(failed)?;
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}

/// Whether a shape's colours change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TurnedOver {
    /// The shape has the ink's upper colour.
    No,
    /// The shape has the ink's lower colour.
    Yes,
}

impl Face {
    /// Returns the pixels from one letter to the next.
    pub fn advance(self) -> usize {
        let (raster, scale) = self.raster();
        get_raster_width(self.weight, raster) * scale + self.tracking
    }

    /// Returns the pixels from one line to the next.
    pub fn line(self) -> usize {
        self.height + self.height / 8
    }

    /// Returns the largest letters of the font that the height is a multiple of, and which multiple.
    fn raster(self) -> (RasterHeight, usize) {
        let heights = [(RasterHeight::Size32, 32), (RasterHeight::Size24, 24), (RasterHeight::Size16, 16)];
        let whole = heights.into_iter().find(|(_, height)| self.height.is_multiple_of(*height));
        let (raster, height) = whole.unwrap_or((RasterHeight::Size16, 16));
        (raster, (self.height / height).max(1))
    }
}

/// Returns a pixel of an enlarged letter: between the four nearest pixels, and then sharpened, or large letters would
/// be blurred.
fn enlarged(pixel: impl Fn(usize, usize) -> u8, scale: usize, x: usize, y: usize) -> u8 {
    // Twice the distance from the first pixel's centre, so that all stays whole.
    let place = |at: usize| (2 * at + 1 + scale).checked_sub(2 * scale);
    let split = |at: usize| match place(at) {
        Some(place) => (Some(place / (2 * scale)), place / (2 * scale) + 1, place % (2 * scale)),
        None => (None, 0, 2 * at + 1 + scale),
    };
    let ((left, right, x), (above, below, y)) = (split(x), split(y));
    let at = |column: Option<usize>, row: Option<usize>| match (column, row) {
        (Some(column), Some(row)) => usize::from(pixel(column, row)),
        _ => 0,
    };
    let whole = 2 * scale;
    let upper = at(left, above) * (whole - x) + at(Some(right), above) * x;
    let lower = at(left, Some(below)) * (whole - x) + at(Some(right), Some(below)) * x;
    let mixed = ((upper * (whole - y) + lower * y) / (whole * whole)) as i64;
    ((mixed - 128) * scale as i64 * 3 / 4 + 128).clamp(0, 255) as u8
}

/// Mixes each ink's colours in all strengths.
fn palette(inks: &[(PackedColour, PackedColour)]) -> Vec<u8> {
    let most = u32::from(COVERAGE_MAX);
    let mut palette = Vec::with_capacity(INKS_MAX * 16 * 3);
    for (under, over) in inks.iter().take(INKS_MAX) {
        for covered in 0..=most {
            for shift in [16, 8, 0] {
                let (under, over) = (under >> shift & 0xff, over >> shift & 0xff);
                palette.push(((under * (most - covered) + over * covered + most / 2) / most) as u8);
            }
        }
    }
    palette
}
