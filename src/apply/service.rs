//! A service as one picture sees it, and why it is asked no more.

use std::sync::Arc;

use crate::asset::{Asset, Cost, GeneratorName};
use crate::generator::Generator;

use super::pacing::Pacing;
use super::stop::NotAskedBecause;

/// A service as one picture sees it.
pub struct AskedService<'s> {
    /// How it is asked.
    pub generator: &'s Arc<dyn Generator>,
    /// Whether its calls cost money.
    pub cost: Cost,
    /// How fast it may be asked.
    pub pacing: &'s Pacing,
    /// Its name.
    pub name: &'s GeneratorName,
}

impl AskedService<'_> {
    /// Tells why nothing is asked for any more, where that is so.
    pub fn stopped(&self, asset: &Asset) -> Option<NotAskedBecause> {
        let model = &asset.recipe.model;
        let everything = self.pacing.is_closed().then(|| NotAskedBecause::Closed(self.name.clone()));
        everything.or_else(|| {
            let why = self.pacing.losses().stopped(model.as_deref())?;
            Some(NotAskedBecause::Model { generator: self.name.clone(), model: model.clone(), why })
        })
    }

    /// Waits until nothing is asked for any more.
    pub async fn stopping(&self, asset: &Asset) -> NotAskedBecause {
        loop {
            tokio::select! {
                () = self.pacing.closing() => {}
                () = self.pacing.losses().stopping(asset.recipe.model.as_deref()) => {}
            }
            if let Some(why) = self.stopped(asset) {
                return why;
            }
        }
    }
}
