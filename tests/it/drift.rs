//! Drift beside an edit: what was lost or edited by somebody else never eats what the manifest asks for.
//!
//! Every pair of a drift and an edit, each carried out in one process: after one apply nothing is left to do, the rows say
//! what they would say without the drift, and a plan that was approved before the drift is carried out as approved.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use pixform::apply::{self, Leases, Options, Outcome, Stop, Work};
use pixform::asset::{AssetKey, ObjectPath};
use pixform::digest::ContentDigest;
use pixform::generator::PLACEHOLDER;
use pixform::plan::{Action, Approved, Change, Coverage, GuardLimits, Plan, Verdicts};
use pixform::planner::{self, AllManifests, DeclaredManifest, Moves, PlanRequest, PlannerError, Selection};
use pixform::process::Process;
use pixform::render;
use pixform::state::{Access, Caps, Run, RunOrigin};
use pixform::storage::{Stores, TakeStorage};
use pixform::world::{Addresses, Generators, Service, World};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::laws::load;
use crate::postgres;

const NOW: i64 = 1_800_000_000;

/// Four assets with a rendition whose path has the key and one whose path has not; `look` is a var, `mood` a label beyond
/// the key.
const MANIFEST: &str = r#"version: 1
collection: drift
key: [value, style]
defaults: { generator: painter, model: m0, width: 16, height: 16, seed: derived, prompt: "a {{ look }}" }
images:
  - matrix:
      value:
        a: { vars: { look: apple } }
        b: { vars: { look: bee } }
        c: { vars: { look: cat } }
        d: { vars: { look: dog } }
      style: x
      mood: calm
renditions:
  main: { format: png, path: "f/{{ value }}-{{ digest }}.{{ ext }}" }
  thumb: { format: jpeg, quality: 80, width: 8, path: "t/{{ digest }}.{{ ext }}" }
publish:
  table: drift
  columns: { url: "{{ url }}", thumb: "{{ thumb.url }}", seed: "{{ seed }}", text: "{{ look }} of {{ value }}" }
"#;

/// A state and a storage in a folder that goes with this value.
struct Place {
    dir: TempDir,
    /// The URL of a database of its own; `None` where the state is in a file.
    database: Option<String>,
}

impl Place {
    fn new(database: Option<String>) -> Self {
        let memory = std::path::Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        Self { dir: dir.unwrap(), database }
    }

    fn copy(&self) -> Self {
        let copy = Self::new(self.database.as_ref().map(|url| postgres::shared().copy_of(url)));
        let copied =
            std::process::Command::new("cp").arg("-a").arg(self.dir.path().join(".")).arg(copy.dir.path()).status();
        assert!(copied.unwrap().success());
        copy
    }

    fn storage(&self) -> PathBuf {
        self.dir.path().join("storage")
    }

    async fn world(&self) -> Arc<World> {
        let state = match &self.database {
            Some(url) => url.clone(),
            None => format!("sqlite:{}", self.dir.path().join("state.db").display()),
        };
        let stores = Stores::of(format!("file:{}", self.storage().display()));
        let addresses = Addresses { state: &state, storage: &stores };
        let generator = Arc::new(pixform::generator::Placeholder);
        let service = Service { generator, cost: PLACEHOLDER.cost, pace: PLACEHOLDER.pace };
        let generators = Generators { named: BTreeMap::new(), any: Some(service) };
        let world = World::open("local", addresses, Access::Write, generators, "/files/".to_owned()).await.unwrap();
        world.state.migrate().await.unwrap();
        let known = world.state.known().await.unwrap();
        apply::claim(&world, (&known, NOW, TakeStorage::No), apply::Originals::Private, None).await.unwrap();
        Arc::new(world)
    }

    fn sql(&self, text: &str) {
        match &self.database {
            Some(url) => drop(postgres::sql(url, text)),
            None => Connection::open(self.dir.path().join("state.db")).unwrap().execute_batch(text).unwrap(),
        }
    }

    fn cell(&self, text: &str) -> String {
        match &self.database {
            Some(url) => postgres::sql(url, text)[0].clone(),
            None => {
                let connection = Connection::open(self.dir.path().join("state.db")).unwrap();
                connection.query_row(text, [], |row| row.get(0)).unwrap()
            }
        }
    }

    /// Returns the file that a column of an asset's row names.
    fn file(&self, column: &str, value: &str) -> PathBuf {
        let url = self.cell(&format!("SELECT {column} FROM drift WHERE value = '{value}'"));
        self.storage().join(url.strip_prefix("/files/").unwrap())
    }

    /// Loses all originals of the asset's picture.
    fn lose_original(&self, value: &str) {
        let hex = if self.database.is_some() { "encode(original, 'hex')" } else { "lower(hex(original))" };
        let details = if self.database.is_some() { "pixform.record_details" } else { "pixform_record_details" };
        let sha256 = self.cell(&format!("SELECT {hex} FROM {details} WHERE key = '{value}/x'"));
        let mut folders = vec![self.storage().join("originals")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false if path.to_string_lossy().contains(&sha256) => fs::remove_file(path).unwrap(),
                    false => {}
                }
            }
        }
    }
}

async fn plan(
    world: &World,
    declared: &[DeclaredManifest],
    (refresh, approved): (Coverage, Option<&Approved>),
) -> Result<Plan, PlannerError> {
    let request = PlanRequest {
        declared,
        selection: &Selection::default(),
        refresh,
        depth: pixform::planner::Depth::Remembered,
        take: TakeStorage::No,
        originals: pixform::storage::Originals::Private,
        limits: GuardLimits { max_cost: None, month: None, max_deletions: 9 },
        now: NOW,
        created_at: "2027-01-15T08:00:00Z".to_owned(),
        all_manifests: AllManifests::Read,
        prices: &BTreeMap::new(),
        verdicts: &Verdicts::new(),
        unknown_retries: 0,
        sample: None,
        approved,
    };
    planner::plan(world, &request).await
}

async fn carry_out(world: &Arc<World>, declared: &[DeclaredManifest], plan: &Plan) -> Outcome {
    let run = Run {
        id: uuid::Uuid::now_v7().to_string(),
        command: "apply".to_owned(),
        process: Process::current(),
        origin: RunOrigin::default(),
    };
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    if plan.is_empty() {
        return Outcome::default();
    }
    let leases = Leases::take(&*world.state, &apply::collections(plan), &run, 0).await.unwrap();
    let mut works = Vec::new();
    for (plan, DeclaredManifest { manifest, .. }) in plan.collections.iter().zip(declared) {
        let moves = Moves::to_remember(world, manifest, plan).await.unwrap();
        works.push(Work { arrangement: None, plan, assets: Some(manifest), table: manifest.table(), moves });
    }
    let options = Options {
        run: &run,
        stop: &Arc::new(Stop::default()),
        prices: &BTreeMap::new(),
        caps: Caps::default(),
        unknown_retries: 0,
        parallelism: None,
    };
    let outcome = apply::run(world, &works, &leases, &options, &|_| {}).await.unwrap();
    leases.release(&*world.state).await;
    outcome
}

/// What a visitor sees of each asset: the row's values, and the bytes of the files that it names.
type Live = BTreeMap<String, (Vec<serde_json::Value>, Vec<ContentDigest>)>;

async fn live(world: &World, declared: &[DeclaredManifest]) -> Live {
    let mut live = Live::new();
    for DeclaredManifest { manifest, heads } in declared {
        let keys: Vec<AssetKey> = heads.all().iter().map(|head| head.key.clone()).collect();
        for row in world.state.rows(manifest.table().unwrap(), &keys).await.unwrap() {
            let mut files = Vec::new();
            for value in &row.values {
                let path = value.as_str().and_then(|text| ObjectPath::of_url(text, &world.url_base));
                if let Some(path) = path.filter(|path| path.as_str().contains('/')) {
                    let bytes = world.storage.get(&path, 1 << 20).await;
                    files.push(ContentDigest::of(&bytes.unwrap_or_else(|error| panic!("{path}: {error}"))));
                }
            }
            live.insert(row.key.to_string(), (row.values, files));
        }
        assert_eq!(live.len(), keys.len(), "every declared asset has a row");
    }
    live
}

/// Applies what a manifest asks for.
async fn apply_all(place: &Place, text: &str) -> Live {
    let (world, declared) = (place.world().await, [load(text)]);
    let planned = plan(&world, &declared, (Coverage::At, None)).await.unwrap();
    let outcome = carry_out(&world, &declared, &planned).await;
    assert!(outcome.failed.is_empty() && outcome.ended.is_none(), "{outcome:?}");
    live(&world, &declared).await
}

/// Something that happens outside of pixform to the assets of these values.
type Drift = (&'static str, fn(&Place, &str));

const DRIFTS: [Drift; 15] = [
    ("nothing", |_, _| {}),
    ("object missing", |place, value| fs::remove_file(place.file("url", value)).unwrap()),
    ("object of another size", |place, value| fs::write(place.file("url", value), "no picture").unwrap()),
    ("thumbnail missing", |place, value| fs::remove_file(place.file("thumb", value)).unwrap()),
    ("all objects missing", |place, value| {
        fs::remove_file(place.file("url", value)).unwrap();
        fs::remove_file(place.file("thumb", value)).unwrap();
    }),
    ("original missing", |place, value| place.lose_original(value)),
    ("object and original missing", |place, value| {
        fs::remove_file(place.file("url", value)).unwrap();
        place.lose_original(value);
    }),
    ("row missing", |place, value| place.sql(&format!("DELETE FROM drift WHERE value = '{value}'"))),
    ("row edited", |place, value| place.sql(&format!("UPDATE drift SET text = 'edited' WHERE value = '{value}'"))),
    ("row at another file of ours", |place, value| {
        place.sql(&format!("UPDATE drift SET url = (SELECT url FROM drift WHERE value = 'd') WHERE value = '{value}'"));
    }),
    ("row at a foreign URL", |place, value| {
        place.sql(&format!("UPDATE drift SET url = 'https://elsewhere.example/1.png' WHERE value = '{value}'"));
    }),
    ("row emptied", |place, value| {
        place.sql(&format!(
            "UPDATE drift SET url = NULL, thumb = NULL, seed = NULL, text = NULL WHERE value = '{value}'"
        ));
    }),
    ("row of the new key inserted", |place, value| {
        let new = format!("new{value}");
        place.sql(&row_like(&new, value));
    }),
    ("row rekeyed by hand", |place, value| {
        place.sql(&format!("UPDATE drift SET value = 'new{value}' WHERE value = '{value}'"));
    }),
    ("row, object and thumbnail missing", |place, value| {
        fs::remove_file(place.file("url", value)).unwrap();
        fs::remove_file(place.file("thumb", value)).unwrap();
        place.sql(&format!("DELETE FROM drift WHERE value = '{value}'"));
    }),
];

/// Inserts a row of a key, at the file of another asset.
fn row_like(new: &str, value: &str) -> String {
    format!(
        "INSERT INTO drift (value, style, url, thumb, text, created_at, updated_at)
         SELECT '{new}', style, url, thumb, 'new of {new}', created_at, updated_at FROM drift WHERE value = '{value}'"
    )
}

/// An edit of the manifest; each of its texts is replaced.
type Edit = (&'static str, &'static [(&'static str, &'static str)]);

const MOVED: &str = "moved: [{ from: a/x, to: newa/x }]\nrenditions:";

const EDITS: [Edit; 26] = [
    ("nothing", &[]),
    ("prompt", &[("look: apple", "look: apricot")]),
    ("revert to a kept original", &[("look: apple", "look: earlier")]),
    ("model of all", &[("model: m0", "model: m1")]),
    ("rendition", &[("format: png", "format: jpeg, quality: 70")]),
    ("rendition added", &[("  thumb:", "  large: { format: png, path: \"l/{{ digest }}.png\" }\n  thumb:")]),
    ("rendition removed", &[("  thumb:", "  # thumb:"), ("thumb: \"{{ thumb.url }}\", ", "")]),
    ("path only", &[("f/{{ value }}", "g/{{ value }}")]),
    ("rename", &[("        a:", "        newa:"), ("renditions:", MOVED)]),
    ("rename without path", &[("        a:", "        newa:"), ("f/{{ value }}", "f/same"), ("renditions:", MOVED)]),
    ("rename and path", &[("        a:", "        newa:"), ("f/{{", "g/{{"), ("renditions:", MOVED)]),
    (
        "rename and rendition",
        &[("        a:", "        newa:"), ("quality: 80", "quality: 70"), ("renditions:", MOVED)],
    ),
    (
        "rename and prompt",
        &[("        a: { vars: { look: apple", "        newa: { vars: { look: apricot"), ("renditions:", MOVED)],
    ),
    (
        "rename and hold",
        &[
            ("        a:", "        newa:"),
            ("renditions:", "moved: [{ from: a/x, to: newa/x }]\ncells: { newa/x: { hold: true } }\nrenditions:"),
        ],
    ),
    ("swap", &[("renditions:", "moved: [{ from: a/x, to: b/x }, { from: b/x, to: a/x }]\nrenditions:")]),
    (
        "rename into a place that is left",
        &[
            ("        a:", "        newa:"),
            ("        b:", "        a:"),
            ("renditions:", "moved: [{ from: a/x, to: newa/x }, { from: b/x, to: a/x }]\nrenditions:"),
        ],
    ),
    (
        "rename of the collection",
        &[
            ("collection: drift", "collection: other"),
            ("renditions:", "moved: [{ from: \"drift:*/*\", to: \"*/*\" }]\nrenditions:"),
        ],
    ),
    ("column", &[("{{ look }} of {{ value }}", "{{ value }}: {{ look }}")]),
    ("column of another name", &[("seed: \"{{ seed }}\", ", "")]),
    ("protect", &[("renditions:", "cells: { a/x: { protect: true } }\nrenditions:")]),
    ("hold", &[("renditions:", "cells: { a/x: { hold: true } }\nrenditions:")]),
    (
        "hold and prompt",
        &[("look: apple", "look: apricot"), ("renditions:", "cells: { a/x: { hold: true } }\nrenditions:")],
    ),
    ("label", &[("mood: calm", "mood: wild")]),
    ("delete", &[("        a: { vars: { look: apple } }\n", "")]),
    ("another asset", &[("        a:", "        newa: { vars: { look: new } }\n        a:")]),
    (
        "another asset of the same recipe",
        &[("seed: derived", "seed: 7"), ("        a:", "        newa: { vars: { look: apple } }\n        a:")],
    ),
];

/// Drifts of what pixform has no record of.
const WITHOUT_RECORDS: [Drift; 6] = [DRIFTS[0], DRIFTS[1], DRIFTS[4], DRIFTS[7], DRIFTS[8], DRIFTS[10]];

/// Edits of a manifest in which one asset is held, with another description than its picture was made for.
const HELD_EDITS: [Edit; 4] = [
    ("nothing, held", &[]),
    ("prompt of a held one", &[("look: apricot", "look: avocado")]),
    (
        "rename of a held one",
        &[("        a:", "        newa:"), ("a/x: { hold", "newa/x: { hold"), ("renditions:", MOVED)],
    ),
    ("held no longer", &[("cells: { a/x: { hold: true } }\n", "")]),
];

/// Edits of a product that was taken over.
const ADOPTED_EDITS: [Edit; 9] =
    [EDITS[0], EDITS[1], EDITS[4], EDITS[7], EDITS[8], EDITS[10], EDITS[12], EDITS[17], EDITS[20]];

fn edited(text: &str, edit: Edit) -> String {
    edit.1.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{}: there is no `{old}`", edit.0);
        text.replacen(old, new, 1)
    })
}

/// What pairs begin with.
struct Beginning {
    place: Place,
    /// The manifest that was applied.
    text: String,
    /// Files that were lost are put back elsewhere, for they lay where the product had put them.
    same_urls: bool,
}

/// All published, and one asset with an earlier picture that is kept.
async fn published(database: Option<String>) -> Beginning {
    let place = Place::new(database);
    apply_all(&place, &MANIFEST.replace("look: apple", "look: earlier")).await;
    apply_all(&place, MANIFEST).await;
    Beginning { place, text: MANIFEST.to_owned(), same_urls: true }
}

async fn held() -> Beginning {
    let Beginning { place, .. } = published(None).await;
    let hold = "cells: { a/x: { hold: true } }\nrenditions:";
    let text = MANIFEST.replacen("renditions:", hold, 1).replace("look: apple", "look: apricot");
    apply_all(&place, &text).await;
    Beginning { place, text, same_urls: true }
}

/// A product's own rows and files, which nothing knows yet.
async fn product() -> Beginning {
    let Beginning { place, .. } = published(None).await;
    for value in ["a", "b", "c", "d"] {
        for column in ["url", "thumb"] {
            let (from, name) = (place.file(column, value), format!("{column}-{value}"));
            fs::create_dir_all(place.storage().join("old")).unwrap();
            fs::copy(from, place.storage().join("old").join(&name)).unwrap();
            place.sql(&format!("UPDATE drift SET {column} = '/files/old/{name}' WHERE value = '{value}'"));
        }
    }
    for folder in ["originals", "f", "t"] {
        fs::remove_dir_all(place.storage().join(folder)).unwrap();
    }
    let kept = Place::new(None);
    let connection = Connection::open(kept.dir.path().join("state.db")).unwrap();
    let attach = format!("ATTACH '{}' AS made", place.dir.path().join("state.db").display());
    let table =
        "CREATE TABLE drift (id INTEGER PRIMARY KEY, value TEXT NOT NULL, style TEXT NOT NULL, url TEXT, thumb TEXT,
                 seed BIGINT, text TEXT, created_at TEXT, updated_at TEXT, UNIQUE (value, style));
                 INSERT INTO drift (value, style, url, thumb, seed, text, created_at)
                 SELECT value, style, url, thumb, seed, text, 'long ago' FROM made.drift";
    connection.execute_batch(&format!("{attach}; {table}")).unwrap();
    drop(connection);
    fs::rename(place.storage(), kept.storage()).unwrap();
    Beginning { place: kept, text: MANIFEST.to_owned(), same_urls: false }
}

async fn adopted() -> Beginning {
    let product = product().await;
    apply_all(&product.place, &product.text).await;
    product
}

/// Which files and values are compared where a file may have been put back elsewhere.
fn without_urls(live: Live) -> Live {
    let is_url = |value: &serde_json::Value| value.as_str().is_some_and(|text| text.starts_with("/files/"));
    let strip = |(key, (mut values, files)): (String, (Vec<serde_json::Value>, Vec<ContentDigest>))| {
        values.retain(|value| !is_url(value));
        (key, (values, files))
    };
    live.into_iter().map(strip).collect()
}

/// In which ways a pair is walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The plan is made after the drift.
    Seen,
    /// The plan was approved before the drift.
    Approved,
    /// The first plan does not look, the second does.
    Unseen,
}

const BOTH: [Way; 2] = [Way::Seen, Way::Approved];

/// Walks one pair.
async fn check(begin: &Beginning, (drift, edit): (Drift, Edit), ways: &[Way]) {
    let pair = format!("{} beside {}", drift.0, edit.0);
    let text = edited(&begin.text, edit);
    let declared = [load(&text)];
    let undisturbed = begin.place.copy();
    let reviewed = plan(&*undisturbed.world().await, &declared, (Coverage::At, None)).await.unwrap();
    let digest = reviewed.digest();
    let approved = render::approved_plan(&render::plan_document(&reviewed)).unwrap();
    let comparable = |live: Live| if begin.same_urls { live } else { without_urls(live) };
    let expected = comparable(apply_all(&undisturbed, &text).await);
    // An asset that the edit is about, and one that it may leave alone.
    let drifted = begin.place.copy();
    for value in ["a", "c"] {
        drift.1(&drifted, value);
    }
    for way in ways {
        let (place, pair) = (drifted.copy(), format!("{pair}, {way:?}"));
        let world = place.world().await;
        let (refresh, approved) = match way {
            Way::Seen => (Coverage::At, None),
            Way::Approved => (Coverage::At, Some(&approved)),
            Way::Unseen => (Coverage::NotAt, None),
        };
        let planned = match plan(&world, &declared, (refresh, approved)).await {
            Err(PlannerError::NotApproved(_)) if adopts(&reviewed) => continue,
            planned => planned.unwrap_or_else(|error| panic!("{pair}: {error:?}")),
        };
        let adopts = adopts(&planned) || adopts(&reviewed);
        if *way == Way::Seen && !adopts {
            assert_eq!(planned.digest(), digest, "{pair}: the digest covers what was reviewed: {}", told(&planned));
        }
        let outcome = carry_out(&world, &declared, &planned).await;
        if *way == Way::Unseen {
            let looked = plan(&world, &declared, (Coverage::At, None)).await.unwrap();
            carry_out(&world, &declared, &looked).await;
        } else {
            assert!(outcome.failed.is_empty() && outcome.ended.is_none(), "{pair}: {outcome:?}");
        }
        let again = plan(&world, &declared, (Coverage::At, None)).await.unwrap();
        assert!(again.is_empty(), "{pair}: it left {}", told(&again));
        let live = comparable(live(&world, &declared).await);
        if !adopts {
            assert_eq!(live, expected, "{pair}: {}", told(&planned));
        }
    }
}

fn adopts(plan: &Plan) -> bool {
    plan.count(Action::Adopt) > 0
}

fn told(plan: &Plan) -> String {
    let change = |change: &Change| {
        let causes: Vec<_> = change.reasons.iter().map(|reason| format!("{:?}", reason.cause)).collect();
        format!("\n  {} {}: {}", change.action.name(), change.key, causes.join(", "))
    };
    plan.changes().map(|(_, each)| change(each)).collect()
}

/// Walks pairs, as many at a time as there are processors.
fn walk(begin: &Beginning, pairs: &[(Drift, Edit)], ways: &[Way]) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        let runtime = runtime();
        while let Some((drift, edit)) = pairs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let walked = AssertUnwindSafe(|| runtime.block_on(check(begin, (*drift, *edit), ways)));
            if let Err(panic) = catch_unwind(walked) {
                let text = panic.downcast_ref::<String>().cloned();
                failures.lock().unwrap().push(text.unwrap_or_else(|| format!("{} beside {}", drift.0, edit.0)));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {} pairs:\n{}", failures.len(), pairs.len(), failures.join("\n"));
}

fn pairs(drifts: &[Drift], edits: &[Edit]) -> Vec<(Drift, Edit)> {
    edits.iter().flat_map(|edit| drifts.iter().map(move |drift| (*drift, *edit))).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn no_drift_eats_what_a_manifest_asks_for() {
    walk(&runtime().block_on(published(None)), &pairs(&DRIFTS, &EDITS), &BOTH);
}

#[test]
fn no_drift_eats_what_is_asked_for_of_a_held_asset() {
    walk(&runtime().block_on(held()), &pairs(&DRIFTS, &HELD_EDITS), &BOTH);
}

#[test]
fn no_drift_eats_what_is_asked_for_of_an_adopted_product() {
    walk(&runtime().block_on(adopted()), &pairs(&DRIFTS, &ADOPTED_EDITS), &BOTH);
}

#[test]
fn what_is_lost_before_it_is_adopted_leaves_nothing_to_do_either() {
    walk(&runtime().block_on(product()), &pairs(&WITHOUT_RECORDS, &[EDITS[0], EDITS[1]]), &BOTH);
}

#[test]
fn what_was_not_looked_at_is_put_right_by_the_next_apply() {
    let edits = [EDITS[1], EDITS[4], EDITS[8], EDITS[14], EDITS[16], EDITS[17]];
    walk(&runtime().block_on(published(None)), &pairs(&DRIFTS, &edits), &[Way::Unseen]);
}

#[test]
fn on_postgres_no_drift_eats_a_rename_or_a_new_column() {
    let begin = runtime().block_on(published(Some(postgres::shared().database())));
    let sample = [DRIFTS[1], DRIFTS[7], DRIFTS[9], DRIFTS[12], DRIFTS[13]];
    walk(&begin, &pairs(&sample, &[EDITS[8], EDITS[17]]), &BOTH);
}
