//! Who reads a table that we make: the roles of a REST layer, where the server has them.
//!
//! Supabase gives a new table to nobody by itself since 2026; the site reads as `anon` or `authenticated`, and its own
//! scripts as `service_role`. A right alone lets no row through where row level security is on, and a policy gives no
//! right: the policy lets everybody read who has the right, and each of these roles gets that, and a way into the schema.
//! None of them may write.

use super::sql::{block, full_name};
use crate::asset::TableName;
use crate::state::table::{literal, quoted};

/// The roles.
///
/// Source: <https://supabase.com/docs/guides/database/postgres/roles>, read 2026-11-24.
const READERS: [&str; 3] = ["anon", "authenticated", "service_role"];

/// Returns the SQL that opens a table to each of the roles that exists; where none does, it does nothing.
pub(super) fn opening(table: &TableName) -> String {
    let (name, schema) = (full_name(table), quoted(&table.schema));
    let readers = READERS.map(literal).join(", ");
    block(&format!(
        "DECLARE reader name; BEGIN\n  \
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname IN ({readers})) THEN RETURN; END IF;\n  \
           ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;\n  \
           CREATE POLICY pixform_read ON {name} FOR SELECT USING (true);\n  \
           FOR reader IN SELECT rolname FROM pg_roles WHERE rolname IN ({readers}) ORDER BY rolname LOOP\n    \
             EXECUTE format('GRANT SELECT ON %s TO %I', {table_text}, reader);\n    \
             IF NOT has_schema_privilege(reader, {schema_name}, 'USAGE') THEN\n      \
               EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', {schema_text}, reader);\n    \
             END IF;\n  \
           END LOOP;\n\
         END",
        table_text = literal(&name),
        schema_text = literal(&schema),
        schema_name = literal(&table.schema),
    ))
}
