//! Words that are so: what is easily got wrong is told as what it is, where it is, with a way out that costs nothing.

use std::os::unix::fs::symlink;

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
