//! The hot parts, by criterion: `cargo bench --bench hot`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use pixform::asset::{Assets, Encoding, Format, Resize};
use pixform::imaging::{Decoded, paint};
use pixform::manifest::Manifest;

mod manifests;

use manifests::{Shape, manifest, rules};

/// From text to the digests of all assets.
fn manifests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("manifest");
    for (name, shape, count) in [("matrix", Shape::Matrix, 10_000), ("explicit", Shape::Explicit, 10_000)] {
        let source = manifest(count, shape, (512, 768));
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| Manifest::load("bench.yaml", black_box(&source), rules()).map(|_| ()).map_err(|_| ()));
        });
    }
    let source = manifest(1_000, Shape::Matrix, (512, 768));
    let loaded = Manifest::load("bench.yaml", &source, rules());
    if let Ok((manifest, _)) = loaded {
        group.throughput(Throughput::Elements(1));
        group.bench_function("one asset whole", |bencher| bencher.iter(|| manifest.asset(black_box(500))));
    }
    group.finish();
}

/// What one picture of 512 x 768 costs: painted, decoded and checked, encoded.
fn pictures(criterion: &mut Criterion) {
    let source = manifest(2, Shape::Matrix, (512, 768));
    let Ok((manifest, _)) = Manifest::load("bench.yaml", &source, rules()) else { return };
    let recipe = manifest.asset(0).recipe;
    let Ok(png) = paint(&recipe) else { return };
    let mut group = criterion.benchmark_group("picture");
    group.bench_function("paint", |bencher| bencher.iter(|| paint(black_box(&recipe)).map(|_| ()).map_err(|_| ())));
    group.bench_function("decode", |bencher| {
        bencher.iter(|| Decoded::new(black_box(&png)).map(|_| ()).map_err(|_| ()));
    });
    group.bench_function("codec alone: PNG decode", |bencher| {
        bencher.iter(|| {
            image::load_from_memory_with_format(black_box(&png), image::ImageFormat::Png).map(|_| ()).map_err(|_| ())
        });
    });
    let Ok(decoded) = Decoded::new(&png) else { return };
    for format in [Format::Jpeg, Format::Webp, Format::Png] {
        let encoding = Encoding { format, quality: Some(90), resize: Resize::Keep };
        let encoding = if format == Format::Png { Encoding { quality: None, ..encoding } } else { encoding };
        group.bench_function(format!("encode {}", format.name()), |bencher| {
            bencher.iter(|| decoded.encode(black_box(&encoding)).map(|_| ()).map_err(|_| ()));
        });
    }
    let Ok(pixels) = image::load_from_memory_with_format(&png, image::ImageFormat::Png) else { return };
    let pixels = pixels.to_rgb8();
    group.bench_function("codec alone: JPEG encode", |bencher| {
        bencher.iter(|| {
            let mut out = Vec::new();
            let encoder = jpeg_encoder::Encoder::new(&mut out, 90);
            encoder
                .encode(black_box(&pixels), 512, 768, jpeg_encoder::ColorType::Rgb)
                .map(|()| out.len())
                .map_err(|_| ())
        });
    });
    group.finish();
}

criterion_group!(benches, manifests, pictures);
criterion_main!(benches);
