//! Keeping: what came of a task, written down, and the picture stored before anything else.
//!
//! A picture that is paid for is put for as long as the store may come back. Where it does not, nothing is lost: the line says
//! that it came, and the next run fetches it again, for as long as the service has it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::asset::{Asset, Cost};
use crate::generator::Meaning;
use crate::imaging::{Decoded, Remark, Transparency, undecodable};
use crate::process::Process;
use crate::record::{CallStatus, FAILED_MAX, Original};
use crate::state::CallFact;
use crate::storage::StorageError;

use super::barred::Untaken;
use super::buyer::{Again, Buyer, OtherSeed, PictureOrder};
use super::fetch::{Arrived, Came, Fetched};
use super::original::{Made, original_of, put, rejected_of};
use super::pacing::{Slot, backoff};
use super::service::AskedService;
use super::stop::{Go, Why};
use super::{ApplyError, Event, crash_point};

impl Buyer<'_> {
    /// Writes down what came of a task.
    pub(super) async fn came(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        call: &str,
        came: Came<'_>,
        slot: Option<Slot>,
    ) -> Result<Made, PictureEnd> {
        let key = order.asset.key.clone();
        match came {
            Came::Picture(fetched) => Ok(self.store(service, order, call, fetched, slot).await?),
            // Nobody decides about what cost nothing.
            Came::Rejected { why, .. } if service.cost == Cost::Free => {
                self.settle(call, CallStatus::Rejected, &why).await?;
                Err(PictureEnd::Final(ApplyError::Rejected { key, why }))
            }
            Came::Rejected { why, file } => {
                let cost = file.as_ref().and_then(|file| file.picture.cost);
                let kept = match file {
                    Some(file) => Some(self.put(service, order, rejected_of(order.recipe, &file), &file).await?),
                    None => None,
                };
                let sha256 = kept.as_ref().map(|kept| kept.sha256);
                let reason = Some(why.clone());
                let original = kept.clone();
                let rejected =
                    CallFact { sha256, original: kept, reason, cost, ..CallFact::new(call, CallStatus::Rejected) };
                self.journal.stored(rejected).await?;
                let Some(original) = original else { return Err(PictureEnd::Final(ApplyError::Withheld { key, why })) };
                Err(PictureEnd::Final(match undecodable(original.extension(), (original.width, original.height)) {
                    None => ApplyError::Rejected { key, why },
                    Some(_) => ApplyError::Withheld { key, why: format!("{why}; it is kept as `{}`", original.path) },
                }))
            }
            Came::Failed { why, meaning } => self.failed(service, order, call, why, meaning).await,
            Came::Lost(why) => {
                self.settle(call, CallStatus::Lost, &why).await?;
                Err(PictureEnd::Final(ApplyError::Lost { key, why }))
            }
            Came::NotYet(why) => Err(PictureEnd::Final(ApplyError::UnderWay { key, why })),
        }
    }

    /// Writes down that the service failed at a picture, and tells whether the same is asked for once more.
    async fn failed(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        call: &str,
        why: String,
        meaning: Meaning,
    ) -> Result<Made, PictureEnd> {
        let key = order.asset.key.clone();
        // Nobody documents whether a task that fails is charged.
        let less = |charged: u64| Some(charged.saturating_sub(order.price.0));
        // What an earlier run paid for costs this one nothing, and has no price here.
        let _ = self.tally.charged.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.count_failed(service);
        if meaning == Meaning::Verdict {
            self.settle(call, CallStatus::Judged, &why).await?;
            return Err(PictureEnd::Final(ApplyError::Judged { key, why }));
        }
        self.settle(call, CallStatus::Failed, &why).await?;
        let lines = self.world.state.calls(&[order.recipe], &Process::liveness).await.map_err(ApplyError::from)?;
        let failed = lines.iter().filter(|line| line.call.status == CallStatus::Failed && line.call.decision.is_none());
        match failed.count() {
            failed if failed >= FAILED_MAX => Err(PictureEnd::Final(ApplyError::FailedRepeatedly { key, why })),
            failed => Err(PictureEnd::Again(Again::After(backoff(failed as u32)))),
        }
    }

    /// Stores a picture that is the one asked for.
    async fn store(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        call: &str,
        fetched: Fetched<'_>,
        slot: Option<Slot>,
    ) -> Result<Made, ApplyError> {
        let Fetched { file, decoded, room: _ } = fetched;
        self.remark(order, &decoded);
        let cost = file.picture.cost;
        let written = match service.cost {
            Cost::Paid => {
                let received =
                    CallFact { sha256: Some(file.sha256), cost, ..CallFact::new(call, CallStatus::Received) };
                let written = self.journal.fact(received).await;
                crash_point("paid-received");
                written
            }
            // What nobody paid for is made again where it is lost: one line less to wait for.
            Cost::Free => Ok(()),
        };
        let original = self.put(service, order, original_of(order.recipe, &file), &file).await;
        // Before the slot is given back: who cannot store must not buy more.
        if let Err(error) = &original {
            if error.ends_the_run() {
                self.stop.ask(Why::Broken);
            }
            if let ApplyError::NotStored { source, .. } = error {
                self.barred.learn(order.asset, Untaken::Original, source);
            }
        }
        drop(slot);
        let original = original?;
        if let (Some(asked), Some(used)) = (order.asset.recipe.seed, original.seed)
            && asked != used
        {
            let (collection, key) = (self.collection.clone(), order.asset.key.clone());
            let mut seeds = self.tally.seeds.lock().unwrap_or_else(PoisonError::into_inner);
            seeds.push(OtherSeed { collection, key, asked, used });
        }
        let finished = CallFact { original: Some(original.clone()), cost, ..CallFact::new(call, CallStatus::Finished) };
        self.journal.stored(finished).await?;
        crash_point("finished");
        written.map(|()| Made { original, decoded: Some(Arc::new(decoded)) })
    }

    /// Tells what is remarkable about a picture.
    fn remark(&self, order: &PictureOrder<'_>, decoded: &Decoded) {
        let asked = order.asset.recipe.is_transparent();
        let opaque = (asked && decoded.transparency() == Transparency::None).then_some(Remark::Opaque);
        for remark in decoded.remarks().iter().copied().chain(opaque) {
            (self.listen)(Event::Remarked { collection: self.collection, key: &order.asset.key, remark });
        }
    }

    /// Announces and puts an original. One that cannot be announced is put all the same, for there it is found again.
    async fn put(
        &self,
        service: &AskedService<'_>,
        order: &PictureOrder<'_>,
        original: Original,
        file: &Arrived,
    ) -> Result<Original, ApplyError> {
        let refused = self.journal.announce_original(original.clone()).await;
        crash_point("original-announced");
        if refused.is_ok_and(|refused| !refused.is_empty()) {
            return Err(ApplyError::BeingDeleted { path: original.path });
        }
        let key = || order.asset.key.clone();
        tokio::select! {
            put = put(self.world, &original, file) => match put {
                Ok(()) => Ok(original),
                Err(source) if service.cost == Cost::Free => Err(ApplyError::Storage(source)),
                Err(source) => Err(ApplyError::NotStored { key: key(), source }),
            },
            why = self.out_of_time() => Err(ApplyError::UnderWay { key: key(), why }),
        }
    }

    /// Waits until the time of the run is up while the store does not do what it is asked: what it does is waited for.
    async fn out_of_time(&self) -> String {
        self.stop.reached(Go::Leave).await;
        self.world.health.unwell().await;
        "the time of the run was up before the storage took it".to_owned()
    }

    /// Learns from a published file that was not taken.
    pub(super) fn learn(&self, asset: &Asset, error: &StorageError) {
        self.barred.learn(asset, Untaken::Rendition, error);
    }

    pub(super) async fn settle(&self, call: &str, status: CallStatus, reason: &str) -> Result<(), ApplyError> {
        self.journal.fact(CallFact { reason: Some(reason.to_owned()), ..CallFact::new(call, status) }).await
    }
}

/// How a call ended without a picture.
pub(super) enum PictureEnd {
    Final(ApplyError),
    Again(Again),
}

impl From<ApplyError> for PictureEnd {
    fn from(error: ApplyError) -> Self {
        Self::Final(error)
    }
}
