//! `${NAME}`, `${NAME:-default}` and the files that may supply them. No value ever stands in a message.
//!
//! `$${NAME}` is the text `${NAME}`; a `$` before anything but `{` is a `$`. A variable that is set but empty counts as
//! not set: services for continuous integration hand out an empty text for a secret that they do not have.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::asset::is_identifier;
use crate::files;
use crate::manifest::Placed;
use crate::secret;
use crate::yaml::{Mistakes, Span};

use super::SecretText;

/// Size of `pixform.yaml` or of a file with variables, in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Size of a text with its variables filled in, in bytes.
pub const EXPANDED_BYTES_MAX: usize = 64 * 1024;

/// Where variables come from: handed in, so that tests need no process of their own.
#[derive(Clone, Copy)]
pub struct Outside<'o> {
    /// Returns a variable of the environment.
    pub variable: &'o dyn Fn(&str) -> Option<String>,
    /// Reads a file; [`read_file`] outside of tests.
    pub read_file: &'o dyn Fn(&Path) -> io::Result<String>,
}

/// Reads a text file of at most [`FILE_BYTES_MAX`] bytes.
///
/// # Errors
/// As [`files::read_text`].
pub fn read_file(path: &Path) -> io::Result<String> {
    files::read_text(path, FILE_BYTES_MAX)
}

/// A text of `pixform.yaml` in which variables are not filled in yet.
#[derive(Clone, PartialEq, Eq)]
pub struct RawText {
    /// Where it stands.
    pub span: Span,
    /// The text as written, which may be a secret itself.
    pub(super) text: String,
}

impl fmt::Debug for RawText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Fills variables in; a file is read only when the environment lacks a variable, and once.
pub struct Variables<'v> {
    outside: &'v Outside<'v>,
    source: &'v str,
    files: &'v [Placed<PathBuf>],
    values: Option<BTreeMap<String, String>>,
}

impl<'v> Variables<'v> {
    /// Takes the files in the order in which they have a say: the first that knows a name decides.
    pub fn new(outside: &'v Outside<'v>, source: &'v str, files: &'v [Placed<PathBuf>]) -> Self {
        Self { outside, source, files, values: None }
    }

    /// Fills the variables of a text in; every one that is missing is a mistake at its place.
    pub fn expand(&mut self, raw: &RawText, mistakes: &mut Mistakes) -> Option<SecretText> {
        let pieces = pieces(raw, self.source, mistakes)?;
        let mistakes_before = mistakes.len();
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(literal) => text.push_str(literal),
                Piece::Variable { name, default } => match (self.value(name, mistakes), default) {
                    (Some(value), _) => text.push_str(&value),
                    (None, Some(default)) => text.push_str(default),
                    (None, None) => self.missing(name, raw.span, mistakes),
                },
            }
        }
        if text.len() > EXPANDED_BYTES_MAX {
            let message = format!("with its variables this text has more than {EXPANDED_BYTES_MAX} bytes");
            mistakes.add(raw.span, message, "check the values of its variables");
        }
        if text.chars().any(char::is_control) {
            let help = "check the values of its variables: one that was read from a file may end in a line break";
            mistakes.add(raw.span, "with its variables this text holds a line break or control character", help);
        }
        (mistakes.len() == mistakes_before).then(|| SecretText::new(text))
    }

    fn value(&mut self, name: &str, mistakes: &mut Mistakes) -> Option<String> {
        let filled = |value: &String| !value.is_empty();
        (self.outside.variable)(name)
            .filter(filled)
            .or_else(|| self.values(mistakes).get(name).filter(|value| filled(value)).cloned())
    }

    /// Returns what the files say, which are read now if they were not before.
    fn values(&mut self, mistakes: &mut Mistakes) -> &BTreeMap<String, String> {
        let (outside, files) = (self.outside, self.files);
        self.values.get_or_insert_with(|| {
            let mut values = BTreeMap::new();
            for Placed { span, value: path } in files {
                for (name, value) in read_values(outside, path, *span, mistakes) {
                    values.entry(name).or_insert(value);
                }
            }
            values
        })
    }

    fn missing(&self, name: &str, span: Span, mistakes: &mut Mistakes) {
        let file = match self.files.first() {
            Some(file) => format!("add the line `{name}=…` to `{}`", file_name(&file.value)),
            None => format!("name a file with a line `{name}=…`, as in `env_file: .env.local`"),
        };
        let span = span.narrow(self.source, &format!("${{{name}}}"));
        let help = format!("set it, as in `export {name}=…`, or {file}");
        mistakes.add(span, format!("the variable `{name}` is not set, or empty"), help);
    }
}

/// Reports what is wrong with the variables of a text that is not needed yet.
pub fn check(raw: &RawText, source: &str, mistakes: &mut Mistakes) {
    pieces(raw, source, mistakes);
}

/// A part of a text.
enum Piece<'t> {
    Text(&'t str),
    Variable { name: &'t str, default: Option<&'t str> },
}

/// Cuts a text into its parts.
fn pieces<'t>(raw: &'t RawText, source: &str, mistakes: &mut Mistakes) -> Option<Vec<Piece<'t>>> {
    let mut pieces = Vec::new();
    let mut rest = raw.text.as_str();
    while let Some(at) = rest.find("${") {
        let (before, behind) = (&rest[..at], &rest[at + 2..]);
        if let Some(before) = before.strip_suffix('$') {
            pieces.extend([Piece::Text(before), Piece::Text("${")]);
            rest = behind;
            continue;
        }
        let Some((inside, after)) = behind.split_once('}') else {
            mistakes.add(raw.span.narrow(source, "${"), "`${` is not closed", SYNTAX);
            return None;
        };
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if !is_identifier(name) {
            let span = raw.span.narrow(source, &rest[at..at + 3 + inside.len()]);
            mistakes.add(span, "this is not the name of a variable", SYNTAX);
            return None;
        }
        pieces.extend([Piece::Text(before), Piece::Variable { name, default }]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    Some(pieces)
}

const SYNTAX: &str = "write `${NAME}` or `${NAME:-default}`; `$${NAME}` stands for the text `${NAME}`";

/// Reads the lines `NAME=value` of a file; what is wrong with it is told where `pixform.yaml` names it.
fn read_values(outside: &Outside<'_>, path: &Path, span: Span, mistakes: &mut Mistakes) -> Vec<(String, String)> {
    let text = match (outside.read_file)(path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("`{}` cannot be read: {}", file_name(path), reason(&error));
            let help = "create it, or remove this line: variables of the environment are found without it";
            mistakes.add(span, message, help);
            return Vec::new();
        }
    };
    let mut values = BTreeMap::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        match read_line(line) {
            Ok(Some((name, value))) => {
                match secret::is_secret_name(name) {
                    true => secret::remember(&value),
                    false => secret::remember_parts(&value),
                }
                values.insert(name.to_owned(), value);
            }
            Ok(None) => {}
            Err(words) => {
                let message = format!("line {} of `{}` {words}", number + 1, file_name(path));
                mistakes.add(span, message, "write `NAME=value`, the value in quotes if it holds ` #` or quotes");
            }
        }
    }
    values.into_iter().collect()
}

/// Says in our words why a file cannot be read.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::InvalidData => "it is no UTF-8 text".to_owned(),
        io::ErrorKind::FileTooLarge => format!("it has more than {FILE_BYTES_MAX} bytes"),
        // What stands there instead of a file says so itself.
        _ if error.get_ref().is_some() => error.to_string(),
        kind => kind.to_string(),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Reads one line; `None` where it says nothing. Values are not filled in themselves.
fn read_line(line: &str) -> Result<Option<(&str, String)>, &'static str> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, value)) = line.split_once('=') else { return Err("has no `=`") };
    let (name, unquoted, value) = (name.trim(), value, value.trim_start());
    if !is_identifier(name) {
        return Err("does not begin with a variable's name");
    }
    let (value, rest) = if let Some(quoted) = value.strip_prefix('\'') {
        let (value, rest) = quoted.split_once('\'').ok_or("has a quote that is not closed")?;
        (value.to_owned(), rest)
    } else if let Some(quoted) = value.strip_prefix('"') {
        read_double_quoted(quoted)?
    } else {
        let comment = [" #", "\t#"].iter().filter_map(|sign| unquoted.find(sign)).min();
        (unquoted[..comment.unwrap_or(unquoted.len())].trim().to_owned(), "")
    };
    match rest.trim_start() {
        "" => Ok(Some((name, value))),
        comment if comment.starts_with('#') => Ok(Some((name, value))),
        _ => Err("goes on behind the closing quote"),
    }
}

/// Reads up to the closing quote; returns what stands behind it too.
fn read_double_quoted(quoted: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\\' | '$'))) => value.push(escaped),
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            },
            letter => value.push(letter),
        }
    }
    Err("has a quote that is not closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_shells_and_dotenv_read_it() {
        for (line, expected) in [
            ("A=b", Ok(Some(("A", "b")))),
            ("  export A = b c  # why", Ok(Some(("A", "b c")))),
            ("A=postgres://u:p#w@h/d", Ok(Some(("A", "postgres://u:p#w@h/d")))),
            ("A=x=y", Ok(Some(("A", "x=y")))),
            ("A=", Ok(Some(("A", "")))),
            ("A= # nothing", Ok(Some(("A", "")))),
            ("A=#b", Ok(Some(("A", "#b")))),
            ("A='b # \"c\" \\n' # d", Ok(Some(("A", "b # \"c\" \\n")))),
            (r#"A="b # \"c\" \$ \\ \x""#, Ok(Some(("A", r#"b # "c" $ \ \x"#)))),
            ("", Ok(None)),
            ("  # A=b", Ok(None)),
            ("A", Err("has no `=`")),
            ("1A=b", Err("does not begin with a variable's name")),
            ("A=\"b", Err("has a quote that is not closed")),
            ("A='b' c", Err("goes on behind the closing quote")),
        ] {
            let read = read_line(line);
            let read = read.as_ref().map(|read| read.as_ref().map(|(name, value)| (*name, value.as_str())));
            assert_eq!(read, expected.as_ref().map(|pair| *pair), "{line}");
        }
    }
}
