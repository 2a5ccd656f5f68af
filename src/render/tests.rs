//! Whole plans, as text and as JSON.

use std::time::Duration;

use proptest::prelude::*;

use crate::asset::{FieldName, MicroUsd, Place};
use crate::digest::{RecipeDigest, RenditionsDigest, RowDigest};
use crate::plan::{
    Action, AssetSnapshot, Cause, Change, CollectionPlan, Completeness, Note, Plan, PlanRefusal, Reason, Sights,
};
use crate::record::{Call, CallStatus, Estimate};

use super::*;

const FACTS: PlanFacts = PlanFacts { elapsed: Duration::from_millis(440) };

fn snapshot(byte: u8) -> AssetSnapshot {
    AssetSnapshot {
        recipe: RecipeDigest::from_bytes([byte; 32]),
        renditions: RenditionsDigest::from_bytes([2; 32]),
        row: Some(RowDigest::from_bytes([3; 32])),
        protect: false,
        hold: false,
    }
}

fn at(line: u32) -> Option<Place> {
    Some(Place { file: "manifests/attribute-images.yaml".into(), line, column: 18 })
}

fn change(key: &str, action: Action, causes: impl IntoIterator<Item = (Cause, u32)>) -> Change {
    let reasons = causes.into_iter().map(|(cause, line)| Reason { cause, place: at(line).filter(|_| line > 0) });
    let price = if action == Action::Generate { MicroUsd(15_000) } else { MicroUsd(0) };
    Change {
        key: key.parse().unwrap(),
        extra_labels: Vec::new(),
        action,
        reasons: reasons.collect(),
        price,
        before: Some(snapshot(1)),
        after: (action != Action::Delete).then(|| snapshot(4)),
        moved_from: None,
        index: None,
        original: None,
        expected: false,
        downgrade: false,
        unprotected: false,
        generator: None,
        decisions: Vec::new(),
        adoption: None,
        accepted: None,
    }
}

fn fresh(key: &str) -> Change {
    Change { before: None, ..change(key, Action::Generate, [(Cause::New, 12)]) }
}

fn collection(changes: Vec<Change>, kept: u64) -> CollectionPlan {
    CollectionPlan {
        name: "attribute-images".parse().unwrap(),
        key: ["category", "value", "style"].map(str::to_owned).to_vec(),
        changes,
        kept,
        notes: Vec::new(),
        sights: Sights { rows: Some(42), files: Some(42) },
        uncovered_key: None,
        table: None,
        case_twins: Vec::new(),
        misfits: Vec::new(),
    }
}

fn plan(collections: Vec<CollectionPlan>) -> Plan {
    Plan {
        environment: "production".to_owned(),
        created_at: "2026-01-02T03:04:05Z".to_owned(),
        collections,
        refusals: Vec::new(),
        cap: Some(MicroUsd(5_000_000)),
        completeness: Completeness::Complete,
        notes: Vec::new(),
    }
}

fn text(changes: Vec<Change>) -> String {
    plan_text(&plan(vec![collection(changes, 40)]), FACTS, PlanStyle::default())
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn var(name: &str, old: &str, new: &str) -> Cause {
    Cause::VarChanged { name: name.to_owned(), old: some(old), new: some(new) }
}

fn recipe(field: &'static str, old: &str, new: &str) -> Cause {
    Cause::RecipeChanged { field: FieldName::of(field), old: some(old), new: some(new) }
}

const SUBJECT: [&str; 2] = [
    "an elderly man aged seventy-eight, thin white hair, glasses",
    "an elderly man aged seventy-eight, thick white hair, glasses",
];

/// The edit of the sample in the design: the var, and the prompt that follows from it.
fn edited(key: &str, look: &str) -> Change {
    let prompt = |subject: &str| format!("{look}, one adult person, {subject}, plain light background");
    let causes = [
        (var("subject", SUBJECT[0], SUBJECT[1]), 64),
        (recipe("prompt", &prompt(SUBJECT[0]), &prompt(SUBJECT[1])), 20),
    ];
    change(key, Action::Generate, causes)
}

#[test]
fn an_edit_is_told_once_with_its_words() {
    let changes = vec![edited("age/70+/realistic", "photo"), edited("age/70+/anime", "anime")];
    insta::assert_snapshot!(text(changes), @r"
    attribute-images · production · compared with 42 rows and 42 files in 0.4 s

      ~ age/70+/realistic   generate   $0.015
      ~ age/70+/anime       generate   $0.015
          subject   manifests/attribute-images.yaml:64, used by both
            an elderly man aged seventy-eight, [-thin-] {+thick+} white hair, glasses

      ~ generate   buys a picture; the old one stays live until the new one is up

    Plan: 2 to generate; 40 unchanged. Estimated cost: $0.03 (cap $5.00).
    ");
}

#[test]
fn colours_replace_the_marks_on_a_terminal() {
    let plan = plan(vec![collection(vec![edited("age/70+/anime", "anime")], 41)]);
    let style = PlanStyle { colour: ColourMode::Ansi, ..PlanStyle::default() };
    insta::assert_snapshot!(plan_text(&plan, FACTS, style).replace('\u{1b}', "␛"), @r"
    ␛[1mattribute-images␛[0m · production · compared with 42 rows and 42 files in 0.4 s

      ␛[33m~␛[0m age/70+/anime   generate   $0.015
          subject   ␛[2mmanifests/attribute-images.yaml:64␛[0m
            an elderly man aged seventy-eight, ␛[9m␛[31mthin␛[0m ␛[32mthick␛[0m white hair, glasses

      ␛[33m~␛[0m generate   buys a picture; the old one stays live until the new one is up

    ␛[1mPlan:␛[0m 1 to generate; 41 unchanged. Estimated cost: $0.015 (cap $5.00).
    ");
}

#[test]
fn a_plan_without_changes_says_so_and_nothing_else() {
    let sights = Sights { rows: None, files: None };
    let quiet = CollectionPlan { sights, name: "heroes".parse().unwrap(), ..collection(Vec::new(), 1_000) };
    let two = plan(vec![collection(Vec::new(), 42), quiet]);
    insta::assert_snapshot!(plan_text(&two, FACTS, PlanStyle::default()), @r"
    attribute-images · production · compared with 42 rows and 42 files in 0.4 s
    heroes · production · compared with the records only in 0.4 s

    No changes. 1,042 unchanged. Estimated cost: $0.00.
    ");
    insta::assert_snapshot!(plan_text(&plan(Vec::new()), FACTS, PlanStyle::default()), @"No changes. 0 unchanged. Estimated cost: $0.00.");
}

fn moved(collection: &str, key: &str) -> Cause {
    Cause::Moved { collection: collection.parse().unwrap(), key: key.parse().unwrap() }
}

fn row_edited(column: &str, written: &str, found: &str) -> Cause {
    Cause::RowEdited { column: column.to_owned(), written: written.to_owned(), found: found.to_owned() }
}

/// One change at least of each action, with every reason.
fn everything() -> Vec<Change> {
    let main = || "main".parse().unwrap();
    let path = || "images/age-70+-anime-0123456789abcdef.jpg".parse().unwrap();
    let label = Cause::LabelChanged { name: "kind".to_owned(), old: None, new: some("portrait") };
    let columns =
        Cause::RowChanged { field: "columns.alt".to_owned(), old: some("{{ value }}"), new: some("{{ subject }}") };
    let base = Cause::RowChanged { field: "url_base".to_owned(), old: some("http://a/"), new: some("http://b/") };
    let quality = Cause::RenditionChanged { rendition: main(), field: "quality", old: some("80"), new: some("90") };
    let path_text = || some("images/{{ digest }}.jpg");
    let same_path = Cause::RenditionChanged { rendition: main(), field: "path", old: path_text(), new: path_text() };
    let long = "a portrait of somebody with a long description in the row";
    let gone = Change { expected: true, ..change("body/slim/anime", Action::Delete, [(Cause::Removed, 0)]) };
    let kept =
        Change { before: None, ..change("age/50/anime", Action::Reuse, [(Cause::New, 9), (Cause::FoundInStorage, 0)]) };
    vec![
        change("body/tall/anime", Action::Delete, [(Cause::NotDeclared, 0)]),
        change("age/20s/anime", Action::Unknown, [(recipe("seed", "1", "2"), 30)]),
        Change { before: None, ..change("age/21/anime", Action::Adopt, [(Cause::New, 5)]) },
        fresh("age/30s/anime"),
        change(
            "age/40s/anime",
            Action::Generate,
            [
                (recipe("sampler", "DPM++ 2M Karras", "Euler a"), 13),
                (recipe("steps", "30", "28"), 14),
                (
                    Cause::RecipeChanged {
                        field: FieldName::of("negative_prompt"),
                        old: some("nude, blurry, low quality"),
                        new: None,
                    },
                    15,
                ),
            ],
        ),
        change(
            "age/41/anime",
            Action::Generate,
            [(Cause::ObjectMissing { rendition: main(), path: path() }, 0), (Cause::OriginalMissing, 0)],
        ),
        change("age/42/anime", Action::Reuse, [(recipe("seed", "1", "2"), 31), (Cause::OriginalKept, 0)]),
        kept,
        change(
            "age/51/anime",
            Action::Reuse,
            [(recipe("seed", "1", "2"), 31), (Cause::SameRecipe("age/40s/anime".parse().unwrap()), 0)],
        ),
        change(
            "age/60/anime",
            Action::Render,
            [
                (quality, 40),
                (Cause::RenditionAdded("thumb".parse().unwrap()), 41),
                (Cause::RenditionRemoved("small".parse().unwrap()), 0),
                (same_path, 42),
            ],
        ),
        change("age/70+/anime", Action::Repair, [(Cause::ObjectMissing { rendition: main(), path: path() }, 0)]),
        change(
            "age/71/anime",
            Action::Repair,
            [
                (Cause::ObjectSize { rendition: main(), path: path(), recorded: 34_211, found: 1 }, 0),
                (row_edited("seed", "1", "2"), 0),
            ],
        ),
        change("age/72/anime", Action::Repair, [(Cause::RowMissing, 0)]),
        change("age/73/anime", Action::Repair, [(row_edited("prompt", long, &long.replace("long", "short")), 0)]),
        change(
            "age/74/anime",
            Action::Repair,
            [(Cause::Held, 8), (recipe("steps", "30", "28"), 14), (row_edited("seed", "1", ""), 0)],
        ),
        change("age/18-19/anime", Action::Move, [(moved("attribute-images", "age/teen/anime"), 0)]),
        change("age/19/anime", Action::Move, [(moved("old", "age/teen"), 0)]),
        change("age/80/anime", Action::Publish, [(columns, 50), (base, 0)]),
        change(
            "age/81/anime",
            Action::Record,
            [(Cause::ProtectChanged { old: false, new: true }, 60), (Cause::HoldChanged { old: true, new: false }, 60)],
        ),
        change(
            "age/82/anime",
            Action::Record,
            [(Cause::ProtectChanged { old: true, new: false }, 60), (Cause::HoldChanged { old: false, new: true }, 60)],
        ),
        change("age/83/anime", Action::Record, [(label.clone(), 61)]),
        change("age/84/anime", Action::Record, [(label, 62)]),
        gone,
    ]
}

#[test]
fn every_action_and_reason_has_its_words() {
    insta::assert_snapshot!(text(everything()), @r#"
    attribute-images · production · compared with 42 rows and 42 files in 0.4 s

      ? age/20s/anime     unknown
          seed 1 → 2   manifests/attribute-images.yaml:30

      @ age/21/anime      adopt
      + age/30s/anime     generate   $0.015

      ~ age/40s/anime     generate   $0.015
          sampler DPM++ 2M Karras → Euler a   manifests/attribute-images.yaml:13
          steps 30 → 28   manifests/attribute-images.yaml:14
          negative_prompt   manifests/attribute-images.yaml:15
            [-nude, blurry, low quality-]

      ~ age/41/anime      generate   $0.015   object missing: main (images/age-70+-anime-0123456789abcdef.jpg); its original is gone or damaged, too
      < age/50/anime      reuse      new; its original was found in the storage

      < age/42/anime      reuse      its original is kept
          seed 1 → 2   manifests/attribute-images.yaml:31

      < age/51/anime      reuse      same picture as age/40s/anime
          seed 1 → 2   manifests/attribute-images.yaml:31

      ~ age/60/anime      render
          main.quality 80 → 90   manifests/attribute-images.yaml:40
          rendition thumb added   manifests/attribute-images.yaml:41
          rendition small removed
          main.path written another way   manifests/attribute-images.yaml:42

      > age/18-19/anime   move       was age/teen/anime
      > age/19/anime      move       was old:age/teen

      ~ age/80/anime      publish
          columns.alt   manifests/attribute-images.yaml:50
            [-{{ value }}-] {+{{ subject }}+}
          public_url http://a/ → http://b/

      = age/81/anime      record     protected; no longer held
      = age/82/anime      record     no longer protected; held

      = age/83/anime      record
      = age/84/anime      record
          label kind (unset) → portrait   used by both

      ! age/70+/anime     repair     object missing: main (images/age-70+-anime-0123456789abcdef.jpg)
      ! age/71/anime      repair     main has 1 byte, 34,211 were published; row edited: seed 1 → 2
      ! age/72/anime      repair     row missing

      ! age/73/anime      repair
          row edited: prompt
            a portrait of somebody with a [-long-] {+short+} description in the row

      ! age/74/anime      repair     edits wait until it is no longer held; row edited: seed 1 → ""
      - body/tall/anime   delete     no longer declared
      - body/slim/anime   delete     listed under removed

      ? unknown    an earlier paid call needs a decision before another one is made
      @ adopt      takes over the picture and the row that are there; costs nothing
      + generate   buys a picture
      ~ generate   buys a picture; the old one stays live until the new one is up
      < reuse      takes a picture that is there already, or is made for another asset; costs nothing
      ~ render     makes the published files again from the kept original; costs nothing
      > move       keeps picture and row under a new key; costs nothing
      ~ publish    writes new values into the row; the picture stays
      = record     changes what pixform remembers
      ! repair     puts back what was lost or edited; costs nothing
      - delete     takes the row away; files stay until `pixform gc`

    Plan: 1 unknown, 1 to adopt, 3 to generate, 3 to reuse, 1 to render, 2 to move, 1 to publish, 4 to record, 5 to repair, 2 to delete; 40 unchanged. Estimated cost: $0.045 (cap $5.00).
    "#);
}

#[test]
fn only_edits_that_nothing_else_explains_are_told() {
    let outfit = || (var("outfit", "a navy shirt", "a brown jacket"), 70);
    let clothed = |rest: &str| {
        (var("clothed", &format!("fully clothed in a navy shirt{rest}"), "fully clothed in a brown jacket"), 3)
    };
    let prompt = |new: &str| (recipe("prompt", "a man, fully clothed in a navy shirt, standing", new), 20);
    let caption =
        Cause::RowChanged { field: "caption".into(), old: some("in a navy shirt"), new: some("in a brown jacket") };
    let same = Cause::RowChanged { field: "outfit".into(), old: some("a navy shirt"), new: some("a brown jacket") };
    let told = |causes: Vec<(Cause, u32)>| {
        let change = change("a/b/c", Action::Generate, causes);
        change_edits::edits(&change).into_iter().map(|edit| edit.label.into_owned()).collect::<Vec<_>>().join(" ")
    };
    let follows = "a man, fully clothed in a brown jacket, standing";
    assert_eq!(told(vec![clothed(""), outfit(), prompt(follows), (caption, 0), (same, 0)]), "outfit");
    assert_eq!(told(vec![clothed(" and shoes"), outfit(), prompt(follows)]), "clothed outfit");
    assert_eq!(told(vec![outfit(), prompt("a man, fully clothed in a brown jacket, sitting")]), "outfit prompt");
    assert_eq!(
        told(vec![outfit(), (var("other", "a navy shirt", "a brown jacket"), 1), prompt(follows)]),
        "outfit other"
    );
    assert_eq!(told(vec![(var("x", "a", " a"), 1)]), "x");
    let added = Cause::VarChanged { name: "hat".into(), old: None, new: some("a hat") };
    assert_eq!(told(vec![(added, 1), (recipe("prompt", "a man", "a man a hat"), 2)]), "hat");
}

#[test]
fn long_lists_are_cut_unless_all_is_asked_for() {
    let new: Vec<_> = (0..5_000).map(|n| fresh(&format!("age/{n}/anime"))).collect();
    let plan = plan(vec![collection(new, 0)]);
    let short = plan_text(&plan, FACTS, PlanStyle::default());
    let tail: Vec<_> = short.lines().skip(20).collect();
    insta::assert_snapshot!(tail.join("\n"), @r"
      + age/18/anime   generate   $0.015
      + age/19/anime   generate   $0.015
      … and 4,980 more to generate ($74.70)

      + generate   buys a picture

    Plan: 5,000 to generate; 0 unchanged. Estimated cost: $75.00 (cap $5.00).
    ");
    let all = plan_text(&plan, FACTS, PlanStyle { listing: ListLength::All, ..PlanStyle::default() });
    assert_eq!(all.lines().filter(|line| line.starts_with("  + age/")).count(), 5_000);
}

#[test]
fn a_cut_list_still_tells_its_edits() {
    let shared = (0..51).map(|n| edited(&format!("age/{n}/anime"), "anime"));
    let own = (0..60).map(|n| {
        let seed = recipe("seed", "1", &(n + 2).to_string());
        change(&format!("body/{n}/anime"), Action::Reuse, [(seed, 9), (Cause::OriginalKept, 0)])
    });
    let short = text(shared.chain(own).collect());
    let tail: Vec<_> = short.lines().filter(|line| !line.starts_with("  ~ age/1")).collect();
    insta::assert_snapshot!(tail.join("\n").split_once("age/9/").unwrap().1, @r"
    anime     generate   $0.015
      … and 31 more to generate ($0.465)
          subject   manifests/attribute-images.yaml:64, used by all 51
            an elderly man aged seventy-eight, [-thin-] {+thick+} white hair, glasses

      < body/0/anime    reuse      its original is kept
          seed 1 → 2   manifests/attribute-images.yaml:9

      < body/1/anime    reuse      its original is kept
          seed 1 → 3   manifests/attribute-images.yaml:9

      < body/2/anime    reuse      its original is kept
          seed 1 → 4   manifests/attribute-images.yaml:9

      < body/3/anime    reuse      its original is kept
          seed 1 → 5   manifests/attribute-images.yaml:9

      < body/4/anime    reuse      its original is kept
          seed 1 → 6   manifests/attribute-images.yaml:9

      < body/5/anime    reuse      its original is kept
          seed 1 → 7   manifests/attribute-images.yaml:9

      < body/6/anime    reuse      its original is kept
          seed 1 → 8   manifests/attribute-images.yaml:9

      < body/7/anime    reuse      its original is kept
          seed 1 → 9   manifests/attribute-images.yaml:9

      < body/8/anime    reuse      its original is kept
          seed 1 → 10   manifests/attribute-images.yaml:9

      < body/9/anime    reuse      its original is kept
          seed 1 → 11   manifests/attribute-images.yaml:9

      < body/10/anime   reuse      its original is kept
          seed 1 → 12   manifests/attribute-images.yaml:9

      < body/11/anime   reuse      its original is kept
          seed 1 → 13   manifests/attribute-images.yaml:9

      < body/12/anime   reuse      its original is kept
          seed 1 → 14   manifests/attribute-images.yaml:9

      < body/13/anime   reuse      its original is kept
          seed 1 → 15   manifests/attribute-images.yaml:9

      < body/14/anime   reuse      its original is kept
          seed 1 → 16   manifests/attribute-images.yaml:9

      < body/15/anime   reuse      its original is kept
          seed 1 → 17   manifests/attribute-images.yaml:9

      < body/16/anime   reuse      its original is kept
          seed 1 → 18   manifests/attribute-images.yaml:9

      < body/17/anime   reuse      its original is kept
          seed 1 → 19   manifests/attribute-images.yaml:9

      < body/18/anime   reuse      its original is kept
          seed 1 → 20   manifests/attribute-images.yaml:9

      < body/19/anime   reuse      its original is kept
          seed 1 → 21   manifests/attribute-images.yaml:9

      … and 40 more to reuse

      ~ generate   buys a picture; the old one stays live until the new one is up
      < reuse      takes a picture that is there already, or is made for another asset; costs nothing

    Plan: 51 to generate, 60 to reuse; 40 unchanged. Estimated cost: $0.765 (cap $5.00).
    ");
}

#[test]
fn places_that_differ_are_counted() {
    let quality = |line| {
        let cause = Cause::RenditionChanged {
            rendition: "main".parse().unwrap(),
            field: "quality",
            old: None,
            new: some("90"),
        };
        change(&format!("age/{line}/anime"), Action::Render, [(cause, line)])
    };
    let told = text(vec![quality(1), quality(2), quality(3)]);
    assert!(
        told.contains(
            "main.quality (unset) → 90   manifests/attribute-images.yaml:1 and 2 more places, used by all 3\n"
        ),
        "{told}"
    );
}

fn with_notes_and_refusals() -> Plan {
    let mut collection = collection(vec![change("body/tall/anime", Action::Delete, [(Cause::NotDeclared, 0)])], 41);
    collection.notes = vec![
        Note::Held { key: "age/70+/anime".parse().unwrap(), differences: 2 },
        Note::ExtraRows { count: 7, examples: vec!["age/x".to_owned(), "age/\u{1b}[2J\n".to_owned()] },
        Note::CaseTwin { there: "Age/Teen".to_owned(), declared: "age/teen".parse().unwrap() },
    ];
    let mut plan = plan(vec![collection]);
    plan.notes = vec![Note::Undeclared { collection: "old".parse().unwrap(), records: 1 }];
    plan.completeness = Completeness::Partial;
    plan.refusals = vec![PlanRefusal {
        code: "deletions",
        message: "the plan deletes 12 assets, and 10 are allowed without being listed".to_owned(),
        way_out: "list them under `removed:` in the manifest".to_owned(),
    }];
    plan
}

#[test]
fn notes_and_refusals_stand_before_the_last_line() {
    insta::assert_snapshot!(plan_text(&with_notes_and_refusals(), FACTS, PlanStyle::default()), @r"
    attribute-images · production · compared with 42 rows and 42 files in 0.4 s

      - body/tall/anime   delete   no longer declared

      note: age/70+/anime is held and differs from its manifest in 2 ways
      note: 7 rows belong to no collection and stay as they are: age/x, age/␛[2J␊ and 5 more
      note: `Age/Teen` is there and `age/teen` is declared: they differ in case only

    note: the collection `old` has 1 record and no manifest; it is left alone (`pixform destroy old` removes it)
    note: only a part was planned: assets were selected, or a manifest could not be read

      - delete   takes the row away; files stay until `pixform gc`

    This plan cannot be applied: the plan deletes 12 assets, and 10 are allowed without being listed.
      way out: list them under `removed:` in the manifest

    Plan: 1 to delete; 41 unchanged. Estimated cost: $0.00 (cap $5.00).
    ");
}

#[test]
fn nothing_is_bought_where_nothing_costs() {
    let free = |change: Change| Change { price: MicroUsd(0), ..change };
    let told = text(vec![free(fresh("a/b/c")), free(edited("a/b/d", "x"))]);
    assert!(told.contains("+ generate   makes a picture\n") && !told.contains("buys"), "{told}");
    assert!(told.contains("  + a/b/c   generate\n"), "{told}");
}

#[test]
fn a_document_has_every_field_in_a_fixed_order() {
    let mut plan = with_notes_and_refusals();
    let moved_from = Some(("old".parse().unwrap(), "age/teen".parse().unwrap()));
    let extra_labels = vec![("aaa".to_owned(), "last".to_owned())];
    let mut moved = change("age/18-19/anime", Action::Move, [(moved("old", "age/teen"), 0)]);
    moved = Change { moved_from, extra_labels, ..moved };
    if let Some(after) = &mut moved.after {
        after.row = None;
    }
    plan.collections[0].changes.insert(0, moved);
    plan.collections[0].changes.insert(0, edited("age/70+/anime", "an\u{9b}ime"));
    insta::assert_snapshot!(plan_document(&plan), @r#"{"format_version":"1.0","environment":"production","created_at":"2026-01-02T03:04:05Z","digest":"sha256:4359fdbd592d29df7750f93f22dcaf20424b72ed17f3a8d63344351bee28b029","changes":[{"collection":"attribute-images","key":"age/70+/anime","labels":{"category":"age","value":"70+","style":"anime"},"action":"generate","reasons":[{"code":"var_changed","field":"subject","old":"an elderly man aged seventy-eight, thin white hair, glasses","new":"an elderly man aged seventy-eight, thick white hair, glasses","place":"manifests/attribute-images.yaml:64:18"},{"code":"recipe_changed","field":"prompt","old":"an\u009bime, one adult person, an elderly man aged seventy-eight, thin white hair, glasses, plain light background","new":"an\u009bime, one adult person, an elderly man aged seventy-eight, thick white hair, glasses, plain light background","place":"manifests/attribute-images.yaml:20:18"}],"price":"0.015","before":{"recipe":"sha256:0101010101010101010101010101010101010101010101010101010101010101","renditions":"sha256:0202020202020202020202020202020202020202020202020202020202020202","row":"sha256:0303030303030303030303030303030303030303030303030303030303030303","protect":false,"hold":false},"after":{"recipe":"sha256:0404040404040404040404040404040404040404040404040404040404040404","renditions":"sha256:0202020202020202020202020202020202020202020202020202020202020202","row":"sha256:0303030303030303030303030303030303030303030303030303030303030303","protect":false,"hold":false}},{"collection":"attribute-images","key":"age/18-19/anime","labels":{"category":"age","value":"18-19","style":"anime","aaa":"last"},"action":"move","reasons":[{"code":"moved","old":"old:age/teen"}],"price":"0.00","before":{"recipe":"sha256:0101010101010101010101010101010101010101010101010101010101010101","renditions":"sha256:0202020202020202020202020202020202020202020202020202020202020202","row":"sha256:0303030303030303030303030303030303030303030303030303030303030303","protect":false,"hold":false},"after":{"recipe":"sha256:0404040404040404040404040404040404040404040404040404040404040404","renditions":"sha256:0202020202020202020202020202020202020202020202020202020202020202","row":null,"protect":false,"hold":false},"moved_from":"old:age/teen"},{"collection":"attribute-images","key":"body/tall/anime","labels":{"category":"body","value":"tall","style":"anime"},"action":"delete","reasons":[{"code":"not_declared"}],"price":"0.00","before":{"recipe":"sha256:0101010101010101010101010101010101010101010101010101010101010101","renditions":"sha256:0202020202020202020202020202020202020202020202020202020202020202","row":"sha256:0303030303030303030303030303030303030303030303030303030303030303","protect":false,"hold":false},"after":null}],"summary":{"unknown":0,"adopt":0,"generate":1,"reuse":0,"render":0,"repair":0,"move":1,"publish":0,"record":0,"delete":1,"keep":41},"estimated_cost":"0.015","applyable":false,"complete":false,"refusals":[{"code":"deletions","message":"the plan deletes 12 assets, and 10 are allowed without being listed","way_out":"list them under `removed:` in the manifest"}],"notes":["attribute-images: age/70+/anime is held and differs from its manifest in 2 ways","attribute-images: 7 rows belong to no collection and stay as they are: age/x, age/\u001b[2J\n and 5 more","attribute-images: `Age/Teen` is there and `age/teen` is declared: they differ in case only","the collection `old` has 1 record and no manifest; it is left alone (`pixform destroy old` removes it)","only a part was planned: assets were selected, or a manifest could not be read"]}"#);
}

#[test]
fn the_events_of_a_plan_are_its_changes_and_a_summary() {
    let plan = plan(vec![collection(vec![fresh("age/70+/anime")], 41)]);
    let lines: Vec<_> = plan_events(&plan).map(|event| event.line()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"type":"planned_change","change":{"collection":"attribute-images","key":"age/70+/anime","labels":{"category":"age","value":"70+","style":"anime"},"action":"generate","reasons":[{"code":"new","place":"manifests/attribute-images.yaml:12:18"}],"price":"0.015","before":null,"after":{"recipe":"sha256:0404040404040404040404040404040404040404040404040404040404040404","renditions":"sha256:0202020202020202020202020202020202020202020202020202020202020202","row":"sha256:0303030303030303030303030303030303030303030303030303030303030303","protect":false,"hold":false}}}
    {"type":"change_summary","summary":{"unknown":0,"adopt":0,"generate":1,"reuse":0,"render":0,"repair":0,"move":0,"publish":0,"record":0,"delete":0,"keep":41},"estimated_cost":"0.015","applyable":true,"complete":true,"digest":"sha256:c1b3eec9119346021f3743628dbbc95e6871f423a9b8967198ed603c6ef70394"}
    "#);
    let document: serde_json::Value = serde_json::from_str(&plan_document(&plan)).unwrap();
    let event: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(document["changes"][0], event["change"]);
}

#[test]
fn a_document_is_written_change_by_change() {
    let changes: Vec<_> = (0..2_000).map(|n| edited(&format!("age/{n}/anime"), "anime")).collect();
    let mut plan = plan(vec![collection(changes, 0)]);
    let longest = plan_document_parts(&plan).map(|part| part.len()).max();
    assert!(longest < Some(2_000), "{longest:?}");
    assert!(plan_text(&plan, FACTS, PlanStyle::default()).lines().count() < 40);
    plan.collections[0].changes.truncate(2);
    assert_eq!(plan_document_parts(&plan).collect::<String>(), plan_document(&plan));
}

#[test]
fn many_notes_are_cut_as_well() {
    let mut plan = plan(vec![collection(Vec::new(), 60)]);
    plan.collections[0].notes = vec![Note::Held { key: "a/b/c".parse().unwrap(), differences: 1 }; 60];
    let told = plan_text(&plan, FACTS, PlanStyle::default());
    assert!(told.contains("in 1 way\n  … and 40 more notes\n\nNo changes. 60 unchanged."), "{told}");
}

/// Takes the colours out, which are all that coloured text may add.
fn without_colours(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let (code, after) = after.split_once('m').unwrap();
        assert!(code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "{code:?}");
        rest = after;
    }
    plain + rest
}

fn a_cause() -> impl Strategy<Value = Cause> {
    let texts = || (any::<String>(), proptest::option::of(any::<String>()), proptest::option::of(any::<String>()));
    prop_oneof![
        texts().prop_map(|(name, old, new)| Cause::VarChanged { name, old, new }),
        texts().prop_map(|(field, old, new)| Cause::RowChanged { field, old, new }),
        texts().prop_map(|(name, old, new)| Cause::LabelChanged { name, old, new }),
        texts().prop_map(|(_, old, new)| Cause::RecipeChanged { field: FieldName::of("prompt"), old, new }),
        texts().prop_map(|(_, old, new)| Cause::RecipeChanged { field: FieldName::of("model"), old, new }),
        (any::<String>(), any::<String>(), any::<String>())
            .prop_map(|(column, written, found)| row_edited(&column, &written, &found)),
        Just(Cause::Held),
    ]
}

proptest! {
    #[test]
    fn whatever_a_plan_holds_no_terminal_obeys_it(
        causes in proptest::collection::vec(a_cause(), 0..6),
        strange in any::<String>(),
        number in 0usize..10,
    ) {
        let place = Place { file: strange.as_str().into(), line: 1, column: 1 };
        let mut change = change("a/b/c", Action::ALL[number], causes.into_iter().map(|cause| (cause, 0)));
        change.reasons.iter_mut().for_each(|reason| reason.place = Some(place.clone()));
        change.extra_labels = vec![(strange.clone(), strange.clone())];
        let mut collection = collection(vec![change], 1);
        collection.notes = vec![
            Note::ExtraRows { count: 1, examples: vec![strange.clone()] },
            Note::CaseTwin { there: strange.clone(), declared: "a".parse().unwrap() },
        ];
        let mut plan = plan(vec![collection]);
        plan.environment = strange.clone();
        plan.refusals = vec![PlanRefusal { code: "store", message: strange.clone(), way_out: strange.clone() }];

        let text = plan_text(&plan, FACTS, PlanStyle::default());
        let coloured = plan_text(&plan, FACTS, PlanStyle { colour: ColourMode::Ansi, listing: ListLength::All });
        let document = plan_document(&plan);
        let lines: Vec<_> = plan_events(&plan).map(|event| event.line()).collect();
        for shown in [&text, &without_colours(&coloured)] {
            let lines: Vec<_> = shown.lines().collect();
            prop_assert!(lines.iter().all(|line| terminal(line) == *line), "{}", shown);
            prop_assert!(lines[lines.len() - 1].starts_with("Plan: 1 "), "{}", shown);
        }
        prop_assert_eq!(terminal(&document), document.as_str());
        let value: serde_json::Value = serde_json::from_str(&document).unwrap();
        prop_assert_eq!(&value["environment"], &strange);
        for line in &lines {
            prop_assert_eq!(terminal(line), line.as_str());
            prop_assert!(serde_json::from_str::<serde_json::Value>(line).is_ok());
        }
    }

    #[test]
    fn every_edited_var_shows_or_follows_from_one_that_does(
        old in "[ab]{1,3}", new in "[ab]{1,3}", before in "[ab ]{0,3}", after in "[ab ]{0,3}",
    ) {
        prop_assume!(old != new);
        let around = |text: &str| format!("{before}{text}{after}");
        let causes = [(var("leaf", &old, &new), 1), (var("outer", &around(&old), &around(&new)), 2)];
        let change = change("a/b/c", Action::Generate, causes);
        prop_assert!(!change_edits::edits(&change).is_empty());
    }
}

/// A call of that status, and a run that nothing is known of.
pub(super) fn entry(status: CallStatus) -> HistoryEntry {
    HistoryEntry {
        time: "2026-11-22T10:03:12Z".to_owned(),
        call: Call {
            id: "0197f1".to_owned(),
            run: "0197f0".to_owned(),
            collection: "heroes".parse().unwrap(),
            key: "hero/dark".parse().unwrap(),
            recipe: RecipeDigest::from_bytes([7; 32]),
            generator: "novita".to_owned(),
            service: "painter".to_owned(),
            model: None,
            estimate: Estimate::Paid(MicroUsd(15_000)),
            cost: None,
            attempt: 1,
            account: None,
            status,
            task: None,
            reason: None,
            sha256: None,
            decision: None,
            created_at: 0,
            updated_at: 0,
        },
        ended: false,
        command: None,
        host: None,
        actor: None,
        commit: None,
        run_url: None,
    }
}
