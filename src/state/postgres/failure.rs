//! What goes wrong inside the Postgres adapter: whether it may be tried again, and how it is told.
//!
//! Inside, `?` is enough; which words the user gets is decided once, where a transaction ends.

use std::error::Error as _;

use deadpool_postgres::PoolError;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::secret::SafeText;
use crate::state::StateError;

/// How long somebody else's lock is waited for, in seconds.
pub(super) const LOCK_SECONDS: u64 = 20;

/// A failure before it was given the words for the user.
#[derive(Debug)]
pub(super) enum PostgresFailure {
    /// Postgres', or that of the way there.
    Postgres(Error),
    /// No connection could be had.
    Pool(PoolError),
    /// No answer came for so many seconds.
    Silent(u64),
    /// One with its words already.
    State(StateError),
}

impl From<Error> for PostgresFailure {
    fn from(error: Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<PoolError> for PostgresFailure {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Postgres(error),
            other => Self::Pool(other),
        }
    }
}

impl From<StateError> for PostgresFailure {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// What a failure means for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionRetry {
    /// Another transaction was in the way: at once.
    Now,
    /// The connection or the server is gone: once it is back.
    Later,
    /// It would fail in the same way.
    Never,
}

impl PostgresFailure {
    /// Tells what the failure means for the next attempt.
    ///
    /// Source: <https://www.postgresql.org/docs/15/errcodes-appendix.html>, read 2026-11-24.
    pub(super) fn again(&self) -> TransactionRetry {
        let error = match self {
            Self::State(_) => return TransactionRetry::Never,
            Self::Pool(PoolError::Timeout(_)) | Self::Silent(_) => return TransactionRetry::Later,
            Self::Pool(_) => return TransactionRetry::Never,
            Self::Postgres(error) => error,
        };
        let Some(code) = error.code() else {
            // Without words of the server it is the way there that failed; a certificate does not get better.
            return if is_tls(error) { TransactionRetry::Never } else { TransactionRetry::Later };
        };
        match code.code() {
            "40001" | "40P01" => TransactionRetry::Now,
            // Shutting down, crashed, starting up, too many connections, cut off while idle.
            "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "25P03" => TransactionRetry::Later,
            // Connection exceptions; poolers answer with them when they lose their server.
            code if code.starts_with("08") => TransactionRetry::Later,
            _ => TransactionRetry::Never,
        }
    }

    /// Returns the words for the user; `place` names the database, `host` its host.
    pub(super) fn told(self, action: &'static str, place: &str, host: &str) -> StateError {
        let server = |what: &'static str, help: String, source: SafeText| StateError::Server {
            server: place.to_owned(),
            what,
            help,
            source,
        };
        let error = match self {
            Self::State(error) => return error,
            Self::Silent(seconds) => {
                let source = format!("no answer came for {seconds} seconds");
                return server("does not answer", unreachable(host), source.into());
            }
            Self::Pool(PoolError::Timeout(_)) => {
                return server("cannot be reached", unreachable(host), "it took too long to connect".into());
            }
            Self::Pool(error) => return StateError::Database { action, source: SafeText::error(&error) },
            Self::Postgres(error) => error,
        };
        let Some(code) = error.code() else {
            return match is_tls(&error) {
                true => server("offers no TLS that can be used", tls_help(&error), SafeText::error(&error)),
                false => server("cannot be reached", unreachable(host), SafeText::error(&error)),
            };
        };
        match code {
            code if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                server("refused the login", LOGIN.to_owned(), SafeText::error(&error))
            }
            code if *code == SqlState::INVALID_CATALOG_NAME => server(
                "is not there",
                "create it, or correct the name after the last `/`".to_owned(),
                SafeText::error(&error),
            ),
            code if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                StateError::Denied { action, source: SafeText::error(&error) }
            }
            code if *code == SqlState::DISK_FULL => StateError::Full { source: SafeText::error(&error) },
            code if *code == SqlState::LOCK_NOT_AVAILABLE => StateError::Busy { seconds: LOCK_SECONDS },
            code if action == super::COMMIT && is_rule(code.code()) => {
                StateError::Row { source: SafeText::error(&error) }
            }
            _ if self_says(&error, "Tenant or user not found") => {
                server("refused the login", LOGIN.to_owned(), SafeText::error(&error))
            }
            _ if Self::is_down(code) => server("broke the connection off", unreachable(host), SafeText::error(&error)),
            _ => StateError::Database { action, source: SafeText::error(&error) },
        }
    }

    fn is_down(code: &SqlState) -> bool {
        code.code().starts_with("08") || code.code().starts_with("57P") || code.code() == "53300"
    }
}

/// The usual mistakes in a login.
const LOGIN: &str = "check user and password in the URL of the state; on a pooler of Supabase the user is \
                     `postgres.PROJECT`, on the direct host `postgres`";

/// Tells whether a code says that a value, a constraint or a trigger of the product's table is against a row.
fn is_rule(code: &str) -> bool {
    ["22", "23", "P0"].iter().any(|class| code.starts_with(class))
}

fn self_says(error: &Error, words: &str) -> bool {
    error.as_db_error().is_some_and(|error| error.message().contains(words))
}

fn is_tls(error: &Error) -> bool {
    // The kind of the error is not public; its own text is.
    error.to_string().contains("TLS")
}

fn tls_help(error: &Error) -> String {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    if cause.contains("server does not support TLS") {
        return "the server has none: use one that has, or write `sslmode=disable` where the network can be trusted"
            .to_owned();
    }
    "name the authority's certificate with `sslrootcert=FILE`; Supabase signs with its own, which its dashboard has under \
     PostgresDatabase settings"
        .to_owned()
}

/// What to do where a host is out of reach.
///
/// Source: the direct host of a Supabase project has an address of version 6 only, unless that is paid for; its session
/// pooler has one of version 4: <https://supabase.com/docs/guides/database/connecting-to-postgres>, read 2026-11-24.
fn unreachable(host: &str) -> String {
    if host.starts_with("db.") && host.ends_with(".supabase.co") {
        return "the direct host of a Supabase project can be reached by IPv6 only: take the URL of the session pooler from \
                the dashboard (Connect, Session pooler, port 5432, user `postgres.PROJECT`)"
            .to_owned();
    }
    "check host and port in the URL of the state, and that this machine may connect there".to_owned()
}
