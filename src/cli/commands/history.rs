//! `pixform history [KEY]`

use std::collections::BTreeMap;

use crate::asset::{AssetKey, CollectionName};
use crate::engine;
use crate::render::{self, EventLine, HistoryCosts, HistoryEntry, HistoryGroup};
use crate::state::{self, Access, HistoryLine, HistoryQuery};

use crate::cli::ledger_entry::entry;
use crate::cli::{Failure, Global, Output, context};

/// Most lines that are shown: they are held until the state is left alone again.
const LINES_MAX: u64 = 100_000;

/// Arguments of `history`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this asset: `age/70+/anime`, or `collection:age/70+/anime`
    #[arg(value_parser = asked)]
    key: Option<AskedAsset>,
    /// Only calls that are no older than this: 90m, 12h, 30d, 2w
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<i64>,
    /// Show so many calls, the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=LINES_MAX))]
    limit: u64,
    /// Show what the calls cost instead
    #[arg(long, conflicts_with = "limit")]
    cost: bool,
    /// By what costs are summed up; several with commas between
    #[arg(long, value_enum, value_delimiter = ',', default_value = "collection", requires = "cost")]
    by: Vec<By>,
}

/// An asset that is asked for, declared or not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AskedAsset {
    collection: Option<CollectionName>,
    key: AssetKey,
}

/// What calls may have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum By {
    Collection,
    Model,
    Generator,
    Status,
    Actor,
    Month,
    Day,
    Run,
}

/// Shows the ledger, or what is in it in dollars.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let state = state::open(environment.settings.state.expose(), Access::Read).await?;
    let wanted = HistoryQuery {
        collection: args.key.as_ref().and_then(|asked| asked.collection.clone()),
        key: args.key.as_ref().map(|asked| asked.key.clone()),
        since: args.since.map(|ago| engine::now().saturating_mul(1_000).saturating_sub(ago)),
        of: None,
        limit: None,
    };
    let named_once = |(at, by): (usize, &By)| (!args.by[..at].contains(by)).then_some(*by);
    let by: Vec<By> = args.by.iter().enumerate().filter_map(named_once).collect();
    let (mut all, mut shown, mut groups) = (HistoryCosts::default(), Vec::new(), BTreeMap::new());
    // Nothing is printed before the last line was read: a reader of what is printed must not hold up writers.
    let mut take = |line: HistoryLine| {
        let entry = entry(line);
        all.add(&entry);
        if args.cost {
            let values: Vec<_> = by.iter().map(|by| by.value(&entry)).collect();
            groups.entry(values).or_insert_with(HistoryCosts::default).add(&entry);
        } else if (shown.len() as u64) < args.limit {
            shown.push(entry);
        }
    };
    state.history(&wanted, &mut take).await?;
    let groups: Vec<_> = groups.into_iter().map(|(values, costs)| HistoryGroup { values, costs }).collect();
    let headings: Vec<&str> = by.iter().map(|by| by.heading()).collect();
    match (output.is_json(), args.cost) {
        (false, false) => output.data(&render::history_text(&shown, all)),
        (false, true) => output.data(&render::history_costs_text(&headings, &groups, all)),
        (true, _) => {
            shown.iter().for_each(|entry| output.event(&EventLine::history_call(entry)));
            groups
                .iter()
                .for_each(|group| output.event(&EventLine::history_cost(&headings, &group.values, group.costs)));
            output.event(&EventLine::history_cost(&[], &[], all));
        }
    }
    Ok(0)
}

impl By {
    fn heading(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::Model => "model",
            Self::Generator => "generator",
            Self::Status => "status",
            Self::Actor => "actor",
            Self::Month => "month",
            Self::Day => "day",
            Self::Run => "run",
        }
    }

    fn value(self, entry: &HistoryEntry) -> Option<String> {
        let call = &entry.call;
        match self {
            Self::Collection => Some(call.collection.to_string()),
            Self::Model => call.model.clone(),
            Self::Generator => Some(call.service.clone()),
            Self::Status => Some(call.status.name().to_owned()),
            Self::Actor => entry.actor.clone(),
            Self::Month => entry.time.get(..7).map(str::to_owned),
            Self::Day => entry.time.get(..10).map(str::to_owned),
            Self::Run => Some(call.run.clone()),
        }
    }
}

/// Reads `key` or `collection:key`.
fn asked(text: &str) -> Result<AskedAsset, String> {
    let (collection, key) = match text.split_once(':') {
        Some((collection, key)) => {
            (Some(collection.parse::<CollectionName>().map_err(|error| error.to_string())?), key)
        }
        None => (None, text),
    };
    Ok(AskedAsset { collection, key: key.parse::<AssetKey>().map_err(|error| error.to_string())? })
}

/// Reads a stretch of time as milliseconds.
fn since(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time; write 90m, 12h, 30d or 2w");
    let unit = text.char_indices().next_back().map(|(at, _)| at).ok_or_else(wrong)?;
    let (count, unit) = text.split_at(unit);
    let minutes: i64 = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        "w" => 7 * 24 * 60,
        _ => return Err(wrong()),
    };
    let count = count.parse::<u32>().map_err(|_| wrong())?;
    i64::from(count).checked_mul(minutes * 60_000).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_of_time_is_digits_and_a_unit() {
        for (text, minutes) in [("90m", 90), ("12h", 720), ("30d", 43_200), ("2w", 20_160), ("0d", 0)] {
            assert_eq!(since(text), Ok(minutes * 60_000));
        }
        assert!(since("4294967295w").is_ok());
        for wrong in ["", "d", "30", "30s", "-1d", "1.5h", "4294967296w", "1\u{2003}d", "1\u{e9}"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_asset_is_asked_for_by_key_and_perhaps_collection() {
        let bare = AskedAsset { collection: None, key: "age/70+/anime".parse().unwrap() };
        assert_eq!(asked("age/70+/anime"), Ok(bare.clone()));
        let named = AskedAsset { collection: Some("people".parse().unwrap()), ..bare };
        assert_eq!(asked("people:age/70+/anime"), Ok(named));
        for wrong in ["", "a//b", ":a/b", "people:", "a b:c"] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }
}
