//! `--config FILE`: where things live is taken from a file that a pull request cannot edit; what is wanted, from the pull
//! request.

use std::fs;

use crate::fake::FakeNovita;
use crate::fake::behaviour::Behaviour;
use crate::paid::{KEY, Paid, portraits};
use crate::project::{PEOPLE, Project, ran};

#[test]
fn a_pull_request_cannot_send_the_key_elsewhere() {
    let paid = Paid::new(&portraits(2));
    let root = paid.project.root();
    let base = tempfile::tempdir().unwrap();
    // What `git show origin/main:pixform.yaml` gives, with a file of variables that the branch forges.
    let ours = fs::read_to_string(root.join("pixform.yaml")).unwrap();
    let address = paid.fake.base_url();
    let ours = ours.replace(address, &format!("${{BASE_URL:-{address}}}"));
    let ours = ours.replace("default_environment", "env_file: .env.local\ndefault_environment");
    fs::write(base.path().join("pixform.yaml"), &ours).unwrap();
    fs::write(base.path().join(".env.local"), "OTHER=1\n").unwrap();
    let thief = FakeNovita::start(Behaviour { rate: None, ..Behaviour::default() });
    paid.project.write("pixform.yaml", &ours.replace(address, thief.base_url()));
    for folder in ["", "manifests/"] {
        paid.project.write(&format!("{folder}.env.local"), &format!("BASE_URL={}\n", thief.base_url()));
    }
    let config = base.path().join("pixform.yaml");
    let run = |args: &[&str]| {
        let mut command = paid.command(&["--config", config.to_str().unwrap()]);
        ran(command.args(args).output().unwrap())
    };
    let told = run(&["plan"]).expect(0);
    assert!(
        told.stdout.contains("Plan: 2 to generate"),
        "the manifests are those of the working folder: {}",
        told.stdout
    );
    run(&["apply", "--yes"]).expect(0);
    assert_eq!(paid.fake.charges().len(), 2);
    assert!(thief.requests().is_empty(), "somebody else was asked, with the key {KEY}");
    assert!(base.path().join(".pixform/storage").is_dir(), "paths of the file begin at its own folder");
    assert!(!root.join(".pixform/storage").exists());
    // Without the argument the branch would have had its way.
    let mut command = paid.command(&["apply", "--yes"]);
    ran(command.output().unwrap());
    assert!(!thief.requests().is_empty(), "the file of the branch leads elsewhere");
}

#[test]
fn manifests_are_those_of_the_working_folder_and_only_else_those_beside_the_file() {
    let project = Project::new(PEOPLE);
    let config = "version: 1\nenvironments:\n  local:\n    state: sqlite:s.db\n    storage: { url: \"file:f\" }\n    generators: { painter: { kind: placeholder } }\n";
    project.write("base/pixform.yaml", config);
    project.write("base/manifests/others.yaml", &PEOPLE.replace("people", "others"));
    let listed = |args: &[&str]| project.ok(&[args, &["validate"]].concat());
    assert!(listed(&["--config", "base/pixform.yaml"]).starts_with("manifests/people.yaml: `people`"));
    project.write("empty/x.txt", "");
    let beside = listed(&["-C", "empty", "--config", "../base/pixform.yaml"]);
    assert!(beside.contains("others.yaml: `others`"), "{beside}");
    fs::remove_dir_all(project.root().join("base/manifests")).unwrap();
    let told = project.run(&["-C", "empty", "--config", "../base/pixform.yaml", "validate"]).expect(1).stderr;
    assert!(told.contains("there is no manifest in"), "{told}");
}
