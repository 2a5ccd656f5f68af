//! Golden digests: literals, so that no release changes what an unchanged manifest means.
//!
//! A failure here is a change of format: every user's next plan would paint everything again. Such a change needs a new
//! version in the digest's domain, and records that are carried over.

use std::collections::{BTreeMap, BTreeSet};

use pixform::asset::{Assets, MicroUsd, SeedBase};
use pixform::digest::ContentDigest;
use pixform::generator::PLACEHOLDER;
use pixform::manifest::{GeneratorRules, IMAGES_MAX, Manifest, Rules};
use pixform::plan::{
    AssetObservation, CollectionPlan, Completeness, PictureSource, Plan, RowState, Sights, Subject, decide,
};

/// One of everything that a digest covers.
const MANIFEST: &str = r#"version: 1
collection: golden
key: [category, value, style]
vars: { clothed: "fully clothed in {{ outfit }}" }
defaults:
  generator: novita
  model: sd_xl_base_1.0.safetensors
  sampler: DPM++ 2M Karras
  scheduler: karras
  steps: 30
  guidance_scale: 7.5
  width: 512
  height: 768
  seed: derived
  prompt: "{{ look }},  one adult person, {{ subject }}, {{ clothed }}, caf\u0065\u0301"
  negative_prompt: nude, blurry
axes:
  style:
    realistic: { vars: { look: photograph } }
    anime: { vars: { look: illustration }, with: { steps: 28, guidance_scale: 7 } }
images:
  - matrix:
      category: age
      value:
        70+: { vars: { subject: an elderly man, outfit: a brown jacket } }
  - at: { category: hero, value: banner, style: realistic }
    vars: { subject: a woman, outfit: a green coat }
    with: { width: 1024, seed: 9223372036854775807, sampler: null }
cells:
  age/70+/anime: { protect: true, with: { take: 2 } }
renditions:
  main: { format: jpeg, quality: 90, path: "golden/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}" }
  thumb: { format: webp, width: 160, height: 160, fit: cover, path: "golden/thumb/{{ value }}-{{ style }}-{{ digest }}.{{ ext }}" }
publish:
  table: golden_images
  columns:
    image_url: "{{ url }}"
    thumb: "{{ thumb.url }}"
    seed: "{{ seed }}"
    guidance: "{{ guidance_scale }}"
    prompt: "{{ prompt }}"
    title: "{{ value }} in {{ outfit }}"
"#;

fn load(text: &str) -> (Manifest, pixform::asset::Heads) {
    let any = GeneratorRules { kind: PLACEHOLDER, checks: PLACEHOLDER };
    let rules = Rules {
        environment: "local".to_owned(),
        generators: BTreeMap::new(),
        any_generator: Some(any),
        elsewhere: BTreeSet::new(),
        images_max: IMAGES_MAX,
        tables: None,
        url_base: "/files/".to_owned(),
    };
    Manifest::load("golden.yaml", text, rules).unwrap_or_else(|error| panic!("{error:?}"))
}

/// Returns the digests of each asset, a block a key.
fn digests(text: &str) -> String {
    let (manifest, heads) = load(text);
    let mut lines = Vec::new();
    for (index, head) in heads.all().iter().enumerate() {
        let asset = manifest.asset(index);
        lines.push(format!("{}  seed {}", asset.key, asset.recipe.seed.unwrap().get()));
        lines.push(format!("  recipe     {}", asset.recipe.digest().hex()));
        for rendition in &asset.renditions {
            lines.push(format!("  {:<10} {}", rendition.name.as_str(), rendition.digest.hex()));
        }
        lines.push(format!("  renditions {}", asset.renditions_digest().hex()));
        let row = asset.row.as_ref().unwrap().digest();
        lines.push(format!("  row        {}", row.hex()));
        assert_eq!((head.recipe, head.renditions), (asset.recipe.digest(), asset.renditions_digest()));
        assert_eq!(head.row, Some(row), "the fast way of planning and the whole asset agree");
    }
    lines.join("\n")
}

#[test]
fn the_digests_of_a_manifest_stay_what_they_are() {
    insta::assert_snapshot!(digests(MANIFEST), @r"
    age/70+/realistic  seed 89002747
      recipe     f11abdf70dfa1fd54383532cb556ba57ef99ba7b0145c8f7aacbe97b283ba2ea
      main       1d7992bc65e2da325f5172c3d3edebf021a528dfc55e04ffa8dc610b7e68507c
      thumb      727242931aa60bf3eb3210eb9e32d0cfdb6c2848b8855716692fcdaa9701df29
      renditions a6bf26b0784e115839518fc334547222984d0530c30e825c2e1277d3e249de34
      row        6e96c7492b8951146788aa43edddf2063eea5978fad89266d7bf9b1ba05f7440
    age/70+/anime  seed 1172164348
      recipe     9d093d5019a6de0f81d69cc2c82ba262dbf8792aac0d9fccef45d3596a651af5
      main       e9776c8b1b6d1b238f40eac5cc7a5a7159e78e77e02f87c99e880f73bc6e62e8
      thumb      9c09d53ea512c4e74ab6f0f9e7f697f0e66194d8a2d43770f2343f09ae098b30
      renditions ace71338314f4ca5c52e4c13f43623683f4850a28570fde623a6e9a664d0256f
      row        4d3966f98cc7a50e30bc4cc4a0bc4461c201287ea5d65144204be9b5d0e1f6f3
    hero/banner/realistic  seed 9223372036854775807
      recipe     0873ab4b2d41737904bdebe8e81eb9d6f6529aaf98f40d89965f7693e26c56ac
      main       42467b713573cb578e6d7a9072242f26fd6839147824d52330abf3a037ac572c
      thumb      69d80caa7a3c9e2601a0b5c38e0971193e57d3ce34c44008d84cad6d250d6cd9
      renditions d3a623076bcf5333c6bf8ec4574f17af1187912dbbe27eb74d23a307d883266d
      row        17a2fe2af357b157b87b54cb7806decbbe9b5f1793a530cd229248b26f3415fb
    ");
}

/// Fields that came later, set one after the other in the style `realistic`.
#[test]
fn the_digest_of_each_further_field_stays_what_it_is() {
    let digest = |field: &str| {
        let was = "look: photograph }";
        assert!(MANIFEST.contains(was));
        let (_, heads) = load(&MANIFEST.replace(was, &format!("{was}, with: {{ {field} }}")));
        format!("{}  {field}\n", heads.all()[0].recipe.hex())
    };
    let digests: String = [
        "sd_vae: some_vae.safetensors",
        "loras: [{ model_name: style_42, strength: 0.6 }, { model_name: style_7, strength: 1.0 }]",
        "embeddings: [{ model_name: easy }]",
        "hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5, upscaler: Latent }",
        "hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }",
        "refiner: { switch_at: 0.8 }",
        "clip_skip: 2",
        "enable_transparent_background: true",
        "restore_faces: true",
        "loras: [], embeddings: [], enable_transparent_background: false, restore_faces: false",
    ]
    .map(digest)
    .concat();
    insta::assert_snapshot!(digests, @r"
    69244d923356f08cde8d4930ffad1940dac2e3328ce90d702abb831c186cc552  sd_vae: some_vae.safetensors
    0af0ba1fc62307ac02388649258f65af3072c46cde6a4ffaa6fe9b6edcfbb634  loras: [{ model_name: style_42, strength: 0.6 }, { model_name: style_7, strength: 1.0 }]
    882b75fc17bc64b176588bf8947b36b6559d6cd40f6ab5e5ac471a35e0aa5490  embeddings: [{ model_name: easy }]
    cfa57c02d18d29f42a41d6da7d8cf04208490fecf6911cf1a6560e5b2ecbd472  hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5, upscaler: Latent }
    fdead738259109855a32a341a357d6f633aaf3415445d7af3a70d1070c53ad05  hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }
    eacf80b8ea8b6c3985af0f36d4f2b965e3201f5a9305933dd285c1842ed3c746  refiner: { switch_at: 0.8 }
    2107687ae650697f08fd9a2656e9e3806766e9a61c067c667f78539fffc73550  clip_skip: 2
    801b6a112495cb0c94c2c9ecb807d5e2b11d9dca1204e5a7c80d4f2377921474  enable_transparent_background: true
    0d24697c7cfdf37724ba7996b36836daad98194e9c2874ecb6306e0eed360ebf  restore_faces: true
    f11abdf70dfa1fd54383532cb556ba57ef99ba7b0145c8f7aacbe97b283ba2ea  loras: [], embeddings: [], enable_transparent_background: false, restore_faces: false
    ");
}

#[test]
fn another_way_to_write_the_same_manifest_has_the_same_digests() {
    let written = MANIFEST
        .replace(r#"caf\u0065\u0301""#, r#"caf\u00e9 ""#)
        .replace("  steps: 30\n  guidance_scale: 7.5\n", "  guidance_scale: 7.50\n  steps: 30 # as ever\n")
        .replace("guidance_scale: 7 }", "guidance_scale: 7.0 }");
    assert_ne!(written, MANIFEST);
    assert_eq!(digests(&written), digests(MANIFEST));
}

#[test]
fn the_digest_of_a_plan_stays_what_it_is() {
    let (manifest, heads) = load(MANIFEST);
    let change = |index: usize| {
        let asset = manifest.asset(index);
        let subject = Subject { asset: &asset, index, key_axes: &manifest.key, price: MicroUsd(15_000) };
        let seen = AssetObservation {
            record: None,
            moved_from: None,
            faults: Vec::new(),
            row: RowState::NotLooked,
            picture: PictureSource::ToMake,
            decisions: Vec::new(),
        };
        decide(subject, seen)
    };
    let collection = CollectionPlan {
        name: manifest.name.clone(),
        key: manifest.key.clone(),
        changes: (0..heads.all().len()).map(change).collect(),
        kept: 0,
        notes: Vec::new(),
        sights: Sights::default(),
        uncovered_key: None,
        table: None,
        case_twins: Vec::new(),
        misfits: Vec::new(),
    };
    let mut plan = Plan {
        environment: "production".to_owned(),
        created_at: "2026-11-22T00:00:00Z".to_owned(),
        collections: vec![collection],
        refusals: Vec::new(),
        cap: None,
        completeness: Completeness::Complete,
        notes: Vec::new(),
    };
    insta::assert_snapshot!(plan.digest().hex(), @"93af5c3e2dade850585c449657e57387fc379cdb007de91ebe3ec15cb80e0d84");
    // Neither the time, nor prices, nor the order of changes are part of it.
    let digest = plan.digest();
    plan.created_at = "2027-01-01T00:00:00Z".to_owned();
    plan.collections[0].changes.reverse();
    plan.collections[0].changes[0].price = MicroUsd(1);
    assert_eq!(plan.digest(), digest);
    plan.environment = "local".to_owned();
    assert_ne!(plan.digest(), digest);
}

#[test]
fn derived_seeds_stay_what_they_are() {
    let seeds = [
        SeedBase::Key("age/70+/anime".to_owned()).seed(0),
        SeedBase::Key("age/70+/anime".to_owned()).seed(1),
        SeedBase::Key("hero".to_owned()).seed(0),
        SeedBase::Number(7).seed(0),
        SeedBase::Number(7).seed(1),
        SeedBase::Number(9_223_372_036_854_775_807).seed(0),
    ];
    assert!(seeds[..3].iter().all(|seed| (1..=2_147_483_647).contains(&seed.get())));
    let seeds = seeds.map(|seed| seed.get().to_string()).join("\n");
    insta::assert_snapshot!(seeds, @r"
    934594489
    1517014891
    1285550795
    7
    1896247746
    9223372036854775807
    ");
}

#[test]
fn the_digest_of_bytes_is_plain_sha_256() {
    insta::assert_snapshot!(ContentDigest::of(b"abc").hex(), @"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
