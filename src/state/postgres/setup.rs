//! The SQL that sets a database up, for its owner to read and to run: schema, published tables, row level security, roles.
//!
//! `apply` makes tables by itself where its role may. Where it may not, or where plan, preview and apply are to have a
//! role each with no more rights than it needs, this is what the owner runs, again after each upgrade.

use super::definition::creation;
use super::schema::{CREATION, HISTORY, MIGRATION_LOCK};
use super::sql::{block, dollar_quoted, full_name};
use crate::asset::TableSpec;
use crate::state::migrate::{Migration, POSTGRES};
use crate::state::table::{literal, quoted};

/// The role that plans.
const PLAN: &str = "pixform_plan";
/// The role that previews: it pays for pictures and keeps them, and switches nothing.
const PREVIEW: &str = "pixform_preview";
/// The role that applies.
const APPLY: &str = "pixform_apply";

/// What a preview writes: the ledger, what it bought, and the plan that is reviewed.
const PREVIEWED: &str = "pixform.calls, pixform.originals, pixform.objects, pixform.runs, pixform.plans";
/// What it adds to, and what it leaves behind for the next plan.
const ADDED: &str = "pixform.recipes";
const REMEMBERED: &str = "pixform.damages";
/// What it takes over from a run of gc that is dead, or makes again.
const RECLAIMED: &str = "pixform.deletions, pixform.collected";

/// Returns the SQL for these published tables.
pub(in crate::state) fn setup(tables: &[TableSpec]) -> String {
    let mut sql = format!(
        "-- What pixform {} needs of this database. Run it as the database's owner; it may be run again, and has to be\n\
         -- after an upgrade of pixform or of the manifests' tables. It changes no row.\n\
         --\n\
         -- The roles log in once they have a password: ALTER ROLE {PLAN} PASSWORD '…';\n\
         BEGIN;\n\
         SELECT pg_advisory_xact_lock({MIGRATION_LOCK});\n\n\
         -- pixform's own tables, in a schema that a REST layer over `public` does not show.\n{}\n{HISTORY};\n\n",
        env!("CARGO_PKG_VERSION"),
        guarded("to_regnamespace('pixform') IS NULL", CREATION),
    );
    sql.extend(POSTGRES.iter().map(migration));
    sql.push_str(
        "INSERT INTO pixform.meta (name, value) VALUES ('state', gen_random_uuid()::text) ON CONFLICT DO NOTHING;\n\n",
    );
    sql.push_str(&roles());
    sql.extend(tables.iter().map(table));
    sql.push_str("COMMIT;\n");
    sql
}

/// Runs SQL under a condition.
fn guarded(condition: &str, sql: &str) -> String {
    block(&format!("BEGIN IF {condition} THEN EXECUTE {}; END IF; END", dollar_quoted(&format!("\n{sql}\n"))))
}

fn migration(migration: &Migration) -> String {
    let version = migration.version;
    let pending = format!("NOT EXISTS (SELECT FROM pixform.migrations WHERE version = {version})");
    let remember =
        format!("INSERT INTO pixform.migrations (version, sha256) VALUES ({version}, '{}');", migration.sha256());
    guarded(&pending, &format!("{}\n{remember}", migration.sql.trim())) + "\n\n"
}

fn roles() -> String {
    let mut sql = "-- A role each for plan (reads), preview (buys and keeps pictures) and apply (switches rows too).\n"
        .to_owned();
    // A role that exists needs no right to make one. Roles belong to all databases of a server: another one may be making
    // it at this moment.
    let all = [PLAN, PREVIEW, APPLY].map(|role| format!("CREATE ROLE {role} LOGIN;")).join(" ");
    sql.push_str(&block(&format!(
        "DECLARE wanted name; BEGIN\n  \
           FOREACH wanted IN ARRAY ARRAY['{PLAN}', '{PREVIEW}', '{APPLY}'] LOOP\n    \
             CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);\n    \
             BEGIN EXECUTE format('CREATE ROLE %I LOGIN', wanted);\n    \
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;\n    \
             WHEN insufficient_privilege THEN\n      \
               RAISE EXCEPTION 'the role \"%\" is missing, and the role \"%\" may make none', wanted, current_user\n      \
               USING HINT = 'Let a role with CREATEROLE run this once, and then run all of this again: {all}';\n    \
             END;\n  \
           END LOOP;\n\
         END"
    )));
    sql.push_str(&format!(
        "\nGRANT USAGE ON SCHEMA pixform TO {PLAN}, {PREVIEW}, {APPLY};\n\
         GRANT SELECT ON ALL TABLES IN SCHEMA pixform TO {PLAN}, {PREVIEW};\n\
         -- The first preview may come before the first apply: it may say which store is used, and never name another.\n\
         GRANT INSERT ON pixform.meta TO {PREVIEW};\n\
         GRANT INSERT, UPDATE ON {PREVIEWED} TO {PREVIEW};\n\
         GRANT INSERT, DELETE ON {RECLAIMED} TO {PREVIEW};\n\
         GRANT INSERT ON {ADDED} TO {PREVIEW};\n\
         GRANT INSERT, UPDATE, DELETE ON {REMEMBERED} TO {PREVIEW};\n\
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA pixform TO {APPLY};\n\n"
    ));
    sql
}

/// The published table of one collection: made where it is missing, and opened to the roles.
fn table(spec: &TableSpec) -> String {
    let table = full_name(&spec.name);
    let literal = literal(&table);
    let mut sql = format!("-- The table that `{}` is published to.\n", spec.name);
    sql.push_str(&guarded(&format!("to_regclass({literal}) IS NULL"), &creation(spec)));
    sql.push_str(&format!(
        "\nGRANT USAGE ON SCHEMA {schema} TO {PLAN}, {PREVIEW}, {APPLY};\n\
         GRANT SELECT ON {table} TO {PLAN}, {PREVIEW};\n\
         GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {APPLY};\n",
        schema = quoted(&spec.name.schema),
    ));
    for (name, right, roles) in
        [("pixform_look", "SELECT", format!("{PLAN}, {PREVIEW}")), (APPLY, "ALL", APPLY.to_owned())]
    {
        let condition = format!(
            "(SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass({literal})) AND NOT EXISTS \
             (SELECT FROM pg_policy WHERE polrelid = to_regclass({literal}) AND polname = '{name}')"
        );
        let rule = if right == "ALL" { "USING (true) WITH CHECK (true)" } else { "USING (true)" };
        let policy = format!("CREATE POLICY {name} ON {table} FOR {right} TO {roles} {rule}");
        sql.push_str(&(guarded(&condition, &policy) + "\n"));
    }
    sql.push_str(&block(&format!(
        "DECLARE numbers regclass; BEGIN FOR numbers IN\n  \
           SELECT d.objid::regclass FROM pg_depend AS d JOIN pg_class AS c ON c.oid = d.objid AND c.relkind = 'S'\n  \
           WHERE d.refobjid = to_regclass({literal}) AND d.deptype = 'a'\n\
         LOOP EXECUTE format('GRANT USAGE ON SEQUENCE %s TO {APPLY}', numbers); END LOOP; END"
    )));
    sql.push_str("\n\n");
    sql
}
