//! Strangers' text in Markdown: it shows as it is, and does nothing.
//!
//! Hosts read more into a comment than Markdown: whoever is mentioned is told of it, numbers and commits become links,
//! names between colons pictures, what stands between dollars a formula. A backslash undoes what the Markdown would do;
//! what the host does afterwards, on the finished text, only an invisible character in between undoes.

use std::ops::RangeInclusive;

use super::super::visible_text::terminal;

/// Parts what a host would otherwise read as one: a space without width, which no other text of ours has.
const APART: char = '\u{200b}';
/// How many hexadecimal digits are taken for a commit.
const COMMIT_DIGITS: RangeInclusive<usize> = 7..=40;

/// Returns text on one line that shows as it is, cut where it has more characters than these.
pub(super) fn text(text: &str, characters_max: usize) -> String {
    let safe = terminal(&clip(text, characters_max)).into_owned();
    let mut shown = String::with_capacity(safe.len() + 16);
    let mut words = words(&safe).peekable();
    while let Some(word) = words.next() {
        if is_commit(word) {
            shown.push_str(&word[..4]);
            shown.push(APART);
            shown.push_str(&word[4..]);
            continue;
        }
        let next = words.peek().and_then(|next| next.chars().next());
        shown.extend(word.chars().next().filter(|first| is_mark(*first)).map(|_| '\\'));
        shown.push_str(word);
        shown.extend(is_read_together(word, next).then_some(APART));
    }
    shown
}

/// Tells whether a character means something to Markdown.
fn is_mark(character: char) -> bool {
    "\\`*_[]<>|~$&#!".contains(character)
}

/// Tells whether a host reads a word or a mark and what follows as one: `@name`, `#12`, `:name:`, `www.`, `GH-12`.
fn is_read_together(word: &str, next: Option<char>) -> bool {
    let Some(next) = next else { return false };
    match word {
        "@" | "#" | "!" | "~" | "$" | "&" | "%" | "^" => next.is_alphanumeric() || next == '"',
        ":" => next.is_alphanumeric() || "/+-".contains(next),
        _ => (word.eq_ignore_ascii_case("www") && next == '.') || (word.eq_ignore_ascii_case("gh") && next == '-'),
    }
}

/// Cuts a text into runs of letters and digits, and everything else one by one.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = match first.is_alphanumeric() {
            true => rest.find(|next: char| !next.is_alphanumeric()).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

/// Tells whether a word looks like the name of a commit; a number does not.
fn is_commit(word: &str) -> bool {
    let digits = word.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits && COMMIT_DIGITS.contains(&word.len()) && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Puts marks around text that is escaped already, so that they mark it whatever stands around them: next to a full stop
/// or a comma they would not.
pub(super) fn marked(mark: &str, safe: &str) -> String {
    let apart = |edge: Option<char>| edge.filter(|edge| !edge.is_alphanumeric()).map(|_| APART);
    let mut shown = mark.to_owned();
    shown.extend(apart(safe.chars().next()));
    shown.push_str(safe);
    shown.extend(apart(safe.chars().next_back()));
    shown.push_str(mark);
    shown
}

/// Returns a code span; a bar is escaped, for the span may stand in a table.
pub(super) fn code(text: &str, characters_max: usize) -> String {
    let safe = terminal(&clip(text, characters_max)).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&safe) + 1);
    let blank = if safe.starts_with('`') || safe.ends_with('`') || safe.is_empty() { " " } else { "" };
    format!("{fence}{blank}{safe}{blank}{fence}")
}

/// Returns a block of code; the lines are made safe one by one.
pub(super) fn block(language: &str, lines: &[String], characters_max: usize) -> String {
    let lines: Vec<String> = lines.iter().map(|line| terminal(&clip(line, characters_max)).into_owned()).collect();
    let text = lines.join("\n");
    let fence = "`".repeat((longest_run(&text) + 1).max(3));
    format!("{fence}{language}\n{text}\n{fence}\n")
}

fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or_default()
}

/// Returns an address as it may stand in an attribute, in a link and in a table.
pub(super) fn address(url: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-._~/:%?&=+,@;".contains(character);
    let shown = url.chars().map(|character| match character {
        '&' => "&amp;".to_owned(),
        plain_one if plain(plain_one) => plain_one.to_string(),
        other => other.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
    });
    shown.collect()
}

/// Cuts a text between characters.
pub(super) fn clip(text: &str, characters_max: usize) -> String {
    match text.char_indices().nth(characters_max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_does_nothing() {
        for (written, shown) in [
            ("an old man, 7.5", "an old man, 7.5"),
            ("@team #12", "@\u{200b}team \\#\u{200b}12"),
            ("<b>*x*</b> [a](b)", "\\<b\\>\\*x\\*\\</b\\> \\[a\\](b)"),
            ("https://x.y www.x.y", "https:\u{200b}//x.y www\u{200b}.x.y"),
            ("GH-12 deadbeef 1234567", "GH\u{200b}-12 dead\u{200b}beef 1234567"),
            ("a\nb --> \u{202e}", "a␊b --\\> \\\\u{202e}"),
            ("$x$ :tada:", "\\$\u{200b}x\\$ :\u{200b}tada:"),
        ] {
            assert_eq!(text(written, 100), shown, "{written}");
        }
        assert_eq!(text("abcdef", 3), "abc…");
    }

    #[test]
    fn code_and_blocks_cannot_be_closed() {
        assert_eq!(code("a`b", 9), "``a`b``");
        assert_eq!(code("```", 9), "```` ``` ````");
        assert_eq!(code("a|b", 9), "`a\\|b`");
        assert_eq!(block("yaml", &["````".to_owned()], 9), "`````yaml\n````\n`````\n");
    }

    #[test]
    fn addresses_end_where_they_end() {
        assert_eq!(address("https://x/a%2B\"> |(b)"), "https://x/a%2B%22%3E%20%7C%28b%29");
    }
}
