//! Whole files, good and bad.

use std::io;

use super::*;
use crate::generator::{KINDS, PLACEHOLDER};

const TWO: &str = "\
version: 1
default_environment: local
environments:
  local:
    state: sqlite:.pixform/state.db
    storage: { url: \"file:.pixform/storage\" }
    generators: { novita: { kind: placeholder, checks_as: novita } }
  production:
    state: ${DATABASE_URL}
    storage: { url: \"s3://assets\", endpoint: \"${S3_ENDPOINT}\", public_url: \"https://cdn.example.com/assets\" }
    generators:
      novita: { kind: novita, base_url: \"https://api.novita.ai\", api_key: \"${NOVITA_API_KEY}\", price: 0.015, concurrency: 4, images_per_minute: 20 }
    guards: { max_cost: 5.00, max_cost_month: 20, max_deletions: 10 }
    on_unknown: ask                               # or retry, at most on_unknown_max (1) times
";

/// A world with these variables and files.
struct World {
    variables: &'static [(&'static str, &'static str)],
    files: &'static [(&'static str, &'static str)],
}

const EMPTY: World = World { variables: &[], files: &[] };

impl World {
    fn with<T>(&self, run: impl FnOnce(&Outside<'_>) -> T) -> T {
        let find = |list: &[(&str, &str)], name: &str| {
            list.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned())
        };
        run(&Outside {
            variable: &|name| find(self.variables, name),
            read_file: &|path| find(self.files, path.to_str().unwrap()).ok_or(io::ErrorKind::NotFound.into()),
        })
    }

    fn load(&self, source: &str, environment: Option<&str>) -> Result<Settings, ConfigError> {
        self.load_of(source, environment, &KINDS.specs())
    }

    /// Settles it for a program that knows only these kinds.
    fn load_of(
        &self,
        source: &str,
        environment: Option<&str>,
        kinds: &[&'static KindSpec],
    ) -> Result<Settings, ConfigError> {
        self.with(|outside| load(source, Path::new("/p/pixform.yaml"), environment, kinds, outside))
    }
}

/// Tells an error as a person will read it.
fn told(error: &ConfigError) -> String {
    match error {
        ConfigError::Mistakes(error) => {
            let told =
                error.located().map(|(line, column, at)| format!("{line}:{column} {} | {}", at.message, at.help));
            told.collect::<Vec<_>>().join("\n")
        }
        other => other.to_string(),
    }
}

/// Loads a file that is wrong, and tells why.
fn mistakes(world: &World, source: &str, environment: Option<&str>) -> String {
    told(&world.load(source, environment).unwrap_err())
}

/// Puts lines into an environment that is fine without them, and tells what is wrong.
fn wrong(lines: &str) -> String {
    wrong_with(&EMPTY, lines)
}

fn wrong_with(world: &World, lines: &str) -> String {
    let mut source = "version: 1\nenvironments:\n  e:\n".to_owned();
    for (field, line) in [("state:", "state: sqlite:s.db"), ("storage:", "storage: { url: \"memory:\" }")] {
        if !lines.contains(field) {
            source += &format!("    {line}\n");
        }
    }
    for line in lines.lines() {
        source += &format!("    {line}\n");
    }
    mistakes(world, &source, None)
}

#[test]
fn the_local_environment_starts_at_the_files_own_folder() {
    let settings = EMPTY.load(TWO, None).unwrap();
    assert_eq!(settings.environment, "local");
    assert_eq!(settings.file.as_deref(), Some(Path::new("/p/pixform.yaml")));
    assert_eq!(settings.root, Path::new("/p"));
    assert_eq!(settings.state.expose(), "sqlite:/p/.pixform/state.db");
    assert_eq!(settings.storage.url.expose(), "file:/p/.pixform/storage");
    assert_eq!(settings.url_base().as_deref(), Some("/files/"));
    let novita = &settings.generators[&"novita".parse().unwrap()];
    assert_eq!((novita.kind.name, novita.checks_as.map(|kind| kind.name)), ("placeholder", Some("novita")));
    assert_eq!((settings.images_max, settings.tables), (IMAGES_MAX, None));
    assert!(!settings.any_generator && settings.warnings.is_empty());
}

#[test]
fn production_needs_its_variables_only_when_they_are_needed() {
    let world = World { variables: &[("DATABASE_URL", "postgres://u:secret@h/d")], files: &[] };
    let settings = world.load(TWO, Some("production")).unwrap();
    assert_eq!(settings.state.expose(), "postgres://u:secret@h/d");
    assert_eq!(settings.storage.url.expose(), "s3://assets");
    assert_eq!(settings.url_base().as_deref(), Some("https://cdn.example.com/assets/"));
    assert_eq!(
        settings.guards,
        GuardSettings {
            max_cost: Some(MicroUsd(5_000_000)),
            max_cost_month: Some(MicroUsd(20_000_000)),
            max_deletions: Some(10)
        }
    );
    let novita = &settings.generators[&"novita".parse().unwrap()];
    assert_eq!(novita.price, Some(MicroUsd(15_000)));
    assert_eq!((novita.concurrency, novita.images_per_minute), (Some(4), Some(20)));

    let key = novita.api_key.as_ref().unwrap();
    let error = world.with(|outside| settings.expand(key, outside)).unwrap_err();
    insta::assert_snapshot!(told(&error), @"12:76 the variable `NOVITA_API_KEY` is not set, or empty | set it, as in `export NOVITA_API_KEY=…`, or name a file with a line `NOVITA_API_KEY=…`, as in `env_file: .env.local`");
    let later = World { variables: &[("NOVITA_API_KEY", "sk-1")], files: &[] };
    assert_eq!(later.with(|outside| settings.expand(key, outside)).unwrap().expose(), "sk-1");
    let address = novita.base_url.as_ref().unwrap();
    assert_eq!(EMPTY.with(|outside| settings.expand(address, outside)).unwrap().expose(), "https://api.novita.ai");

    let shown = format!("{settings:?}").replace("secret_access_key", "a field's name");
    assert!(!["secret", "sk-1", "NOVITA_API_KEY", "api.novita.ai"].iter().any(|text| shown.contains(text)), "{shown}");
}

#[test]
fn a_kind_that_is_not_there_yet_is_told_with_those_that_are() {
    let world = World { variables: &[("DATABASE_URL", "sqlite:x")], files: &[] };
    insta::assert_snapshot!(told(&world.load_of(TWO, Some("production"), &[PLACEHOLDER]).unwrap_err()), @"12:23 `novita` is no kind of generator that this version of pixform knows | it knows `placeholder`");
    insta::assert_snapshot!(wrong("generators: { n: { kind: placehodler, checks_as: novitta }, m: {} }"), @r#"
    6:30 `placehodler` is no kind of generator that this version of pixform knows | did you mean `placeholder`?
    6:65 the generator `m` has no `kind` | write `kind:` and one of `placeholder` or `novita`
    "#);
}

#[test]
fn an_environment_is_chosen_by_name_by_default_or_because_it_is_the_only_one() {
    let two = TWO.replace("default_environment: local\n", "");
    insta::assert_snapshot!(mistakes(&EMPTY, &two, None), @"/p/pixform.yaml has several environments and no `default_environment`; choose one with `--env`: `local` or `production`");
    insta::assert_snapshot!(mistakes(&EMPTY, TWO, Some("prodcution")), @"/p/pixform.yaml has no environment `prodcution`; did you mean `production`?");
    insta::assert_snapshot!(mistakes(&EMPTY, TWO, Some("x")), @"/p/pixform.yaml has no environment `x`; choose `local` or `production`");
    insta::assert_snapshot!(mistakes(&EMPTY, &TWO.replace("environment: local", "environment: lokal"), None), @"2:22 there is no environment `lokal` | did you mean `local`?");
    assert_eq!(EMPTY.load(&two, Some("local")).unwrap().environment, "local");
    assert_eq!(EMPTY.load(TWO, Some("")).unwrap().environment, "local");
    let one = &two[..two.find("  production").unwrap()];
    assert_eq!(EMPTY.load(one, None).unwrap().environment, "local");
}

#[test]
fn an_environment_that_is_not_chosen_is_checked_for_names_and_types_alone() {
    let prepared = TWO.replace("s3://assets", "unheard-of://${").replace("    state: ${DATABASE_URL}\n", "");
    assert!(EMPTY.load(&prepared, None).is_ok());
    let wrong = TWO.replace("api_key", "apikey").replace("concurrency: 4", "concurrency: many");
    insta::assert_snapshot!(mistakes(&EMPTY, &wrong, None), @r#"
    12:66 the generator `novita` of kind `novita` has no field `apikey` | did you mean `api_key`?
    12:122 `concurrency` must be a whole number, is `many` | write 1 to 1000
    "#);
}

#[test]
fn variables_are_filled_in_with_defaults_and_escapes() {
    let world = World { variables: &[("A", "a"), ("EMPTY", "")], files: &[] };
    for (written, expected) in [
        ("x:${A}-${A}", "x:a-a"),
        ("x:${B:-b c}", "x:b c"),
        ("x:${EMPTY:-b}", "x:b"),
        ("x:${B:-}", "x:"),
        ("x:$${A}", "x:${A}"),
        ("x:$A$$ $", "x:$A$$ $"),
        ("x:$$${A}", "x:$${A}"),
    ] {
        let source =
            format!("version: 1\nenvironments: {{ e: {{ state: \"{written}\", storage: {{ url: \"memory:\" }} }} }}");
        assert_eq!(world.load(&source, None).unwrap().state.expose(), expected, "{written}");
    }
    insta::assert_snapshot!(wrong_with(&world, "state: x:${A}${B}${EMPTY}\nstorage: { url: \"${A-b}\", endpoint: \"${A\" }"), @r#"
    4:18 the variable `B` is not set, or empty | set it, as in `export B=…`, or name a file with a line `B=…`, as in `env_file: .env.local`
    4:22 the variable `EMPTY` is not set, or empty | set it, as in `export EMPTY=…`, or name a file with a line `EMPTY=…`, as in `env_file: .env.local`
    5:22 this is not the name of a variable | write `${NAME}` or `${NAME:-default}`; `$${NAME}` stands for the text `${NAME}`
    5:42 `${` is not closed | write `${NAME}` or `${NAME:-default}`; `$${NAME}` stands for the text `${NAME}`
    "#);
}

#[test]
fn files_supply_what_the_environment_lacks() {
    let source = "\
version: 1
env_file: all.env
environments:
  e:
    env_file: own.env
    state: ${A}${B}${C}${D:-d}
    storage: { url: \"memory:\", key: \"${C}\" }
";
    let world = World {
        variables: &[("A", "sqlite:1")],
        files: &[("/p/all.env", "A=2\nB=2\nC='2'\n"), ("/p/own.env", "# own\nexport B=\"3\"\n")],
    };
    let settings = world.load(source, None).unwrap();
    assert_eq!(settings.state.expose(), "sqlite:/p/132d");
    let key = settings.storage.access.key.as_ref().unwrap();
    assert_eq!(world.with(|outside| settings.expand(key, outside)).unwrap().expose(), "2");
}

#[test]
fn what_is_wrong_with_a_file_of_variables_is_told_without_its_text() {
    let source = "env_file: .env.local\nstate: ${A}";
    insta::assert_snapshot!(wrong_with(&EMPTY, source), @r#"
    5:15 `.env.local` cannot be read: there is no such file | create it, or remove this line: variables of the environment are found without it
    6:12 the variable `A` is not set, or empty | set it, as in `export A=…`, or add the line `A=…` to `.env.local`
    "#);
    let world = World { variables: &[], files: &[("/p/.env.local", "secret\nB='secret\nA=\"x\\ny\"")] };
    insta::assert_snapshot!(wrong_with(&world, source), @r#"
    5:15 line 1 of `.env.local` has no `=` | write `NAME=value`, the value in quotes if it holds ` #` or quotes
    5:15 line 2 of `.env.local` has a quote that is not closed | write `NAME=value`, the value in quotes if it holds ` #` or quotes
    6:12 with its variables this text holds a line break or control character | check the values of its variables: one that was read from a file may end in a line break
    "#);
    let all_set = World { variables: &[("A", "sqlite:a")], files: &[] };
    assert!(all_set.load("version: 1\nenv_file: .env.local\nenvironments: { e: { state: \"${A}\", storage: { url: \"memory:\" } } }", None).is_ok());
}

#[test]
fn urls_of_paths_become_absolute_and_others_stay() {
    let root = Path::new("/p");
    for (scheme, written, expected) in [
        ("sqlite", "sqlite:a/b.db", "sqlite:/p/a/b.db"),
        ("sqlite", "sqlite:///a/b.db", "sqlite:/a/b.db"),
        ("sqlite", "sqlite:/a/b.db", "sqlite:/a/b.db"),
        ("sqlite", "sqlite::memory:", "sqlite::memory:"),
        ("file", "file://a", "file:/p/a"),
        ("file", "file:", "file:"),
        ("file", "memory:", "memory:"),
        ("file", "filex:a", "filex:a"),
    ] {
        assert_eq!(store_url::rooted(written, scheme, root), expected, "{written}");
    }
}

#[test]
fn a_public_url_is_one_that_paths_can_be_appended_to() {
    let base = |url: &str| {
        let source = format!(
            "version: 1\nenvironments: {{ e: {{ state: \"sqlite:s\", storage: {{ url: \"s3://a\", public_url: \"{url}\" }} }} }}"
        );
        EMPTY.load(&source, None).map(|settings| settings.url_base())
    };
    for (url, expected) in [
        ("https://cdn.example.com", Some("https://cdn.example.com/")),
        (
            "http://localhost:54321/storage/v1/object/public/a/",
            Some("http://localhost:54321/storage/v1/object/public/a/"),
        ),
        ("/media", Some("/media/")),
        ("/", Some("/")),
        ("${PUBLIC_URL:-}", None),
    ] {
        assert_eq!(base(url).unwrap().as_deref(), expected, "{url}");
    }
    for wrong in
        ["ftp://a", "cdn.example.com", "//cdn.example.com", "https://u:p@a", "https://a/?b=", "/a b", "https://"]
    {
        assert!(base(wrong).is_err(), "{wrong}");
    }
    insta::assert_snapshot!(wrong("storage: { url: \"s3://a\", public_url: \"https://u:p@a\" }"), @"5:43 `public_url` holds a user name or password, which everybody would see | write it as in `https://cdn.example.com/assets`, or `/files` for the product's own host");
}

#[test]
fn every_mistake_is_told_with_its_place_and_the_way_out() {
    insta::assert_snapshot!(mistakes(&EMPTY, "version: 2\nenviroments: {}\n", None), @r#"
    1:1 `environments` is missing | write `local:` below it, and below that `state: sqlite:.pixform/state.db`
    1:10 version `2` is not known | write `version: 1`, or use a newer pixform
    2:1 pixform.yaml has no field `enviroments` | did you mean `environments`?
    "#);
    insta::assert_snapshot!(mistakes(&EMPTY, "version: 1\nenvironments: {}\n", None), @"2:1 `environments` names none | write `local:` below it, and below that `state: sqlite:.pixform/state.db`");
    insta::assert_snapshot!(mistakes(&EMPTY, "version: 1\nenvironments: { e: {}, 1st: {} }\n", None), @"2:24 `1st` cannot be the name of an environment | use letters, digits, `-` and `_`, a letter first, at most 100");
    insta::assert_snapshot!(mistakes(&EMPTY, "version: 1\nenvironments: { e: { state: \"\", storage: {} } }\n", None), @r#"
    2:29 this URL is empty | write it as in `sqlite:FOLDER/NAME`
    2:42 `url` is missing | say where files are kept, as in `url: "file:.pixform/storage"`
    "#);
    insta::assert_snapshot!(wrong("\
guards: { max_cost: free, max_deletions: -1, max: 1 }
limits: { images: 0 }
publish: { tables: [pg_catalog.x, 1a] }
on_unknown: retyr
on_unknown_max: 11
generators:
  n: { kind: placeholder, price: 1e3, concurrency: 0, min_interval: 2h }
  1st: { kind: placeholder }
storage: { url: \"memory:\", create_bucket: yes, region: [] }"), @r#"
    5:25 `max_cost` is no amount of money | write US dollars with at most six decimals, as in `0.015`
    5:46 `max_deletions` must not be negative, is -1 | write 0 to 10000000
    5:50 `guards` has no field `max` | `guards` has the fields `max_cost`, `max_cost_month`, `max_deletions`
    6:23 `images` must be at least 1, is 0 | write 1 to 10000000
    7:25 `pg_catalog.x` is not a table name: system schemas and `pixform` are not for published tables | name a table that manifests may publish to
    7:39 `1a` is not a table name: write `name` or `schema.name`, at most 63 letters each; a name with capitals or spaces needs quotes of its own, as in `table: '"My Table"'` | name a table that manifests may publish to
    8:17 `retyr` is no way to treat unknown calls | did you mean `retry`?
    9:21 `on_unknown_max` must be at most 10, is 11 | write 1 to 10
    11:31 the generator `n` of kind `placeholder` has no field `price` | the generator `n` of kind `placeholder` has the fields `kind`, `checks_as`, `concurrency`, `images_per_minute`, `min_interval`, `deadline`
    11:56 `concurrency` must be at least 1, is 0 | write 1 to 1000
    11:73 `min_interval` is no length of time | write it as in `1500ms`, `2s`, `1m`
    12:7 `1st` is not a generator name: use letters, digits, `-` and `_`, a letter first, at most 100 | rename it, here and in the manifests
    13:47 `create_bucket` must be `true` or `false`, is `yes` | write it without quotes
    13:60 `region` must be a single value, is a list | write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`
    "#);
    insta::assert_snapshot!(mistakes(&EMPTY, "version: 1\nenvironments: { e: { state: ${A} } }\n", None), @"2:29 `${` needs quotes here: inside `{ }` YAML takes every brace for its own | put the value into double quotes");
}

#[test]
fn a_price_belongs_to_a_paid_kind_and_only_to_it() {
    let source = "version: 1\nenvironments: { e: { state: \"sqlite:s\", storage: { url: \"memory:\" }, generators: { n: { kind: KIND } } } }";
    let with = |kind: &str| EMPTY.load(&source.replace("KIND", kind), None);
    insta::assert_snapshot!(told(&with("placeholder, price: 0.01").unwrap_err()), @"2:108 the generator `n` of kind `placeholder` has no field `price` | the generator `n` of kind `placeholder` has the fields `kind`, `checks_as`, `concurrency`, `images_per_minute`, `min_interval`, `deadline`");
    let foreign = told(&with("placeholder, images_per_minute: 1, api_key: x, base_url: y, path: /z").unwrap_err());
    let named: Vec<&str> = foreign.lines().filter_map(|line| line.split('`').nth(5)).collect();
    assert_eq!(named, ["api_key", "base_url", "path"], "{foreign}");
    insta::assert_snapshot!(told(&with("novita").unwrap_err()), @"2:95 `novita` is paid, and has no `price` | write what one image costs in US dollars, as in `price: 0.015`");
    insta::assert_snapshot!(told(&with("novita, price: 0").unwrap_err()), @"2:110 `novita` is paid, and its `price` is 0 | write what one image costs in US dollars, as in `price: 0.015`");
}

#[test]
fn values_of_all_other_fields_arrive() {
    let source = "\
version: 1
environments:
  e:
    state: \"sqlite::memory:\"
    storage: { url: \"memory:\", create_bucket: true }
    generators: { a: { kind: placeholder, min_interval: 1500ms }, b: { kind: placeholder, min_interval: 1m } }
    limits: { images: 1000000 }
    publish: { tables: [attribute_images, shop.images] }
    on_unknown: retry
    on_unknown_max: 3
";
    let settings = EMPTY.load(source, None).unwrap();
    let intervals: Vec<_> = settings.generators.values().map(|generator| generator.min_interval.unwrap()).collect();
    assert_eq!(intervals, [Duration::from_millis(1500), Duration::from_secs(60)]);
    assert_eq!(settings.images_max, 1_000_000);
    assert_eq!(settings.on_unknown, OnUnknown::Retry { times_max: 3 });
    assert_eq!(settings.tables.unwrap()[1].to_string(), "shop.images");
    assert!(settings.storage.create_bucket);
}

#[test]
fn without_a_file_the_local_environment_is_there() {
    let settings = built_in(Path::new("/p"), None).unwrap();
    assert_eq!((settings.environment.as_str(), settings.file), ("local", None));
    assert_eq!(settings.state.expose(), "sqlite:/p/.pixform/state.db");
    assert_eq!(settings.storage.url.expose(), "file:/p/.pixform/storage");
    assert!(settings.any_generator);
    assert!(built_in(Path::new("/p"), Some("local")).is_ok());
    insta::assert_snapshot!(built_in(Path::new("/p"), Some("production")).unwrap_err(), @"there is no pixform.yaml here or above, and without it the only environment is `local`, not `production`; write one with `pixform init`");
}

#[test]
fn the_file_is_found_in_the_folder_or_above() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(folder.path().join(FILE_NAME), TWO).unwrap();
    assert_eq!(find(&deep), Some(folder.path().join(FILE_NAME)));
    assert_eq!(read_file(&folder.path().join(FILE_NAME)).unwrap(), TWO);
    std::fs::create_dir(folder.path().join("a").join(FILE_NAME)).unwrap();
    assert_eq!(find(&deep), Some(folder.path().join(FILE_NAME)));
}
