//! The mistakes that people make in YAML, recognised where the parser stumbles and told in our words.

use super::Span;

/// What a person needs to know about a text that is no YAML.
pub struct Trap {
    /// Where to look.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

const QUOTES: &str = "put the text into double quotes, or below `>-` on lines of its own";

/// How many lines are looked at above the one where the parser stumbled.
const LINES_ABOVE_MAX: usize = 200;

/// Looks for what would only confuse the parser: markers of an unfinished merge.
pub fn before_parsing(source: &str) -> Option<(Span, &'static str, &'static str)> {
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let marker = ["<<<<<<<", ">>>>>>>", "|||||||", "======="].iter().any(|marker| {
            let rest = line.strip_prefix(marker);
            rest.is_some_and(|rest| rest.trim_end().is_empty() || (rest.starts_with(' ') && *marker != "======="))
        });
        if marker {
            let span = Span { start, end: start + 7 };
            let help = "a merge was not finished: keep one side and delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>";
            return Some((span, "this line is a conflict marker", help));
        }
        start += line.len() as u32;
    }
    None
}

/// Where the parser stumbled.
struct Stumble<'s> {
    source: &'s str,
    /// The byte, on a boundary.
    at: usize,
    /// Where its line begins.
    begin: usize,
    /// The line, without its end.
    line: &'s str,
}

impl Stumble<'_> {
    fn span(&self, start: usize, length: usize) -> Span {
        Span { start: start as u32, end: (start + length) as u32 }
    }

    fn here(&self) -> Span {
        self.span(self.at, self.source[self.at..].chars().next().map_or(0, char::len_utf8))
    }

    fn trap(&self, span: Span, message: impl Into<String>, help: impl Into<String>) -> Option<Trap> {
        Some(Trap { span, message: message.into(), help: help.into() })
    }

    /// Returns the lines up to the one where the parser stumbled, the nearest first, each with its beginning.
    fn lines_up(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut next = Some(self.begin + self.line.len());
        std::iter::from_fn(move || {
            let end = next?;
            let begin = self.source[..end].rfind('\n').map_or(0, |newline| newline + 1);
            next = begin.checked_sub(1);
            Some((begin, &self.source[begin..end]))
        })
        .take(LINES_ABOVE_MAX)
    }
}

/// Explains where the parser stumbled.
///
/// What it says of itself only tells kinds apart; a person never reads it.
pub fn explain(source: &str, at: u32, parser_says: &str) -> Trap {
    let at = floor(source, at);
    let begin = source[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = source[begin..].lines().next().unwrap_or_default();
    let stumble = Stumble { source, at, begin, line };
    let says = |words: &str| parser_says.contains(words);
    let found = control(&stumble)
        .or_else(|| braces(&stumble))
        .or_else(|| says("mapping values are not allowed").then(|| colon(&stumble)).flatten())
        .or_else(|| says("tab").then(|| tab(&stumble)).flatten())
        .or_else(|| says("escape").then(|| escape(&stumble)).flatten())
        .or_else(|| says("trailing content").then(|| behind_quotes(&stumble)).flatten())
        .or_else(|| says("quoted scalar").then(|| open_quote(&stumble)).flatten())
        .or_else(|| first_sign(&stumble))
        .or_else(|| says("unknown anchor").then(|| unknown_anchor(&stumble)).flatten())
        .or_else(|| no_colon(&stumble))
        .or_else(|| comment(&stumble))
        .or_else(|| colon_in_braces(&stumble))
        .or_else(|| open_bracket(&stumble))
        .or_else(|| block_text(&stumble));
    found.unwrap_or_else(|| Trap {
        span: stumble.here(),
        message: "this does not fit what stands above it".to_owned(),
        help: "compare the indentation with the lines above, and look for a quote or bracket that is not closed"
            .to_owned(),
    })
}

/// Bytes that no text file should hold.
fn control(stumble: &Stumble<'_>) -> Option<Trap> {
    let wrong = |c: char| (c.is_control() && !matches!(c, '\t' | '\r')) || c == '\u{feff}';
    let (at, character) = stumble.line.char_indices().find(|(at, c)| wrong(*c) && stumble.begin + at > 0)?;
    let span = stumble.span(stumble.begin + at, character.len_utf8());
    let message = format!("there is an invisible control character here (U+{:04X})", character as u32);
    stumble.trap(span, message, "delete it; in double quotes it can be written as an escape, such as `\\x1b`")
}

/// `{{` in a text without quotes: at its beginning, or anywhere inside `{ }`.
fn braces(stumble: &Stumble<'_>) -> Option<Trap> {
    let (marks, _) = unquoted(stumble.line);
    if let Some(at) = stumble.line.find("${")
        && unquoted(&stumble.line[..at]).1.is_none()
        && marks.iter().any(|(mark, sign)| *mark < at && *sign == '{')
    {
        let message = "`${` needs quotes here: inside `{ }` YAML takes every brace for its own";
        return stumble.trap(stumble.span(stumble.begin + at, 2), message, "put the value into double quotes");
    }
    if begins_value(stumble.line, "{{") {
        let start = stumble.begin + stumble.line.find("{{")?;
        let message = "a text that begins with `{{` needs quotes: to YAML it is a map";
        return stumble.trap(stumble.span(start, 2), message, QUOTES);
    }
    let inside = marks.iter().position(|(_, mark)| *mark == '{')?;
    if stumble.line[marks[inside].0..].starts_with("{{") {
        return None;
    }
    let twice = marks.windows(2).skip(inside).find(|pair| pair[0].1 == '{' && pair[1] == (pair[0].0 + 1, '{'))?;
    let message = "`{{` needs quotes here: inside `{ }` YAML takes every brace for its own";
    stumble.trap(stumble.span(stumble.begin + twice[0].0, 2), message, "put the text into double quotes")
}

/// A colon and a space inside a text, or a key below a text that was thought to be finished.
fn colon(stumble: &Stumble<'_>) -> Option<Trap> {
    let line = stumble.line;
    let first = line.find(": ").map(|at| at + 2);
    let again = first.and_then(|from| line[from..].find(':').map(|at| from + at));
    if let Some(at) = again {
        let message = "`: ` inside a text needs quotes: to YAML it begins a map";
        return stumble.trap(stumble.span(stumble.begin + at, 1), message, QUOTES);
    }
    let above = stumble.source[..stumble.begin].trim_end().lines().next_back().unwrap_or_default().trim();
    let short: String = above.chars().take(40).collect();
    let help = format!("indent this key like its neighbours, or end the text above (`{short}`) differently");
    stumble.trap(stumble.here(), "this key is indented as if it belonged to the text above", help)
}

/// The same inside `{ }`, where the parser misses a comma instead.
fn colon_in_braces(stumble: &Stumble<'_>) -> Option<Trap> {
    let (marks, _) = unquoted(stumble.line);
    let mut colons = 0;
    for (at, mark) in marks {
        match mark {
            ':' if stumble.line[at + 1..].starts_with(' ') => colons += 1,
            ':' => {}
            _ => colons = 0,
        }
        if colons == 2 {
            let message = "`: ` inside a text needs quotes: to YAML it begins a map";
            return stumble.trap(stumble.span(stumble.begin + at, 1), message, "put the text into double quotes");
        }
    }
    None
}

fn tab(stumble: &Stumble<'_>) -> Option<Trap> {
    let start = stumble.begin + stumble.source[stumble.begin..].find('\t')?;
    let message = "there is a tab here: YAML is indented with spaces";
    stumble.trap(stumble.span(start, 1), message, "replace the tab by spaces")
}

fn escape(stumble: &Stumble<'_>) -> Option<Trap> {
    let help = "in double quotes write `\\\\` for a backslash, or use single quotes";
    stumble.trap(stumble.here(), "this escape is not known", help)
}

fn behind_quotes(stumble: &Stumble<'_>) -> Option<Trap> {
    let message = "something stands behind the closing quote";
    let help = "put the whole text into one pair of quotes; inside single quotes a quote is written twice, inside double quotes as `\\\"`";
    stumble.trap(stumble.here(), message, help)
}

/// A quote that is never closed: told where it opens, which may be far above.
fn open_quote(stumble: &Stumble<'_>) -> Option<Trap> {
    let opening = stumble.lines_up().find_map(|(begin, line)| unquoted(line).1.map(|at| begin + at));
    let span = opening.map_or(stumble.here(), |start| stumble.span(start, 1));
    let help = "close the quotes; inside single quotes a quote is written twice";
    stumble.trap(span, "a quoted text does not end where it should", help)
}

/// Signs with which a text cannot begin without quotes.
fn first_sign(stumble: &Stumble<'_>) -> Option<Trap> {
    const SIGNS: [&str; 13] = ["@", "`", "%", "]", "}", ",", "- ", "? ", "|", ">", "!", "*", "&"];
    let line = stumble.line;
    if line.trim_start().starts_with('*') {
        let start = stumble.begin + line.find('*')?;
        let message = "a name that begins with `*` needs quotes";
        return stumble.trap(stumble.span(start, 1), message, "write it as in `\"*/*/anime\": …`");
    }
    let value = line.find(": ").map(|at| at + 2)?;
    let value = value + (line[value..].len() - line[value..].trim_start().len());
    if stumble.at < stumble.begin + value || stumble.at > stumble.begin + value + 2 {
        return None;
    }
    let sign = SIGNS.iter().find(|sign| line[value..].starts_with(*sign) && **sign != "*" && **sign != "&")?;
    let message = format!("a text that begins with `{}` needs quotes", sign.trim_end());
    stumble.trap(stumble.span(stumble.begin + value, sign.trim_end().len()), message, QUOTES)
}

fn unknown_anchor(stumble: &Stumble<'_>) -> Option<Trap> {
    let help = format!("`*` names a value marked with `&` further up; where the `*` belongs to the text, {QUOTES}");
    stumble.trap(stumble.here(), "nothing above is marked with this name", help)
}

/// `prompt:text`, `prompt = text`, or a word that stands alone.
fn no_colon(stumble: &Stumble<'_>) -> Option<Trap> {
    let lines = stumble.lines_up().filter(|(_, line)| !line.trim().is_empty()).take(2);
    let (begin, line) = lines.into_iter().find(|(_, line)| {
        let word = line.trim_start();
        let name = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len());
        let rest = &word[name..];
        name > 0
            && ((rest.starts_with(':') && rest.len() > 1 && !rest.starts_with(": "))
                || rest.trim_start().starts_with('='))
    })?;
    let word = line.trim_start();
    let name = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(word.len());
    let start = begin + (line.len() - word.len());
    let message = format!("behind `{}` a colon and a space are missing", &word[..name]);
    stumble.trap(stumble.span(start, name), message, format!("write `{}: value`", &word[..name]))
}

/// A text below `|` or `>-` whose lines do not all stand to the right of its key.
fn block_text(stumble: &Stumble<'_>) -> Option<Trap> {
    let marked = |line: &str| {
        let end = line.trim_end();
        ["|", "|-", "|+", ">", ">-", ">+"].iter().any(|mark| end.ends_with(&format!(": {mark}")))
    };
    let mut above = stumble.lines_up().skip(1).filter(|(_, line)| !line.trim().is_empty());
    let (_, key) = above.find(|(_, line)| marked(line) || !line.starts_with(' ')).filter(|(_, line)| marked(line))?;
    let name = key.trim().split(':').next().unwrap_or_default();
    let message =
        format!("this line does not belong to the text of `{name}` above: it is not indented like its first line");
    stumble.trap(stumble.here(), message, "indent all lines of the text alike, further than its key")
}

/// ` #` inside `{ }` swallows the closing bracket.
fn comment(stumble: &Stumble<'_>) -> Option<Trap> {
    let lines = stumble.lines_up().filter(|(_, line)| !line.trim().is_empty()).take(2);
    let (begin, line, at) = lines.into_iter().find_map(|(begin, line)| {
        let at = comment_in(line)?;
        let opened = unquoted(&line[..at]).0.iter().fold(0_i32, |open, (_, mark)| match mark {
            '{' | '[' => open + 1,
            '}' | ']' => open - 1,
            _ => open,
        });
        (opened > 0 && line[at..].contains(['}', ']'])).then_some((begin, line, at))
    })?;
    let _ = line;
    let message = "` #` cuts the text off here: the rest of the line is a comment to YAML, the closing bracket too";
    stumble.trap(stumble.span(begin + at, 2), message, "put the text into double quotes")
}

/// A bracket that is not closed: told where it opens.
fn open_bracket(stumble: &Stumble<'_>) -> Option<Trap> {
    let mut closed = 0_i32;
    let mut opening = None;
    'lines: for (begin, line) in stumble.lines_up() {
        let (marks, _) = unquoted(line);
        for (at, mark) in marks.into_iter().rev().filter(|(at, _)| begin + at < stumble.at) {
            match mark {
                '}' | ']' => closed += 1,
                '{' | '[' if closed > 0 => closed -= 1,
                '{' | '[' => {
                    opening = Some(begin + at);
                    break 'lines;
                }
                _ => {}
            }
        }
        // A key at the left margin begins something new: what is open above it was closed.
        if begin < stumble.begin && line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            break;
        }
    }
    let help = format!("close it; where a bracket, a comma or a quote belongs to a text, {QUOTES}");
    match opening {
        Some(start) => stumble.trap(stumble.span(start, 1), "this bracket is not closed where it should be", help),
        None if stumble.line.contains(['{', '[', '}', ']']) => {
            stumble.trap(stumble.here(), "the brackets on this line do not fit together", help)
        }
        None => None,
    }
}

/// Tells whether the value on this line begins with the sign.
fn begins_value(line: &str, sign: &str) -> bool {
    let value = line.trim_start().trim_start_matches("- ");
    let value = value.split_once(": ").map_or(value, |(_, value)| value);
    value.trim_start().starts_with(sign)
}

/// Returns brackets, commas and colons of a line that stand outside of quotes, and where a quote opens that is not closed.
fn unquoted(line: &str) -> (Vec<(usize, char)>, Option<usize>) {
    let mut marks = Vec::new();
    let mut quote: Option<(usize, char)> = None;
    let mut before = ' ';
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match quote {
            Some((_, '"')) if c == '\\' && !escaped => {
                escaped = true;
                continue;
            }
            Some((_, open)) if c == open && !escaped => quote = None,
            Some(_) => {}
            // A quote within a word is an apostrophe.
            None if matches!(c, '"' | '\'') && matches!(before, ' ' | '\t' | '{' | '[' | ',') => quote = Some((at, c)),
            None if matches!(c, '{' | '}' | '[' | ']' | ',' | ':') => marks.push((at, c)),
            None => {}
        }
        escaped = false;
        before = c;
    }
    (marks, quote.map(|(at, _)| at))
}

/// Returns where ` #` begins a comment on this line.
fn comment_in(line: &str) -> Option<usize> {
    line.match_indices(" #").map(|(at, _)| at).find(|at| unquoted(&line[..*at]).1.is_none())
}

fn floor(source: &str, at: u32) -> usize {
    source.floor_char_boundary(at as usize)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::yaml::{YamlLimits, parse};

    fn check(source: &str) -> String {
        let source: Arc<str> = source.into();
        let error = parse(&"m.yaml".into(), &source, YamlLimits::MANIFEST).unwrap_err();
        let (line, column, mistake) = error.located().next().unwrap();
        format!("{line}:{column} {}", mistake.message)
    }

    #[test]
    fn each_trap_has_its_own_words() {
        for (source, words) in [
            ("p: {{ look }}, man\n", "1:4 a text that begins with `{{` needs quotes: to YAML it is a map"),
            ("p: {{ look }}\n", "1:4 a text that begins with `{{` needs quotes: to YAML it is a map"),
            ("p: a man: old\n", "1:9 `: ` inside a text needs quotes: to YAML it begins a map"),
            ("a:\n  b: 1\n\tc: 2\n", "3:1 there is a tab here: YAML is indented with spaces"),
            ("p: @home\n", "1:4 a text that begins with `@` needs quotes"),
            ("p: *bold\n", "1:4 nothing above is marked with this name"),
            ("a: 1\n<<<<<<< HEAD\nb: 2\n", "2:1 this line is a conflict marker"),
            ("a: 1\n=======\n", "2:1 this line is a conflict marker"),
            ("a: \"x\n", "1:4 a quoted text does not end where it should"),
            ("a: [1, 2\nb: 3\n", "1:4 this bracket is not closed where it should be"),
            ("a: 1\n b: 2\n", "2:3 this key is indented as if it belonged to the text above"),
            ("", "1:1 the file is empty"),
            ("# only a comment\n", "1:1 the file is empty"),
        ] {
            assert_eq!(check(source), words, "{source}");
        }
    }
}
