//! What every state must do so that garbage can be collected: the contract at `pixform::state::GarbagePort`.

use std::collections::BTreeSet;

use pixform::asset::ObjectPath;
use pixform::digest::{ContentDigest, RecipeDigest};
use pixform::record::{CallStatus, Original, Published};
use pixform::state::{CallFact, Caps, Claim, Intent, Loose, LooseKind, Right, State, Worth};

use crate::state_contract::{
    Maker, alive, call, collection, content, contract, dead, lease_of, moved, published, put, ready, recipe, run, write,
};
use crate::state_ledger::paid;

fn path(text: &str) -> ObjectPath {
    text.parse().unwrap()
}

fn original(number: u32) -> Original {
    Original {
        recipe: recipe(number),
        sha256: content(number),
        path: path(&format!("originals/{number}.png")),
        bytes: 5_000 + u64::from(number),
        width: 512,
        height: 768,
        seed: None,
    }
}

/// Remembers originals and published files of these numbers, as an apply does before it commits.
async fn made(state: &dyn State, numbers: impl Iterator<Item = u32> + Clone) {
    let originals: Vec<Original> = numbers.clone().map(original).collect();
    assert_eq!(state.announce_originals(&originals, &alive).await.unwrap(), []);
    state.found(&originals).await.unwrap();
    let files: Vec<(ContentDigest, Published)> = numbers.map(|number| (content(number), published(number))).collect();
    assert_eq!(state.announce(&files, &alive).await.unwrap(), []);
}

/// Returns what no record refers to, by path.
async fn loose(state: &dyn State) -> Vec<Loose> {
    let mut files = state.unreferenced(&alive).await.unwrap().files;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

async fn paths(state: &dyn State) -> Vec<String> {
    loose(state).await.into_iter().map(|file| file.path.to_string()).collect()
}

/// The paths of the original and the published file of a number.
fn both(number: u32) -> [String; 2] {
    [original(number).path.to_string(), published(number).path.to_string()]
}

async fn what_is_announced_is_unreferenced_until_a_record_names_it(make: Maker<'_>) {
    let state = make().await;
    assert_eq!(state.unreferenced(&alive).await.unwrap().files, []);
    let lease = ready(&*state).await;
    made(&*state, 1..=2).await;
    let files = loose(&*state).await;
    assert_eq!(files.len(), 4);
    assert!(files.iter().all(|file| file.since > 0), "{files:?}");
    assert_eq!(files[0].kind, LooseKind::Original { sha256: content(1), worth: Worth::Unpublished });
    assert_eq!(files[0].bytes, 5_001);
    assert_eq!(files[2].kind, LooseKind::Object { sha256: content(1), original: content(1) });
    assert_eq!(files[2].bytes, 1_001);
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    assert_eq!(paths(&*state).await, both(2));
}

async fn what_the_last_record_leaves_is_unreferenced_from_then_on(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    made(&*state, 1..=3).await;
    write(&*state, &lease, vec![put("a/x", 1), put("b/x", 1), put("c/x", 2), put("d/x", 3)], &[]).await;
    write(&*state, &lease, vec![moved("d/x", "e/x", 3)], &["a/x"]).await;
    assert_eq!(paths(&*state).await, Vec::<String>::new(), "another record names it, and a renamed one names the same");
    let before = state.unreferenced(&alive).await.unwrap().now;
    write(&*state, &lease, vec![put("c/x", 3)], &["b/x"]).await;
    assert_eq!(
        paths(&*state).await,
        [both(1), both(2)].concat().into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    );
    let published = |file: &Loose| matches!(file.kind, LooseKind::Original { worth: Worth::Published, .. });
    let files = loose(&*state).await;
    assert!(files.iter().all(|file| file.since >= before), "{files:?} since {before}");
    assert_eq!(files.iter().filter(|file| published(file)).count(), 2, "a record named them once");
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    assert_eq!(paths(&*state).await, both(2), "a record names it again");
}

async fn an_original_is_worth_what_its_calls_say(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    let asked = [call("c1", 1), paid("c2", 2), paid("c3", 3)];
    let intents = state.intend(Right::Lease(&lease), &asked, Caps::default(), &alive).await.unwrap();
    assert!(intents.iter().all(|intent| matches!(intent, Intent::Ours(_))), "{intents:?}");
    state.announce_originals(&[original(1), original(2), original(3)], &alive).await.unwrap();
    let finished =
        |call: &str, number| CallFact { original: Some(original(number)), ..CallFact::new(call, CallStatus::Finished) };
    state.settle(&[finished("c1", 1), finished("c2", 2)]).await.unwrap();
    let worths = loose(&*state).await.into_iter().map(|file| match file.kind {
        LooseKind::Original { worth, .. } => worth,
        other => panic!("{other:?}"),
    });
    assert_eq!(worths.collect::<Vec<_>>(), [Worth::Free, Worth::Unpublished, Worth::UnderWay]);
    let files = loose(&*state).await;
    state.mark("gc-1", &files).await.unwrap();
    assert_eq!(state.sweep("gc-1", &files).await.unwrap().len(), 2, "what is being made is not doomed");
    assert_eq!(paths(&*state).await, [original(3).path.to_string()]);
}

async fn what_was_announced_is_not_what_its_recipe_is_published_with(make: Maker<'_>) {
    let state = make().await;
    state.migrate().await.unwrap();
    state.announce_originals(&[original(1)], &alive).await.unwrap();
    assert_eq!(state.originals(&[recipe(1)]).await.unwrap(), []);
    assert_eq!(state.paths().await.unwrap(), [original(1).path.to_string()]);
    state.found(&[original(1)]).await.unwrap();
    let elsewhere = Original { path: path("originals/elsewhere.png"), ..original(1) };
    state.announce_originals(std::slice::from_ref(&elsewhere), &alive).await.unwrap();
    assert_eq!(state.originals(&[recipe(1)]).await.unwrap(), [original(1)], "it lies where it lay until it is put");
    state.found(std::slice::from_ref(&elsewhere)).await.unwrap();
    assert_eq!(state.originals(&[recipe(1)]).await.unwrap(), [elsewhere]);
    let leftover = LooseKind::Leftover { run: String::new() };
    let left: Vec<Loose> = loose(&*state).await.into_iter().filter(|file| file.kind == leftover).collect();
    assert_eq!(left.iter().map(|file| &file.path).collect::<Vec<_>>(), [&original(1).path], "it lies there twice");
}

async fn only_what_still_bears_the_mark_is_doomed(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    made(&*state, 1..=4).await;
    let files = loose(&*state).await;
    assert_eq!(state.sweep("gc-1", &files).await.unwrap(), [], "nothing is marked");
    state.mark("gc-1", &files).await.unwrap();
    state.mark("gc-2", &files).await.unwrap();
    assert_eq!(state.sweep("gc-2", &files).await.unwrap(), [], "the first mark counts");
    // One is named by a record, one announced once more, one claimed.
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    state.announce_originals(&[original(2)], &alive).await.unwrap();
    state.announce(&[(content(2), published(2))], &alive).await.unwrap();
    let claimed = [original(3).path, published(3).path, path("nowhere/at-all.jpg")];
    assert_eq!(state.claim(&claimed, &alive).await.unwrap(), [Claim::Kept, Claim::Kept, Claim::Unknown]);
    let doomed: BTreeSet<String> = state.sweep("gc-1", &files).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(doomed.into_iter().collect::<Vec<_>>(), both(4));
    assert_eq!(state.originals(&[recipe(4)]).await.unwrap(), []);
    assert_eq!(state.objects(&[(content(4), published(4).rendition.digest)]).await.unwrap(), []);
    let again: BTreeSet<String> = state.sweep("gc-1", &files).await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(again.into_iter().collect::<Vec<_>>(), both(4), "asked twice, it answers twice");
}

async fn published_files_are_relied_on_by_who_says_so(make: Maker<'_>) {
    let state = make().await;
    state.migrate().await.unwrap();
    made(&*state, 1..=1).await;
    let files = loose(&*state).await;
    state.mark("gc-1", &files).await.unwrap();
    assert_eq!(
        state.objects(&[(content(1), published(1).rendition.digest)]).await.unwrap().len(),
        1,
        "looking lifts nothing"
    );
    let wanted = [(content(1), published(1).rendition.digest)];
    assert_eq!(state.rely_on_objects(&wanted).await.unwrap().len(), 1);
    let doomed = state.sweep("gc-1", &files).await.unwrap();
    assert_eq!(doomed, [original(1).path]);
}

async fn a_path_goes_only_with_all_its_lines(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    made(&*state, 1..=1).await;
    // The same bytes at the same path, made of another original.
    let twin = Published { path: published(1).path, ..published(2) };
    state.announce(&[(content(2), twin.clone())], &alive).await.unwrap();
    let files = loose(&*state).await;
    assert_eq!(files.len(), 2, "each path is told once");
    state.mark("gc-1", &files).await.unwrap();
    state.rely_on_objects(&[(content(2), twin.rendition.digest)]).await.unwrap();
    assert_eq!(state.sweep("gc-1", &files).await.unwrap(), [original(1).path]);
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    assert_eq!(paths(&*state).await, Vec::<String>::new(), "a record names the path");
}

async fn marks_of_the_dead_are_lifted(make: Maker<'_>) {
    let state = make().await;
    state.migrate().await.unwrap();
    made(&*state, 1..=1).await;
    let files = loose(&*state).await;
    for gc in ["gc-1", "gc-2"] {
        state.start_run(&pixform::state::Run { command: "gc".to_owned(), ..run(gc) }).await.unwrap();
    }
    state.mark("gc-1", &files).await.unwrap();
    state.unmark("gc-2", &alive).await.unwrap();
    state.mark("gc-2", &files).await.unwrap();
    assert_eq!(state.sweep("gc-2", &files).await.unwrap(), [], "the first one lives");
    state.unmark("gc-2", &dead).await.unwrap();
    assert_eq!(state.sweep("gc-1", &files).await.unwrap(), [], "its marks are lifted");
    state.mark("gc-2", &files).await.unwrap();
    state.unmark("gc-2", &alive).await.unwrap();
    assert_eq!(state.sweep("gc-2", &files).await.unwrap(), [], "so are one's own");
}

async fn nothing_is_put_where_a_living_run_deletes(make: Maker<'_>) {
    let state = make().await;
    state.migrate().await.unwrap();
    made(&*state, 1..=2).await;
    let files = loose(&*state).await;
    state.start_run(&pixform::state::Run { command: "gc".to_owned(), ..run("gc-1") }).await.unwrap();
    state.mark("gc-1", &files).await.unwrap();
    assert_eq!(state.sweep("gc-1", &files).await.unwrap().len(), 4);
    let announced = [(content(1), published(1)), (content(3), published(3))];
    assert_eq!(state.announce(&announced, &alive).await.unwrap(), [published(1).path]);
    assert_eq!(state.announce_originals(&[original(1)], &alive).await.unwrap(), [original(1).path]);
    assert_eq!(state.claim(&[original(1).path], &alive).await.unwrap(), [Claim::BeingDeleted]);
    assert_eq!(paths(&*state).await, [published(3).path.to_string()], "the other one is announced");
    assert!(state.paths().await.unwrap().contains(&original(1).path.to_string()), "it is not over");

    // What a dead run was deleting is told, and may be taken over by whoever wants it.
    let leftovers = state.unreferenced(&dead).await.unwrap().files;
    assert_eq!(leftovers.iter().filter(|file| matches!(file.kind, LooseKind::Leftover { .. })).count(), 4);
    assert_eq!(state.announce(&announced[..1], &dead).await.unwrap(), []);
    assert_eq!(state.claim(&[original(1).path], &dead).await.unwrap(), [Claim::Unknown]);
    let doomed = state.sweep("gc-2", &leftovers).await.unwrap();
    let doomed: BTreeSet<String> = doomed.iter().map(ToString::to_string).collect();
    assert_eq!(doomed.into_iter().collect::<Vec<_>>(), both(2), "the rest is the next one's");
}

async fn a_recipe_is_remembered_as_collected_until_it_has_an_original_again(make: Maker<'_>) {
    let state = make().await;
    let recipes: Vec<RecipeDigest> = (1..=3).map(recipe).collect();
    assert_eq!(state.collected(&recipes).await.unwrap(), []);
    state.migrate().await.unwrap();
    made(&*state, 1..=2).await;
    let files = loose(&*state).await;
    state.mark("gc-1", &files).await.unwrap();
    let doomed = state.sweep("gc-1", &files).await.unwrap();
    assert_eq!(state.collected(&recipes).await.unwrap(), [], "its file may still be there");
    state.forget_deleted("gc-2", &doomed).await.unwrap();
    assert_eq!(state.collected(&recipes).await.unwrap(), [], "another run's are not its own");
    state.forget_deleted("gc-1", &doomed).await.unwrap();
    state.forget_deleted("gc-1", &doomed).await.unwrap();
    let collected: BTreeSet<RecipeDigest> = state.collected(&recipes).await.unwrap().into_iter().collect();
    assert_eq!(collected, BTreeSet::from([recipe(1), recipe(2)]));
    assert_eq!(state.paths().await.unwrap(), Vec::<String>::new());
    state.announce_originals(&[original(1)], &alive).await.unwrap();
    assert_eq!(state.collected(&recipes).await.unwrap().len(), 2, "nothing was put yet");
    state.found(&[original(1)]).await.unwrap();
    assert_eq!(state.collected(&recipes).await.unwrap(), [recipe(2)]);
}

async fn runs_at_work_are_told_but_for_those_of_gc(make: Maker<'_>) {
    let state = make().await;
    assert_eq!(state.working(&alive).await.unwrap(), []);
    state.migrate().await.unwrap();
    for name in ["run-1", "run-2"] {
        state.start_run(&run(name)).await.unwrap();
    }
    state.start_run(&pixform::state::Run { command: "gc".to_owned(), ..run("gc-1") }).await.unwrap();
    state.finish_run("run-2", "done").await.unwrap();
    assert_eq!(state.working(&alive).await.unwrap(), [run("run-1")]);
    assert_eq!(state.working(&dead).await.unwrap(), []);
}

async fn whatever_was_leased_or_published_to_is_known_for_good(make: Maker<'_>) {
    let state = make().await;
    assert_eq!(state.leased().await.unwrap(), []);
    assert_eq!(state.published_tables().await.unwrap(), []);
    let lease = ready(&*state).await;
    let elsewhere = "elsewhere".parse().unwrap();
    state.remember_collection(&lease, &["category".to_owned()], Some(&elsewhere)).await.unwrap();
    lease_of(&*state, "animals", "run-1").await;
    state.forget_collection(&lease).await.unwrap();
    assert_eq!(state.leased().await.unwrap(), [collection("animals"), collection("pictures")]);
    let tables: BTreeSet<String> = state.published_tables().await.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(tables.len(), 2, "{tables:?}");
}

async fn every_text_of_a_table_is_told(make: Maker<'_>) {
    let state = make().await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1), put("b/x", 2)], &[]).await;
    let mut all = String::new();
    let table = "pictures".parse().unwrap();
    state.texts(&table, &mut |text| all.push_str(text)).await.unwrap();
    for text in ["https://example.com/1.jpg", "https://example.com/2.jpg"] {
        assert!(all.contains(text), "{all}");
    }
    state.texts(&"nowhere".parse().unwrap(), &mut |text| panic!("{text}")).await.unwrap();
}

async fn many_files_at_once_are_no_matter(make: Maker<'_>) {
    const COUNT: u32 = 2_500;
    let state = make().await;
    let lease = ready(&*state).await;
    made(&*state, 1..=COUNT).await;
    let keys: Vec<String> = (1..=COUNT).map(|number| format!("k{number}/x")).collect();
    write(&*state, &lease, keys.iter().zip(1..).map(|(at, number)| put(at, number)).collect(), &[]).await;
    assert_eq!(loose(&*state).await.len(), 0);
    write(&*state, &lease, Vec::new(), &keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let files = loose(&*state).await;
    assert_eq!(files.len(), 2 * COUNT as usize);
    state.mark("gc-1", &files).await.unwrap();
    let doomed = state.sweep("gc-1", &files).await.unwrap();
    assert_eq!(doomed.len(), files.len());
    state.forget_deleted("gc-1", &doomed).await.unwrap();
    assert_eq!(loose(&*state).await.len(), 0);
}

macro_rules! contracts {
    ($($adapter:ident: $maker:expr;)*) => {$(
        contract!($adapter, $maker, [
            what_is_announced_is_unreferenced_until_a_record_names_it,
            what_the_last_record_leaves_is_unreferenced_from_then_on,
            an_original_is_worth_what_its_calls_say,
            what_was_announced_is_not_what_its_recipe_is_published_with,
            only_what_still_bears_the_mark_is_doomed,
            published_files_are_relied_on_by_who_says_so,
            a_path_goes_only_with_all_its_lines,
            marks_of_the_dead_are_lifted,
            nothing_is_put_where_a_living_run_deletes,
            a_recipe_is_remembered_as_collected_until_it_has_an_original_again,
            runs_at_work_are_told_but_for_those_of_gc,
            whatever_was_leased_or_published_to_is_known_for_good,
            every_text_of_a_table_is_told,
            many_files_at_once_are_no_matter,
        ]);
    )*};
}

contracts! {
    sqlite_in_memory: crate::state_sqlite::memory;
    sqlite_in_a_file: crate::state_sqlite::Folder::new().maker();
    postgres: crate::postgres::direct;
    postgres_behind_a_pooler: crate::postgres::pooled;
}
