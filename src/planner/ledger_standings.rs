//! Standings: what the ledger says about pictures that would have to be bought.

use std::collections::HashMap;

use futures::{StreamExt as _, stream};

use crate::asset::ObjectPath;
use crate::digest::{ContentDigest, RecipeDigest};
use crate::imaging::{BYTES_MAX, undecodable};
use crate::plan::{Doubt, LedgerLine, Standing, standing};
use crate::process::Process;
use crate::record::Original;
use crate::state::CallSeen;
use crate::world::WorldError;

use super::{Gathering, PlannerError};

/// Pictures that are read at once to see whether they can be taken.
const LOOKED_AT_ONCE: usize = 4;

/// What the ledger says, by recipe; nothing for recipes of free generators.
#[derive(Debug, Default)]
pub(super) struct Standings {
    /// How each recipe stands; those without lines are clear.
    pub by_recipe: HashMap<RecipeDigest, Standing>,
    /// Rejected pictures that are taken all the same and really lie there.
    pub accepted: HashMap<RecipeDigest, Original>,
    /// Why those that nothing here can decode cannot be taken.
    pub unusable: HashMap<RecipeDigest, String>,
}

impl Gathering<'_> {
    /// Reads the ledger for recipes of paid generators whose picture is nowhere.
    pub(super) async fn standings(&self, recipes: &[RecipeDigest]) -> Result<Standings, PlannerError> {
        if recipes.is_empty() {
            return Ok(Standings::default());
        }
        let state = &self.world.state;
        let calls = state.calls(recipes, &Process::liveness).await?;
        let mut lines: HashMap<RecipeDigest, Vec<LedgerLine<'_>>> = HashMap::new();
        for CallSeen { call, abandoned } in &calls {
            lines.entry(call.recipe).or_default().push(LedgerLine { call, abandoned: *abandoned });
        }
        let judged = |(recipe, lines): (RecipeDigest, Vec<LedgerLine<'_>>)| {
            (recipe, standing(&lines, self.request.verdicts, self.request.unknown_retries))
        };
        let by_recipe: HashMap<_, _> = lines.into_iter().map(judged).collect();
        let wanted = by_recipe.iter().filter_map(|(recipe, standing)| match standing {
            Standing::Accepted { sha256, .. } => Some((*recipe, *sha256)),
            Standing::Clear(_) | Standing::UnderWay | Standing::Undecided { .. } => None,
        });
        let wanted: HashMap<RecipeDigest, ContentDigest> = wanted.collect();
        let contents: Vec<ContentDigest> = wanted.values().copied().collect();
        let found = state.originals_by_content(&contents).await?;
        let paths: Vec<ObjectPath> = found.iter().map(|original| original.path.clone()).collect();
        let sizes = self.world.sizes(paths).await?;
        let accepted = found.into_iter().filter(|original| {
            wanted.get(&original.recipe) == Some(&original.sha256)
                && sizes.get(&original.path).copied().flatten() == Some(original.bytes)
        });
        let looked = stream::iter(accepted).map(|original| async move {
            let why = self.unusable(&original).await;
            (original, why)
        });
        let (mut accepted, mut unusable) = (HashMap::new(), HashMap::new());
        let mut looked = looked.buffer_unordered(LOOKED_AT_ONCE);
        while let Some((original, why)) = looked.next().await {
            match why? {
                None => drop(accepted.insert(original.recipe, original)),
                Some(why) => drop(unusable.insert(original.recipe, why)),
            }
        }
        self.name_undecodable(&by_recipe, &mut unusable).await?;
        Ok(Standings { by_recipe, accepted, unusable })
    }

    /// Tells why a picture that is to be taken all the same cannot be.
    async fn unusable(&self, original: &Original) -> Result<Option<String>, PlannerError> {
        let bytes = self.world.storage.get(&original.path, BYTES_MAX).await.map_err(WorldError::from)?;
        let error = self.world.memory.decode(&bytes).await.err();
        Ok(error.map(|error| format!("{error}; it is kept as `{}`", original.path)))
    }

    /// Tells of rejected pictures that nobody can ever take why that is, before anybody tries.
    async fn name_undecodable(
        &self,
        by_recipe: &HashMap<RecipeDigest, Standing>,
        unusable: &mut HashMap<RecipeDigest, String>,
    ) -> Result<(), PlannerError> {
        let rejected = by_recipe.iter().filter_map(|(recipe, standing)| match standing {
            Standing::Undecided { doubt: Doubt::Rejected, sha256: Some(sha256), .. } => Some((*recipe, *sha256)),
            Standing::Undecided { .. } | Standing::Accepted { .. } | Standing::Clear(_) | Standing::UnderWay => None,
        });
        let rejected: HashMap<RecipeDigest, ContentDigest> = rejected.collect();
        let contents: Vec<ContentDigest> = rejected.values().copied().collect();
        for original in self.world.state.originals_by_content(&contents).await? {
            let error = undecodable(original.extension(), (original.width, original.height));
            if let (Some(error), true) = (error, rejected.get(&original.recipe) == Some(&original.sha256)) {
                unusable.insert(original.recipe, format!("{error}; it is kept as `{}`", original.path));
            }
        }
        Ok(())
    }
}
