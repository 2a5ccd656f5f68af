//! Whole processes, timed: `cargo bench --bench processes`, or with sizes: `cargo bench --bench processes -- 42 1000`.
//!
//! Makes manifests and states of the wanted sizes, runs the release binary on them, and prints wall time and peak memory
//! beside the budgets. States are written through the library, with files of a few bytes: planning looks at names and
//! sizes only.

use std::time::{Duration, Instant};

use pixform::asset::Assets;
use pixform::imaging::paint;
use pixform::manifest::Manifest;

mod manifests;
mod seed;
mod usage;

use manifests::{Shape, manifest, rules};
use seed::{SQLITE, config, seed};
use usage::{RUNS, row, run};

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
        seed(folder.path(), size, SQLITE);
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
    std::fs::write(folder.path().join("pixform.yaml"), config(SQLITE)).expect("a configuration can be written");
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
