//! Light and colour apart, as video keeps them, brought to red, green and blue.
//!
//! Plain arithmetic without vector units or fused operations: the same on every machine.

/// How light and colour are mixed, by the code points of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Matrix {
    /// The planes are green, blue and red themselves.
    Identity,
    /// Two differences that need no multiplication.
    YCgCo,
    /// By how much red and blue weigh in the light.
    Weights {
        /// The weight of red.
        red: f32,
        /// The weight of blue.
        blue: f32,
    },
}

impl Matrix {
    /// Returns the matrix of a code point; that of television where nothing was said.
    pub fn of(code: u16) -> Option<Self> {
        let (red, blue) = match code {
            0 => return Some(Self::Identity),
            8 => return Some(Self::YCgCo),
            1 => (0.2126, 0.0722),
            2 | 5 | 6 => (0.299, 0.114),
            4 => (0.30, 0.11),
            7 => (0.212, 0.087),
            9 => (0.2627, 0.0593),
            _ => return None,
        };
        Some(Self::Weights { red, blue })
    }

    /// Mixes light and two differences.
    fn mix(self, light: f32, one: f32, other: f32) -> [f32; 3] {
        match self {
            Self::Identity => [other, light, one],
            Self::YCgCo => [light - one + other, light + one, light - one - other],
            Self::Weights { red, blue } => {
                let r = light + 2.0 * (1.0 - red) * other;
                let b = light + 2.0 * (1.0 - blue) * one;
                [r, (light - red * r - blue * b) / (1.0 - red - blue), b]
            }
        }
    }
}

/// Which numbers stand for black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// All of them.
    Full,
    /// Television's: 16 to 235 of 255, and what is in proportion.
    Limited,
}

/// How many pixels share a sample of colour, across and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Each has its own.
    One,
    /// Two beside each other.
    Across,
    /// Four in a square.
    Square,
}

/// One plane of samples, row by row, with gaps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Samples<'p> {
    /// The bytes; two a sample where it has more than eight bits.
    pub bytes: &'p [u8],
    /// Bytes of a row, its gap included.
    pub stride: usize,
    /// Samples of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Bits of a sample.
    pub bits: u8,
}

impl Samples<'_> {
    /// Returns a sample; beyond the edges the nearest one.
    fn at(&self, x: usize, y: usize) -> f32 {
        let (x, y) = (x.min(self.width.saturating_sub(1)), y.min(self.height.saturating_sub(1)));
        let sample = match self.bits {
            8 => self.bytes.get(y * self.stride + x).map(|&sample| u16::from(sample)),
            _ => {
                let at = y * self.stride + x * 2;
                self.bytes.get(at..at + 2).and_then(|pair| pair.first_chunk()).map(|pair| u16::from_ne_bytes(*pair))
            }
        };
        f32::from(sample.unwrap_or_default())
    }

    /// Returns a sample of light, 0 to 1.
    fn light(&self, x: usize, y: usize, range: Range) -> f32 {
        let step = f32::from(1_u16 << (self.bits - 8));
        match range {
            Range::Full => self.at(x, y) / (256.0 * step - 1.0),
            Range::Limited => (self.at(x, y) - 16.0 * step) / (219.0 * step),
        }
    }

    /// Returns the colour at a pixel, -0.5 to 0.5, between the samples around it.
    fn colour(&self, x: usize, y: usize, sharing: Sharing, range: Range) -> f32 {
        let sample = match sharing {
            Sharing::One => self.at(x, y),
            Sharing::Across => {
                let (near, far) = neighbours(x);
                0.75 * self.at(near, y) + 0.25 * self.at(far, y)
            }
            Sharing::Square => {
                let ((near, far), (here, there)) = (neighbours(x), neighbours(y));
                let row = |y: usize| 0.75 * self.at(near, y) + 0.25 * self.at(far, y);
                0.75 * row(here) + 0.25 * row(there)
            }
        };
        let step = f32::from(1_u16 << (self.bits - 8));
        match range {
            Range::Full => (sample - 128.0 * step) / (256.0 * step - 1.0),
            Range::Limited => (sample - 128.0 * step) / (224.0 * step),
        }
    }
}

/// Returns the shared sample of a pixel, and the one on its other side.
fn neighbours(at: usize) -> (usize, usize) {
    let near = at / 2;
    (near, if at.is_multiple_of(2) { near.saturating_sub(1) } else { near + 1 })
}

/// The planes of one frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planes<'p> {
    /// Light.
    pub light: Samples<'p>,
    /// The two differences; a gray picture has none.
    pub colours: Option<(Samples<'p>, Samples<'p>, Sharing)>,
}

/// Red, green, blue and alpha of 16 bits, row by row.
#[derive(Debug)]
pub(super) struct YuvCanvas {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u16>,
}

impl YuvCanvas {
    /// Makes one that is black and opaque.
    pub fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, height, pixels: [0, 0, 0, u16::MAX].repeat(width * height) }
    }

    /// Paints a frame, its corner there; what stands out is cut off.
    pub fn paint(&mut self, planes: &Planes<'_>, (left, top): (usize, usize), matrix: Matrix, range: Range) {
        let Planes { light, colours } = planes;
        for y in 0..light.height.min(self.height.saturating_sub(top)) {
            for x in 0..light.width.min(self.width.saturating_sub(left)) {
                let bright = light.light(x, y, range);
                let mixed = match (colours, matrix) {
                    (None, _) => [bright; 3],
                    (Some((one, other, _)), Matrix::Identity) => {
                        matrix.mix(bright, one.light(x, y, range), other.light(x, y, range))
                    }
                    (Some((one, other, sharing)), _) => {
                        let colour = |plane: &Samples<'_>| plane.colour(x, y, *sharing, range);
                        matrix.mix(bright, colour(one), colour(other))
                    }
                };
                let at = ((top + y) * self.width + left + x) * 4;
                for (channel, value) in self.pixels[at..at + 3].iter_mut().zip(mixed) {
                    *channel = sixteen_bits(value);
                }
            }
        }
    }

    /// Takes the light of a frame for the transparency.
    pub fn mask(&mut self, light: &Samples<'_>, range: Range) {
        for y in 0..light.height.min(self.height) {
            for x in 0..light.width.min(self.width) {
                self.pixels[(y * self.width + x) * 4 + 3] = sixteen_bits(light.light(x, y, range));
            }
        }
    }

    /// Takes the transparency out of colours that were multiplied by it.
    pub fn divide(&mut self) {
        for pixel in self.pixels.chunks_exact_mut(4) {
            let alpha = u32::from(pixel[3]);
            for channel in &mut pixel[..3] {
                let divided = (u32::from(*channel) * 65_535 + alpha / 2).checked_div(alpha).unwrap_or_default();
                *channel = u16::try_from(divided).unwrap_or(u16::MAX);
            }
        }
    }
}

/// Rounds a number from 0 to 1; what is beyond is cut off.
fn sixteen_bits(value: f32) -> u16 {
    (value * 65_535.0 + 0.5).clamp(0.0, 65_535.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(bytes: &[u8], width: usize) -> Samples<'_> {
        Samples { bytes, stride: width, width, height: bytes.len() / width, bits: 8 }
    }

    fn painted(light: &[u8], one: &[u8], other: &[u8], (matrix, range): (u16, Range)) -> Vec<u16> {
        let mut canvas = YuvCanvas::new(light.len() as u32, 1);
        let colours = Some((plane(one, one.len()), plane(other, other.len()), Sharing::One));
        let planes = Planes { light: plane(light, light.len()), colours };
        canvas.paint(&planes, (0, 0), Matrix::of(matrix).unwrap(), range);
        canvas
            .pixels
            .chunks(4)
            .flat_map(|pixel| pixel[..3].iter().map(|channel| ((u32::from(*channel) + 128) / 257) as u16))
            .collect()
    }

    #[test]
    fn light_and_colour_become_the_colours_that_they_were_made_of() {
        // Red of full strength, as ITU-R BT.601 codes it in both ranges, and BT.709 in the full one.
        for (matrix, range, [light, one, other]) in
            [(6, Range::Full, [76, 85, 255]), (6, Range::Limited, [81, 90, 240]), (1, Range::Full, [54, 99, 255])]
        {
            let [r, g, b] = painted(&[light], &[one], &[other], (matrix, range))[..] else { panic!() };
            assert!(r >= 253 && g <= 2 && b <= 2, "{matrix} {range:?}: {r} {g} {b}");
        }
        assert_eq!(painted(&[0, 255], &[128, 128], &[128, 128], (1, Range::Full)), [0, 0, 0, 255, 255, 255]);
        assert_eq!(painted(&[16, 235], &[128, 128], &[128, 128], (9, Range::Limited)), [0, 0, 0, 255, 255, 255]);
        assert_eq!(painted(&[10], &[20], &[30], (0, Range::Full)), [30, 10, 20], "green, blue and red as they are");
        assert_eq!(Matrix::of(77), None);
    }

    #[test]
    fn a_shared_colour_runs_softly_into_the_next() {
        let plane = plane(&[0, 100, 200], 3);
        let at = |x| plane.colour(x, 0, Sharing::Across, Range::Full) * 255.0 + 128.0;
        let found: Vec<i32> = (0..6).map(|x| at(x).round() as i32).collect();
        assert_eq!(found, [0, 25, 75, 125, 175, 200]);
    }

    #[test]
    fn multiplied_colours_are_divided() {
        let mut canvas = YuvCanvas { width: 2, height: 1, pixels: vec![100, 200, 300, 32_768, 9, 9, 9, 0] };
        canvas.divide();
        assert_eq!(canvas.pixels, [200, 400, 600, 32_768, 0, 0, 0, 0]);
    }
}
