//! The way to the server: connections, transactions, and what happens when either breaks.
//!
//! Every statement is an unnamed one, sent with the types of its parameters: a pooler that hands each transaction another
//! connection has no place for named ones. Nothing is set outside a transaction either. A transaction that is not
//! committed takes its connection with it, which is how the server rolls it back.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use futures::{Stream, StreamExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row};

use super::address::ServerAddress;
use super::failure::{LOCK_SECONDS, PostgresFailure, TransactionRetry};
use super::tls_proof;
use crate::secret::SafeText;
use crate::state::{Access, StateError};

/// Connections of one run: a pooler has few to share.
const CONNECTIONS_MAX: usize = 4;
/// How long a server is waited for that has answered before.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a server is waited for that never has.
const PATIENCE_FIRST: Duration = Duration::from_secs(2);
/// How long the answer to one transaction may take.
const ANSWER_TIME: Duration = Duration::from_secs(120);
/// The first pause before another attempt; it doubles up to the last.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_LAST: Duration = Duration::from_secs(2);

/// Values come back as the same text whatever a role or a database has set. Questions to the catalogue look dear to the
/// planner, and compiling one takes ten times as long as answering it (seen: 0.26 s).
const FORMATS: &str = "SET LOCAL \"TimeZone\" = 'UTC'; SET LOCAL \"DateStyle\" = 'ISO, YMD'; SET LOCAL extra_float_digits = 1; \
                       SET LOCAL bytea_output = 'hex'; SET LOCAL \"IntervalStyle\" = 'iso_8601'; SET LOCAL jit = off";

/// A parameter with its type.
pub(super) type Param<'p> = (&'p (dyn ToSql + Sync), Type);

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionKind {
    /// One statement, which is a transaction of its own.
    Statement,
    /// Several questions about one moment.
    Read,
    /// Changes.
    Write,
}

/// A Postgres database.
pub(super) struct PostgresDatabase {
    pool: Pool,
    access: Access,
    place: String,
    host: String,
    /// Whether it has answered before.
    answered: AtomicBool,
    /// Whether its tables are known to be as this program wants them.
    current: AtomicBool,
}

/// A transaction, and the connection that it holds.
pub(super) struct Transaction {
    client: Option<Object>,
    kind: TransactionKind,
}

impl Deref for Transaction {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client.as_deref().expect("a transaction has its connection until it ends")
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // What is not committed is rolled back by the server when its connection ends.
        if let Some(client) = self.client.take() {
            match self.kind {
                TransactionKind::Statement => drop(client),
                TransactionKind::Read | TransactionKind::Write => drop(Object::take(client)),
            }
        }
    }
}

impl Transaction {
    /// Makes the changes last.
    pub(super) async fn commit(mut self) -> Result<(), PostgresFailure> {
        if self.kind != TransactionKind::Statement {
            self.batch_execute("COMMIT").await?;
        }
        // The connection goes back to the others.
        drop(self.client.take());
        Ok(())
    }
}

impl PostgresDatabase {
    /// Sets a way to the server up; nothing is asked yet.
    pub(super) fn new(url: &str, access: Access) -> Result<Self, StateError> {
        let ServerAddress { config, proof, place, host, warnings: _ } = ServerAddress::parse(url)?;
        let time = config.get_connect_timeout().copied().unwrap_or(PATIENCE) + Duration::from_secs(5);
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, tls_proof::tls(&proof)?, recycling);
        let timeouts = Timeouts { wait: None, create: Some(time), recycle: None };
        let pool = Pool::builder(manager).max_size(CONNECTIONS_MAX).runtime(Runtime::Tokio1).timeouts(timeouts).build();
        let pool =
            pool.map_err(|error| StateError::Database { action: "be opened", source: SafeText::error(&error) })?;
        let (answered, current) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { pool, access, place, host, answered, current })
    }

    /// Begins a transaction.
    pub(super) async fn begin(&self, kind: TransactionKind) -> Result<Transaction, PostgresFailure> {
        if kind == TransactionKind::Write && self.access == Access::Read {
            return Err(StateError::refused("be written", "it was opened for reading only").into());
        }
        let client = self.pool.get().await?;
        self.answered.store(true, Ordering::Relaxed);
        let transaction = Transaction { client: Some(client), kind };
        let begin = match kind {
            TransactionKind::Statement => return Ok(transaction),
            TransactionKind::Read => format!(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '{LOCK_SECONDS}s'; {FORMATS}"
            ),
            // A process that stands still in a transaction must not hold its locks for good.
            TransactionKind::Write => format!(
                "BEGIN; SET LOCAL lock_timeout = '{LOCK_SECONDS}s'; \
                 SET LOCAL idle_in_transaction_session_timeout = '15s'; {FORMATS}"
            ),
        };
        transaction.batch_execute(&begin).await?;
        Ok(transaction)
    }

    /// Tells whether its tables are known to be as this program wants them.
    pub(super) fn is_current(&self) -> bool {
        self.current.load(Ordering::Relaxed)
    }

    /// Remembers that its tables are as this program wants them.
    pub(super) fn set_current(&self) {
        self.current.store(true, Ordering::Relaxed);
    }

    /// Returns the words for the user.
    pub(super) fn told(&self, failure: PostgresFailure, action: &'static str) -> StateError {
        failure.told(action, &self.place, &self.host)
    }

    /// Runs a transaction, again where the connection or the server broke in the middle of it.
    ///
    /// The work must be the same when it is done twice: the answer to a commit may be what was lost.
    pub(super) async fn run<T, Work>(
        &self,
        kind: TransactionKind,
        action: &'static str,
        work: impl Fn(Arc<Transaction>) -> Work,
    ) -> Result<T, StateError>
    where
        Work: Future<Output = Result<T, PostgresFailure>>,
    {
        let mut patience = Patience { database: self, since: Instant::now(), pause: PAUSE_FIRST };
        loop {
            let attempt = async {
                let transaction = Arc::new(self.begin(kind).await?);
                let answer = work(Arc::clone(&transaction)).await?;
                let transaction = Arc::into_inner(transaction).expect("work that is over holds nothing");
                transaction.commit().await?;
                Ok(answer)
            };
            match bounded(attempt).await {
                Ok(answer) => break Ok(answer),
                Err(failure) if patience.allows(&failure).await => {}
                Err(failure) => break Err(self.told(failure, action)),
            }
        }
    }
}

/// How long a broken server is still waited for.
struct Patience<'d> {
    database: &'d PostgresDatabase,
    since: Instant,
    pause: Duration,
}

impl Patience<'_> {
    /// Tells whether to try again after a failure, once it has waited as long as it should.
    async fn allows(&mut self, failure: &PostgresFailure) -> bool {
        let most = match self.database.answered.load(Ordering::Relaxed) {
            true => PATIENCE,
            false => PATIENCE_FIRST,
        };
        let again = failure.again();
        if again == TransactionRetry::Never || self.since.elapsed() > most {
            return false;
        }
        tracing::debug!(?again, "the state is asked again: {failure:?}");
        if again == TransactionRetry::Later {
            // Full jitter: runs that lost one server do not come back all at once.
            sleep(self.pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            self.pause = (self.pause * 2).min(PAUSE_LAST);
        }
        true
    }
}

/// Waits for an answer for as long as one may take.
pub(super) async fn bounded<T>(answer: impl Future<Output = Result<T, PostgresFailure>>) -> Result<T, PostgresFailure> {
    timeout(ANSWER_TIME, answer).await.unwrap_or(Err(PostgresFailure::Silent(ANSWER_TIME.as_secs())))
}

/// Takes the next row of a stream, waiting no longer than for any other answer.
pub(super) async fn next(
    rows: &mut (impl Stream<Item = Result<Row, Error>> + Unpin),
) -> Result<Option<Row>, PostgresFailure> {
    bounded(async { Ok(rows.next().await.transpose()?) }).await
}
