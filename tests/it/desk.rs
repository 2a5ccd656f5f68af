//! A desk: a folder with a manifest in which the binary is run, as a person would.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::storage_file::SmallDisk;

/// A manifest in which nothing is wrong.
pub const GOOD: &str = r#"version: 1
collection: portraits
key: [category, value, style]
vars: { clothed: "fully clothed in {{ outfit }}" }
defaults:
  generator: novita
  model: sd_xl
  sampler: DPM++ 2M Karras
  steps: 30
  guidance_scale: 7.5
  width: 128
  height: 128
  seed: derived
  prompt: >-
    {{ look }}, one adult person, {{ subject }},
    {{ clothed }}
axes:
  style:
    realistic: { vars: { look: photograph } }
    anime: { vars: { look: illustration }, with: { steps: 28 } }
images:
  - matrix:
      category: age
      value:
        18-19: { vars: { subject: a student, outfit: a shirt } }
        70+: { vars: { subject: an old man, outfit: a jacket } }
    exclude: [{ value: 18-19, style: anime }]
  - at: { category: hero, value: banner, style: realistic }
    vars: { subject: a woman, outfit: a coat }
    with: { width: 256 }
cells:
  age/70+/anime: { with: { seed: 7 }, protect: true }
  "*/*/anime": { hold: true }
renditions:
  main: { format: jpeg, quality: 90, path: "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}" }
publish:
  table: portraits
  columns: { image_url: "{{ url }}", seed: "{{ seed }}", prompt: "{{ prompt }}", label: "{{ value }} x" }
"#;

/// What came of a run.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Returns all that a person sees.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Returns the diagnostics of a run with `--json`: file, `line:column message | help`.
    pub fn diagnostics(&self) -> Vec<(String, String)> {
        let events = self.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let wanted = events.filter(|event| event["type"] == "diagnostic" && event["severity"] == "error");
        let text = |event: &serde_json::Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        wanted
            .filter(|event| event["file"].is_string())
            .map(|event| {
                let (message, help) = (text(&event, "message"), text(&event, "help"));
                (text(&event, "file"), format!("{}:{} {message} | {help}", event["line"], event["column"]))
            })
            .collect()
    }
}

/// A folder of its own.
pub struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    /// Makes an empty one.
    pub fn empty() -> Self {
        let desk = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(desk.path("manifests")).unwrap();
        desk
    }

    /// Makes one with a manifest, `manifests/x.yaml`.
    pub fn with(source: impl AsRef<[u8]>) -> Self {
        let desk = Self::empty();
        desk.write("manifests/x.yaml", source);
        desk
    }

    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Runs the binary; whatever it prints, no terminal would obey any of it.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_in(self.folder.path(), args)
    }

    /// The same in another folder.
    pub fn run_in(&self, folder: &Path, args: &[&str]) -> Ran {
        self.run_with(folder, args, &[])
    }

    /// The same with variables.
    pub fn run_with(&self, folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pixform"));
        command.current_dir(folder);
        Self::watch(command, args, variables)
    }

    /// Runs the binary on a small disk, which has a mount name space of its own.
    pub fn run_on(&self, disk: &SmallDisk, args: &[&str]) -> Ran {
        let mut command = disk.enter(env!("CARGO_BIN_EXE_pixform"));
        command.arg("-C").arg(self.folder.path());
        Self::watch(command, args, &[("PATH", &std::env::var("PATH").unwrap())])
    }

    fn watch(mut command: Command, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        command.args(args).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let code = output.status.code().unwrap_or_else(|| panic!("{args:?} was killed: {stderr}"));
        let ran = Ran { code, stdout, stderr };
        let obeyed = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!ran.all().contains(obeyed), "{args:?}: {:?}", ran.all());
        for words in ["did not find expected", "mapping values are not", "untagged", "Option<", "panicked"] {
            assert!(!ran.all().contains(words), "{args:?}: {}", ran.all());
        }
        ran
    }
}

/// Edits the good manifest and compares all mistakes that the binary tells; all cases share one run.
pub fn check(cases: &[(&str, &str, &[&str])]) {
    let desk = Desk::empty();
    for (number, (from, to, _)) in cases.iter().enumerate() {
        assert!(GOOD.contains(from), "{from}");
        desk.write(&format!("manifests/{number:03}.yaml"), GOOD.replacen(from, to, 1));
    }
    let ran = desk.run(&["validate", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, words) in ran.diagnostics() {
        told.entry(file).or_default().push(words);
    }
    let mut wrong = Vec::new();
    for (number, (_, to, wanted)) in cases.iter().enumerate() {
        let found = told.remove(&format!("manifests/{number:03}.yaml")).unwrap_or_default();
        if found != *wanted {
            wrong.push(format!("{to}\n  wanted {wanted:#?}\n  found  {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!desk.path(".pixform").exists(), "a bad manifest writes nothing");
}
