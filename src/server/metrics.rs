//! Numbers for Prometheus: requests, how long they took, rows, drift, what calls cost.
//!
//! A handful of counters is kept here and written as text. Source of the format:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>, read 2026-11-25.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::snapshot::Snapshot;

/// The upper bounds of how long an answer took, in microseconds.
const BOUNDS: [u64; 12] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000, 5_000_000];

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerPart {
    /// Rows.
    Api,
    /// Published files.
    Files,
    /// Pages for people.
    Pages,
    /// Questions about the server.
    Operations,
}

impl ServerPart {
    const ALL: [Self; 4] = [Self::Api, Self::Files, Self::Pages, Self::Operations];

    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Files => "files",
            Self::Pages => "pages",
            Self::Operations => "operations",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub struct Metrics {
    parts: [Counters; 4],
    /// Connections that are open.
    pub connections: AtomicU64,
}

#[derive(Debug, Default)]
struct Counters {
    /// By the first digit of the status.
    statuses: [AtomicU64; 6],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    micros: AtomicU64,
}

/// What calls cost so far, in millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Costs {
    /// Lines of the ledger.
    pub calls: u64,
    /// What was charged.
    pub charged: u64,
    /// What may have been charged beside it.
    pub maybe: u64,
}

impl Metrics {
    /// Counts an answer.
    pub fn count(&self, part: ServerPart, status: u16, took: Duration) {
        let counters = &self.parts[part as usize];
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| micros <= *bound).unwrap_or(BOUNDS.len());
        counters.statuses[usize::from(status / 100).min(5)].fetch_add(1, Ordering::Relaxed);
        counters.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        counters.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Writes all numbers down. `drifted` is known only where manifests are served.
    pub fn text(&self, snapshot: &Snapshot, costs: Costs, drifted: Option<u64>) -> String {
        let mut text = String::new();
        self.requests(&mut text);
        head(&mut text, "pixform_connections", "gauge", "Connections that are open.");
        let _ = writeln!(text, "pixform_connections {}", self.connections.load(Ordering::Relaxed));
        collections(&mut text, snapshot);
        if let Some(drifted) = drifted {
            head(&mut text, "pixform_plan_drift", "gauge", "Assets that the last plan found edited or lost.");
            let _ = writeln!(text, "pixform_plan_drift {drifted}");
        }
        head(&mut text, "pixform_ledger_calls", "gauge", "Lines of the ledger.");
        let _ = writeln!(text, "pixform_ledger_calls {}", costs.calls);
        head(&mut text, "pixform_ledger_dollars", "gauge", "What calls cost by the configured price.");
        for (charge, micros) in [("charged", costs.charged), ("maybe", costs.maybe)] {
            let _ = writeln!(text, "pixform_ledger_dollars{{charge=\"{charge}\"}} {}", micros as f64 / 1e6);
        }
        text
    }

    fn requests(&self, text: &mut String) {
        let name = "pixform_http_requests_total";
        head(text, name, "counter", "Requests that were answered.");
        for (part, counters) in ServerPart::ALL.iter().zip(&self.parts) {
            for (class, count) in counters.statuses.iter().enumerate().skip(1) {
                let count = count.load(Ordering::Relaxed);
                let _ = writeln!(text, "{name}{{part=\"{}\",status=\"{class}xx\"}} {count}", part.name());
            }
        }
        let name = "pixform_http_request_duration_seconds";
        head(text, name, "histogram", "Until an answer began.");
        for (part, counters) in ServerPart::ALL.iter().zip(&self.parts) {
            let (part, mut sum) = (part.name(), 0);
            for (bound, count) in BOUNDS.iter().zip(&counters.buckets) {
                sum += count.load(Ordering::Relaxed);
                let _ = writeln!(text, "{name}_bucket{{part=\"{part}\",le=\"{}\"}} {sum}", *bound as f64 / 1e6);
            }
            sum += counters.buckets[BOUNDS.len()].load(Ordering::Relaxed);
            let _ = writeln!(text, "{name}_bucket{{part=\"{part}\",le=\"+Inf\"}} {sum}");
            let seconds = counters.micros.load(Ordering::Relaxed) as f64 / 1e6;
            let _ = writeln!(text, "{name}_sum{{part=\"{part}\"}} {seconds}\n{name}_count{{part=\"{part}\"}} {sum}");
        }
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// The names of collections need no escaping: they are letters, digits and dashes.
fn collections(text: &mut String, snapshot: &Snapshot) {
    head(text, "pixform_rows", "gauge", "Rows that are published.");
    for (name, collection) in &snapshot.collections {
        let rows = collection.shown().filter(|shown| shown.row.is_some()).count();
        let _ = writeln!(text, "pixform_rows{{collection=\"{name}\"}} {rows}");
    }
    head(text, "pixform_drift", "gauge", "Rows that somebody edited or deleted.");
    for (name, collection) in &snapshot.collections {
        for (kind, count) in [("edited", collection.edited), ("gone", collection.gone)] {
            let _ = writeln!(text, "pixform_drift{{collection=\"{name}\",kind=\"{kind}\"}} {count}");
        }
    }
}
