//! Garbage in words: what would go, what stays and why, with counts and bytes.

use serde::Serialize;

use super::quantities::{count, number};
use super::text_style::{ListLength, PlanStyle};
use super::visible_text::terminal;

/// Files of one kind that a short listing names.
const NAMED_MAX: usize = 3;

/// A file that no record refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GarbageFile<'g> {
    /// Where it lies.
    pub path: &'g str,
    /// What it is.
    pub kind: GarbageKind,
    /// Its size in bytes; 0 where it is not there any more.
    pub bytes: u64,
    /// For how long no record has referred to it, in seconds; of a remnant, how long ago it was written.
    pub age: u64,
    /// What becomes of it.
    pub fate: GarbageOutcome,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GarbageKind {
    /// An original.
    Original,
    /// A published file.
    Object,
    /// A file whose deletion was begun before.
    Leftover,
    /// An unfinished file or a probe that a killed run left.
    Remnant,
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GarbageOutcome {
    /// It goes.
    Goes,
    /// It has not been unreferenced for long enough.
    Recent,
    /// It was paid for and never published.
    Unpublished,
    /// A call for it has not come to its end.
    UnderWay,
    /// A row names it.
    NamedByRow,
}

/// How many files, and how large they are together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct GarbageSum {
    /// How many.
    pub files: u64,
    /// Their size together, in bytes.
    pub bytes: u64,
}

impl GarbageSum {
    /// Sums files up.
    pub fn of<'g>(files: impl Iterator<Item = &'g GarbageFile<'g>>) -> Self {
        files.fold(Self::default(), |sum, file| Self { files: sum.files + 1, bytes: sum.bytes + file.bytes })
    }
}

/// Returns what would go and what stays; `window` is for how long a file must have been unreferenced, in seconds.
pub fn garbage_text(files: &[GarbageFile<'_>], window: u64, style: PlanStyle) -> String {
    let of = |fate: GarbageOutcome| files.iter().filter(move |file| file.fate == fate);
    let mut text = String::new();
    if of(GarbageOutcome::Goes).next().is_some() {
        text.push_str("Nothing refers to these files any more:\n");
    }
    for kind in [GarbageKind::Object, GarbageKind::Original, GarbageKind::Leftover, GarbageKind::Remnant] {
        let going: Vec<_> = of(GarbageOutcome::Goes).filter(|file| file.kind == kind).collect();
        if going.is_empty() {
            continue;
        }
        let sum = GarbageSum::of(going.iter().copied());
        let (thing, beside) = match kind {
            GarbageKind::Original => ("original", ""),
            GarbageKind::Object => ("published file", ""),
            GarbageKind::Leftover => ("file", ", whose deletion was begun before"),
            GarbageKind::Remnant => ("unfinished file", ", left by killed runs more than a day ago"),
        };
        text.push_str(&format!("\n  {}, {}{beside}\n", count(sum.files, thing), size(sum.bytes)));
        let shown = if style.listing == ListLength::All { going.len() } else { NAMED_MAX };
        for file in going.iter().take(shown) {
            text.push_str(&format!("    {}\n", terminal(file.path)));
        }
        if going.len() > shown {
            text.push_str(&format!("    … and {} more (`-v` names them)\n", number((going.len() - shown) as u64)));
        }
    }
    let stays =
        [GarbageOutcome::Unpublished, GarbageOutcome::Recent, GarbageOutcome::NamedByRow, GarbageOutcome::UnderWay];
    let stays = stays.map(|fate| stays_line(fate, of(fate), window)).concat();
    if !text.is_empty() && !stays.is_empty() {
        text.push('\n');
    }
    text + &stays
}

/// Returns a line that says how many files stay, and why; empty where there are none.
fn stays_line<'g>(fate: GarbageOutcome, files: impl Iterator<Item = &'g GarbageFile<'g>>, window: u64) -> String {
    let files: Vec<&GarbageFile<'_>> = files.collect();
    let sum = GarbageSum::of(files.iter().copied());
    if sum.files == 0 {
        return String::new();
    }
    let (is, was, names) = if sum.files == 1 { ("is", "was", "it") } else { ("are", "were", "them") };
    let oldest = files.iter().map(|file| file.age).max().unwrap_or_default();
    let why = match fate {
        GarbageOutcome::Goes => return String::new(),
        GarbageOutcome::Unpublished => {
            format!(
                "that {was} paid for and never published: only who asks for it deletes {names} (`pixform gc --help`)"
            )
        }
        GarbageOutcome::Recent => format!(
            "that something still referred to in the last {}; the first can go in {}",
            age(window),
            until(window.saturating_sub(oldest))
        ),
        GarbageOutcome::NamedByRow => {
            format!("that {is} named by a row though by no record, or the original of such a file")
        }
        GarbageOutcome::UnderWay => format!("whose call {is} not over"),
    };
    let thing =
        if fate == GarbageOutcome::Unpublished || fate == GarbageOutcome::UnderWay { "original" } else { "file" };
    format!("stays: {}, {}, {why}\n", count(sum.files, thing), size(sum.bytes))
}

/// Returns the last line: what was deleted, or would be.
pub fn garbage_summary(sum: GarbageSum, deleted: Deleted) -> String {
    let what = format!("{}, {}", count(sum.files, "file"), size(sum.bytes));
    match (deleted, sum.files) {
        (Deleted::NotYet, 0) => "Nothing to delete.\n".to_owned(),
        (Deleted::NotYet, _) => format!("Would delete {what}.\n"),
        (Deleted::Done, 0) => "Deleted: nothing.\n".to_owned(),
        (Deleted::Done, _) => format!("Deleted: {what}.\n"),
    }
}

/// Whether files are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// They would go.
    NotYet,
    /// They are gone.
    Done,
}

/// Writes a size as people read it: `512 bytes`, `8.4 kB`, `1.2 MB`.
fn size(bytes: u64) -> String {
    let [kilo, mega, giga] = [1_000, 1_000_000, 1_000_000_000];
    let parts = |unit: u64, name: &str| format!("{}.{} {name}", number(bytes / unit), bytes % unit / (unit / 10));
    match bytes {
        _ if bytes < kilo => count(bytes, "byte"),
        _ if bytes < mega => parts(kilo, "kB"),
        _ if bytes < giga => parts(mega, "MB"),
        _ => parts(giga, "GB"),
    }
}

/// Writes an age as people read it: `30 days`, `12 hours`.
fn age(seconds: u64) -> String {
    let (minute, hour, day) = (60, 3_600, 86_400);
    match seconds {
        _ if seconds >= 2 * day || seconds == day => count(seconds / day, "day"),
        _ if seconds >= 2 * hour || seconds == hour => count(seconds / hour, "hour"),
        _ if seconds >= 2 * minute => count(seconds / minute, "minute"),
        _ => count(seconds, "second"),
    }
}

/// Writes how long something is still waited for: rounded up, for nothing goes before.
fn until(seconds: u64) -> String {
    let unit = [86_400, 3_600, 60].into_iter().find(|unit| seconds >= 2 * unit).unwrap_or(1);
    age(seconds.div_ceil(unit) * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_told_as_people_read_them() {
        let sizes = [0, 1, 999, 1_000, 8_449, 1_260_000, 31_000_000_000].map(size);
        assert_eq!(sizes.join(", "), "0 bytes, 1 byte, 999 bytes, 1.0 kB, 8.4 kB, 1.2 MB, 31.0 GB");
        let ages = [0, 1, 90, 150, 3_600, 43_200, 86_400, 30 * 86_400].map(age);
        let expected = "0 seconds, 1 second, 90 seconds, 2 minutes, 1 hour, 12 hours, 1 day, 30 days";
        assert_eq!(ages.join(", "), expected);
    }

    #[test]
    fn what_goes_is_named_and_what_stays_is_explained() {
        let file = |path, kind, age, fate| GarbageFile { path, kind, bytes: 1_500, age, fate };
        let day = 86_400;
        let files = [
            file("originals/aa/1.png", GarbageKind::Original, 40 * day, GarbageOutcome::Goes),
            file("people/1\u{1b}[2J.jpg", GarbageKind::Object, 40 * day, GarbageOutcome::Goes),
            file("people/2.jpg", GarbageKind::Object, 41 * day, GarbageOutcome::Goes),
            file("people/3.jpg", GarbageKind::Object, 42 * day, GarbageOutcome::Goes),
            file("people/4.jpg", GarbageKind::Object, 43 * day, GarbageOutcome::Goes),
            file("people/5.jpg", GarbageKind::Object, 27 * day, GarbageOutcome::Recent),
            file("originals/bb/2.png", GarbageKind::Original, 90 * day, GarbageOutcome::Unpublished),
            file("people/6.jpg", GarbageKind::Object, 90 * day, GarbageOutcome::NamedByRow),
            file("originals/cc/3.png", GarbageKind::Original, 90 * day, GarbageOutcome::UnderWay),
        ];
        insta::assert_snapshot!(garbage_text(&files, 30 * day, PlanStyle::default()), @r"
        Nothing refers to these files any more:

          4 published files, 6.0 kB
            people/1␛[2J.jpg
            people/2.jpg
            people/3.jpg
            … and 1 more (`-v` names them)

          1 original, 1.5 kB
            originals/aa/1.png

        stays: 1 original, 1.5 kB, that was paid for and never published: only who asks for it deletes it (`pixform gc --help`)
        stays: 1 file, 1.5 kB, that something still referred to in the last 30 days; the first can go in 3 days
        stays: 1 file, 1.5 kB, that is named by a row though by no record, or the original of such a file
        stays: 1 original, 1.5 kB, whose call is not over
        ");
        insta::assert_snapshot!(garbage_text(&files[5..6], 30 * day, PlanStyle::default()), @"stays: 1 file, 1.5 kB, that something still referred to in the last 30 days; the first can go in 3 days");
        let sum = GarbageSum::of(files.iter());
        let lines = [(sum, Deleted::NotYet), (sum, Deleted::Done), (GarbageSum::default(), Deleted::NotYet)];
        let lines: String = lines.map(|(sum, deleted)| garbage_summary(sum, deleted)).concat();
        insta::assert_snapshot!(lines, @r"
        Would delete 9 files, 13.5 kB.
        Deleted: 9 files, 13.5 kB.
        Nothing to delete.
        ");
    }
}
