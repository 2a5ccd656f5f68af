//! Opening a state by its URL, and what a URL tells without opening anything.

use super::{Access, State, StateError, UrlWarning, postgres, sqlite};
use crate::asset::TableSpec;
use crate::secret;

/// Opens the state at a URL: `sqlite:PATH`, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, or `sqlite::memory:` for tests.
///
/// # Errors
/// When the scheme is unknown, or the database cannot be opened or is not one.
pub async fn open(url: &str, access: Access) -> Result<Box<dyn State>, StateError> {
    secret::remember_parts(url);
    match url.split_once(':') {
        Some(("sqlite", path)) => Ok(Box::new(sqlite::Sqlite::open(path, access)?)),
        Some(("postgres" | "postgresql", _)) => Ok(Box::new(postgres::Postgres::open(url, access)?)),
        _ => Err(StateError::Scheme { scheme: secret::known_scheme(url) }),
    }
}

/// Tells whether a writer that died may have left a change half done, which whoever opens the state for writing takes back;
/// until then every reader works on a copy of its own.
pub fn is_unfinished(url: &str) -> bool {
    match url.split_once(':') {
        Some(("sqlite", path)) => sqlite::is_unfinished(path),
        _ => false,
    }
}

/// Returns what is odd about a state's URL; nothing where it cannot be read, which opening it tells.
pub fn url_warnings(url: &str) -> Vec<UrlWarning> {
    match url.split_once(':') {
        Some(("postgres" | "postgresql", _)) => postgres::warnings(url),
        _ => Vec::new(),
    }
}

/// Returns the SQL that sets a Postgres database up for collections with these published tables: our own tables, theirs, row
/// level security, and three roles.
pub fn setup_sql(tables: &[TableSpec]) -> String {
    postgres::setup(tables)
}

/// Returns where a state is, for people: a path, or host, port and database, without user and password.
pub fn place(url: &str) -> Option<String> {
    match url.split_once(':') {
        Some(("sqlite", path)) => Some(path.to_owned()),
        Some(("postgres" | "postgresql", _)) => postgres::place(url),
        _ => None,
    }
}
