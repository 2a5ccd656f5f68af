//! What a state shows to whoever serves it: order, columns, rows of one moment, and what was there before.

use pixform::digest::SeenDigest;
use pixform::record::RecordHead;
use pixform::state::{Arrangement, Commit, RowReader, ShownShape, ShownVisitor, State};
use serde_json::{Value, json};

use crate::state_contract::{
    Maker, alive, collection, content, contract, key, lease_of, moved, published, put, ready, record, write,
};

#[derive(Debug, Default)]
struct Shown {
    shape: Option<ShownShape>,
    heads: Vec<(String, Option<SeenDigest>)>,
    rows: Vec<(String, SeenDigest, Vec<Value>)>,
}

impl ShownVisitor for Shown {
    fn shape(&mut self, shape: ShownShape) {
        assert!(self.shape.replace(shape).is_none(), "the shape is told once");
    }

    fn record(&mut self, head: RecordHead<'_>) {
        assert!(self.shape.is_some() && self.rows.is_empty(), "the shape, then records, then rows");
        self.heads.push((head.key.to_owned(), head.row.map(|(_, seen)| seen)));
    }

    fn row(&mut self, key: &str, seen: Option<SeenDigest>, values: &[Value]) {
        self.rows.push((key.to_owned(), seen.expect("whoever is connected reads every column"), values.to_vec()));
    }
}

async fn shown(state: &dyn State) -> Shown {
    let mut shown = Shown::default();
    state.shown(&collection("pictures"), &RowReader::Connected, &mut shown).await.unwrap();
    shown.rows.sort_by(|one, other| one.0.cmp(&other.0));
    shown
}

fn names(shape: &ShownShape) -> String {
    shape.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(" ")
}

fn arrangement(columns: &[&str], keys: &[&str]) -> Arrangement {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Arrangement { columns: owned(columns), keys: owned(keys) }
}

async fn what_is_shown_is_the_records_and_the_rows_with_their_columns(make: Maker<'_>) {
    let state = make().await;
    assert!(shown(&*state).await.shape.is_none(), "nothing is known yet");
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("b/y", 2), put("a/x", 1)], &[]).await;
    let all = shown(&*state).await;
    let shape = all.shape.unwrap();
    let columns = "id category style image_url seed scale width created_at updated_at";
    assert_eq!(names(&shape), columns);
    assert_eq!((shape.table, shape.arrangement), (Some("pictures".parse().unwrap()), None));
    assert_eq!(all.heads.iter().map(|head| head.0.as_str()).collect::<Vec<_>>(), ["a/x", "b/y"]);
    let seeds: Vec<_> = all.rows.iter().map(|row| row.2[4].clone()).collect();
    assert_eq!(seeds, [json!(i64::MAX - 1), json!(i64::MAX - 2)], "seeds keep all 63 bits");
    for (head, row) in all.heads.iter().zip(&all.rows) {
        assert_eq!((&head.0, head.1), (&row.0, Some(row.1)), "a row that nobody touched has the digest of its record");
    }
    state.arrange(&lease, &arrangement(&["width", "seed", "image_url", "scale"], &["b/y", "a/x"])).await.unwrap();
    let columns = names(&shown(&*state).await.shape.unwrap());
    assert_eq!(columns, "id category style width seed image_url scale created_at updated_at");
}

async fn an_arrangement_is_remembered_with_its_collection_and_forgotten_with_it(make: Maker<'_>) {
    let state = make().await;
    assert_eq!(state.arrangement(&collection("pictures")).await.unwrap(), None);
    state.migrate().await.unwrap();
    let early = lease_of(&*state, "unknown", "run-1").await;
    state.arrange(&early, &arrangement(&[], &["a/x"])).await.unwrap();
    assert_eq!(state.known().await.unwrap().collections, [], "arranging makes no collection");
    let lease = ready(&*state).await;
    for wanted in [arrangement(&["seed"], &["b/y", "a/x"]), arrangement(&["seed"], &["a/x", "b/y"])] {
        state.arrange(&lease, &wanted).await.unwrap();
        assert_eq!(state.arrangement(&collection("pictures")).await.unwrap(), Some(wanted));
    }
    state.break_lease(&collection("pictures")).await.unwrap();
    let other = lease_of(&*state, "pictures", "run-2").await;
    assert!(state.arrange(&lease, &arrangement(&[], &[])).await.is_err(), "who lost the lease is fenced");
    state.forget_collection(&other).await.unwrap();
    assert_eq!(state.arrangement(&collection("pictures")).await.unwrap(), None);
}

async fn a_version_differs_once_anything_was_committed(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let mut last = state.version().await.unwrap();
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    let arranged = arrangement(&["seed"], &["a/x"]);
    for again in 0..3 {
        let version = state.version().await.unwrap();
        assert_ne!(version, last, "{again}");
        last = version;
        match again {
            0 => state.arrange(&lease, &arranged).await.unwrap(),
            _ => write(&*state, &lease, vec![], &["a/x"]).await,
        }
    }
}

async fn the_recipe_of_an_earlier_picture_is_kept_when_its_record_takes_another(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1), put("a/y", 2), put("a/z", 3)], &[]).await;
    let recipes: Vec<_> = (1..=4).map(|number| record("a/x", number).recipe).collect();
    let digests: Vec<_> = recipes.iter().map(|recipe| recipe.digest()).collect();
    assert_eq!(state.past_recipes(&digests).await.unwrap(), [], "the first recipes are no past");
    // One changes, one goes, one moves and changes, and one is only written again.
    let commit = vec![put("a/x", 4), moved("a/z", "b/z", 4)];
    state
        .commit(
            &lease,
            Some(&crate::state_contract::spec()),
            &Commit { put: commit, delete: vec![key("a/y")], ..Commit::default() },
        )
        .await
        .unwrap();
    write(&*state, &lease, vec![put("b/z", 4)], &[]).await;
    let mut past = state.past_recipes(&digests).await.unwrap();
    past.sort_by_key(|(digest, _)| digests.iter().position(|wanted| wanted == digest));
    let expected: Vec<_> = digests.iter().copied().zip(recipes).take(3).collect();
    assert_eq!(past, expected);
}

async fn every_file_of_an_original_is_told(make: Maker<'_>) {
    let state = make().await;
    state.migrate().await.unwrap();
    let files = [(content(1), published(1)), (content(1), published(2)), (content(9), published(3))];
    state.announce(&files, &alive).await.unwrap();
    let mut found = state.files_of(&[content(1), content(7), content(1)]).await.unwrap();
    found.sort_by(|one, other| one.1.path.cmp(&other.1.path));
    assert_eq!(found, files[..2]);
}

macro_rules! contracts {
    ($($adapter:ident: $maker:expr;)*) => {$(
        contract!($adapter, $maker, [
            what_is_shown_is_the_records_and_the_rows_with_their_columns,
            an_arrangement_is_remembered_with_its_collection_and_forgotten_with_it,
            a_version_differs_once_anything_was_committed,
            the_recipe_of_an_earlier_picture_is_kept_when_its_record_takes_another,
            every_file_of_an_original_is_told,
        ]);
    )*};
}

contracts! {
    sqlite_in_memory: crate::state_sqlite::memory;
    sqlite_in_a_file: crate::state_sqlite::Folder::new().maker();
    postgres: crate::postgres::direct;
    postgres_behind_a_pooler: crate::postgres::pooled;
}
