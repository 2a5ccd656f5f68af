//! Manifests from strangers: bombs end at once and within bounds, escapes reach no terminal, nothing panics.

use std::time::Duration;

use pixform::config::{self, Outside};
use pixform::generator::PLACEHOLDER;
use pixform::manifest::{GeneratorRules, IMAGES_MAX, Manifest, Rules};
use proptest::prelude::*;

use crate::desk::{Desk, GOOD};

/// How long a refusal may take, in a build without optimisation, on a machine that runs other tests too.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Runs `validate` with little memory; it must refuse at once with these words, or be content where there are none.
fn check(source: &[u8], words: &str) {
    let desk = Desk::with(source);
    // `ulimit` is the shell's: 1 GiB of addresses, far less than the bombs ask for.
    let script = format!("ulimit -v 1048576; exec {} validate", env!("CARGO_BIN_EXE_pixform"));
    let begun = std::time::Instant::now();
    let mut shell = std::process::Command::new("sh");
    shell.env_clear().env("PATH", std::env::var("PATH").unwrap());
    let output = shell.args(["-c", &script]).current_dir(desk.path("")).output().unwrap();
    let shown = String::from_utf8(output.stderr).unwrap();
    let start: String = String::from_utf8_lossy(&source[..source.len().min(200)]).into_owned();
    assert!(begun.elapsed() < AT_ONCE, "{start}: {:?}", begun.elapsed());
    assert_eq!(output.status.code(), Some(i32::from(!words.is_empty())), "{start}: {shown}");
    assert!(shown.contains(words), "{start}: {shown}");
    assert!(shown.len() < 100_000, "{start}: a report of {} bytes", shown.len());
}

fn prompt(prompt: &str) -> String {
    GOOD.replace("{{ look }}, one adult person, {{ subject }},", prompt)
}

#[test]
fn a_template_that_grows_or_repeats_is_refused_at_once() {
    let doubled = "{% set a = a ~ a %}".repeat(40);
    for (source, words) in [
        ("{{ 'a' * 999999999 }}", "`*` is not available"),
        ("{{ '}}' * 999999999 }}", "`*` is not available"),
        ("{{ '%999999999d' | format(5) }}", "there is no filter `format`"),
        ("{{ look | indent(999999999) }}", "there is no filter `indent`"),
        ("{{ [1] | tojson(indent=999999999) }}", "there is no filter `tojson`"),
        ("{{ [look] | slice(999999999) }}", "there is no filter `slice`"),
        ("{{ range(99999) | join(look) }}", "`range(` is not available"),
        (
            "{% for i in range(9000) %}{% for j in range(9000) %}x{% endfor %}{% endfor %}",
            "`{% for %}` is not available",
        ),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "`{% macro %}` is not available"),
        (&doubled, "`{% set %}` is not available"),
        ("{% include '/etc/passwd' %}", "`{% include %}` is not available"),
        ("{% import '/etc/passwd' as x %}", "`{% import %}` is not available"),
        ("{{ debug() }}", "`debug(` is not available"),
        (&format!("{{{{ {}1 }}}}", "-".repeat(60_000)), "more than 600 words and signs"),
        (&format!("{{{{ {}1 }}}}", "not ".repeat(15_000)), "more than 600 words and signs"),
        (&format!("{{{{ look{} }}}}", "|upper".repeat(10_000)), "more than 600 words and signs"),
        (&format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(5_000)), "more than 600 words and signs"),
        (
            "{{ look | replace('', subject) | replace('', subject) | replace('', subject) | replace('', subject) }}",
            "too long",
        ),
    ] {
        let words = if words == "too long" { "longer than 65536 bytes" } else { words };
        let source = if words.starts_with("longer") {
            prompt(source).replace("an old man", &"x".repeat(900))
        } else {
            prompt(source)
        };
        check(source.as_bytes(), words);
    }
}

#[test]
fn vars_that_multiply_one_another_are_refused_at_once() {
    let line = "vars: { clothed: \"fully clothed in {{ outfit }}\" }\n";
    assert!(GOOD.contains(line));
    let with = |vars: String, last: usize| {
        let clothed = format!("  clothed: \"{{{{ v{last} }}}} {{{{ outfit }}}}\"\n");
        GOOD.replace(line, &format!("vars:\n  v0: words\n{vars}{clothed}"))
    };
    let name = |number: usize| format!("{{{{ v{number} }}}}");
    let tenfold = (1..30).map(|number| format!("  v{number}: \"{}\"\n", name(number - 1).repeat(10))).collect();
    check(with(tenfold, 29).as_bytes(), "the text is longer than 65536 bytes");
    let chain = (1..30_000).map(|number| format!("  v{number}: \"{}\"\n", name(number - 1))).collect();
    check(with(chain, 29_999).as_bytes(), "vars that use vars, more than 64 deep");
}

#[test]
fn yaml_that_multiplies_itself_is_refused_at_once() {
    let lists: String =
        (1..30).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "))).collect();
    let maps: String = (1..30)
        .map(|n| {
            let fields: Vec<String> = (0..10).map(|field| format!("k{field}: *a{}", n - 1)).collect();
            format!("a{n}: &a{n} {{{}}}\n", fields.join(", "))
        })
        .collect();
    let many = |count: usize, name: &str| (0..count).map(|n| format!("{name}{n}: 1")).collect::<Vec<_>>().join(", ");
    let merged = format!("a: &a {{{}}}\nb: {{<<: *a, {}}}\n", many(20_000, "k"), many(50_000, "l"));
    for (source, words) in [
        (format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{lists}"), "aliases repeat more than 100000 values"),
        (format!("a0: &a0 {{ b: x }}\n{maps}"), "aliases repeat more than 100000 values"),
        (format!("a: &a [x]\nb: [{}]\n", "*a, ".repeat(150_000)), "aliases repeat more than 100000 values"),
        ("a: &a [*a]\n".to_owned(), "this alias stands inside the value that it names"),
        (merged, "a manifest has no field `a`"),
        ("[".repeat(100_000), "not closed where it should be"),
        ("- ".repeat(100_000), "more than 32 lists and maps within one another"),
        ("? ".repeat(100_000), "more than 32 lists and maps within one another"),
        ((0..3_000).map(|n| format!("{}a:\n", " ".repeat(n))).collect(), "more than 32 lists and maps"),
    ] {
        check(source.as_bytes(), words);
    }
}

#[test]
fn a_manifest_of_endless_mistakes_ends() {
    let lines = |line: &str| (0..50_000).map(|n| line.replace('N', &n.to_string())).collect::<String>();
    check(format!("{GOOD}{}", lines("zzN: 1\n")).as_bytes(), "… and 4");
    check(format!("{GOOD}{}", lines("zz: N\n")).as_bytes(), "… and 4");
    let unknown = GOOD.replace("  sampler: DPM++ 2M Karras\n", &lines("  smaplerN: 1\n"));
    check(unknown.as_bytes(), "did you mean `sampler`?");
}

#[test]
fn sizes_have_bounds() {
    check(&[b"# ".as_slice(), &b"x".repeat(50 << 20)].concat(), "more than 32 MiB");
    check(GOOD.replace("an old man", &"x".repeat(1 << 20)).as_bytes(), "longer than 65536 bytes");
    check(GOOD.replace("an old man", &"x".repeat(60_000)).as_bytes(), "must have at most 1024 characters");
    let axis: Vec<String> = (0..1_000).map(|n| format!("v{n}")).collect();
    let axis = axis.join(", ");
    let million = GOOD.replace("category: age\n", &format!("category: [{axis}]\n      more: [{axis}]\n"));
    check(million.as_bytes(), "this entry makes 4000000 images, and one collection may have 10000");
    let countless: String = (0..12).map(|n| format!("      x{n}: [{axis}]\n")).collect();
    let countless = GOOD.replace("category: age\n", &format!("category: age\n{countless}"));
    check(countless.as_bytes(), "more images than can be counted");
    let axes: String = (0..20).map(|n| format!("      x{n}: [a]\n")).collect();
    check(GOOD.replace("category: age\n", &format!("category: age\n{axes}")).as_bytes(), "23 axes, more than 16");
}

#[test]
fn five_labels_of_a_hundred_bytes_make_a_key_and_no_file_name() {
    let long = |letter: char| letter.to_string().repeat(100);
    let source = GOOD
        .replace("key: [category, value, style]", "key: [category, value, style, a, b]")
        .replace("category: age\n", &format!("category: age\n      a: {}\n      b: {}\n", long('a'), long('b')))
        .replace(
            "style: realistic }\n    vars",
            &format!("style: realistic, a: {}, b: {} }}\n    vars", long('a'), long('b')),
        )
        .replace("value: banner", &format!("value: {}", long('v')))
        .replace("category: hero", &format!("category: {}", long('c')))
        .replace("cells:", "unused:");
    let cells = source.find("unused:").unwrap();
    let source = format!("{}{}", &source[..cells], &source[source.find("renditions:").unwrap()..]);
    let desk = Desk::with(&source);
    let ran = desk.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    check(
        source.replace("p/{{ category }}", "p/{{ a }}{{ b }}{{ category }}").as_bytes(),
        "at most 255 between two `/`",
    );
}

#[test]
fn no_escape_reaches_any_output() {
    // All the places where a stranger's text may stand; `Desk::run` looks at every byte that comes out.
    let evil = r"\e[31m\x07\x9b2J\u202e";
    let source = GOOD
        .replace("a coat", &format!("\"a {evil} coat\""))
        .replace("an old man", &format!("\"an old {evil} man\""))
        .replace("model: sd_xl", &format!("model: \"sd {evil}\""))
        .replace("{{ value }} x", &format!("{{{{ value }}}} {evil}"));
    let desk = Desk::with(&source);
    let every = |desk: &Desk| {
        let key = "age/70+/realistic";
        for args in [
            &["plan"][..],
            &["plan", "-v"],
            &["validate"],
            &["list"],
            &["show", key],
            &["explain", key],
            &["check"],
            &["check", "--deep"],
            &["unlock", "portraits"],
            &["plan", "--no-refresh"],
            &["destroy", "portraits"],
        ] {
            desk.run(args);
            let ran = desk.run(&[args, &["--json"]].concat());
            if ["plan", "validate", "list", "check"].contains(&args[0]) {
                for line in ran.stdout.lines() {
                    assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{args:?}: {line}");
                }
            }
        }
    };
    every(&desk);
    assert_eq!(desk.run(&["apply", "--yes"]).code, 0);
    desk.write("manifests/x.yaml", source.replace("old \\e", "young \\e"));
    desk.write(".pixform/storage/p/left\u{1b}[31m\u{7}over.jpg", "x");
    every(&desk);
    let document = desk.path("plan.json");
    assert_eq!(desk.run(&["plan", "--out", document.to_str().unwrap()]).code, 0);
    let document = std::fs::read_to_string(document).unwrap();
    assert!(!document.contains(|c: char| c.is_control() && c != '\n'), "{document}");
    // In names and in arguments.
    desk.write("manifests/\u{1b}[31m.yaml", "a: b: c\n");
    every(&desk);
    for args in [
        ["show", "\u{1b}[31m"],
        ["plan", "\u{1b}[31m.yaml"],
        ["destroy", "\u{1b}[31m"],
        ["plan", "--only=\u{1b}[31m"],
        ["plan", "--max-cost=\u{1b}[31m"],
        ["plan", "--env=\u{1b}[31m"],
        ["-C=\u{1b}[31m", "plan"],
    ] {
        assert_eq!(desk.run(&args).code, 1, "{args:?}");
    }
    // In what is wrong with a manifest.
    for (from, to) in [
        ("  sampler:", "  \"sam\\e[31mpler\":"),
        ("category: age\n", "category: \"\\e[31m\"\n"),
        ("table: portraits", "table: \"\\e[31m\""),
        ("label:", "\"\\e\":"),
        ("{{ subject }}", "{{ sub\u{1b}[31mject }}"),
        ("look: photograph", "look: {{ \u{1b}[31m"),
        ("collection: portraits", "collection: \"\\e[31m\""),
        ("generator: novita", "generator: \"\\e[31m\""),
        ("sampler: DPM++ 2M Karras", "sampler: \"\\e[31m\""),
        ("steps: 30", "steps: \"\\e[31m\""),
        ("seed: derived", "seed: { derived: [\"\\e[31m\"] }"),
        ("age/70+/anime:", "\"\\e[31m\":"),
        ("main:", "\"\\e[31m\":"),
    ] {
        let desk = Desk::with(GOOD.replacen(from, to, 1));
        assert_eq!(desk.run(&["plan"]).code, 1, "{to}");
        assert_eq!(desk.run(&["plan", "--json"]).code, 1, "{to}");
    }
}

#[test]
fn names_that_sql_might_misread_are_only_names() {
    let source = GOOD
        .replace("table: portraits", "table: '\"select; -- x\"'")
        .replace("label:", "select:")
        .replace("a coat", "\"a'); DROP TABLE portraits; --\"")
        .replace("key: [category, value, style]", "key: [order, value, style]")
        .replace("category: age", "order: age")
        .replace("category: hero", "order: hero")
        .replace("{{ category }}", "{{ order }}");
    let desk = Desk::with(&source);
    for words in ["Applied: 4 generated", "No changes."] {
        let ran = desk.run(&["apply", "--yes"]);
        assert!(ran.code == 0 && ran.stdout.contains(words), "{}", ran.all());
    }
    assert_eq!(desk.run(&["check", "--deep"]).code, 0);
}

#[test]
fn the_smallest_and_the_widest_picture_become_every_format() {
    let renditions = |format: &str| {
        format!(
            "  {format}: {{ format: {format}, width: 16, path: \"t/{{{{ category }}}}-{{{{ value }}}}-{{{{ style }}}}-{{{{ rendition }}}}-{{{{ digest }}}}.{{{{ ext }}}}\" }}\n"
        )
    };
    let renditions: String = ["jpeg", "png", "webp", "avif"].map(renditions).concat();
    let source = GOOD
        .replace("generator: novita", "generator: any")
        .replace("width: 128\n  height: 128", "width: 1\n  height: 1")
        .replace("with: { width: 256 }", "with: { width: 8192, height: 1 }")
        .replace("renditions:\n", &format!("renditions:\n{renditions}"));
    let desk = Desk::with(source);
    let ran = desk.run(&["apply", "--yes"]);
    assert!(ran.code == 0 && ran.stdout.contains("Applied: 4 generated"), "{}", ran.all());
    assert_eq!(desk.run(&["check", "--deep"]).code, 0);
}

fn rules() -> Rules {
    let any = GeneratorRules { kind: PLACEHOLDER, checks: PLACEHOLDER };
    Rules {
        environment: "local".to_owned(),
        generators: std::collections::BTreeMap::new(),
        any_generator: Some(any),
        elsewhere: std::collections::BTreeSet::new(),
        images_max: IMAGES_MAX,
        tables: None,
        url_base: "/files/".to_owned(),
    }
}

const CONFIG: &str = "\
version: 1
default_environment: local
environments:
  local:
    state: sqlite:.pixform/state.db
    storage: { url: \"file:.pixform/storage\" }
    generators: { novita: { kind: placeholder, checks_as: novita } }
  production:
    state: ${DATABASE_URL}
    storage: { url: \"s3://${BUCKET:-assets}\", endpoint: \"${S3_ENDPOINT}\", public_url: \"https://cdn.example.com/assets\" }
    guards: { max_cost: 5.00, max_deletions: 10 }
    on_unknown: ask
";

/// Mistakes lie within the file, begin and end between characters, and are told in our words.
fn sound(error: &pixform::yaml::ManifestError) {
    let source = &error.source_text;
    assert!(!error.mistakes.is_empty());
    for (line, column, mistake) in error.located() {
        let (start, end) = (mistake.span.start as usize, mistake.span.end as usize);
        assert!(start <= end && start <= source.len(), "{mistake:?} of {}", source.len());
        assert!(source.is_char_boundary(start), "{mistake:?}");
        assert!(line >= 1 && column >= 1 && !mistake.message.is_empty() && !mistake.help.is_empty(), "{mistake:?}");
        for words in ["did not find expected", "mapping values", "untagged", "Option<"] {
            assert!(!mistake.message.contains(words), "{mistake:?}");
        }
    }
}

/// Cuts a stretch out of a text and puts something in its place.
fn edit(source: &str, at: usize, cut: usize, put: &str) -> String {
    let start = source.floor_char_boundary(at % source.len());
    let end = source.floor_char_boundary((start + cut).min(source.len())).max(start);
    format!("{}{put}{}", &source[..start], &source[end..])
}

/// What tears YAML and templates apart.
fn scrap() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~\\n\\té年\u{1b}]{0,12}",
        prop::sample::select(vec![
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "\"",
            "'",
            ": ",
            " #",
            "\n",
            "- ",
            "? ",
            "|",
            ">-\n",
            "&a ",
            "*a",
            "<<: ",
            "!!x ",
            "[",
            "]",
            "{",
            "}",
            ",",
            "\r\n",
            "\u{feff}",
            "\u{0}",
            "---\n",
            "...\n",
            "null",
            "~",
            "-1",
            "1e999",
            "99999999999999999999",
            "{{ look",
            "| replace(",
            "* 9",
            "originals/",
            "../",
            "seed: ",
            "width: 0",
            "*/*",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_edit_of_a_manifest_makes_it_panic(
        edits in prop::collection::vec((any::<u16>(), 0_usize..30, scrap()), 1..4)
    ) {
        let mut source = GOOD.to_owned();
        for (at, cut, put) in edits {
            source = edit(&source, usize::from(at), cut, &put);
            if source.is_empty() {
                break;
            }
        }
        match Manifest::load("m.yaml", &source, rules()) {
            Ok((manifest, heads)) => prop_assert_eq!(manifest.count(), heads.all().len()),
            Err(error) => sound(&error),
        }
    }

    #[test]
    fn no_edit_of_the_configuration_makes_it_panic(
        at in any::<u16>(), cut in 0_usize..30, put in scrap(), production in any::<bool>(),
    ) {
        let source = edit(CONFIG, usize::from(at), cut, &put);
        let kinds = pixform::generator::KINDS.specs();
        let outside = Outside {
            variable: &|_| None,
            read_file: &|_| Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
        };
        let environment = production.then_some("production");
        let settled = config::load(&source, std::path::Path::new("/p/pixform.yaml"), environment, &kinds, &outside);
        if let Err(config::ConfigError::Mistakes(error)) = settled {
            sound(&error);
        }
    }
}
