//! What only a store behind a server can do or suffer: headers, keys, pages, busy and broken servers, closed buckets.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use pixform::secret::SecretText;
use pixform::storage::{
    Divided, FilesToPut, MARKER_PATH, MissingBucket, Needs, Overwrite, Readers, Storage, StorageError, StoreOptions,
    open,
};

use crate::storage_contract::{listed, path, put, servers};
use crate::stores::s3::{self, S3};
use crate::stores::supabase::{self, Bucket, JWT, Supabase};
use crate::stores::{Fault, Front};

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Tells an error with all its sources, as a person will read it.
fn told(error: &StorageError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    for secret in [s3::SECRET, supabase::JWT, supabase::SECRET] {
        assert!(!text.contains(secret), "{text}");
    }
    text
}

/// Runs a test against both kinds of server.
async fn both(test: impl AsyncFn(&Front, &dyn Storage)) {
    let s3 = S3::start();
    test(&s3.front, &*open(&s3.settings("p")).unwrap()).await;
    let supabase = Supabase::start();
    test(&supabase.front, &*open(&supabase.settings("p")).unwrap()).await;
}

#[tokio::test]
async fn a_file_is_put_with_its_type_and_for_ever_and_the_marker_is_not() {
    both(async |front, storage| {
        put(storage, "a/70+.png", "picture", Overwrite::Never).await.unwrap();
        put(storage, MARKER_PATH, "{}", Overwrite::Replace).await.unwrap();
        let writes = front.seen().into_iter().filter(|seen| matches!(seen.method.as_str(), "PUT" | "POST"));
        let header = |seen: &crate::stores::Seen, name: &str| seen.headers.get(name).cloned().unwrap_or_default();
        let told: Vec<_> = writes.map(|seen| (header(&seen, "content-type"), header(&seen, "cache-control"))).collect();
        let expected = [("image/png", FOR_EVER), ("image/png", "no-store")];
        assert_eq!(told, expected.map(|(kind, cache)| (kind.to_owned(), cache.to_owned())));
    })
    .await;
}

#[tokio::test]
async fn no_request_is_conditional() {
    both(async |front, storage| {
        for overwrite in [Overwrite::Never, Overwrite::Never, Overwrite::Replace] {
            put(storage, "a/b.png", "picture", overwrite).await.unwrap();
        }
        storage.get(&path("a/b.png"), 100).await.unwrap();
        let seen = front.seen();
        assert!(!seen.iter().any(|seen| seen.headers.keys().any(|name| name.starts_with("if-"))), "{seen:?}");
    })
    .await;
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    both(async |front, storage| {
        let faults = [
            Fault::Status(503, ""),
            Fault::Status(429, r#"{"statusCode":"429","error":"SlowDown","code":"SlowDown","message":"Too many"}"#),
            Fault::Status(500, "<Error><Code>InternalError</Code></Error>"),
            Fault::Status(544, r#"{"statusCode":"544","code":"DatabaseTimeout","message":"The connection timed out"}"#),
            Fault::Status(400, r#"{"statusCode":"423","code":"ResourceLocked","message":"locked"}"#),
            Fault::Busy(0),
            Fault::Lost,
            Fault::LostAnswer,
        ];
        for (number, fault) in faults.into_iter().enumerate() {
            let at = format!("a/{number}.png");
            for method in ["PUT", "POST"] {
                front.fault(method, "", 2, fault.clone());
            }
            put(storage, &at, at.clone(), Overwrite::Never).await.unwrap();
            front.clear_faults();
            front.fault("", "", 2, fault.clone());
            assert_eq!(storage.get(&path(&at), 100).await.unwrap(), at, "{fault:?}");
            front.clear_faults();
            front.fault("", "", 2, fault.clone());
            assert_eq!(listed(storage, "a").await.unwrap().len(), number + 1, "{fault:?}");
            front.clear_faults();
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_cut_off_slow_or_wrong_is_read_again() {
    both(async |front, storage| {
        let picture = Bytes::from(vec![7; 100_000]);
        put(storage, "a/b.png", picture.clone(), Overwrite::Never).await.unwrap();
        for fault in
            [Fault::CutAnswer(0), Fault::CutAnswer(50_000), Fault::WrongByte, Fault::Slow(Duration::from_secs(1))]
        {
            front.fault("GET", "a/b.png", 1, fault.clone());
            assert_eq!(storage.get(&path("a/b.png"), 100_000).await.unwrap(), picture, "{fault:?}");
        }
        for method in ["GET", "POST"] {
            front.fault(method, "list", 1, Fault::CutAnswer(20));
        }
        assert_eq!(listed(storage, "a").await.unwrap(), [("a/b.png".to_owned(), 100_000)]);
    })
    .await;
}

#[tokio::test]
async fn a_store_that_asks_for_a_pause_gets_it_from_everybody() {
    let s3 = S3::start();
    let storage = open(&s3.settings("p")).unwrap();
    s3.front.fault("", "", 1, Fault::Busy(2));
    let begun = std::time::Instant::now();
    put(&*storage, "a/b.png", "picture", Overwrite::Replace).await.unwrap();
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(8), "{waited:?}");
}

#[tokio::test]
async fn what_does_not_pass_fails_after_some_tries() {
    let s3 = S3::start();
    let storage = open(&s3.settings("p")).unwrap();
    s3.front.fault("PUT", "broken", u32::MAX, Fault::Status(503, ""));
    let error = put(&*storage, "a/broken.png", "picture", Overwrite::Never).await.unwrap_err();
    assert!(matches!(error, StorageError::Io { action: "write", .. }), "{error:?}");
    insta::assert_snapshot!(told(&error), @"could not write `a/broken.png`: the store answers 503: it says nothing more");
    assert_eq!(s3.front.seen().iter().filter(|seen| seen.method == "PUT").count(), 6);
    put(&*storage, "a/whole.png", "picture", Overwrite::Never).await.unwrap();
}

#[tokio::test]
async fn uploads_run_side_by_side_and_not_too_many() {
    both(async |front, storage| {
        let names: Vec<String> = (0..100).map(|number| format!("a/{number}.png")).collect();
        let puts = names.iter().map(|name| put(storage, name, name.clone(), Overwrite::Never));
        assert!(futures::future::join_all(puts).await.iter().all(Result::is_ok));
        let most = front.most_in_flight();
        assert!((2..=16).contains(&most), "{most}");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_key_is_refused_at_once_with_what_to_check() {
    let (s3, supabase) = (S3::start(), Supabase::start());
    let wrong = |text: &str| Some(SecretText::new(text.to_owned()));
    let settings = StoreOptions { secret_access_key: wrong("another secret"), ..s3.settings("p") };
    let error = open(&settings).unwrap().get(&path("a/b"), 10).await.unwrap_err();
    let StorageError::Denied { help, .. } = &error else { panic!("{error:?}") };
    assert!(help.contains("AWS_ACCESS_KEY_ID"), "{help}");
    assert_eq!(s3.front.seen().len(), 1, "it is not asked again");
    let settings = StoreOptions { key: wrong("sb_publishable_x"), ..supabase.settings("p") };
    let error = put(&*open(&settings).unwrap(), "a/b", "bytes", Overwrite::Never).await.unwrap_err();
    let StorageError::Denied { help, .. } = &error else { panic!("{error:?}") };
    assert!(help.contains("sb_secret_"), "{help}");
    let told = told(&error).replace(supabase.front.address().trim_start_matches("http://"), "HOST");
    insta::assert_snapshot!(told, @"the storage `supabase://HOST/pictures/p` refuses to write `a/b`: the store answers 403: Invalid Compact JWS");
    assert_eq!(supabase.front.seen().len(), 1, "it is not asked again");
}

#[tokio::test]
async fn a_bucket_that_is_missing_is_told_with_the_way_to_one() {
    // Not at `s3s-fs`, which calls a key missing whose bucket is.
    let ((_, moto, _), supabase) = (servers(), Supabase::empty());
    let elsewhere = StoreOptions { url: "s3://nowhere/p".to_owned(), ..moto.settings("") };
    for settings in [elsewhere, supabase.settings("p")] {
        let storage = open(&settings).unwrap();
        let errors = [
            storage.get(&path("a/b"), 10).await.unwrap_err(),
            listed(&*storage, "a").await.unwrap_err(),
            storage.prepare(&Needs::default()).await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, StorageError::NoBucket { .. }), "{error:?}");
        }
    }
    let storage = open(&supabase.settings("p")).unwrap();
    let error = put(&*storage, "a/b", "bytes", Overwrite::Replace).await.unwrap_err();
    assert!(matches!(error, StorageError::NoBucket { .. }), "{error:?}");
    let error = open(&supabase.settings("p")).unwrap().prepare(&Needs::default()).await.unwrap_err();
    let StorageError::NoBucket { help, .. } = error else { panic!("{error:?}") };
    assert!(help.contains("create_bucket: true"), "{help}");
}

#[tokio::test]
async fn a_missing_bucket_is_made_when_asked_to_and_is_empty_until_then() {
    for (needs, public) in [(needs(&["image/jpeg"], &["image/png"], 10), true), (needs(&[], &["image/png"], 10), false)]
    {
        let supabase = Supabase::empty();
        let storage = open(&StoreOptions { missing_bucket: MissingBucket::Make, ..supabase.settings("p") }).unwrap();
        assert_eq!(listed(&*storage, "").await.unwrap(), []);
        assert_eq!(storage.size(&path("a/b")).await.unwrap(), None);
        let error = storage.get(&path("a/b"), 10).await.unwrap_err();
        assert!(matches!(error, StorageError::Missing { .. }), "{error:?}");
        assert!(supabase.memory().buckets.is_empty(), "looking makes nothing");
        for _ in 0..2 {
            storage.prepare(&needs).await.unwrap();
        }
        assert_eq!(supabase.memory().buckets["pictures"].public, public);
        put(&*storage, "a/b", "bytes", Overwrite::Never).await.unwrap();
    }
}

fn needs(published: &[&'static str], originals: &[&'static str], bytes: u64) -> Needs {
    let files = |types: &[&'static str]| FilesToPut { content_types: types.iter().copied().collect(), bytes };
    Needs { published: files(published), originals: files(originals), readers: Readers::Nobody }
}

#[tokio::test]
async fn a_bucket_with_limits_is_looked_at_before_it_refuses() {
    let supabase = Supabase::start();
    let limited = |types: Option<&[&str]>, most| Bucket {
        public: true,
        file_size_limit: most,
        allowed_mime_types: types.map(|types| types.iter().map(|kind| (*kind).to_owned()).collect()),
    };
    let storage = open(&supabase.settings("p")).unwrap();
    let wanted = needs(&["image/webp"], &["image/png"], 1_000);
    for (bucket, expected) in [
        (limited(None, Some(1_000)), "fine"),
        (limited(Some(&["image/png", "image/webp"]), None), "fine"),
        (
            limited(Some(&["image/png"]), None),
            "the bucket `pictures` takes no `image/webp`, as which published files may be put",
        ),
        (
            limited(None, Some(999)),
            "the bucket `pictures` takes files of at most 999 bytes, and published files may have about 1000 bytes",
        ),
    ] {
        supabase.memory().buckets.insert("pictures".to_owned(), bucket);
        let verdict = storage.prepare(&wanted).await;
        assert_eq!(verdict.map_or_else(|error| told(&error), |()| "fine".to_owned()), expected);
    }
    supabase.memory().buckets.insert("pictures".to_owned(), limited(Some(&["image/png"]), Some(3)));
    for (at, bytes) in [("a/large.png", "four")] {
        let error = put(&*storage, at, bytes, Overwrite::Never).await.unwrap_err();
        assert!(matches!(error, StorageError::NotAdmitted { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn each_kind_of_supabase_key_goes_where_it_belongs() {
    let supabase = Supabase::start();
    for (key, authorization) in [(JWT, Some(format!("Bearer {JWT}"))), (supabase::SECRET, None)] {
        let settings = StoreOptions { key: Some(SecretText::new(key.to_owned())), ..supabase.settings("p") };
        put(&*open(&settings).unwrap(), "a/b", "bytes", Overwrite::Never).await.unwrap();
        for seen in supabase.front.seen() {
            assert_eq!(seen.headers.get("apikey").map(String::as_str), Some(key));
            assert_eq!(seen.headers.get("authorization"), authorization.as_ref());
            assert!(seen.headers["user-agent"].starts_with("pixform/"), "{:?}", seen.headers);
            assert_ne!(seen.method, "HEAD", "which says nothing about what is missing");
        }
    }
}

#[tokio::test]
async fn a_store_without_any_key_is_refused_before_it_is_asked() {
    let supabase = Supabase::start();
    let error = open(&StoreOptions { key: None, ..supabase.settings("p") }).err().unwrap();
    insta::assert_snapshot!(told(&error), @"the storage has no `key`");
    let half = StoreOptions { secret_access_key: None, ..S3::start().settings("p") };
    // Half of a key is not made whole by looking for it on the machine; pixform.yaml refuses it with its place.
    assert!(open(&half).is_ok());
}

#[tokio::test]
async fn a_long_listing_comes_in_pages_and_a_long_deletion_in_parts() {
    let supabase = Supabase::start();
    let storage = open(&supabase.settings("p")).unwrap();
    let names: Vec<_> = (0..2_500).map(|number| format!("a/{number:04}.png")).collect();
    {
        let mut memory = supabase.memory();
        for name in &names {
            let object = supabase::Object {
                bytes: name.clone().into(),
                content_type: String::new(),
                cache_control: String::new(),
            };
            memory.objects.insert(("pictures".to_owned(), format!("p/{name}")), object);
        }
    }
    let expected: Vec<(String, u64)> = names.iter().map(|name| (name.clone(), name.len() as u64)).collect();
    assert_eq!(listed(&*storage, "a").await.unwrap(), expected);
    assert_eq!(supabase.front.seen().len(), 3);
    let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
    storage.delete(&paths).await.unwrap();
    assert_eq!(supabase.memory().most_deleted, 1_000);
    assert_eq!(listed(&*storage, "").await.unwrap(), []);
}

#[tokio::test]
async fn what_arrives_cut_off_is_written_again_and_told_if_that_does_not_help() {
    let supabase = Supabase::start();
    let storage = open(&supabase.settings("p")).unwrap();
    supabase.front.fault("POST", "a/b.png", 1, Fault::Truncated(3));
    put(&*storage, "a/b.png", "picture", Overwrite::Never).await.unwrap();
    assert_eq!(storage.get(&path("a/b.png"), 100).await.unwrap(), "picture");
    supabase.front.fault("POST", "a/c.png", u32::MAX, Fault::Truncated(3));
    let error = put(&*storage, "a/c.png", "picture", Overwrite::Never).await.unwrap_err();
    insta::assert_snapshot!(told(&error), @"`a/c.png` arrived in the storage with other bytes than were sent");
    // A server that checks the signature of what it gets refuses it, and it is sent again.
    let s3 = S3::start();
    s3.front.fault("PUT", "a/b.png", 1, Fault::Truncated(3));
    let storage = open(&s3.settings("p")).unwrap();
    let put_twice = put(&*storage, "a/b.png", "picture", Overwrite::Never).await;
    if let Err(error) = put_twice {
        told(&error);
        put(&*storage, "a/b.png", "picture", Overwrite::Never).await.unwrap();
    }
    assert_eq!(storage.get(&path("a/b.png"), 100).await.unwrap(), "picture");
}

#[tokio::test]
async fn an_etag_that_only_looks_like_a_digest_is_seen_through() {
    both(async |front, storage| {
        front.fault("", "a/", u32::MAX, Fault::OtherTag);
        for overwrite in [Overwrite::Never, Overwrite::Never, Overwrite::Replace] {
            put(storage, "a/b.png", "picture", overwrite).await.unwrap();
        }
        let error = put(storage, "a/b.png", "another", Overwrite::Never).await.unwrap_err();
        assert!(matches!(error, StorageError::Different { .. }), "{error:?}");
        assert_eq!(storage.get(&path("a/b.png"), 100).await.unwrap(), "picture");
    })
    .await;
}

#[tokio::test]
async fn a_folder_that_a_console_made_is_no_file() {
    let supabase = Supabase::start();
    let marks = ["p/a/", "p/", "p/a/b/"].map(|key| ("pictures".to_owned(), key.to_owned()));
    for mark in marks {
        let object =
            supabase::Object { bytes: Bytes::new(), content_type: String::new(), cache_control: String::new() };
        supabase.memory().objects.insert(mark, object);
    }
    let storage = open(&supabase.settings("p")).unwrap();
    put(&*storage, "a/b/c.png", "picture", Overwrite::Never).await.unwrap();
    assert_eq!(listed(&*storage, "a").await.unwrap(), [("a/b/c.png".to_owned(), 7)]);
}

#[tokio::test]
async fn a_file_of_the_wrong_length_is_never_taken_for_the_right_one() {
    let supabase = Supabase::start();
    let storage = open(&supabase.settings("p")).unwrap();
    put(&*storage, "a/b.png", "picture", Overwrite::Never).await.unwrap();
    let error = storage.get(&path("a/b.png"), 6).await.unwrap_err();
    assert_eq!(told(&error), "could not read `a/b.png`: it holds 7 bytes, at most 6 are read");
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let s3 = S3::start();
    let settings = s3.settings("p");
    drop(s3);
    let error = open(&settings).unwrap().get(&path("a/b"), 10).await.unwrap_err();
    let told = told(&error).replace(&settings.endpoint.unwrap(), "ADDRESS");
    insta::assert_snapshot!(told, @"could not read `a/b`: ADDRESS/pictures/p/a/b cannot be reached (Connection refused)");
}

/// Speaks HTTP for a bare client, with the client that ours is made of.
#[derive(Debug, Clone)]
struct Bare(reqwest::Client);

impl HttpConnector for Bare {
    fn connect(&self, _: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

/// How many files the listing of the next test has; `tests/long` asks for 100,000.
const OBJECTS: &str = "PIXFORM_TEST_OBJECTS";
/// From so many on the times are compared: less takes no time at all.
const TIMED_FROM: usize = 20_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_listing_takes_as_many_requests_as_a_bare_one_and_hardly_more_time() {
    let count: usize = std::env::var(OBJECTS).map_or(2_500, |text| text.parse().unwrap());
    let server = S3::start_with(count);
    let front = &server.front;
    let client =
        pixform::web::client(&front.address().parse().unwrap(), || pixform::web::builder().no_proxy()).unwrap();
    let bare = AmazonS3Builder::new()
        .with_endpoint(front.address())
        .with_bucket_name("pictures")
        .with_access_key_id(s3::KEY)
        .with_secret_access_key(s3::SECRET)
        .with_http_connector(Bare(client))
        .build()
        .unwrap();
    let bare: Arc<dyn ObjectStore> = Arc::new(bare);
    let ours = open(&server.settings("")).unwrap();
    let (mut bare_times, mut our_times) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let begun = Instant::now();
        let listing = bare.list(Some(&"many".into()));
        let found: Vec<_> = listing.map_ok(|meta| (meta.location.to_string(), meta.size)).try_collect().await.unwrap();
        bare_times.push(begun.elapsed());
        let requests = front.seen().len();
        let begun = Instant::now();
        let mut seen = std::collections::HashMap::new();
        ours.list("many", &mut |path, bytes| {
            seen.insert(path.to_owned(), bytes);
        })
        .await
        .unwrap();
        our_times.push(begun.elapsed());
        assert_eq!((found.len(), seen.len(), front.seen().len()), (count, count, requests));
        assert_eq!(requests, count.div_ceil(1_000));
    }
    let (bare, ours) = (bare_times.iter().min().unwrap(), our_times.iter().min().unwrap());
    println!("{count} objects: {ours:?}, and {bare:?} with the client alone");
    assert!(
        count < TIMED_FROM || ours.as_secs_f64() <= 1.3 * bare.as_secs_f64(),
        "{ours:?}, {bare:?} with the client alone"
    );
}

#[tokio::test]
async fn what_a_kill_left_in_a_bucket_is_found_by_the_bucket_s_own_time() {
    let (s3, supabase) = (S3::start(), Supabase::start());
    let (probe, picture) = ("originals/.pixform-probe-1", "originals/a.png");
    for settings in [s3.settings("p"), supabase.settings("p")] {
        let storage = open(&settings).unwrap();
        for at in [probe, picture] {
            put(&*storage, at, "bytes", Overwrite::Never).await.unwrap();
        }
        assert_eq!(storage.remnants().await.unwrap(), [], "{}: a run may be at it", storage.describe());
    }
    let hours = 25 * 3_600;
    supabase.memory().written_at = Some(jiff::Timestamp::now() - jiff::SignedDuration::from_secs(hours));
    for at in [probe, picture] {
        let file = std::fs::File::options().append(true).open(s3.folder.path().join("pictures/p").join(at)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(25 * 3_600)).unwrap();
    }
    for settings in [s3.settings("p"), supabase.settings("p")] {
        let storage = open(&settings).unwrap();
        let divided = Divided::new(open(&settings).unwrap(), open(&settings).unwrap());
        for found in [storage.remnants().await.unwrap(), divided.remnants().await.unwrap()] {
            let found: Vec<_> = found.iter().map(|remnant| (remnant.path.as_str(), remnant.bytes)).collect();
            assert_eq!(found, [(probe, 5)], "{}", storage.describe());
        }
    }
}
