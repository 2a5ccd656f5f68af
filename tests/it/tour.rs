//! The README's tour, run from its text: each command by a shell, each line below it looked for in the output.

use std::path::Path;
use std::process::Command;

/// One command of the tour, and the lines that its output must hold, in this order.
#[derive(Debug)]
struct Step {
    command: String,
    lines: Vec<String>,
}

fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match line {
            "```console tour" => inside = true,
            "```" => inside = false,
            line if inside => match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), lines: Vec::new() }),
                None => steps.last_mut().expect("a command comes first").lines.push(line.to_owned()),
            },
            _ => {}
        }
    }
    steps
}

#[test]
fn the_tour_of_the_readme_shows_what_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let steps = steps(&std::fs::read_to_string(root.join("README.md")).unwrap());
    assert!(steps.len() >= 10, "the tour was not found: {steps:#?}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("manifests")).unwrap();
    let manifest = "manifests/attribute-images.yaml";
    std::fs::copy(root.join(manifest), folder.path().join(manifest)).unwrap();
    let binaries = Path::new(env!("CARGO_BIN_EXE_pixform")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    for Step { command, lines } in steps {
        let output = Command::new("bash")
            .args(["-c", &command])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", &path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut rest = text.as_str();
        for line in lines {
            let at = rest.find(&line);
            let at = at.unwrap_or_else(|| panic!("`{command}` does not print `{line}`, but:\n{text}"));
            rest = &rest[at + line.len()..];
        }
    }
}

#[test]
fn the_manifest_of_the_readme_can_be_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let manifest = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portraits.yaml"), manifest).unwrap();
    let output = assert_cmd::Command::cargo_bin("pixform")
        .unwrap()
        .arg("plan")
        .env_clear()
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Plan: 4 to generate"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}
