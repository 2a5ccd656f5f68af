//! Options: what `pixform.yaml` may say of a generator of one kind only, as data.

/// One option of a kind.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: OptionType,
    /// What it decides, in one sentence.
    pub help: &'static str,
    /// How it is written, without its name.
    pub example: &'static str,
}

/// What an option holds.
#[derive(Debug, Clone, Copy)]
pub enum OptionType {
    /// Any text but an empty one.
    Text,
    /// A path below the service's address: it begins with `/`, and is ASCII without blanks, `?` and `#`.
    Path,
    /// Whether something is done; `false` is the same as nothing.
    Flag,
    /// A whole number.
    Count {
        /// The least one.
        least: u32,
        /// The largest one.
        most: u32,
    },
    /// A number that may have a fraction.
    Number {
        /// The least one.
        least: f64,
        /// The largest one.
        most: f64,
    },
    /// One of several names.
    Choice(&'static [&'static str]),
    /// US dollars, kept as text with at most six decimals.
    Money,
}
