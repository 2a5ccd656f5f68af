//! Whole processes, timed: `cargo bench --bench processes`, or with sizes: `cargo bench --bench processes -- 42 1000`.
//!
//! Makes manifests and states of the wanted sizes, runs the release binary on them, and prints wall time and peak memory
//! beside the budgets. States are written through the library, with files of a few bytes: planning looks at names and
//! sizes only.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pixform::asset::{Asset, Assets, Heads};
use pixform::digest::{ContentDigest, SeenDigest};
use pixform::imaging::paint;
use pixform::manifest::Manifest;
use pixform::plan::row_inputs;
use pixform::process::{Liveness, Process};
use pixform::record::{Original, Published, Record, RecordedRow, outputs};
use pixform::state::{Access, Commit, LeaseAnswer, Origin, Put, Run};
use pixform::storage::{Marker, Overwrite, Settings, write_marker};

mod manifests;

use manifests::{Shape, URL_BASE, manifest, rules};

/// The built-in environment, with room for more images.
const CONFIG: &str = "version: 1\nenvironments:\n  local:\n    state: sqlite:.pixform/state.db\n    storage: { url: \"file:.pixform/storage\" }\n    generators: { placeholder: { kind: placeholder } }\n    limits: { images: 2000000 }\n";
/// Runs of one measurement; the fastest counts, for the machine does other things too.
const RUNS: usize = 5;

fn main() {
    if let Ok(count) = std::env::var("PIXFORM_BENCH_FIRST_APPLY") {
        println!("| work | wall | CPU | peak memory |\n| --- | --- | --- | --- |");
        first_apply(count.parse().expect("PIXFORM_BENCH_FIRST_APPLY is a count"), (64, 64));
        return;
    }
    let wanted: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if wanted.is_empty() { vec![42, 1_000, 100_000] } else { wanted };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("{cores} cores; fastest of {RUNS} runs\n");
    println!("| work | wall | CPU | peak memory |\n| --- | --- | --- | --- |");
    for size in sizes {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        seed(folder.path(), size);
        if size <= 100_000 {
            row(&format!("plan, {size} assets, nothing to do"), folder.path(), &["plan"]);
        }
        row(&format!("plan --no-refresh, {size} assets, nothing to do"), folder.path(), &["plan", "--no-refresh"]);
        if size <= 100_000 {
            let explicit = manifest(size, Shape::Explicit, (64, 64));
            std::fs::write(folder.path().join("manifests/bench.yaml"), &explicit).expect("a manifest can be written");
            let label = format!("validate, {size} explicit entries ({} KB of YAML)", explicit.len() / 1_000);
            row(&label, folder.path(), &["validate"]);
        }
    }
    overhead();
}

/// Applies a manifest for the first time, once, and prints what that took. Returns CPU time.
fn first_apply(count: usize, size: (u32, u32)) -> Option<Duration> {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::create_dir_all(folder.path().join("manifests")).expect("a folder can be made");
    let source = manifest(count, Shape::Matrix, size);
    std::fs::write(folder.path().join("manifests/bench.yaml"), source).expect("a manifest can be written");
    std::fs::write(folder.path().join("pixform.yaml"), CONFIG).expect("a configuration can be written");
    let usage = run(folder.path(), &["apply", "--yes"]);
    let cpu = usage.cpu.map_or("-".to_owned(), |cpu| format!("{:.1} s", cpu.as_secs_f64()));
    let label = format!("first apply, {count} pictures of {} x {}", size.0, size.1);
    println!("| {label} | {:.1} s | {cpu} | {} MB |", usage.wall.as_secs_f64(), usage.kilobytes / 1_000);
    usage.cpu
}

/// Compares the CPU time of an apply with that of the codec calls it cannot do without: PNG decode and JPEG encode.
fn overhead() {
    const COUNT: u32 = 200;
    let source = manifest(2, Shape::Matrix, (512, 768));
    let (manifest, _) = Manifest::load("bench.yaml", &source, rules()).unwrap_or_else(|error| panic!("{error:?}"));
    let recipe = manifest.asset(0).recipe;
    let png = paint(&recipe).expect("a placeholder can be painted");
    let pixels = image::load_from_memory(&png).expect("a placeholder is a PNG").to_rgb8();
    let mean = |work: &dyn Fn()| {
        let begun = Instant::now();
        (0..COUNT).for_each(|_| work());
        begun.elapsed() / COUNT
    };
    let painting = mean(&|| drop(paint(&recipe)));
    let decoding = mean(&|| drop(image::load_from_memory(&png)));
    let encoding = mean(&|| {
        let mut out = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut out, 90);
        encoder.encode(&pixels, 512, 768, jpeg_encoder::ColorType::Rgb).expect("the picture can be encoded");
    });
    let Some(cpu) = first_apply(COUNT as usize, (512, 768)) else { return };
    let ours = (cpu / COUNT).saturating_sub(painting);
    let codecs = decoding + encoding;
    println!(
        "\nCPU for one picture of 512 x 768 in apply, painting left out: {ours:.2?}; the codec calls alone: {codecs:.2?} \
         (decode {decoding:.2?}, encode {encoding:.2?}); {:.2} times",
        ours.as_secs_f64() / codecs.as_secs_f64()
    );
}

/// Runs the binary some times and prints the fastest run.
fn row(label: &str, folder: &Path, arguments: &[&str]) {
    let runs: Vec<Usage> = (0..RUNS).map(|_| run(folder, arguments)).collect();
    let best = runs.iter().min_by_key(|usage| usage.wall).expect("there is at least one run");
    let memory = runs.iter().map(|usage| usage.kilobytes).max().unwrap_or_default();
    let cpu = best.cpu.map_or("-".to_owned(), |cpu| format!("{:.3} s", cpu.as_secs_f64()));
    println!("| {label} | {:.3} s | {cpu} | {} MB |", best.wall.as_secs_f64(), memory / 1_000);
}

struct Usage {
    wall: Duration,
    cpu: Option<Duration>,
    kilobytes: u64,
}

/// Runs the release binary once; memory and CPU are read from /proc while it runs, which is the kernel's own high-water
/// mark (source: proc(5), `VmHWM`).
fn run(folder: &Path, arguments: &[&str]) -> Usage {
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_pixform"))
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary can be started");
    let (status, stat) = (format!("/proc/{}/status", child.id()), format!("/proc/{}/stat", child.id()));
    let mut kilobytes = 0;
    let mut cpu = None;
    loop {
        let line = std::fs::read_to_string(&status).unwrap_or_default();
        let peak =
            line.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.split_whitespace().next());
        kilobytes = peak.and_then(|peak| peak.parse().ok()).unwrap_or(kilobytes).max(kilobytes);
        cpu = ticks(&stat).or(cpu);
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            assert!(status.success(), "{arguments:?} failed in {}", folder.display());
            return Usage { wall: begun.elapsed(), cpu, kilobytes };
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// User and system time; a tick is a hundredth of a second on Linux.
fn ticks(stat: &str) -> Option<Duration> {
    let text = std::fs::read_to_string(stat).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    (ticks > 0).then(|| Duration::from_millis(ticks * 10))
}

/// Writes manifest, state and storage of an environment in which there is nothing to do.
fn seed(folder: &Path, size: usize) {
    std::fs::create_dir_all(folder.join("manifests")).expect("a folder can be made");
    let source = manifest(size, Shape::Matrix, (64, 64));
    std::fs::write(folder.join("manifests/bench.yaml"), &source).expect("a manifest can be written");
    std::fs::write(folder.join("pixform.yaml"), CONFIG).expect("a configuration can be written");
    let (manifest, heads) = Manifest::load("bench.yaml", &source, rules()).unwrap_or_else(|error| panic!("{error:?}"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be started");
    runtime.block_on(fill(folder, &manifest, &heads));
}

async fn fill(folder: &Path, manifest: &Manifest, heads: &Heads) {
    let root: PathBuf = folder.join(".pixform");
    let state = pixform::state::open(&format!("sqlite:{}", root.join("state.db").display()), Access::Write).await;
    let state = state.expect("a state can be made");
    let storage = pixform::storage::open(&Settings::of(format!("file:{}", root.join("storage").display())))
        .expect("`file:` is known");
    state.migrate().await.expect("a state can be migrated");
    let known = state.known().await.expect("a state can be asked");
    let owner = known.id.unwrap_or_default();
    let marker = Marker { store: "bench".to_owned(), owner, owner_note: None, last_run: 0, told_open: false };
    write_marker(&*storage, &marker).await.expect("a marker can be written");
    state.set_store("bench").await.expect("a store can be set");
    let table = manifest.table().expect("the manifest publishes");
    state.ensure_table(table).await.expect("a table can be made");
    let run = Run {
        id: "bench".to_owned(),
        command: "bench".to_owned(),
        process: Process::current(),
        origin: Origin::default(),
    };
    state.start_run(&run).await.expect("a run can begin");
    let answer = state.take_lease(&manifest.name, &run, &|_| Liveness::Dead).await.expect("a lease can be taken");
    let LeaseAnswer::Taken(lease) = answer else { panic!("somebody else holds the lease") };
    state.remember_collection(&lease, &manifest.key, Some(&table.name)).await.expect("a collection is remembered");
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

/// Makes record and row of an asset as if it had been applied; the published file holds its key.
fn put(asset: &Asset) -> (Put, Original) {
    let sha256 = ContentDigest::of(asset.key.as_str().as_bytes());
    let rendition = asset.renditions[0].clone();
    let path = rendition.path.fill(&sha256);
    let bytes = asset.key.as_str().len() as u64;
    let published = vec![Published { path: path.clone(), rendition, sha256, bytes, width: 64, height: 64 }];
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
