//! Lines of the ledger as people read them.

use crate::process::Liveness;
use crate::record::CallStatus;
use crate::render::HistoryEntry;
use crate::state::{self, HistoryLine};

/// Returns a line of the ledger as people read it.
pub fn entry(HistoryLine { call, run }: HistoryLine) -> HistoryEntry {
    let time = jiff::Timestamp::from_second(call.created_at.div_euclid(1_000));
    let time = time.map(|time| time.to_string()).unwrap_or_default();
    let (command, host, origin) = match &run {
        Some(run) => (Some(run.command.clone()), Some(run.process.host.clone()), run.origin.clone()),
        None => Default::default(),
    };
    let ended = match &run {
        // Looking at a process costs; only here it matters.
        Some(run) if call.status == CallStatus::Intended => run.ended || run.process.liveness() == Liveness::Dead,
        Some(run) => run.ended,
        None => true,
    };
    let state::RunOrigin { actor, commit, run_url, branch: _, pull_request: _ } = origin;
    HistoryEntry { time, call, ended, command, host, actor, commit, run_url }
}
