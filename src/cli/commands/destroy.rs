//! `pixform destroy NAME`

use crate::apply::Leases;
use crate::asset::{AssetKey, CollectionName, TableSpec};
use crate::engine;
use crate::record::RecordHead;
use crate::state::{Access, Commit, ScanVisitor};
use crate::storage::{StoreDecision, TakeStorage};

use crate::cli::arguments::WaitArgs;
use crate::cli::confirm::answered;
use crate::cli::{Failure, Global, Output, context};

/// Arguments of `destroy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The collection
    collection: String,
    /// Go on without asking
    #[arg(long)]
    yes: bool,
    /// Take the storage over, whatever its marker says
    #[arg(long)]
    take_storage: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Rows and records that go in one transaction.
const BATCH: usize = 500;

#[derive(Default)]
struct CollectionKeys {
    all: Vec<AssetKey>,
    protected: Vec<String>,
}

impl ScanVisitor for CollectionKeys {
    fn record(&mut self, head: RecordHead<'_>) {
        self.all.extend(head.key.parse::<AssetKey>().ok());
        if head.protect {
            self.protected.push(head.key.to_owned());
        }
    }

    fn row(&mut self, _: &str, _: crate::digest::SeenDigest) {}
}

/// Deletes the rows and records of a collection.
pub async fn run(args: &Args, global: &Global, output: &Output) -> Result<u8, Failure> {
    let environment = context::environment(global, output)?;
    let name: CollectionName = args
        .collection
        .parse()
        .map_err(|error: crate::asset::NameError| Failure::usage(error.to_string(), "name one collection"))?;
    let world = environment.open(Access::Read).await?;
    let known = world.state.known().await?;
    let Some(collection) = known.collections.iter().find(|known| known.name == name) else {
        let help = "`pixform list` shows what is declared; only what was applied can be destroyed";
        return Err(Failure::usage(format!("the state knows no collection `{name}`"), help));
    };
    let take = if args.take_storage { TakeStorage::Yes } else { TakeStorage::No };
    let (_, decision) = world.store(&known, engine::now(), take).await?;
    if let StoreDecision::Refused(refusal) = decision {
        return Err(crate::apply::ApplyError::Refused(refusal).into());
    }
    let mut keys = CollectionKeys::default();
    world.state.scan(&name, None, &mut keys).await?;
    if let Some(first) = keys.protected.first() {
        output.talk(&format!(
            "refused: `{first}` is protected; write `protect: false` where it is declared, apply, and destroy then"
        ));
        return Err(Failure::Refused);
    }
    let count = keys.all.len();
    output.data(&format!(
        "{name}: {count} rows and records will be deleted; files and originals stay until `pixform gc`, which takes them after 30 days. Until then a later apply finds the originals again.\n"
    ));
    if !args.yes {
        if !output.can_ask() {
            let message = "destroy asks before it deletes, and there is no terminal to ask on";
            return Err(Failure::usage(message, format!("run it on a terminal; {}", answered("destroy"))));
        }
        if !output.ask(&format!("Delete them from `{}`?", environment.name())) {
            return Err(Failure::Declined);
        }
    }
    let table = collection.table.clone().map(|table| TableSpec {
        name: table,
        key: collection.key.clone(),
        columns: Vec::new(),
    });
    let world = environment.open(Access::Write).await?;
    let run = engine::begin_run(&world, &environment, &context::start("destroy", take), None, output).await?;
    let leases = Leases::take(&*world.state, std::slice::from_ref(&name), &run, args.wait.seconds).await?;
    let deleted = delete(&world, &leases, &name, table.as_ref(), &keys.all).await;
    leases.release(&*world.state).await;
    engine::end_run(&world, &run, deleted).await?;
    output.data(&format!("Destroyed: {count} deleted. Cost: $0.00.\n"));
    Ok(0)
}

async fn delete(
    world: &crate::world::World,
    leases: &Leases,
    name: &CollectionName,
    table: Option<&TableSpec>,
    keys: &[AssetKey],
) -> Result<(), Failure> {
    let lease = leases.of(name)?;
    for batch in keys.chunks(BATCH) {
        let commit = Commit { delete: batch.to_vec(), ..Commit::default() };
        world.state.commit(lease, table, &commit).await?;
    }
    world.state.forget_collection(lease).await?;
    Ok(())
}
