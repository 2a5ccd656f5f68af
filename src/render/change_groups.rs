//! Changes put together: assets that share an action and its edits are listed together, and the edits are told once.

use std::collections::{HashMap, HashSet};

use crate::asset::{MicroUsd, Place};
use crate::plan::{Action, Change, CollectionPlan};

use super::action_signs::EarlierPicture;
use super::change_edits::{Edit, edits};
use super::quantities;
use super::remark_text::remarks;

/// Changes of one action that are told alike; long lists are cut family by family.
pub(super) struct Family<'p> {
    /// What is done.
    pub action: Action,
    /// What is found.
    pub before: EarlierPicture,
    /// Its groups, in manifest order of their first assets.
    pub groups: Vec<Group<'p>>,
}

/// Changes that share their edits.
pub(super) struct Group<'p> {
    /// The assets, in manifest order.
    pub members: Vec<Member<'p>>,
    /// What was edited.
    pub edits: Vec<Edit<'p>>,
    /// The places of each edit.
    places: Vec<HashSet<&'p Place>>,
}

/// One asset and what is true of it alone.
pub(super) struct Member<'p> {
    /// Its change.
    pub change: &'p Change,
    /// What is said beside it; safe for a terminal.
    pub remarks: Vec<String>,
}

/// What makes a family: action, what is found, codes of the remarks, labels of the edits.
type FamilyKey = (Action, EarlierPicture, Vec<&'static str>, Vec<String>);

/// Groups the changes of a collection, by action and then in manifest order.
pub(super) fn families(collection: &CollectionPlan) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    let mut family_numbers: HashMap<FamilyKey, usize> = HashMap::new();
    let mut group_numbers: HashMap<(usize, Vec<Edit<'_>>), usize> = HashMap::new();
    for change in &collection.changes {
        let edits = edits(change);
        let (mut codes, remarks): (Vec<_>, Vec<_>) = remarks(&collection.name, change).into_iter().unzip();
        codes.dedup();
        let (action, before) = (change.action, EarlierPicture::of(change));
        let labels = edits.iter().map(|edit| edit.label.to_string()).collect();
        let number = *family_numbers.entry((action, before, codes, labels)).or_insert_with(|| {
            families.push(Family { action, before, groups: Vec::new() });
            families.len() - 1
        });
        let groups = &mut families[number].groups;
        let group = *group_numbers.entry((number, edits.clone())).or_insert_with(|| {
            groups.push(Group { members: Vec::new(), places: vec![HashSet::new(); edits.len()], edits: edits.clone() });
            groups.len() - 1
        });
        groups[group].members.push(Member { change, remarks });
        for (places, edit) in groups[group].places.iter_mut().zip(&edits) {
            places.extend(edit.place);
        }
    }
    families.sort_by_key(|family| (family.action, family.before));
    families
}

impl Family<'_> {
    /// Returns how many assets it has.
    pub(super) fn len(&self) -> usize {
        self.groups.iter().map(|group| group.members.len()).sum()
    }
}

impl Group<'_> {
    /// Returns where the numbered edit was made and how many use it: `manifest.yaml:64, used by both`.
    pub(super) fn used(&self, edit: usize) -> String {
        let place = self.edits[edit].place.map(|place| {
            let others = self.places[edit].len().saturating_sub(1);
            let more = if others == 0 {
                String::new()
            } else {
                format!(" and {}", quantities::count(others as u64, "more place"))
            };
            format!("{}:{}{more}", place.file, place.line)
        });
        let users = match self.members.len() {
            0 | 1 => None,
            2 => Some("used by both".to_owned()),
            many => Some(format!("used by all {}", quantities::number(many as u64))),
        };
        [place, users].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Returns what some changes cost together.
pub(super) fn cost<'p>(members: impl Iterator<Item = &'p Member<'p>>) -> MicroUsd {
    MicroUsd(members.map(|member| member.change.price.0).sum())
}
