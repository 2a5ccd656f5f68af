//! Secrets, and the words of strangers, who may repeat them.
//!
//! A [`SecretText`] is never shown. What comes from outside (a service's answer, a database's error, what another program
//! printed) is shown as [`SafeText`] only, and a `SafeText` can be made in no other way than by taking out every secret that this
//! process knows, in whatever form it is repeated, and everything that looks like a credential. So errors of adapters hold
//! `SafeText`, and an adapter that is written tomorrow cannot forget it. Doors [`remember`] what they are handed: a key's
//! client, a database's URL, the variables of the environment. That this is known to the process, and not handed around,
//! is on purpose: a store may repeat the key of a generator.

use std::fmt;

mod credential;
mod known_secrets;
mod safe_text;
mod secret_forms;
mod secret_name;
mod secret_parts;
mod url_scheme;

pub use known_secrets::{holds, remember, remember_environment, remember_parts, shade, without_secrets};
pub use safe_text::{SafeText, chain, prepare};
pub use secret_name::is_secret_name;
pub use url_scheme::{known_scheme, unknown_scheme};

/// Stands in the place of a secret.
pub const MASK: &str = "***";

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
