//! Routes: where the lines of `moved` lead a recorded key.
//!
//! A record goes where the most exact line leads it. A line may lead to a key that only another line knows, which leads on
//! from there: so a state that is several renames behind catches up at once. Two lines of equal exactness that disagree
//! are a mistake.

use crate::asset::{AssetKey, CollectionName, Heads, Place};
use crate::glob::GlobIndex;
use crate::manifest::{MOVED_CHAIN_MAX, Manifest, Moved};

/// Two lines of `moved` that cannot both be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoLines {
    /// The collection of the record that both are about.
    pub collection: CollectionName,
    /// Its key.
    pub key: AssetKey,
    /// Where each leads it, and where it stands.
    pub lines: [(AssetKey, Place); 2],
    /// What is wrong with the two.
    pub conflict: Conflict,
}

/// What is wrong with two lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Neither is more exact.
    EquallyExact,
    /// The second begins at the key that the first leads to, in the collection that is only being made.
    OneAfterTheOther,
}

/// The lines of a manifest, by where they begin.
pub struct Routes<'m> {
    manifest: &'m Manifest,
    heads: &'m Heads,
    starts: GlobIndex,
}

/// Where one line leads a record.
#[derive(Debug, Clone)]
pub struct Route<'m> {
    /// The declared key.
    pub to: AssetKey,
    /// The line.
    pub line: &'m Moved,
}

impl<'m> Routes<'m> {
    /// Sorts the lines of a manifest.
    pub fn new(manifest: &'m Manifest, heads: &'m Heads) -> Self {
        Self { manifest, heads, starts: GlobIndex::new(manifest.moved.iter().map(|line| &line.from)) }
    }

    /// Returns where a record is led; `done` tells of keys that it was led to before.
    ///
    /// # Errors
    /// Where two lines of equal exactness lead to different keys.
    pub fn of(
        &self,
        collection: &CollectionName,
        key: &AssetKey,
        done: impl Fn(&AssetKey) -> bool,
    ) -> Result<Option<Route<'m>>, TwoLines> {
        let itself = |to: &AssetKey| *collection == self.manifest.name && to == key;
        let routes = self.lines(collection, key.as_str()).filter_map(|line| {
            let to = self.leads(line, key.as_str())?;
            (!itself(&to) && !done(&to)).then_some(Route { to, line })
        });
        let mut routes = routes.peekable();
        let Some(first) = routes.next() else { return Ok(None) };
        let rank = first.line.exactness();
        match routes.take_while(|other| other.line.exactness() == rank).find(|other| other.to != first.to) {
            None => Ok(Some(first)),
            Some(other) => {
                let lines = [(first.to, first.line.place.clone()), (other.to, other.line.place.clone())];
                let (collection, key, conflict) = (collection.clone(), key.clone(), Conflict::EquallyExact);
                Err(TwoLines { collection, key, lines, conflict })
            }
        }
    }

    /// Returns the lines that begin at a key, the most exact first.
    fn lines(&self, collection: &CollectionName, key: &str) -> impl Iterator<Item = &'m Moved> + use<'m> {
        // The lines of a manifest are sorted by how exact they are, and their numbers ascend.
        let mut matching = Vec::new();
        self.starts.find(key, &mut matching);
        let manifest = self.manifest;
        let lines = matching.into_iter().map(move |number| &manifest.moved[number as usize]);
        lines.filter(|line| line.from_collection == *collection).collect::<Vec<_>>().into_iter()
    }

    /// Returns the declared key that a line leads to, through keys that only other lines know.
    fn leads(&self, line: &Moved, key: &str) -> Option<AssetKey> {
        let mut target = line.fill(key)?;
        for _ in 0..MOVED_CHAIN_MAX {
            if let Some(index) = self.heads.find(&target) {
                return Some(self.heads.all()[index].key.clone());
            }
            let next = self.lines(&self.manifest.name, &target).next()?;
            target = next.fill(&target)?;
        }
        None
    }
}
