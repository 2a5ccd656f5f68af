//! What every command prints, with the real binary: help, documents, events, and the words of the smaller commands.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::project::{KEYS, PEOPLE, Project, planned};

fn help(command: &[&str]) -> String {
    let mut args = command.to_vec();
    args.push("--help");
    Project::new(PEOPLE).ok(&args)
}

#[test]
fn the_help_of_pixform_itself_stays_what_it_is() {
    insta::assert_snapshot!(help(&[]), @r#"
    Terraform for generated pictures: declare the images a product wants, see what differs, make only
    that

    Usage: pixform [OPTIONS] <COMMAND>

    Commands:
      init         Write a commented pixform.yaml and a first manifest
      validate     Check manifests without looking at anything else
      plan         Show what apply would do; writes nothing
      preview      Make the new pictures and their files, and switch nothing
      apply        Make what is missing, publish it, and switch the rows
      check        Look at every published picture and tell what is wrong
      show         Show one asset: recipe, prompt, files
      list         List the declared assets
      explain      Tell why an asset is or is not up to date
      history      Show the calls to generators, and what they cost
      import       Take over rows and pictures that a script made; costs nothing, changes no row
      accept       Say that pictures satisfy their recipes, or that rows stay as they are
      pick         Write a take or a seed for one asset into its manifest
      unlock       Show who is applying a collection, and break the lease with --force
      gc           Show what nothing refers to any more, and delete it with --yes
      destroy      Delete a collection's rows and records; files stay until gc
      serve        Serve the published rows, the pictures and a gallery; only reads
      generators   Show the kinds of generators, or all that is known of one
      schema       Print the JSON Schema of manifests, or of pixform.yaml
      completions  Print shell completions
      version      Print the version
      help         Print this message or the help of the given subcommand(s)

    Options:
      -C <DIR>             Run as if started in this folder
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version

    Exit codes:
        0  done, or nothing to do
        1  an error, in the arguments or in a manifest too
        2  `plan --detailed-exitcode`: there are changes; `check`: something is wrong
        3  refused by a guard, or a cap was reached
        4  applied in part: some assets failed
        5  somebody else is applying
        6  the plan is stale, or not the one that was approved
        7  a paid call needs a decision; everything else was done first
      130, 143  interrupted
    "#);
}

#[test]
fn the_help_of_init_stays_what_it_is() {
    insta::assert_snapshot!(help(&["init"]), @r#"
    Write a commented pixform.yaml and a first manifest

    Usage: pixform init [OPTIONS] [MANIFEST]...

    Arguments:
      [MANIFEST]...  Manifests; else every *.yaml in manifests/, or those here with a top-level
                     `collection:`

    Options:
      -C <DIR>             Run as if started in this folder
          --print-sql      Print the SQL that sets a Postgres database up for the manifests here, and
                           write nothing
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version
    "#);
}

#[test]
fn the_help_of_validate_stays_what_it_is() {
    insta::assert_snapshot!(help(&["validate"]), @r"
    Check manifests without looking at anything else

    Usage: pixform validate [OPTIONS] [MANIFEST]...

    Arguments:
      [MANIFEST]...  Manifests; else every *.yaml in manifests/, or those here with a top-level
                     `collection:`

    Options:
      -C <DIR>             Run as if started in this folder
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version
    ");
}

#[test]
fn the_help_of_plan_stays_what_it_is() {
    insta::assert_snapshot!(help(&["plan"]), @r"
    Show what apply would do; writes nothing

    Usage: pixform plan [OPTIONS] [MANIFEST]...

    Arguments:
      [MANIFEST]...
              Manifests; else every *.yaml in manifests/, or those here with a top-level `collection:`

    Options:
      -C <DIR>
              Run as if started in this folder

          --only <PATTERN>
              Only these assets: a key glob such as `age/*/anime`, or `label=value`; repeatable

          --config <FILE>
              The pixform.yaml to use instead of the one here or above

          --except <PATTERN>
              Not these assets

          --env <NAME>
              The environment, one of those in pixform.yaml
              
              [env: PIXFORM_ENV=]

          --no-refresh
              Take what is recorded for true: look at no file and no row

          --deep
              Read every published file and every original, and compare the bytes

          --json
              One JSON event a line on stdout instead of words

          --max-cost <USD>
              Spend no more than so many dollars; 0 buys nothing. The lowest of this, PIXFORM_MAX_COST
              and guards.max_cost wins

          --no-color
              No colours, also on a terminal

          --take-storage
              Take the storage over, whatever its marker says

      -v, --verbose...
              Tell more on stderr; twice for everything

          --retry-unknown
              Send calls again whose outcome is unknown: each may be paid for twice

          --forget-unknown
              Write calls off whose outcome is unknown: they count as spent, and the next run may buy
              anew

          --accept-rejected
              Take paid pictures that are not the ones asked for

          --retry-rejected
              Buy another picture where a paid one is not the one asked for

          --retry-lost
              Buy again what was paid for and lost

          --retry-failed
              Ask again for what the service failed at three times, or judged

          --format <FORMAT>
              Print the plan as this, instead of text

              Possible values:
              - text:     For people at a terminal
              - json:     One document, for programs
              - markdown: For a pull request
              - html:     One page with its pictures

          --out-markdown <FILE>
              Write the report for a pull request, as Markdown

          --out-html <FILE>
              Write the report with its pictures, as one HTML page

          --markdown-limit <N>
              Characters that the Markdown may have; GitHub takes 65,536
              
              [default: 65536]

          --against <REF|DIR>
              Compare with older manifests only: a branch, tag or commit, or a folder. Needs no state,
              credentials or network

          --out <FILE>
              Write the plan as one JSON document

          --detailed-exitcode
              Exit with 2 when there are changes

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn the_help_of_apply_stays_what_it_is() {
    insta::assert_snapshot!(help(&["apply"]), @r"
    Make what is missing, publish it, and switch the rows

    Usage: pixform apply [OPTIONS] [MANIFEST]...

    Arguments:
      [MANIFEST]...  Manifests; else every *.yaml in manifests/, or those here with a top-level
                     `collection:`

    Options:
      -C <DIR>                   Run as if started in this folder
          --only <PATTERN>       Only these assets: a key glob such as `age/*/anime`, or `label=value`;
                                 repeatable
          --config <FILE>        The pixform.yaml to use instead of the one here or above
          --except <PATTERN>     Not these assets
          --env <NAME>           The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --no-refresh           Take what is recorded for true: look at no file and no row
          --deep                 Read every published file and every original, and compare the bytes
          --json                 One JSON event a line on stdout instead of words
          --max-cost <USD>       Spend no more than so many dollars; 0 buys nothing. The lowest of this,
                                 PIXFORM_MAX_COST and guards.max_cost wins
          --no-color             No colours, also on a terminal
          --take-storage         Take the storage over, whatever its marker says
      -v, --verbose...           Tell more on stderr; twice for everything
          --retry-unknown        Send calls again whose outcome is unknown: each may be paid for twice
          --forget-unknown       Write calls off whose outcome is unknown: they count as spent, and the
                                 next run may buy anew
          --accept-rejected      Take paid pictures that are not the ones asked for
          --retry-rejected       Buy another picture where a paid one is not the one asked for
          --retry-lost           Buy again what was paid for and lost
          --retry-failed         Ask again for what the service failed at three times, or judged
          --out-markdown <FILE>  Write the report for a pull request, as Markdown
          --out-html <FILE>      Write the report with its pictures, as one HTML page
          --markdown-limit <N>   Characters that the Markdown may have; GitHub takes 65,536 [default:
                                 65536]
          --yes                  Go on without asking
          --wait <TIME>          Wait so long for another run that works on the collection: 30s, 5m, 1h
                                 [default: 0s]
          --timeout <TIME>       Begin nothing new after so long, and leave what is under way to the
                                 next run: 90s, 30m, 2h
          --parallelism <N>      Have at most so many pictures under way, of all services together
          --expect <DIGEST>      Carry out exactly the plan of this digest, as it was previewed; a file
                                 of `plan --out` can be named like a manifest
      -h, --help                 Print help
      -V, --version              Print version
    ");
}

#[test]
fn the_help_of_check_stays_what_it_is() {
    insta::assert_snapshot!(help(&["check"]), @r"
    Look at every published picture and tell what is wrong

    Usage: pixform check [OPTIONS] [MANIFEST]...

    Arguments:
      [MANIFEST]...  Manifests; else every *.yaml in manifests/, or those here with a top-level
                     `collection:`

    Options:
      -C <DIR>                Run as if started in this folder
          --only <PATTERN>    Only these assets: a key glob such as `age/*/anime`, or `label=value`;
                              repeatable
          --config <FILE>     The pixform.yaml to use instead of the one here or above
          --except <PATTERN>  Not these assets
          --deep              Read every published file and every original, and compare the bytes
          --env <NAME>        The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json              One JSON event a line on stdout instead of words
          --no-color          No colours, also on a terminal
      -v, --verbose...        Tell more on stderr; twice for everything
      -h, --help              Print help
      -V, --version           Print version
    ");
}

#[test]
fn the_help_of_show_stays_what_it_is() {
    insta::assert_snapshot!(help(&["show"]), @r"
    Show one asset: recipe, prompt, files

    Usage: pixform show [OPTIONS] <KEY> [MANIFEST]...

    Arguments:
      <KEY>          The asset: `age/70+/anime`, or `collection:age/70+/anime`
      [MANIFEST]...  Manifests; else every *.yaml in manifests/, or those here with a top-level
                     `collection:`

    Options:
      -C <DIR>             Run as if started in this folder
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version
    ");
}

#[test]
fn the_help_of_list_stays_what_it_is() {
    insta::assert_snapshot!(help(&["list"]), @r"
    List the declared assets

    Usage: pixform list [OPTIONS] [MANIFEST]...

    Arguments:
      [MANIFEST]...  Manifests; else every *.yaml in manifests/, or those here with a top-level
                     `collection:`

    Options:
      -C <DIR>                Run as if started in this folder
          --only <PATTERN>    Only these assets: a key glob such as `age/*/anime`, or `label=value`;
                              repeatable
          --config <FILE>     The pixform.yaml to use instead of the one here or above
          --except <PATTERN>  Not these assets
          --env <NAME>        The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json              One JSON event a line on stdout instead of words
          --no-color          No colours, also on a terminal
      -v, --verbose...        Tell more on stderr; twice for everything
      -h, --help              Print help
      -V, --version           Print version
    ");
}

#[test]
fn the_help_of_explain_stays_what_it_is() {
    insta::assert_snapshot!(help(&["explain"]), @r"
    Tell why an asset is or is not up to date

    Usage: pixform explain [OPTIONS] <KEY> [MANIFEST]...

    Arguments:
      <KEY>          The asset: `age/70+/anime`, or `collection:age/70+/anime`
      [MANIFEST]...  Manifests; else every *.yaml in manifests/, or those here with a top-level
                     `collection:`

    Options:
      -C <DIR>             Run as if started in this folder
          --no-refresh     Take what is recorded for true: look at no file and no row
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version
    ");
}

#[test]
fn the_help_of_history_stays_what_it_is() {
    insta::assert_snapshot!(help(&["history"]), @r"
    Show the calls to generators, and what they cost

    Usage: pixform history [OPTIONS] [KEY]

    Arguments:
      [KEY]  Only this asset: `age/70+/anime`, or `collection:age/70+/anime`

    Options:
      -C <DIR>             Run as if started in this folder
          --since <TIME>   Only calls that are no older than this: 90m, 12h, 30d, 2w
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --limit <N>      Show so many calls, the newest [default: 100]
          --cost           Show what the calls cost instead
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --by <BY>        By what costs are summed up; several with commas between [default:
                           collection] [possible values: collection, model, generator, status, actor,
                           month, day, run]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version
    ");
}

#[test]
fn the_help_of_unlock_stays_what_it_is() {
    insta::assert_snapshot!(help(&["unlock"]), @r"
    Show who is applying a collection, and break the lease with --force

    Usage: pixform unlock [OPTIONS] [COLLECTION]

    Arguments:
      [COLLECTION]  The collection; all of them where none is named

    Options:
      -C <DIR>             Run as if started in this folder
          --force          Take the lease away from whoever has it
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version
    ");
}

#[test]
fn the_help_of_import_stays_what_it_is() {
    insta::assert_snapshot!(help(&["import"]), @r"
    Take over rows and pictures that a script made; costs nothing, changes no row

    Usage: pixform import [OPTIONS] [MANIFEST]...

    Arguments:
      [MANIFEST]...  Manifests; else every *.yaml in manifests/, or those here with a top-level
                     `collection:`

    Options:
      -C <DIR>                 Run as if started in this folder
          --only <PATTERN>     Only these assets: a key glob such as `age/*/anime`, or `label=value`;
                               repeatable
          --config <FILE>      The pixform.yaml to use instead of the one here or above
          --except <PATTERN>   Not these assets
          --dry-run            Only show what would be adopted
          --env <NAME>         The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json               One JSON event a line on stdout instead of words
          --yes                Go on without asking
          --no-color           No colours, also on a terminal
          --wait <TIME>        Wait so long for another run that works on the collection: 30s, 5m, 1h
                               [default: 0s]
          --take-storage       Take the storage over, whatever its marker says
      -v, --verbose...         Tell more on stderr; twice for everything
          --write <FILE>       Write a manifest for a table that is there, and change nothing else
          --table <TABLE>      The table that the manifest is written for
          --key <COLUMNS>      Its columns that tell pictures apart, with commas between:
                               category,value,style
          --collection <NAME>  The collection's name; else that of the table
      -h, --help               Print help
      -V, --version            Print version
    ");
}

#[test]
fn the_help_of_accept_stays_what_it_is() {
    insta::assert_snapshot!(help(&["accept"]), @r"
    Say that pictures satisfy their recipes, or that rows stay as they are

    Usage: pixform accept [OPTIONS] <GLOB>...

    Arguments:
      <GLOB>...  The assets: a key glob such as `age/*/anime`, or `label=value`

    Options:
      -C <DIR>               Run as if started in this folder
          --row              Keep rows as they were edited by hand, instead of pictures
          --config <FILE>    The pixform.yaml to use instead of the one here or above
          --yes              Go on without asking
          --env <NAME>       The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --manifest <FILE>  A manifest; else all of them; repeatable
          --json             One JSON event a line on stdout instead of words
          --wait <TIME>      Wait so long for another run that works on the collection: 30s, 5m, 1h
                             [default: 0s]
          --no-color         No colours, also on a terminal
          --take-storage     Take the storage over, whatever its marker says
      -v, --verbose...       Tell more on stderr; twice for everything
      -h, --help             Print help
      -V, --version          Print version
    ");
}

#[test]
fn the_help_of_gc_stays_what_it_is() {
    insta::assert_snapshot!(help(&["gc"]), @r"
    Show what nothing refers to any more, and delete it with --yes

    Usage: pixform gc [OPTIONS]

    Options:
      -C <DIR>                 Run as if started in this folder
          --older-than <TIME>  Only what nothing has referred to for so long: 30d, 12h, 0s [default:
                               30d]
          --config <FILE>      The pixform.yaml to use instead of the one here or above
          --unpublished        Originals, too, that were paid for and never published
          --env <NAME>         The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --yes                Delete; else it is only shown what would be
          --json               One JSON event a line on stdout instead of words
          --wait <TIME>        Wait so long for other runs, which may need some of it: 30s, 5m, 1h
                               [default: 10m]
          --no-color           No colours, also on a terminal
      -v, --verbose...         Tell more on stderr; twice for everything
      -h, --help               Print help
      -V, --version            Print version
    ");
}

#[test]
fn the_help_of_destroy_stays_what_it_is() {
    insta::assert_snapshot!(help(&["destroy"]), @r"
    Delete a collection's rows and records; files stay until gc

    Usage: pixform destroy [OPTIONS] <COLLECTION>

    Arguments:
      <COLLECTION>  The collection

    Options:
      -C <DIR>             Run as if started in this folder
          --yes            Go on without asking
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --take-storage   Take the storage over, whatever its marker says
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --wait <TIME>    Wait so long for another run that works on the collection: 30s, 5m, 1h
                           [default: 0s]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version
    ");
}

#[test]
fn the_help_of_schema_stays_what_it_is() {
    insta::assert_snapshot!(help(&["schema"]), @r"
    Print the JSON Schema of manifests, or of pixform.yaml

    Usage: pixform schema [OPTIONS]

    Options:
      -C <DIR>               Run as if started in this folder
          --config[=<FILE>]  The schema of pixform.yaml
          --env <NAME>       The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json             One JSON event a line on stdout instead of words
          --no-color         No colours, also on a terminal
      -v, --verbose...       Tell more on stderr; twice for everything
      -h, --help             Print help
      -V, --version          Print version
    ");
}

#[test]
fn the_help_of_completions_stays_what_it_is() {
    insta::assert_snapshot!(help(&["completions"]), @r"
    Print shell completions

    Usage: pixform completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>  The shell [possible values: bash, elvish, fish, powershell, zsh]

    Options:
      -C <DIR>             Run as if started in this folder
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version
    ");
}

#[test]
fn the_help_of_version_stays_what_it_is() {
    insta::assert_snapshot!(help(&["version"]), @r"
    Print the version

    Usage: pixform version [OPTIONS]

    Options:
      -C <DIR>             Run as if started in this folder
          --config <FILE>  The pixform.yaml to use instead of the one here or above
          --env <NAME>     The environment, one of those in pixform.yaml [env: PIXFORM_ENV=]
          --json           One JSON event a line on stdout instead of words
          --no-color       No colours, also on a terminal
      -v, --verbose...     Tell more on stderr; twice for everything
      -h, --help           Print help
      -V, --version        Print version
    ");
}

// Documents and events.

/// Checks that an object has these fields and no other, in any order; optional ones end in `?`.
fn check_fields(value: &Value, fields: &[&str]) {
    let found: BTreeSet<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let required: BTreeSet<&str> = fields.iter().filter(|field| !field.ends_with('?')).copied().collect();
    let legal: BTreeSet<&str> = fields.iter().map(|field| field.trim_end_matches('?')).collect();
    assert!(required.is_subset(&found) && found.is_subset(&legal), "{value}\nshould have {fields:?}");
}

fn is_digest(value: &Value) -> bool {
    let digits = value.as_str().and_then(|text| text.strip_prefix("sha256:"));
    digits.is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

const ACTIONS: [&str; 11] =
    ["unknown", "adopt", "generate", "reuse", "render", "repair", "move", "publish", "record", "delete", "keep"];

fn check_change(change: &Value) {
    let fields = ["collection", "key", "labels", "action", "reasons", "price", "before", "after", "moved_from?"];
    check_fields(change, &fields);
    assert!(ACTIONS.contains(&change["action"].as_str().unwrap()));
    assert_eq!(change["price"], "0.00");
    let labels = change["labels"].as_object().unwrap();
    assert_eq!(labels.keys().collect::<BTreeSet<_>>().len(), 3);
    assert!(!change["reasons"].as_array().unwrap().is_empty());
    for reason in change["reasons"].as_array().unwrap() {
        check_fields(reason, &["code", "field?", "old?", "new?", "place?"]);
        assert!(reason.as_object().unwrap().values().all(Value::is_string), "{reason}");
    }
    for side in ["before", "after"].map(|side| &change[side]).into_iter().filter(|side| !side.is_null()) {
        check_fields(side, &["recipe", "renditions", "row", "protect", "hold"]);
        assert!(["recipe", "renditions", "row"].iter().all(|field| is_digest(&side[field])), "{side}");
        assert!(side["protect"].is_boolean() && side["hold"].is_boolean());
    }
}

fn check_summary(summary: &Value) {
    check_fields(summary, &ACTIONS);
    assert!(summary.as_object().unwrap().values().all(Value::is_u64));
}

/// A project with a change of nearly every kind.
fn mixed() -> Project {
    let project = Project::applied();
    fs::remove_file(project.picture("body/tall/photo")).unwrap();
    let manifest = PEOPLE
        .replace("an old man", "a man of eighty")
        .replace("young: ", "adult: ")
        .replace("        slim: { vars: { subject: a slim man } }\n", "");
    project.manifest(&format!(
        "{manifest}cells:\n  body/tall/anime: {{ protect: true }}\nmoved:\n  - {{ from: age/young/*, to: age/adult/* }}\n"
    ));
    project
}

#[test]
fn the_document_of_a_plan_has_the_fields_that_the_format_names() {
    let project = mixed();
    let document = project.plan();
    let fields = ["format_version", "environment", "created_at", "digest", "changes", "summary", "estimated_cost"];
    check_fields(&document, &[&fields[..], &["applyable", "complete", "refusals", "notes"]].concat());
    assert_eq!((&document["format_version"], &document["environment"]), (&json!("1.0"), &json!("local")));
    assert_eq!((&document["applyable"], &document["complete"]), (&json!(true), &json!(true)));
    assert_eq!(document["estimated_cost"], "0.00");
    assert!(is_digest(&document["digest"]));
    let created = document["created_at"].as_str().unwrap();
    assert!(created.len() == 20 && created.ends_with('Z'), "{created}");
    document["changes"].as_array().unwrap().iter().for_each(check_change);
    check_summary(&document["summary"]);
    assert_eq!(
        planned(&document),
        [
            "age/adult/anime move",
            "age/adult/photo move",
            "age/aged/anime generate",
            "age/aged/photo generate",
            "body/slim/anime delete",
            "body/slim/photo delete",
            "body/tall/anime record",
            "body/tall/photo repair",
        ]
    );
    let text = document.to_string();
    assert!(!text.contains(project.root().to_str().unwrap()), "a document holds no local path");
    let kept = Project::applied().plan();
    assert_eq!((&kept["changes"], &kept["summary"]["keep"]), (&json!([]), &json!(8)), "kept assets are counted");
}

/// Runs a command with `--json`; returns its lines.
fn events(project: &Project, args: &[&str], code: i32) -> Vec<Value> {
    let ran = project.run(args).expect(code);
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[test]
fn the_events_of_a_plan_are_a_version_changes_and_a_summary() {
    let events = events(&mixed(), &["plan", "--json"], 0);
    assert_eq!(events[0], json!({ "type": "version", "format": "1.0", "pixform": env!("CARGO_PKG_VERSION") }));
    assert_eq!(types(&events)[1..9], ["planned_change"; 8]);
    for event in &events[1..9] {
        check_fields(event, &["type", "change"]);
        check_change(&event["change"]);
    }
    assert_eq!(types(&events)[9..], ["change_summary"]);
    check_fields(&events[9], &["type", "summary", "estimated_cost", "applyable", "complete", "digest"]);
    check_summary(&events[9]["summary"]);
}

#[test]
fn the_events_of_an_apply_tell_each_asset_once_begun_and_once_done() {
    let project = mixed();
    let events = events(&project, &["apply", "--yes", "--json"], 0);
    let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).cloned().collect::<Vec<_>>();
    let legal = ["version", "planned_change", "change_summary", "apply_start", "apply_progress", "apply_complete"];
    assert!(types(&events).iter().all(|kind| legal.contains(kind)), "{:?}", types(&events));
    let said = |kind: &str| {
        let key = |event: &Value| (event["key"].to_string(), event["action"].to_string());
        of(kind).iter().map(key).collect::<BTreeSet<_>>()
    };
    assert_eq!((of("apply_start").len(), of("apply_complete").len()), (8, 8));
    assert_eq!(said("apply_start"), said("apply_complete"));
    for event in of("apply_complete") {
        check_fields(&event, &["type", "collection", "key", "action", "url?"]);
    }
    let progress = of("apply_progress");
    assert_eq!(progress.last().unwrap(), &json!({ "type": "apply_progress", "done": 8, "total": 8, "cost": "0.00" }));
    project.assert_settled();
}

#[test]
fn mistakes_are_events_too() {
    let project = Project::new(&PEOPLE.replace("steps: 20", "stepps: 20"));
    let events = events(&project, &["plan", "--json"], 1);
    assert_eq!(types(&events)[..2], ["version", "diagnostic"]);
    assert_eq!(
        events[1],
        json!({
            "type": "diagnostic",
            "severity": "error",
            "message": "`defaults` has no field `stepps`",
            "help": "did you mean `steps`?",
            "file": "manifests/people.yaml",
            "line": 7,
            "column": 3,
        })
    );
}

#[test]
fn the_digest_of_a_plan_is_the_same_for_the_same_changes() {
    let project = Project::applied();
    project.edit("a young woman", "a woman of twenty");
    let first = project.plan();
    assert_eq!(first["digest"], project.plan()["digest"]);
    assert_eq!(first["digest"], project.plan_with(&["--no-refresh"])["digest"]);
    assert_eq!(first["summary"]["generate"], 2);
    // Elsewhere the same pictures were painted; their originals arrive in this storage.
    let elsewhere = project.copy();
    elsewhere.apply();
    for path in elsewhere.listing().into_keys().filter(|path| path.extension().is_some_and(|end| end == "png")) {
        let target = project.root().join(path.strip_prefix(elsewhere.root()).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(path, target).unwrap();
    }
    let second = project.plan();
    assert_eq!(second["summary"]["reuse"], 2);
    assert_eq!(second["digest"], first["digest"], "a preview turns `generate` into `reuse` and the digest stays");
    // A repair is outside of it, another description is not.
    fs::remove_file(project.picture("body/tall/photo")).unwrap();
    assert_eq!(project.plan()["digest"], first["digest"]);
    project.edit("a woman of twenty", "a woman of thirty");
    assert_ne!(project.plan()["digest"], first["digest"]);
}

// Exit codes.

#[test]
fn the_detailed_exit_code_tells_whether_there_are_changes() {
    let project = Project::applied();
    project.run(&["plan", "--detailed-exitcode"]).expect(0);
    project.edit("model: first", "model: second");
    project.run(&["plan"]).expect(0);
    project.run(&["plan", "--detailed-exitcode"]).expect(2);
    fs::remove_dir_all(project.storage()).unwrap();
    let ran = project.run(&["plan", "--detailed-exitcode"]).expect(2);
    assert!(ran.stdout.contains("`previous: "), "a refused plan says so and exits as any other: {}", ran.stdout);
}

#[test]
fn without_a_terminal_apply_and_destroy_ask_nobody_and_do_nothing() {
    let project = Project::applied();
    project.edit("model: first", "model: second");
    let before = project.listing();
    for args in [&["apply"][..], &["apply", "--json"], &["destroy", "people"]] {
        let ran = project.run(args).expect(1);
        assert!((ran.stdout + &ran.stderr).contains(" --help` says how it is answered beforehand"), "{args:?}");
    }
    assert_eq!(project.listing(), before);
}

#[test]
fn what_cannot_be_meant_is_a_usage_error() {
    let project = Project::applied();
    for (args, words) in [
        (&["plan", "--only", "a b"][..], "--only"),
        (&["apply", "--yes", "--wait", "5"], "`5` is no time; write 30s, 5m or 1h"),
        (&["plan", "--env", "production"], "production"),
        (&["show", "age/young/foto"], "did you mean `age/young/photo`?"),
        (&["explain", "nothing"], "next: pixform list"),
        (&["destroy", "peeple", "--yes"], "the state knows no collection `peeple`"),
        (&["unlock", "peeple"], "it knows people"),
        (&["plan", "nowhere.yaml"], "`nowhere.yaml` cannot be read"),
        (&["-C", "nowhere", "plan"], "`nowhere` is no folder that can be entered"),
        (&["plna"], "plan"),
        (&["history", "--since", "5"], "`5` is no time; write 90m, 12h, 30d or 2w"),
        (&["history", "--by", "model"], "--cost"),
        (&["history", "--cost", "--by", "mood"], "possible values"),
        (&["history", "--cost", "--limit", "5"], "--limit"),
        (&["history", "--limit", "0"], "--limit"),
        (&["history", "a//b"], "a//b"),
    ] {
        let ran = project.run(args).expect(1);
        assert!(ran.stderr.contains(words), "{args:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "", "{args:?}: talk goes to stderr");
    }
}

// The smaller commands.

#[test]
fn list_tells_what_is_published_of_each_asset() {
    let project = Project::applied();
    project.edit("tall:", "big:");
    insta::assert_snapshot!(project.ok(&["list"]), @r"
    people:age/young/photo  /files/people/age-young-photo-fa74d480f9c6cb8d.jpg
    people:age/young/anime  /files/people/age-young-anime-bfd0d1f84955cb4d.jpg
    people:age/aged/photo   /files/people/age-aged-photo-9d0402822d4e4aed.jpg
    people:age/aged/anime   /files/people/age-aged-anime-d0c609e9795d58ac.jpg
    people:body/slim/photo  /files/people/body-slim-photo-4761c5d172350dbf.jpg
    people:body/slim/anime  /files/people/body-slim-anime-0c7ba3d2990a2eb4.jpg
    people:body/big/photo   not published
    people:body/big/anime   not published
    ");
    insta::assert_snapshot!(project.ok(&["list", "--only", "value=young", "--json"]), @r#"
    {"type":"version","format":"1.0","pixform":"0.1.0"}
    {"collection":"people","key":"age/young/photo","type":"asset","url":"/files/people/age-young-photo-fa74d480f9c6cb8d.jpg"}
    {"collection":"people","key":"age/young/anime","type":"asset","url":"/files/people/age-young-anime-bfd0d1f84955cb4d.jpg"}
    "#);
}

#[test]
fn show_tells_what_an_asset_is() {
    let project = Project::applied();
    insta::assert_snapshot!(project.ok(&["show", "age/young/photo"]), @r"
    people:age/young/photo
      declared         manifests/people.yaml:17:5
      group            age
      style            photo
      value            young
      generator        painter (placeholder)
      model            first
      prompt           a photograph of a young woman
      steps            20
      seed             1041145119
      width            64
      height           96
      recipe           sha256:1b6a057f9d742500fb92acd936fc9a1486a2e49831b4209aa674675f50a4fe21
      original         originals/1b/1b6a057f9d742500fb92acd936fc9a1486a2e49831b4209aa674675f50a4fe21/2a549167ffa656e7e63047037504e14c38904d1de45ef906cbab681c3e57297e.png
      main             /files/people/age-young-photo-fa74d480f9c6cb8d.jpg (64 x 96, 4545 bytes)
    ");
    assert_eq!(project.ok(&["show", "people:age/young/photo"]), project.ok(&["show", "age/young/photo"]));
}

#[test]
fn explain_tells_each_digest_each_difference_and_where_it_comes_from() {
    let project = Project::applied();
    let upto = |text: String| text.split("\n  where each field").next().unwrap().to_owned();
    insta::assert_snapshot!(upto(project.ok(&["explain", "age/young/photo"])), @r"
    people:age/young/photo   up to date
      declared at manifests/people.yaml:17:5

      digest       declared               recorded
      recipe       1b6a057f9d74           1b6a057f9d74   same
      renditions   1d2e088d7d31           1d2e088d7d31   same
      row          7e1ff7c2c5a8           7e1ff7c2c5a8   same

      Recipe, renditions and row are those that were published, and what was looked at is still there.
    ");
    project.edit("a young woman", "a woman of twenty");
    project.edit("quality: 90", "quality: 60");
    insta::assert_snapshot!(upto(project.ok(&["explain", "age/young/photo"])), @r"
    people:age/young/photo   not up to date: generate
      declared at manifests/people.yaml:17:5

      digest       declared               recorded
      recipe       dc6855cb9ad9           1b6a057f9d74   differs
      renditions   799a0cac3f09           1d2e088d7d31   differs
      row          4f98240cb6b2           7e1ff7c2c5a8   differs

      why
        var changed `subject`   manifests/people.yaml:20:35
          old  a young woman
          new  a woman of twenty
        recipe changed `prompt`   manifests/people.yaml:11:11
          old  a photograph of a young woman
          new  a photograph of a woman of twenty
        rendition changed `main.quality`   manifests/people.yaml:28:34
          old  90
          new  60
        no original of this recipe was found, neither in the state nor in the storage
    ");
    let text = project.ok(&["explain", "age/young/photo"]);
    assert!(text.contains("subject              manifests/people.yaml:20:"), "{text}");
}

/// A project whose ledger is known to the second: five calls of two runs, one of which nobody remembers.
fn with_a_ledger() -> Project {
    let project = Project::applied();
    let database = rusqlite::Connection::open(project.database()).unwrap();
    let day = 1_732_269_792_000_i64;
    database.execute_batch("DELETE FROM pixform_calls; DELETE FROM pixform_leases; DELETE FROM pixform_runs").unwrap();
    database
        .execute(
            "INSERT INTO pixform_runs (id, command, host, boot, namespace, pid, started, actor, commit_sha, run_url)
             VALUES ('run-1', 'apply', 'ci-1', '', '', 7, 0, 'ann\u{1b}[1m', '0123456789abcdef', 'https://ci.example.com/1')",
            [],
        )
        .unwrap();
    let calls = [
        ("c1", "run-0", "age/aged/photo", None, "intended", None, None, 40),
        ("c2", "run-1", "age/aged/photo", Some("sd_xl"), "unknown", Some("retried"), Some("no answer\nwithin 60 s"), 3),
        ("c3", "run-1", "age/aged/photo", Some("sd_xl"), "finished", None, None, 2),
        ("c4", "run-1", "body/tall/photo", Some("sd_xl"), "refused", None, Some("their filter"), 1),
        ("c5", "run-1", "body/tall/photo", Some("other"), "submitted", None, None, 0),
    ];
    for (id, run, key, model, status, decision, reason, days) in calls {
        let values = rusqlite::params![id, run, key, model, status, decision, reason, day - days * 86_400_000];
        database
            .execute(
                "INSERT INTO pixform_calls (id, run, holder, collection, key, recipe, generator, service, model, estimate,
                   status, decision, reason, created_at)
                 VALUES (?1, ?2, ?2, 'people', ?3, randomblob(32), 'novita', 'painter', ?4, 15000, ?5, ?6, ?7, ?8)",
                values,
            )
            .unwrap();
    }
    project
}

#[test]
fn history_tells_each_call_and_counts_them() {
    let project = with_a_ledger();
    // It needs neither a manifest nor a right to write.
    fs::remove_dir_all(project.root().join("manifests")).unwrap();
    let before = project.listing();
    insta::assert_snapshot!(project.ok(&["history"]), @r"
    time (UTC)           key                     status                             estimated  cost  generator        actor    commit
    2024-11-22 10:03:12  people:body/tall/photo  sent, in the making                   $0.015     -  painter (other)  ann␛[1m  01234567
        run: https://ci.example.com/1
    2024-11-21 10:03:12  people:body/tall/photo  refused                               $0.015     -  painter (sd_xl)  ann␛[1m  01234567
        reason: their filter
        run: https://ci.example.com/1
    2024-11-20 10:03:12  people:age/aged/photo   finished                              $0.015     -  painter (sd_xl)  ann␛[1m  01234567
        run: https://ci.example.com/1
    2024-11-19 10:03:12  people:age/aged/photo   sent, no answer; to be made again     $0.015     -  painter (sd_xl)  ann␛[1m  01234567
        reason: no answer␊within 60 s
        run: https://ci.example.com/1
    2024-10-13 10:03:12  people:age/aged/photo   sent or not: unknown                  $0.015     -  painter          -        -

    5 calls. Charged $0.03, maybe charged $0.03 more, at the configured price.
    ");
    insta::assert_snapshot!(project.ok(&["history", "people:age/aged/photo", "--limit", "1"]), @r"
    time (UTC)           key                    status    estimated  cost  generator        actor    commit
    2024-11-20 10:03:12  people:age/aged/photo  finished     $0.015     -  painter (sd_xl)  ann␛[1m  01234567
        run: https://ci.example.com/1

    3 calls, the newest 1 shown. Charged $0.015, maybe charged $0.03 more, at the configured price.
    ");
    assert_eq!(project.ok(&["history", "others:age/aged/photo"]), "No calls.\n");
    assert_eq!(project.ok(&["history", "--since", "0m"]), "No calls.\n");
    assert_eq!(project.ok(&["history", "--since", "9999w"]), project.ok(&["history"]));
    assert_eq!(project.listing(), before, "looking changes nothing");
}

#[test]
fn history_tells_what_calls_cost_by_what_they_have_in_common() {
    let project = with_a_ledger();
    insta::assert_snapshot!(project.ok(&["history", "--cost"]), @r"
    Estimated at the configured price; charged is what services told, or else the estimate:

    collection  calls  estimated  charged  maybe charged
    people          5      $0.03    $0.03          $0.03
    total           5      $0.03    $0.03          $0.03
    ");
    insta::assert_snapshot!(project.ok(&["history", "--cost", "--by", "month,actor,month"]), @r"
    Estimated at the configured price; charged is what services told, or else the estimate:

    month    actor    calls  estimated  charged  maybe charged
    2024-10  -            1      $0.00    $0.00         $0.015
    2024-11  ann␛[1m      4      $0.03    $0.03         $0.015
    total                 5      $0.03    $0.03          $0.03
    ");
    for by in ["model", "generator", "status", "day", "run"] {
        let told = project.ok(&["history", "--cost", "--by", by]);
        let total = told.lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(total, ["total", "5", "$0.03", "$0.03", "$0.03"], "{told}");
    }
    assert_eq!(project.ok(&["history", "--cost", "nothing/is/here"]), "No calls.\n");
}

#[test]
fn the_events_of_history_are_calls_and_sums() {
    let project = with_a_ledger();
    let calls = events(&project, &["history", "--json", "--limit", "2"], 0);
    assert_eq!(types(&calls), ["version", "history_call", "history_call", "history_cost"]);
    let fields = [
        "type",
        "call",
        "created_at",
        "collection",
        "key",
        "recipe",
        "generator",
        "kind",
        "model?",
        "estimated",
        "cost",
        "free",
        "charge",
        "service_id",
        "status",
        "decision?",
        "task?",
        "reason?",
        "sha256?",
        "run",
        "command?",
        "host?",
        "actor?",
        "commit?",
        "run_url?",
    ];
    for call in &calls[1..3] {
        check_fields(call, &fields);
        assert!(is_digest(&call["recipe"]));
    }
    let told = |field: &str| calls[1..3].iter().map(|call| call[field].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!((told("call"), told("charge")), (vec!["c5", "c4"], vec!["charged", "nothing"]));
    assert_eq!((told("created_at")[0], told("estimated")[0]), ("2024-11-22T10:03:12Z", "0.015"));
    let sums = json!({ "type": "history_cost", "group": {}, "calls": 5, "estimated": "0.03", "charged": "0.03", "maybe_charged": "0.03" });
    assert_eq!(calls[3], sums);
    let costs = events(&project, &["history", "--json", "--cost", "--by", "model"], 0);
    let groups: Vec<_> = costs[1..].iter().map(|event| event["group"].clone()).collect();
    assert_eq!(groups, [json!({ "model": null }), json!({ "model": "other" }), json!({ "model": "sd_xl" }), json!({})]);
    assert_eq!(costs.last(), Some(&sums));
}

#[test]
fn a_history_of_nothing_says_so_and_creates_nothing() {
    let project = Project::new(PEOPLE);
    assert_eq!(project.ok(&["history"]), "No calls.\n");
    assert_eq!(types(&events(&project, &["history", "--json"], 0)), ["version", "history_cost"]);
    assert!(!project.root().join(".pixform").exists());
}

#[test]
fn a_run_remembers_who_began_it() {
    let project = Project::new(PEOPLE);
    let mut command = project.command(&["apply", "--yes"]);
    command.envs([
        ("PIXFORM_ACTOR", "ann"),
        ("GITHUB_SHA", "0123"),
        ("BUILD_URL", "https://u:secret@ci.example.com/1?x"),
    ]);
    assert!(command.output().unwrap().status.success());
    let calls = events(&project, &["history", "--json"], 0);
    assert_eq!(calls.len(), 10);
    for call in &calls[1..9] {
        let told = ["command", "actor", "commit", "run_url", "generator", "kind", "status"].map(|field| &call[field]);
        assert_eq!(told, ["apply", "ann", "0123", "https://ci.example.com/1", "painter", "placeholder", "finished"]);
    }
}

#[test]
fn a_destroyed_collection_leaves_its_files_and_comes_back_for_nothing() {
    let project = Project::applied();
    let files = |project: &Project| {
        let pictures = project.listing().into_keys().filter(|path| path.starts_with(project.storage()));
        pictures.collect::<Vec<_>>()
    };
    let (before, urls) = (files(&project), project.rows());
    insta::assert_snapshot!(project.ok(&["destroy", "people", "--yes"]), @r"
    people: 8 rows and records will be deleted; files and originals stay until `pixform gc`, which takes them after 30 days. Until then a later apply finds the originals again.
    Destroyed: 8 deleted. Cost: $0.00.
    ");
    assert_eq!(files(&project), before);
    assert_eq!(project.query("SELECT count(*) FROM people"), ["0"]);
    assert_eq!(project.query("SELECT count(*) FROM pixform_records"), ["0"]);
    assert_eq!(project.query("SELECT count(*) FROM pixform_collections"), ["0"]);
    assert!(project.ok(&["list"]).lines().all(|line| line.ends_with("not published")));
    assert_eq!(project.planned(), KEYS.map(|key| format!("{key} reuse")));
    project.apply();
    assert_eq!((project.paints(), project.rows().len()), (8, 8));
    assert_eq!(urls.len(), 8);
    project.assert_settled();
}

#[test]
fn init_writes_files_that_plan_and_apply_can_use_and_keeps_what_is_there() {
    let project = Project::new("");
    fs::remove_dir_all(project.root()).unwrap();
    insta::assert_snapshot!(project.ok(&["init"]), @r"
    wrote pixform.yaml
    wrote manifests/portraits.yaml
    ");
    let plan = project.ok(&["plan"]);
    assert!(plan.contains("to generate"), "{plan}");
    project.ok(&["validate"]);
    project.apply();
    project.assert_settled();
    project.write("pixform.yaml", "mine");
    let ran = project.run(&["init"]).expect(0);
    assert!(ran.stderr.contains("pixform.yaml is there already and stays as it is"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(project.root().join("pixform.yaml")).unwrap(), "mine");
}

#[test]
fn validate_looks_at_nothing_but_manifests() {
    let project = Project::new(PEOPLE);
    assert_eq!(project.ok(&["validate"]), "manifests/people.yaml: `people` declares 8 images\n");
    assert!(!project.root().join(".pixform").exists());
    project.manifest(&PEOPLE.replace("subject: a slim man", "subjekt: a slim man"));
    project.run(&["validate"]).expect(1);
}

#[test]
fn the_version_and_completions_are_printed() {
    let project = Project::new(PEOPLE);
    let version = format!("pixform {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((project.ok(&["version"]), project.ok(&["--version"])), (version.clone(), version));
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = project.ok(&["completions", shell]);
        assert!(script.contains("pixform") && script.contains("destroy"), "{shell}");
    }
    for args in [&["schema"][..], &["schema", "--config"]] {
        let schema: Value = serde_json::from_str(&project.ok(args)).unwrap();
        assert!(schema["properties"].is_object());
    }
}

#[test]
fn the_first_apply_ends_with_counts_cost_and_where_everything_is() {
    let project = Project::new(PEOPLE);
    let stdout = project.apply();
    let end: Vec<&str> = stdout.lines().rev().take(3).collect();
    assert_eq!(
        end,
        ["Database: .pixform/state.db", "Pictures: .pixform/storage", "Applied: 8 generated. Cost: $0.00."]
    );
    let again = project.run(&["apply", "--yes"]).expect(0);
    assert!(again.stdout.contains("No changes. 8 unchanged."), "{}", again.stdout);
    assert!(again.stderr.contains("no pixform.yaml here: using the built-in environment `local`"), "{}", again.stderr);
}

#[test]
fn the_kinds_of_generators_are_shown_from_their_tables() {
    let project = Project::new(PEOPLE);
    let all = project.ok(&["generators"]);
    assert!(all.lines().any(|line| line.starts_with("novita       paid  width and height from 128 to 2048; sampler,")));
    let novita = project.ok(&["generators", "novita"]);
    for line in [
        "  steps                          Sampling steps. (whole number from 1 to 100, required)",
        "      strength    How much it counts. (number from 0 to 1, required)",
        "  seed           0 to 4294967295",
    ] {
        assert!(novita.lines().any(|found| found == line), "{line}\n{novita}");
    }
    for line in project.ok(&["generators", "--json"]).lines().skip(1) {
        let kind: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(kind["kind"].is_string() && !kind["fields"].as_array().unwrap().is_empty(), "{line}");
    }
    let unknown = project.run(&["generators", "novta"]).expect(1);
    assert!(unknown.stderr.contains("there is no kind of generator `novta`"), "{unknown:?}");
    assert!(unknown.stderr.contains("did you mean `novita`?"), "{unknown:?}");
}
