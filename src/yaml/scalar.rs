//! Single values, as they were written.

use std::borrow::Cow;

use super::Span;

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarNotation {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As a block, after `|` or `>`.
    Block,
}

/// A value that is neither a list nor a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar<'s> {
    /// The text, without quotes and escapes; borrowed from the source where it stands there like this.
    pub text: Cow<'s, str>,
    /// How it was written.
    pub style: ScalarNotation,
}

impl Scalar<'_> {
    /// Tells whether it is null: nothing, `~` or `null` without quotes.
    pub fn is_null(&self) -> bool {
        self.style == ScalarNotation::Plain && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }

    /// Returns the whole number that is written here in plain digits.
    ///
    /// # Errors
    /// Says in our words why it is none: a sign, a fraction, an exponent, quotes, other text.
    pub fn integer(&self, max: u64) -> Result<u64, String> {
        let text = &*self.text;
        if self.style != ScalarNotation::Plain && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("must be a number, is the text \"{text}\""));
        }
        if text.starts_with('-') && text.len() > 1 && text[1..].bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("must not be negative, is {text}"));
        }
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return match text.parse::<f64>() {
                Ok(_) if text.contains(['.', 'e', 'E']) => {
                    Err(format!("must be a whole number in plain digits, is {text}"))
                }
                _ => Err(format!("must be a whole number, is {}", shown(text))),
            };
        }
        match text.parse::<u64>() {
            Ok(number) if number <= max => Ok(number),
            _ => Err(format!("must be at most {max}, is {text}")),
        }
    }

    /// Returns the finite number that is written here.
    ///
    /// # Errors
    /// Says in our words why it is none.
    pub fn number(&self) -> Result<f64, String> {
        let text = &*self.text;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
        match text.parse::<f64>() {
            Ok(number) if self.style == ScalarNotation::Plain && digits && number.is_finite() => Ok(number),
            Ok(_) if self.style != ScalarNotation::Plain && digits => {
                Err(format!("must be a number, is the text \"{text}\""))
            }
            _ => Err(format!("must be a number like 7.5, is {}", shown(text))),
        }
    }

    /// Returns the truth value that is written here.
    ///
    /// # Errors
    /// Says in our words why it is none; `yes` and `no` are text.
    pub fn truth(&self) -> Result<bool, String> {
        match (&*self.text, self.style) {
            ("true", ScalarNotation::Plain) => Ok(true),
            ("false", ScalarNotation::Plain) => Ok(false),
            (text, _) => Err(format!("must be `true` or `false`, is {}", shown(text))),
        }
    }
}

/// Quotes a text for a message, cut after 60 characters, without control characters.
pub fn shown(text: &str) -> String {
    if text.is_empty() {
        return "empty".to_owned();
    }
    let mut short: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

/// A scalar that cuts its own text off: what stands behind ` #` on the line is a comment to YAML.
pub fn comment_behind(source: &str, span: Span) -> bool {
    let rest = source.get(span.end as usize..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    line.starts_with([' ', '\t']) && line.trim_start().starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar<'_> {
        Scalar { text: text.into(), style: ScalarNotation::Plain }
    }

    #[test]
    fn a_number_is_plain_digits_and_nothing_else() {
        assert_eq!(plain("012").integer(100), Ok(12));
        assert_eq!(plain("9223372036854775807").integer(i64::MAX as u64), Ok(i64::MAX as u64));
        for (text, words) in [
            ("-1", "must not be negative, is -1"),
            ("1.5", "must be a whole number in plain digits, is 1.5"),
            ("1e3", "must be a whole number in plain digits, is 1e3"),
            ("9223372036854775808", "must be at most 9223372036854775807, is 9223372036854775808"),
            ("1_000", "must be a whole number, is `1_000`"),
            ("", "must be a whole number, is empty"),
            ("99999999999999999999999", "must be at most 9223372036854775807, is 99999999999999999999999"),
        ] {
            assert_eq!(plain(text).integer(i64::MAX as u64), Err(words.to_owned()), "{text}");
        }
        assert!(plain("nan").number().is_err() && plain("1e999").number().is_err());
        assert_eq!(plain("7.5").number(), Ok(7.5));
    }

    #[test]
    fn yes_and_no_are_text() {
        assert_eq!(plain("true").truth(), Ok(true));
        assert_eq!(plain("no").truth(), Err("must be `true` or `false`, is `no`".to_owned()));
    }
}
