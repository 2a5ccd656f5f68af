//! The documents name only what there is, and leave out nothing that they promise to list.
//!
//! What they show is run by `tour`; here is what they say in backticks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use pixform::config::{ENVIRONMENT_FIELDS, GUARD_FIELDS, LIMIT_FIELDS, STORAGE_FIELDS};
use pixform::generator::KINDS;
use pixform::record::CallStatus;
use serde_json::Value;

const DOCUMENTS: [&str; 2] = ["README.md", "docs/money.md"];

/// Every exit code that a command may end with.
const EXIT_CODES: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "130", "143"];

/// Words with an underscore that are nobody's field: what manifests and tables are named in the examples.
const EXAMPLES: [&str; 9] = [
    "style_42",
    "pixform_plan",
    "service_role",
    "pixform_preview",
    "pixform_apply",
    "attribute_images",
    "pixform_",
    "created_at",
    "updated_at",
];

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Returns what stands in backticks outside of blocks, and each command of a block.
fn code(document: &str) -> Vec<String> {
    let (mut code, mut inside) = (Vec::new(), false);
    for line in document.lines() {
        match line {
            line if line.starts_with("```") => inside = !inside,
            line if inside => code.extend(line.strip_prefix("$ ").map(str::to_owned)),
            line => code.extend(line.split('`').skip(1).step_by(2).map(str::to_owned)),
        }
    }
    code
}

fn help(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pixform")).args(args).arg("--help").env_clear().output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the help of every command, by name.
fn helps() -> BTreeMap<String, String> {
    let all = help(&[]);
    let (_, commands) = all.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(|name| (name.to_owned(), help(&[name]))).collect()
}

/// Returns the words of a text that look like flags, as a shell would pass them.
fn flags(code: &str) -> impl Iterator<Item = &str> {
    let words = code.split(|letter: char| letter.is_whitespace() || matches!(letter, ';' | '=' | '\''));
    words.filter(|word| word.starts_with('-') && word.chars().any(|letter| letter.is_ascii_alphabetic()))
}

fn has_flag(help: &str, flag: &str) -> bool {
    help.split(|letter: char| letter.is_whitespace() || letter == ',').any(|word| word.trim_end_matches("...") == flag)
}

/// Returns the cells in the first column of the table below a heading, with what is in backticks there bared.
fn first_column(document: &str, heading: &str) -> Vec<String> {
    let rows = document.split_once(heading).unwrap_or_else(|| panic!("there is no `{heading}`")).1;
    let rows = rows.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cell = |row: &str| row.split('|').nth(1).unwrap().trim().trim_matches('`').to_owned();
    rows.skip(2).map(cell).collect()
}

/// Adds the names of all properties in a JSON Schema.
fn properties(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let own = fields.get("properties").and_then(Value::as_object);
            names.extend(own.into_iter().flatten().map(|(name, _)| name.clone()));
            fields.values().for_each(|inner| properties(inner, names));
        }
        Value::Array(items) => items.iter().for_each(|inner| properties(inner, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns the `pixform.yaml` of a document, with the fields that are commented out put in.
fn whole_config(document: &str) -> String {
    let from = document.split_once("```yaml pixform.yaml\n").map_or(document, |(_, rest)| rest);
    let block = from.split("```").next().unwrap();
    let put_in = |line: &str| match line.split_once("# ") {
        Some((margin, field)) if margin.trim().is_empty() && field.split_once(": ").is_some_and(is_field) => {
            format!("{margin}{field}\n")
        }
        _ => format!("{line}\n"),
    };
    block.lines().map(put_in).collect()
}

/// Returns the names of everything that can be said of a generator of some kind.
fn generator_fields() -> Vec<&'static str> {
    KINDS.specs().iter().flat_map(|kind| kind.option_names()).collect()
}

fn is_field((name, _): (&str, &str)) -> bool {
    generator_fields().contains(&name)
}

#[test]
fn every_flag_in_the_documents_is_in_the_help() {
    let helps = helps();
    for path in DOCUMENTS.into_iter().chain(["docs/github.md"]) {
        for code in code(&read(path)) {
            let mut commands = code.split("pixform ").skip(1).filter_map(|rest| rest.split_whitespace().next());
            let command = commands.next().filter(|name| !name.starts_with('-')).or_else(|| {
                let first = code.split_whitespace().next()?;
                helps.contains_key(first).then_some(first)
            });
            // Other programs have flags of their own.
            if command.is_none() && !code.starts_with('-') {
                continue;
            }
            for flag in flags(&code) {
                match command {
                    Some(command) => {
                        let help =
                            helps.get(command).unwrap_or_else(|| panic!("{path}: no command `{command}`: {code}"));
                        assert!(has_flag(help, flag), "{path}: `{command}` has no `{flag}`: {code}");
                    }
                    // `-vv` is `-v` twice.
                    None => {
                        let flag = if flag.starts_with("--") { flag } else { &flag[..2] };
                        assert!(helps.values().any(|help| has_flag(help, flag)), "{path}: nothing has `{flag}`");
                    }
                }
            }
        }
    }
}

#[test]
fn every_command_is_in_the_readme() {
    let readme = read("README.md");
    let listed = readme.lines().find(|line| line.starts_with("`init ")).unwrap().split('`').nth(1).unwrap();
    let commands: BTreeSet<_> = helps().into_keys().collect();
    assert_eq!(listed.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>(), commands);
}

#[test]
fn every_flag_about_money_is_on_the_page_about_money() {
    let page: Vec<String> = code(&read("docs/money.md"));
    let named = |flag: &str| page.iter().any(|code| flags(code).any(|word| word == flag));
    let helps = helps();
    for flag in flags(&helps["apply"]) {
        let about_money = ["--retry-", "--forget-", "--accept-", "--max-cost", "--timeout", "--parallelism", "--take-"];
        if about_money.iter().any(|start| flag.starts_with(start)) {
            assert!(named(flag), "docs/money.md says nothing of `{flag}`");
        }
    }
}

#[test]
fn every_variable_in_the_documents_is_read_by_the_program() {
    let mut sources = String::new();
    for folder in ["src/cli", "src/cli/commands"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let files = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).for_each(|path| sources += &std::fs::read_to_string(path).unwrap());
    }
    for path in DOCUMENTS {
        let text = read(path);
        let code = code(&text);
        let words =
            code.iter().flat_map(|code| code.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_'));
        let names = words.filter(|word| word.starts_with("PIXFORM_") || *word == "CI");
        for name in names {
            assert!(sources.contains(&format!("\"{name}\"")), "{path}: nothing reads `{name}`");
        }
        assert!(text.contains("PIXFORM_MAX_COST"), "{path} names the variable that caps");
    }
}

#[test]
fn the_exit_codes_of_the_documents_are_those_of_the_program() {
    let codes = |cells: Vec<String>| -> Vec<String> {
        cells.iter().flat_map(|cell| cell.split(", ")).map(str::to_owned).collect()
    };
    assert_eq!(codes(first_column(&read("README.md"), "PIXFORM_RUN_URL")), EXIT_CODES);
    assert_eq!(codes(first_column(&read("docs/money.md"), "## Exit codes")), EXIT_CODES);
    let help = help(&[]);
    let listed = help.split_once("Exit codes:\n").unwrap().1.lines();
    let listed = listed.map(|line| line.trim().split_once("  ").unwrap().0.to_owned());
    assert_eq!(codes(listed.collect()), EXIT_CODES);
}

#[test]
fn every_exit_code_that_wants_somebody_is_in_the_runbook() {
    let page = read("docs/money.md");
    let symptoms = first_column(&page, "## A runbook for the night").join("\n");
    for code in EXIT_CODES.iter().filter(|code| !["0", "1", "2"].contains(code)) {
        let named = symptoms.split(|letter: char| !letter.is_ascii_digit()).any(|word| word == *code);
        assert!(named, "the runbook says nothing of exit code {code}");
    }
}

#[test]
fn every_status_of_a_call_is_explained_and_no_other() {
    let explained = first_column(&read("docs/money.md"), "## What each status means");
    assert_eq!(explained, CallStatus::ALL.map(CallStatus::name));
}

#[test]
fn every_field_in_the_documents_exists() {
    let mut known = BTreeSet::new();
    properties(&pixform::config::schema(&KINDS.specs()), &mut known);
    properties(&pixform::manifest::schema(&KINDS.specs()), &mut known);
    let generators = generator_fields();
    let lists: [&[&str]; 5] = [&generators, &ENVIRONMENT_FIELDS, &GUARD_FIELDS, &LIMIT_FIELDS, &STORAGE_FIELDS];
    known.extend(lists.concat().iter().map(|name| (*name).to_owned()));
    for path in DOCUMENTS {
        for code in code(&read(path)).iter().filter(|code| !code.contains(['/', '$'])) {
            let words = code.split(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '_' | '-'));
            for word in words.filter(|word| word.contains('_') && !word.contains(char::is_uppercase)) {
                assert!(known.contains(word) || EXAMPLES.contains(&word), "{path}: `{word}` is no field: {code}");
            }
        }
    }
}

#[test]
fn every_field_of_a_generator_is_in_the_configuration_of_the_readme() {
    let config = whole_config(&read("README.md"));
    for field in generator_fields().iter().chain(&["max_cost", "on_unknown"]) {
        assert!(config.contains(&format!("{field}: ")), "README.md says nothing of `{field}`");
    }
}

#[test]
fn the_configurations_that_are_commented_out_can_be_used() {
    let template = read("src/cli/commands/templates/pixform.yaml");
    let (kept, production) = template.split_once("  # production:\n").unwrap();
    let lines = production.lines().map(|line| line.replacen("  # ", "  ", 1) + "\n").collect::<String>();
    for config in [whole_config(&read("README.md")), format!("{kept}  production:\n{lines}")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("manifests")).unwrap();
        std::fs::write(folder.path().join("pixform.yaml"), &config).unwrap();
        let manifest = read("src/cli/commands/templates/portraits.yaml");
        std::fs::write(folder.path().join("manifests/portraits.yaml"), manifest).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_pixform"))
            .args(["plan", "--env", "production"])
            .env_clear()
            .current_dir(folder.path())
            .output()
            .unwrap();
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(stdout.contains("Plan: 4 to generate"), "{config}\n{stdout}{stderr}");
        assert!(stdout.contains("(cap $5.00)") && !stderr.contains("warning"), "{stdout}{stderr}");
    }
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    for path in DOCUMENTS.into_iter().chain(["docs/github.md"]) {
        let text = read(path);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(path).parent().unwrap().join(link);
            assert!(link.starts_with("https://") || target.is_file(), "{path}: `{link}` leads nowhere");
        }
    }
    for page in ["docs/money.md", "docs/github.md"] {
        assert!(read("README.md").contains(&format!("]({page})")), "README.md leads to {page}");
    }
}
