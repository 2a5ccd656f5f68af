//! A kind of generator that only this file knows, registered through the same door as real ones: all that pixform does
//! with a kind comes from its table.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pixform::asset::{
    Assets, Complaint, Cost, FieldSpec, FieldType, KindSpec, Locality, MicroUsd, NegativePrompt, OptionSpec,
    OptionType, Pace, Presence, Recipe, Seeds, SizeRule,
};
use pixform::config::{self, Outside};
use pixform::engine::{self, EngineEvent, Environment, EnvironmentChoice, PlanOptions, RunOptions, RunStart};
use pixform::generator::{
    Answer, Found, Generator, GeneratorError, KINDS, Kind, Kinds, Opening, OpeningError, Order, Progress, ResultUrl,
};
use pixform::manifest::{self, Manifest};
use pixform::record::{Account, CallAttempt};
use pixform::state::RunOrigin;
use pixform::storage::TakeStorage;
use pixform::yaml::ManifestError;

/// The whole of a kind: a table, and how it is asked.
static STENCIL: Kind = Kind { spec: &SPEC, open };

/// The kinds of a program that has one of its own.
static OWN: Kinds = Kinds(&[&STENCIL]);

static SPEC: KindSpec = KindSpec {
    name: "stencil",
    title: "the stencil",
    cost: Cost::Paid,
    reach: Locality::Here,
    options: &[
        OptionSpec { name: "sheet", holds: OptionType::Text, help: "The sheet.", example: "a4" },
        OptionSpec {
            name: "grain",
            holds: OptionType::Count { least: 1, most: 9 },
            help: "How coarse it is.",
            example: "3",
        },
        OptionSpec { name: "ink_price", holds: OptionType::Money, help: "What ink costs.", example: "0.001" },
    ],
    surcharge: |options| options.text("ink_price").and_then(|price| price.parse().ok()).unwrap_or(MicroUsd(0)),
    fields: &[
        field("ink", FieldType::Text, Presence::Required, "black"),
        field("layers", FieldType::Count { least: 1, most: 4 }, Presence::Optional, "2"),
        field("pressure", FieldType::Number { least: 0.0, most: 1.0 }, Presence::Optional, "0.5"),
        field("mirrored", FieldType::Flag, Presence::Optional, "true"),
        field("edge", FieldType::Choice { what: "an edge", names: &["sharp", "torn"] }, Presence::Optional, "torn"),
        field("frame", FieldType::Object(&FRAME), Presence::Optional, "{ width: 4 }"),
        field("stamps", FieldType::List { parts: &STAMP, most: 2 }, Presence::Optional, "[{ shape: star }]"),
    ],
    lacks: &[("steps", "a stencil is cut in one go")],
    model: None,
    prompt_chars_max: 100,
    negative_prompt: NegativePrompt::Lacking,
    seeds: Seeds::None,
    sizes: SizeRule::Exact(64..=256),
    pace: Pace {
        concurrency: 2,
        images_per_minute: None,
        min_interval: Duration::ZERO,
        deadline: Duration::from_secs(60),
    },
    check: |recipe, complaints| {
        if recipe.fields.flag("mirrored") && recipe.fields.text("edge") == Some("torn") {
            let message = "must not be set where the edge is torn".to_owned();
            complaints.push(Complaint { field: "mirrored".into(), message, help: None });
        }
    },
};

static FRAME: [FieldSpec; 1] = [field("width", FieldType::Count { least: 1, most: 9 }, Presence::Required, "4")];

static STAMP: [FieldSpec; 1] = [field("shape", FieldType::Text, Presence::Required, "star")];

const fn field(name: &'static str, holds: FieldType, presence: Presence, example: &'static str) -> FieldSpec {
    FieldSpec { name, holds, presence, help: "A word about it.", example, source: None }
}

/// What was asked for: recipes, and the sheet that was configured.
static ASKED: Mutex<Vec<(Recipe, String)>> = Mutex::new(Vec::new());

struct Stencil {
    sheet: String,
    painter: Arc<dyn Generator>,
}

fn open(opening: &Opening<'_>) -> Result<Arc<dyn Generator>, OpeningError> {
    let painter = (KINDS.named("placeholder").unwrap().open)(opening)?;
    Ok(Arc::new(Stencil { sheet: opening.options.text("sheet").unwrap_or_default().to_owned(), painter }))
}

#[async_trait]
impl Generator for Stencil {
    async fn submit(&self, order: &Order<'_>) -> Result<Answer, GeneratorError> {
        ASKED.lock().unwrap().push((order.recipe.clone(), self.sheet.clone()));
        self.painter.submit(order).await
    }

    async fn poll(&self, task: &str) -> Result<Progress, GeneratorError> {
        self.painter.poll(task).await
    }

    async fn find(&self, lost: &CallAttempt) -> Result<Found, GeneratorError> {
        self.painter.find(lost).await
    }

    fn account(&self, _store: &str) -> Option<Account> {
        None
    }

    async fn download(&self, result: &ResultUrl) -> Result<Bytes, GeneratorError> {
        self.painter.download(result).await
    }
}

const CONFIG: &str = "version: 1
environments:
  local:
    state: sqlite:state.db
    storage: { url: \"file:storage\" }
    generators: { cutter: { kind: stencil, price: 0.02, sheet: a4, grain: 3, ink_price: 0.001 } }
  elsewhere:
    state: sqlite:other.db
    storage: { url: \"file:other\" }
    generators: { press: { kind: stencil, price: 0.02 } }
";

const MANIFEST: &str = "version: 1
collection: signs
key: [sign]
defaults:
  generator: cutter
  prompt: a {{ sign }}
  seed: derived
  take: 1
  width: 64
  height: 96
  ink: black
  layers: 2
  pressure: 0.5
  mirrored: true
  edge: sharp
  frame: { width: 4 }
  stamps: [{ shape: star }, { shape: moon }]
per_generator: { cutter: { layers: 3 }, press: { anything: at all } }
images:
  - matrix: { sign: [fox, owl] }
    per_generator: { cutter: { pressure: ~ } }
renditions:
  main: { format: png, path: \"signs/{{ sign }}-{{ digest }}.{{ ext }}\" }
";

fn folder(config: &str, manifest: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pixform.yaml"), config).unwrap();
    fs::write(folder.path().join("signs.yaml"), manifest).unwrap();
    folder
}

fn environment(folder: &Path) -> Environment {
    let choice =
        EnvironmentChoice { file: Some(folder.join("pixform.yaml")), name: Some("local".to_owned()), kinds: OWN };
    Environment::settle(&choice, &|_: EngineEvent<'_>| {}).unwrap()
}

/// Tells what is wrong with an edited manifest.
fn mistakes(from: &str, to: &str) -> Vec<String> {
    assert!(MANIFEST.contains(from), "{from}");
    let folder = folder(CONFIG, "");
    let rules = environment(folder.path()).rules().unwrap();
    told(Manifest::load("signs.yaml", &MANIFEST.replacen(from, to, 1), rules).err())
}

fn told(error: Option<ManifestError>) -> Vec<String> {
    let told = |error: ManifestError| {
        let located = error.located();
        located.map(|(line, column, at)| format!("{line}:{column} {} | {}", at.message, at.help)).collect()
    };
    error.map(told).unwrap_or_default()
}

#[tokio::test]
async fn a_kind_of_ones_own_is_planned_paid_for_and_published_as_its_table_says() {
    let folder = folder(CONFIG, MANIFEST);
    let listener = &|_: EngineEvent<'_>| {};
    let manifests = [folder.path().join("signs.yaml")];
    let options = PlanOptions::default();
    let prepared = engine::prepare(environment(folder.path()), &manifests, &options, listener).await.unwrap();
    assert_eq!(prepared.plan.refusals.len(), 0);
    let prices: Vec<MicroUsd> = prepared.plan.changes().map(|(_, change)| change.price).collect();
    assert_eq!(prices, [MicroUsd(21_000); 2], "the price and what the option adds");
    let world = prepared.open(prepared.generators().unwrap()).await.unwrap();
    let start = RunStart { command: "test", origin: RunOrigin::default(), take: TakeStorage::No };
    let outcome = engine::carry_out(&world, &prepared, &RunOptions::new(start), listener).await.unwrap();
    assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
    let mut asked = ASKED.lock().unwrap().clone();
    asked.sort_by(|(one, _), (other, _)| one.prompt.cmp(&other.prompt));
    assert_eq!(asked.iter().map(|(_, sheet)| sheet.as_str()).collect::<Vec<_>>(), ["a4", "a4"]);
    let mut canonical = Vec::new();
    asked[0].0.write_canonical(&mut canonical);
    insta::assert_snapshot!(String::from_utf8(canonical).unwrap(), @r#"{"edge":"sharp","frame":{"width":4},"generator":"stencil","height":96,"ink":"black","layers":3,"mirrored":true,"prompt":"a fox","stamps":[{"shape":"star"},{"shape":"moon"}],"take":1,"width":64}"#);
    insta::assert_snapshot!(asked[0].0.digest().to_string(), @"sha256:dfb51afc8dd1f97cbb5652b4e646faf12ad0205c26ca312061e52634ce204128");
    let again = engine::prepare(environment(folder.path()), &manifests, &options, listener).await.unwrap();
    assert!(again.plan.is_empty(), "what is stored is what is asked for");
}

#[test]
fn the_placeholder_stands_in_for_a_kind_of_ones_own() {
    let config = "version: 1\nenvironments: { local: { state: \"sqlite:state.db\", storage: { url: \"file:s\" }, \
                  generators: { cutter: { kind: placeholder, checks_as: stencil }, press: { kind: placeholder } } } }\n";
    let folder = folder(config, "");
    let both = Kinds(Box::leak(KINDS.0.iter().copied().chain([&STENCIL]).collect::<Box<[_]>>()));
    let choice = EnvironmentChoice { file: Some(folder.path().join("pixform.yaml")), name: None, kinds: both };
    let environment = Environment::settle(&choice, &|_: EngineEvent<'_>| {}).unwrap();
    let text = MANIFEST.replace("press: { anything: at all }", "press: ~");
    let (manifest, _) = Manifest::load("signs.yaml", &text, environment.rules().unwrap()).unwrap();
    let recipe = manifest.asset(0).recipe;
    assert_eq!((recipe.generator.as_str(), recipe.fields.text("ink")), ("placeholder", Some("black")));
    assert!(recipe.seed.is_some() && recipe.take.is_none(), "a placeholder always takes a seed");
}

#[test]
fn what_the_table_does_not_allow_is_a_mistake_with_what_it_does() {
    for (from, to, wanted) in [
        ("ink: black", "ink: \"\"", "11:8 `ink` must not be empty"),
        ("  ink: black\n", "", "`ink` must be set for the stencil | for instance `black`"),
        ("layers: 3", "layers: 5", "`layers` must be from 1 to 4, is 5"),
        ("layers: 3", "layers: two", "`layers` must be a whole number, is `two`"),
        (
            "edge: sharp",
            "edge: sharpp",
            "15:9 `edge` must be an edge of the stencil, is `sharpp` | did you mean `sharp`?",
        ),
        ("edge: sharp", "edge: torn", "14:13 `mirrored` must not be set where the edge is torn"),
        ("mirrored: true", "mirrored: yes", "14:13 `mirrored` must be `true` or `false`, is `yes`"),
        ("frame: { width: 4 }", "frame: { width: 40 }", "16:19 `frame.width` must be from 1 to 9, is 40"),
        ("{ shape: moon }", "{ shape: moon }, { shape: sun }", "`stamps` must have at most 2 entries, has 3"),
        ("width: 64", "width: 63", "9:10 `width` must be from 64 to 256, is 63"),
        ("seed: derived", "seed: 7", "7:9 the stencil takes no seeds"),
        ("seed: derived", "negative_prompt: dull", "`negative_prompt` is nothing that the stencil takes"),
        ("seed: derived", "steps: 30", "`defaults` has no field `steps`"),
        ("layers: 3", "layres: 3", "`per_generator` of `cutter` has no field `layres` | did you mean `layers`?"),
        ("layers: 3", "generator: press", "`per_generator` of `cutter` has no field `generator`"),
        ("press:", "pres:", "no environment has a generator `pres`"),
    ] {
        let found = mistakes(from, to);
        assert!(found.iter().any(|line| line.contains(wanted)), "{to}: {found:#?}");
    }
}

#[test]
fn what_pixform_yaml_may_say_of_a_kind_stands_in_its_table() {
    let outside = Outside { variable: &|_| None, read_file: &|_| Err(std::io::ErrorKind::NotFound.into()) };
    for (from, to, wanted) in [
        ("grain: 3", "grain: 10", "`grain` must be at most 9, is 10"),
        ("grain: 3", "api_key: x", "the generator `cutter` of kind `stencil` has no field `api_key`"),
        ("ink_price: 0.001", "ink_price: little", "`ink_price` is no amount of money"),
        ("price: 0.02, sheet", "sheet", "`stencil` is paid, and has no `price`"),
        ("kind: stencil, price", "kind: stencils, price", "did you mean `stencil`?"),
    ] {
        let config = CONFIG.replacen(from, to, 1);
        let settled = config::load(&config, Path::new("/p/pixform.yaml"), Some("local"), &OWN.specs(), &outside);
        let error = settled.map(|_| ()).unwrap_err();
        let config::ConfigError::Mistakes(error) = error else { panic!("{error}") };
        let found = told(Some(error));
        assert!(found.iter().any(|line| line.contains(wanted)), "{to}: {found:#?}");
    }
}

#[test]
fn schemas_and_lists_are_made_from_the_table() {
    let specs = OWN.specs();
    let schema = manifest::schema(&specs);
    let settings = &schema["$defs"]["settings"]["properties"];
    let own: BTreeSet<&str> = SPEC.fields.iter().map(|spec| spec.name).collect();
    for name in &own {
        assert!(settings[name].is_object(), "{name}");
    }
    assert!(settings["sampler"].is_null(), "no other kind's field");
    let schema = config::schema(&specs);
    let text = schema.to_string();
    for name in ["sheet", "grain", "ink_price", "price", "concurrency"] {
        assert!(text.contains(&format!("\"{name}\":")), "{name}");
    }
    let printed = pixform::render::kind_text(&SPEC);
    for name in own.into_iter().chain(["frame", "shape", "ink_price"]) {
        assert!(printed.contains(&format!("{name} ")), "{name}\n{printed}");
    }
}
