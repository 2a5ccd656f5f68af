//! What every state must do, whatever database it keeps: the contract at `pixform::state::State`, held to each adapter.
//!
//! A test takes a maker of fresh states. `contract!` at the end runs all of them for each adapter.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use pixform::asset::{
    AssetKey, CollectionName, ColumnType, Encoding, FieldMap, Format, PathPattern, Recipe, Rendition, Resize, Seed,
    SeedBase, TableName, TableSpec,
};
use pixform::digest::{ContentDigest, RecipeDigest, RenditionDigest, RowDigest, SeenDigest};
use pixform::process::{Liveness, Process};
use pixform::record::{
    Decision, Estimate, NewCall, Published, Record, RecordHead, RecordedRow, extra_labels, objects_text,
};
use pixform::state::{
    Acceptance, Accepted, AcceptedColumn, Caps, Commit, Holder, Lease, LeaseAnswer, NewAcceptance, Put, Right, Run,
    RunOrigin, ScanVisitor, Schema, State, StateError, TableSeen,
};
use serde_json::{Value, json};

/// Makes fresh states, each of its own, not migrated.
pub type Maker<'m> = &'m (dyn Fn() -> BoxFuture<'static, Box<dyn State>> + Sync);

pub fn key(text: &str) -> AssetKey {
    text.parse().unwrap()
}

pub fn collection(text: &str) -> CollectionName {
    text.parse().unwrap()
}

pub fn axes() -> Vec<String> {
    vec!["category".to_owned(), "style".to_owned()]
}

pub fn spec() -> TableSpec {
    TableSpec {
        name: "pictures".parse().unwrap(),
        key: axes(),
        columns: vec![
            ("image_url".to_owned(), ColumnType::Text),
            ("seed".to_owned(), ColumnType::Bigint),
            ("scale".to_owned(), ColumnType::Double),
            ("width".to_owned(), ColumnType::Integer),
        ],
    }
}

pub fn values(number: u32) -> Vec<Value> {
    vec![
        json!(format!("https://example.com/{number}.jpg")),
        json!(i64::MAX - i64::from(number)),
        json!(7.5),
        json!(512),
    ]
}

fn digest(number: u32, kind: u8) -> [u8; 32] {
    let mut bytes = [kind; 32];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    bytes
}

pub fn content(number: u32) -> ContentDigest {
    ContentDigest::from_bytes(digest(number, 1))
}

pub fn recipe(number: u32) -> RecipeDigest {
    RecipeDigest::from_bytes(digest(number, 2))
}

pub fn published(number: u32) -> Published {
    let path = PathPattern::new(format!("pictures/{number}-{}.jpg", PathPattern::DIGEST_MARK)).unwrap();
    Published {
        rendition: Rendition {
            name: "main".parse().unwrap(),
            encoding: Encoding { format: Format::Jpeg, quality: Some(90), resize: Resize::Width(160) },
            path: path.clone(),
            digest: RenditionDigest::from_bytes(digest(number, 3)),
        },
        path: path.fill(&content(number)),
        sha256: content(number),
        bytes: 1_000 + u64::from(number),
        width: 160,
        height: 240,
        renderer: 2,
    }
}

/// A record whose every field depends on the number.
pub fn record(at: &str, number: u32) -> Record {
    let (category, style) = at.split_once('/').unwrap();
    let labels = [("category", category), ("style", style), ("mood", "calm")];
    Record {
        key: key(at),
        first_key: key("first/made"),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        recipe: Recipe {
            model: Some("a \"model\"".to_owned()),
            seed: Seed::new(Seed::MAX),
            ..Recipe::new("placeholder", &format!("prompt ü {number}"), 512, 768)
        }
        .with("steps", 30)
        .with("guidance_scale", 0.1 + 0.2)
        .with("loras", vec![FieldMap::new().with("model_name", "style_42").with("strength", 0.1 + 0.7)])
        .with("restore_faces", true),
        base: SeedBase::Key("first/made".to_owned()),
        take: number,
        vars: BTreeMap::from([("look".to_owned(), "line\nbreak".to_owned())]),
        original: content(number),
        published: vec![published(number)],
        row: Some(RecordedRow {
            digest: RowDigest::from_bytes(digest(number, 4)),
            seen: SeenDigest::from_bytes([0; 32]),
            id: None,
            inputs: BTreeMap::from([("image_url".to_owned(), "{{ url }}".to_owned())]),
        }),
        protect: number % 2 == 1,
        hold: number % 3 == 1,
    }
}

pub fn put(at: &str, number: u32) -> Put {
    Put { record: record(at, number), moved_from: None, values: Some(values(number)) }
}

pub fn moved(from: &str, to: &str, number: u32) -> Put {
    Put { moved_from: Some((collection("pictures"), key(from))), values: None, ..put(to, number) }
}

pub fn run(id: &str) -> Run {
    let origin = RunOrigin {
        actor: Some("an\u{1b}[1m actor".to_owned()),
        commit: Some("0123abcd".to_owned()),
        run_url: Some("https://ci.example.com/1".to_owned()),
        branch: Some("hair".to_owned()),
        pull_request: Some("shop/pictures#7".to_owned()),
    };
    Run { id: id.to_owned(), command: "apply".to_owned(), process: Process::current(), origin }
}

pub fn alive(_: &Process) -> Liveness {
    Liveness::Alive
}

pub fn dead(_: &Process) -> Liveness {
    Liveness::Dead
}

pub async fn lease_of(state: &dyn State, name: &str, who: &str) -> Lease {
    match state.take_lease(&collection(name), &run(who), &alive).await.unwrap() {
        LeaseAnswer::Taken(lease) => lease,
        LeaseAnswer::Held(holder) => panic!("held by {holder:?}"),
    }
}

/// Migrates, takes the lease of `pictures`, remembers the collection and creates the table.
pub async fn ready(state: &dyn State) -> Lease {
    state.migrate().await.unwrap();
    let lease = lease_of(state, "pictures", "run-1").await;
    state.remember_collection(&lease, &axes(), Some(&spec().name)).await.unwrap();
    state.ensure_table(&spec()).await.unwrap();
    lease
}

pub async fn write(state: &dyn State, lease: &Lease, put: Vec<Put>, delete: &[&str]) {
    let delete = delete.iter().map(|at| key(at)).collect();
    state.commit(lease, Some(&spec()), &Commit { put, delete, ..Commit::default() }).await.unwrap();
}

/// One record's head, owned.
#[derive(Debug, PartialEq)]
pub struct Head {
    pub key: String,
    pub recipe: RecipeDigest,
    pub row: Option<(RowDigest, SeenDigest)>,
    pub extra_labels: String,
    pub objects: String,
    pub marks: (bool, bool),
}

#[derive(Debug, Default)]
pub struct Seen {
    pub heads: Vec<Head>,
    pub rows: BTreeMap<String, SeenDigest>,
}

impl ScanVisitor for Seen {
    fn record(&mut self, head: RecordHead<'_>) {
        assert!(self.rows.is_empty(), "records come before rows");
        self.heads.push(Head {
            key: head.key.to_owned(),
            recipe: head.recipe,
            row: head.row,
            extra_labels: head.extra_labels.to_owned(),
            objects: head.objects.to_owned(),
            marks: (head.protect, head.hold),
        });
    }

    fn row(&mut self, key: &str, seen: SeenDigest) {
        assert_eq!(self.rows.insert(key.to_owned(), seen), None, "a row comes once");
    }
}

pub async fn scan(state: &dyn State) -> (TableSeen, Seen) {
    let mut seen = Seen::default();
    let table = state.scan(&collection("pictures"), Some(&spec()), &mut seen).await.unwrap();
    (table, seen)
}

/// The ids of the rows of `pictures` by key.
pub async fn ids(state: &dyn State, keys: &[&str]) -> BTreeMap<String, String> {
    let keys: Vec<_> = keys.iter().map(|at| key(at)).collect();
    let rows = state.rows(&spec(), &keys).await.unwrap();
    rows.into_iter().map(|row| (row.key.to_string(), row.id.unwrap())).collect()
}

async fn one(state: &dyn State, at: &str) -> Record {
    state.records(&collection("pictures"), &[key(at)]).await.unwrap().pop().unwrap()
}

pub fn call(id: &str, number: u32) -> NewCall {
    NewCall {
        id: id.to_owned(),
        collection: collection("pictures"),
        key: key("a/x"),
        recipe: recipe(number),
        generator: "placeholder".to_owned(),
        service: "painter".to_owned(),
        model: Some("a \"model\"".to_owned()),
        estimate: Estimate::Free,
        account: None,
        gone: None,
    }
}

pub fn is_fenced<T: std::fmt::Debug>(answer: &Result<T, StateError>) -> bool {
    matches!(answer, Err(StateError::Fenced { .. }))
}

async fn a_state_is_empty_until_it_is_migrated(make: Maker<'_>) {
    let state = make().await;
    let known = state.known().await.unwrap();
    assert_eq!((known.schema, known.id, known.store, known.collections.len()), (Schema::Absent, None, None, 0));
    let (table, seen) = scan(&*state).await;
    assert_eq!((table, seen.heads.len()), (TableSeen::Absent, 0));
    assert!(state.rows(&spec(), &[key("a/x")]).await.unwrap().is_empty());
    assert!(state.paths().await.unwrap().is_empty());
    assert!(state.originals(&[recipe(1)]).await.unwrap().is_empty());
    assert!(state.calls(&[recipe(1)], &alive).await.unwrap().is_empty());
    assert!(crate::state_ledger::history(&*state).await.is_empty());
    assert_eq!(state.holder(&collection("pictures")).await.unwrap(), None);
}

async fn migrating_again_changes_nothing(make: Maker<'_>) {
    let state = make().await;
    state.migrate().await.unwrap();
    state.set_store("a-store").await.unwrap();
    let before = state.known().await.unwrap();
    assert_eq!(before.schema, Schema::Current);
    assert!(before.id.is_some());
    assert_eq!(before.store.as_deref(), Some("a-store"));
    state.migrate().await.unwrap();
    assert_eq!(state.known().await.unwrap(), before);
}

async fn two_states_have_two_ids(make: Maker<'_>) {
    let (one, other) = (make().await, make().await);
    one.migrate().await.unwrap();
    other.migrate().await.unwrap();
    assert_ne!(one.known().await.unwrap().id, other.known().await.unwrap().id);
}

async fn a_record_comes_back_as_it_was_written(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("b/y", 1), put("a/x", 2)], &[]).await;
    let found = one(&*state, "b/y").await;
    let row = found.row.clone().unwrap();
    let mut expected = record("b/y", 1);
    expected.row = expected.row.map(|wanted| RecordedRow { seen: row.seen, id: row.id.clone(), ..wanted });
    assert_eq!(found, expected);
    assert_eq!(found.recipe.digest(), expected.recipe.digest());
    let rows = state.rows(&spec(), &[key("b/y"), key("b/y"), key("c/z")]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((&rows[0].values, rows[0].seen, &rows[0].id), (&values(1), row.seen, &row.id));
}

async fn a_scan_streams_records_in_order_and_then_rows(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("b/y", 1), put("a/x", 2), put("a.b/x", 3)], &[]).await;
    let (table, seen) = scan(&*state).await;
    assert_eq!(table, TableSeen::Fits);
    assert_eq!(seen.heads.iter().map(|head| head.key.as_str()).collect::<Vec<_>>(), ["a.b/x", "a/x", "b/y"]);
    for head in &seen.heads {
        let whole = one(&*state, &head.key).await;
        let row = whole.row.as_ref().unwrap();
        assert_eq!(head.recipe, whole.recipe.digest());
        assert_eq!(head.row, Some((row.digest, row.seen)));
        assert_eq!(head.extra_labels, extra_labels(&whole.labels, &axes()));
        assert_eq!(head.objects, objects_text(&whole.published));
        assert_eq!(head.marks, (whole.protect, whole.hold));
        assert_eq!(seen.rows[&head.key], row.seen);
    }
    let mut without = Seen::default();
    let table = state.scan(&collection("pictures"), None, &mut without).await.unwrap();
    assert_eq!((table, without.heads.len(), without.rows.len()), (TableSeen::NotLooked, 3, 0));
}

async fn a_row_keeps_its_id_when_it_is_written_again(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    let before = one(&*state, "a/x").await.row.unwrap();
    write(&*state, &lease, vec![put("a/x", 2)], &[]).await;
    let after = one(&*state, "a/x").await.row.unwrap();
    assert_eq!(before.id, after.id);
    assert_ne!(before.seen, after.seen);
}

async fn without_values_the_row_and_what_is_known_of_it_stay(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    let before = one(&*state, "a/x").await.row.unwrap();
    write(&*state, &lease, vec![Put { values: None, ..put("a/x", 2) }], &[]).await;
    let after = one(&*state, "a/x").await.row.unwrap();
    assert_eq!((before.id, before.seen), (after.id, after.seen));
    assert_ne!(before.digest, after.digest);
    assert_eq!(state.rows(&spec(), &[key("a/x")]).await.unwrap()[0].values, values(1));
}

async fn null_and_nothing_are_not_the_same_row(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let nulls = vec![Value::Null; 4];
    let empty = vec![json!(""), Value::Null, Value::Null, Value::Null];
    let puts = [("a/x", nulls.clone()), ("b/x", empty.clone())];
    let puts = puts.map(|(at, values)| Put { values: Some(values), ..put(at, 1) });
    write(&*state, &lease, puts.into(), &[]).await;
    let rows = state.rows(&spec(), &[key("a/x"), key("b/x")]).await.unwrap();
    let by_key: BTreeMap<_, _> = rows.iter().map(|row| (row.key.as_str(), row)).collect();
    assert_eq!((&by_key["a/x"].values, &by_key["b/x"].values), (&nulls, &empty));
    assert_ne!(by_key["a/x"].seen, by_key["b/x"].seen);
}

async fn renames_may_swap_and_follow_one_another(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1), put("b/x", 2), put("c/x", 3), put("d/x", 4)], &[]).await;
    let before = ids(&*state, &["a/x", "b/x", "c/x", "d/x"]).await;
    let puts = vec![moved("a/x", "b/x", 1), moved("b/x", "a/x", 2), moved("c/x", "d/x", 3), moved("d/x", "e/x", 4)];
    write(&*state, &lease, puts, &[]).await;
    let after = ids(&*state, &["a/x", "b/x", "c/x", "d/x", "e/x"]).await;
    let expected = [("a/x", "b/x"), ("b/x", "a/x"), ("d/x", "c/x"), ("e/x", "d/x")];
    let expected: BTreeMap<_, _> = expected.map(|(now, then)| (now.to_owned(), before[then].clone())).into();
    assert_eq!(after, expected);
    assert_eq!(one(&*state, "b/x").await.take, 1);
    assert_eq!(one(&*state, "b/x").await.row.unwrap().id, Some(before["a/x"].clone()));
    let (_, seen) = scan(&*state).await;
    assert_eq!(seen.heads.len(), 4);
}

async fn a_key_is_deleted_while_another_moves_to_it(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1), put("b/x", 2)], &[]).await;
    let before = ids(&*state, &["a/x"]).await;
    write(&*state, &lease, vec![moved("a/x", "b/x", 1)], &["b/x"]).await;
    assert_eq!(ids(&*state, &["a/x", "b/x"]).await, BTreeMap::from([("b/x".to_owned(), before["a/x"].clone())]));
    assert_eq!(one(&*state, "b/x").await.take, 1);
}

async fn a_rename_may_come_from_another_collection(make: Maker<'_>) {
    let state = make().await;
    ready(&*state).await;
    let old = lease_of(&*state, "old", "run-1").await;
    state.remember_collection(&old, &axes(), Some(&spec().name)).await.unwrap();
    write(&*state, &old, vec![put("a/x", 1)], &[]).await;
    let before = ids(&*state, &["a/x"]).await;
    let lease = lease_of(&*state, "pictures", "run-1").await;
    let from = (collection("old"), key("a/x"));
    let absent = (collection("nowhere"), key("b/x"));
    let puts = vec![
        Put { moved_from: Some(from.clone()), ..put("a/y", 1) },
        Put { moved_from: Some(absent), ..put("b/y", 2) },
    ];
    write(&*state, &lease, puts, &[]).await;
    let after = ids(&*state, &["a/x", "a/y", "b/y"]).await;
    assert_eq!((after.len(), &after["a/y"]), (2, &before["a/x"]));
    assert!(state.records(&collection("old"), &[key("a/x")]).await.unwrap().is_empty());
    let counts: Vec<_> = state.known().await.unwrap().collections.iter().map(|known| known.records).collect();
    assert_eq!(counts, [0, 2]);
    assert!(state.moves(&collection("pictures")).await.unwrap().contains(&(from.0, from.1, key("a/y"))));
}

async fn renames_are_remembered_until_their_line_goes(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1), put("b/x", 2)], &[]).await;
    write(&*state, &lease, vec![moved("a/x", "a/y", 1), moved("b/x", "b/y", 2)], &[]).await;
    let kept = (collection("pictures"), key("a/x"), key("a/y"));
    assert_eq!(state.moves(&collection("pictures")).await.unwrap().len(), 2);
    state.keep_moves(&lease, std::slice::from_ref(&kept)).await.unwrap();
    assert_eq!(state.moves(&collection("pictures")).await.unwrap(), [kept]);
}

async fn deleting_takes_the_record_and_its_row_and_nothing_else(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1), put("b/x", 2)], &[]).await;
    write(&*state, &lease, vec![], &["a/x", "z/x"]).await;
    let (_, seen) = scan(&*state).await;
    assert_eq!(seen.heads.iter().map(|head| head.key.as_str()).collect::<Vec<_>>(), ["b/x"]);
    assert_eq!(seen.rows.into_keys().collect::<Vec<_>>(), ["b/x"]);
}

async fn a_row_that_no_record_owns_is_not_deleted(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let other = lease_of(&*state, "other", "run-1").await;
    write(&*state, &other, vec![put("a/x", 1)], &[]).await;
    let mut unpublished = Put { values: None, ..put("a/x", 1) };
    unpublished.record.row = None;
    write(&*state, &lease, vec![unpublished], &[]).await;
    write(&*state, &lease, vec![], &["a/x"]).await;
    let (_, seen) = scan(&*state).await;
    assert_eq!((seen.heads.len(), seen.rows.len()), (0, 1));
}

async fn a_commit_happens_whole_or_not_at_all(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let short = Put { values: Some(vec![json!("one value")]), ..put("b/x", 2) };
    let commit = Commit { put: vec![put("a/x", 1), short], ..Commit::default() };
    assert!(state.commit(&lease, Some(&spec()), &commit).await.is_err());
    let (_, seen) = scan(&*state).await;
    assert_eq!((seen.heads.len(), seen.rows.len()), (0, 0));
}

async fn records_are_kept_without_a_table(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let mut plain = Put { values: None, ..put("a/x", 1) };
    plain.record.row = None;
    state.commit(&lease, None, &Commit { put: vec![plain.clone()], ..Commit::default() }).await.unwrap();
    assert_eq!(one(&*state, "a/x").await, plain.record);
    let (_, seen) = scan(&*state).await;
    assert_eq!(seen.heads[0].extra_labels, r#"{"mood":"calm"}"#);
}

async fn a_missing_table_is_told_with_the_way_out(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let absent = TableSpec { name: "absent".parse().unwrap(), ..spec() };
    let commit = Commit { put: vec![put("a/x", 1)], ..Commit::default() };
    let Err(StateError::Table { table, problems }) = state.commit(&lease, Some(&absent), &commit).await else {
        panic!("the table is missing");
    };
    assert_eq!((table, problems[0].message.as_str()), (absent.name, "the table is missing"));
    assert!(problems[0].mend.starts_with("CREATE TABLE"));
}

async fn many_at_once_are_no_matter(make: Maker<'_>) {
    const COUNT: u32 = 4_500;
    let state = make().await;
    let lease = ready(&*state).await;
    let keys: Vec<_> = (0..COUNT).map(|number| format!("k{number}/x")).collect();
    write(&*state, &lease, keys.iter().zip(0..).map(|(at, number)| put(at, number)).collect(), &[]).await;
    let keys: Vec<_> = keys.iter().map(|at| key(at)).collect();
    assert_eq!(state.records(&collection("pictures"), &keys).await.unwrap().len(), keys.len());
    assert_eq!(state.rows(&spec(), &keys).await.unwrap().len(), keys.len());
    let files: Vec<_> = (0..COUNT).map(|number| (content(number), published(number))).collect();
    state.announce(&files, &alive).await.unwrap();
    let wanted: Vec<_> = files.iter().map(|(original, file)| (*original, file.rendition.digest)).collect();
    assert_eq!(state.objects(&wanted).await.unwrap().len(), keys.len());
    let known = state.known().await.unwrap();
    assert_eq!(known.collections[0].records, u64::from(COUNT));
}

async fn a_living_holder_keeps_the_lease(make: Maker<'_>) {
    let state = make().await;
    state.migrate().await.unwrap();
    let name = collection("pictures");
    assert_eq!(state.holder(&name).await.unwrap(), None);
    let first = lease_of(&*state, "pictures", "run-1").await;
    assert_eq!(lease_of(&*state, "pictures", "run-1").await, first);
    let answer = state.take_lease(&name, &run("run-2"), &|_| Liveness::Unknown).await.unwrap();
    let LeaseAnswer::Held(held) = answer else { panic!("held") };
    let Holder { run: holder, since, expires, now, .. } = *held;
    assert_eq!(holder, run("run-1"));
    assert!(since <= now && now < expires && expires <= now + pixform::state::LEASE_SECONDS);
    state.renew(std::slice::from_ref(&first)).await.unwrap();
}

async fn a_fence_is_never_used_twice(make: Maker<'_>) {
    let state = make().await;
    let name = collection("pictures");
    let first = ready(&*state).await;
    let LeaseAnswer::Taken(second) = state.take_lease(&name, &run("run-2"), &dead).await.unwrap() else {
        panic!("the holder is dead");
    };
    state.release(&first).await.unwrap();
    assert_eq!(state.holder(&name).await.unwrap().map(|holder| holder.run), Some(run("run-2")));
    state.release(&second).await.unwrap();
    assert_eq!(state.holder(&name).await.unwrap(), None);
    let third = lease_of(&*state, "pictures", "run-1").await;
    assert_eq!(state.break_lease(&name).await.unwrap().map(|holder| holder.run), Some(run("run-1")));
    assert_eq!(state.break_lease(&name).await.unwrap(), None);
    let fourth = lease_of(&*state, "pictures", "run-1").await;
    state.forget_collection(&fourth).await.unwrap();
    state.release(&fourth).await.unwrap();
    let fifth = lease_of(&*state, "pictures", "run-1").await;
    assert_eq!([&first, &second, &third, &fourth, &fifth].map(|lease| lease.fence), [1, 2, 3, 4, 5]);
}

async fn who_lost_the_lease_is_fenced(make: Maker<'_>) {
    let state = make().await;
    let lost = ready(&*state).await;
    write(&*state, &lost, vec![put("a/x", 1)], &[]).await;
    let LeaseAnswer::Taken(mine) = state.take_lease(&collection("pictures"), &run("run-2"), &dead).await.unwrap()
    else {
        panic!("the holder is dead");
    };
    let commit = Commit { put: vec![put("a/x", 2)], ..Commit::default() };
    assert!(is_fenced(&state.commit(&lost, Some(&spec()), &commit).await));
    assert!(is_fenced(&state.intend(Right::Lease(&lost), &[call("c1", 1)], Caps::default(), &alive).await));
    assert!(is_fenced(&state.decide(Right::Lease(&lost), &[("c1".to_owned(), Decision::Retried)]).await));
    assert!(is_fenced(&state.remember_collection(&lost, &axes(), None).await));
    assert!(is_fenced(&state.forget_collection(&lost).await));
    assert!(is_fenced(&state.keep_moves(&lost, &[]).await));
    assert!(is_fenced(&state.renew(&[mine, lost]).await));
    assert_eq!(one(&*state, "a/x").await.take, 1);
    assert!(state.calls(&[recipe(1)], &alive).await.unwrap().is_empty());
}

async fn every_path_that_was_announced_is_remembered(make: Maker<'_>) {
    let state = make().await;
    state.migrate().await.unwrap();
    let file = published(1);
    let other = Published { path: "pictures/other.jpg".parse().unwrap(), ..file.clone() };
    state.announce(&[(content(1), file.clone())], &alive).await.unwrap();
    state.announce(&[(content(1), other.clone())], &alive).await.unwrap();
    let wanted = [(content(1), file.rendition.digest), (content(2), file.rendition.digest)];
    assert_eq!(state.objects(&wanted).await.unwrap(), [(content(1), other)]);
    state.announce(&[(content(1), file.clone())], &alive).await.unwrap();
    assert_eq!(state.objects(&wanted).await.unwrap(), [(content(1), file)]);
    assert_eq!(state.paths().await.unwrap().len(), 2);
}

async fn a_collection_is_forgotten_once_it_is_empty(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    write(&*state, &lease, vec![moved("a/x", "b/x", 1)], &[]).await;
    state.remember_collection(&lease, &["category".to_owned()], None).await.unwrap();
    state.forget_collection(&lease).await.unwrap();
    let known = state.known().await.unwrap().collections;
    assert_eq!((known.len(), known[0].records, known[0].key.len()), (1, 1, 1));
    assert_eq!(known[0].table, Some("pictures".parse::<TableName>().unwrap()));
    write(&*state, &lease, vec![], &["b/x"]).await;
    state.forget_collection(&lease).await.unwrap();
    assert!(state.known().await.unwrap().collections.is_empty());
    assert!(state.moves(&collection("pictures")).await.unwrap().is_empty());
}

async fn a_run_may_be_told_twice(make: Maker<'_>) {
    let state = make().await;
    state.migrate().await.unwrap();
    state.start_run(&run("run-1")).await.unwrap();
    state.start_run(&run("run-1")).await.unwrap();
    state.finish_run("run-1", "done").await.unwrap();
    state.finish_run("never-started", "done").await.unwrap();
}

fn accepted(at: &str, accepted: Accepted) -> NewAcceptance {
    NewAcceptance { key: key(at), accepted }
}

fn accepted_picture(number: u32) -> Accepted {
    let from = (number > 1).then(|| recipe(number - 1));
    Accepted::Picture { from, to: recipe(number), original: content(number) }
}

async fn what_was_accepted_is_told_with_who_did_it(make: Maker<'_>) {
    let state = make().await;
    let asked = [key("a/x"), key("b/x"), key("c/x")];
    assert!(state.acceptances(&collection("pictures"), &asked).await.unwrap().is_empty());
    let lease = ready(&*state).await;
    state.start_run(&run("run-1")).await.unwrap();
    let columns = vec![AcceptedColumn { column: "seed".to_owned(), old: "1".to_owned(), new: "\u{1b}ü\"".to_owned() }];
    let first = [accepted("b/x", accepted_picture(1)), accepted("b/x", accepted_picture(2))];
    let second = accepted("a/x", Accepted::Row { columns });
    for accepted in [first.to_vec(), vec![second.clone()]] {
        let commit = Commit { put: vec![put("a/x", 1), put("b/x", 2)], accepted, ..Commit::default() };
        state.commit(&lease, Some(&spec()), &commit).await.unwrap();
    }
    let found = state.acceptances(&collection("pictures"), &asked).await.unwrap();
    let expected = [&second, &first[0], &first[1]];
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.into_iter().zip(expected) {
        assert!(found.created_at > 1_600_000_000_000, "{}", found.created_at);
        let NewAcceptance { key, accepted } = expected.clone();
        let Run { id, origin, .. } = run("run-1");
        let (collection, created_at) = (collection("pictures"), found.created_at);
        let expected = Acceptance { collection, key, accepted, run: id, origin, created_at };
        assert_eq!(found, expected);
    }
    assert!(state.acceptances(&collection("other"), &asked).await.unwrap().is_empty());
    assert_eq!(state.acceptances(&collection("pictures"), &asked[1..]).await.unwrap().len(), 2);
}

async fn what_was_accepted_is_part_of_its_commit(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let LeaseAnswer::Taken(_) = state.take_lease(&collection("pictures"), &run("run-2"), &dead).await.unwrap() else {
        panic!("the holder is dead");
    };
    let commit = Commit { accepted: vec![accepted("a/x", accepted_picture(1))], ..Commit::default() };
    assert!(is_fenced(&state.commit(&lease, Some(&spec()), &commit).await));
    assert!(state.acceptances(&collection("pictures"), &[key("a/x")]).await.unwrap().is_empty());
}

async fn a_record_without_a_row_takes_the_row_that_it_names(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let seen = SeenDigest::from_bytes([9; 32]);
    let mut adopted = Put { values: None, ..put("a/x", 1) };
    adopted.record.row = adopted.record.row.map(|row| RecordedRow { seen, id: Some("7".to_owned()), ..row });
    write(&*state, &lease, vec![adopted], &[]).await;
    let row = one(&*state, "a/x").await.row.unwrap();
    assert_eq!((row.seen, row.id.as_deref()), (seen, Some("7")));
    let (_, found) = scan(&*state).await;
    assert_eq!(found.rows.len(), 0, "no row was written");
}

async fn an_accepted_row_is_known_as_it_is(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    let before = one(&*state, "a/x").await.row.unwrap();
    let seen = SeenDigest::from_bytes([9; 32]);
    let mut kept = Put { values: None, ..put("a/x", 1) };
    kept.record.row = Some(RecordedRow { seen, ..before.clone() });
    let commit = |accepted| Commit { put: vec![kept.clone()], accepted, ..Commit::default() };
    state.commit(&lease, Some(&spec()), &commit(vec![accepted("a/x", accepted_picture(1))])).await.unwrap();
    assert_eq!(one(&*state, "a/x").await.row.unwrap().seen, before.seen, "a picture was accepted, not the row");
    let row = Accepted::Row { columns: Vec::new() };
    state.commit(&lease, Some(&spec()), &commit(vec![accepted("a/x", row)])).await.unwrap();
    assert_eq!(one(&*state, "a/x").await.row.unwrap(), RecordedRow { seen, ..before });
    assert_eq!(state.rows(&spec(), &[key("a/x")]).await.unwrap()[0].values, values(1));
}

async fn any_table_can_be_surveyed(make: Maker<'_>) {
    let state = make().await;
    let name = spec().name;
    assert_eq!(state.survey(&name, 10).await.unwrap(), None);
    let lease = ready(&*state).await;
    assert_eq!(state.survey(&name, 10).await.unwrap().unwrap().rows, Vec::<Vec<Value>>::new());
    let nulls = Put { values: Some(vec![Value::Null; 4]), ..put("b/x", 2) };
    write(&*state, &lease, vec![put("a/x", 1), nulls, put("c/x", 3)], &[]).await;
    let survey = state.survey(&name, 10).await.unwrap().unwrap();
    assert_eq!((survey.rows.len(), survey.count), (3, 3));
    let at = |name: &str| survey.columns.iter().position(|column| column.name == name).unwrap();
    let cells = |number: usize| {
        let wanted = ["category", "image_url", "seed", "scale", "width"].map(at);
        let mut rows: Vec<_> = survey.rows.iter().map(|row| wanted.map(|at| row[at].clone())).collect();
        rows.sort_by_key(|row| row[0].to_string());
        rows.swap_remove(number).to_vec()
    };
    assert_eq!(cells(0), [vec![json!("a")], values(1)].concat());
    assert_eq!(cells(1), [vec![json!("b")], vec![Value::Null; 4]].concat());
    assert!(!survey.columns[at("seed")].declared.is_empty());
    let bounded = state.survey(&name, 2).await.unwrap().unwrap();
    assert_eq!((bounded.rows.len(), bounded.count), (2, 3));
}

macro_rules! contract {
    ($adapter:ident, $maker:expr, [$($test:ident),* $(,)?]) => {
        mod $adapter {
            $(
                #[tokio::test]
                async fn $test() {
                    let make = $maker;
                    super::$test(&make).await;
                }
            )*
        }
    };
}

pub(crate) use contract;

macro_rules! contracts {
    ($($adapter:ident: $maker:expr;)*) => {$(
        contract!($adapter, $maker, [
            a_state_is_empty_until_it_is_migrated,
            migrating_again_changes_nothing,
            two_states_have_two_ids,
            a_record_comes_back_as_it_was_written,
            a_scan_streams_records_in_order_and_then_rows,
            a_row_keeps_its_id_when_it_is_written_again,
            without_values_the_row_and_what_is_known_of_it_stay,
            null_and_nothing_are_not_the_same_row,
            renames_may_swap_and_follow_one_another,
            a_key_is_deleted_while_another_moves_to_it,
            a_rename_may_come_from_another_collection,
            renames_are_remembered_until_their_line_goes,
            deleting_takes_the_record_and_its_row_and_nothing_else,
            a_row_that_no_record_owns_is_not_deleted,
            a_commit_happens_whole_or_not_at_all,
            records_are_kept_without_a_table,
            a_missing_table_is_told_with_the_way_out,
            many_at_once_are_no_matter,
            a_living_holder_keeps_the_lease,
            a_fence_is_never_used_twice,
            who_lost_the_lease_is_fenced,
            every_path_that_was_announced_is_remembered,
            a_collection_is_forgotten_once_it_is_empty,
            a_run_may_be_told_twice,
            what_was_accepted_is_told_with_who_did_it,
            what_was_accepted_is_part_of_its_commit,
            a_record_without_a_row_takes_the_row_that_it_names,
            an_accepted_row_is_known_as_it_is,
            any_table_can_be_surveyed,
        ]);
    )*};
}

contracts! {
    sqlite_in_memory: crate::state_sqlite::memory;
    sqlite_in_a_file: crate::state_sqlite::Folder::new().maker();
    postgres: crate::postgres::direct;
    postgres_behind_a_pooler: crate::postgres::pooled;
}
