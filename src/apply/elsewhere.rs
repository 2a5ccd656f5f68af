//! Elsewhere: somebody else makes the same picture, or has made it since the plan; it is taken over, and not paid for again.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::digest::ContentDigest;
use crate::imaging::Decoded;
use crate::process::Process;
use crate::record::CallStatus;

use super::buy::{Again, Bought, Buyer, Order, Service};
use super::original::Made;
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
        service: &Service<'_>,
        order: &Order<'_>,
        elsewhere: &mut Elsewhere,
    ) -> Result<Option<Bought<'b>>, ApplyError> {
        let key = || order.asset.key.clone();
        self.tell(order, Stage::Elsewhere);
        let original = self.world.state.originals(&[order.recipe]).await?.pop();
        if let Some(original) = original.filter(|original| elsewhere.gone != Some(original.sha256)) {
            if self.world.storage.size(&original.path).await? != Some(original.bytes) {
                // It was made, and its file is gone: this is why it is bought again.
                elsewhere.gone = Some(original.sha256);
                return Ok(None);
            }
            let permit = self.room().await?;
            let bytes = super::original::fetch(self.world, &original).await?;
            let decoded = tokio::task::spawn_blocking(move || Decoded::new(&bytes)).await;
            let decoded = decoded.map_err(|_| ApplyError::Worker)?;
            let decoded = Arc::new(decoded.map_err(|source| ApplyError::Picture { key: key(), source })?);
            return Ok(Some(Bought { made: Made { original, decoded }, permit }));
        }
        if elsewhere.since.get_or_insert_with(Instant::now).elapsed() > service.pacing.pace().deadline {
            return Err(ApplyError::MadeElsewhere { key: key() });
        }
        loop {
            self.wait(Again::After(PAUSE)).await;
            let lines = self.world.state.calls(&[order.recipe], &Process::liveness).await?;
            let at_it = lines.iter().any(|line| !line.abandoned && is_open(line.call.status));
            let waited = elsewhere.since.get_or_insert_with(Instant::now).elapsed();
            // Without a slot and without a turn: those are for pictures that are bought.
            if !at_it || waited > service.pacing.pace().deadline || self.stop.go() > Go::On {
                return Ok(None);
            }
        }
    }
}

fn is_open(status: CallStatus) -> bool {
    matches!(status, CallStatus::Intended | CallStatus::Submitted | CallStatus::Received)
}
