//! The abstract half of a placeholder: a mosaic of simple shapes in few colours that go together.
//!
//! Colours and shapes follow from a digest, so that a picture can be recognised among many and changes as a whole when
//! anything in its recipe does.

use super::canvas::{Area, Canvas, Ink, PackedColour, TurnedOver};

/// Colours that go together, a row for each of 24 hues: dark, deep, middle, soft, pale. Made in OKLCH, where equal
/// numbers look equally light: lightness .25 .43 .63 .80 .945, chroma .055 .115 .150 .095 .025 or what sRGB can show,
/// hue 10° + 15° a row, +8°, +16° and +40° for the lighter three.
const HUES: [[PackedColour; 5]; 24] = [
    [0x37151c, 0x822f41, 0xd45d66, 0xf5a69e, 0xfce8de],
    [0x381614, 0x83312e, 0xd4614a, 0xf3a98e, 0xf9eadc],
    [0x37170c, 0x823417, 0xd06829, 0xedae81, 0xf6ebdb],
    [0x351904, 0x7a3d02, 0xc47307, 0xe5b478, 0xf2eddb],
    [0x311c01, 0x704500, 0xb47d06, 0xd9ba75, 0xedefdc],
    [0x2d1f00, 0x664b02, 0xa48605, 0xcbc076, 0xe9f0de],
    [0x272201, 0x5b5001, 0x928e08, 0xbac67e, 0xe4f1e1],
    [0x212401, 0x4f5501, 0x799711, 0xa8cb8a, 0xe0f2e6],
    [0x192707, 0x3a5b01, 0x579e3c, 0x96cf99, 0xddf3ea],
    [0x0e2810, 0x1b5f23, 0x24a25b, 0x84d1aa, 0xdbf3ef],
    [0x012918, 0x015f3d, 0x0aa17a, 0x76d2bb, 0xdbf2f3],
    [0x002920, 0x005e4d, 0x019f8f, 0x6dd1cc, 0xdbf2f7],
    [0x002826, 0x045c59, 0x089ca0, 0x6ccfdc, 0xddf0fb],
    [0x02272b, 0x015b63, 0x029ab1, 0x72cce9, 0xe0effd],
    [0x012630, 0x04596d, 0x0596c3, 0x7fc8f3, 0xe3eefe],
    [0x002537, 0x01577a, 0x0b91dc, 0x90c2f9, 0xe8ecfe],
    [0x0a233b, 0x0c528c, 0x4b88e2, 0xa1bdfc, 0xeceafd],
    [0x14203c, 0x304c8e, 0x6c80e3, 0xb2b7fa, 0xf1e9fb],
    [0x1d1e3b, 0x45468d, 0x8677de, 0xc3b2f4, 0xf5e8f8],
    [0x241c39, 0x554087, 0x9c6fd3, 0xd1adeb, 0xf8e7f4],
    [0x2a1935, 0x633b7e, 0xae69c3, 0xdea9df, 0xfbe6ef],
    [0x2f1730, 0x6e3672, 0xbd63b0, 0xe8a6d0, 0xfde6ea],
    [0x33162a, 0x773263, 0xc85f99, 0xf0a4c0, 0xfde7e6],
    [0x351523, 0x7e3053, 0xd05d80, 0xf4a4af, 0xfde7e2],
];

/// How many colours the mosaic mixes.
const COLOURS: u8 = 5;
/// How many inks the mosaic uses: every pair of its colours.
pub(super) const MOSAIC_INKS: u8 = COLOURS * (COLOURS - 1) / 2;

/// The colours of one placeholder.
pub(super) struct Colours {
    /// The ground for text.
    pub dark: PackedColour,
    /// Clear on the dark ground.
    pub pale: PackedColour,
    /// Quieter on the dark ground.
    pub soft: PackedColour,
    /// Stands out.
    pub accent: PackedColour,
    mosaic: [PackedColour; COLOURS as usize],
}

impl Colours {
    /// Chooses the colours: one hue, and one accent from about the other side of the circle.
    pub fn choose(dice: &mut Dice) -> Self {
        let hue = dice.below(24) as usize;
        let [dark, deep, middle, soft, pale] = HUES[hue];
        let [_, _, _, accent, _] = HUES[(hue + 9 + dice.below(7) as usize) % 24];
        Self { dark, pale, soft, accent, mosaic: [deep, middle, soft, pale, accent] }
    }

    /// Returns the mosaic's inks: the pairs 0-1, 0-2, .. 3-4.
    pub fn inks(&self) -> impl Iterator<Item = (PackedColour, PackedColour)> {
        let pairs = (0..self.mosaic.len()).flat_map(|one| (one + 1..self.mosaic.len()).map(move |other| (one, other)));
        pairs.map(|(one, other)| (self.mosaic[one], self.mosaic[other]))
    }
}

/// Numbers that follow from a digest: SplitMix64.
pub(super) struct Dice(u64);

impl Dice {
    /// Starts from a digest.
    pub fn new(digest: &[u8; 32]) -> Self {
        let words = digest.chunks_exact(8).map(|word| word.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
        Self(words.fold(0, |sum: u64, word: u64| sum.rotate_left(17) ^ word))
    }

    /// Returns the next number below a bound of at most 255.
    pub fn below(&mut self, bound: u8) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % u64::from(bound.max(1))) as u8
    }
}

/// Fills an area with tiles; those at the right and the lower edge may be cut.
pub(super) fn lay(canvas: &mut Canvas, area: Area, tile: usize, dice: &mut Dice) {
    for top in (area.top..area.top + area.height).step_by(tile) {
        for left in (area.left..area.left + area.width).step_by(tile) {
            let width = tile.min(area.left + area.width - left);
            let height = tile.min(area.top + area.height - top);
            lay_tile(canvas, Area { left, top, width, height }, tile as f32, dice);
        }
    }
}

fn lay_tile(canvas: &mut Canvas, area: Area, side: f32, dice: &mut Dice) {
    let under = dice.below(COLOURS);
    let over = (under + 1 + dice.below(COLOURS - 1)) % COLOURS;
    let (shape, turn) = (dice.below(10), dice.below(8));
    let (ink, turned_over) =
        if under < over { (pair(under, over), TurnedOver::No) } else { (pair(over, under), TurnedOver::Yes) };
    let turned = |x: f32, y: f32| {
        let (x, y) = if turn & 1 == 0 { (x, y) } else { (side - x, y) };
        let (x, y) = if turn & 2 == 0 { (x, y) } else { (x, side - y) };
        if turn & 4 == 0 { (x, y) } else { (y, x) }
    };
    let distance = |x: f32, y: f32| (x * x + y * y).sqrt();
    let half = side / 2.0;
    let mut fill = |inside: &dyn Fn(f32, f32) -> f32| {
        canvas.fill(area, ink, turned_over, |x, y| {
            let (x, y) = turned(x, y);
            inside(x, y)
        });
    };
    match shape {
        // A quarter of a disc, and the same with rings.
        0 | 1 => fill(&|x, y| side - distance(x, y)),
        2 => fill(&|x, y| {
            let from_corner = distance(x, y);
            (side - from_corner).min(from_corner - side * 0.66).max(side * 0.33 - from_corner)
        }),
        // A disc, a ring, four dots.
        3 => fill(&|x, y| side * 0.36 - distance(x - half, y - half)),
        4 => fill(&|x, y| side * 0.11 - (side * 0.31 - distance(x - half, y - half)).abs()),
        5 => fill(&|x, y| {
            let fold = |at: f32| if at < half { at } else { at - half };
            side * 0.14 - distance(fold(x) - half / 2.0, fold(y) - half / 2.0)
        }),
        // Half a disc, a leaf, a triangle, bars.
        6 => fill(&|x, y| half - distance(x - half, y)),
        7 => fill(&|x, y| side - distance(x, y).max(distance(side - x, side - y))),
        8 => fill(&|x, y| (side - x - y) * 0.707),
        _ => fill(&|x, _| side / 8.0 - ((if x < half { x } else { x - half }) - side / 4.0).abs()),
    }
}

/// Returns the ink of two different colours, the smaller number first.
fn pair(one: u8, other: u8) -> Ink {
    let before: u8 = (0..one).map(|smaller| COLOURS - 1 - smaller).sum();
    Ink(before + other - one - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inks_place_in_the_list_is_its_number() {
        let colours = Colours { dark: 0, pale: 0, soft: 0, accent: 0, mosaic: [0, 1, 2, 3, 4] };
        for (place, (one, other)) in colours.inks().enumerate() {
            assert_eq!(usize::from(pair(one as u8, other as u8).0), place);
        }
        assert_eq!(colours.inks().count(), usize::from(MOSAIC_INKS));
    }

    #[test]
    fn every_hue_comes_up() {
        let mut dice = Dice::new(&[7; 32]);
        let accents: std::collections::BTreeSet<_> = (0..1_000).map(|_| Colours::choose(&mut dice).accent).collect();
        let grounds: std::collections::BTreeSet<_> = (0..1_000).map(|_| Colours::choose(&mut dice).dark).collect();
        assert_eq!((accents.len(), grounds.len()), (24, 24));
    }
}
