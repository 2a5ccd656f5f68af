//! Blocks: an entry of `images` with the axes that it takes part in, and the combinations of their values.

use crate::asset::{AssetKey, Labels};

use super::axis::{Axis, AxisValue};
use super::layer::LayerId;

/// One entry of `images` with the shared axes it takes part in, ready to be counted through.
#[derive(Debug)]
pub struct Block {
    /// Where the entry stands.
    pub span: crate::yaml::Span,
    /// All its axes: its own first, then the shared ones; the last turns fastest.
    pub axes: Vec<Axis>,
    /// Numbers of the axes in the order in which their layers apply: those beyond the key, then the key axes.
    pub layering: Vec<u8>,
    /// Numbers of the key axes, in key order.
    pub key: Vec<u8>,
    /// What the entry itself sets.
    pub layer: LayerId,
}

/// One wanted image: a block, and which combination of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssetSlot {
    /// The block's number.
    pub block: u32,
    /// The combination's number: axis values in mixed radix, the last axis turning fastest.
    pub combination: u32,
}

impl Block {
    /// Returns the value that each axis has in a combination, into a buffer that is reused.
    pub fn values<'b>(&'b self, combination: u32, into: &mut Vec<&'b AxisValue>) {
        into.clear();
        let mut rest = combination as usize;
        for axis in self.axes.iter().rev() {
            into.push(&axis.values[rest % axis.values.len()]);
            rest /= axis.values.len();
        }
        into.reverse();
    }

    /// Returns the labels of a combination whose values were looked up.
    pub fn labels(&self, values: &[&AxisValue]) -> Labels {
        let all = self.axes.iter().zip(values);
        all.map(|(axis, value)| (axis.name.to_string(), value.text.to_string())).collect()
    }

    /// Returns the key of a combination whose values were looked up.
    pub fn key(&self, values: &[&AxisValue]) -> AssetKey {
        AssetKey::join(self.key.iter().map(|axis| &*values[usize::from(*axis)].text))
    }
}
