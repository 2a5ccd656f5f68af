//! On GitHub Actions every mistake is an annotation, and no text of a stranger is a command.

use std::process::Command;

use crate::project::{PEOPLE, Project, Ran, ran};

/// Makes a command believe that it runs on GitHub Actions, in a repository that holds the project's folder.
fn on_actions(project: &Project, args: &[&str]) -> Command {
    let mut command = project.command(args);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", project.root().parent().unwrap());
    command
}

fn run(project: &Project, args: &[&str]) -> Ran {
    ran(on_actions(project, args).output().unwrap())
}

/// Returns what a runner would obey, of both streams.
fn commands(ran: &Ran) -> Vec<String> {
    let lines = ran.stdout.split(['\n', '\r']).chain(ran.stderr.split(['\n', '\r']));
    let seen = lines.filter(|line| line.trim_start().starts_with("::") || line.contains("##["));
    seen.map(str::to_owned).collect()
}

#[test]
fn every_mistake_of_a_manifest_is_annotated_where_it_stands_in_the_repository() {
    let project =
        Project::new(&PEOPLE.replace("  steps: 20", "  stepz: 20").replace("  width: 64", "  width: wide, 100%"));
    let told = run(&project, &["validate"]).expect(1);
    assert_eq!(
        commands(&told),
        [
            "::error file=project/manifests/people.yaml,line=7,col=3::`defaults` has no field `stepz`%0Adid you mean `steps`?",
            "::error file=project/manifests/people.yaml,line=8,col=10::`width` must be a whole number, is `wide, 100%25`%0Awrite the number of pixels in digits only: `width: 512`, `height: 768`",
        ],
        "{}",
        told.stderr
    );
    assert!(told.stderr.contains("error: `defaults` has no field `stepz`"), "{}", told.stderr);
    let plain = project.run(&["validate"]).expect(1);
    assert_eq!(commands(&plain), Vec::<String>::new());
}

#[test]
fn warnings_failures_refusals_and_wrong_arguments_are_annotated_too() {
    let project = Project::new(
        &PEOPLE
            .replace("  photo: {", "  other: { vars: { unused: x } }\n    photo: {")
            .replace("look: photograph", "look: photograph, spare: y"),
    );
    let told = run(&project, &["plan"]);
    assert!(
        commands(&told).iter().any(|line| line.starts_with("::warning") || line.starts_with("::error")),
        "{}",
        told.stderr
    );
    let project = Project::applied();
    project.edit("        aged: { vars: { subject: an old man } }\n", "");
    project.edit("        slim: { vars: { subject: a slim man } }\n", "");
    project.write("pixform.yaml", &format!("version: 1\nenvironments:\n  local:\n    state: \"{}\"\n    storage: {{ url: \"file:.pixform/storage\" }}\n    generators: {{ painter: {{ kind: placeholder }} }}\n    guards: {{ max_deletions: 1 }}\n", project.state_url()));
    let told = run(&project, &["plan"]).expect(0);
    assert!(
        commands(&told)[0].starts_with("::warning::the plan deletes 4 assets, and 1 are allowed"),
        "{:?}",
        commands(&told)
    );
    let told = run(&project, &["show", "age/nobody/photo"]).expect(1);
    assert!(
        commands(&told)[0].starts_with("::error::no manifest declares `age/nobody/photo`%0A"),
        "{:?}",
        commands(&told)
    );
    let told = run(&project, &["plan", "--wrong\n::add-mask::x"]).expect(1);
    assert_eq!(commands(&told).len(), 1, "{}", told.stderr);
    assert!(commands(&told)[0].starts_with("::error::unexpected argument"), "{}", told.stderr);
}

#[test]
fn events_stay_alone_on_stdout() {
    let project = Project::new(&PEOPLE.replace("steps: 20", "stepz: 20"));
    let told = run(&project, &["validate", "--json"]).expect(1);
    for line in told.stdout.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert!(told.stderr.contains("::error file=project/manifests/people.yaml"), "{}", told.stderr);
}

#[test]
fn a_prompt_is_no_command() {
    let hostile = "\"::add-mask::a ##[set-output name=x]y ::stop-commands::z\"";
    let project = Project::new(PEOPLE);
    project.apply();
    project.edit("an old man", hostile);
    project.edit("prompt: a {{ look }} of {{ subject }}", "prompt: \"{{ subject }}, {{ look }}\"");
    for args in [
        &["plan"][..],
        &["plan", "-vv"],
        &["plan", "--json"],
        &["explain", "age/aged/photo"],
        &["show", "age/aged/photo"],
        &["plan", "--only", "##[error]x/*"],
        &["show", "\n::error::x"],
        &["apply", "--yes"],
        &["list", "--json"],
        &["history"],
    ] {
        let told = run(&project, args);
        let obeyed = commands(&told);
        let ours = |line: &String| line.starts_with("::error::") && !line.contains('\r');
        assert!(obeyed.iter().all(ours), "{args:?}: {obeyed:?}\n{}\n{}", told.stdout, told.stderr);
        assert!(obeyed.len() <= 1, "{args:?}: {obeyed:?}");
    }
    let told = run(&project, &["plan", "--json", "--against", "manifests"]);
    assert_eq!(told.code, 0, "{}", told.stderr);
    assert!(
        project.ok(&["show", "age/aged/photo"]).contains("::add-mask::a ##[set-output"),
        "elsewhere nothing is changed"
    );
}
