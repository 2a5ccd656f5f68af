//! Trouble: what a failed call means for the next one.

use std::time::Duration;

use crate::secret::SafeText;

/// Whether a request may be sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The answer would be the same.
    Never,
    /// Nothing was done: it may be repeated.
    Safe,
    /// It may have been done, and charged.
    Ambiguous,
}

/// What kind of trouble a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Not now: too many requests, or too busy. Everybody who asks this service should wait so long, where it says how
    /// long.
    Busy(Option<Duration>),
    /// Nothing was sent: no connection.
    Unreachable,
    /// Sent, and no answer that tells whether it was done.
    Ambiguous,
    /// A clean no to this request.
    Refused,
    /// A verdict on the prompt or the picture, which may be charged: the same request would get the same one.
    Judged,
    /// A clean no to every request: a bad key, an empty balance, an endpoint that is gone.
    Closed,
    /// A clean no to every request for this model: there is no such model, or not any more.
    NoModel,
    /// There is no such task or file, or not any more.
    Gone,
    /// What came is not what was promised: cut off, too much, or from where nothing may be fetched.
    Broken,
}

impl Trouble {
    /// Tells whether the request may be sent once more.
    pub fn retry(self) -> Retry {
        match self {
            Self::Busy(_) | Self::Unreachable => Retry::Safe,
            Self::Ambiguous => Retry::Ambiguous,
            Self::Refused | Self::Judged | Self::Closed | Self::NoModel | Self::Gone | Self::Broken => Retry::Never,
        }
    }
}

/// A call that did not bring what it was made for.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What it means.
    pub trouble: Trouble,
    /// What happened.
    pub message: SafeText,
}

impl CallError {
    /// Makes one.
    pub fn new(trouble: Trouble, message: impl Into<SafeText>) -> Box<Self> {
        Box::new(Self { trouble, message: message.into() })
    }
}
