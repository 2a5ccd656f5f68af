//! How much is shown, and in which colours.

use anstyle::{AnsiColor, Effects};

/// Whether text carries colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColourMode {
    /// Marks only.
    #[default]
    Plain,
    /// ANSI colours, for a terminal.
    Ansi,
}

/// How long lists are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListLength {
    /// The beginning of each, and how many more there are.
    #[default]
    Short,
    /// Everything.
    All,
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PlanStyle {
    /// Whether the text carries colours.
    pub colour: ColourMode,
    /// How long lists are shown.
    pub listing: ListLength,
}

/// What a piece of text is, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// A headline.
    Strong,
    /// A place, or something else that stands back.
    Faint,
    /// Something that comes.
    New,
    /// Words that go.
    Old,
    /// Something that goes.
    Gone,
    /// Something that takes the place of something else.
    Changed,
    /// Something that costs nothing and is there already.
    Free,
    /// Something that needs attention.
    Warning,
    /// A mistake.
    Error,
}

impl ColourMode {
    /// Returns text that is safe already in the colour of its tone.
    pub(super) fn paint(self, tone: Tone, safe: &str) -> String {
        if self == Self::Plain {
            return safe.to_owned();
        }
        let style = anstyle::Style::new();
        let style = match tone {
            Tone::Strong => style.bold(),
            Tone::Faint => style.dimmed(),
            Tone::New => style.fg_color(Some(AnsiColor::Green.into())),
            Tone::Old => style.fg_color(Some(AnsiColor::Red.into())).effects(Effects::STRIKETHROUGH),
            Tone::Gone => style.fg_color(Some(AnsiColor::Red.into())),
            Tone::Changed => style.fg_color(Some(AnsiColor::Yellow.into())),
            Tone::Free => style.fg_color(Some(AnsiColor::Cyan.into())),
            Tone::Warning => style.fg_color(Some(AnsiColor::Yellow.into())).bold(),
            Tone::Error => style.fg_color(Some(AnsiColor::Red.into())).bold(),
        };
        format!("{style}{safe}{style:#}")
    }
}
