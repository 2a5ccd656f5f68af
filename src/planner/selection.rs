//! Selections: `--only` and `--except`, by key glob or `label=value`.

use std::fmt;
use std::str::FromStr;

use crate::asset::{CollectionName, Labels};
use crate::glob::{GlobError, KeyGlob};

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

impl Pattern {
    fn matches(&self, collection: &CollectionName, key: &str, labels: &Labels) -> bool {
        match self {
            Self::Key(wanted, glob) => {
                wanted.as_deref().is_none_or(|wanted| wanted == collection.as_str()) && glob.matches(key)
            }
            Self::Label(name, value) => labels.get(name) == Some(value),
        }
    }
}

/// Which assets are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these; all where there is none.
    pub only: Vec<Pattern>,
    /// Not these.
    pub except: Vec<Pattern>,
}

impl Selection {
    /// Tells whether everything is meant.
    pub fn is_all(&self) -> bool {
        self.only.is_empty() && self.except.is_empty()
    }

    /// Tells whether an asset is meant.
    pub fn takes(&self, collection: &CollectionName, key: &str, labels: &Labels) -> bool {
        let matches = |pattern: &Pattern| pattern.matches(collection, key, labels);
        (self.only.is_empty() || self.only.iter().any(matches)) && !self.except.iter().any(matches)
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
            let parse = |patterns: Vec<&str>| patterns.iter().map(|text| text.parse().unwrap()).collect();
            let selection = Selection { only: parse(only.clone()), except: parse(except.clone()) };
            assert_eq!(selection.takes(&collection, "age/70+/anime", &labels), taken, "{only:?} {except:?}");
        }
        assert!("a b".parse::<Pattern>().is_err() && "=x".parse::<Pattern>().is_err());
    }
}
