//! Looks: what is asked of the storage about originals, in as few questions as there can be.
//!
//! A folder on this machine is asked about each file: that takes no time. A store behind a network is listed instead,
//! once for the whole plan, as soon as that takes fewer questions.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::asset::ObjectPath;
use crate::digest::{ContentDigest, RecipeDigest};
use crate::imaging::{BYTES_MAX, renders_otherwise};
use crate::record::Original;
use crate::world::{Listing, ORIGINALS, Reach, StoredOriginal, WorldError};

use super::Gathering;

/// Files of one page of a listing.
const PAGE: u64 = 1_000;
/// From this many recipes on, all originals of a store on this machine are listed at once.
const LISTED_FROM_NEAR: usize = 48;
/// Originals that are read to tell what became of their files.
const READ_MAX: usize = 64;
/// Originals that are read at once; their files are in memory meanwhile.
const READ_AT_ONCE: usize = 4;
/// The renderer before this one; there were no others.
const FIRST: u16 = 1;
/// Questions that are asked one by one in any case.
const ASKED_FAR: u64 = 2;

impl Gathering<'_> {
    /// Returns the listing of all originals, where it takes fewer questions than so many single ones, or is there.
    async fn all_originals(&self, questions: usize) -> Result<Option<&Listing>, WorldError> {
        let records: u64 = self.known.collections.iter().map(|collection| collection.records).sum();
        let pages = records / PAGE + 1;
        let cheaper = match self.world.reach {
            Reach::Near => questions >= LISTED_FROM_NEAR,
            Reach::Far => questions as u64 > ASKED_FAR + pages,
        };
        if !cheaper {
            return Ok(self.originals.get());
        }
        let folders = [ORIGINALS.to_owned()];
        self.originals.get_or_try_init(|| self.world.list(&folders)).await.map(Some)
    }

    /// Asks for the sizes of originals; what a listing lacks is asked for by itself.
    pub(super) async fn original_sizes(
        &self,
        paths: HashSet<ObjectPath>,
    ) -> Result<HashMap<ObjectPath, Option<u64>>, WorldError> {
        // A look at a file of this machine is no question.
        let questions = if self.world.reach == Reach::Near { 0 } else { paths.len() };
        let listing = self.all_originals(questions).await?;
        let listed = |path: &ObjectPath| listing.and_then(|listing| listing.size(path.as_str()));
        let (known, unknown): (Vec<ObjectPath>, Vec<ObjectPath>) =
            paths.into_iter().partition(|path| listed(path).is_some());
        let mut sizes = self.world.sizes(unknown).await?;
        sizes.extend(known.into_iter().map(|path| {
            let size = listed(&path);
            (path, size)
        }));
        Ok(sizes)
    }

    /// Tells of which originals an earlier renderer made other files; of a few it is looked at, more of them count as such.
    pub(super) async fn rendered_otherwise(
        &self,
        originals: &[Original],
    ) -> Result<HashSet<ContentDigest>, WorldError> {
        let (few, more) = originals.split_at(originals.len().min(READ_MAX));
        let looked = stream::iter(few).map(|original| async move {
            let bytes = self.world.storage.get(&original.path, BYTES_MAX).await?;
            // One that cannot be read any more is told of when it is to be rendered.
            let otherwise = tokio::task::spawn_blocking(move || renders_otherwise(&bytes, FIRST)).await;
            Ok::<_, WorldError>((original.sha256, matches!(otherwise, Ok(Ok(true)))))
        });
        let looked: Vec<_> = looked.buffer_unordered(READ_AT_ONCE).try_collect().await?;
        let otherwise = looked.into_iter().filter(|(_, otherwise)| *otherwise).map(|(sha256, _)| sha256);
        Ok(otherwise.chain(more.iter().map(|original| original.sha256)).collect())
    }

    /// Finds originals of recipes in the storage, whatever the state knows.
    pub(super) async fn found_originals(
        &self,
        recipes: &[RecipeDigest],
    ) -> Result<HashMap<RecipeDigest, StoredOriginal>, WorldError> {
        match self.all_originals(recipes.len()).await? {
            Some(listing) => Ok(StoredOriginal::among(listing.all(), recipes)),
            None => self.world.originals(recipes).await,
        }
    }
}
