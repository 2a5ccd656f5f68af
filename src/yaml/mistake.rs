//! Mistakes, with their place and the way out; all of a file at once.

use std::fmt;
use std::sync::Arc;

use super::{LineIndex, Span};

/// How many mistakes of one file are shown; more would scroll the first ones away.
pub const MISTAKES_SHOWN_MAX: usize = 50;

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub span: Span,
    /// What is wrong, in lower case, without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Collects mistakes; the same one at the same place counts once, however many assets share it and whichever of them the
/// help names.
#[derive(Debug, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Adds a mistake.
    pub fn add(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let message = message.into();
        let known = |known: &Mistake| known.span == span && known.message == message;
        if !self.is_full() && !self.0.iter().any(known) {
            self.0.push(Mistake { span, message, help: help.into() });
        }
    }

    /// Tells whether there are so many that no more are kept, and looking for more is a waste of time.
    pub fn is_full(&self) -> bool {
        self.0.len() >= 10 * MISTAKES_SHOWN_MAX
    }

    /// Tells whether something is wrong already with what begins here.
    pub fn begin_at(&self, start: u32) -> bool {
        self.0.iter().any(|known| known.span.start == start)
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells whether something is wrong at this place already.
    pub fn has(&self, span: Span) -> bool {
        self.0.iter().any(|known| known.span == span)
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns all of them, in the order in which they were found.
    pub fn into_vec(self) -> Vec<Mistake> {
        self.0
    }

    /// Takes over all of another collection.
    pub fn extend(&mut self, others: Mistakes) {
        for Mistake { span, message, help } in others.0 {
            self.add(span, message, help);
        }
    }

    /// Makes the error, or hands back the value where nothing is wrong.
    ///
    /// # Errors
    /// With all mistakes, in the order of their places.
    pub fn or<T>(mut self, value: T, file: &Arc<str>, source: &Arc<str>) -> Result<T, ManifestError> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.iter_mut().for_each(|mistake| mistake.span = whole_letters(mistake.span, source));
        self.0.sort_by_key(|mistake| mistake.span);
        Err(ManifestError { file: Arc::clone(file), source_text: Arc::clone(source), mistakes: self.0 })
    }
}

/// Widens a span to whole letters: most that is missing somewhere is told of at the first byte of what stands there, and
/// that may be one of several.
fn whole_letters(span: Span, source: &str) -> Span {
    let Span { mut start, mut end } = span;
    while start > 0 && !source.is_char_boundary(start as usize) {
        start -= 1;
    }
    while (end as usize) < source.len() && !source.is_char_boundary(end as usize) {
        end += 1;
    }
    Span { start, end }
}

/// A file of ours (a manifest, or `pixform.yaml`) that cannot be used, with everything that is wrong in it.
#[derive(Debug, Clone)]
pub struct ManifestError {
    /// The file as the user named it.
    pub file: Arc<str>,
    /// The file's text.
    pub source_text: Arc<str>,
    /// What is wrong; never empty, in the order of the places.
    pub mistakes: Vec<Mistake>,
}

impl ManifestError {
    /// Makes the error of one mistake.
    pub fn one(file: &Arc<str>, source: &Arc<str>, span: Span, message: &str, help: &str) -> Self {
        let span = whole_letters(span, source);
        let mistake = Mistake { span, message: message.to_owned(), help: help.to_owned() };
        Self { file: Arc::clone(file), source_text: Arc::clone(source), mistakes: vec![mistake] }
    }

    /// Returns line and column of each mistake, with it.
    pub fn located(&self) -> impl Iterator<Item = (u32, u32, &Mistake)> {
        let lines = LineIndex::of(&self.source_text);
        self.mistakes.iter().map(move |mistake| {
            let (line, column) = lines.locate(&self.source_text, mistake.span.start);
            (line, column, mistake)
        })
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mistakes.len() {
            1 => write!(f, "1 mistake in {}", self.file),
            count => write!(f, "{count} mistakes in {}", self.file),
        }
    }
}

impl std::error::Error for ManifestError {}

/// Returns the known word that was probably meant, if one is near.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let folded = word.to_lowercase();
    let letters = word.chars().count();
    let bound = (letters / 3).clamp(1, 3);
    known
        .into_iter()
        // Words of other lengths are further away than that; there may be thousands of them.
        .filter(|candidate| candidate.chars().count().abs_diff(letters) <= bound)
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("smapler", ["sampler", "steps"]), Some("sampler"));
        assert_eq!(nearest("DPM++ 2m karras", ["DPM++ 2M Karras", "DDIM"]), Some("DPM++ 2M Karras"));
        assert_eq!(nearest("colour", ["sampler", "steps"]), None);
        assert_eq!(nearest("as", ["at", "vars"]), Some("at"));
    }

    #[test]
    fn a_mistake_stands_at_whole_letters() {
        let source: Arc<str> = "- ä: 1".into();
        let mut mistakes = Mistakes::default();
        mistakes.add(Span { start: 2, end: 3 }, "a", "b");
        let error = mistakes.or((), &"m.yaml".into(), &source).unwrap_err();
        assert_eq!(error.mistakes[0].span, Span { start: 2, end: 4 });
        assert_eq!(
            ManifestError::one(&"m.yaml".into(), &source, Span { start: 3, end: 3 }, "a", "b").mistakes[0].span.start,
            2
        );
    }
}
