//! The contract of every storage, run against each adapter; and a law: a storage behaves like a map.
//!
//! What only a folder of files can do or suffer is in `storage_file`.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::io::ErrorKind;
use std::process::Child;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use pixform::asset::ObjectPath;
use pixform::storage::{Divided, Moving, Needs, Overwrite, Storage, StorageError, StoreOptions, open};
use proptest::prelude::*;

use crate::stores::moto::Moto;
use crate::stores::s3::S3;
use crate::stores::supabase::Supabase;

/// What a kind of store promises beyond the contract of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writers {
    /// Of two that write different bytes under one path one is told.
    ToldApart,
    /// The last one wins, as some servers do whatever they are asked.
    LastWins,
}

/// A storage, and what goes when it goes.
struct Opened {
    storage: Box<dyn Storage>,
    writers: Writers,
    _needs: Vec<Box<dyn Any>>,
}

/// Every adapter that works without a network, with an empty store.
fn local() -> Vec<Opened> {
    let root = tempfile::tempdir().unwrap();
    let file = format!("file:{}", root.path().join("made/by the first put").display());
    let memory = || open(&StoreOptions::of("memory:")).unwrap();
    let of = |storage: Box<dyn Storage>, needs: Vec<Box<dyn Any>>| Opened {
        storage,
        writers: Writers::ToldApart,
        _needs: needs,
    };
    vec![
        of(open(&StoreOptions::of(file)).unwrap(), vec![Box::new(root)]),
        of(memory(), Vec::new()),
        of(Box::new(Divided::new(memory(), memory())), Vec::new()),
        of(Box::new(Moving::new(memory(), memory())), Vec::new()),
    ]
}

/// The servers, which tests share.
pub fn servers() -> &'static (S3, Moto, Supabase) {
    static SERVERS: OnceLock<(S3, Moto, Supabase)> = OnceLock::new();
    static SWEEPER: OnceLock<Child> = OnceLock::new();
    let servers = SERVERS.get_or_init(|| (S3::start(), Moto::start(), Supabase::start()));
    SWEEPER.get_or_init(|| servers.0.sweep_at_the_end());
    servers
}

/// Every adapter that speaks to a server, with an empty store below a prefix of its own, among other people's files.
async fn remote(prefix: &str) -> Vec<Opened> {
    let (s3, moto, supabase) = servers();
    let mut opened = Vec::new();
    for settings in [s3.settings(prefix), moto.settings(prefix), supabase.settings(prefix)] {
        let neighbour = StoreOptions { url: format!("{}-neighbour", settings.url), ..settings.clone() };
        put(&*open(&neighbour).unwrap(), "a/b.png", "other people's", Overwrite::Replace).await.unwrap();
        let storage = open(&settings).unwrap();
        opened.push(Opened { storage, writers: Writers::LastWins, _needs: Vec::new() });
    }
    opened
}

/// Runs a test on both kinds of runtime: a blocking call in the wrong place hangs or panics on one of them.
fn check(test: impl AsyncFn(&dyn Storage)) {
    check_knowing(async |storage, _| test(storage).await);
}

fn check_knowing(test: impl AsyncFn(&dyn Storage, Writers)) {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let mut current = tokio::runtime::Builder::new_current_thread();
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    for runtime in [current.enable_all(), threads.worker_threads(2).enable_all()] {
        let runtime = runtime.build().unwrap();
        let prefix = format!("run-{}/70+", RUNS.fetch_add(1, Ordering::SeqCst));
        let adapters = local().into_iter().chain(runtime.block_on(remote(&prefix)));
        for adapter in adapters {
            runtime.block_on(test(&*adapter.storage, adapter.writers));
        }
    }
}

pub fn path(text: &str) -> ObjectPath {
    text.parse().unwrap()
}

pub async fn put(
    storage: &dyn Storage,
    at: &str,
    bytes: impl Into<Bytes>,
    overwrite: Overwrite,
) -> Result<(), StorageError> {
    storage.put(&path(at), bytes.into(), "image/png", overwrite).await
}

pub async fn listed(storage: &dyn Storage, folder: &str) -> Result<Vec<(String, u64)>, StorageError> {
    let mut found = Vec::new();
    storage.list(folder, &mut |path, bytes| found.push((path.to_owned(), bytes))).await?;
    found.sort();
    Ok(found)
}

async fn all(tasks: impl IntoIterator<Item = impl Future<Output = Result<(), StorageError>>>) -> Vec<String> {
    let results = futures::future::join_all(tasks).await;
    results.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect()
}

#[test]
fn what_was_put_can_be_read_and_measured() {
    check(async |storage| {
        for (at, bytes) in
            [("a/70+/b.png", &b"first"[..]), ("top.png", b"second"), ("a/(1)!,@=.png", b""), ("a/.b", b"x")]
        {
            put(storage, at, bytes, Overwrite::Never).await.unwrap();
            assert_eq!(storage.get(&path(at), 100).await.unwrap(), bytes);
            assert_eq!(storage.size(&path(at)).await.unwrap(), Some(bytes.len() as u64));
        }
        storage.sync().await.unwrap();
    });
}

#[test]
fn what_was_never_put_is_missing() {
    check(async |storage| {
        for _ in 0..2 {
            assert_eq!(storage.size(&path("a/b.png")).await.unwrap(), None);
            let error = storage.get(&path("a/b.png"), 100).await.unwrap_err();
            assert!(matches!(&error, StorageError::Missing { path } if path == "a/b.png"), "{error:?}");
            // The second time beside something.
            put(storage, "a/c.png", "bytes", Overwrite::Never).await.unwrap();
        }
        assert_eq!(storage.size(&path("a/c.png/d")).await.unwrap(), None, "a file is no folder");
    });
}

#[tokio::test]
async fn a_folder_is_no_file() {
    // Buckets have no folders, and the S3 server that keeps its bucket in a folder of files fails at this question.
    for Opened { storage, .. } in local() {
        put(&*storage, "a/c.png", "bytes", Overwrite::Never).await.unwrap();
        assert_eq!(storage.size(&path("a")).await.unwrap(), None);
        assert!(matches!(storage.get(&path("a"), 100).await, Err(StorageError::Missing { .. })));
    }
}

#[test]
fn a_path_that_is_taken_keeps_its_bytes_unless_told_otherwise() {
    check(async |storage| {
        put(storage, "a/b", "first", Overwrite::Never).await.unwrap();
        put(storage, "a/b", "first", Overwrite::Never).await.unwrap();
        for (other, offered) in [("other", 5), ("longer than that", 16), ("", 0)] {
            let error = put(storage, "a/b", other, Overwrite::Never).await.unwrap_err();
            let StorageError::Different { path, found: 5, offered: told, .. } = &error else { panic!("{error:?}") };
            assert_eq!((path.as_str(), *told), ("a/b", offered));
        }
        assert_eq!(storage.get(&path("a/b"), 100).await.unwrap(), "first");
        put(storage, "a/b", "replaced", Overwrite::Replace).await.unwrap();
        assert_eq!(storage.get(&path("a/b"), 100).await.unwrap(), "replaced");
        assert_eq!(listed(storage, "").await.unwrap(), [("a/b".to_owned(), 8)]);
    });
}

#[test]
fn a_listing_holds_a_folder_and_all_below_it() {
    check(async |storage| {
        assert_eq!(listed(storage, "").await.unwrap(), []);
        assert_eq!(listed(storage, "a/b").await.unwrap(), []);
        for (at, bytes) in [("a/b/70+.png", "12"), ("a/bc/1.png", "123"), ("a/d.png", "1234"), ("e.png", "")] {
            put(storage, at, bytes, Overwrite::Never).await.unwrap();
        }
        let all = [("a/b/70+.png", 2), ("a/bc/1.png", 3), ("a/d.png", 4), ("e.png", 0)].map(|(p, b)| (p.to_owned(), b));
        assert_eq!(listed(storage, "").await.unwrap(), all);
        assert_eq!(listed(storage, "a").await.unwrap(), all[..3]);
        assert_eq!(listed(storage, "a/b").await.unwrap(), all[..1], "`a/bc` only begins like it");
        assert_eq!(listed(storage, "a/d.png").await.unwrap(), [], "a file has nothing below it");
        assert_eq!(listed(storage, "nowhere").await.unwrap(), []);
    });
}

#[test]
fn a_folder_outside_the_storage_cannot_be_listed() {
    check(async |storage| {
        for folder in ["..", "a/../..", "/", "/etc", "a/", ".", "a//b", "a\0b", "a\nb"] {
            let error = listed(storage, folder).await.unwrap_err();
            let StorageError::Io { action: "list", source, .. } = &error else { panic!("{folder}: {error:?}") };
            assert_eq!(source.kind(), ErrorKind::InvalidInput, "{folder}");
        }
    });
}

#[test]
fn a_path_outside_the_storage_does_not_parse() {
    for outside in ["../a", "a/../../b", "/etc/passwd", "..", "a/..", "~/a/\0", "a\\..\\b", "file:a", "%2e%2e/a"] {
        assert!(outside.parse::<ObjectPath>().is_err(), "{outside}");
    }
}

#[test]
fn a_large_file_comes_back_whole_and_only_to_those_who_can_take_it() {
    check(async |storage| {
        let large: Vec<u8> = (0..5_000_000_u32).map(|number| (number % 251) as u8).collect();
        let mut other = large.clone();
        *other.last_mut().unwrap() ^= 1;
        put(storage, "large.png", large.clone(), Overwrite::Never).await.unwrap();
        put(storage, "large.png", large.clone(), Overwrite::Never).await.unwrap();
        let error = put(storage, "large.png", other, Overwrite::Never).await.unwrap_err();
        assert!(matches!(error, StorageError::Different { found: 5_000_000, offered: 5_000_000, .. }), "{error:?}");
        assert_eq!(storage.get(&path("large.png"), 5_000_000).await.unwrap(), large);
        let error = storage.get(&path("large.png"), 4_999_999).await.unwrap_err();
        let StorageError::Io { action: "read", source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.kind(), ErrorKind::FileTooLarge);
        assert_eq!(source.to_string(), "it holds 5000000 bytes, at most 4999999 are read");
    });
}

#[test]
fn writers_of_the_same_bytes_all_succeed() {
    check(async |storage| {
        let bytes = Bytes::from(vec![7; 100_000]);
        let failed = all((0..32).map(|_| put(storage, "new/a.png", bytes.clone(), Overwrite::Never))).await;
        assert_eq!(failed, [""; 0]);
        assert_eq!(listed(storage, "").await.unwrap(), [("new/a.png".to_owned(), 100_000)]);
    });
}

#[test]
fn of_writers_of_different_bytes_one_wins_whole() {
    check_knowing(async |storage, writers| {
        let failed =
            all((0..32_u8).map(|number| put(storage, "new/a.png", vec![number; 1_000], Overwrite::Never))).await;
        if writers == Writers::ToldApart {
            assert_eq!(failed.len(), 31, "{failed:?}");
        }
        let kept = storage.get(&path("new/a.png"), 1_000).await.unwrap();
        assert!(kept.len() == 1_000 && kept.iter().all(|byte| *byte == kept[0]));
    });
}

#[test]
fn many_writers_share_a_new_folder() {
    check(async |storage| {
        let names: Vec<_> = (0..200).map(|number| format!("new/folder/{}/{number:03}.png", number % 3)).collect();
        let failed = all(names.iter().map(|name| put(storage, name, name.clone(), Overwrite::Never))).await;
        assert_eq!(failed, [""; 0]);
        storage.sync().await.unwrap();
        storage.sync().await.unwrap();
        assert_eq!(listed(storage, "new").await.unwrap().len(), 200);
    });
}

#[test]
fn what_is_deleted_is_gone_and_may_have_been_before() {
    check(async |storage| {
        for at in ["a/1", "a/2", "originals/3", "b"] {
            put(storage, at, "bytes", Overwrite::Never).await.unwrap();
        }
        storage.delete(&[path("a/1"), path("originals/3"), path("never/there")]).await.unwrap();
        storage.delete(&[path("a/1")]).await.unwrap();
        storage.delete(&[]).await.unwrap();
        storage.sync().await.unwrap();
        assert_eq!(listed(storage, "").await.unwrap(), [("a/2".to_owned(), 5), ("b".to_owned(), 5)]);
        put(storage, "a/1", "again", Overwrite::Never).await.unwrap();
        assert_eq!(storage.get(&path("a/1"), 10).await.unwrap(), "again");
    });
}

#[test]
fn a_store_that_takes_everything_is_ready() {
    check(async |storage| storage.prepare(&Needs::default()).await.unwrap());
}

#[test]
fn a_path_with_other_bytes_is_told_with_both() {
    check(async |storage| {
        put(storage, "a/b.png", "one", Overwrite::Never).await.unwrap();
        let told =
            async |bytes: &'static str| put(storage, "a/b.png", bytes, Overwrite::Never).await.unwrap_err().to_string();
        assert_eq!(
            told("two").await,
            "`a/b.png` exists with other bytes: 3 of them (sha256 7692c3ad3540…), 3 (sha256 3fc4ccfe7458…) were to be written"
        );
        let longer = told("three").await;
        assert!(longer.starts_with("`a/b.png` exists with other bytes: 3 of them"), "{longer}");
        assert!(longer.contains(", 5") && longer.ends_with(" were to be written"), "{longer}");
    });
}

#[test]
fn a_url_of_an_unknown_kind_is_refused_without_its_secrets() {
    let told = |url: &str| match open(&StoreOptions::of(url)) {
        Ok(_) => "opened".to_owned(),
        Err(error) => error.to_string(),
    };
    insta::assert_snapshot!(
        told("ftp://user:secret@host/"), @"`ftp` is no storage that pixform knows; it knows `file:`, `s3:`, `gs:`, `az:`, `supabase:` and `memory:`");
    insta::assert_snapshot!(
        told("pictures"), @"the value of `storage` is no URL that pixform knows; it knows `file:`, `s3:`, `gs:`, `az:`, `supabase:` and `memory:`");
    insta::assert_snapshot!(told("file:"), @"the storage `file:` cannot be used");
    for (url, shown) in [("file:a/b", "file:a/b"), ("file:///srv/a", "file:/srv/a"), ("memory:", "memory:")] {
        assert_eq!(open(&StoreOptions::of(url)).unwrap().describe(), shown);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Put { path: usize, bytes: Vec<u8>, overwrite: Overwrite },
    Get { path: usize },
    List { folder: usize },
    Sync,
}

const PATHS: [&str; 6] = ["a/b/1.png", "a/b/2.png", "a/bc.png", "a/70+/x", "top", "originals/.pixform-store"];
const FOLDERS: [&str; 6] = ["", "a", "a/b", "a/70+", "top", "nowhere"];

fn step() -> impl Strategy<Value = Step> {
    let bytes = prop::collection::vec(0..2_u8, 0..3);
    let overwrite = prop_oneof![Just(Overwrite::Never), Just(Overwrite::Replace)];
    prop_oneof![
        4 => (0..PATHS.len(), bytes, overwrite).prop_map(|(path, bytes, overwrite)| Step::Put { path, bytes, overwrite }),
        2 => (0..PATHS.len()).prop_map(|path| Step::Get { path }),
        2 => (0..FOLDERS.len()).prop_map(|folder| Step::List { folder }),
        1 => Just(Step::Sync),
    ]
}

/// Does one step with a storage and with a map, and compares what both say.
async fn compare(storage: &dyn Storage, model: &mut BTreeMap<&str, Vec<u8>>, step: &Step) {
    match step {
        Step::Put { path: at, bytes, overwrite } => {
            let at = PATHS[*at];
            let refused = *overwrite == Overwrite::Never && model.get(at).is_some_and(|found| found != bytes);
            let result = put(storage, at, bytes.clone(), *overwrite).await;
            assert_eq!(matches!(result, Err(StorageError::Different { .. })), refused, "{at}: {result:?}");
            if !refused {
                result.unwrap();
                model.insert(at, bytes.clone());
            }
        }
        Step::Get { path: at } => {
            let (at, expected) = (path(PATHS[*at]), model.get(PATHS[*at]));
            assert_eq!(storage.get(&at, 10).await.ok().as_deref(), expected.map(Vec::as_slice));
            assert_eq!(storage.size(&at).await.unwrap(), expected.map(|bytes| bytes.len() as u64));
        }
        Step::List { folder } => {
            let folder = FOLDERS[*folder];
            let below = |path: &str| folder.is_empty() || path.starts_with(&format!("{folder}/"));
            let expected = model.iter().filter(|(path, _)| below(path));
            let expected: Vec<_> = expected.map(|(path, bytes)| ((*path).to_owned(), bytes.len() as u64)).collect();
            assert_eq!(listed(storage, folder).await.unwrap(), expected);
        }
        Step::Sync => storage.sync().await.unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_storage_behaves_like_a_map(steps in prop::collection::vec(step(), 0..30)) {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let prefix = format!("law-{}", RUNS.fetch_add(1, Ordering::SeqCst));
        for adapter in local().into_iter().chain(runtime.block_on(remote(&prefix))) {
            let mut model = BTreeMap::new();
            for step in &steps {
                runtime.block_on(compare(&*adapter.storage, &mut model, step));
            }
        }
    }
}
