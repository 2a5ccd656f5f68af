//! The text of `pixform.yaml` as it may be shown: values that may be secrets are covered, letter by letter, so that lines and
//! columns stay what they are.
//!
//! What is shown is what is known to be harmless; all else is covered: a key under a misspelt name, a comment with an old
//! password, the lines of a text that goes on. The text is read by its letters and not by its grammar, for it is shown
//! when its grammar is broken.

use std::sync::Arc;

use crate::secret::{MASK, is_secret_name, without_secrets};
use crate::yaml::{ManifestError, Mistake};

use super::ConfigError;

/// Fields whose values are no secrets: numbers, switches, names.
const OPEN: [&str; 31] = [
    "version",
    "default_environment",
    "kind",
    "checks_as",
    "price",
    "concurrency",
    "images_per_minute",
    "min_interval",
    "request_timeout",
    "deadline",
    "path",
    "result_path",
    "enable_nsfw_detection",
    "nsfw_detection_level",
    "nsfw_detection_price",
    "max_cost",
    "max_cost_month",
    "max_deletions",
    "on_unknown",
    "on_unknown_max",
    "images",
    "memory",
    "tables",
    "create_bucket",
    "path_style",
    "region",
    "env_file",
    "account",
    "limits",
    "guards",
    "publish",
];
/// Fields whose values are addresses, in which keys may stand.
const ADDRESSES: [&str; 5] = ["url", "endpoint", "public_url", "base_url", "previous"];
/// The longest word that is shown as the name of a field.
const NAME_MAX: usize = 40;
/// From this length on, a word of letters and digits is taken for a key.
const KEY_MIN: usize = 20;

/// Covers what may be secret in an error about the file: in its text, and where a message repeats it.
pub fn veiled_error(error: ManifestError) -> ManifestError {
    let ManifestError { file, source_text, mistakes } = error;
    let veil = Veil::over(&source_text);
    let mistakes = mistakes.into_iter().map(|mistake| veil.mistake(mistake)).collect();
    ManifestError { file, source_text: veil.text.into(), mistakes }
}

/// Covers it in whatever kept an environment from being settled.
pub fn veiled_failure(error: ConfigError) -> ConfigError {
    match error {
        ConfigError::Mistakes(error) => ConfigError::Mistakes(veiled_error(error)),
        other @ (ConfigError::NoSuchEnvironment { .. }
        | ConfigError::NoneChosen { .. }
        | ConfigError::NoFile { .. }
        | ConfigError::Folder { .. }) => other,
    }
}

/// Covers what may be secret in the file's text.
pub fn veiled(source: &str) -> Arc<str> {
    Veil::over(source).text.into()
}

/// A text with its covered stretches.
struct Veil<'s> {
    text: String,
    /// What was covered, as it was written.
    hidden: Vec<&'s str>,
}

/// How much of a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VeiledWord {
    /// Everything, but for words that look like keys.
    Words,
    /// An address without user, password, query and fragment.
    Address,
    /// References to variables only.
    Nothing,
}

impl<'s> Veil<'s> {
    fn over(source: &'s str) -> Self {
        let mut veil = Self { text: String::with_capacity(source.len()), hidden: Vec::new() };
        let mut reading = VeilReading::default();
        for line in source.split_inclusive('\n') {
            reading.line(line, &mut veil);
        }
        veil
    }

    fn show(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Covers a text; blanks stay, so that its shape does.
    fn hide(&mut self, text: &'s str) {
        for letter in text.chars() {
            // As many bytes as the letter had, so that every place stays where it was.
            self.text.push(match (letter.is_whitespace(), letter.len_utf8()) {
                (true, _) => letter,
                (false, 1) => '*',
                (false, 2) => '·',
                (false, 3) => '•',
                (false, _) => '𐄂',
            });
        }
        let word = text.trim().trim_matches(['"', '\'']);
        if !word.is_empty() {
            self.hidden.push(word);
        }
    }

    /// Shows a value as far as it may be; `${NAME}` always, its default never.
    fn value(&mut self, value: &'s str, shown: VeiledWord) {
        let mut rest = value;
        while let Some(at) = rest.find("${") {
            let (before, behind) = rest.split_at(at);
            self.literal(before, shown);
            let Some(end) = behind.find('}') else {
                self.hide(behind);
                return;
            };
            let inside = &behind[2..end];
            let (name, default) = inside.split_at(inside.find(":-").unwrap_or(inside.len()));
            let plain = name.len() <= NAME_MAX && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            self.show("${");
            if plain {
                self.show(name)
            } else {
                self.hide(name)
            }
            if !default.is_empty() {
                self.show(":-");
                self.literal(&default[2..], shown);
            }
            self.show("}");
            rest = &behind[end + 1..];
        }
        self.literal(rest, shown);
    }

    fn literal(&mut self, text: &'s str, shown: VeiledWord) {
        match shown {
            VeiledWord::Nothing => self.hide(text),
            VeiledWord::Words => {
                for word in text.split_inclusive(|letter: char| letter.is_whitespace() || ",[]{}\"'".contains(letter)) {
                    if is_key(word) { self.hide(word) } else { self.show(word) }
                }
            }
            VeiledWord::Address => self.address(text),
        }
    }

    fn address(&mut self, text: &'s str) {
        let end = text.find(['?', '#']).unwrap_or(text.len());
        // An unescaped `?` or `#` of a password ends nothing: what counts is the last `@`.
        let (address, query) = match text.rfind('@') {
            Some(at) => {
                let start = text.find("://").map_or(0, |scheme| scheme + 3).min(at);
                self.show(&text[..start]);
                self.hide(&text[start..at]);
                let rest = &text[at..];
                rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()))
            }
            None => text.split_at(end),
        };
        for part in address.split_inclusive('/') {
            if is_key(part) { self.hide(part) } else { self.show(part) }
        }
        if !query.is_empty() {
            self.hide(query);
        }
    }

    /// Takes out of a message what it repeats of a covered value.
    fn mistake(&self, mistake: Mistake) -> Mistake {
        let Mistake { span, message, help } = mistake;
        let clean = |text: String| {
            let covered = |text: String, word: &&&str| match word.len() >= 4 && text.contains(**word) {
                true => text.replace(**word, MASK),
                false => text,
            };
            let text = self.hidden.iter().filter(|word| is_telling(word)).fold(text, |text, word| covered(text, &word));
            let quoted = text.split('`').enumerate();
            let quoted = quoted.map(|(at, part)| if at % 2 == 1 && is_key(part) { MASK } else { part });
            let text = quoted.collect::<Vec<_>>().join("`");
            without_secrets(&text).into_owned()
        };
        Mistake { span, message: clean(message), help: clean(help) }
    }
}

/// Tells a covered text from a word that a message of ours may hold by itself.
fn is_telling(word: &str) -> bool {
    word.len() >= 8 || word.contains(|letter: char| !letter.is_ascii_lowercase())
}

/// Tells whether a word looks like a key: long, of letters and digits, or with the beginning of one.
fn is_key(word: &str) -> bool {
    let word = word.trim_matches(|letter: char| letter.is_whitespace() || ",[]{}\"'/".contains(letter));
    let has = |test: fn(&u8) -> bool| word.as_bytes().iter().any(test);
    let begins = |start: &&str| word.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    let known = ["sk_", "sk-", "sb_", "eyj", "akia", "asia", "ghp_", "github_pat_", "r8_", "hf_", "password=", "aiza"];
    let random = word.len() >= KEY_MIN
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_alphabetic)
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-+=".contains(&byte));
    word.len() >= 8 && (random || known.iter().any(begins))
}

/// Where in the file one is.
#[derive(Default)]
struct VeilReading {
    /// How deep in brackets.
    depth: usize,
    /// The indentation of a field whose covered value goes on in the lines below it.
    covered: Option<usize>,
    /// The quote in which a value goes on.
    quote: Option<char>,
    /// How much is shown of what stands in a list.
    list: Option<VeiledWord>,
}

impl VeilReading {
    fn line<'s>(&mut self, line: &'s str, veil: &mut Veil<'s>) {
        let text = line.trim_start_matches([' ', '\t', '\u{feff}']);
        let (indent, text) = line.split_at(line.len() - text.len());
        let (text, end) = text.split_at(text.trim_end_matches(['\n', '\r']).len());
        veil.show(indent);
        if let Some(quote) = self.quote {
            self.quote = Some(quote).filter(|quote| !text.contains(*quote));
            veil.hide(text);
        } else if !text.is_empty() && self.covered.is_some_and(|above| indent.len() > above) {
            veil.hide(text);
        } else {
            if !text.is_empty() {
                self.covered = None;
            }
            self.fields(text, indent.len(), veil);
        }
        veil.show(end);
    }

    /// Reads `name: value`, several where they stand in brackets.
    fn fields<'s>(&mut self, mut rest: &'s str, indent: usize, veil: &mut Veil<'s>) {
        while !rest.is_empty() {
            let marks = rest.len() - rest.trim_start_matches([' ', '\t', '{', '}', '[', ']', ',']).len();
            let (sign, behind) = rest.split_at(marks);
            self.depth =
                (self.depth + sign.matches(['{', '[']).count()).saturating_sub(sign.matches(['}', ']']).count());
            if sign.contains(']') {
                self.list = None;
            }
            veil.show(sign);
            rest = behind;
            if let Some(item) = rest.strip_prefix("- ") {
                veil.show("- ");
                rest = item;
                continue;
            }
            if let Some(comment) = rest.strip_prefix('#') {
                veil.show("#");
                veil.hide(comment);
                return;
            }
            rest = self.field(rest, indent, veil);
        }
    }

    /// Reads one `name: value`, or what stands in its place; returns what follows.
    fn field<'s>(&mut self, text: &'s str, indent: usize, veil: &mut Veil<'s>) -> &'s str {
        if matches!(text, "---" | "...") {
            veil.show(text);
            return "";
        }
        let Some(colon) = colon(text, self.depth) else {
            let end = self.end_of(text);
            veil.value(&text[..end], self.list.unwrap_or(VeiledWord::Nothing));
            return &text[end..];
        };
        let (name, behind) = text.split_at(colon);
        let bare = name.trim().trim_matches(['"', '\'']);
        match bare.len() <= NAME_MAX && !is_key(bare) && !bare.contains(['=', '@', '$']) {
            true => veil.show(name),
            false => veil.hide(name),
        }
        veil.show(":");
        let value = behind[1..].trim_start_matches([' ', '\t']);
        veil.show(&behind[1..behind.len() - value.len()]);
        let shown = match bare {
            bare if OPEN.contains(&bare) => VeiledWord::Words,
            bare if ADDRESSES.contains(&bare) => VeiledWord::Address,
            bare if bare == "state" && value.trim_start_matches(['"', '\'']).starts_with("sqlite:") => {
                VeiledWord::Address
            }
            _ => VeiledWord::Nothing,
        };
        if value.is_empty() || value.starts_with(['{', '[', '#']) {
            self.list = Some(shown).filter(|_| value.starts_with('['));
            return value;
        }
        let end = self.end_of(value);
        // A text goes on below what is shown only as a block.
        if self.depth == 0 && (shown != VeiledWord::Words || value.starts_with(['|', '>'])) {
            self.covered = Some(indent);
        }
        veil.value(&value[..end], shown);
        &value[end..]
    }

    /// Returns where a value ends; remembers the quote that does not.
    fn end_of(&mut self, value: &str) -> usize {
        let first = value.chars().next().filter(|letter| matches!(letter, '"' | '\''));
        if let Some(quote) = first {
            let mut escaped = false;
            for (at, letter) in value.char_indices().skip(1) {
                match letter {
                    _ if escaped => escaped = false,
                    '\\' if quote == '"' => escaped = true,
                    letter if letter == quote => return at + 1,
                    _ => {}
                }
            }
            self.quote = Some(quote);
            return value.len();
        }
        let comment = value.find(" #").unwrap_or(value.len());
        if self.depth == 0 {
            return comment;
        }
        let mut variable = false;
        let ends = value.char_indices().find(|(at, letter)| {
            variable = (variable && *letter != '}') || value[*at..].starts_with("${");
            !variable && matches!(letter, ',' | ']' | '}') && !value[..*at].ends_with(['$']) && !closes(value, *at)
        });
        ends.map_or(comment, |(at, _)| at.min(comment))
    }
}

/// Tells whether a bracket closes a `${` before it.
fn closes(value: &str, at: usize) -> bool {
    value[at..].starts_with('}') && value[..at].rfind("${").is_some_and(|open| !value[open..at].contains('}'))
}

/// Finds the colon behind a field's name.
fn colon(text: &str, depth: usize) -> Option<usize> {
    let quote = text.chars().next().filter(|letter| matches!(letter, '"' | '\''));
    let from = match quote {
        Some(quote) => text[1..].find(quote)? + 2,
        None => 0,
    };
    let found = text[from..].char_indices().find(|(at, letter)| {
        let next = text[from + at + letter.len_utf8()..].chars().next();
        let stops =
            *letter == '#' && text[..from + at].ends_with(' ') || depth > 0 && matches!(letter, ',' | '}' | ']');
        stops
            || *letter == ':' && next.is_none_or(|next| next.is_whitespace() || depth > 0 && "{[,]}\"'".contains(next))
    });
    found.filter(|(_, letter)| *letter == ':').map(|(at, _)| from + at).filter(|at| !is_secret_value(&text[..*at]))
}

/// Tells whether what stands before a colon is no name at all.
fn is_secret_value(name: &str) -> bool {
    name.contains("://") || is_secret_name(name) && name.contains('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_is_covered_and_everything_stays_in_its_place() {
        for (source, shown) in [
            ("api_key: sk_live_1 # old: sk_0", "api_key: ********* # **** ****"),
            ("    key: \"s3cr3t, {x}\"", "    key: ******** ****"),
            ("state: postgres://u:p@h/d", "state: ******************"),
            ("state: host=h password=SECRET1", "state: ****** ****************"),
            ("state: ${DATABASE_URL:-postgres://u:p@h/d}", "state: ${DATABASE_URL:-******************}"),
            ("state: sqlite:.pixform/state.db", "state: sqlite:.pixform/state.db"),
            (
                "storage: { url: \"s3://bucket\", endpoint: https://u:p@h/x?sig=1, smapler: abc }",
                "storage: { url: \"s3://bucket\", endpoint: https://***@h/x******, smapler: *** }",
            ),
            (
                "  novita: { kind: novita, price: 0.015, api_key: \"${NOVITA_API_KEY}\" }",
                "  novita: { kind: novita, price: 0.015, api_key: *${NOVITA_API_KEY}* }",
            ),
            ("publish: { tables: [shop.a, b], foo: [c] }", "publish: { tables: [shop.a, b], foo: [*] }"),
            ("kind: sk_live_0123456789", "kind: ******************"),
            ("sk_live_0123456789: 1", "******************: *"),
            ("just a word", "**** * ****"),
            ("pässword: gehäim€", "pässword: ***·**•"),
        ] {
            let veil = veiled(source);
            assert_eq!(veil.len(), source.len(), "{source}: {veil}");
            assert_eq!(&*veil, shown, "{source}");
        }
    }

    #[test]
    fn the_lines_of_a_text_that_goes_on_are_covered_too() {
        let source = "key: |\n  -----BEGIN\n  MIIE: x\nregion: eu\nsecret: \"a\nb: c\"\nprice: 1\napi_key:\n  plain\n";
        let shown = "key: *\n  **********\n  ***** *\nregion: eu\nsecret: **\n** **\nprice: 1\napi_key:\n  *****\n";
        assert_eq!(&*veiled(source), shown);
    }

    #[test]
    fn a_message_does_not_repeat_what_is_covered() {
        let error = ManifestError::one(
            &"pixform.yaml".into(),
            &"foo: Hunter2-horse\n".into(),
            crate::yaml::Span { start: 5, end: 9 },
            "`Hunter2-horse` is no number",
            "did you mean `sk_live_0123456789`?",
        );
        let veiled = veiled_error(error);
        assert_eq!(veiled.mistakes[0].message, "`***` is no number");
        assert_eq!(veiled.mistakes[0].help, "did you mean `***`?");
    }
}
