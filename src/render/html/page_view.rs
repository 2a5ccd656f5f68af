//! What the page shows, as plain values in the order in which they stand there.
//!
//! Long texts are cut here, with what is invisible in them counted as it is shown; the template makes visible whatever is
//! left, and escapes all of it for HTML.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::asset::MicroUsd;
use crate::plan::{Action, Change, CollectionPlan, Plan, Reason};

use super::super::action_signs::{EarlierPicture, sign};
use super::super::change_edits::{Edit, Values, edits, shown_value};
use super::super::note_text;
use super::super::plan_document::public_name;
use super::super::quantities;
use super::super::remark_text::remarks;
use super::super::report_facts::{
    AssetFacts, ChangeCosts, MistakeFacts, PictureFacts, ReportFacts, ReportStage, Spot, live_since, sentence, tally,
};
use super::super::text_style::ListLength;
use super::super::visible_text::terminal;
use super::super::word_diff::{WordChange, words};
use super::{SCRIPT, STYLE, Thumbnails};

/// The most characters of one text that the page shows.
const TEXT_MAX: usize = 2_000;
/// Mistakes, refusals and notes that the page shows of each.
const LISTED_MAX: usize = 200;

#[derive(Serialize)]
pub(super) struct PageView {
    policy: String,
    style: &'static str,
    script: &'static str,
    environment: String,
    live_since: Option<String>,
    sentence: String,
    counts: Vec<Count>,
    digest: Option<String>,
    head: Option<String>,
    money: Vec<String>,
    mistakes: Vec<MistakeView>,
    refusals: Vec<[String; 2]>,
    notes: Vec<String>,
    commands: Vec<String>,
    actions: Vec<ActionView>,
    labels: Vec<LabelView>,
    before: &'static str,
    after: &'static str,
    cards: Vec<Card>,
}

/// A number with what it counts.
#[derive(Serialize)]
struct Count {
    number: String,
    thing: String,
}

#[derive(Serialize)]
struct MistakeView {
    message: String,
    help: Option<String>,
    place: Option<Link>,
    line: Option<String>,
    mended: Option<String>,
}

#[derive(Serialize)]
struct ActionView {
    name: &'static str,
    count: String,
}

#[derive(Serialize)]
struct LabelView {
    name: String,
    values: Vec<String>,
}

#[derive(Serialize)]
struct Card {
    name: String,
    action: &'static str,
    sign: &'static str,
    price: Option<String>,
    /// The values of the labels, in the order of [`PageView::labels`], as JSON.
    labels: String,
    before: PictureView,
    after: PictureView,
    /// Both are pictures.
    compares: bool,
    edits: Vec<EditView>,
    remarks: Vec<String>,
    recipe: Vec<(String, String)>,
    digests: String,
    reasons: Vec<String>,
}

/// A picture, or the words in its place.
#[derive(Serialize, Default)]
struct PictureView {
    /// The picture itself as an address, all of whose characters are harmless.
    data: Option<String>,
    /// Where it lies.
    link: Option<String>,
    width: u32,
    height: u32,
    words: String,
}

#[derive(Serialize)]
struct EditView {
    label: String,
    words: Vec<WordsView>,
    arrow: Option<[String; 2]>,
    told: &'static str,
    place: Option<Link>,
}

#[derive(Serialize)]
struct WordsView {
    tag: &'static str,
    text: String,
}

/// A place, with its address where it has one.
#[derive(Serialize)]
struct Link {
    text: String,
    url: Option<String>,
}

/// Puts together what the page shows; `policy` says what a browser may do, by whether it has to fetch pictures.
pub(super) fn page(
    plan: Option<&Plan>,
    facts: &ReportFacts,
    thumbnails: &mut Thumbnails,
    policy: impl Fn(bool) -> String,
) -> PageView {
    let applied = matches!(facts.stage, ReportStage::Applied { .. });
    let names = plan.map(label_names).unwrap_or_default();
    let changes = || plan.into_iter().flat_map(Plan::changes);
    let several = changes().map(|(collection, _)| &collection.name).collect::<BTreeSet<_>>().len() > 1;
    let cards = changes().map(|(collection, change)| {
        let known = facts.asset(&collection.name, &change.key);
        Card {
            labels: label_values(&names, collection, change),
            ..card(collection, change, (known, facts), several, thumbnails)
        }
    });
    let cards: Vec<Card> = cards.collect();
    let fetches = |side: &PictureView| side.data.is_none() && side.link.is_some();
    let labels = names.iter().map(|name| LabelView { name: safe(name), values: values_of(plan, name) });
    PageView {
        policy: policy(cards.iter().any(|card| fetches(&card.before) || fetches(&card.after))),
        style: STYLE,
        script: SCRIPT,
        environment: safe(&facts.environment),
        live_since: live_since(facts),
        sentence: plan.map_or_else(|| "Nothing could be planned.".to_owned(), |plan| sentence(plan, facts)),
        counts: plan.map(|plan| counts(plan, facts)).unwrap_or_default(),
        digest: plan.map(|plan| plan.digest().to_string()),
        head: facts.head.as_deref().map(|head| safe(head).chars().take(7).collect()),
        money: money(facts),
        mistakes: facts.mistakes.iter().take(LISTED_MAX).map(|mistake| mistake_view(mistake, facts)).collect(),
        refusals: plan.map(refusals).unwrap_or_default(),
        notes: plan.into_iter().flat_map(note_text::sentences).take(LISTED_MAX).map(|note| safe(&note)).collect(),
        commands: facts.commands.iter().map(|command| safe(command)).collect(),
        actions: plan.map(actions).unwrap_or_default(),
        labels: labels.collect(),
        before: if applied { "before" } else { "live now" },
        after: if applied { "now" } else { "after merge" },
        cards,
    }
}

/// Makes a text visible on one line, and cuts what is longer than anybody reads.
fn safe(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((at, _)) => format!("{}…", terminal(&text[..at])),
        None => terminal(text).into_owned(),
    }
}

fn counts(plan: &Plan, facts: &ReportFacts) -> Vec<Count> {
    let split = |told: &String| told.split_once(' ').map(|(number, thing)| (number.to_owned(), thing.to_owned()));
    let (cost, thing) = match (&facts.stage, facts.paid) {
        (ReportStage::Applied { .. }, paid) => (paid.unwrap_or(plan.cost()), "paid"),
        (ReportStage::Planned | ReportStage::Previewed, _) => (plan.cost(), "to merge"),
    };
    let paid = facts.paid.filter(|_| facts.stage == ReportStage::Previewed);
    let paid = paid.map(|paid| (format!("${paid}"), "paid for this preview".to_owned()));
    let all = tally(plan).iter().filter_map(split).collect::<Vec<_>>().into_iter();
    let all = all.chain(paid).chain([(format!("${cost}"), thing.to_owned())]);
    all.map(|(number, thing)| Count { number, thing }).collect()
}

fn money(facts: &ReportFacts) -> Vec<String> {
    let ReportFacts { change, month, kept_until, .. } = facts;
    let together = change.map(ChangeCosts::words);
    let month = month.as_ref().map(|month| {
        let cap = month.cap.map(|cap| format!(" of ${cap}")).unwrap_or_default();
        format!("{} ${}{cap}", safe(&month.name), month.spent)
    });
    let kept = kept_until.as_ref().map(|until| format!("previewed pictures are kept until {}", safe(until)));
    [together, month, kept].into_iter().flatten().collect()
}

fn mistake_view(mistake: &MistakeFacts, facts: &ReportFacts) -> MistakeView {
    let MistakeFacts { message, help, spot } = mistake;
    let place = spot.as_ref().map(|Spot { file, line, .. }| link(file, *line, facts));
    MistakeView {
        message: safe(message),
        help: help.as_deref().map(safe),
        place,
        line: spot.as_ref().map(|spot| safe(&spot.text)),
        mended: spot.as_ref().and_then(|spot| spot.mended.as_deref()).map(safe),
    }
}

fn link(file: &str, line: u32, facts: &ReportFacts) -> Link {
    let public = public_name(file);
    let base = facts.lines.as_ref().filter(|_| public == file);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/".contains(&byte);
    let path = || {
        file.trim_start_matches("./").bytes().map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
    };
    let url = base.map(|base| format!("{base}{}#L{line}", path().collect::<String>()));
    Link { text: safe(&format!("{public}:{line}")), url }
}

fn refusals(plan: &Plan) -> Vec<[String; 2]> {
    plan.refusals.iter().take(LISTED_MAX).map(|refusal| [safe(&refusal.message), safe(&refusal.way_out)]).collect()
}

fn actions(plan: &Plan) -> Vec<ActionView> {
    let used = Action::ALL.into_iter().filter(|action| *action != Action::Keep);
    let used = used.map(|action| (action.name(), plan.count(action))).filter(|(_, amount)| *amount > 0);
    used.map(|(name, amount)| ActionView { name, count: quantities::number(amount) }).collect()
}

/// Returns the names of all labels of what changes, those of keys first, in their order.
fn label_names(plan: &Plan) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (collection, change) in plan.changes() {
        for (name, _) in collection.labels(change) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Returns the values that a label has, in manifest order.
fn values_of(plan: Option<&Plan>, name: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    let mut known = BTreeSet::new();
    for (collection, change) in plan.into_iter().flat_map(Plan::changes) {
        for (_, value) in collection.labels(change).filter(|(label, _)| *label == name) {
            if known.insert(value) {
                values.push(value.to_owned());
            }
        }
    }
    values
}

fn label_values(names: &[String], collection: &CollectionPlan, change: &Change) -> String {
    let value = |name: &String| collection.labels(change).find(|(label, _)| label == name).map(|(_, value)| value);
    let values: Vec<Option<&str>> = names.iter().map(value).collect();
    serde_json::to_string(&values).expect("texts are JSON")
}

fn card(
    collection: &CollectionPlan,
    change: &Change,
    (known, facts): (Option<&AssetFacts>, &ReportFacts),
    several: bool,
    thumbnails: &mut Thumbnails,
) -> Card {
    let [old, new] = [change.before, change.after].map(|side| side.map(|side| side.recipe.short()));
    let digest = |side: Option<String>| side.unwrap_or_else(|| "nothing".to_owned());
    let recipe = known.map(|known| known.recipe.as_slice()).unwrap_or_default();
    let before = side(known.and_then(|known| known.before.as_ref()), absent_before(change), thumbnails);
    let after = side(known.and_then(|known| known.after.as_ref()), absent_after(change), thumbnails);
    Card {
        name: if several { format!("{}:{}", collection.name, change.key) } else { change.key.to_string() },
        action: change.action.name(),
        sign: sign(change.action, EarlierPicture::of(change)).sign,
        price: (change.price > MicroUsd(0)).then(|| format!("${}", change.price)),
        labels: String::new(),
        compares: before.is_picture() && after.is_picture(),
        before,
        after,
        edits: edits(change).iter().map(|edit| edit_view(edit, facts)).collect(),
        remarks: remarks(&collection.name, change).into_iter().map(|(_, remark)| remark).collect(),
        recipe: recipe.iter().map(|(name, value)| (name.to_string(), safe(value))).collect(),
        digests: format!("{} → {}", digest(old), digest(new)),
        reasons: change.reasons.iter().map(reason_words).collect(),
    }
}

fn absent_before(change: &Change) -> &'static str {
    if change.before.is_some() || change.adoption.is_some() { "not shown" } else { "nothing yet" }
}

fn absent_after(change: &Change) -> &'static str {
    match change.action {
        Action::Generate => "to be made",
        Action::Reuse => "there already",
        Action::Render => "rendered anew",
        Action::Repair => "put back",
        Action::Delete => "gone",
        Action::Unknown => "a decision first",
        Action::Adopt | Action::Move | Action::Publish | Action::Record | Action::Keep => "the same",
    }
}

fn side(picture: Option<&PictureFacts>, words: &str, thumbnails: &mut Thumbnails) -> PictureView {
    let Some(PictureFacts { url, width, height, thumbnail }) = picture else {
        return PictureView { words: words.to_owned(), ..PictureView::default() };
    };
    let link = url.clone().filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    let data = thumbnail.as_deref().and_then(|bytes| thumbnails.embed(bytes));
    PictureView { data, link, width: *width, height: *height, words: words.to_owned() }
}

impl PictureView {
    fn is_picture(&self) -> bool {
        self.data.is_some() || self.link.is_some()
    }
}

fn edit_view(edit: &Edit<'_>, facts: &ReportFacts) -> EditView {
    let value = |value: Option<&str>| shown_value(value).into_owned();
    let (mut spans, mut arrow, mut told) = (Vec::new(), None, "");
    match edit.values {
        Values::Field { old, new } | Values::Text { old, new } if old == new => told = "written another way",
        Values::Field { old, new } => arrow = Some([safe(&value(old)), safe(&value(new))]),
        Values::Text { old, new } => spans = words(old.unwrap_or_default(), new.unwrap_or_default(), ListLength::Short),
        Values::Added => told = "added",
        Values::Removed => told = "removed",
        Values::Told => {}
    }
    let tag = |fate| match fate {
        WordChange::Stays => "span",
        WordChange::Goes => "del",
        WordChange::Comes => "ins",
    };
    EditView {
        label: safe(&edit.label),
        words: spans.iter().map(|words| WordsView { tag: tag(words.fate), text: safe(&words.text) }).collect(),
        arrow,
        told,
        place: edit.place.map(|place| link(&place.file, place.line, facts)),
    }
}

/// Returns a reason in short: its code, what it is about, the old value and the new.
fn reason_words(reason: &Reason) -> String {
    let parts = reason.parts();
    let field = parts.field.map(|field| format!(" {field}")).unwrap_or_default();
    let values = match (parts.old, parts.new) {
        (None, None) => String::new(),
        (old, new) => {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "(unset)".to_owned());
            format!(": {} → {}", shown(old), shown(new))
        }
    };
    safe(&format!("{}{field}{values}", parts.code))
}
