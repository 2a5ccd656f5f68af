//! The JSON Schemas: committed as they are generated, and of one mind with the readers.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;

use jsonschema::Validator;
use pixform::asset::{FieldSpec, Recipe};
use pixform::config::{self, Outside};
use pixform::generator::{KINDS, PLACEHOLDER};
use pixform::manifest::{self, GeneratorRules, Manifest, Rules};
use pixform::yaml::{Node, ScalarNotation, Value as Yaml, YamlLimits, parse};
use serde_json::Value;

/// A manifest with every field.
const MANIFEST: &str = r#"
version: 1
collection: portraits
key: [category, value, style, year]
vars: { clothed: "fully clothed in {{ outfit }}", unset: ~ }
defaults:
  generator: novita
  model: 1.5
  sampler: DPM++ 2M Karras
  scheduler: karras
  steps: 30
  guidance_scale: 7.5
  take: 0
  width: 512
  height: 768
  seed: derived
  prompt: "{{ look }}, one adult person, {{ subject }}, {{ clothed }}, {{ year }}"
  negative_prompt: blurry
  sd_vae: vae.safetensors
  loras: [{ model_name: style_42, strength: 0.6 }, { model_name: 42, strength: 1 }]
  embeddings:
    - model_name: easy
  hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5, upscaler: Latent }
  refiner: { switch_at: 0.8 }
  clip_skip: 2
  enable_transparent_background: true
  restore_faces: false
per_generator: { novita: { sampler: Euler a, steps: ~ }, painter: ~ }
axes:
  style:
    realistic: { vars: { look: photograph } }
    anime: { vars: { look: illustration }, with: { steps: 28, negative_prompt: ~ }, protect: true, hold: false }
    no: ~
  year: 2020
images:
  - matrix:
      category: age
      value:
        18-19: { vars: { subject: a student, outfit: a shirt } }
        70+: { vars: { subject: an old man, outfit: a jacket } }
        012: { vars: { subject: an adult, outfit: a coat } }
    exclude: [{ value: 18-19, style: anime }, { value: [70+, 012], style: no }, { style: no }]
    vars: { more: "{{ category }}" }
    with: { seed: { derived: [category, value] }, loras: [], hires_fix: ~, refiner: ~, restore_faces: ~ }
  - at: { category: hero, value: [true], style: realistic, year: 2020 }
    vars: { subject: a woman, outfit: a coat }
    with: { width: 1024, seed: 9223372036854775807 }
    per_generator: { novita: { negative_prompt: ugly } }
    protect: true
    hold: false
cells:
  age/70+/anime/2020: { vars: { subject: an old woman }, with: { seed: 7 }, per_generator: {}, protect: true, hold: false }
  "*/*/anime/*": ~
moved:
  - { from: old-portraits:age/teen/*/*, to: age/18-19/*/* }
removed: ["body/*/*", hero]
renditions:
  main: { format: jpeg, quality: 90, path: "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}" }
  thumb: { format: png, quality: ~, width: 160, height: 160, fit: contain, path: "p/t-{{ digest }}.{{ ext }}" }
publish:
  table: shop.portraits
  columns: { image_url: "{{ thumb.url }}", width: "{{ width }}", number: 1 }
"#;

/// A `pixform.yaml` with every field.
const CONFIG: &str = r#"
version: 1
default_environment: local
env_file: .env
environments:
  local:
    env_file: .env.local
    state: "sqlite::memory:"
    storage:
      url: "file:.pixform/storage"
      public_url: /media
      endpoint: "${ENDPOINT}"
      region: eu
      account: acme
      key: "${KEY}"
      access_key_id: "${ID}"
      secret_access_key: "${SECRET}"
      session_token: "${TOKEN}"
      path_style: true
      create_bucket: true
      originals:
        url: "s3://originals"
        endpoint: "${ENDPOINT}"
        region: eu
        account: acme
        key: "${KEY}"
        access_key_id: "${ID}"
        secret_access_key: "${SECRET}"
        session_token: "${TOKEN}"
        path_style: false
        create_bucket: false
      previous: "file:old"
    generators:
      painter: { kind: placeholder, checks_as: novita }
      novita:
        kind: novita
        price: 0.015
        base_url: "https://example.com"
        path: /v3/async/txt2img
        result_path: /v3/async/task-result
        api_key: "${KEY}"
        concurrency: 4
        images_per_minute: 20
        min_interval: 1500ms
        deadline: 10m
        request_timeout: 90s
        enable_nsfw_detection: true
        nsfw_detection_level: 2
        nsfw_detection_price: 0.0015
    guards: { max_cost: "5.00", max_cost_month: 20, max_deletions: 0 }
    limits: { images: 100, memory: 512MiB }
    publish: { tables: [attribute_images, shop.images] }
    on_unknown: retry
    on_unknown_max: 2
  next:
    storage: { url: "file:new", originals: ~, previous: { url: "file:old" } }
    guards: ~
    limits: ~
    publish: ~
    generators: ~
"#;

/// One of our kinds of files.
struct Kind {
    schema: Value,
    /// A file with every field.
    whole: &'static str,
    /// Maps whose keys are free, so that a misspelt field is another name in them.
    free: &'static [&'static str],
    read: fn(&str) -> Result<(), String>,
}

fn manifest() -> Kind {
    let whole = MANIFEST;
    Kind { schema: manifest::schema(&KINDS.specs()), whole, free: &["/publish/columns"], read: read_manifest }
}

fn config() -> Kind {
    Kind { schema: config::schema(&KINDS.specs()), whole: CONFIG, free: &[], read: read_config }
}

fn read_manifest(source: &str) -> Result<(), String> {
    let any = GeneratorRules { kind: PLACEHOLDER, checks: PLACEHOLDER };
    let rules = Rules {
        environment: "local".to_owned(),
        generators: BTreeMap::new(),
        any_generator: Some(any),
        elsewhere: BTreeSet::new(),
        images_max: 100,
        tables: None,
        url_base: "/files/".to_owned(),
    };
    Manifest::load("m.yaml", source, rules).map(|_| ()).map_err(|error| format!("{:#?}", error.mistakes))
}

fn read_config(source: &str) -> Result<(), String> {
    let outside = Outside { variable: &|_| None, read_file: &|_| Err(io::ErrorKind::NotFound.into()) };
    config::load(source, Path::new("/p/pixform.yaml"), None, &KINDS.specs(), &outside)
        .map(|_| ())
        .map_err(|error| format!("{error:#?}"))
}

/// Reads YAML as an editor does: by the core schema of YAML 1.2.
fn json(source: &str) -> Value {
    let source: Arc<str> = source.into();
    convert(&parse(&"f.yaml".into(), &source, YamlLimits::MANIFEST).unwrap())
}

fn convert(node: &Node<'_>) -> Value {
    match &node.value {
        Yaml::List(items) => items.iter().map(convert).collect(),
        Yaml::Map(entries) => {
            Value::Object(entries.iter().map(|entry| (entry.key.text.to_string(), convert(&entry.value))).collect())
        }
        Yaml::Scalar(scalar) if scalar.is_null() => Value::Null,
        Yaml::Scalar(scalar) if scalar.style == ScalarNotation::Plain => {
            let text = &*scalar.text;
            let number = || text.starts_with(|first: char| "+-.0123456789".contains(first)).then_some(text);
            match text {
                "true" => true.into(),
                "false" => false.into(),
                _ => number()
                    .and_then(|text| {
                        text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from)).ok()
                    })
                    .unwrap_or_else(|| text.into()),
            }
        }
        Yaml::Scalar(scalar) => scalar.text.to_string().into(),
    }
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).unwrap()
}

fn complaints(schema: &Value, value: &Value) -> Vec<String> {
    validator(schema).iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Returns the places of all keys, as JSON pointers.
fn keys(value: &Value, at: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(entries) => {
            for (key, inner) in entries {
                found.push((at.to_owned(), key.clone()));
                keys(inner, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                keys(inner, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Returns the names of all fields that a schema describes.
fn described(schema: &Value) -> BTreeSet<String> {
    let mut found = Vec::new();
    keys(schema, "", &mut found);
    let fields = found.into_iter().filter(|(at, _)| at.ends_with("/properties") && !at.contains("/if/"));
    fields.map(|(_, name)| name).collect()
}

fn check_committed(schema: &Value, file: &str, command: &str) {
    let committed = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap_or_default();
    assert!(committed == pixform::schema::text(schema), "`{file}` is out of date: run `{command} > {file}`");
}

#[test]
fn the_committed_schemas_are_the_generated_ones() {
    check_committed(&manifest::schema(&KINDS.specs()), "manifests/manifest.schema.json", "pixform schema");
    check_committed(&config::schema(&KINDS.specs()), "pixform.schema.json", "pixform schema --config");
}

#[test]
fn the_schemas_are_schemas_and_take_files_with_every_field() {
    for Kind { schema, whole, read, .. } in [manifest(), config()] {
        assert!(jsonschema::meta::is_valid(&schema));
        assert_eq!(complaints(&schema, &json(whole)), [""; 0]);
        assert_eq!(read(whole), Ok(()));
    }
}

#[test]
fn the_shipped_manifests_are_valid() {
    let mut count = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let source = std::fs::read_to_string(&path).unwrap();
            assert_eq!(complaints(&manifest::schema(&KINDS.specs()), &json(&source)), [""; 0], "{}", path.display());
            count += 1;
        }
    }
    assert!(count > 0);
}

/// Collects the names of a table, those of parts too.
fn tables(fields: &[FieldSpec], names: &mut BTreeSet<String>) {
    for spec in fields {
        names.insert(spec.name.to_owned());
        tables(spec.holds.parts(), names);
    }
}

#[test]
fn the_schemas_describe_every_field_that_is_read() {
    let ours = |lists: &[&[&str]]| lists.concat().into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    let mut manifest_fields = ours(&[&manifest::FIELDS, &Recipe::CORE_FIELDS, &manifest::RENDITION_FIELDS]);
    KINDS.specs().iter().for_each(|kind| tables(kind.fields, &mut manifest_fields));
    let mut config_fields = ours(&[
        &config::FIELDS,
        &config::ENVIRONMENT_FIELDS,
        &config::STORAGE_FIELDS,
        &config::GUARD_FIELDS,
        &config::LIMIT_FIELDS,
        &config::PUBLISH_FIELDS,
    ]);
    config_fields.extend(KINDS.specs().iter().flat_map(|kind| kind.option_names()).map(str::to_owned));
    for (Kind { schema, whole, .. }, fields) in [(manifest(), manifest_fields), (config(), config_fields)] {
        let described = described(&schema);
        assert_eq!(fields.difference(&described).collect::<Vec<_>>(), [""; 0]);
        let mut written = Vec::new();
        keys(&json(whole), "", &mut written);
        let written: BTreeSet<_> = written.into_iter().map(|(_, key)| key).collect();
        assert_eq!(described.difference(&written).collect::<Vec<_>>(), [""; 0], "the file has every field");
    }
}

#[test]
fn a_misspelt_field_is_refused_wherever_it_stands() {
    for Kind { schema, whole, free, .. } in [manifest(), config()] {
        let (fields, validator, whole) = (described(&schema), validator(&schema), json(whole));
        let mut places = Vec::new();
        keys(&whole, "", &mut places);
        places.retain(|(at, key)| fields.contains(key) && !free.contains(&at.as_str()));
        assert!(places.len() >= fields.len());
        for (at, key) in places {
            let mut wrong = whole.clone();
            let Some(Value::Object(map)) = wrong.pointer_mut(&at) else { panic!("{at} is a map") };
            let value = map.remove(&key).unwrap();
            map.insert(format!("{key}x"), value);
            assert!(!validator.is_valid(&wrong), "`{key}x` at `{at}`");
        }
    }
}

/// Edits a whole file: what one of the two refuses, the other refuses too.
fn check_refused(kind: Kind, edits: &[(&str, &str)]) {
    let Kind { schema, whole, read, .. } = kind;
    for (from, to) in edits {
        assert!(whole.contains(from), "{from}");
        let wrong = whole.replacen(from, to, 1);
        assert!(read(&wrong).is_err(), "the reader takes `{to}`");
        assert!(!complaints(&schema, &json(&wrong)).is_empty(), "the schema takes `{to}`");
    }
}

#[test]
fn schema_and_reader_refuse_the_same_manifests() {
    check_refused(
        manifest(),
        &[
            ("version: 1", "version: 2"),
            ("collection: portraits", "collection: Portraits"),
            ("key: [category", "key: [created_at, category"),
            ("key: [category", "key: [seed, category"),
            ("key: [category, value, style, year]", "key: []"),
            ("steps: 30", "steps: 30.5"),
            ("steps: 30", "steps: -1"),
            ("steps: 30", "steps: 1000001"),
            ("guidance_scale: 7.5", "guidance_scale: high"),
            ("sd_vae: vae.safetensors", "sd_vae: [a]"),
            ("loras: [{ model_name: style_42, strength: 0.6 }, ", "loras: [style_42, "),
            ("loras: [{ model_name: style_42, strength: 0.6 }, ", "loras: [~, "),
            ("loras: [{ model_name: style_42, strength: 0.6 }, ", "loras: [{ model_name: style_42 }, "),
            ("loras: [{ model_name: style_42, strength: 0.6 }, ", "loras: [{ strength: 0.6 }, "),
            ("strength: 0.6", "strength: high"),
            ("strength: 0.6", "strength: \"0.6\""),
            ("strength: 0.6", "strength: ~"),
            ("    - model_name: easy", "    model_name: easy"),
            ("target_width: 1024, ", ""),
            ("target_width: 1024", "target_width: 1024.5"),
            ("target_width: 1024", "target_width: -1"),
            ("target_width: 1024", "target_width: 1000001"),
            ("strength: 0.5, ", ""),
            ("upscaler: Latent", "upscaler: [Latent]"),
            ("refiner: { switch_at: 0.8 }", "refiner: 0.8"),
            ("refiner: { switch_at: 0.8 }", "refiner: {}"),
            ("clip_skip: 2", "clip_skip: 1.5"),
            ("enable_transparent_background: true", "enable_transparent_background: yes"),
            ("restore_faces: false", "restore_faces: 0"),
            ("seed: 7 }", "seed: 9223372036854775808 }"),
            ("seed: 7 }", "seed: drived }"),
            ("seed: 7 }", "seed: { derived: category } }"),
            ("year: 2020", "year: a b"),
            ("year: 2020", "year: []"),
            ("year: 2020", "year: ~"),
            ("style:\n", "width:\n"),
            ("unset: ~", "prompt: x"),
            ("value: [true]", "value: [true, false]"),
            ("  - at:", "  - at: { category: x }\n    matrix:"),
            ("    protect: true\n", "    protect: true\n    exclude: []\n"),
            ("protect: true", "protect: yes"),
            ("exclude: [", "exclude: [x, "),
            ("\"*/*/anime/*\"", "\"*/**/anime\""),
            ("to: age/18-19/*/*", "too: age/18-19/*/*"),
            ("main: {", "mian: {"),
            ("main: {", "seed: {"),
            ("format: jpeg", "format: jpg"),
            ("quality: 90", "quality: 0"),
            ("quality: ~", "quality: 90"),
            ("width: 160, height: 160", "width: 160"),
            ("width: 160", "width: 8193"),
            ("fit: contain", "fit: fill"),
            ("path: \"p/", "path: \"/"),
            ("number: 1", "id: 1"),
            ("number: 1", "number: ~"),
            ("  table: shop.portraits\n", ""),
        ],
    );
}

#[test]
fn schema_and_reader_refuse_the_same_settings() {
    check_refused(
        config(),
        &[
            ("version: 1", "version: 2"),
            ("  local:", "  -local:"),
            ("create_bucket: true", "create_bucket: yes"),
            ("price: 0.015", "price: -1"),
            ("price: 0.015", "price: cheap"),
            ("concurrency: 4", "concurrency: 0"),
            ("images_per_minute: 20", "images_per_minute: 2.5"),
            ("1500ms", "1500"),
            ("max_deletions: 0", "max_deletions: -1"),
            ("images: 100", "images: 0"),
            ("memory: 512MiB", "memory: 512 MB"),
            ("tables: [", "tables: [{}, "),
            ("on_unknown: retry", "on_unknown: yes"),
            ("on_unknown_max: 2", "on_unknown_max: 11"),
            ("novita:\n", "no vita:\n"),
        ],
    );
}
