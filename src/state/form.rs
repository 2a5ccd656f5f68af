//! What a column of a table takes, of one value, as far as its type tells: decided the same for every database.
//!
//! Rules that only the database can evaluate (CHECK, foreign keys) are left to the adapters.

use serde_json::Value;

/// What values a column's type takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// Text of any length, or something of which nothing is known here.
    Any,
    /// Text of so many characters at most.
    Length(usize),
    /// Whole numbers in a range.
    Integer {
        /// The smallest.
        least: i64,
        /// The largest.
        most: i64,
    },
    /// Numbers with so many digits before the point at most, and so many behind it.
    Decimal {
        /// Before.
        whole: i32,
        /// Behind.
        scale: i32,
    },
    /// One of these texts.
    Choice(Vec<String>),
    /// A UUID, in its own spelling.
    Uuid,
    /// A day, in its own spelling.
    Date,
    /// `true` or `false`.
    Truth,
}

/// Choices that a message names.
const NAMED_MAX: usize = 8;

impl Form {
    /// Says why the column cannot take a part of a key, which has to come back letter by letter; `None` where it can.
    pub(super) fn refuses_label(&self, label: &str) -> Option<String> {
        let respelt = |own: String| (own != label).then(|| format!("would read it as `{own}`, which is another key"));
        match self {
            Self::Any | Self::Decimal { .. } => None,
            Self::Length(_) | Self::Choice(_) => self.refuses(&Value::from(label)),
            Self::Integer { .. } => match label.parse::<i128>() {
                Ok(number) => self.out_of_range(number).or_else(|| respelt(number.to_string())),
                Err(_) => Some("takes whole numbers".to_owned()),
            },
            Self::Uuid => match uuid::Uuid::try_parse(label) {
                Ok(id) => respelt(id.to_string()),
                Err(_) => Some("takes UUIDs".to_owned()),
            },
            Self::Date => match label.parse::<jiff::civil::Date>() {
                Ok(day) => respelt(day.to_string()),
                Err(_) => Some("takes days, as in `2026-11-30`".to_owned()),
            },
            Self::Truth => (!matches!(label, "true" | "false")).then(|| "takes `true` and `false`".to_owned()),
        }
    }

    /// Says why the column cannot take a value; `None` where it can.
    pub(super) fn refuses(&self, value: &Value) -> Option<String> {
        match (self, value) {
            (_, Value::Null) => None,
            (Self::Length(most), value) => {
                // Blanks at the end are cut off without a word.
                let length = text(value).trim_end_matches(' ').chars().count();
                (length > *most).then(|| format!("takes {most} characters, and it has {length}"))
            }
            (Self::Choice(names), value) => {
                let text = text(value);
                (!names.contains(&text)).then(|| format!("takes {}", listed(names)))
            }
            (Self::Integer { .. }, Value::Number(number)) => self.out_of_range(number.as_i128()?),
            (Self::Decimal { whole, scale }, Value::Number(number)) => {
                let half = 0.5 * 10_f64.powi(-scale);
                let fits = number.as_f64()?.abs() + half < 10_f64.powi(*whole);
                (!fits).then(|| format!("takes {whole} digits before the point"))
            }
            (Self::Any | Self::Integer { .. } | Self::Decimal { .. } | Self::Uuid | Self::Date | Self::Truth, _) => {
                None
            }
        }
    }

    fn out_of_range(&self, number: i128) -> Option<String> {
        let Self::Integer { least, most } = self else { return None };
        let fits = (i128::from(*least)..=i128::from(*most)).contains(&number);
        (!fits).then(|| format!("takes {least} to {most}"))
    }
}

/// Returns a value as the column would show it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn listed(names: &[String]) -> String {
    let named: Vec<String> = names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 if named.is_empty() => "nothing".to_owned(),
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SMALL: Form = Form::Integer { least: -32768, most: 32767 };

    fn choice() -> Form {
        Form::Choice(vec!["age".to_owned(), "body".to_owned()])
    }

    #[test]
    fn a_label_has_to_come_back_letter_by_letter() {
        for (form, label, refused) in [
            (SMALL, "7", None),
            (SMALL, "-7", None),
            (SMALL, "07", Some("would read it as `7`, which is another key")),
            (SMALL, "+7", Some("would read it as `7`, which is another key")),
            (SMALL, "32768", Some("takes -32768 to 32767")),
            (SMALL, "7a", Some("takes whole numbers")),
            (Form::Integer { least: i64::MIN, most: i64::MAX }, "9223372036854775807", None),
            (Form::Uuid, "0192a6f0-5c1e-7cc0-9e6d-0123456789ab", None),
            (
                Form::Uuid,
                "0192A6F0-5C1E-7CC0-9E6D-0123456789AB",
                Some("would read it as `0192a6f0-5c1e-7cc0-9e6d-0123456789ab`, which is another key"),
            ),
            (Form::Uuid, "x", Some("takes UUIDs")),
            (Form::Date, "2026-02-28", None),
            (Form::Date, "20260228", Some("would read it as `2026-02-28`, which is another key")),
            (Form::Date, "2026-02-30", Some("takes days, as in `2026-11-30`")),
            (Form::Truth, "true", None),
            (Form::Truth, "yes", Some("takes `true` and `false`")),
            (Form::Length(3), "abc", None),
            (Form::Length(3), "abcd", Some("takes 3 characters, and it has 4")),
            (choice(), "body", None),
            (choice(), "Body", Some("takes `age`, `body`")),
            (Form::Any, "anything", None),
        ] {
            assert_eq!(form.refuses_label(label).as_deref(), refused, "{form:?} {label}");
        }
    }

    #[test]
    fn a_value_is_measured_as_the_column_holds_it() {
        let decimal = Form::Decimal { whole: 3, scale: 2 };
        for (form, value, refused) in [
            (SMALL, json!(32767), None),
            (SMALL, json!(40000), Some("takes -32768 to 32767")),
            (SMALL, json!(u64::MAX), Some("takes -32768 to 32767")),
            (SMALL, Value::Null, None),
            (decimal.clone(), json!(999.99), None),
            (decimal.clone(), json!(999.999), Some("takes 3 digits before the point")),
            (decimal, json!(-1000), Some("takes 3 digits before the point")),
            (Form::Length(2), json!(64), None),
            (Form::Length(2), json!(128), Some("takes 2 characters, and it has 3")),
            (Form::Length(3), json!("größ   "), Some("takes 3 characters, and it has 4")),
            (Form::Length(4), json!("größ   "), None),
            (choice(), json!("hair"), Some("takes `age`, `body`")),
            (Form::Any, json!({ "a": 1 }), None),
        ] {
            assert_eq!(form.refuses(&value).as_deref(), refused, "{form:?} {value}");
        }
    }
}
