//! Workflow commands of GitHub Actions: mistakes as annotations, and strangers' text that is none.
//!
//! A runner reads every line of stdout and stderr. One that begins with `::`, whatever blanks stand before it, is a command,
//! and so is what follows `##[` anywhere in a line.
//!
//! Source: `src/Runner.Common/ActionCommand.cs` of <https://github.com/actions/runner>, read 2026-11-25.

use std::borrow::Cow;

use super::Severity;
use super::visible_text::terminal;

/// Where a mistake is, as an annotation says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotated<'s> {
    /// The file, from the root of the repository.
    pub file: &'s str,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

/// Returns the command that annotates a mistake, one line without a line feed.
pub fn annotation(severity: Severity, message: &str, help: Option<&str>, spot: Option<Annotated<'_>>) -> String {
    let command = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let spot = spot.map(|Annotated { file, line, column }| {
        format!(" file={},line={line},col={column}", property(&terminal(file)))
    });
    let mut text = data(&terminal(message));
    for line in help.iter().flat_map(|help| help.lines()) {
        text.push_str("%0A");
        text.push_str(&data(&terminal(line)));
    }
    format!("::{command}{}::{text}", spot.unwrap_or_default())
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Returns the text with every beginning of a command made visible for what it is; nothing else changes.
pub fn without_commands(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.contains("::") && !text.contains("##[") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    // A carriage return ends a line, too.
    for line in text.split_inclusive(['\n', '\r']) {
        let bare = line.trim_start_matches(|letter: char| letter.is_whitespace() || is_ignored(letter));
        let (blanks, rest) = line.split_at(line.len() - bare.len());
        out.push_str(blanks);
        match rest.strip_prefix(':') {
            Some(rest) if rest.trim_start_matches(is_ignored).starts_with(':') => {
                out.push_str("\\u{3a}");
                out.push_str(&without_brackets(rest, "\\u{5b}"));
            }
            Some(_) | None => out.push_str(&without_brackets(rest, "\\u{5b}")),
        }
    }
    Cow::Owned(out)
}

/// Does the same to JSON on one line, which then means the same: only within its strings can such a text stand.
pub fn json_without_commands(line: &str) -> Cow<'_, str> {
    match line.is_ascii() && !line.contains("##[") {
        true => Cow::Borrowed(line),
        false => Cow::Owned(without_brackets(line, "\\u005b")),
    }
}

/// Tells whether a runner may take a character for nothing: it compares as people do, who overlook marks and joiners. Which
/// of them it overlooks depends on its language, so everything counts that could.
fn is_ignored(letter: char) -> bool {
    !letter.is_ascii() || letter.is_ascii_control()
}

/// Writes something else in the place of the bracket of each `##[`.
fn without_brackets(text: &str, bracket: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut hashes = 0;
    for letter in text.chars() {
        if letter == '[' && hashes > 1 {
            out.push_str(bracket);
        } else {
            out.push(letter);
        }
        hashes = match letter {
            '#' => hashes + 1,
            _ if is_ignored(letter) => hashes,
            _ => 0,
        };
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tells whether a runner would find a command in a line.
    fn is_command(line: &str) -> bool {
        let seen: String = line.chars().filter(|letter| letter.is_ascii() && *letter != '\t').collect();
        seen.trim_start().starts_with("::") || seen.contains("##[")
    }

    #[test]
    fn an_annotation_is_one_line_that_nothing_in_it_can_end() {
        let spot = Annotated { file: "a,b:c%.yaml\n::add-mask::x", line: 3, column: 5 };
        assert_eq!(
            annotation(Severity::Error, "100 %\r\n::set-output name=x::y", Some("one\ntwo"), Some(spot)),
            "::error file=a%2Cb%3Ac%25.yaml\u{240a}%3A%3Aadd-mask%3A%3Ax,line=3,col=5::100 %25\u{240d}\u{240a}::set-output name=x::y%0Aone%0Atwo"
        );
        assert_eq!(annotation(Severity::Warning, "odd", None, None), "::warning::odd");
    }

    #[test]
    fn only_what_a_runner_would_obey_is_changed() {
        for (text, shown) in [
            ("a :: b\n  c::d\n", "a :: b\n  c::d\n"),
            ("::add-mask::x", "\\u{3a}:add-mask::x"),
            ("ok\n \t ::stop-commands::x\r\n", "ok\n \t \\u{3a}:stop-commands::x\r\n"),
            ("a\r::error::x", "a\r\\u{3a}:error::x"),
            ("see ##[group]x", "see ##\\u{5b}group]x"),
            ("\u{a0}::error::x", "\u{a0}\\u{3a}:error::x"),
            ("\u{fe0f}:\u{301}:error::x", "\u{fe0f}\\u{3a}\u{301}:error::x"),
            ("é #\u{fe0f}#[error]x", "é #\u{fe0f}#\\u{5b}error]x"),
            ("ä: ö::ü # [x] #[y]", "ä: ö::ü # [x] #[y]"),
        ] {
            assert_eq!(without_commands(text), shown);
        }
        let line = serde_json::json!({ "prompt": "a ##[add-mask]b" }).to_string();
        let shown = json_without_commands(&line).into_owned();
        assert!(!is_command(&shown));
        let (one, other): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&line).unwrap(), serde_json::from_str(&shown).unwrap());
        assert_eq!(one, other);
    }

    proptest! {
        #[test]
        fn no_text_is_a_command_afterwards(text in "([ :#\\[a\u{fe0f}é\r\n\t]|::|##\\[){0,30}") {
            let shown = without_commands(&text).into_owned();
            for line in shown.split(['\n', '\r']) {
                prop_assert!(!is_command(line), "{:?} became {:?}", text, shown);
            }
        }
    }
}
