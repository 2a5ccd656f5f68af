//! The journal: writes what happens to many pictures at once, in as few transactions as there can be.
//!
//! Pictures flow past one another, and each has something to write down before it may go on. A task of its own collects
//! what came while the last transaction ran and writes it in the next, so that nobody waits for more than two of them.
//! Records and rows wait a little longer, for they are committed many at a time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::asset::{AssetKey, ObjectPath, TableSpec};
use crate::digest::{ContentDigest, RenditionDigest};
use crate::process::Process;
use crate::record::{NewCall, Original, Published};
use crate::state::{CallFact, Caps, Commit, Intent, Lease, Put, Right, StateError};
use crate::world::{World, WorldError};

use super::announce::patiently;
use super::commit::commit;
use super::stop::{Stop, Why};
use super::{ApplyError, crash_point};

/// Assets that are committed together at most.
const COMMIT_MAX: usize = 500;
/// How long a record waits for others.
const COMMIT_AFTER: Duration = Duration::from_millis(200);
/// How long facts wait that could not be written.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often facts are tried to be written.
const TROUBLES_MAX: u32 = 30;
/// Entries that may wait.
const WAITING_MAX: usize = 1_024;

/// What an entry is answered with.
type JournalReply<T> = oneshot::Sender<Result<T, Arc<WorldError>>>;
/// Files by the original and the rendition that they are of.
type Files = Vec<(ContentDigest, Published)>;

/// Files that are asked for, by original and rendition.
type ObjectsWanted = Vec<(ContentDigest, RenditionDigest)>;

enum Entry {
    Intend(Box<NewCall>, JournalReply<Intent>),
    Fact(Box<CallFact>, JournalReply<()>),
    /// A fact that names a file: files are synced first.
    Stored(Box<CallFact>, JournalReply<()>),
    Announce(Files, JournalReply<Vec<ObjectPath>>),
    AnnounceOriginal(Box<Original>, JournalReply<Vec<ObjectPath>>),
    Objects(ObjectsWanted, JournalReply<Files>),
    Publish(Box<Put>, JournalReply<()>),
}

/// What a journal writes to.
pub struct Book {
    /// The environment.
    pub world: Arc<World>,
    /// The collection's lease; a preview has none.
    pub lease: Option<Lease>,
    /// The run.
    pub run: String,
    /// The collection's table.
    pub table: Option<TableSpec>,
    /// What may be spent.
    pub caps: Caps,
    /// Is asked to stop where the state cannot be written.
    pub stop: Arc<Stop>,
}

/// Takes entries; each answers once it is durable.
pub struct Journal {
    entries: mpsc::Sender<Entry>,
    writer: JoinHandle<()>,
}

impl Journal {
    /// Begins to write.
    pub fn open(book: Book) -> Self {
        let (entries, waiting) = mpsc::channel(WAITING_MAX);
        Self { entries, writer: tokio::spawn(write_all(book, waiting)) }
    }

    /// Writes what is left, and ends.
    pub async fn close(self) {
        drop(self.entries);
        // Whoever waited for an entry of a writer that panicked has been told.
        let _ = self.writer.await;
    }

    /// Writes down that a call is about to be sent, unless something stands in its way.
    pub async fn intend(&self, call: NewCall) -> Result<Intent, ApplyError> {
        self.enter(|reply| Entry::Intend(Box::new(call), reply)).await
    }

    /// Writes a fact about a call.
    pub async fn fact(&self, fact: CallFact) -> Result<(), ApplyError> {
        self.enter(|reply| Entry::Fact(Box::new(fact), reply)).await
    }

    /// Writes a fact about a call that names a file which was just put.
    pub async fn stored(&self, fact: CallFact) -> Result<(), ApplyError> {
        self.enter(|reply| Entry::Stored(Box::new(fact), reply)).await
    }

    /// Remembers files about to be put; returns the paths where nothing can be put now.
    pub async fn announce(&self, files: Files) -> Result<HashSet<ObjectPath>, ApplyError> {
        let ask = async |files: &[_]| self.enter(|reply| Entry::Announce(files.to_vec(), reply)).await;
        patiently(files, |(_, file)| &file.path, ask).await
    }

    /// Remembers an original about to be put, likewise.
    pub async fn announce_original(&self, original: Original) -> Result<HashSet<ObjectPath>, ApplyError> {
        let ask = async |originals: &[Original]| {
            let original = Box::new(originals[0].clone());
            self.enter(|reply| Entry::AnnounceOriginal(original, reply)).await
        };
        patiently(vec![original], |original| &original.path, ask).await
    }

    /// Returns what was last announced for these originals in these renditions.
    pub async fn objects(&self, wanted: ObjectsWanted) -> Result<Files, ApplyError> {
        self.enter(|reply| Entry::Objects(wanted, reply)).await
    }

    /// Writes record and row of an asset, together with others; answers once they are live.
    pub async fn publish(&self, put: Put) -> Result<(), ApplyError> {
        self.enter(|reply| Entry::Publish(Box::new(put), reply)).await
    }

    async fn enter<T>(&self, entry: impl FnOnce(JournalReply<T>) -> Entry) -> Result<T, ApplyError> {
        let (reply, answer) = oneshot::channel();
        self.entries.send(entry(reply)).await.map_err(|_| ApplyError::Worker)?;
        answer.await.map_err(|_| ApplyError::Worker)?.map_err(ApplyError::Journal)
    }
}

/// What is written next, by kind.
#[derive(Default)]
struct Page {
    intents: Vec<(NewCall, JournalReply<Intent>)>,
    facts: Vec<(CallFact, JournalReply<()>)>,
    /// Facts that name a file.
    stored: Vec<(CallFact, JournalReply<()>)>,
    /// How often the facts could not be written.
    troubles: u32,
    announced: Vec<(Files, JournalReply<Vec<ObjectPath>>)>,
    originals: Vec<(Original, JournalReply<Vec<ObjectPath>>)>,
    objects: Vec<(ObjectsWanted, JournalReply<Files>)>,
    puts: Vec<(Put, JournalReply<()>)>,
}

impl Page {
    fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Intend(call, reply) => self.intents.push((*call, reply)),
            Entry::Fact(fact, reply) => self.facts.push((*fact, reply)),
            Entry::Stored(fact, reply) => self.stored.push((*fact, reply)),
            Entry::Announce(files, reply) => self.announced.push((files, reply)),
            Entry::AnnounceOriginal(original, reply) => self.originals.push((*original, reply)),
            Entry::Objects(wanted, reply) => self.objects.push((wanted, reply)),
            Entry::Publish(put, reply) => self.puts.push((*put, reply)),
        }
    }
}

async fn write_all(book: Book, mut waiting: mpsc::Receiver<Entry>) {
    let mut page = Page::default();
    let mut due: Option<Instant> = None;
    loop {
        let next = match due {
            Some(due) => timeout_at(due, waiting.recv()).await.ok(),
            None => Some(waiting.recv().await),
        };
        let last = matches!(next, Some(None));
        if last {
            page.troubles = page.troubles.max(TROUBLES_MAX - 1);
        }
        if let Some(Some(entry)) = next {
            page.add(entry);
            while page.puts.len() < COMMIT_MAX
                && let Ok(entry) = waiting.try_recv()
            {
                page.add(entry);
            }
        }
        book.write(&mut page).await;
        if due.is_none() && !page.puts.is_empty() {
            due = Some(Instant::now() + COMMIT_AFTER);
        }
        if last || page.puts.len() >= COMMIT_MAX || due.is_some_and(|due| due <= Instant::now()) {
            book.publish(std::mem::take(&mut page.puts)).await;
            due = None;
        }
        if page.troubles > 0 && due.is_none() {
            due = Some(Instant::now() + AGAIN_AFTER);
        }
        if last {
            return;
        }
    }
}

impl Book {
    fn right(&self) -> Right<'_> {
        self.lease.as_ref().map_or(Right::Heartbeat { run: &self.run }, Right::Lease)
    }

    /// Writes everything but records and rows. Facts come first: they are what must not be lost.
    async fn write(&self, page: &mut Page) {
        // Those that name no file need no file to be synced, and must not fail with one that cannot be.
        let troubled = self.settle(&mut page.facts, page.troubles).await;
        let troubled = match page.stored.is_empty() {
            true => troubled,
            false => match self.world.storage.sync().await {
                Ok(()) => self.settle(&mut page.stored, page.troubles).await || troubled,
                Err(error) => {
                    let (facts, replies) = split(&mut page.stored);
                    self.answer(replies, Err::<Vec<()>, _>(error.into()));
                    tracing::debug!(facts = facts.len(), "files could not be synced");
                    troubled
                }
            },
        };
        page.troubles = if troubled { page.troubles + 1 } else { 0 };
        let Page { intents, announced, originals, objects, .. } = page;
        let state = &self.world.state;
        if !intents.is_empty() {
            let (calls, replies) = split(intents);
            let answers = state.intend(self.right(), &calls, self.caps, &Process::liveness).await;
            crash_point("intended");
            self.answer(replies, answers.map_err(WorldError::from));
        }
        if !announced.is_empty() {
            let (files, replies) = split(announced);
            let all: Files = files.iter().flatten().cloned().collect();
            let written = state.announce(&all, &Process::liveness).await;
            crash_point("announced");
            let refused = written.map(|refused| {
                let of = |files: &Files| {
                    let paths = files.iter().map(|(_, file)| file.path.clone());
                    paths.filter(|path| refused.contains(path)).collect()
                };
                files.iter().map(of).collect()
            });
            self.answer(replies, refused.map_err(WorldError::from));
        }
        if !originals.is_empty() {
            let (originals, replies) = split(originals);
            let written = state.announce_originals(&originals, &Process::liveness).await;
            let refused = written.map(|refused| {
                let of = |original: &Original| refused.iter().filter(|path| **path == original.path).cloned().collect();
                originals.iter().map(of).collect()
            });
            self.answer(replies, refused.map_err(WorldError::from));
        }
        if !objects.is_empty() {
            let (wanted, replies) = split(objects);
            let all: Vec<_> = wanted.iter().flatten().copied().collect();
            let found = state.rely_on_objects(&all).await.map(|found| {
                let of = |wanted: &ObjectsWanted| -> Files {
                    let is_wanted = |(content, file): &&(ContentDigest, Published)| {
                        wanted.contains(&(*content, file.rendition.digest))
                    };
                    found.iter().filter(is_wanted).cloned().collect()
                };
                wanted.iter().map(of).collect()
            });
            self.answer(replies, found.map_err(WorldError::from));
        }
    }

    /// Writes facts; where that fails they stay for the next time, until it has failed too often. Tells whether they stay.
    async fn settle(&self, facts: &mut Vec<(CallFact, JournalReply<()>)>, troubles: u32) -> bool {
        if facts.is_empty() {
            return false;
        }
        let (written, replies) = split(facts);
        let count = written.len();
        match self.world.state.settle(&written).await {
            Ok(()) => self.answer(replies, Ok(vec![(); count])),
            Err(error) if troubles + 1 < TROUBLES_MAX => {
                // A task whose id is not written down would be a question tomorrow.
                tracing::warn!(facts = count, "facts cannot be written, and are kept: {error}");
                facts.extend(written.into_iter().zip(replies));
                return true;
            }
            Err(error) => self.answer(replies, Err::<Vec<()>, _>(error.into())),
        }
        false
    }

    /// Commits records and rows: files first, so that what is committed refers only to what is durable.
    async fn publish(&self, puts: Vec<(Put, JournalReply<()>)>) {
        if puts.is_empty() {
            return;
        }
        let (put, replies): (Vec<Put>, Vec<_>) = puts.into_iter().unzip();
        let count = put.len();
        let keys: Vec<AssetKey> = put.iter().map(|put| put.record.key.clone()).collect();
        let written = async {
            self.world.storage.sync().await?;
            crash_point("synced");
            let whole = Commit { put, ..Commit::default() };
            let refused = commit(&*self.world.state, self.right(), self.table.as_ref(), whole).await?;
            crash_point("committed");
            Ok::<_, WorldError>(refused)
        };
        let written = written.await;
        tracing::debug!(assets = count, "committed");
        let mut refused: HashMap<AssetKey, StateError> = match written {
            Ok(refused) => refused.into_iter().collect(),
            Err(error) => return self.answer(replies, Err::<Vec<()>, _>(error)),
        };
        for (key, reply) in keys.into_iter().zip(replies) {
            let answer = refused.remove(&key).map_or(Ok(()), |error| Err(Arc::new(WorldError::from(error))));
            // Whoever asked may have been dropped at the end of the run.
            let _ = reply.send(answer);
        }
    }

    /// Answers everybody; a state that cannot be written ends the run.
    fn answer<T>(&self, replies: Vec<JournalReply<T>>, answers: Result<Vec<T>, WorldError>) {
        match answers {
            Ok(answers) => {
                for (reply, answer) in replies.into_iter().zip(answers) {
                    // Whoever asked may have been dropped at the end of the run.
                    let _ = reply.send(Ok(answer));
                }
            }
            Err(error) => {
                tracing::warn!("the journal cannot be written: {error}");
                if !matches!(error, WorldError::State(StateError::Table { .. } | StateError::Row { .. })) {
                    self.stop.ask(Why::Broken);
                }
                let error = Arc::new(error);
                for reply in replies {
                    let _ = reply.send(Err(Arc::clone(&error)));
                }
            }
        }
    }
}

/// Takes entries apart from those who wait for them.
fn split<E, T>(entries: &mut Vec<(E, JournalReply<T>)>) -> (Vec<E>, Vec<JournalReply<T>>) {
    std::mem::take(entries).into_iter().unzip()
}
