//! What is true of an asset besides its edits, in plain words, one remark each.

use crate::asset::CollectionName;
use crate::plan::{Action, Cause, Change, Doubt};
use crate::record::Decision;

use super::change_edits::{is_text, shown_value};
use super::quantities;

/// Returns the remarks on a change, with the codes of their reasons; safe for a terminal.
pub(super) fn remarks(collection: &CollectionName, change: &Change) -> Vec<(&'static str, String)> {
    let told = change.reasons.iter().filter_map(|reason| {
        let remark = remark(collection, change, &reason.cause)?;
        Some((reason.cause.code(), remark))
    });
    let mut told: Vec<(&'static str, String)> = told.collect();
    // A row that says otherwise in several ways is told of once; the ways are edits.
    told.dedup();
    told
}

fn remark(collection: &CollectionName, change: &Change, cause: &Cause) -> Option<String> {
    let told = match cause {
        // The sign of a new picture, and that of an adopted one, says so already.
        Cause::New if matches!(change.action, Action::Generate | Action::Adopt) => return None,
        Cause::New => "new".to_owned(),
        Cause::ObjectMissing { rendition, path } if change.before.is_none() && rendition.as_str() == "main" => {
            format!("its row cannot be adopted: its file is missing ({path})")
        }
        Cause::ObjectMissing { rendition, path } => format!("object missing: {rendition} ({path})"),
        Cause::ObjectSize { rendition, path: _, recorded, found } => {
            let were = if *recorded == 1 { "was" } else { "were" };
            format!(
                "{rendition} has {}, {} {were} published",
                quantities::count(*found, "byte"),
                quantities::number(*recorded)
            )
        }
        Cause::ObjectDamaged { rendition, path } => {
            format!("{rendition} holds other bytes than were published ({path})")
        }
        Cause::RendererChanged { rendition, renderer: _ } => {
            format!("{rendition} was made by an earlier pixform, in another way: it becomes another file")
        }
        Cause::RowMissing => "row missing".to_owned(),
        Cause::RowEdited { column, written, found } if !is_text(written, found) => {
            format!("row edited: {column} {} → {}", shown_value(Some(written)), shown_value(Some(found)))
        }
        Cause::RowElsewhere { column, written: None, found } => {
            format!("its row cannot be adopted: {column} is no file of this storage ({})", shown_value(Some(found)))
        }
        Cause::RowDiffers { .. } => "its row cannot be adopted: it says otherwise".to_owned(),
        Cause::RowNamesNoPicture => "its row cannot be adopted: it names no picture".to_owned(),
        Cause::ColumnKept { column, found, declared } => {
            let (found, declared) = (shown_value(found.as_deref()), shown_value(declared.as_deref()));
            format!("{column} stays {found} (the manifest says {declared})")
        }
        Cause::OriginalMissing => "its original is gone or damaged, too".to_owned(),
        Cause::CollectedByGc => "`pixform gc` deleted the original that there was".to_owned(),
        Cause::OriginalKept => "its original is kept".to_owned(),
        Cause::FoundInStorage => "its original was found in the storage".to_owned(),
        Cause::SameRecipe(key) => format!("same picture as {key}"),
        Cause::Moved { collection: from, key } if from == collection => format!("was {key}"),
        Cause::Moved { collection: from, key } => format!("was {from}:{key}"),
        Cause::NotDeclared => "no longer declared".to_owned(),
        Cause::Removed => "listed under removed".to_owned(),
        Cause::ProtectChanged { old: _, new: true } => "protected".to_owned(),
        Cause::ProtectChanged { old: _, new: false } => "no longer protected".to_owned(),
        Cause::HoldChanged { old: _, new: true } => "held".to_owned(),
        Cause::HoldChanged { old: _, new: false } => "no longer held".to_owned(),
        Cause::InDoubt { doubt, why } => in_doubt(*doubt, why.as_deref()),
        Cause::Decided(Decision::Retried) => "an earlier call is sent again, and may be paid twice".to_owned(),
        Cause::Decided(Decision::Forgotten) => "an earlier call is written off as spent".to_owned(),
        Cause::Decided(Decision::Accepted) => "taken as it is".to_owned(),
        Cause::UnderWay => "paid for already: asked for again, for nothing".to_owned(),
        Cause::RejectedAccepted => "not the picture asked for, taken as it is".to_owned(),
        Cause::Held => "edits wait until it is no longer held".to_owned(),
        Cause::SeedTaken { .. }
        | Cause::FieldsAssumed(_)
        | Cause::RowElsewhere { .. }
        | Cause::RecipeChanged { .. }
        | Cause::VarChanged { .. }
        | Cause::RenditionAdded(_)
        | Cause::RenditionRemoved(_)
        | Cause::RenditionChanged { .. }
        | Cause::RowChanged { .. }
        | Cause::RowEdited { .. }
        | Cause::LabelChanged { .. } => return None,
    };
    Some(super::terminal(&told).into_owned())
}

/// Says what is in doubt, and how to decide.
fn in_doubt(doubt: Doubt, why: Option<&str>) -> String {
    let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
    let what = match doubt {
        Doubt::Unknown => "an earlier call was sent and may be paid for, its outcome is unknown",
        Doubt::Rejected => "paid for, and not the picture asked for",
        Doubt::Withheld => "paid for, and no picture that can be used",
        Doubt::Lost => "paid for, and lost",
        Doubt::Failed => "the service failed three times",
        Doubt::Judged => "the service judged the prompt or the picture, and may have charged for it",
    };
    format!("{what}{why}: {}", ways_out(doubt))
}

/// Says how to decide about a doubt: each choice with what it means, and where its option is explained. The option
/// itself is not named: it spends money, and what is named gets copied.
pub fn ways_out(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Unknown => {
            "send it again, and maybe pay twice, or write it off as spent (`pixform apply --help` tells how)"
        }
        Doubt::Rejected => "take it as it is, or buy another (`pixform apply --help` tells how)",
        Doubt::Withheld => "buy another, or change its recipe (`pixform apply --help` tells how)",
        Doubt::Lost => "buy it again, or change its recipe (`pixform apply --help` tells how)",
        Doubt::Failed => "ask again, or change its recipe (`pixform apply --help` tells how)",
        Doubt::Judged => {
            "change its prompt, or `take` for another seed, or ask for the same again (`pixform apply --help` tells how)"
        }
    }
}
