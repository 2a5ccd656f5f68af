//! `pixform serve`

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::server::{self, AccessEntry, AccessLog, HostName, Served, ServedManifests};
use crate::state::Access;
use crate::storage::PublicFiles;

use crate::cli::{Failure, Global, Output, context};

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to listen; anything but this machine itself is open to whoever can reach it
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Answer for this host, too, as in `pictures.example.com`; repeatable, `*` for all. This machine's own names and the
    /// address that is listened on are always answered for
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<HostName>,
    /// Show the rows that this role of the database may read, by its rights and policies: `anon` where there is such a role,
    /// else all that the role in the state's URL may read
    #[arg(long, value_name = "ROLE")]
    as_role: Option<String>,
    /// Serve the files of this folder at /create-character
    #[arg(long = "static", value_name = "DIR")]
    mounted: Option<PathBuf>,
    /// Show what these manifests would change at /plan, and drift on every page; without a name, those found as usual
    #[arg(long = "manifest", value_name = "MANIFEST", num_args = 0..)]
    manifests: Option<Vec<PathBuf>>,
    /// Let pages of this origin read the API, as in `https://shop.example.com`; repeatable, `*` for all
    #[arg(long = "cors", value_name = "ORIGIN", value_parser = origin)]
    origins: Vec<String>,
    /// Write a line of JSON for each request to stdout
    #[arg(long)]
    access_log: bool,
    /// Cut clients whose request takes longer, and answers that do: 500ms, 10s, 1m
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = patience)]
    patience: Duration,
}

/// Serves until it is told to stop.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let world = Arc::new(environment.open(Access::Read).await?);
    let readership = world.state.readership(args.as_role.as_deref()).await?;
    for warning in &readership.warnings {
        output.warn(&warning.message, &warning.help, None);
    }
    let files = PublicFiles::of(&environment.stores()?).map_err(crate::world::WorldError::from)?;
    let plans = match &args.manifests {
        None => None,
        Some(named) => {
            let commands = ["pixform plan", "pixform apply"].map(|command| output.command(command)).to_vec();
            let (world, listener) = (Arc::clone(&world), Arc::new(output.clone()));
            Some(Arc::new(ServedManifests::new(named.clone(), environment, world, commands, listener)?))
        }
    };
    let served = Served {
        world,
        reader: readership.reader,
        files,
        mounted: args.mounted.clone(),
        hosts: args.hosts.clone(),
        origins: args.origins.clone(),
        patience: args.patience,
        plans,
        log: args.access_log.then(log),
    };
    // Before anybody is told where it listens: whoever knows may send a signal.
    let stop = stop();
    let bound = server::bind(&args.listen, served).await?;
    if bound.address.ip().is_unspecified() && args.hosts.is_empty() {
        output.talk(
            "it answers for `localhost` and for the addresses of this machine; name others with `--host`, as in \
             `--host pictures.example.com`",
        );
    }
    output.talk(&format!("listening on http://{}/ (Ctrl-C stops it)", bound.address));
    bound.run(stop).await;
    output.talk("stopped");
    Ok(0)
}

/// Writes a line a request; one whole line at a time, whoever writes at the same moment.
fn log() -> AccessLog {
    Arc::new(|seen: &AccessEntry<'_>| {
        if let Ok(mut line) = serde_json::to_vec(seen) {
            line.push(b'\n');
            // A reader that has gone is no reason to stop answering.
            let _ = std::io::stdout().lock().write_all(&line);
        }
    })
}

/// Begins to listen for Ctrl-C and SIGTERM; ends with the first.
fn stop() -> impl Future<Output = ()> + Send + 'static {
    let waits = [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| {
        let incoming = signal(kind);
        Box::pin(async move {
            match incoming {
                Ok(mut incoming) => drop(incoming.recv().await),
                Err(_) => std::future::pending().await,
            }
        })
    });
    async move { drop(futures::future::select_all(waits).await) }
}

/// Reads an origin: a scheme, a host and perhaps a port, as browsers send it.
fn origin(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is no origin; write it as in `https://shop.example.com`, without a path");
    if text == "*" {
        return Ok(text.to_owned());
    }
    let url = url::Url::parse(text).map_err(|_| wrong())?;
    let origin = url.origin().ascii_serialization();
    if !matches!(url.scheme(), "http" | "https") || text.trim_end_matches('/') != origin {
        return Err(wrong());
    }
    Ok(origin)
}

/// Reads a time: digits and `ms`, `s` or `m`.
fn patience(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time from 100ms to 10m; write 500ms, 10s or 1m");
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (count, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err(wrong()),
    };
    let milliseconds = count.parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(wrong)?;
    match milliseconds {
        100..=600_000 => Ok(Duration::from_millis(milliseconds)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in ["https://shop.example.com", "http://localhost:3000", "*"] {
            assert_eq!(origin(good).as_deref(), Ok(good));
        }
        for wrong in ["shop.example.com", "https://shop.example.com/path", "https://a.example:443", "file:///x", ""] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn patience_has_bounds() {
        for (text, milliseconds) in [("100ms", 100), ("10s", 10_000), ("10m", 600_000)] {
            assert_eq!(patience(text), Ok(Duration::from_millis(milliseconds)));
        }
        for wrong in ["", "10", "s", "99ms", "11m", "18446744073709551615m", "1h"] {
            assert!(patience(wrong).is_err(), "{wrong}");
        }
    }
}
