//! The contract of every storage, run against each adapter; and a law: a storage behaves like a map.
//!
//! What only a folder of files can do or suffer is in `storage_file`.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::ErrorKind;

use bytes::Bytes;
use pixform::asset::ObjectPath;
use pixform::storage::{Overwrite, Storage, StorageError, open};
use proptest::prelude::*;
use tempfile::TempDir;

/// A storage and what it needs to exist.
struct Opened {
    storage: Box<dyn Storage>,
    _root: Option<TempDir>,
}

/// Every adapter that works without a network, with an empty store.
fn adapters() -> Vec<Opened> {
    let root = tempfile::tempdir().unwrap();
    let file = open(&format!("file:{}", root.path().join("made/by the first put").display())).unwrap();
    let memory = open("memory:").unwrap();
    vec![Opened { storage: file, _root: Some(root) }, Opened { storage: memory, _root: None }]
}

/// Runs a test on both kinds of runtime: a blocking call in the wrong place hangs or panics on one of them.
fn check(test: impl AsyncFn(&dyn Storage)) {
    let mut current = tokio::runtime::Builder::new_current_thread();
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    for runtime in [current.enable_all(), threads.worker_threads(2).enable_all()] {
        let runtime = runtime.build().unwrap();
        for adapter in adapters() {
            runtime.block_on(test(&*adapter.storage));
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
        assert_eq!(storage.size(&path("a")).await.unwrap(), None, "a folder is no file");
        assert_eq!(storage.size(&path("a/c.png/d")).await.unwrap(), None, "a file is no folder");
        assert!(matches!(storage.get(&path("a"), 100).await, Err(StorageError::Missing { .. })));
    });
}

#[test]
fn a_path_that_is_taken_keeps_its_bytes_unless_told_otherwise() {
    check(async |storage| {
        put(storage, "a/b", "first", Overwrite::Never).await.unwrap();
        put(storage, "a/b", "first", Overwrite::Never).await.unwrap();
        for (other, offered) in [("other", 5), ("longer than that", 16), ("", 0)] {
            let error = put(storage, "a/b", other, Overwrite::Never).await.unwrap_err();
            let StorageError::Different { path, found: 5, offered: told } = &error else { panic!("{error:?}") };
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
fn of_writers_of_different_bytes_exactly_one_succeeds() {
    check(async |storage| {
        let failed =
            all((0..32_u8).map(|number| put(storage, "new/a.png", vec![number; 1_000], Overwrite::Never))).await;
        assert_eq!(failed.len(), 31, "{failed:?}");
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
fn a_url_of_an_unknown_kind_is_refused_without_its_secrets() {
    let told = |url: &str| match open(url) {
        Ok(_) => "opened".to_owned(),
        Err(error) => error.to_string(),
    };
    insta::assert_snapshot!(
        told("ftp://user:secret@host/"), @"`ftp` is no storage that pixform knows; write `file:FOLDER` or `memory:`");
    insta::assert_snapshot!(
        told("pictures"), @"`pictures` is no storage that pixform knows; write `file:FOLDER` or `memory:`");
    insta::assert_snapshot!(told("file:"), @"the storage `file:` cannot be used");
    for (url, shown) in [("file:a/b", "file:a/b"), ("file:///srv/a", "file:/srv/a"), ("memory:", "memory:")] {
        assert_eq!(open(url).unwrap().describe(), shown);
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
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for adapter in adapters() {
            let mut model = BTreeMap::new();
            for step in &steps {
                runtime.block_on(compare(&*adapter.storage, &mut model, step));
            }
        }
    }
}
