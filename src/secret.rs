//! Texts that may hold a secret: a URL with a password, a key.

use std::fmt;

/// A text that is never shown: it has no `Display`, and its `Debug` is `…`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl SecretText {
    /// Takes a text out of sight.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text, for the one who opens a connection with it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns what stands before the first `:`, which is safe to show where the text is a URL.
    pub fn scheme(&self) -> Option<&str> {
        self.0.split_once(':').map(|(scheme, _)| scheme)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
