//! Standings: what the ledger says about pictures that would have to be bought.

use std::collections::HashMap;

use crate::asset::ObjectPath;
use crate::digest::{ContentDigest, RecipeDigest};
use crate::plan::{Line, Standing, standing};
use crate::process::Process;
use crate::record::Original;
use crate::state::CallSeen;

use super::{Gathering, PlannerError};

/// What the ledger says, by recipe; nothing for recipes of free generators.
#[derive(Debug, Default)]
pub(super) struct Standings {
    /// How each recipe stands; those without lines are clear.
    pub by_recipe: HashMap<RecipeDigest, Standing>,
    /// Rejected pictures that are taken all the same and really lie there.
    pub accepted: HashMap<RecipeDigest, Original>,
}

impl Gathering<'_> {
    /// Reads the ledger for recipes of paid generators whose picture is nowhere.
    pub(super) async fn standings(&self, recipes: &[RecipeDigest]) -> Result<Standings, PlannerError> {
        if recipes.is_empty() {
            return Ok(Standings::default());
        }
        let state = &self.world.state;
        let calls = state.calls(recipes, &Process::liveness).await?;
        let mut lines: HashMap<RecipeDigest, Vec<Line<'_>>> = HashMap::new();
        for CallSeen { call, abandoned } in &calls {
            lines.entry(call.recipe).or_default().push(Line { call, abandoned: *abandoned });
        }
        let judged = |(recipe, lines): (RecipeDigest, Vec<Line<'_>>)| {
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
        let accepted = accepted.map(|original| (original.recipe, original)).collect();
        Ok(Standings { by_recipe, accepted })
    }
}
