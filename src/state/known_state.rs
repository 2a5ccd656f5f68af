//! What a state says of itself: how its tables stand, whose it is, and which collections it knows.

use crate::asset::{CollectionName, TableName};

/// How the tables of the state itself stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// No tables yet: everything is empty.
    Absent,
    /// Tables of this version, which is older than ours; `apply` migrates them.
    Older(u32),
    /// As this program wants them.
    Current,
}

/// A collection that the state knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCollection {
    /// Its name.
    pub name: CollectionName,
    /// The key axes that its records were made under.
    pub key: Vec<String>,
    /// The table it was last published to.
    pub table: Option<TableName>,
    /// How many records it has.
    pub records: u64,
}

/// What a state says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownState {
    /// How its tables stand.
    pub schema: Schema,
    /// Its own id, made when its tables were; `None` while they are absent.
    pub id: Option<String>,
    /// The id of the store that it works with; `None` before the first apply.
    pub store: Option<String>,
    /// Its collections, by name.
    pub collections: Vec<KnownCollection>,
}
