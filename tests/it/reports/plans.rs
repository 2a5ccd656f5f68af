//! Ten plans that reports are made of.

use std::collections::HashMap;

use pixform::asset::{FieldName, MicroUsd, Place};
use pixform::digest::{RecipeDigest, RenditionsDigest, RowDigest};
use pixform::plan::{
    Action, AssetSnapshot, Cause, Change, CollectionPlan, Completeness, Doubt, Note, Plan, PlanRefusal, Reason, Sights,
};
use pixform::render::{
    AssetFacts, ChangeCosts, ChangeWhole, MARKDOWN_LIMIT, MonthFacts, PictureFacts, ReportFacts, ReportStage,
};

/// A plan by its name, with what its report says besides.
pub struct Case {
    pub name: &'static str,
    pub plan: Plan,
    pub facts: ReportFacts,
}

/// What strangers write who want something else than a picture.
pub const HOSTILE: &str = "@team see #12 GH-7 and deadbeefcafe --> </details></table><script>alert(1)</script> <img src=x \
    onerror=alert(1)> [click](https://evil.example) ![x](https://evil.example/x.png) https://evil.example www.evil.example \
    me@evil.example ``` ~~~ `code` **bold** | cell | $x$ :tada: &lt; \\ \u{1b}[31m \u{202e}gpj.exe\u{2066} {{ 7 * 7 }} ' \"";

const UNICODE: &str = "an étoile, 老人 with 白髪, 🙂 and a\u{301}ccents";
const RIGHT_TO_LEFT: &str = "رجل مسن بشعر أبيض, זקן עם שיער לבן";

/// Returns all ten.
pub fn cases() -> Vec<Case> {
    let long = |word: &str| (0..1_500).map(|n| format!("{word}{n}")).collect::<Vec<_>>().join(" ");
    let text =
        |old: &str, new: &str| plan(vec![edited("age/70+/realistic", old, new), edited("age/70+/anime", old, new)], 40);
    vec![
        case("empty", plan(Vec::new(), 42)),
        case("one", plan(vec![edited("age/70+/anime", "thin white hair, glasses", "thick white hair, glasses")], 41)),
        preview(case("forty-two", plan((0..42).map(fresh).collect(), 0))),
        case("thousand", plan((0..1_000).map(numbered).collect(), 7)),
        case("hostile", text(&format!("an old man {HOSTILE}"), &format!("an old woman {HOSTILE}"))),
        case("unicode", text(UNICODE, &UNICODE.replace("白髪", "黒髪"))),
        case("right-to-left", text(RIGHT_TO_LEFT, &RIGHT_TO_LEFT.replace("أبيض", "أسود"))),
        case("ten-kilobytes", text(&long("word"), &format!("{} {}", long("word"), "x".repeat(10_000)))),
        case("refused", refused()),
        applied(case("mixed", mixed())),
    ]
}

fn case(name: &'static str, plan: Plan) -> Case {
    let facts = facts(&plan);
    Case { name, plan, facts }
}

fn preview(mut case: Case) -> Case {
    case.facts.stage = ReportStage::Previewed;
    case.facts.paid = Some(MicroUsd(630_000));
    case.facts.change =
        Some(ChangeCosts { whole: ChangeWhole::PullRequest, charged: MicroUsd(660_000), maybe: MicroUsd(0) });
    case.facts.kept_until = Some("22 December".to_owned());
    for change in &mut case.plan.collections[0].changes {
        change.action = Action::Reuse;
        change.price = MicroUsd(0);
    }
    case.facts.assets = facts(&case.plan).assets;
    case
}

fn applied(mut case: Case) -> Case {
    case.facts.stage = ReportStage::Applied { at: "2026-11-22T10:03:12Z".to_owned(), undone: 1 };
    case.facts.paid = Some(MicroUsd(15_000));
    case
}

/// Returns facts as a CI system and a state would give them.
pub fn facts(plan: &Plan) -> ReportFacts {
    let picture = |side: &str, key: &str| PictureFacts {
        url: Some(format!("https://cdn.example.com/{}-{side}.jpg", key.replace('/', "-").replace('+', "%2B"))),
        width: 512,
        height: 768,
        thumbnail: Some(b"RIFF".to_vec()),
    };
    let assets = plan.changes().map(|(collection, change)| {
        let facts = AssetFacts {
            before: change.before.map(|_| picture("old", change.key.as_str())),
            after: change
                .after
                .filter(|_| change.action != Action::Generate)
                .map(|_| picture("new", change.key.as_str())),
            recipe: [
                ("model", "sd_xl_base_1.0"),
                ("prompt", "a prompt"),
                ("steps", "30"),
                ("width", "512"),
                ("height", "768"),
            ]
            .map(|(name, value)| (name.into(), value.to_owned()))
            .to_vec(),
            take: 0,
            another: Some(MicroUsd(15_000)),
        };
        ((collection.name.clone(), change.key.clone()), facts)
    });
    ReportFacts {
        environment: "production".to_owned(),
        stage: ReportStage::Planned,
        head: Some("9c1e2ab0d7f3".to_owned()),
        lines: Some("https://github.com/team/product/blob/9c1e2ab0d7f3/".to_owned()),
        assets: assets.collect::<HashMap<_, _>>(),
        paid: None,
        change: None,
        month: Some(MonthFacts {
            name: "November".to_owned(),
            spent: MicroUsd(2_340_000),
            cap: Some(MicroUsd(20_000_000)),
        }),
        kept_until: None,
        commands: vec!["pixform plan --env production".to_owned(), "pixform apply --env production".to_owned()],
        mistakes: Vec::new(),
        limit: MARKDOWN_LIMIT,
    }
}

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

fn change(key: &str, action: Action, causes: Vec<Cause>) -> Change {
    Change {
        key: key.parse().unwrap(),
        extra_labels: Vec::new(),
        action,
        reasons: causes.into_iter().map(|cause| Reason { cause, place: at(64) }).collect(),
        price: if action == Action::Generate { MicroUsd(15_000) } else { MicroUsd(0) },
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

fn edited(key: &str, old: &str, new: &str) -> Change {
    let cause = Cause::VarChanged { name: "subject".to_owned(), old: Some(old.to_owned()), new: Some(new.to_owned()) };
    change(key, Action::Generate, vec![cause])
}

fn fresh(number: u32) -> Change {
    let style = if number.is_multiple_of(2) { "realistic" } else { "anime" };
    Change { before: None, ..change(&format!("age/{}0s/{style}", number / 2), Action::Generate, vec![Cause::New]) }
}

fn numbered(number: u32) -> Change {
    let key = format!("city/n{number}/{}", if number.is_multiple_of(3) { "realistic" } else { "anime" });
    match number % 10 {
        8 => change(&key, Action::Repair, vec![Cause::RowMissing]),
        9 => change(&key, Action::Delete, vec![Cause::NotDeclared]),
        _ => edited(
            &key,
            &format!("a view of city number {number} by day"),
            &format!("a view of city number {number} by night"),
        ),
    }
}

fn plan(changes: Vec<Change>, kept: u64) -> Plan {
    let collection = CollectionPlan {
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
    };
    Plan {
        environment: "production".to_owned(),
        created_at: "2026-01-02T03:04:05Z".to_owned(),
        collections: vec![collection],
        refusals: Vec::new(),
        cap: Some(MicroUsd(5_000_000)),
        completeness: Completeness::Complete,
        notes: Vec::new(),
    }
}

fn refused() -> Plan {
    let mut plan = plan(vec![change("body/slim/anime", Action::Delete, vec![Cause::NotDeclared])], 41);
    plan.refusals = vec![PlanRefusal {
        code: "deletions",
        message: format!("12 assets would be deleted, 10 may be {HOSTILE}"),
        way_out: "list them under `removed:`".to_owned(),
    }];
    plan
}

fn mixed() -> Plan {
    let doubt = Cause::InDoubt { doubt: Doubt::Unknown, why: Some(format!("no answer {HOSTILE}")) };
    let moved =
        Cause::Moved { collection: "attribute-images".parse().unwrap(), key: "age/teen/anime".parse().unwrap() };
    let steps =
        Cause::RecipeChanged { field: FieldName::of("steps"), old: Some("30".to_owned()), new: Some("28".to_owned()) };
    let mut plan = plan(
        vec![
            change("age/20s/anime", Action::Unknown, vec![doubt]),
            change("age/18-19/anime", Action::Move, vec![moved]),
            change("age/30s/anime", Action::Generate, vec![steps]),
            change("body/slim/anime", Action::Delete, vec![Cause::Removed]),
        ],
        38,
    );
    plan.collections[0].notes = vec![Note::ExtraRows { count: 3, examples: vec![HOSTILE.to_owned()] }];
    plan
}
