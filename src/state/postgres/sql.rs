//! Parts of SQL that several files write.

use crate::asset::TableName;
use crate::state::table::quoted;

/// Returns the table's full name as SQL takes it.
pub(super) fn full_name(table: &TableName) -> String {
    format!("{}.{}", quoted(&table.schema), quoted(&table.name))
}

/// Returns a block of PL/pgSQL as a statement.
pub(super) fn block(body: &str) -> String {
    format!("DO {};", dollar_quoted(body))
}

/// Puts a text between marks that do not occur in it: it may hold others, and names that a stranger chose.
pub(super) fn dollar_quoted(text: &str) -> String {
    let mut mark = "$pixform$".to_owned();
    let mut number = 1_u64;
    while text.contains(&mark) {
        number += 1;
        mark = format!("$pixform_{number}$");
    }
    format!("{mark}{text}{mark}")
}
