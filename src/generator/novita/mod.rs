//! Novita, text to image: its rules and its wire format.

mod check;

pub(super) use check::check;
