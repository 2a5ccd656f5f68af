//! The ledger in words: one line a call, or what groups of calls cost.
//!
//! A call costs what its service told, or else the configured price; what a call may have cost without anybody knowing is
//! counted apart.

use crate::asset::MicroUsd;
use crate::record::{Call, CallCharge, CallStatus, Decision, Sender};

use super::quantities;
use super::visible_text::terminal;

/// How wide a column gets at most, in characters; a longer text sticks out.
const WIDTH_MAX: usize = 60;
/// How much of a commit is shown.
const COMMIT_DIGITS: usize = 8;

/// A call, with what is known of the run that sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When it was written, as RFC 3339 text in UTC to the second.
    pub time: String,
    /// The ledger line.
    pub call: Call,
    /// Whether its run has ended: an open question that it left stays one.
    pub ended: bool,
    /// The run's command.
    pub command: Option<String>,
    /// The run's host.
    pub host: Option<String>,
    /// Who began the run.
    pub actor: Option<String>,
    /// The commit that the run was for.
    pub commit: Option<String>,
    /// Where the run's log is.
    pub run_url: Option<String>,
}

/// What several calls cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HistoryCosts {
    /// How many calls.
    pub calls: u64,
    /// What those that were charged were to cost, by the configured price.
    pub estimated: MicroUsd,
    /// What was charged: what services told, or else the estimate.
    pub charged: MicroUsd,
    /// What may have been charged beside it.
    pub maybe: MicroUsd,
}

/// Calls that are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryGroup {
    /// What they have in common, in the order of the headings; `None` where they have nothing there.
    pub values: Vec<Option<String>>,
    /// What they cost.
    pub costs: HistoryCosts,
}

impl HistoryEntry {
    /// Returns what was paid for the call.
    pub fn charge(&self) -> CallCharge {
        self.call.charge(if self.ended { Sender::Ended } else { Sender::AtWork })
    }
}

impl HistoryCosts {
    /// Counts one call more.
    pub fn add(&mut self, entry: &HistoryEntry) {
        let add = |sum: &mut MicroUsd, MicroUsd(more): MicroUsd| sum.0 = sum.0.saturating_add(more);
        self.calls += 1;
        match entry.charge() {
            CallCharge::Charged(cost) => {
                add(&mut self.charged, cost);
                add(&mut self.estimated, entry.call.estimate.amount());
            }
            CallCharge::Maybe(estimate) => add(&mut self.maybe, estimate),
            CallCharge::Nothing => {}
        }
    }
}

/// Returns calls as a table that is safe for a terminal; the last line has counts and money of all there are.
pub fn history_text(entries: &[HistoryEntry], all: HistoryCosts) -> String {
    if entries.is_empty() {
        return "No calls.\n".to_owned();
    }
    let headings = ["time (UTC)", "key", "status", "estimated", "cost", "generator", "actor", "commit"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    rows.extend(entries.iter().map(cells));
    let mut text = String::new();
    for (at, line) in table(&rows, &[3, 4]).into_iter().enumerate() {
        text.push_str(&line);
        let Some(entry) = at.checked_sub(1).map(|at| &entries[at]) else { continue };
        for (label, value) in [("reason", &entry.call.reason), ("run", &entry.run_url)] {
            if let Some(value) = value {
                text.push_str(&format!("    {label}: {}\n", terminal(value)));
            }
        }
    }
    format!("{text}\n{}", last_line(entries.len() as u64, all))
}

/// Returns what groups of calls cost as a table that is safe for a terminal; the last row has the sums.
pub fn history_costs_text(headings: &[&str], groups: &[HistoryGroup], all: HistoryCosts) -> String {
    if groups.is_empty() {
        return "No calls.\n".to_owned();
    }
    let money = ["calls", "estimated", "charged", "maybe charged"];
    let mut rows = vec![headings.iter().chain(&money).map(|heading| (*heading).to_owned()).collect()];
    rows.extend(groups.iter().map(|group| {
        let values = group.values.iter().map(|value| shown(value.as_deref()));
        values.chain(costs_cells(group.costs)).collect::<Vec<_>>()
    }));
    let total = std::iter::once("total".to_owned()).chain((1..headings.len()).map(|_| String::new()));
    rows.push(total.chain(costs_cells(all)).collect());
    let right: Vec<usize> = (headings.len()..headings.len() + money.len()).collect();
    format!(
        "Estimated at the configured price; charged is what services told, or else the estimate:\n\n{}",
        table(&rows, &right).concat()
    )
}

fn cells(entry: &HistoryEntry) -> Vec<String> {
    let HistoryEntry { time, call, ended: _, command: _, host: _, actor, commit, run_url: _ } = entry;
    let commit: Option<String> = commit.as_ref().map(|commit| commit.chars().take(COMMIT_DIGITS).collect());
    let generator = match &call.model {
        Some(model) => format!("{} ({model})", call.service),
        None => call.service.clone(),
    };
    vec![
        time.replace('T', " ").trim_end_matches('Z').to_owned(),
        terminal(&format!("{}:{}", call.collection, call.key)).into_owned(),
        status_words(entry),
        format!("${}", call.estimate.amount()),
        call.cost.map_or_else(|| "-".to_owned(), |cost| format!("${cost}")),
        terminal(&generator).into_owned(),
        shown(actor.as_deref()),
        shown(commit.as_deref()),
    ]
}

/// Returns what became of a call, and what was decided about it.
fn status_words(entry: &HistoryEntry) -> String {
    let status = match entry.call.status {
        CallStatus::Intended if entry.ended => "sent or not: unknown",
        CallStatus::Intended => "about to be sent",
        CallStatus::Submitted => "sent, in the making",
        CallStatus::Received => "received, not stored yet",
        CallStatus::Finished => "finished",
        CallStatus::Refused => "refused",
        CallStatus::Failed => "failed",
        CallStatus::Judged => "judged, no picture",
        CallStatus::Rejected => "paid, rejected",
        CallStatus::Lost => "paid, lost",
        CallStatus::Unknown => "sent, no answer",
    };
    match entry.call.decision {
        None => status.to_owned(),
        Some(Decision::Retried) => format!("{status}; to be made again"),
        Some(Decision::Forgotten) => format!("{status}; forgotten"),
        Some(Decision::Accepted) => format!("{status}; accepted"),
    }
}

fn last_line(shown: u64, all: HistoryCosts) -> String {
    let HistoryCosts { calls, estimated, charged, maybe } = all;
    let newest = match shown < calls {
        true => format!(", the newest {} shown", quantities::number(shown)),
        false => String::new(),
    };
    let maybe = match maybe {
        MicroUsd(0) => String::new(),
        maybe => format!(", maybe charged ${maybe} more"),
    };
    let estimated = match estimated == charged {
        true => ", at the configured price".to_owned(),
        false => format!("; ${estimated} was estimated"),
    };
    format!("{}{newest}. Charged ${charged}{maybe}{estimated}.\n", quantities::count(calls, "call"))
}

fn costs_cells(costs: HistoryCosts) -> [String; 4] {
    let HistoryCosts { calls, estimated, charged, maybe } = costs;
    [quantities::number(calls), format!("${estimated}"), format!("${charged}"), format!("${maybe}")]
}

fn shown(value: Option<&str>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| terminal(value).into_owned())
}

/// Lays rows of safe text out in columns; returns a line for each.
fn table(rows: &[Vec<String>], right: &[usize]) -> Vec<String> {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default().min(WIDTH_MAX);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cell = |(at, cell): (usize, &String)| match right.contains(&at) {
            true => format!("{cell:>width$}", width = widths[at]),
            false => format!("{cell:width$}", width = widths[at]),
        };
        let line = row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::entry;
    use super::*;

    fn all(entries: &[HistoryEntry]) -> HistoryCosts {
        let mut all = HistoryCosts::default();
        entries.iter().for_each(|entry| all.add(entry));
        all
    }

    #[test]
    fn every_call_is_told_in_words_and_strangers_text_is_harmless() {
        let mut entries: Vec<_> = CallStatus::ALL.map(entry).into();
        entries.push(HistoryEntry { ended: true, ..entry(CallStatus::Intended) });
        for decision in Decision::ALL {
            let mut decided = entry(CallStatus::Rejected);
            decided.call.decision = Some(decision);
            entries.push(decided);
        }
        let mut odd = entry(CallStatus::Failed);
        odd.call.reason = Some("their\nwords \u{202e}".to_owned());
        odd.call.model = Some("sd\u{1b}[2J".to_owned());
        odd.actor = Some("ann\tb".to_owned());
        odd.commit = Some("0123456789abcdef".to_owned());
        odd.run_url = Some("https://ci.example.com/1".to_owned());
        entries.push(odd);
        let mut costs = all(&entries);
        costs.calls += 1_000;
        insta::assert_snapshot!(history_text(&entries, costs), @r"
        time (UTC)           key               status                            estimated  cost  generator         actor  commit
        2026-11-22 10:03:12  heroes:hero/dark  about to be sent                     $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  sent, in the making                  $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  received, not stored yet             $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  finished                             $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  refused                              $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  failed                               $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  judged, no picture                   $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  paid, rejected                       $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  paid, lost                           $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  sent, no answer                      $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  sent or not: unknown                 $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  paid, rejected; to be made again     $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  paid, rejected; forgotten            $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  paid, rejected; accepted             $0.015     -  painter           -      -
        2026-11-22 10:03:12  heroes:hero/dark  failed                               $0.015     -  painter (sd␛[2J)  ann␉b  01234567
            reason: their␊words \u{202e}
            run: https://ci.example.com/1

        1,015 calls, the newest 15 shown. Charged $0.12, maybe charged $0.075 more, at the configured price.
        ");
    }

    #[test]
    fn what_is_charged_what_may_be_and_what_is_not() {
        let charges = CallStatus::ALL.map(|status| (status.name(), entry(status).charge()));
        let estimate = MicroUsd(15_000);
        let of = |charge| charges.iter().filter(|(_, is)| *is == charge).map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(of(CallCharge::Charged(estimate)), ["submitted", "received", "finished", "rejected", "lost"]);
        assert_eq!(of(CallCharge::Maybe(estimate)), ["failed", "judged", "unknown"]);
        assert_eq!(of(CallCharge::Nothing), ["intended", "refused"]);
        assert_eq!(HistoryEntry { ended: true, ..entry(CallStatus::Intended) }.charge(), CallCharge::Maybe(estimate));
        let told = |status, cost| {
            let call = Call { cost: Some(MicroUsd(cost)), ..entry(status).call };
            HistoryEntry { call, ..entry(status) }
        };
        for (status, cost, charge) in [
            (CallStatus::Finished, 9_000, CallCharge::Charged(MicroUsd(9_000))),
            (CallStatus::Failed, 9_000, CallCharge::Charged(MicroUsd(9_000))),
            (CallStatus::Refused, 9_000, CallCharge::Charged(MicroUsd(9_000))),
            (CallStatus::Refused, 0, CallCharge::Nothing),
            (CallStatus::Submitted, 9_000, CallCharge::Charged(estimate)),
            (CallStatus::Submitted, 20_000, CallCharge::Charged(MicroUsd(20_000))),
        ] {
            assert_eq!(told(status, cost).charge(), charge, "{status:?}");
        }
        let both = all(&[told(CallStatus::Finished, 9_000), entry(CallStatus::Finished)]);
        assert_eq!((both.estimated, both.charged), (MicroUsd(30_000), MicroUsd(24_000)));
        let huge = |cost| told(CallStatus::Lost, cost);
        assert_eq!(all(&[huge(u64::MAX), huge(1)]).charged, MicroUsd(u64::MAX));
    }

    #[test]
    fn groups_are_told_with_their_sums() {
        let entries = [entry(CallStatus::Finished), entry(CallStatus::Unknown), entry(CallStatus::Refused)];
        let groups = [
            HistoryGroup { values: vec![None, Some("heroes".to_owned())], costs: all(&entries[..1]) },
            HistoryGroup {
                values: vec![Some("a\u{9b}".to_owned()), Some("others".to_owned())],
                costs: all(&entries[1..]),
            },
        ];
        insta::assert_snapshot!(history_costs_text(&["actor", "collection"], &groups, all(&entries)), @r"
        Estimated at the configured price; charged is what services told, or else the estimate:

        actor    collection  calls  estimated  charged  maybe charged
        -        heroes          1     $0.015   $0.015          $0.00
        a\u{9b}  others          2      $0.00    $0.00         $0.015
        total                    3     $0.015   $0.015         $0.015
        ");
        assert_eq!(history_costs_text(&["actor"], &[], HistoryCosts::default()), "No calls.\n");
        assert_eq!(history_text(&[], HistoryCosts::default()), "No calls.\n");
    }
}
