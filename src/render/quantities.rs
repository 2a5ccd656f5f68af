//! Numbers, counts and durations as people read them.

use std::time::Duration;

/// Writes a number with commas: `34,211`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// Counts properly: `1 row`, `2 rows`.
pub(super) fn count(amount: u64, thing: &str) -> String {
    let plural = if amount == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", number(amount))
}

/// Writes a duration: `12 ms`, `0.4 s`, `2 min 5 s`.
pub(super) fn duration(elapsed: Duration) -> String {
    let (millis, seconds) = (elapsed.as_millis(), elapsed.as_secs());
    match () {
        () if millis < 100 => format!("{millis} ms"),
        () if seconds < 60 => format!("{seconds}.{} s", elapsed.subsec_millis() / 100),
        () => format!("{} min {} s", number(seconds / 60), seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_counted_properly() {
        assert_eq!([0, 7, 999, 1_000, 34_211, 1_234_567].map(number).join(" "), "0 7 999 1,000 34,211 1,234,567");
        assert_eq!([0, 1, 2].map(|amount| count(amount, "row")).join(" "), "0 rows 1 row 2 rows");
        assert_eq!(
            [3, 99, 100, 440, 59_999, 125_000].map(|ms| duration(Duration::from_millis(ms))).join(", "),
            "3 ms, 99 ms, 0.1 s, 0.4 s, 59.9 s, 2 min 5 s"
        );
    }
}
