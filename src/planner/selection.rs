//! Selections: `--only` and `--except`, by key glob or `label=value`.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use crate::asset::{CollectionName, Labels};
use crate::glob::{GlobError, GlobIndex, KeyGlob};

/// One pattern of a selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Keys, in one collection or in all.
    Key(Option<String>, KeyGlob),
    /// A label's value.
    Label(String, String),
}

impl FromStr for Pattern {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        if let Some((name, value)) = text.split_once('=') {
            return match crate::asset::is_identifier(name) && !value.is_empty() {
                true => Ok(Self::Label(name.to_owned(), value.to_owned())),
                false => Err(GlobError(text.to_owned())),
            };
        }
        match text.split_once(':') {
            Some((collection, glob)) => Ok(Self::Key(Some(collection.to_owned()), glob.parse()?)),
            None => Ok(Self::Key(None, text.parse()?)),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(Some(collection), glob) => write!(f, "{collection}:{glob}"),
            Self::Key(None, glob) => write!(f, "{glob}"),
            Self::Label(name, value) => write!(f, "{name}={value}"),
        }
    }
}

/// Patterns of which none has to be tried with every asset.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    all: Vec<Pattern>,
    /// The globs, and for each the number of its pattern.
    globs: (GlobIndex, Vec<u32>),
    /// The numbers of the patterns by label and value.
    labels: HashMap<(String, String), Vec<u32>>,
}

impl From<Vec<Pattern>> for Patterns {
    fn from(all: Vec<Pattern>) -> Self {
        let (mut globs, mut numbers) = (Vec::new(), Vec::new());
        let mut labels: HashMap<_, Vec<u32>> = HashMap::new();
        for (number, pattern) in (0_u32..).zip(&all) {
            match pattern {
                Pattern::Key(_, glob) => {
                    globs.push(glob);
                    numbers.push(number);
                }
                Pattern::Label(name, value) => labels.entry((name.clone(), value.clone())).or_default().push(number),
            }
        }
        let globs = (GlobIndex::new(globs), numbers);
        Self { all, globs, labels }
    }
}

impl PartialEq for Patterns {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl Eq for Patterns {}

impl Patterns {
    /// Returns them in the order in which they were given.
    pub fn iter(&self) -> std::slice::Iter<'_, Pattern> {
        self.all.iter()
    }

    /// Returns one by its number.
    pub fn at(&self, number: u32) -> &Pattern {
        &self.all[number as usize]
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Finds the numbers of the patterns that match an asset, into a buffer that is reused.
    pub fn find(&self, collection: &CollectionName, key: &str, labels: &Labels, into: &mut Vec<u32>) {
        let (globs, numbers) = &self.globs;
        globs.find(key, into);
        into.iter_mut().for_each(|found| *found = numbers[*found as usize]);
        into.retain(|number| match self.at(*number) {
            Pattern::Key(wanted, _) => wanted.as_deref().is_none_or(|wanted| wanted == collection.as_str()),
            Pattern::Label(..) => false,
        });
        if !self.labels.is_empty() {
            let label = |(name, value): (&String, &String)| self.labels.get(&(name.clone(), value.clone()));
            into.extend(labels.iter().filter_map(label).flatten());
        }
    }

    fn takes(&self, collection: &CollectionName, key: &str, labels: &Labels) -> bool {
        let mut found = Vec::new();
        self.find(collection, key, labels, &mut found);
        !found.is_empty()
    }
}

/// Which assets are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these; all where there is none.
    pub only: Patterns,
    /// Not these.
    pub except: Patterns,
}

impl Selection {
    /// Tells whether everything is meant.
    pub fn is_all(&self) -> bool {
        self.only.is_empty() && self.except.is_empty()
    }

    /// Tells whether an asset is meant.
    pub fn takes(&self, collection: &CollectionName, key: &str, labels: &Labels) -> bool {
        (self.only.is_empty() || self.only.takes(collection, key, labels))
            && !self.except.takes(collection, key, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_takes_globs_and_labels() {
        let labels = Labels::from([("style".to_owned(), "anime".to_owned())]);
        let collection: CollectionName = "portraits".parse().unwrap();
        for (only, except, taken) in [
            (vec![], vec![], true),
            (vec!["age/*/anime"], vec![], true),
            (vec!["style=anime"], vec![], true),
            (vec!["style=realistic"], vec![], false),
            (vec!["portraits:age/70+/anime"], vec![], true),
            (vec!["other:age/70+/anime"], vec![], false),
            (vec![], vec!["age/*/*"], false),
            (vec!["age/*/*"], vec!["style=anime"], false),
        ] {
            let parse = |patterns: Vec<&str>| {
                Patterns::from(patterns.iter().map(|text| text.parse().unwrap()).collect::<Vec<Pattern>>())
            };
            let selection = Selection { only: parse(only.clone()), except: parse(except.clone()) };
            assert_eq!(selection.takes(&collection, "age/70+/anime", &labels), taken, "{only:?} {except:?}");
        }
        assert!("a b".parse::<Pattern>().is_err() && "=x".parse::<Pattern>().is_err());
    }
}
