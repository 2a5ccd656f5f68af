//! Money: counted in millionths, written as decimal text.

use std::fmt;
use std::str::FromStr;

use super::NameError;

/// Money, in millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MicroUsd(pub u64);

impl fmt::Display for MicroUsd {
    /// Writes decimal text without a sign: `0.015`, `1.50`; at least two decimals, at most six.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:06}", self.0 % 1_000_000);
        let kept = decimals.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / 1_000_000, &decimals[..kept])
    }
}

impl FromStr for MicroUsd {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let refused = || NameError {
            text: text.to_owned(),
            kind: "price",
            rule: "write dollars with at most six decimals, as in `0.015`",
        };
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > 6 || whole.len() > 12 {
            return Err(refused());
        }
        let parse = |part: &str| part.parse::<u64>().map_err(|_| refused());
        Ok(Self(parse(whole)? * 1_000_000 + parse(&format!("{decimals:0<6}"))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_decimal_text_that_parses_back() {
        for (micro, text) in [(0, "0.00"), (15_000, "0.015"), (1_500_000, "1.50"), (1, "0.000001"), (30_000, "0.03")] {
            assert_eq!(MicroUsd(micro).to_string(), text);
            assert_eq!(text.parse(), Ok(MicroUsd(micro)));
        }
        for wrong in ["", ".5", "1.", "-1", "1.0000001", "1e3", "9999999999999"] {
            assert!(wrong.parse::<MicroUsd>().is_err(), "{wrong}");
        }
    }
}
