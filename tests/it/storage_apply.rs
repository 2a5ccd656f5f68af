//! Applying to a store behind a server, with the real binary: what it proves first, asks, puts, and leaves behind when
//! the store breaks.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use pixform::asset::ObjectPath;
use pixform::digest::ContentDigest;
use serde_json::Value;

use crate::paid::{KEY as NOVITA_KEY, Paid, portraits};
use crate::product::{old_files, product};
use crate::project::{PEOPLE, Project, Ran, ran};
use crate::storage_file::SmallDisk;
use crate::stores::s3::{KEY, S3, SECRET};
use crate::stores::supabase::{Bucket, JWT, Supabase};
use crate::stores::{Fault, Front};

/// A project whose pictures lie in a store behind a server.
struct Shop {
    project: Project,
    server: Server,
}

enum Server {
    S3(S3),
    Supabase(Supabase),
}

impl Server {
    fn front(&self) -> &Front {
        match self {
            Self::S3(s3) => &s3.front,
            Self::Supabase(supabase) => &supabase.front,
        }
    }

    /// Returns the fields of `storage` for a prefix of the bucket.
    fn yaml(&self, prefix: &str) -> String {
        let address = self.front().address();
        match self {
            Self::S3(_) => format!("url: \"s3://pictures/{prefix}\", endpoint: \"{address}\", region: us-east-1"),
            Self::Supabase(_) => {
                let host = address.trim_start_matches("http://");
                format!("url: \"supabase://{host}/pictures/{prefix}\", key: \"${{SUPABASE_KEY}}\"")
            }
        }
    }

    /// Returns every file below a prefix, whoever put it.
    fn files(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        match self {
            Self::S3(s3) => {
                let mut files = BTreeMap::new();
                walk(&s3.folder.path().join("pictures").join(prefix), "", &mut files);
                files
            }
            Self::Supabase(supabase) => {
                let memory = supabase.memory();
                let below = memory.objects.iter().filter_map(|((bucket, key), object)| {
                    let path = key.strip_prefix(prefix)?.strip_prefix('/')?;
                    (bucket == "pictures").then(|| (path.to_owned(), object.bytes.to_vec()))
                });
                below.collect()
            }
        }
    }
}

fn walk(folder: &std::path::Path, at: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.map(Result::unwrap) {
        let name = format!("{at}{}", entry.file_name().to_str().unwrap());
        match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path(), &format!("{name}/"), files),
            false => drop(files.insert(name, std::fs::read(entry.path()).unwrap())),
        }
    }
}

impl Shop {
    fn new(server: Server) -> Self {
        let shop = Self { project: Project::new(PEOPLE), server };
        shop.configure(&shop.server.yaml("shop"));
        shop
    }

    fn both() -> [Self; 2] {
        [Self::new(Server::S3(S3::start())), Self::new(Server::Supabase(Supabase::start()))]
    }

    fn configure(&self, storage: &str) {
        self.project.write("pixform.yaml", &environment(storage, "painter: { kind: placeholder }"));
    }

    fn run(&self, args: &[&str]) -> Ran {
        ran(with_keys(self.project.command(args)).output().unwrap())
    }

    fn ok(&self, args: &[&str]) -> Ran {
        self.run(args).expect(0)
    }

    /// Returns the published row of each key: its URL.
    fn urls(&self) -> Vec<String> {
        self.project.query("SELECT image_url FROM people ORDER BY image_url")
    }

    /// Asserts that every row's URL names a file that is there, with the bytes that its name promises.
    fn assert_no_broken_link(&self, prefix: &str) {
        if !self.project.database().is_file() {
            return;
        }
        let files = self.server.files(prefix);
        let tables = self.project.query("SELECT name FROM sqlite_schema WHERE name = 'people'");
        for url in if tables.is_empty() { Vec::new() } else { self.urls() } {
            let path = decoded(url.split(&format!("/{prefix}/")).nth(1).unwrap());
            let bytes = files.get(&path).unwrap_or_else(|| panic!("a row points at {url}, which is not there"));
            let digest = ContentDigest::of(bytes).hex();
            assert!(path.contains(&digest[..16]), "a row points at {url}, which holds other bytes");
        }
    }

    /// Applies until nothing is left to do, and asserts that all is well then.
    fn assert_converges(&self, what: &str) {
        let again = self.run(&["apply", "--yes"]);
        assert_eq!(again.code, 0, "{what}: {again:?}");
        self.assert_no_broken_link("shop");
        let plan = self.ok(&["plan", "--detailed-exitcode"]);
        assert!(plan.stdout.contains("No changes. 8 unchanged"), "{what}: {}", plan.stdout);
        self.ok(&["check", "--deep"]);
        let probes = self.server.files("shop").into_keys().filter(|path| path.contains("pixform-probe"));
        assert_eq!(probes.collect::<Vec<_>>(), [""; 0], "{what}");
    }
}

fn environment(storage: &str, generators: &str) -> String {
    format!(
        "version: 1\nenvironments:\n  shop:\n    state: sqlite:.pixform/state.db\n    storage: {{ {storage} }}\n    \
         generators: {{ {generators} }}\n"
    )
}

fn with_keys(mut command: Command) -> Command {
    command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("SUPABASE_KEY", JWT);
    command.env("NOVITA_API_KEY", NOVITA_KEY);
    command
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

fn assert_no_secret(ran: &Ran) {
    for secret in [SECRET, JWT] {
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{ran:?}");
    }
}

#[test]
fn a_store_behind_a_server_is_applied_to_and_then_unchanged() {
    for shop in Shop::both() {
        let applied = shop.ok(&["apply", "--yes", "-v"]);
        assert!(applied.stdout.contains("Applied: 8 generated."), "{}", applied.stdout);
        assert_no_secret(&applied);
        shop.assert_converges("after the first apply");
        assert_eq!(shop.server.files("shop").len(), 8 + 8 + 1, "published files, originals, the marker");
        let files = shop.server.files("shop");
        files.keys().for_each(|path| assert!(path.parse::<ObjectPath>().is_ok(), "{path}"));
    }
}

#[test]
fn a_plan_takes_two_requests_and_one_of_edited_columns_no_more_than_four() {
    for shop in Shop::both() {
        shop.ok(&["apply", "--yes"]);
        shop.server.front().seen();
        shop.ok(&["plan"]);
        let seen = shop.server.front().seen();
        assert_eq!(seen.len(), 2, "{:?}", seen.iter().map(|seen| (&seen.method, &seen.path)).collect::<Vec<_>>());
        shop.project.edit("prompt: \"{{ prompt }}\"\n", "prompt: \"{{ prompt }}!\"\n");
        let plan = shop.ok(&["plan"]);
        assert!(plan.stdout.contains("Plan: 8 to publish"), "{}", plan.stdout);
        let seen = shop.server.front().seen();
        assert!(seen.len() <= 4, "{:?}", seen.iter().map(|seen| (&seen.method, &seen.path)).collect::<Vec<_>>());
    }
}

#[test]
fn pictures_of_a_script_are_listed_and_not_asked_for_one_by_one() {
    let server = S3::start();
    let shop = Shop { project: product(), server: Server::S3(server) };
    shop.configure(&format!("{}, public_url: \"https://cdn.example.com/shop\"", shop.server.yaml("shop")));
    shop.project
        .execute("UPDATE people SET image_url = replace(image_url, '/files/', 'https://cdn.example.com/shop/')");
    let Server::S3(server) = &shop.server else { panic!() };
    let folder = server.folder.path().join("pictures/shop/old");
    std::fs::create_dir_all(&folder).unwrap();
    for (path, bytes, _) in old_files(&shop.project) {
        std::fs::write(folder.join(path.file_name().unwrap()), bytes).unwrap();
    }
    let planned = |summary: &str| {
        server.front.seen();
        let plan = shop.ok(&["plan"]).stdout;
        assert!(plan.contains(summary), "{plan}");
        let seen: Vec<_> = server.front.seen().into_iter().map(|seen| (seen.method, seen.path)).collect();
        assert!(seen.iter().all(|(method, _)| method == "GET"), "{seen:?}");
        seen.len()
    };
    assert!(planned("8 to adopt") <= 4);
    shop.ok(&["import", "--yes"]);
    assert_eq!(planned("No changes. 8 unchanged"), 3);
}

#[test]
fn a_row_only_apply_proves_nothing_and_puts_nothing_but_the_marker() {
    for shop in Shop::both() {
        shop.ok(&["apply", "--yes"]);
        shop.project.edit("prompt: \"{{ prompt }}\"\n", "prompt: \"{{ prompt }}!\"\n");
        shop.server.front().seen();
        shop.ok(&["apply", "--yes"]);
        let writes = shop.server.front().seen().into_iter().filter(|seen| {
            matches!(seen.method.as_str(), "PUT" | "DELETE")
                || (seen.method == "POST" && !seen.path.contains("list-v2"))
        });
        let written: Vec<String> = writes.map(|seen| seen.path).collect();
        assert!(written.iter().all(|path| path.ends_with("/originals/.pixform-store")), "{written:?}");
    }
}

#[test]
fn the_url_in_a_row_can_be_fetched() {
    let shop = Shop::new(Server::Supabase(Supabase::start()));
    shop.project.edit("aged: ", "70+: ");
    shop.ok(&["apply", "--yes"]);
    let urls = shop.urls();
    assert!(urls.iter().any(|url| url.contains("70%2B")), "{urls:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for url in urls {
        let client = pixform::web::client(&url.parse().unwrap(), || pixform::web::builder().no_proxy()).unwrap();
        let (headers, bytes) = runtime.block_on(async {
            let answer = client.get(&url).send().await.unwrap().error_for_status().unwrap();
            (answer.headers().clone(), answer.bytes().await.unwrap())
        });
        assert_eq!(headers["content-type"], "image/jpeg");
        assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
        assert!(url.contains(&ContentDigest::of(&bytes).hex()[..16]), "{url}");
    }
}

#[test]
fn the_url_in_a_row_is_the_public_one_where_one_is_set() {
    let shop = Shop::new(Server::S3(S3::start()));
    shop.configure(&format!("{}, public_url: \"https://cdn.example.com/shop\"", shop.server.yaml("shop")));
    shop.ok(&["apply", "--yes"]);
    assert!(shop.urls().iter().all(|url| url.starts_with("https://cdn.example.com/shop/people/")), "{:?}", shop.urls());
    shop.assert_no_broken_link("shop");
}

#[test]
fn a_column_with_a_url_needs_to_know_it() {
    let shop = Shop::new(Server::S3(S3::start()));
    shop.configure("url: \"s3://pictures\"");
    let refused = shop.run(&["validate"]).expect(1);
    assert!(refused.stderr.contains("a column of `people` holds a URL"), "{}", refused.stderr);
    assert!(refused.stderr.contains("public_url"), "{}", refused.stderr);
}

#[test]
fn whatever_breaks_at_the_store_applying_again_converges() {
    const ALWAYS: u32 = u32::MAX;
    let faults: [(&str, &str, u32, Fault); 13] = [
        // A burst that is longer than what is waited for.
        ("", "", 40, Fault::Status(503, "")),
        ("PUT", "people/", ALWAYS, Fault::Status(500, "")),
        ("POST", "people/", ALWAYS, Fault::Status(500, "")),
        ("", "originals/", 30, Fault::Lost),
        ("", "people/", 30, Fault::LostAnswer),
        ("POST", "people/", 5, Fault::Truncated(100)),
        ("PUT", "people/", 5, Fault::Truncated(100)),
        ("POST", "originals/", 9, Fault::Truncated(0)),
        ("GET", "", 12, Fault::WrongByte),
        ("GET", "", 12, Fault::CutAnswer(0)),
        ("GET", "", 12, Fault::CutAnswer(37)),
        ("", "", ALWAYS, Fault::Slow(Duration::from_millis(20))),
        ("", "people/", ALWAYS, Fault::Status(403, r#"{"statusCode":"403","error":"Unauthorized","message":"no"}"#)),
    ];
    let shops = faults.into_iter().flat_map(|fault| Shop::both().into_iter().map(move |shop| (shop, fault.clone())));
    let one = |(shop, (method, containing, times, fault)): (Shop, (&'static str, &'static str, u32, Fault))| {
        let what = format!("{method} {containing} {fault:?}");
        shop.server.front().fault(method, containing, times, fault);
        let broken = shop.run(&["apply", "--yes"]);
        assert!([0, 1, 4].contains(&broken.code), "{what}: {broken:?}");
        assert_no_secret(&broken);
        shop.assert_no_broken_link("shop");
        shop.server.front().clear_faults();
        shop.assert_converges(&what);
        shop.project.assert_painted_once();
    };
    // Most of the time is spent waiting.
    std::thread::scope(|scope| {
        for case in shops {
            scope.spawn(|| one(case));
        }
    });
}

#[test]
fn a_deletion_that_breaks_at_the_store_is_completed_by_the_next_gc() {
    const ALWAYS: u32 = u32::MAX;
    let faults = [
        (ALWAYS, Fault::Status(503, "")),
        (ALWAYS, Fault::Lost),
        (ALWAYS, Fault::LostAnswer),
        (3, Fault::LostAnswer),
        (3, Fault::Status(503, "")),
        (ALWAYS, Fault::Status(403, r#"{"statusCode":"403","error":"Unauthorized","message":"no"}"#)),
    ];
    let gc = ["gc", "--older-than", "0s", "--yes"];
    let shops = faults.into_iter().flat_map(|fault| Shop::both().into_iter().map(move |shop| (shop, fault.clone())));
    let one = |(shop, (times, fault)): (Shop, (u32, Fault))| {
        let what = format!("{times} {fault:?}");
        shop.ok(&["apply", "--yes"]);
        shop.project.edit("an old man", "a man of eighty");
        shop.ok(&["apply", "--yes"]);
        assert_eq!(shop.server.files("shop").len(), 21, "{what}");
        // S3 deletes many files by a POST, Supabase by a DELETE.
        for (method, containing) in [("POST", "delete"), ("DELETE", "")] {
            shop.server.front().fault(method, containing, times, fault.clone());
        }
        let broken = shop.run(&gc);
        assert_eq!(broken.code, i32::from(times == ALWAYS), "{what}: {broken:?}");
        assert_no_secret(&broken);
        shop.assert_no_broken_link("shop");
        shop.server.front().clear_faults();
        // Without `--older-than`: what was begun is completed.
        shop.ok(&["gc", "--yes"]);
        assert_eq!(shop.server.files("shop").len(), 17, "{what}");
        shop.assert_converges(&what);
        shop.project.edit("a man of eighty", "an old man");
        shop.ok(&["apply", "--yes"]);
        shop.assert_converges(&what);
    };
    // Most of the time is spent waiting.
    std::thread::scope(|scope| {
        for case in shops {
            scope.spawn(|| one(case));
        }
    });
}

#[test]
fn what_is_lost_or_cut_short_in_the_store_is_repaired_in_place() {
    for shop in Shop::both() {
        shop.ok(&["apply", "--yes"]);
        let urls = shop.urls();
        let paths: Vec<String> =
            shop.server.files("shop").into_keys().filter(|path| path.starts_with("people/")).collect();
        match &shop.server {
            Server::S3(s3) => {
                let bucket = s3.folder.path().join("pictures/shop");
                std::fs::remove_file(bucket.join(&paths[0])).unwrap();
                std::fs::write(bucket.join(&paths[1]), b"cut").unwrap();
            }
            Server::Supabase(supabase) => {
                let mut memory = supabase.memory();
                let key = |path: &str| ("pictures".to_owned(), format!("shop/{path}"));
                memory.objects.remove(&key(&paths[0])).unwrap();
                memory.objects.get_mut(&key(&paths[1])).unwrap().bytes = "cut".into();
            }
        }
        let repaired = shop.ok(&["apply", "--yes"]);
        assert!(repaired.stdout.contains("Applied: 2 repaired."), "{}", repaired.stdout);
        assert_eq!(shop.urls(), urls);
        shop.assert_converges("after the repair");
    }
}

/// A project that buys, with its pictures in a stand-in for Supabase.
fn paid() -> (Paid, Supabase) {
    let (paid, supabase) = (Paid::new(&portraits(3)), Supabase::start());
    let host = supabase.front.address().trim_start_matches("http://").to_owned();
    keep(&paid, &format!("url: \"supabase://{host}/pictures/shop\", key: \"${{SUPABASE_KEY}}\""));
    (paid, supabase)
}

fn keep(paid: &Paid, storage: &str) {
    let base = paid.fake.base_url();
    let novita = format!(
        "novita: {{ kind: novita, base_url: \"{base}\", api_key: \"${{NOVITA_API_KEY}}\", price: 0.015, images_per_minute: 100000 }}"
    );
    paid.project.write("pixform.yaml", &environment(storage, &novita));
}

fn buy(paid: &Paid, args: &[&str]) -> Ran {
    ran(with_keys(paid.project.command(&["apply", "--yes"])).args(args).output().unwrap())
}

#[test]
fn a_store_that_does_not_take_what_is_bought_costs_nothing() {
    type Spoil = fn(&Supabase);
    type Case = (Box<dyn Fn(&Supabase)>, &'static str);
    let limited = |types: &[&str]| Some(types.iter().map(|kind| (*kind).to_owned()).collect());
    let bucket = |supabase: &Supabase, bucket: Bucket| {
        supabase.memory().buckets.insert("pictures".to_owned(), bucket);
    };
    let no_webp = limited(&["image/png", "image/jpeg"]);
    let cases: Vec<Case> = vec![
        (Box::new((|supabase| supabase.memory().buckets.clear()) as Spoil), "has no bucket `pictures`"),
        (Box::new(move |supabase| bucket(supabase, Bucket::default())), "the bucket `pictures` is private"),
        (
            Box::new(move |supabase| {
                bucket(supabase, Bucket { public: true, file_size_limit: Some(1_000), ..Bucket::default() })
            }),
            "takes files of at most 1000 bytes",
        ),
        (
            Box::new(move |supabase| {
                bucket(supabase, Bucket { public: true, allowed_mime_types: no_webp.clone(), ..Bucket::default() });
            }),
            "takes no `image/webp`",
        ),
        (
            Box::new(
                (|supabase| supabase.front.fault("POST", "pixform-probe", u32::MAX, Fault::Status(403, ""))) as Spoil,
            ),
            "refuses to write",
        ),
        (
            Box::new((|supabase| supabase.front.fault("DELETE", "", u32::MAX, Fault::Status(403, ""))) as Spoil),
            "refuses to delete",
        ),
        (
            Box::new(
                (|supabase| {
                    supabase.front.fault(
                        "GET",
                        "object/pictures/shop/originals/.pixform-probe",
                        u32::MAX,
                        Fault::WrongByte,
                    )
                }) as Spoil,
            ),
            "with other bytes than were sent",
        ),
    ];
    for (spoil, expected) in cases {
        let (paid, supabase) = paid();
        spoil(&supabase);
        let refused = buy(&paid, &[]).expect(1);
        assert!(refused.stderr.contains(expected), "{expected}: {}", refused.stderr);
        assert!(refused.stderr.contains("help:"), "{}", refused.stderr);
        assert_eq!(paid.fake.charges().len(), 0, "{expected}");
        assert_no_secret(&refused);
    }
}

#[test]
fn a_bucket_that_takes_pictures_only_is_enough() {
    let (paid, supabase) = paid();
    let types = ["image/png", "image/jpeg", "image/webp"].map(str::to_owned).to_vec();
    let bucket = Bucket { public: true, file_size_limit: Some(1_000_000), allowed_mime_types: Some(types) };
    supabase.memory().buckets.insert("pictures".to_owned(), bucket);
    for _ in 0..2 {
        buy(&paid, &[]).expect(0);
    }
    assert_eq!(paid.fake.charges().len(), 3);
}

#[test]
fn a_bucket_is_made_by_the_first_apply_where_that_is_asked_for() {
    let (paid, supabase) = paid();
    supabase.memory().buckets.clear();
    let host = supabase.front.address().trim_start_matches("http://").to_owned();
    keep(&paid, &format!("url: \"supabase://{host}/made\", key: \"${{SUPABASE_KEY}}\", create_bucket: true"));
    let plan = ran(with_keys(paid.project.command(&["plan"])).output().unwrap()).expect(0);
    assert!(plan.stdout.contains("Plan: 3 to generate"), "{}", plan.stdout);
    assert!(supabase.memory().buckets.is_empty(), "a plan makes nothing");
    buy(&paid, &[]).expect(0);
    assert!(supabase.memory().buckets["made"].public);
}

#[test]
fn one_asset_whose_file_is_not_taken_fails_alone_and_is_never_paid_again() {
    let (paid, supabase) = paid();
    supabase.front.fault("POST", "portraits/nurse", u32::MAX, Fault::Status(500, ""));
    let partly = buy(&paid, &[]).expect(4);
    assert!(partly.stdout.contains("Applied: 2 generated, 1 failed."), "{}", partly.stdout);
    assert_eq!((paid.fake.charges().len(), paid.published()), (3, vec!["baker".to_owned(), "pilot".to_owned()]));
    supabase.front.clear_faults();
    let rest = buy(&paid, &[]).expect(0);
    assert!(rest.stdout.contains("Cost: $0.00."), "{}", rest.stdout);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (3, 3));
}

#[test]
fn an_original_that_is_not_taken_is_stored_by_the_next_run_for_nothing() {
    let (paid, supabase) = paid();
    for key in ["baker", "nurse", "pilot"] {
        assert_eq!(paid.statuses_or_none(key), Vec::<String>::new());
    }
    // Probes pass; what is longer than a recipe's folder does not.
    supabase.front.fault("POST", ".png", u32::MAX, Fault::Status(503, ""));
    let failed = buy(&paid, &[]).expect(4);
    assert!(failed.stdout.contains("3 failed"), "{}", failed.stdout);
    assert_eq!(paid.fake.charges().len(), 3);
    supabase.front.clear_faults();
    let stored = buy(&paid, &[]).expect(0);
    assert!(stored.stdout.contains("Cost: $0.00."), "{}", stored.stdout);
    assert_eq!((paid.fake.charges().len(), paid.published().len()), (3, 3));
}

impl Paid {
    fn statuses_or_none(&self, key: &str) -> Vec<String> {
        if self.project.database().is_file() { self.statuses(key) } else { Vec::new() }
    }
}

#[test]
fn a_key_that_is_taken_away_stops_the_buying_at_once() {
    let (paid, supabase) = paid();
    let denied =
        Fault::Status(403, r#"{"statusCode":"403","error":"Unauthorized","message":"revoked","code":"AccessDenied"}"#);
    supabase.front.fault("POST", ".png", u32::MAX, denied);
    let stopped = buy(&paid, &["--parallelism", "1"]).expect(1);
    assert!(stopped.stderr.contains("revoked") && stopped.stderr.contains("service_role"), "{}", stopped.stderr);
    assert_eq!(paid.fake.charges().len(), 1, "two were not bought");
    supabase.front.clear_faults();
    buy(&paid, &[]).expect(0);
    assert_eq!(paid.fake.charges().len(), 3);
}

#[test]
fn originals_can_lie_in_a_bucket_of_their_own() {
    let shop = Shop::new(Server::S3(S3::start()));
    let Server::S3(s3) = &shop.server else { unreachable!() };
    std::fs::create_dir(s3.folder.path().join("private")).unwrap();
    shop.configure(&format!("{}, originals: {{ url: \"s3://private/kept\" }}", shop.server.yaml("shop")));
    let applied = shop.ok(&["apply", "--yes"]);
    assert!(!applied.stderr.contains("originals"), "{}", applied.stderr);
    let public = shop.server.files("shop");
    assert!(public.len() == 8 && public.keys().all(|path| path.starts_with("people/")), "{:?}", public.keys());
    let mut kept = BTreeMap::new();
    walk(&s3.folder.path().join("private/kept"), "", &mut kept);
    assert!(kept.len() == 9 && kept.keys().all(|path| path.starts_with("originals/")), "{:?}", kept.keys());
    shop.assert_converges("with two buckets");
}

#[test]
fn originals_that_everybody_can_fetch_are_warned_about_once() {
    let shop = Shop::new(Server::Supabase(Supabase::start()));
    let warning = "everybody who can fetch a published file can fetch the originals";
    let first = shop.ok(&["apply", "--yes"]);
    assert_eq!(first.stderr.matches(warning).count(), 1, "{}", first.stderr);
    shop.project.edit("an old man", "an older man");
    let second = shop.ok(&["apply", "--yes"]);
    assert!(!second.stderr.contains(warning), "{}", second.stderr);
}

#[test]
fn a_new_store_is_filled_from_the_previous_one_for_nothing() {
    for shop in Shop::both() {
        shop.ok(&["apply", "--yes"]);
        let (before, rows) = (shop.server.files("shop"), shop.urls());
        let moving = |prefix: &str| {
            let yaml = shop.server.yaml(prefix);
            let old = shop.server.yaml("shop");
            let old = old.split("url: ").nth(1).unwrap().split(',').next().unwrap();
            format!("{yaml}, previous: {old}")
        };
        shop.configure(&moving("new"));
        let plan = shop.ok(&["plan"]);
        assert!(plan.stdout.contains("16 files are still in the previous storage"), "{}", plan.stdout);
        assert!(
            plan.stdout.contains("Plan: 8 to publish, 16 files to copy; 0 unchanged. Estimated cost: $0.00"),
            "{}",
            plan.stdout
        );
        assert_eq!(shop.server.files("new").len(), 0, "a plan copies nothing");

        // A copy that fails, or a kill in between, leaves every row as it is.
        shop.server.front().fault("", "new/people/", u32::MAX, Fault::Status(500, ""));
        let failed = shop.run(&["apply", "--yes"]).expect(1);
        assert!(failed.stderr.contains("could not"), "{}", failed.stderr);
        shop.server.front().clear_faults();
        shop.assert_no_broken_link("shop");
        let killed = with_keys(shop.project.command(&["apply", "--yes"])).env("PIXFORM_CRASH", "copied:3").output();
        assert_eq!(ran(killed.unwrap()).code, 134);
        shop.assert_no_broken_link("shop");
        assert_eq!(shop.urls(), rows);

        let applied = shop.ok(&["apply", "--yes"]);
        assert!(applied.stdout.contains("8 published") && applied.stdout.contains("$0.00"), "{}", applied.stdout);
        assert!(applied.stderr.contains("copied from the previous storage"), "{}", applied.stderr);
        shop.assert_no_broken_link("new");
        let after = shop.server.files("new");
        let but_marker = |files: &BTreeMap<String, Vec<u8>>| {
            files
                .iter()
                .filter(|(path, _)| !path.ends_with("-store"))
                .map(|(path, bytes)| (path.clone(), bytes.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(but_marker(&after), but_marker(&before));
        let plan = shop.ok(&["plan"]);
        assert!(plan.stdout.contains("No changes.") && !plan.stdout.contains("previous"), "{}", plan.stdout);
        // The previous store is no longer needed.
        shop.configure(&shop.server.yaml("new"));
        shop.ok(&["check", "--deep"]);
        shop.project.assert_painted_once();
    }
}

#[test]
fn copying_alone_is_a_change_and_takes_no_row() {
    let shop = Shop::new(Server::S3(S3::start()));
    let public = "public_url: \"https://cdn.example.com\"";
    shop.configure(&format!("{}, {public}", shop.server.yaml("shop")));
    shop.ok(&["apply", "--yes"]);
    shop.configure(&format!("{}, {public}, previous: \"s3://pictures/shop\"", shop.server.yaml("new")));
    let plan = shop.run(&["plan", "--detailed-exitcode"]).expect(2);
    assert!(plan.stdout.contains("Plan: 16 files to copy; 8 unchanged. Estimated cost: $0.00"), "{}", plan.stdout);
    shop.ok(&["apply", "--yes"]);
    assert_eq!(shop.server.files("new").len(), 17);
    shop.run(&["plan", "--detailed-exitcode"]).expect(0);
}

#[test]
fn a_new_store_without_the_previous_one_is_refused() {
    let shop = Shop::new(Server::S3(S3::start()));
    shop.ok(&["apply", "--yes"]);
    shop.configure(&shop.server.yaml("new"));
    let refused = shop.run(&["apply", "--yes"]).expect(3);
    assert!(refused.stdout.contains("has no `originals/.pixform-store`"), "{}", refused.stdout);
}

#[test]
fn a_plan_names_the_server_that_does_not_answer() {
    let shop = Shop::new(Server::S3(S3::start()));
    let address = shop.server.front().address().to_owned();
    let Shop { project, server } = shop;
    drop(server);
    let failed = ran(with_keys(project.command(&["plan"])).output().unwrap()).expect(1);
    assert!(failed.stderr.contains(&address) && failed.stderr.contains("cannot be reached"), "{}", failed.stderr);
}

#[test]
fn a_machine_without_keys_is_told_which_it_needs() {
    let shop = Shop::new(Server::S3(S3::start()));
    let mut command = shop.project.command(&["plan"]);
    let failed = ran(command.env("AWS_METADATA_ENDPOINT", "http://169.254.169.254").output().unwrap()).expect(1);
    assert!(failed.stderr.contains("AWS_ACCESS_KEY_ID"), "{}", failed.stderr);
    let half = ran(shop.project.command(&["plan"]).env("AWS_ACCESS_KEY_ID", KEY).output().unwrap()).expect(1);
    assert!(half.stderr.contains("a part of the storage's credentials is missing"), "{}", half.stderr);
}

#[test]
fn a_disk_that_is_full_is_applied_to_again_when_there_is_room() {
    let disk = SmallDisk::new("size=24k");
    let project = Project::new(PEOPLE);
    let storage = |root: &std::path::Path| {
        environment(&format!("url: \"file:{}\"", root.display()), "painter: { kind: placeholder }")
    };
    project.write("pixform.yaml", &storage(&disk.root.join("storage")));
    let full = project.run(&["apply", "--yes"]).expect(1);
    assert!(full.stderr.contains("no space left") || full.stderr.contains("cannot be used"), "{}", full.stderr);
    let remount = disk.enter("mount").args(["-o", "remount,size=10m"]).arg(&disk.mount_point).status().unwrap();
    assert!(remount.success());
    project.ok(&["apply", "--yes"]);
    project.ok(&["check", "--deep"]);
    project.assert_painted_once();
    let plan: Value = project.plan();
    assert_eq!(plan["changes"].as_array().map(Vec::len), Some(0));
}
