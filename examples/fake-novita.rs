//! Serves the fake Novita of the tests, to try pixform from a shell without paying anybody.
//!
//! ```console
//! $ cargo run --example fake-novita -- --port 8787 --latency-ms 300 --rate 20 --chaos 0.1 --lose 1
//! listening on http://127.0.0.1:8787; key: test-key
//! $ curl -X POST http://127.0.0.1:8787/fake/faults -d '{"when": "once", "fault": {"submit": "lost_answer"}}'
//! $ curl http://127.0.0.1:8787/fake/charges
//! ```

#[path = "../tests/fake/mod.rs"]
mod fake;

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use clap::Parser;
use tokio::runtime;

use fake::FakeNovita;
use fake::behaviour::{Behaviour, Chaos};
use fake::script::OnSubmit;

/// Serves a fake Novita until Ctrl-C, and logs every charge.
#[derive(Parser)]
struct Args {
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How long a task takes
    #[arg(long, default_value_t = 300)]
    latency_ms: u64,
    /// Images a minute; 0 for no limit
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// The API key that is let in
    #[arg(long, default_value = "test-key")]
    key: String,
    /// The probability that a request fails, 0 to 1
    #[arg(long)]
    chaos: Option<f64>,
    /// Where the sequence of these failures starts
    #[arg(long, default_value_t = 1)]
    chaos_seed: u64,
    /// How many of the first orders are charged and get no answer
    #[arg(long, default_value_t = 0)]
    lose: u32,
}

fn main() -> io::Result<()> {
    let Args { port, latency_ms, rate, key, chaos, chaos_seed, lose } = Args::parse();
    tracing_subscriber::fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_target(false).init();
    let behaviour = Behaviour {
        key: key.clone(),
        latency: Duration::from_millis(latency_ms),
        rate: (rate > 0).then_some(rate),
        chaos: chaos.map(|rate| Chaos { seed: chaos_seed, rate }),
        ..Behaviour::default()
    };
    let fake = if port == 0 { FakeNovita::start(behaviour) } else { FakeNovita::start_at(port, behaviour)? };
    fake.fault_next(lose, OnSubmit::LostAnswer);
    println!("listening on {}; key: {key}", fake.base_url());
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(tokio::signal::ctrl_c())
}
