//! Elsewhere: somebody else makes the same picture, or has made it since the plan; it is taken over, and not paid for again.

use std::time::Duration;

use tokio::time::Instant;

use crate::digest::ContentDigest;
use crate::process::Process;

use super::announce::rely;
use super::buyer::{Again, Bought, Buyer, PictureOrder};
use super::original::{Made, decode};
use super::service::AskedService;
use super::stop::Go;
use super::{ApplyError, Stage};

/// How often somebody else's open call is looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// What is known of somebody else's work on the same picture.
#[derive(Default)]
pub(super) struct Elsewhere {
    /// Since when it is waited for.
    pub since: Option<Instant>,
    /// The digest of an original whose file is gone.
    pub gone: Option<ContentDigest>,
}

impl<'b> Buyer<'b> {
    /// Looks whether somebody else has made the picture by now, and waits a little where they are still at it.
    pub(super) async fn made_elsewhere(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        elsewhere: &mut Elsewhere,
    ) -> Result<Option<Bought<'b>>, ApplyError> {
        self.tell(order, Stage::Elsewhere);
        let original = self.world.state.originals(&[order.recipe]).await?.pop();
        if let Some(original) = original.filter(|original| elsewhere.gone != Some(original.sha256)) {
            // It is relied on from here on, and looked at after that: a run of gc may have been about to delete it.
            let gone = rely(self.world, vec![original.path.clone()]).await?;
            let size = self.world.storage.size(&original.path).await?;
            if !gone.is_empty() || size != Some(original.bytes) {
                // It was made, and its file is gone: this is why it is bought again.
                elsewhere.gone = Some(original.sha256);
                return Ok(None);
            }
            let permit = self.room(order.asset).await?;
            let decoded = match decode(self.world, &order.asset.key, &original).await {
                Err(ApplyError::Damaged { .. }) => {
                    // Its bytes are others: the plan said so, and what another picture costs.
                    elsewhere.gone = Some(original.sha256);
                    return Ok(None);
                }
                decoded => decoded?,
            };
            return Ok(Some(Bought { made: Made { original, decoded: Some(decoded) }, permit }));
        }
        if elsewhere.since.get_or_insert_with(Instant::now).elapsed() > service.pacing.pace().deadline {
            return Err(ApplyError::MadeElsewhere { key: order.asset.key.clone() });
        }
        loop {
            self.wait(Again::After(PAUSE)).await;
            let lines = self.world.state.calls(&[order.recipe], &Process::liveness).await?;
            let at_it = lines.iter().any(|line| !line.abandoned && line.call.status.is_open());
            let waited = elsewhere.since.get_or_insert_with(Instant::now).elapsed();
            // Without a slot and without a turn: those are for pictures that are bought.
            if !at_it || waited > service.pacing.pace().deadline || self.stop.go() > Go::On {
                return Ok(None);
            }
        }
    }
}
