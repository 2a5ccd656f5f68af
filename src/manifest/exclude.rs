//! Exclusions: the combinations of a matrix that are left out.
//!
//! There may be as many lines as combinations, so a combination is not held against each line: every line is found by the
//! values of one label, that of its labels whose values the fewest other lines name.

use std::collections::{HashMap, HashSet};

use crate::yaml::{Mistakes, Span};

use super::axis::AxisValue;
use super::hints::{undefined_help, value_help};
use super::image::Exclusion;

use super::block::Block;

/// A line with its labels looked up: the axis of each, and the values that will do.
struct Line<'e> {
    span: Span,
    axes: Vec<(usize, HashSet<&'e str>)>,
}

/// Lines by the values that they are found by.
struct Lines<'e> {
    lines: Vec<Line<'e>>,
    by_value: HashMap<(usize, &'e str), Vec<usize>>,
}

/// Drops the combinations that an exclusion names; one that drops nothing is a mistake.
pub fn leave_out(
    block: &Block,
    combinations: std::ops::Range<u32>,
    exclude: &[Exclusion],
    mistakes: &mut Mistakes,
) -> Vec<u32> {
    let mistakes_before = mistakes.len();
    let lines = Lines::new(look_up(block, exclude, mistakes));
    let all_known = mistakes.len() == mistakes_before;
    let mut used = vec![false; lines.lines.len()];
    let (mut values, mut kept) = (Vec::new(), Vec::new());
    for combination in combinations {
        block.values(combination, &mut values);
        let mut out = false;
        lines.matching(&values, |line| {
            used[line] = true;
            out = true;
        });
        if !out {
            kept.push(combination);
        }
    }
    for (line, used) in lines.lines.iter().zip(used) {
        if !used && all_known {
            let message = match line.axes.is_empty() {
                true => "this excludes nothing: it names no label",
                false => "this excludes nothing",
            };
            mistakes.add(line.span, message, "remove it, or name labels and values of this matrix");
        }
    }
    kept
}

/// Finds the axes of all lines; a label or value that the matrix does not have is a mistake.
fn look_up<'e>(block: &Block, exclude: &'e [Exclusion], mistakes: &mut Mistakes) -> Vec<Line<'e>> {
    let known: Vec<HashSet<&str>> =
        block.axes.iter().map(|axis| axis.values.iter().map(|value| &*value.text).collect()).collect();
    let line = |line: &'e Exclusion| {
        let mut axes = Vec::new();
        for (name, values) in &line.value {
            let Some(axis) = block.axes.iter().position(|axis| *axis.name == *name.value) else {
                let help = undefined_help(&name.value, block.axes.iter().map(|axis| &*axis.name));
                mistakes.add(name.span, format!("this matrix has no label `{}`", name.value), help);
                continue;
            };
            for value in values.iter().filter(|value| !known[axis].contains(&*value.value)) {
                // The nearest of thousands of values takes its time, and nobody would read it.
                if mistakes.is_full() {
                    break;
                }
                let help = value_help(&value.value, block.axes[axis].values.iter().map(|known| &*known.text));
                mistakes.add(value.span, format!("`{}` has no value `{}`", name.value, value.value), help);
            }
            axes.push((axis, values.iter().map(|value| value.value.as_str()).collect()));
        }
        Line { span: line.span, axes }
    };
    exclude.iter().map(line).collect()
}

impl<'e> Lines<'e> {
    fn new(lines: Vec<Line<'e>>) -> Self {
        let mut shared: HashMap<(usize, &str), usize> = HashMap::new();
        for (axis, values) in lines.iter().flat_map(|line| &line.axes) {
            values.iter().for_each(|value| *shared.entry((*axis, value)).or_default() += 1);
        }
        let mut by_value: HashMap<(usize, &str), Vec<usize>> = HashMap::new();
        for (number, line) in lines.iter().enumerate() {
            let others = |(axis, values): &&(usize, HashSet<&'e str>)| {
                values.iter().map(|value| shared[&(*axis, *value)]).max().unwrap_or_default()
            };
            let Some((axis, values)) = line.axes.iter().min_by_key(others) else { continue };
            values.iter().for_each(|value| by_value.entry((*axis, *value)).or_default().push(number));
        }
        Self { lines, by_value }
    }

    /// Tells which lines leave a combination out.
    fn matching(&self, combination: &[&AxisValue], mut take: impl FnMut(usize)) {
        self.candidates(combination, |number| {
            let takes = |(axis, names): &(usize, HashSet<&str>)| names.contains(&*combination[*axis].text);
            if self.lines[number].axes.iter().all(takes) {
                take(number);
            }
        });
    }

    /// Names the lines that may leave it out, each once.
    fn candidates(&self, combination: &[&AxisValue], mut take: impl FnMut(usize)) {
        for (axis, value) in combination.iter().enumerate() {
            self.by_value.get(&(axis, &*value.text)).into_iter().flatten().for_each(|number| take(*number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts are the bound, not time: it holds on any machine.
    #[test]
    fn as_many_lines_as_combinations_are_hardly_tried_at_all() {
        const COUNT: usize = 8_000;
        let texts: Vec<String> = (0..COUNT).map(|number| format!("v{number}")).collect();
        let value = |text: &str| AxisValue { text: text.into(), span: Span::default(), layer: 0 };
        let style = value("anime");
        let names = |text| HashSet::from([text]);
        let line = |text| Line { span: Span::default(), axes: vec![(1, names("anime")), (0, names(text))] };
        let lines = Lines::new(texts.iter().map(|text| line(text.as_str())).collect());
        let (mut tried, mut left_out) = (0, 0);
        for text in &texts {
            let value = value(text);
            lines.candidates(&[&value, &style], |_| tried += 1);
            lines.matching(&[&value, &style], |_| left_out += 1);
        }
        assert_eq!((tried, left_out), (COUNT, COUNT));
    }
}
