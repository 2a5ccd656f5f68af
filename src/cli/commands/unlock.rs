//! `pixform unlock`

use crate::process::Liveness;
use crate::state::{Access, Holder};

use crate::cli::way_out::seconds;
use crate::cli::{Failure, Global, Output, context};

/// Arguments of `unlock`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The collection; all of them where none is named
    collection: Option<String>,
    /// Take the lease away from whoever has it
    #[arg(long)]
    force: bool,
}

/// Shows who holds which lease, and breaks it where that is asked for.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let world = environment.open(Access::Read).await?;
    let known = world.state.known().await?;
    let named = |name: &str| args.collection.as_deref().is_none_or(|wanted| wanted == name);
    let names: Vec<_> = known.collections.iter().map(|known| &known.name).filter(|name| named(name.as_str())).collect();
    if let (Some(wanted), true) = (&args.collection, names.is_empty()) {
        let known: Vec<&str> = known.collections.iter().map(|known| known.name.as_str()).collect();
        let help = match known.is_empty() {
            true => "nothing was applied to this environment yet".to_owned(),
            false => format!("it knows {}", known.join(", ")),
        };
        return Err(Failure::usage(format!("the state knows no collection `{wanted}`"), help));
    }
    let mut held = Vec::new();
    for name in names {
        held.extend(world.state.holder(name).await?);
    }
    if held.is_empty() {
        output.data("Nobody holds a lease.\n");
        return Ok(0);
    }
    for holder in &held {
        output.data(&describe(holder));
    }
    if !args.force {
        output.talk("where that run is known to be dead, its lease can be broken: the help says how");
        output.next("pixform unlock --help");
        return Ok(0);
    }
    let world = environment.open(Access::Write).await?;
    for holder in held {
        world.state.break_lease(&holder.collection).await?;
        output.data(&format!("The lease on {} is broken: that run commits nothing any more.\n", holder.collection));
    }
    Ok(0)
}

fn describe(holder: &Holder) -> String {
    let Holder { collection, run, since, expires, now } = holder;
    let alive = match run.process.liveness() {
        Liveness::Alive => "it is running",
        Liveness::Dead => "it is gone: the next apply takes the lease by itself",
        Liveness::Unknown => "whether it is running cannot be told from here",
    };
    let end = if expires > now {
        format!("ends in {} unless renewed", seconds(expires - now))
    } else {
        "has ended".to_owned()
    };
    format!(
        "{collection}: held by process {} on {} ({}) for {}, {end}; {alive}\n",
        run.process.pid,
        run.process.host,
        run.command,
        seconds(now - since)
    )
}
