//! Notes: what is told and changes nothing, one sentence each.

use crate::plan::{Completeness, LostOriginal, LostState, Note, Plan, Rebuy};

use super::quantities;

/// Returns a note as one sentence without a full stop.
///
/// It may hold strangers' text and is escaped for no medium yet.
pub fn note_sentence(note: &Note) -> String {
    match note {
        Note::Unadopted { count: amount } => {
            let (rows, exist) = (quantities::count(*amount, "row"), if *amount == 1 { "exists" } else { "exist" });
            format!("{rows} {exist} that pixform did not make: `pixform import --dry-run`")
        }
        Note::RowsNotLooked { count: amount } => {
            let pictures = quantities::count(*amount, "picture");
            format!(
                "{pictures} would be made, and rows were not looked at (`--no-refresh`): those that exist already could be \
                 adopted for nothing"
            )
        }
        Note::Held { key, differences } => {
            let ways = quantities::count(*differences as u64, "way");
            format!("{key} is held and differs from its manifest in {ways}")
        }
        Note::ExtraRows { count: amount, examples } => {
            let said = match amount {
                1 => "belongs to no collection and stays as it is",
                _ => "belong to no collection and stay as they are",
            };
            format!("{} {said}{}", quantities::count(*amount, "row"), listed(*amount, examples))
        }
        Note::CaseTwin { there, declared } => {
            format!("`{there}` is there and `{declared}` is declared: they differ in case only")
        }
        Note::Undeclared { collection, records } => {
            let records = quantities::count(*records, "record");
            format!(
                "the collection `{collection}` has {records} and no manifest; it is left alone \
                 (`pixform destroy {collection}` removes it)"
            )
        }
        Note::Done { count: amount } => {
            format!("{} of the approved plan {} done already", quantities::count(*amount, "change"), are(*amount))
        }
        Note::NotApproved { count: amount } => {
            let left = if *amount == 1 { "it is left alone" } else { "they are left alone" };
            format!("{} {} not in the approved plan: {left}", quantities::count(*amount, "change"), are(*amount))
        }
        Note::OriginalLost(lost) => original_lost(lost),
        Note::OpenOriginals => OPEN_ORIGINALS.to_owned(),
        Note::Uncopied { files } => {
            let (are, them) = if *files == 1 { ("is", "it") } else { ("are", "them") };
            let files = quantities::count(*files, "file");
            format!("{files} {are} still in the previous storage; apply copies {them}, for $0.00")
        }
    }
}

/// A backup comes first: only after it is said what going on without one costs.
fn original_lost(LostOriginal { key, path, sha256, state, price, bought }: &LostOriginal) -> String {
    let is = match state {
        LostState::Gone => "is gone",
        LostState::Damaged => "is damaged",
    };
    let backup = format!("put `{path}` (SHA-256 {}) back from a backup", sha256.hex());
    match bought {
        Rebuy::Now => format!(
            "the original of {key} {is}: {backup} before this is applied, and nothing is made anew; without it another \
             picture takes the place of the published one, for ${price}"
        ),
        Rebuy::Later => format!(
            "the original of {key} {is}: {backup}; what is published is well and stays, and nothing is bought now. Without a \
             backup the next change of its renditions takes another picture, for ${price}"
        ),
    }
}

fn are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

/// What is said where originals lie among what is published.
pub const OPEN_ORIGINALS: &str =
    "everybody who can fetch a published file can fetch the originals, too: they lie in the same place";
/// What to do about it.
pub const OPEN_ORIGINALS_HELP: &str = "give them a place of their own that is private, as in `originals: { url: \"s3://BUCKET\" }` or \
     `originals: { url: \"file:FOLDER\" }` below `storage` in pixform.yaml";

/// What is said of a plan that does not cover everything.
pub(super) const PARTIAL: &str = "only a part was planned: assets were selected, or a manifest could not be read";

/// Returns all notes of a plan, those of a collection after its name.
pub(super) fn sentences(plan: &Plan) -> impl Iterator<Item = String> {
    let of_collections = plan.collections.iter().flat_map(|collection| {
        collection.notes.iter().map(move |note| format!("{}: {}", collection.name, note_sentence(note)))
    });
    of_collections.chain(general(plan))
}

/// Returns the notes of no single collection that are not told as warnings.
pub(super) fn quiet(plan: &Plan) -> impl Iterator<Item = String> {
    let partial = (plan.completeness == Completeness::Partial).then(|| PARTIAL.to_owned());
    plan.notes.iter().filter(|note| **note != Note::OpenOriginals).map(note_sentence).chain(partial)
}

/// Returns the notes of no single collection.
pub(super) fn general(plan: &Plan) -> impl Iterator<Item = String> {
    let partial = (plan.completeness == Completeness::Partial).then(|| PARTIAL.to_owned());
    plan.notes.iter().map(note_sentence).chain(partial)
}

/// Returns the examples, and how many more there are.
fn listed(count: u64, examples: &[String]) -> String {
    match (examples.len() as u64, examples.join(", ")) {
        (0, _) => String::new(),
        (shown, examples) if shown >= count => format!(": {examples}"),
        (shown, examples) => format!(": {examples} and {} more", quantities::number(count - shown)),
    }
}
