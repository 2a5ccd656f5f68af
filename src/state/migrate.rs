//! Migrations: the numbered SQL files of `migrations/`, and which of them a database still lacks.
//!
//! Decides only; the adapters read what was applied and run the rest, each under its own lock and in one transaction.
//! A file that was applied once never changes again, and its checksum proves it: two programs that disagree about a
//! schema must not write to it.

use sha2::{Digest as _, Sha256};

use super::{Schema, StateError};

/// One numbered SQL file.
#[derive(Debug)]
pub(super) struct Migration {
    /// Its number; they count from 1 without gaps.
    pub version: u32,
    /// Its SQL.
    pub sql: &'static str,
}

/// The migrations of SQLite, in order.
pub(super) const SQLITE: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../../migrations/sqlite/0001_state.sql") },
    Migration { version: 2, sql: include_str!("../../migrations/sqlite/0002_ledger.sql") },
    Migration { version: 3, sql: include_str!("../../migrations/sqlite/0003_acceptances.sql") },
    Migration { version: 4, sql: include_str!("../../migrations/sqlite/0004_gc.sql") },
    Migration { version: 5, sql: include_str!("../../migrations/sqlite/0005_plans.sql") },
    Migration { version: 6, sql: include_str!("../../migrations/sqlite/0006_shown.sql") },
    Migration { version: 7, sql: include_str!("../../migrations/sqlite/0007_renderer.sql") },
    Migration { version: 8, sql: include_str!("../../migrations/sqlite/0008_adopted.sql") },
    Migration { version: 9, sql: include_str!("../../migrations/sqlite/0009_repair.sql") },
    Migration { version: 10, sql: include_str!("../../migrations/sqlite/0010_readers.sql") },
    Migration { version: 11, sql: include_str!("../../migrations/sqlite/0011_costs.sql") },
];

/// The migrations of Postgres, in order, under the same numbers.
pub(super) const POSTGRES: &[Migration] = &[
    Migration { version: 1, sql: include_str!("../../migrations/postgres/0001_state.sql") },
    Migration { version: 2, sql: include_str!("../../migrations/postgres/0002_ledger.sql") },
    Migration { version: 3, sql: include_str!("../../migrations/postgres/0003_acceptances.sql") },
    Migration { version: 4, sql: include_str!("../../migrations/postgres/0004_gc.sql") },
    Migration { version: 5, sql: include_str!("../../migrations/postgres/0005_plans.sql") },
    Migration { version: 6, sql: include_str!("../../migrations/postgres/0006_shown.sql") },
    Migration { version: 7, sql: include_str!("../../migrations/postgres/0007_renderer.sql") },
    Migration { version: 8, sql: include_str!("../../migrations/postgres/0008_adopted.sql") },
    Migration { version: 9, sql: include_str!("../../migrations/postgres/0009_repair.sql") },
    Migration { version: 10, sql: include_str!("../../migrations/postgres/0010_readers.sql") },
    Migration { version: 11, sql: include_str!("../../migrations/postgres/0011_costs.sql") },
];

/// A migration that the database says was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    /// Its number.
    pub version: u32,
    /// The checksum of its SQL then.
    pub sha256: String,
}

impl Migration {
    /// Returns SHA-256 of the SQL as hex.
    pub(super) fn sha256(&self) -> String {
        hex::encode(Sha256::digest(self.sql.as_bytes()))
    }
}

/// Tells how a schema of that version stands; 0 is one without any migration.
///
/// # Errors
/// [`StateError::Newer`] when this program does not know the version.
pub(super) fn schema(known: &[Migration], found: u32) -> Result<Schema, StateError> {
    let newest = known.last().map_or(0, |migration| migration.version);
    match found {
        0 => Ok(Schema::Absent),
        _ if found == newest => Ok(Schema::Current),
        _ if found < newest => Ok(Schema::Older(found)),
        _ => Err(StateError::Newer { found, known: newest }),
    }
}

/// Returns the migrations still to be run, in order, given those that were.
///
/// # Errors
/// [`StateError::Newer`] as above, [`StateError::Altered`] when an applied one had another text.
pub(super) fn pending<'m>(known: &'m [Migration], applied: &[Applied]) -> Result<Vec<&'m Migration>, StateError> {
    schema(known, applied.iter().map(|applied| applied.version).max().unwrap_or_default())?;
    let mut pending = Vec::new();
    for migration in known {
        match applied.iter().find(|applied| applied.version == migration.version) {
            None => pending.push(migration),
            Some(applied) if applied.sha256 == migration.sha256() => {}
            Some(_) => return Err(StateError::Altered { version: migration.version }),
        }
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(migration: &Migration) -> Applied {
        Applied { version: migration.version, sha256: migration.sha256() }
    }

    #[test]
    fn migrations_count_from_one_without_gaps() {
        let numbers = |migrations: &[Migration]| migrations.iter().map(|one| one.version).collect::<Vec<_>>();
        assert!(numbers(SQLITE).into_iter().eq(1..=SQLITE.len() as u32));
        assert_eq!(numbers(SQLITE), numbers(POSTGRES));
    }

    #[test]
    fn what_was_applied_is_not_pending() {
        assert_eq!(pending(SQLITE, &[]).unwrap().len(), SQLITE.len());
        let all: Vec<_> = SQLITE.iter().map(applied).collect();
        let newest = all.last().map_or(0, |newest| newest.version);
        assert!(pending(SQLITE, &all).unwrap().is_empty());
        assert_eq!(schema(SQLITE, 0).unwrap(), Schema::Absent);
        assert_eq!(schema(SQLITE, newest).unwrap(), Schema::Current);
    }

    #[test]
    fn a_newer_schema_and_an_altered_migration_are_refused() {
        let mut all: Vec<_> = SQLITE.iter().map(applied).collect();
        all.push(Applied { version: 99, sha256: String::new() });
        assert!(matches!(pending(SQLITE, &all), Err(StateError::Newer { found: 99, .. })));
        let altered = [Applied { version: 1, sha256: "other".into() }];
        assert!(matches!(pending(SQLITE, &altered), Err(StateError::Altered { version: 1 })));
    }
}
