//! What a column of a table takes, of one value, as far as its type tells: decided the same for every database.
//!
//! Rules that only the database can evaluate (CHECK, foreign keys) are left to the adapters.

use serde_json::Value;

/// What values a column's type takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ColumnForm {
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

/// Why a column does not take a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    /// What it takes: `takes 8 characters`.
    pub rule: String,
    /// What is wrong with the value, where it does not show: `has 31 characters`.
    pub found: Option<String>,
}

/// Choices that a message names.
const NAMED_MAX: usize = 8;

impl ColumnForm {
    /// Says why the column cannot take a part of a key, which has to come back letter by letter; `None` where it can.
    pub(super) fn refuses_label(&self, label: &str) -> Option<Refused> {
        let respelt = |own: String| (own != label).then(|| takes_own_spelling(&own));
        match self {
            Self::Any | Self::Decimal { .. } => None,
            Self::Length(_) | Self::Choice(_) => self.refuses(&Value::from(label)),
            Self::Integer { .. } => match label.parse::<i128>() {
                Ok(number) => self.out_of_range(number).or_else(|| respelt(number.to_string())),
                Err(_) => Some(takes("takes whole numbers")),
            },
            Self::Uuid => match uuid::Uuid::try_parse(label) {
                Ok(id) => respelt(id.to_string()),
                Err(_) => Some(takes("takes UUIDs")),
            },
            Self::Date => match label.parse::<jiff::civil::Date>() {
                Ok(day) => respelt(day.to_string()),
                Err(_) => Some(takes("takes days, as in `2026-11-30`")),
            },
            Self::Truth => (!matches!(label, "true" | "false")).then(|| takes("takes `true` and `false`")),
        }
    }

    /// Says why the column cannot take a value; `None` where it can.
    pub(super) fn refuses(&self, value: &Value) -> Option<Refused> {
        match (self, value) {
            (_, Value::Null) => None,
            (Self::Length(most), value) => {
                // Blanks at the end are cut off without a word.
                let length = text(value).trim_end_matches(' ').chars().count();
                (length > *most).then(|| Refused {
                    found: Some(format!("has {length} characters")),
                    ..takes(format!("takes {most} characters"))
                })
            }
            (Self::Choice(names), value) => (!names.contains(&text(value))).then(|| takes(listed(names))),
            (Self::Integer { .. }, Value::Number(number)) => self.out_of_range(number.as_i128()?),
            (Self::Decimal { whole, scale }, Value::Number(number)) => {
                let half = 0.5 * 10_f64.powi(-scale);
                let fits = number.as_f64()?.abs() + half < 10_f64.powi(*whole);
                (!fits).then(|| takes(format!("takes {whole} digits before the point")))
            }
            (Self::Any | Self::Integer { .. } | Self::Decimal { .. } | Self::Uuid | Self::Date | Self::Truth, _) => {
                None
            }
        }
    }

    fn out_of_range(&self, number: i128) -> Option<Refused> {
        let Self::Integer { least, most } = self else { return None };
        let fits = (i128::from(*least)..=i128::from(*most)).contains(&number);
        (!fits).then(|| takes(format!("takes {least} to {most}")))
    }
}

fn takes(rule: impl Into<String>) -> Refused {
    Refused { rule: rule.into(), found: None }
}

fn takes_own_spelling(own: &str) -> Refused {
    Refused { found: Some(format!("would come back as `{own}`, another key")), ..takes("takes its own spelling") }
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
        0 if named.is_empty() => "takes nothing".to_owned(),
        0 => format!("takes {}", named.join(", ")),
        more => format!("takes {} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SMALL: ColumnForm = ColumnForm::Integer { least: -32768, most: 32767 };

    fn choice() -> ColumnForm {
        ColumnForm::Choice(vec!["age".to_owned(), "body".to_owned()])
    }

    #[test]
    fn a_label_has_to_come_back_letter_by_letter() {
        for (form, label, refused) in [
            (SMALL, "7", None),
            (SMALL, "-7", None),
            (SMALL, "07", Some("takes its own spelling")),
            (SMALL, "+7", Some("takes its own spelling")),
            (SMALL, "32768", Some("takes -32768 to 32767")),
            (SMALL, "7a", Some("takes whole numbers")),
            (ColumnForm::Integer { least: i64::MIN, most: i64::MAX }, "9223372036854775807", None),
            (ColumnForm::Uuid, "0192a6f0-5c1e-7cc0-9e6d-0123456789ab", None),
            (ColumnForm::Uuid, "0192A6F0-5C1E-7CC0-9E6D-0123456789AB", Some("takes its own spelling")),
            (ColumnForm::Uuid, "x", Some("takes UUIDs")),
            (ColumnForm::Date, "2026-02-28", None),
            (ColumnForm::Date, "20260228", Some("takes its own spelling")),
            (ColumnForm::Date, "2026-02-30", Some("takes days, as in `2026-11-30`")),
            (ColumnForm::Truth, "true", None),
            (ColumnForm::Truth, "yes", Some("takes `true` and `false`")),
            (ColumnForm::Length(3), "abc", None),
            (ColumnForm::Length(3), "abcd", Some("takes 3 characters")),
            (choice(), "body", None),
            (choice(), "Body", Some("takes `age`, `body`")),
            (ColumnForm::Any, "anything", None),
        ] {
            let told = form.refuses_label(label).map(|refused| refused.rule);
            assert_eq!(told.as_deref(), refused, "{form:?} {label}");
        }
    }

    #[test]
    fn a_value_is_measured_as_the_column_holds_it() {
        let decimal = ColumnForm::Decimal { whole: 3, scale: 2 };
        for (form, value, refused) in [
            (SMALL, json!(32767), None),
            (SMALL, json!(40000), Some("takes -32768 to 32767")),
            (SMALL, json!(u64::MAX), Some("takes -32768 to 32767")),
            (SMALL, Value::Null, None),
            (decimal.clone(), json!(999.99), None),
            (decimal.clone(), json!(999.999), Some("takes 3 digits before the point")),
            (decimal, json!(-1000), Some("takes 3 digits before the point")),
            (ColumnForm::Length(2), json!(64), None),
            (ColumnForm::Length(2), json!(128), Some("takes 2 characters")),
            (ColumnForm::Length(3), json!("größ   "), Some("takes 3 characters")),
            (ColumnForm::Length(4), json!("größ   "), None),
            (choice(), json!("hair"), Some("takes `age`, `body`")),
            (ColumnForm::Any, json!({ "a": 1 }), None),
        ] {
            let told = form.refuses(&value).map(|refused| refused.rule);
            assert_eq!(told.as_deref(), refused, "{form:?} {value}");
        }
    }
}
