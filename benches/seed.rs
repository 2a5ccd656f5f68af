//! Environments in which there is nothing to do, of any size and with any state.

use std::path::{Path, PathBuf};

use pixform::asset::{Asset, Assets, Heads};
use pixform::digest::{ContentDigest, SeenDigest};
use pixform::manifest::Manifest;
use pixform::plan::row_inputs;
use pixform::process::{Liveness, Process};
use pixform::record::{Original, Published, Record, RecordedRow, outputs};
use pixform::state::{Access, Commit, Lease, LeaseAnswer, Put, Run, RunOrigin, State};
use pixform::storage::{Marker, Overwrite, StoreOptions, write_marker};

use crate::manifests::{Shape, URL_BASE, manifest, rules};

/// The state that is built in.
pub const SQLITE: &str = "sqlite:.pixform/state.db";

/// Returns the built-in environment, with room for more images, and with this state.
pub fn config(state: &str) -> String {
    format!(
        "version: 1\nenvironments:\n  local:\n    state: \"{state}\"\n    storage: {{ url: \"file:.pixform/storage\" }}\n    \
         generators: {{ placeholder: {{ kind: placeholder }} }}\n    limits: {{ images: 2000000 }}\n"
    )
}

/// Writes manifest, state and storage of an environment in which there is nothing to do.
pub fn seed(folder: &Path, size: usize, state: &str) {
    std::fs::create_dir_all(folder.join("manifests")).expect("a folder can be made");
    let source = manifest(size, Shape::Matrix, (64, 64));
    std::fs::write(folder.join("manifests/bench.yaml"), &source).expect("a manifest can be written");
    std::fs::write(folder.join("pixform.yaml"), config(state)).expect("a configuration can be written");
    let (manifest, heads) = Manifest::load("bench.yaml", &source, rules()).unwrap_or_else(|error| panic!("{error:?}"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    runtime.block_on(fill(folder, state, &manifest, &heads));
}

async fn fill(folder: &Path, state: &str, manifest: &Manifest, heads: &Heads) {
    let root: PathBuf = folder.join(".pixform");
    let url = if state == SQLITE { format!("sqlite:{}", root.join("state.db").display()) } else { state.to_owned() };
    let state = pixform::state::open(&url, Access::Write).await.expect("a state can be made");
    let storage = pixform::storage::open(&StoreOptions::of(format!("file:{}", root.join("storage").display())))
        .expect("`file:` is known");
    state.migrate().await.expect("a state can be migrated");
    let known = state.known().await.expect("a state can be asked");
    let owner = known.id.unwrap_or_default();
    let marker =
        Marker { store: "bench".to_owned(), owner, owner_note: None, last_run: 0, told_open: false, visited: false };
    write_marker(&*storage, &marker).await.expect("a marker can be written");
    state.set_store("bench").await.expect("a store can be set");
    let table = manifest.table().expect("the manifest publishes");
    state.ensure_table(table).await.expect("a table can be made");
    let lease = lease(&*state, manifest).await;
    let files = heads.all().len() <= 100_000;
    for numbers in (0..heads.all().len()).collect::<Vec<_>>().chunks(5_000) {
        let mut commit = Commit::default();
        let mut originals = Vec::new();
        for number in numbers {
            let asset = manifest.asset(*number);
            let (put, original) = put(&asset);
            if files {
                let file = &put.record.published[0];
                let bytes = asset.key.to_string().into_bytes().into();
                storage.put(&file.path, bytes, "image/jpeg", Overwrite::Replace).await.expect("a file can be put");
            }
            originals.push(original);
            commit.put.push(put);
        }
        state.found(&originals).await.expect("originals are remembered");
        state.commit(&lease, Some(table), &commit).await.expect("a commit succeeds");
    }
    state.release(&lease).await.expect("a lease can be given back");
}

/// Takes the lease on the manifest's collection, and remembers that.
pub async fn lease(state: &dyn State, manifest: &Manifest) -> Lease {
    let run = Run {
        id: "bench".to_owned(),
        command: "bench".to_owned(),
        process: Process::current(),
        origin: RunOrigin::default(),
    };
    state.start_run(&run).await.expect("a run can begin");
    let answer = state.take_lease(&manifest.name, &run, &|_| Liveness::Dead).await.expect("a lease can be taken");
    let LeaseAnswer::Taken(lease) = answer else { panic!("somebody else holds the lease") };
    let table = manifest.table().map(|table| &table.name);
    state.remember_collection(&lease, &manifest.key, table).await.expect("a collection is remembered");
    lease
}

/// Makes record and row of an asset as if it had been applied; the published file holds its key.
pub fn put(asset: &Asset) -> (Put, Original) {
    let sha256 = ContentDigest::of(asset.key.as_str().as_bytes());
    let rendition = asset.renditions[0].clone();
    let path = rendition.path.fill(&sha256);
    let bytes = asset.key.as_str().len() as u64;
    let published =
        vec![Published { path: path.clone(), rendition, sha256, bytes, width: 64, height: 64, renderer: 2 }];
    let row = asset.row.as_ref().expect("the manifest publishes");
    let values = row.values(outputs(&published, URL_BASE)).expect("a row can be rendered");
    let recipe = asset.recipe.digest();
    let original = Original { recipe, sha256, path, bytes, width: 64, height: 64, seed: None };
    let record = Record {
        key: asset.key.clone(),
        first_key: asset.key.clone(),
        labels: asset.labels.clone(),
        recipe: asset.recipe.clone(),
        base: asset.seed_from.base.clone(),
        take: 0,
        vars: asset.vars.clone(),
        original: sha256,
        published,
        row: Some(RecordedRow {
            digest: row.digest(),
            seen: SeenDigest::from_bytes([0; 32]),
            id: None,
            inputs: row_inputs(row),
        }),
        protect: false,
        hold: false,
    };
    (Put { record, moved_from: None, values: Some(values) }, original)
}
