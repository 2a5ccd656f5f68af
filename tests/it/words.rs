//! Words that are so: what is easily got wrong is told as what it is, where it is, with a way out that costs nothing.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::desk::{Desk, GOOD, check};

#[test]
fn what_makes_no_sense_is_a_mistake_at_a_plain_placeholder_too() {
    let senseless = GOOD
        .replace("generator: novita", "generator: painter")
        .replace("steps: 30", "steps: 0")
        .replace("guidance_scale: 7.5", "guidance_scale: -7.5")
        .replace("width: 128", "width: 0")
        .replace("    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n", "    {{ ' ' }}\n");
    let told = |desk: &Desk| {
        let ran = desk.run(&["validate", "--json"]);
        assert_eq!(ran.code, 1, "{}", ran.all());
        ran.diagnostics().into_iter().map(|(_, words)| words).collect::<Vec<_>>()
    };
    let desk = Desk::with(&senseless);
    let wanted = [
        "9:10 `steps` must be at least 1, is 0 | write a number from 1 on, as in `steps: 30`",
        "10:19 `guidance_scale` must not be negative, is -7.5 | write a number from 0 on, as in `guidance_scale: 7.5`",
        "11:10 `width` must be from 1 to 8192, is 0 | write a number from 1 to 8192",
        "15:5 `prompt` must not be empty | say what the picture shows",
    ];
    assert_eq!(told(&desk), wanted);
    desk.write(
        "pixform.yaml",
        "version: 1\nenvironments:\n  a:\n    state: sqlite:a.db\n    storage: { url: \"file:a\" }\n    \
         generators: { painter: { kind: placeholder } }\n",
    );
    assert_eq!(told(&desk), wanted);
    for (number, words) in [
        (".nan", "must be a number like 7.5, is `.nan`"),
        (".inf", "must be a number like 7.5, is `.inf`"),
        ("1e999", "must be a number like 7.5, is `1e999`"),
    ] {
        desk.write("manifests/x.yaml", senseless.replace("-7.5", number));
        assert!(told(&desk).iter().any(|told| told.contains(words)), "{number}");
    }
}

#[test]
fn a_file_that_a_shell_would_not_show_is_no_manifest() {
    let desk = Desk::with(GOOD);
    desk.write("manifests/._x.yaml", b"\0\x05\x16\x07");
    desk.write("manifests/.hidden.yml", "colection: x");
    desk.write("manifests/x.yaml~", GOOD);
    desk.write("manifests/#x.yaml#", GOOD);
    desk.write("manifests/folder.yaml/y.yaml", GOOD);
    symlink("me@host.1234:5678", desk.path("manifests/.#x.yaml")).unwrap();
    for command in ["validate", "plan", "list"] {
        let ran = desk.run(&[command]);
        assert_eq!(ran.code, 0, "{command}: {}", ran.all());
    }
    let ran = desk.run(&["plan", "--against", "."]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    // Who names one means it.
    let ran = desk.run(&["validate", "manifests/.hidden.yml"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    std::fs::remove_file(desk.path("manifests/x.yaml")).unwrap();
    let ran = desk.run(&["plan"]);
    assert!(ran.code == 1 && ran.stderr.contains("there is no manifest in manifests/"), "{}", ran.all());
}

#[test]
fn null_is_no_label() {
    let null = |place: &str| {
        format!(
            "{place} `null` is nothing to YAML, and no value of a label | \
             write \"null\" in quotes where the word is meant, or remove the entry"
        )
    };
    check(&[
        ("category: age\n", "category: null\n", &[&null("23:17")]),
        ("category: age\n", "category: [age, null]\n", &[&null("23:23")]),
        ("        70+: {", "        null: {", &[&null("26:9")]),
        ("value: banner", "value: null", &[&null("28:34")]),
        (
            "exclude: [{ value: 18-19",
            "exclude: [{ value: null",
            &["27:15 this excludes nothing | remove it, or name labels and values of this matrix", &null("27:24")],
        ),
        (
            "category: age\n",
            "category: [~, age]\n",
            &["23:18 `~` is nothing to YAML, and no value of a label | write one, or remove the entry"],
        ),
        (
            "category: age\n",
            "category:\n        - age\n        -\n",
            &["25:10 a label's value is missing here | write one, or remove the entry"],
        ),
    ]);
    let desk = Desk::with(GOOD.replace("category: age\n", "category: \"null\"\n").replace("  age/70+", "  null/70+"));
    let ran = desk.run(&["list"]);
    assert!(ran.code == 0 && ran.stdout.contains("null/70+/anime"), "{}", ran.all());
}

/// Options that spend money, delete, or take what may be another's.
const SPENDS_OR_DELETES: [&str; 13] = [
    "--yes",
    "--retry-unknown",
    "--forget-unknown",
    "--accept-rejected",
    "--retry-rejected",
    "--retry-lost",
    "--retry-failed",
    "--take-storage",
    "--force",
    "--older-than",
    "--unpublished",
    "--candidates",
    "--sample",
];

/// Tells what of a text must not be proposed: such an option, or a cap that is raised.
fn proposed(text: &str) -> Option<&'static str> {
    let raised = text.match_indices("--max-cost ").any(|(at, found)| {
        let amount = &text[at + found.len()..];
        !amount.starts_with("0 ") && !amount.starts_with(['0', '`', '"']) || amount.starts_with("0.")
    });
    let option = SPENDS_OR_DELETES.into_iter().find(|option| text.contains(option));
    option.or(raised.then_some("--max-cost")).or(text.contains("MAX_COST=").then_some("PIXFORM_MAX_COST"))
}

/// Returns the files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { found.extend(files(&entry)) } else { found.push(entry) }
    }
    found.sort();
    found
}

#[test]
fn no_text_of_the_program_names_an_option_that_spends_or_deletes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for file in files(&root.join("src")) {
        // The list itself, and what is read by nobody but us.
        if file.ends_with("cli/suggestion.rs") || file.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let program = text.split("#[cfg(test)]").next().unwrap();
        // The help of a command is where such options are explained: it is written as comments.
        let lines = program.lines().filter(|line| !line.trim_start().starts_with("//"));
        // What a run was called proposes nothing.
        let lines = lines.filter(|line| !line.contains("const CANDIDATES: "));
        wrong.extend(lines.filter_map(|line| Some(format!("{}: {}: {line}", file.display(), proposed(line)?))));
    }
    for file in files(&root.join("tests/golden")) {
        let text = std::fs::read_to_string(&file).unwrap();
        wrong.extend(text.lines().filter_map(|line| Some(format!("{}: {}", file.display(), proposed(line)?))));
    }
    // What the program answers in the tours.
    for page in ["README.md", "docs/money.md", "docs/github.md"] {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let blocks = text.split("```console").skip(1).map(|rest| rest.split("```").next().unwrap());
        let answers = blocks.flat_map(str::lines).filter(|line| !line.starts_with("$ "));
        wrong.extend(answers.filter_map(|line| Some(format!("{page}: {}: {line}", proposed(line)?))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_cap_below_nothing_is_told_as_that() {
    let ran = Desk::with(GOOD).run(&["plan", "--max-cost", "-1"]);
    assert!(ran.code == 1 && ran.stderr.contains("`-1` is not a price"), "{}", ran.all());
}

#[test]
fn who_wants_to_look_first_is_told_how() {
    let desk = Desk::with(GOOD);
    for (args, wanted) in [
        (&["apply", "--dry-run"][..], "`pixform plan` shows what an apply would do"),
        (&["apply", "-n"], "`pixform plan` shows what an apply would do"),
        (&["preview", "--what-if"], "`pixform plan` shows what would be made"),
        (&["gc", "--dry-run"], "`pixform gc` by itself shows what would go"),
        (&["destroy", "portraits", "--dry-run"], "`pixform destroy NAME` tells what would go"),
    ] {
        let ran = desk.run(args);
        assert!(ran.code == 1 && ran.stderr.contains(wanted), "{args:?}: {}", ran.all());
        assert_eq!(proposed(&ran.stderr), None, "{}", ran.stderr);
    }
    for typo in ["--retry-unknow", "--take-storages", "--forc", "--ye"] {
        let ran = desk.run(&["apply", typo]);
        assert_eq!(proposed(&ran.stderr.replace(typo, "")), None, "{}", ran.stderr);
    }
}
