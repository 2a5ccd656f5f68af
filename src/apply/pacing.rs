//! Pacing: when a service may be asked next, by everybody in this run together.
//!
//! Slots bound what is under way. Turns bound how often something new is asked for: never more than so many in any
//! minute, which a token bucket would not promise, since it lets through a full bucket and a minute's refill. A service
//! that asks for a pause gets it from everybody; one that says no to everything is not asked again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use crate::asset::{Cost, GeneratorName, Pace};
use crate::record::Account;
use crate::state::{HistoryQuery, StateError};
use crate::world::World;

use super::losses::Losses;
use super::{ApplyError, Options, Work};

/// The minute in which turns are counted, and a second more: requests do not arrive in equal time.
const WINDOW: Duration = Duration::from_secs(61);
/// The first delay before a repeat.
const DELAY_FIRST: Duration = Duration::from_millis(500);
/// Pauses from this length on are told of.
const TOLD_FROM: Duration = Duration::from_secs(1);
/// How much later a pause has to end than was told, to be told of again.
const TOLD_AGAIN_FROM: Duration = Duration::from_secs(5);
/// The longest delay before a repeat.
const DELAY_MAX: Duration = Duration::from_secs(30);

/// The pace of every service of a run; names of one account have it together.
pub type Pacings = BTreeMap<GeneratorName, Arc<Pacing>>;

/// The pace of one account in one run.
pub struct Pacing {
    slots: Arc<Semaphore>,
    /// What the run as a whole may have under way, where that is bounded.
    run_slots: Option<Arc<Semaphore>>,
    pace: Pace,
    turns: Mutex<Turns>,
    closed: watch::Sender<bool>,
    cost: Cost,
    account: Option<Account>,
    losses: Losses,
}

/// Who pays for calls.
#[derive(Debug, Clone, Copy)]
pub struct Payer {
    /// Whether anybody does.
    pub cost: Cost,
    /// The account, where the service has one.
    pub account: Option<Account>,
}

#[derive(Default)]
struct Turns {
    /// When something was asked for, within [`WINDOW`].
    asked: VecDeque<Instant>,
    last: Option<Instant>,
    paused_until: Option<Instant>,
    /// The end of a pause that people were told.
    told_until: Option<Instant>,
}

/// A place among what is under way; given back when it is dropped.
pub struct Slot {
    _service: OwnedSemaphorePermit,
    _run: Option<OwnedSemaphorePermit>,
}

impl Pacing {
    /// Begins a run's pace; `recent` tells how long ago earlier runs asked.
    pub fn new(payer: Payer, pace: Pace, run_slots: Option<Arc<Semaphore>>, recent: &[Duration]) -> Self {
        let Payer { cost, account } = payer;
        let now = Instant::now();
        let mut asked: Vec<Instant> = recent.iter().filter_map(|ago| now.checked_sub(*ago)).collect();
        asked.sort_unstable();
        let turns = Turns { asked: asked.into(), ..Turns::default() };
        let slots = Arc::new(Semaphore::new(pace.concurrency));
        let (closed, losses) = (watch::Sender::new(false), Losses::default());
        Self { slots, run_slots, pace, turns: Mutex::new(turns), closed, cost, account, losses }
    }

    /// Returns how the service may be asked.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Tells whether its calls cost money.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Returns the account, where the service has one.
    pub fn account(&self) -> Option<Account> {
        self.account
    }

    /// Returns what was lost at its models.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Waits for a slot.
    pub async fn slot(&self) -> Slot {
        let permit = |slots: &Arc<Semaphore>| Arc::clone(slots).acquire_owned();
        // The service's own first: who waits for it must not keep another service's pictures waiting.
        let service = permit(&self.slots).await.expect("slots are never closed");
        let run = match &self.run_slots {
            Some(slots) => Some(permit(slots).await.expect("slots are never closed")),
            None => None,
        };
        Slot { _service: service, _run: run }
    }

    /// Waits until something new may be asked for, and counts it.
    pub async fn turn(&self) {
        loop {
            let wait = self.take_turn(Instant::now());
            match wait {
                Ok(()) => return,
                Err(until) => sleep_until(until).await,
            }
        }
    }

    /// Takes a turn now, or tells when to ask again.
    fn take_turn(&self, now: Instant) -> Result<(), Instant> {
        let mut turns = self.turns();
        while turns.asked.front().is_some_and(|asked| *asked + WINDOW <= now) {
            turns.asked.pop_front();
        }
        let full = self.pace.images_per_minute.filter(|most| turns.asked.len() as u64 >= *most);
        let window = full.and_then(|most| {
            let oldest = turns.asked.len() - most as usize;
            turns.asked.get(oldest).map(|asked| *asked + WINDOW)
        });
        let interval = turns.last.map(|last| last + self.pace.min_interval);
        let until = [window, interval, turns.paused_until].into_iter().flatten().max();
        match until.filter(|until| *until > now) {
            Some(until) => Err(until),
            None => {
                turns.last = Some(now);
                if self.pace.images_per_minute.is_some() {
                    turns.asked.push_back(now);
                }
                Ok(())
            }
        }
    }

    /// Lets nobody ask for so long. Returns the pause's end where people have to be told of it: once for a pause, however
    /// many pictures met it, and once more where it is drawn out. Nobody is waited for beyond the deadline of a picture.
    #[must_use]
    pub fn pause(&self, pause: Duration) -> Option<SystemTime> {
        let pause = pause.min(self.pace.deadline);
        let now = Instant::now();
        let until = now + pause;
        let mut turns = self.turns();
        turns.paused_until = Some(turns.paused_until.map_or(until, |known| known.max(until)));
        let told = turns.told_until.filter(|told| *told > now);
        if pause < TOLD_FROM || told.is_some_and(|told| until <= told + TOLD_AGAIN_FROM) {
            return None;
        }
        turns.told_until = Some(until);
        let end = SystemTime::now() + pause;
        let seconds = pause.as_secs();
        tracing::info!(seconds, end = httpdate::fmt_http_date(end), "nothing is asked for: the service needs a pause");
        Some(end)
    }

    /// Tells whether the service needs a pause now.
    pub fn is_paused(&self) -> bool {
        self.paused_until().is_some()
    }

    fn paused_until(&self) -> Option<Instant> {
        self.turns().paused_until.filter(|until| *until > Instant::now())
    }

    /// Waits until a pause that the service asked for is over.
    pub async fn pause_over(&self) {
        loop {
            match self.paused_until() {
                Some(until) => sleep_until(until).await,
                None => return,
            }
        }
    }

    /// Lets nobody ask any more in this run.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// Tells whether nobody may ask any more.
    pub fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Waits until nobody may ask any more.
    pub async fn closing(&self) {
        // The sender lives as long as `self`.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the delay before the n-th repeat: full jitter, so that those who failed together do not return together.
///
/// Source: <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>, read 2026-11-23.
pub fn backoff(repeat: u32) -> Duration {
    let bound = DELAY_FIRST.saturating_mul(1 << repeat.min(16)).min(DELAY_MAX);
    bound.mul_f64(fastrand::f64())
}

/// Returns the pause before the next poll: 5 % of the time so far, at least 100 ms, at most 5 s.
pub fn poll_pause(so_far: Duration) -> Duration {
    so_far.mul_f64(0.05).clamp(Duration::from_millis(100), Duration::from_secs(5))
}

/// Begins the pace of every service that a plan needs; what earlier runs asked for in the last minute counts.
pub async fn pacings(world: &World, works: &[Work<'_>], options: &Options<'_>) -> Result<Pacings, ApplyError> {
    let names: BTreeSet<&GeneratorName> =
        works.iter().flat_map(|work| &work.plan.changes).filter_map(|change| change.generator.as_ref()).collect();
    let run_slots = options.parallelism.map(|most| Arc::new(Semaphore::new(most)));
    let store = world.state.known().await?.store.unwrap_or_default();
    let mut shared: Vec<SharedPace<'_>> = Vec::new();
    for name in names {
        let Some(service) = world.service(name) else { continue };
        let account = service.generator.account(&store);
        let payer = Payer { cost: service.cost, account };
        match shared.iter_mut().find(|sharing| account.is_some() && sharing.payer.account == account) {
            Some(sharing) => {
                sharing.pace = slower(sharing.pace, service.pace);
                sharing.names.push(name);
            }
            None => shared.push(SharedPace { payer, pace: service.pace, names: vec![name] }),
        }
    }
    let recent = match shared.iter().any(|sharing| sharing.pace.images_per_minute.is_some()) {
        true => last_minute(world).await?,
        false => Vec::new(),
    };
    let mut pacings = Pacings::new();
    for SharedPace { payer, pace, names } in shared {
        let ours = |asked: &&RecentCall| match (asked.account, payer.account) {
            (Some(asked), Some(account)) => asked == account,
            // Lines of earlier versions name no account.
            _ => names.iter().any(|name| name.as_str() == asked.service),
        };
        let asked: Vec<Duration> = recent.iter().filter(ours).map(|asked| asked.ago).collect();
        let pacing = Arc::new(Pacing::new(payer, pace, run_slots.clone(), &asked));
        pacings.extend(names.into_iter().map(|name| (name.clone(), Arc::clone(&pacing))));
    }
    Ok(pacings)
}

/// Names that share an account.
struct SharedPace<'s> {
    payer: Payer,
    pace: Pace,
    names: Vec<&'s GeneratorName>,
}

/// Returns the pace that keeps to two of them.
fn slower(one: Pace, other: Pace) -> Pace {
    Pace {
        concurrency: one.concurrency.min(other.concurrency),
        images_per_minute: [one.images_per_minute, other.images_per_minute].into_iter().flatten().min(),
        min_interval: one.min_interval.max(other.min_interval),
        deadline: one.deadline.max(other.deadline),
    }
}

/// A call of the last minute.
struct RecentCall {
    service: String,
    account: Option<Account>,
    ago: Duration,
}

/// Returns the calls of the last minute.
async fn last_minute(world: &World) -> Result<Vec<RecentCall>, StateError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or_default();
    let window = i64::try_from(WINDOW.as_millis()).unwrap_or_default();
    let query = HistoryQuery { since: Some(now - window), ..HistoryQuery::default() };
    let mut calls = Vec::new();
    world
        .state
        .history(&query, &mut |line| {
            let ago = Duration::from_millis(u64::try_from(now - line.call.created_at).unwrap_or_default());
            calls.push(RecentCall { service: line.call.service, account: line.call.account, ago });
        })
        .await?;
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAID: Payer = Payer { cost: Cost::Paid, account: None };

    fn pace(images_per_minute: Option<u64>, min_interval: u64) -> Pace {
        Pace {
            concurrency: 4,
            images_per_minute,
            min_interval: Duration::from_millis(min_interval),
            deadline: Duration::from_secs(100),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_has_more_turns_than_it_may() {
        let pacing = Pacing::new(PAID, pace(Some(20), 0), None, &[]);
        let mut turns = Vec::new();
        for _ in 0..70 {
            pacing.turn().await;
            turns.push(Instant::now());
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
        for window in turns.windows(21) {
            assert!(window[20] - window[0] > Duration::from_secs(60));
        }
        let took = turns[69] - turns[0];
        assert!(took < Duration::from_secs(200), "it waits no longer than it has to: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_earlier_runs_asked_for_counts() {
        let begun = Instant::now();
        let recent: Vec<_> = (0..20).map(|second| Duration::from_secs(30 + second)).collect();
        let pacing = Pacing::new(PAID, pace(Some(20), 0), None, &recent);
        pacing.turn().await;
        let waited = begun.elapsed();
        assert!(waited >= Duration::from_secs(11) && waited < Duration::from_secs(13), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn turns_keep_their_interval_and_a_pause_holds_for_all() {
        let pacing = Pacing::new(PAID, pace(None, 250), None, &[]);
        let begun = Instant::now();
        for _ in 0..5 {
            pacing.turn().await;
        }
        assert_eq!(begun.elapsed().as_millis(), 1_000);
        assert!(pacing.pause(Duration::from_secs(7)).is_some());
        assert!(pacing.pause(Duration::from_secs(2)).is_none());
        pacing.turn().await;
        assert_eq!(begun.elapsed().as_millis(), 8_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_told_once_and_again_only_where_it_is_drawn_out() {
        let pacing = Pacing::new(PAID, pace(None, 0), None, &[]);
        let told = |seconds: f64| pacing.pause(Duration::from_secs_f64(seconds)).is_some();
        assert!(!told(0.9), "nobody notices it");
        assert!(told(30.0));
        assert!(!told(30.0) && !told(33.0) && !told(1.0));
        assert!(told(60.0), "its end is another one by far");
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(told(2.0), "the next pause");
    }

    #[tokio::test(start_paused = true)]
    async fn slots_are_given_back() {
        let pacing = Pacing::new(PAID, pace(None, 0), Some(Arc::new(Semaphore::new(2))), &[]);
        let (one, two) = (pacing.slot().await, pacing.slot().await);
        let third = tokio::time::timeout(Duration::from_secs(1), pacing.slot()).await;
        assert!(third.is_err(), "the run has two slots");
        drop((one, two));
        pacing.slot().await;
    }

    #[test]
    fn delays_grow_and_have_a_bound() {
        for repeat in 0..40 {
            assert!(backoff(repeat) <= DELAY_MAX);
        }
        assert!((0..1_000).all(|_| backoff(0) <= DELAY_FIRST));
        assert!((0..1_000).any(|_| backoff(6) > DELAY_FIRST));
    }

    #[test]
    fn a_poll_comes_after_a_twentieth_of_the_time() {
        for (so_far, pause) in [(0, 100), (1_000, 100), (20_000, 1_000), (600_000, 5_000)] {
            assert_eq!(poll_pause(Duration::from_millis(so_far)), Duration::from_millis(pause));
        }
    }
}
