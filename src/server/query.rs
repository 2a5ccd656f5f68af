//! What a query asks for: labels, a page, a place to go on from.

use http::StatusCode;
use percent_encoding::percent_decode_str;

use crate::render::terminal;

use super::problem::Problem;
use super::snapshot::{Collection, ShownAsset};

/// Rows of one answer, unless fewer are asked for.
pub const LIMIT_MAX: usize = 1_000;
/// Conditions that one query may have.
const PAIRS_MAX: usize = 200;
/// Values of one label that one query may ask for.
pub const VALUES_MAX: usize = 50;
/// Names that are no labels in a query.
pub const PAGING: [&str; 3] = ["limit", "cursor", "page"];

/// Which assets are wanted: for each label the values that will do, nothing where all will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    wanted: Vec<Option<Vec<u32>>>,
}

/// A query, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Which assets.
    pub filter: Filter,
    /// Rows at most.
    pub limit: usize,
    /// The key after which to go on.
    pub cursor: Option<String>,
    /// The number of a page, from 1.
    pub page: usize,
}

/// Splits a query into names and values. A blank stands for `+` in values: no label has blanks, and `70+` is written so.
pub fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        (decoded(name), decoded(value).replace(' ', "+"))
    })
}

impl Query {
    /// Reads the query of a collection. An empty value stands for any, as forms send it.
    ///
    /// # Errors
    /// For a name that is no label, and for paging that makes no sense.
    pub fn parse(query: Option<&str>, collection: &Collection) -> Result<Self, Problem> {
        let mut wanted: Vec<Option<Vec<u32>>> = vec![None; collection.labels.len()];
        let mut asked = vec![0; collection.labels.len()];
        let (mut limit, mut cursor, mut page) = (LIMIT_MAX, None, 1);
        for (count, (name, value)) in pairs(query.unwrap_or_default()).enumerate() {
            if count >= PAIRS_MAX {
                let detail = format!("a query has at most {PAIRS_MAX} parts");
                return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail));
            }
            let label = collection.labels.iter().position(|(known, _)| *known == name);
            match (name.as_str(), label) {
                (_, Some(label)) => {
                    asked[label] += 1;
                    if asked[label] > VALUES_MAX {
                        let detail = format!("`{name}` is asked for with at most {VALUES_MAX} values");
                        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail));
                    }
                    // A value that nothing has fits nothing.
                    let number = collection.value(label, &value).unwrap_or(u32::MAX - 1);
                    wanted[label].get_or_insert_with(Vec::new).extend((!value.is_empty()).then_some(number));
                }
                ("limit", None) => limit = number(&name, &value, LIMIT_MAX)?,
                ("page", None) => page = number(&name, &value, usize::MAX)?,
                ("cursor", None) => cursor = Some(value),
                (_, None) => return Err(unknown_label(&name, collection)),
            }
        }
        let wanted = wanted.into_iter().map(|values| values.filter(|values| !values.is_empty())).collect();
        Ok(Self { filter: Filter { wanted }, limit, cursor, page })
    }
}

impl Filter {
    /// Tells whether an asset is wanted.
    pub fn takes(&self, shown: &ShownAsset<'_>) -> bool {
        self.wanted.iter().zip(shown.values).all(|(wanted, value)| match wanted {
            None => true,
            Some(values) => values.contains(value),
        })
    }

    /// Tells whether a value of a label is among those that were asked for.
    pub fn names(&self, label: usize, value: u32) -> bool {
        self.wanted[label].as_ref().is_some_and(|values| values.contains(&value))
    }

    /// Returns what is asked of all labels but one.
    pub fn without(&self, label: usize) -> Self {
        let mut others = self.clone();
        others.wanted[label] = None;
        others
    }

    /// Tells whether a label was asked for.
    pub fn has(&self, label: usize) -> bool {
        self.wanted[label].is_some()
    }
}

fn number(name: &str, value: &str, most: usize) -> Result<usize, Problem> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse::<usize>() {
        Ok(number) if digits && (1..=most).contains(&number) => Ok(number),
        _ => {
            let most = if most == usize::MAX { String::new() } else { format!(" to {most}") };
            let detail = format!("`{name}` is a number from 1{most}");
            Err(Problem::new(StatusCode::BAD_REQUEST, "bad-paging", detail))
        }
    }
}

fn unknown_label(name: &str, collection: &Collection) -> Problem {
    let shown: String = terminal(name).chars().take(60).collect();
    let detail = format!("`{}` has no label `{shown}`", collection.name);
    let labels = collection.labels.iter().map(|(label, _)| label.as_str());
    Problem::new(StatusCode::BAD_REQUEST, "unknown-label", detail).allowing(labels.chain(["limit", "cursor"]))
}
