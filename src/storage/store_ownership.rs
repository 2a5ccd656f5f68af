//! Whose storage it is: what a state may do with a store, given the marker that it found there.
//!
//! Two states that write to one store would delete and overwrite each other's pictures, and a store that is not the one
//! a state remembers makes every picture look lost, hence bought again. So both are refused before anything is done.
//! Pure: what is seen and the time are arguments. Reading and writing the marker is left to `marker`.

use std::fmt;

use super::Marker;

/// How long an owner must not have run before a state without records may take its store, in seconds.
pub const IDLE_SECONDS_MIN: i64 = 3_600;

/// What a state says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateView<'s> {
    /// The id of the store that it knows, if it has used one.
    pub known_store: Option<&'s str>,
    /// Its own id, if it has one already.
    pub state_id: Option<&'s str>,
    /// Whether it remembers any asset.
    pub records: StateRecords,
}

/// Whether a state remembers any asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateRecords {
    /// It is new, or was lost and made anew.
    None,
    /// It remembers some.
    Some,
}

/// Whether the user insists: `--take-storage`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeStorage {
    /// By the rules.
    No,
    /// Whatever the marker says.
    Yes,
}

/// What a state may do with a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreDecision {
    /// It owns the store.
    Ours,
    /// Nobody does: it is claimed under a new id.
    New,
    /// It becomes the owner: of the store that the marker names, or of a new one where the marker is gone.
    TakeOver {
        /// The state that owned it; `None` where the marker is gone.
        from: Option<String>,
    },
    /// It must leave the store alone.
    Refused(StoreRefusal),
}

/// Why a state must leave a store alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreRefusal {
    /// The state knows another store.
    #[error("this state knows the store `{known}`, but the storage holds the store `{found}`")]
    KnowsAnother {
        /// The store that it knows.
        known: String,
        /// The store that is there.
        found: String,
    },
    /// The state knows a store, and there is no marker.
    #[error("this state knows the store `{known}`, but the storage has no `{}`", super::MARKER_PATH)]
    MarkerGone {
        /// The store that it knows.
        known: String,
    },
    /// The store belongs to another state.
    #[error(
        "the storage belongs to the state `{owner}`{}, which last ran {}",
        Noted(.owner_note.as_deref()),
        Ago(*.seconds_since_last_run)
    )]
    OwnedByAnother {
        /// The owner.
        owner: String,
        /// What tells people which state that is.
        owner_note: Option<String>,
        /// How long ago the owner ran; 0 where its clock is ahead of ours.
        seconds_since_last_run: i64,
    },
}

impl StoreRefusal {
    /// Returns what the user can do, as one sentence. How a store is taken over is not said in it: what is named gets
    /// copied, and a state that takes the wrong store buys all of its pictures again.
    pub fn way_out(&self) -> &'static str {
        match self {
            Self::KnowsAnother { .. } => {
                "check the environment's `storage`: where its files are to move, write the old store beside the new one, \
                 as in `previous: \"s3://OLD\"`, and they are copied for nothing; how another store is taken over: `pixform apply --help`"
            }
            Self::MarkerGone { .. } => {
                "check the environment's `storage`, and that its key may list it: where its files are to move, write the \
                 old store beside the new one, as in `previous: \"s3://OLD\"`, and they are copied for nothing; where they \
                 are lost: `pixform apply --help`"
            }
            Self::OwnedByAnother { .. } => {
                "use the state that owns it; how its storage is taken over where that state is lost: `pixform apply --help`"
            }
        }
    }
}

/// Decides what a state may do with the store whose marker was found, at a time in seconds since 1970.
pub fn decide(state: StateView<'_>, marker: Option<&Marker>, now: i64, take: TakeStorage) -> StoreDecision {
    let StateView { known_store, state_id, records } = state;
    let (refusal, from) = match (marker, known_store) {
        (None, None) => return StoreDecision::New,
        (None, Some(known)) => (StoreRefusal::MarkerGone { known: known.to_owned() }, None),
        (Some(Marker { store, owner, owner_note, last_run, told_open: _, visited: _ }), known) => {
            let from = Some(owner.clone());
            // An owner whose clock is ahead has run just now.
            let idle = now.saturating_sub(*last_run).max(0);
            match known {
                Some(known) if known != store => {
                    (StoreRefusal::KnowsAnother { known: known.to_owned(), found: store.clone() }, from)
                }
                Some(_) | None if state_id == Some(owner) => return StoreDecision::Ours,
                Some(_) | None if records == StateRecords::None && idle >= IDLE_SECONDS_MIN => {
                    return StoreDecision::TakeOver { from };
                }
                Some(_) | None => (
                    StoreRefusal::OwnedByAnother {
                        owner: owner.clone(),
                        owner_note: owner_note.clone(),
                        seconds_since_last_run: idle,
                    },
                    from,
                ),
            }
        }
    };
    match take {
        TakeStorage::Yes => StoreDecision::TakeOver { from },
        TakeStorage::No => StoreDecision::Refused(refusal),
    }
}

/// A note in brackets, or nothing.
struct Noted<'n>(Option<&'n str>);

impl fmt::Display for Noted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |note| write!(f, " ({note})"))
    }
}

/// A span of time in its largest whole unit.
struct Ago(i64);

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
        match units.iter().find(|(seconds, _)| self.0 >= *seconds) {
            None => f.write_str("just now"),
            Some((seconds, unit)) if self.0 / seconds == 1 => write!(f, "1 {unit} ago"),
            Some((seconds, unit)) => write!(f, "{} {unit}s ago", self.0 / seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn state(known_store: Option<&'static str>, records: StateRecords) -> StateView<'static> {
        StateView { known_store, state_id: Some("me"), records }
    }

    fn marker(store: &str, owner: &str, idle: i64) -> Option<Marker> {
        let last_run = NOW.saturating_sub(idle);
        Some(Marker {
            store: store.into(),
            owner: owner.into(),
            owner_note: None,
            last_run,
            told_open: false,
            visited: false,
        })
    }

    fn told(decision: &StoreDecision) -> String {
        match decision {
            StoreDecision::Ours => "ours".into(),
            StoreDecision::New => "new".into(),
            StoreDecision::TakeOver { from } => format!("take over from {}", from.as_deref().unwrap_or("nobody")),
            StoreDecision::Refused(StoreRefusal::KnowsAnother { known, found }) => format!("knows {known} not {found}"),
            StoreDecision::Refused(StoreRefusal::MarkerGone { known }) => format!("{known} is gone"),
            StoreDecision::Refused(StoreRefusal::OwnedByAnother { owner, seconds_since_last_run, .. }) => {
                format!("{owner} ran {seconds_since_last_run} s ago")
            }
        }
    }

    #[test]
    fn a_store_is_used_by_one_state_only() {
        use StateRecords::{None as Empty, Some as Full};
        // What the state knows and has, what the marker says, what follows, and what follows with `--take-storage`.
        let cases = [
            (state(None, Empty), None, "new", "new"),
            (state(None, Full), None, "new", "new"),
            (state(Some("a"), Empty), None, "a is gone", "take over from nobody"),
            (state(Some("a"), Full), None, "a is gone", "take over from nobody"),
            (state(Some("a"), Full), marker("a", "me", 0), "ours", "ours"),
            (state(Some("a"), Empty), marker("a", "me", 9_999), "ours", "ours"),
            (state(None, Full), marker("a", "me", 0), "ours", "ours"),
            (state(None, Empty), marker("a", "me", 0), "ours", "ours"),
            (state(Some("a"), Full), marker("b", "you", 9_999), "knows a not b", "take over from you"),
            (state(Some("a"), Empty), marker("b", "you", 9_999), "knows a not b", "take over from you"),
            (state(Some("a"), Full), marker("b", "me", 0), "knows a not b", "take over from me"),
            (state(Some("a"), Full), marker("a", "you", 9_999), "you ran 9999 s ago", "take over from you"),
            (state(Some("a"), Empty), marker("a", "you", 9_999), "take over from you", "take over from you"),
            (state(Some("a"), Empty), marker("a", "you", 5), "you ran 5 s ago", "take over from you"),
            (state(None, Full), marker("a", "you", 9_999), "you ran 9999 s ago", "take over from you"),
            (state(None, Empty), marker("a", "you", 3_599), "you ran 3599 s ago", "take over from you"),
            (state(None, Empty), marker("a", "you", 3_600), "take over from you", "take over from you"),
            (state(None, Empty), marker("a", "you", -3_600), "you ran 0 s ago", "take over from you"),
            (state(None, Empty), marker("a", "you", i64::MAX), "take over from you", "take over from you"),
        ];
        for (state, marker, by_rules, insisted) in cases {
            let case = format!("{state:?} {marker:?}");
            assert_eq!(told(&decide(state, marker.as_ref(), NOW, TakeStorage::No)), by_rules, "{case}");
            assert_eq!(told(&decide(state, marker.as_ref(), NOW, TakeStorage::Yes)), insisted, "{case}");
        }
    }

    #[test]
    fn a_state_without_an_id_owns_nothing() {
        let nobody = StateView { state_id: None, ..state(None, StateRecords::None) };
        let decision = decide(nobody, marker("a", "you", 0).as_ref(), NOW, TakeStorage::No);
        assert_eq!(told(&decision), "you ran 0 s ago");
    }

    #[test]
    fn every_refusal_is_a_sentence_and_names_the_way_out() {
        let owned = |seconds_since_last_run, note: Option<&str>| StoreRefusal::OwnedByAnother {
            owner: "you".into(),
            owner_note: note.map(str::to_owned),
            seconds_since_last_run,
        };
        let refusals = [
            StoreRefusal::KnowsAnother { known: "a".into(), found: "b".into() },
            StoreRefusal::MarkerGone { known: "a".into() },
            owned(0, None),
            owned(61, Some("production on build-7")),
            owned(7_200, None),
            owned(180_000, None),
        ];
        let lines: Vec<_> = refusals.iter().map(|refusal| format!("{refusal}\n  {}", refusal.way_out())).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        this state knows the store `a`, but the storage holds the store `b`
          check the environment's `storage`: where its files are to move, write the old store beside the new one, as in `previous: "s3://OLD"`, and they are copied for nothing; how another store is taken over: `pixform apply --help`
        this state knows the store `a`, but the storage has no `originals/.pixform-store`
          check the environment's `storage`, and that its key may list it: where its files are to move, write the old store beside the new one, as in `previous: "s3://OLD"`, and they are copied for nothing; where they are lost: `pixform apply --help`
        the storage belongs to the state `you`, which last ran just now
          use the state that owns it; how its storage is taken over where that state is lost: `pixform apply --help`
        the storage belongs to the state `you` (production on build-7), which last ran 1 minute ago
          use the state that owns it; how its storage is taken over where that state is lost: `pixform apply --help`
        the storage belongs to the state `you`, which last ran 2 hours ago
          use the state that owns it; how its storage is taken over where that state is lost: `pixform apply --help`
        the storage belongs to the state `you`, which last ran 2 days ago
          use the state that owns it; how its storage is taken over where that state is lost: `pixform apply --help`
        "#);
    }
}
