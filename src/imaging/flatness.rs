//! Flatness: whether a picture shows nothing, which is what a service sends that failed without saying so.
//!
//! Nearly flat is flat: an encoder's noise, or a single pixel, is no picture. What stands out must do so by more than a
//! hair and in more places than a speck has, so that stars in a night sky, or a white product on white, still count.

use super::pixels::Pixels;

/// How far a pixel may be from the middle one, of 255 in each channel, and still show nothing.
const HAIR: u8 = 2;
/// Of how many pixels one may stand out, beside the first.
const SPECK_ONE_OF: usize = 65_536;
/// Pictures with fewer pixels than this are flat only where none stands out: an icon may be two dots.
const PIXELS_MIN: usize = 64;

/// Tells whether a picture is one flat colour, or is transparent everywhere; a single pixel never is.
pub(super) fn is_flat(pixels: &Pixels) -> bool {
    let count = pixels.channels.count();
    let all = || pixels.bytes.chunks_exact(count).map(seen);
    let total = all().len();
    if total <= 1 {
        return false;
    }
    let middle = middle(all(), total);
    let stands_out = |pixel: &[u8; 4]| pixel.iter().zip(&middle).any(|(one, other)| one.abs_diff(*other) > HAIR);
    let allowed = if total < PIXELS_MIN { 0 } else { 1 + total / SPECK_ONE_OF };
    all().filter(stands_out).nth(allowed).is_none()
}

/// Returns what is seen of a pixel: nobody sees the colour of one that is transparent.
fn seen(pixel: &[u8]) -> [u8; 4] {
    match *pixel {
        [r, g, b] => [r, g, b, u8::MAX],
        [r, g, b, alpha] => {
            let over = |channel: u8| (u16::from(channel) * u16::from(alpha) / 255) as u8;
            [over(r), over(g), over(b), alpha]
        }
        _ => [0; 4],
    }
}

/// Returns the median of each channel: what single pixels do not move.
fn middle(pixels: impl Iterator<Item = [u8; 4]>, total: usize) -> [u8; 4] {
    let mut counts = [[0_usize; 256]; 4];
    for pixel in pixels {
        for (count, channel) in counts.iter_mut().zip(pixel) {
            count[usize::from(channel)] += 1;
        }
    }
    counts.map(|count| {
        let mut below = 0;
        let at = count.iter().position(|pixels| {
            below += pixels;
            below * 2 >= total
        });
        at.unwrap_or_default() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::super::pixels::Channels;
    use super::*;

    fn check(width: u32, height: u32, flat: bool, words: &str, paint: impl Fn(u32, u32) -> [u8; 4]) {
        let all: Vec<[u8; 4]> =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| paint(x, y)).collect();
        let clear = all.iter().any(|pixel| pixel[3] != 255);
        let (channels, count) = if clear { (Channels::Rgba, 4) } else { (Channels::Rgb, 3) };
        let bytes = all.iter().flat_map(|pixel| pixel[..count].iter().copied()).collect();
        assert_eq!(is_flat(&Pixels { width, height, channels, bytes }), flat, "{words}");
    }

    /// A number that looks like chance, from a place.
    fn chance(x: u32, y: u32) -> u32 {
        let mixed = (x.wrapping_mul(0x9e37_79b9) ^ y.wrapping_mul(0x85eb_ca6b)).wrapping_mul(0xc2b2_ae35);
        mixed >> 8
    }

    #[test]
    fn what_shows_nothing_is_flat() {
        let gray = |level: u8| [level, level, level, 255];
        check(64, 64, true, "one colour", |_, _| [12, 200, 7, 255]);
        check(512, 768, true, "black with one gray pixel", |x, y| gray(if (x, y) == (100, 300) { 128 } else { 0 }));
        check(128, 128, true, "black with one white pixel", |x, y| gray(if (x, y) == (1, 2) { 255 } else { 0 }));
        check(128, 128, true, "noise of one level", |x, y| gray(127 + (chance(x, y) % 2) as u8));
        check(128, 128, true, "noise of one level up and down", |x, y| gray(127 + (chance(x, y) % 3) as u8));
        check(64, 64, true, "transparent", |_, _| [0, 0, 0, 0]);
        check(64, 64, true, "transparent over colours", |x, y| [x as u8 * 4, y as u8 * 4, 9, 0]);
        check(5, 5, true, "small, of a hair", |x, y| gray(if (x, y) == (4, 4) { 9 } else { 8 }));
        check(2, 1, true, "two equal pixels", |_, _| gray(9));
    }

    #[test]
    fn what_shows_little_is_a_picture() {
        let gray = |level: u8| [level, level, level, 255];
        check(512, 768, false, "a night with stars", |x, y| {
            gray(if chance(x, y).is_multiple_of(9_000) { 220 } else { 0 })
        });
        check(128, 128, false, "a small night with stars", |x, y| {
            gray(if chance(x, y).is_multiple_of(1_000) { 90 } else { 2 })
        });
        check(512, 512, false, "white on white", |x, y| {
            let inside = (200..300).contains(&x) && (200..300).contains(&y);
            gray(if inside { 250 } else { 255 })
        });
        check(256, 256, false, "a thin line", |x, y| gray(if x == y { 0 } else { 255 }));
        check(256, 256, false, "a soft gradient", |x, _| gray(120 + (x / 25) as u8));
        check(64, 64, false, "a shape cut out of one colour", |x, _| [9, 9, 9, if x < 32 { 255 } else { 0 }]);
        check(2, 1, false, "two dots", |x, _| gray(x as u8 * 200));
        check(1, 1, false, "one pixel", |_, _| gray(7));
    }
}
