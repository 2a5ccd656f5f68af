//! Batches: the files of many assets at once, each step for all of them before the next.

use futures::{StreamExt, stream};

use crate::digest::ContentDigest;
use crate::plan::Action;
use crate::state::Right;
use crate::world::World;

use super::accept::copy_originals;
use super::adopt::adopt;
use super::announce::announce;
use super::files::{Pictured, Prepared, file};
use super::item::{Filed, Item};
use super::publish::{Known, free, fresh, put};
use super::reuse::take_over;
use super::step::Runner;
use super::{ApplyError, Work, crash_point};

/// Files in flight at once, and pictures beside them.
const AT_ONCE: usize = 8;
/// Files that are put at once; a store behind a network bounds its requests besides.
const PUT_AT_ONCE: usize = 16;

impl Runner<'_> {
    /// Makes sure that original and published files of each item are there.
    pub(super) async fn files(
        &mut self,
        work: &Work<'_>,
        right: Right<'_>,
        items: &[Item<'_>],
    ) -> Result<Vec<Filed>, ApplyError> {
        let mut adopted = adopt(self.world, work, items).await?;
        let uncopied = copy_originals(self.world, items).await?;
        let mut originals = self.make(work, right, items).await?;
        for (slot, error) in uncopied {
            originals[slot] = Some(Err(error));
        }
        take_over(self.world, items, &mut originals).await?;
        let mut wanted = Vec::new();
        for (item, original) in items.iter().zip(&originals) {
            if let (Some(asset), Some(Ok((original, _)))) = (&item.asset, original) {
                wanted.extend(asset.renditions.iter().map(|rendition| (original.sha256, rendition.digest)));
            }
        }
        let announced = self.world.state.rely_on_objects(&wanted).await?;
        let taken: Vec<ContentDigest> =
            originals.iter().flatten().flatten().map(|(original, _)| original.sha256).collect();
        let known = Known::new(announced, self.world.state.adopted_files(&taken).await?);
        let world: &World = self.world;
        let known_files = &known;
        let each = items.iter().zip(originals).enumerate().map(|(slot, (item, original))| {
            let adopted = adopted.remove(&slot);
            async move {
                match adopted {
                    Some(filed) => filed.map(|(original, published)| Prepared::There(original, published)),
                    None => file(world, item, original, known_files).await,
                }
            }
        });
        let prepared: Vec<Result<Prepared<'_>, ApplyError>> =
            stream::iter(each.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await;
        let unheard = prepared.iter().flatten().flat_map(|prepared| match prepared {
            Prepared::There(..) => Vec::new(),
            Prepared::ToPut(target, forms) => fresh(target, forms, &known),
        });
        let refused = announce(world, unheard.collect()).await?;
        crash_point("announced");
        let (known, refused) = (&known, &refused);
        let filed: Vec<Filed> = stream::iter(prepared)
            .map(|prepared| async move {
                match prepared? {
                    Prepared::There(original, published) => Ok((original, published)),
                    Prepared::ToPut(target, forms) => {
                        free(&forms, refused)?;
                        let published = put(world, &target, forms, known).await?;
                        Ok((target.original, published))
                    }
                }
            })
            .buffered(PUT_AT_ONCE)
            .collect()
            .await;
        // What every further asset would meet too ends the run; what was made is stored and found by the next run.
        let mut kept = Vec::with_capacity(filed.len());
        for filed in filed {
            match filed {
                Err(error) if error.ends_the_run() => return Err(error),
                filed => kept.push(filed),
            }
        }
        Ok(kept)
    }

    /// Makes the pictures that have to be made.
    async fn make(
        &mut self,
        work: &Work<'_>,
        right: Right<'_>,
        items: &[Item<'_>],
    ) -> Result<Vec<Option<Pictured>>, ApplyError> {
        let mut originals: Vec<Option<Pictured>> = items.iter().map(|_| None).collect();
        let wanted = items.iter().enumerate().filter(|(_, item)| item.change.action == Action::Generate);
        for (slot, picture) in self.bought(work, right, &wanted.collect::<Vec<_>>()).await {
            originals[slot] = Some(picture);
        }
        Ok(originals)
    }
}
