//! Mistakes in a file, each with its place, the line it stands in, and the way out.
//!
//! Written here and not left to a library: the source may be 25 MB, one line of it may be all of that, and it may hold
//! terminal escapes. Only the shown part of a line is ever copied, and each character is made safe before it is measured.

use std::fmt::Write as _;

use crate::yaml::{LineIndex, MISTAKES_SHOWN_MAX, ManifestError, Mistake};

use super::event_lines::Severity;
use super::quantities;
use super::text_style::{ColourMode, Tone};
use super::visible_text::terminal;

/// The narrowest and the widest stretch of a line that is shown, in columns.
const SHOWN_COLUMNS: std::ops::RangeInclusive<usize> = 40..=300;

/// What a report is laid out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnippetLayout {
    /// How many columns the terminal has.
    pub width: usize,
    /// Whether the text carries colours.
    pub colour: ColourMode,
}

/// Returns the mistakes of a file, one after the other; safe for a terminal, ends with a line feed.
pub fn manifest_report(error: &ManifestError, layout: SnippetLayout) -> String {
    let ManifestError { file, source_text, mistakes } = error;
    report(Severity::Error, file, source_text, mistakes, layout)
}

/// Returns the warnings about a file in the same form; empty where there are none.
pub fn warning_report(file: &str, source: &str, warnings: &[Mistake], layout: SnippetLayout) -> String {
    report(Severity::Warning, file, source, warnings, layout)
}

fn report(severity: Severity, file: &str, source: &str, mistakes: &[Mistake], layout: SnippetLayout) -> String {
    let lines = LineIndex::of(source);
    let shown = &mistakes[..mistakes.len().min(MISTAKES_SHOWN_MAX)];
    let mut parts: Vec<String> = shown
        .iter()
        .map(|mistake| {
            let at = lines.locate(source, mistake.span.start);
            snippet(severity, file, at, &Window::of(source, mistake, layout.width), mistake, layout.colour)
        })
        .collect();
    let more = mistakes.len() - shown.len();
    if more > 0 {
        parts.push(format!("… and {} more\n", quantities::number(more as u64)));
    }
    parts.join("\n")
}

fn snippet(
    severity: Severity,
    file: &str,
    (line, column): (u32, u32),
    window: &Window,
    mistake: &Mistake,
    colour: ColourMode,
) -> String {
    let (headline, tone) = match severity {
        Severity::Error => ("error", Tone::Error),
        Severity::Warning => ("warning", Tone::Warning),
    };
    let number = line.to_string();
    let gutter = number.len();
    let faint = |text: &str| colour.paint(Tone::Faint, text);
    let bar = faint("|");
    let carets = colour.paint(tone, &"^".repeat(window.marked.max(1)));
    let mut text = String::new();
    let mut add = |line: std::fmt::Arguments<'_>| text.write_fmt(line).expect("writing to a string cannot fail");
    add(format_args!("{}: {}\n", colour.paint(tone, headline), terminal(&mistake.message)));
    add(format_args!("{:gutter$}{} {}:{line}:{column}\n", "", faint("-->"), terminal(file)));
    if !window.text.is_empty() {
        add(format_args!("{:gutter$} {bar}\n", ""));
        add(format_args!("{} {bar} {}\n", faint(&number), window.text));
        add(format_args!("{:gutter$} {bar} {:before$}{carets}\n", "", "", before = window.before));
    }
    if !mistake.help.is_empty() {
        add(format_args!("{:gutter$} {} help: {}\n", "", faint("="), terminal(&mistake.help)));
    }
    text
}

/// The part of a line that is shown.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    /// Safe for a terminal.
    text: String,
    /// Columns before the marked part.
    before: usize,
    /// Columns of the marked part.
    marked: usize,
}

impl Window {
    /// Cuts the line of a mistake so that the beginning of its span is in sight.
    fn of(source: &str, mistake: &Mistake, width: usize) -> Self {
        let room = width.saturating_sub(12).clamp(*SHOWN_COLUMNS.start(), *SHOWN_COLUMNS.end());
        let start = source.floor_char_boundary(mistake.span.start as usize);
        let line_end = source[start..].find('\n').map_or(source.len(), |at| start + at);
        let end = source.floor_char_boundary(mistake.span.end as usize).clamp(start, line_end);
        let line_start = source[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = line_end - usize::from(source[end..line_end].ends_with('\r'));
        let marked = CharacterRun::ahead(&source[start..end], room / 2);
        let rest = if marked.cut { "" } else { &source[end..line_end.max(end)] };
        // What follows is less telling than what goes before, and gets a third of the room at least.
        let room = room - marked.columns;
        let needed = CharacterRun::ahead(rest, room / 3).columns;
        let before = CharacterRun::back(&source[line_start..start], room - needed);
        let after = CharacterRun::ahead(rest, room - before.columns);
        let left = if before.cut { "…" } else { "" };
        let right = if marked.cut || after.cut { "…" } else { "" };
        Self {
            text: format!("{left}{}{}{}{right}", before.text, marked.text, after.text),
            before: before.columns + usize::from(before.cut),
            marked: marked.columns,
        }
    }
}

/// Characters beside each other, made safe and measured.
#[derive(Debug, Default)]
struct CharacterRun {
    text: String,
    columns: usize,
    cut: bool,
}

impl CharacterRun {
    /// Takes the beginning of a text, as far as there is room.
    fn ahead(text: &str, room: usize) -> Self {
        Self::take(text.chars(), room).0
    }

    /// Takes the end of a text, as far as there is room.
    fn back(text: &str, room: usize) -> Self {
        let (run, bytes) = Self::take(text.chars().rev(), room);
        Self { text: terminal(&text[text.len() - bytes..]).into_owned(), ..run }
    }

    /// Returns the run, and how many bytes of the text it took.
    fn take(characters: impl Iterator<Item = char>, room: usize) -> (Self, usize) {
        let (mut run, mut bytes) = (Self::default(), 0);
        for character in characters {
            let safe = terminal(character.encode_utf8(&mut [0; 4])).into_owned();
            let columns: usize = safe.chars().map(columns).sum();
            if run.columns + columns > room {
                run.cut = true;
                break;
            }
            run.columns += columns;
            run.text.push_str(&safe);
            bytes += character.len_utf8();
        }
        (run, bytes)
    }
}

/// Returns how many columns terminals give to a visible character: two where the script is square, none for the marks
/// that sit on another character. Near enough for carets, and no table has to be carried for it.
fn columns(character: char) -> usize {
    match u32::from(character) {
        0x300..=0x36f | 0x1ab0..=0x1aff | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f => 2,
        0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::yaml::Span;

    use super::*;

    const LAYOUT: SnippetLayout = SnippetLayout { width: 80, colour: ColourMode::Plain };

    fn shown(source: &str, word: &str) -> String {
        let start = source.find(word).unwrap() as u32;
        let span = Span { start, end: start + word.len() as u32 };
        let error = ManifestError::one(
            &"manifests/a.yaml".into(),
            &source.into(),
            span,
            "unknown field `smapler`",
            "did you mean `sampler`?",
        );
        manifest_report(&error, LAYOUT)
    }

    #[test]
    fn a_mistake_is_shown_in_its_line() {
        insta::assert_snapshot!(shown("version: 1\ndefaults:\n  smapler: DDIM\r\n", "smapler"), @r"
        error: unknown field `smapler`
         --> manifests/a.yaml:3:3
          |
        3 |   smapler: DDIM
          |   ^^^^^^^
          = help: did you mean `sampler`?
        ");
    }

    #[test]
    fn no_escape_of_a_manifest_reaches_the_terminal_and_carets_stay_below_their_word() {
        insta::assert_snapshot!(shown("a: \"\u{1b}[31m\u{202e}\" \t# \u{5e74}e\u{301} smapler\u{7}\n", "smapler"), @r#"
        error: unknown field `smapler`
         --> manifests/a.yaml:1:20
          |
        1 | a: "␛[31m\u{202e}" ␉# 年é smapler␇
          |                           ^^^^^^^
          = help: did you mean `sampler`?
        "#);
    }

    #[test]
    fn a_very_long_line_is_cut_around_the_mistake() {
        let source = format!("a: [{} smapler, {}]", "word, ".repeat(1_000), "word, ".repeat(1_000));
        insta::assert_snapshot!(shown(&source, "smapler"), @r"
        error: unknown field `smapler`
         --> manifests/a.yaml:1:6006
          |
        1 | …rd, word, word, word, word, word, word,  smapler, word, word, word, …
          |                                           ^^^^^^^
          = help: did you mean `sampler`?
        ");
        let span = shown(&source, &source.clone());
        assert!(span.lines().all(|line| line.chars().count() <= 80), "{span}");
    }

    #[test]
    fn the_end_of_a_file_has_a_place() {
        let error = |span| ManifestError::one(&"a.yaml".into(), &"a: 1\nb".into(), span, "it ends too early", "");
        insta::assert_snapshot!(manifest_report(&error(Span { start: 6, end: 6 }), LAYOUT), @r"
        error: it ends too early
         --> a.yaml:2:2
          |
        2 | b
          |  ^
        ");
        manifest_report(&error(Span { start: 900, end: 2 }), LAYOUT);
        let empty =
            ManifestError::one(&"a.yaml".into(), &"".into(), Span::default(), "it is empty", "write `version: 1`");
        insta::assert_snapshot!(manifest_report(&empty, LAYOUT), @r"
        error: it is empty
         --> a.yaml:1:1
          = help: write `version: 1`
        ");
    }

    #[test]
    fn too_many_mistakes_are_counted() {
        let mistake = |at| Mistake { span: Span { start: at, end: at + 1 }, message: "x".into(), help: String::new() };
        let source = "a".repeat(200);
        let warnings: Vec<_> = (0..62).map(mistake).collect();
        let report = warning_report("a.yaml", &source, &warnings, LAYOUT);
        assert_eq!(report.matches("warning: x").count(), MISTAKES_SHOWN_MAX);
        assert!(report.ends_with("\n\n… and 12 more\n"), "{report}");
        assert_eq!(warning_report("a.yaml", "", &[], LAYOUT), "");
    }

    #[test]
    fn a_report_has_colours_on_a_terminal() {
        let error = ManifestError::one(&"a.yaml".into(), &"a: 1".into(), Span { start: 0, end: 1 }, "no", "yes");
        let report = manifest_report(&error, SnippetLayout { colour: ColourMode::Ansi, ..LAYOUT });
        insta::assert_snapshot!(report.replace('\u{1b}', "␛"), @r"
        ␛[1m␛[31merror␛[0m: no
         ␛[2m-->␛[0m a.yaml:1:1
          ␛[2m|␛[0m
        ␛[2m1␛[0m ␛[2m|␛[0m a: 1
          ␛[2m|␛[0m ␛[1m␛[31m^␛[0m
          ␛[2m=␛[0m help: yes
        ");
    }

    #[test]
    fn a_source_of_25_mb_is_no_burden() {
        let source = "a: some words that stand in a line\n".repeat(700_000);
        let spans = (0..500).map(|at| Span { start: at * 40_000, end: at * 40_000 + 9 });
        let mistakes: Vec<_> =
            spans.map(|span| Mistake { span, message: "wrong".into(), help: "right".into() }).collect();
        let report = warning_report("a.yaml", &source, &mistakes, LAYOUT);
        assert!(report.len() < 20_000, "{}", report.len());
    }

    proptest! {
        #[test]
        fn no_source_breaks_a_report(
            source in any::<String>(), file in any::<String>(), message in any::<String>(),
            start in 0u32..40, length in 0u32..40, width in 0usize..200,
        ) {
            let span = Span { start, end: start + length };
            let mistake = Mistake { span, help: message.clone(), message };
            let report = warning_report(&file, &source, &[mistake], SnippetLayout { width, colour: ColourMode::Plain });
            prop_assert!(!report.contains(|c: char| c.is_control() && c != '\n'));
            prop_assert!(report.lines().count() <= 6);
        }
    }
}
