//! Keys as entries of `images`: a matrix where every combination is there, else one entry each.

use super::SketchRow;
use super::yaml::plain_or_quoted;

/// Returns the entries for all rows; their keys are unique.
pub(super) fn images(key: &[String], rows: &[SketchRow]) -> String {
    let keys: Vec<&[String]> = rows.iter().map(|row| row.labels.as_slice()).collect();
    if let Some(matrix) = matrix(key, &keys) {
        return matrix;
    }
    let mut text = String::new();
    for value in distinct(&keys, 0) {
        let group: Vec<&[String]> = keys.iter().copied().filter(|labels| labels[0] == value).collect();
        match matrix(key, &group) {
            Some(matrix) => text.push_str(&matrix),
            None => group.iter().for_each(|labels| text.push_str(&one(key, labels))),
        }
    }
    text
}

/// Returns a matrix of these keys; `None` where a combination is missing.
fn matrix(key: &[String], keys: &[&[String]]) -> Option<String> {
    if let [labels] = keys {
        return Some(one(key, labels));
    }
    let values: Vec<Vec<&str>> = (0..key.len()).map(|axis| distinct(keys, axis)).collect();
    let count = values.iter().try_fold(1_usize, |count, values| count.checked_mul(values.len()))?;
    if count != keys.len() {
        return None;
    }
    let mut text = "  - matrix:\n".to_owned();
    for (name, values) in key.iter().zip(values) {
        let values: Vec<String> = values.into_iter().map(plain_or_quoted).collect();
        match values.as_slice() {
            [value] => text.push_str(&format!("      {name}: {value}\n")),
            values => text.push_str(&format!("      {name}: [{}]\n", values.join(", "))),
        }
    }
    Some(text)
}

fn one(key: &[String], labels: &[String]) -> String {
    let pairs: Vec<String> =
        key.iter().zip(labels).map(|(name, value)| format!("{name}: {}", plain_or_quoted(value))).collect();
    format!("  - at: {{ {} }}\n", pairs.join(", "))
}

/// Returns the values of an axis, each once, in order of appearance.
fn distinct<'k>(keys: &[&'k [String]], axis: usize) -> Vec<&'k str> {
    let mut seen = std::collections::HashSet::new();
    keys.iter().map(|labels| labels[axis].as_str()).filter(|value| seen.insert(*value)).collect()
}
