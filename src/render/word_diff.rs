//! The words that differ between two texts: `aged seventy-eight, [-thin-] {+thick+} white hair`.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};

use super::quantities;
use super::text_style::{ColourMode, ListLength, PlanStyle, Tone};
use super::visible_text::terminal;

/// How many unchanged words are shown on each side of a change.
const CONTEXT_WORDS: usize = 8;
/// How many words of one change are shown in a short listing.
const CHANGED_WORDS_MAX: usize = 40;
/// From how many tokens on two texts are no longer compared word by word; comparing can take this squared.
const TOKENS_MAX: usize = 4_000;

/// A stretch of both texts, in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
struct DiffPiece {
    differs: bool,
    old: Range<usize>,
    new: Range<usize>,
}

/// A stretch of the new text, or of what went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// What became of it.
    pub fate: WordChange,
    /// The text; escaped for no medium yet.
    pub text: String,
}

/// What becomes of words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WordChange {
    /// They stay.
    Stays,
    /// They go.
    Goes,
    /// They come.
    Comes,
}

/// Returns one line with the words that went and the words that came, and a few words around them.
pub(super) fn difference(old: &str, new: &str, style: PlanStyle) -> String {
    let PlanStyle { colour, listing } = style;
    let marked = |Words { fate, text }: Words| {
        let safe = terminal(&text);
        match (fate, colour) {
            (WordChange::Stays, _) => safe.into_owned(),
            (WordChange::Goes, ColourMode::Plain) => format!("[-{safe}-]"),
            (WordChange::Comes, ColourMode::Plain) => format!("{{+{safe}+}}"),
            (WordChange::Goes, ColourMode::Ansi) => colour.paint(Tone::Old, &safe),
            (WordChange::Comes, ColourMode::Ansi) => colour.paint(Tone::New, &safe),
        }
    };
    words(old, new, listing).into_iter().map(marked).collect()
}

/// Returns the words that went and the words that came in their order, with a few words around them.
pub(super) fn words(old: &str, new: &str, listing: ListLength) -> Vec<Words> {
    let (old, new) = (tokens(old), tokens(new));
    let pieces = pieces(&old, &new);
    let mut words = Vec::new();
    let last = pieces.len().saturating_sub(1);
    for (at, piece) in pieces.iter().enumerate() {
        if piece.differs {
            push_change(&mut words, &old[piece.old.clone()].concat(), &new[piece.new.clone()].concat(), listing);
        } else {
            let (head, tail) = (if at == 0 { 0 } else { CONTEXT_WORDS }, if at == last { 0 } else { CONTEXT_WORDS });
            push_words(&mut words, WordChange::Stays, context(&new[piece.new.clone()], head, tail));
        }
    }
    words
}

/// Cuts a text into words, runs of white space, and everything else one by one.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match () {
            () if first.is_whitespace() => rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len()),
            () if is_word(first) => word_end(rest),
            () => first.len_utf8(),
        };
        tokens.push(&rest[..end]);
        rest = &rest[end..];
    }
    tokens
}

/// Tells whether a character makes words with its neighbours; where words are not parted by spaces, each is one.
fn is_word(character: char) -> bool {
    let parted = u32::from(character) < 0x2e80;
    if character.is_ascii() { character.is_ascii_alphanumeric() } else { parted && !character.is_whitespace() }
}

/// Returns where the first word ends; `-`, `.`, `'` and `_` belong to it between letters.
fn word_end(text: &str) -> usize {
    let mut end = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let joins = matches!(character, '-' | '.' | '\'' | '_');
        let inside = joins && characters.peek().is_some_and(|(_, next)| is_word(*next));
        if !is_word(character) && !inside {
            break;
        }
        end = at + character.len_utf8();
    }
    end
}

fn is_space(token: &str) -> bool {
    token.starts_with(char::is_whitespace)
}

fn starts_word(token: &str) -> bool {
    token.starts_with(|first: char| is_word(first) || u32::from(first) >= 0x2e80)
}

fn pieces(old: &[&str], new: &[&str]) -> Vec<DiffPiece> {
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let tails = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = tails.take_while(|(old, new)| old == new).count();
    let (old_middle, new_middle) = (head..old.len() - tail, head..new.len() - tail);
    let whole = DiffPiece { differs: true, old: old_middle.clone(), new: new_middle.clone() };
    let mut pieces = vec![DiffPiece { differs: false, old: 0..head, new: 0..head }];
    if whole.old.len() + whole.new.len() > TOKENS_MAX {
        push(&mut pieces, whole, old);
    } else {
        for operation in capture_diff_slices(Algorithm::Myers, &old[old_middle], &new[new_middle]) {
            let (tag, was, is) = operation.as_tag_tuple();
            let shift = |range: Range<usize>| range.start + head..range.end + head;
            push(&mut pieces, DiffPiece { differs: tag != DiffTag::Equal, old: shift(was), new: shift(is) }, old);
        }
    }
    push(
        &mut pieces,
        DiffPiece { differs: false, old: old.len() - tail..old.len(), new: new.len() - tail..new.len() },
        old,
    );
    pieces.retain(|piece| !piece.old.is_empty() || !piece.new.is_empty());
    if are_strangers(&pieces, old, new) {
        return vec![DiffPiece { differs: true, old: 0..old.len(), new: 0..new.len() }];
    }
    pieces
}

/// Adds a piece; changes that only white space parts become one, so that phrases are read as phrases.
fn push(pieces: &mut Vec<DiffPiece>, piece: DiffPiece, old: &[&str]) {
    let join = |last: &mut DiffPiece, piece: &DiffPiece| {
        last.old.end = piece.old.end;
        last.new.end = piece.new.end;
    };
    match pieces.as_mut_slice() {
        [.., last] if last.differs == piece.differs => join(last, &piece),
        [.., before, gap]
            if before.differs && piece.differs && old[gap.old.clone()].iter().all(|word| is_space(word)) =>
        {
            join(before, &piece);
            pieces.pop();
        }
        _ => pieces.push(piece),
    }
}

/// Tells whether two texts have too little in common to be read as one text with changes.
fn are_strangers(pieces: &[DiffPiece], old: &[&str], new: &[&str]) -> bool {
    let words = |tokens: &[&str]| tokens.iter().filter(|token| starts_word(token)).count();
    let same: usize = pieces.iter().filter(|piece| !piece.differs).map(|piece| words(&old[piece.old.clone()])).sum();
    same * 4 < words(old).min(words(new))
}

/// Returns unchanged text without what is further than so many words from its head and its tail.
fn context(tokens: &[&str], head: usize, tail: usize) -> String {
    let words: Vec<usize> = (0..tokens.len()).filter(|at| starts_word(tokens[*at])).collect();
    if words.len() <= head + tail + 2 {
        return tokens.concat();
    }
    let head_end = if head == 0 { 0 } else { words[head - 1] + 1 };
    let tail_start = if tail == 0 { tokens.len() } else { words[words.len() - tail] };
    let before = if head == 0 { "" } else { " " };
    let after = if tail == 0 { "" } else { " " };
    format!("{}{before}…{after}{}", tokens[..head_end].concat(), tokens[tail_start..].concat())
}

/// Adds a change; white space at its edges stays outside of the marks.
fn push_change(words: &mut Vec<Words>, old: &str, new: &str, listing: ListLength) {
    if old.trim().is_empty() && new.trim().is_empty() {
        push_words(words, WordChange::Goes, old.to_owned());
        push_words(words, WordChange::Comes, new.to_owned());
        return;
    }
    let outer = if new.trim().is_empty() { old } else { new };
    let (lead, trail) = (&outer[..outer.len() - outer.trim_start().len()], &outer[outer.trim_end().len()..]);
    let blank_before = |last: &Words| last.text.ends_with(char::is_whitespace);
    let apart = !lead.is_empty() || words.last().is_none_or(blank_before);
    push_words(words, WordChange::Stays, lead.to_owned());
    let (old, new) = (shorten(old.trim(), listing), shorten(new.trim(), listing));
    let blank = if apart && !old.is_empty() && !new.is_empty() { " " } else { "" };
    push_words(words, WordChange::Goes, old);
    push_words(words, WordChange::Stays, blank.to_owned());
    push_words(words, WordChange::Comes, new);
    push_words(words, WordChange::Stays, trail.to_owned());
}

/// Adds words to those before, where there are any.
fn push_words(words: &mut Vec<Words>, fate: WordChange, text: String) {
    match words.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if last.fate == fate => last.text.push_str(&text),
        _ => words.push(Words { fate, text }),
    }
}

fn shorten(text: &str, listing: ListLength) -> String {
    let tokens = tokens(text);
    let words: Vec<usize> = (0..tokens.len()).filter(|at| starts_word(tokens[*at])).collect();
    if listing == ListLength::All || words.len() <= CHANGED_WORDS_MAX + 5 {
        return text.to_owned();
    }
    let shown = tokens[..words[CHANGED_WORDS_MAX - 1] + 1].concat();
    format!("{shown} … {}", quantities::count((words.len() - CHANGED_WORDS_MAX) as u64, "more word"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(old: &str, new: &str, shown: &str) {
        assert_eq!(difference(old, new, PlanStyle::default()), shown);
    }

    #[test]
    fn the_words_that_changed_are_marked() {
        check(
            "an old man, thin white hair",
            "an old man, thick white hair",
            "an old man, [-thin-] {+thick+} white hair",
        );
        check("thin white hair", "thick grey hair, glasses", "[-thin white-] {+thick grey+} hair{+, glasses+}");
        check("a b c d", "a c d", "a [-b-] c d");
        check("seventy-eight, 7.5", "eighty-eight, 7.0", "[-seventy-eight, 7.5-] {+eighty-eight, 7.0+}");
        check("img/thumb/{{ v }}.jpg", "img/small/{{ v }}.jpg", "img/[-thumb-]{+small+}/{{ v }}.jpg");
        check("", "a new text", "{+a new text+}");
        check("old text here", "", "[-old text here-]");
        check("a  b", "a b", "a[-  -]{+ +}b");
        check("a\nb", "a b", "a[-␊-]{+ +}b");
        check("une \u{e9}toile", "une \u{1b} \u{e9}toile", "une {+␛+} \u{e9}toile");
    }

    #[test]
    fn far_words_are_left_out() {
        let words = |range: Range<u32>| range.map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ");
        let old = format!("{} old {} old {}", words(0..20), words(20..60), words(60..80));
        check(
            &old,
            &old.replace("old", "new"),
            "… w12 w13 w14 w15 w16 w17 w18 w19 [-old-] {+new+} w20 w21 w22 w23 w24 w25 w26 w27 … w52 w53 w54 w55 w56 \
             w57 w58 w59 [-old-] {+new+} w60 w61 w62 w63 w64 w65 w66 w67 …",
        );
        let long = difference("", &words(0..100), PlanStyle::default());
        assert!(long.ends_with("w39 … 60 more words+}"), "{long}");
        let all = PlanStyle { listing: ListLength::All, ..PlanStyle::default() };
        assert!(difference("", &words(0..100), all).ends_with("w98 w99+}"));
    }

    #[test]
    fn colours_replace_marks() {
        let style = PlanStyle { colour: ColourMode::Ansi, ..PlanStyle::default() };
        assert_eq!(
            difference("thin hair", "thick hair", style),
            "\u{1b}[9m\u{1b}[31mthin\u{1b}[0m \u{1b}[32mthick\u{1b}[0m hair"
        );
    }

    #[test]
    fn huge_texts_are_compared_in_time() {
        let text = |word: &str| (0..50_000).map(|n| format!("{word}{n}")).collect::<Vec<_>>().join(" ");
        assert!(difference(&text("a"), &text("b"), PlanStyle::default()).len() < 1_000);
    }

    proptest! {
        #[test]
        fn tokens_are_the_text(text in any::<String>()) {
            prop_assert_eq!(tokens(&text).concat(), text);
        }

        #[test]
        fn every_difference_shows(old in "[ab ,\u{1b}-]{0,12}", new in "[ab ,\u{1b}-]{0,12}") {
            let shown = difference(&old, &new, PlanStyle::default());
            prop_assert_eq!(shown.contains("[-") || shown.contains("{+"), old != new, "{}", shown);
            prop_assert!(!shown.contains(char::is_control));
        }
    }
}
