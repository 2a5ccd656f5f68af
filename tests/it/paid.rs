//! A project whose pictures are bought at a fake Novita, and the real binary run in it: what the tests of money stand on.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::fake::FakeNovita;
use crate::fake::behaviour::Behaviour;
use crate::project::{Project, Ran, ran};

/// The key that the fake lets in.
pub const KEY: &str = "test-key";

/// The people of [`portraits`], and how they look.
pub const PEOPLE: [(&str, &str); 4] = [
    ("baker", "a baker in his fifties, in a white apron and a cap"),
    ("nurse", "a nurse in her thirties, in a blue tunic"),
    ("pilot", "a pilot in her forties, in a dark uniform"),
    ("tailor", "a tailor in his sixties, in a grey three-piece suit"),
];

/// Returns a manifest that declares the first so many of [`PEOPLE`].
pub fn portraits(count: usize) -> String {
    let mut text = r#"version: 1
collection: portraits
key: [name]
defaults:
  generator: novita
  model: sd_xl_base_1.0.safetensors
  sampler: DPM++ 2M Karras
  steps: 20
  guidance_scale: 7.5
  width: 128
  height: 128
  seed: derived
  prompt: studio portrait of {{ subject }}, plain light background
renditions:
  main: { format: png, path: "portraits/{{ name }}-{{ digest }}.{{ ext }}" }
publish:
  table: portraits
  columns:
    image_url: "{{ url }}"
    seed: "{{ seed }}"
images:
"#
    .to_owned();
    for (name, subject) in PEOPLE.iter().take(count) {
        text.push_str(&format!("  - {{ at: {{ name: {name} }}, vars: {{ subject: \"{subject}\" }} }}\n"));
    }
    text
}

/// A project with a fake of its own; both go with this value.
pub struct Paid {
    pub project: Project,
    pub fake: FakeNovita,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub key: String,
    pub status: String,
    /// Empty where there is none.
    pub reason: String,
    /// Empty where there is none.
    pub decision: String,
}

impl Paid {
    /// Makes a project with a manifest, and a fake without a rate limit.
    pub fn new(manifest: &str) -> Self {
        let fake = FakeNovita::start(Behaviour { rate: None, ..Behaviour::default() });
        let paid = Self { project: Project::new(manifest), fake };
        paid.configure(&[], &[]);
        paid
    }

    /// Writes `pixform.yaml` anew: with other fields of the generator, and of the environment, than the usual ones.
    pub fn configure(&self, generator: &[(&str, &str)], environment: &[(&str, &str)]) {
        let base_url = format!("\"{}\"", self.fake.base_url());
        let mut fields = BTreeMap::from([
            ("kind", "novita"),
            ("base_url", &base_url),
            ("api_key", "\"${NOVITA_API_KEY}\""),
            ("price", "0.015"),
            ("concurrency", "4"),
            ("images_per_minute", "100000"),
            ("deadline", "5s"),
            ("request_timeout", "2s"),
        ]);
        fields.extend(generator.iter().copied());
        let lines = |fields: &mut dyn Iterator<Item = (&str, &str)>, indent: &str| {
            fields.map(|(name, value)| format!("{indent}{name}: {value}\n")).collect::<String>()
        };
        let text = format!(
            "version: 1\ndefault_environment: shop\nenvironments:\n  shop:\n    state: \"{}\"\n    \
             storage: {{ url: \"file:.pixform/storage\" }}\n{}    generators:\n      novita:\n{}",
            self.project.state_url(),
            lines(&mut environment.iter().copied(), "    "),
            lines(&mut fields.into_iter(), "        "),
        );
        self.project.write("pixform.yaml", &text);
    }

    /// Returns a command in the project's folder, in an environment that holds the key and nothing else.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.project.command(args);
        command.env("NOVITA_API_KEY", KEY);
        command
    }

    /// Applies, with these arguments besides.
    pub fn apply(&self, args: &[&str]) -> Ran {
        self.apply_with(args, &[])
    }

    /// Applies, with these variables besides.
    pub fn apply_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(&["apply", "--yes"]);
        ran(command.args(args).envs(variables.iter().copied()).output().unwrap())
    }

    /// Returns what is planned for each key, and for how much: `baker generate 0.015`; without the key of the service,
    /// which a plan does not need.
    pub fn planned(&self) -> Vec<String> {
        let document = self.project.plan();
        let text = |change: &Value, field: &str| change[field].as_str().unwrap_or("?").to_owned();
        let line = |change: &Value| ["key", "action", "price"].map(|field| text(change, field)).join(" ");
        document["changes"].as_array().unwrap().iter().map(line).collect()
    }

    /// Returns the lines of the ledger, the oldest first.
    pub fn ledger(&self) -> Vec<Line> {
        let sql = "SELECT key, status, coalesce(reason, ''), coalesce(decision, '') FROM pixform_calls ORDER BY id";
        let lines = self.project.cells(sql).into_iter().map(|cells| {
            let [key, status, reason, decision] = cells.try_into().unwrap();
            Line { key, status, reason, decision }
        });
        lines.collect()
    }

    /// Returns the statuses of the calls for an asset, the oldest first.
    pub fn statuses(&self, key: &str) -> Vec<String> {
        self.ledger().into_iter().filter(|line| line.key == key).map(|line| line.status).collect()
    }

    /// Returns the keys that have a row.
    pub fn published(&self) -> Vec<String> {
        self.project.query("SELECT name FROM portraits ORDER BY name")
    }

    /// Asserts that neither the key nor a signature of a link is in a text.
    pub fn assert_no_secret(&self, text: &str) {
        assert!(!text.contains(KEY), "the key is told:\n{text}");
        for secret in self.fake.secrets() {
            assert!(!text.contains(&secret), "a link's signature is told:\n{text}");
        }
    }
}
