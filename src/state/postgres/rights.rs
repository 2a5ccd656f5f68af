//! What the role that is connected may do with a published table: told before anything is bought that could not be written.
//!
//! A role that only plans may not write, and need not: what only a writer needs is asked of a role that may write the
//! state's own tables, for such a role is about to apply.

use tokio_postgres::types::Type;

use super::database::{Param, Transaction};
use super::definition::missing;
use super::failure::PostgresFailure;
use super::sql::full_name;
use crate::asset::{TableName, TableSpec};
use crate::state::table::quoted;
use crate::state::{Schema, TableProblem};

/// What happens to a row after it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing: it stays as the statement that wrote it says.
    Nothing,
    /// A trigger of the product may write to it again.
    Triggers,
}

/// Who is about to use the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Whoever looks: a role that may write the state's own tables must be able to write this one too.
    Whoever,
    /// One that is about to write.
    Writer,
}

/// What the catalogue says of a table and of the role that asks.
pub(super) struct Rights {
    /// The table's number and kind; `None` where there is none.
    pub table: Option<(u32, char)>,
    /// Whether pixform made it.
    pub is_ours: bool,
    /// What happens to its rows after they were written.
    pub after: After,
    /// The role that asks.
    role: String,
    schema_is_there: bool,
    may_use_schema: bool,
    may_create: bool,
    /// Whether it is about to write.
    writes: bool,
    /// Which rights it has on the table, in the order of [`RIGHTS`].
    has: [bool; 4],
    /// For which of them row level security lets no row through.
    hidden: [bool; 4],
    /// A sequence that a default takes its numbers from and that the role may not use.
    sequence: Option<String>,
}

/// The rights that reading, and then writing needs.
const RIGHTS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];

/// Returns the SQL that gives a role rights on a table.
pub(super) fn grant(rights: &str, table: &TableName, role: &str) -> String {
    format!("GRANT {rights} ON {} TO {};", full_name(table), quoted(role))
}

impl Rights {
    /// Reads them.
    pub(super) async fn read(
        transaction: &Transaction,
        schema: Schema,
        spec: &TableSpec,
        role: Role,
    ) -> Result<Self, PostgresFailure> {
        let table = &spec.name;
        let used: Vec<&str> =
            spec.key.iter().chain(spec.columns.iter().map(|(column, _)| column)).map(String::as_str).collect();
        let of_rights = |each: &dyn Fn(usize, &str) -> String| {
            RIGHTS.iter().enumerate().map(|(at, right)| each(at, right)).collect::<Vec<_>>().join(", ")
        };
        // A right on all columns that are used does as well as one on the table.
        let has = of_rights(&|_, right| {
            match right {
            "DELETE" => "has_table_privilege(c.oid, 'DELETE')".to_owned(),
            right => format!(
                "has_table_privilege(c.oid, '{right}') OR (SELECT bool_and(has_column_privilege(c.oid, a.attnum, '{right}'))
                   FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = ANY($3))"
            ),
        }
        });
        let hidden = of_rights(&|at, _| {
            format!(
                "row_security_active(c.oid) AND NOT EXISTS (SELECT FROM pg_policy AS p
                   WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd IN ('*', '{}')
                     AND (0 = ANY(p.polroles) OR EXISTS
                       (SELECT FROM unnest(p.polroles) AS m (role) WHERE m.role <> 0 AND pg_has_role(m.role, 'USAGE'))))",
                ['r', 'a', 'w', 'd'][at]
            )
        });
        let sql = format!(
            "SELECT current_user::text, n.oid IS NOT NULL, coalesce(has_schema_privilege(n.oid, 'USAGE'), false),
               coalesce(has_schema_privilege(n.oid, 'CREATE'), false),
               has_database_privilege(current_database(), 'CREATE'), c.oid, c.relkind::text,
               (SELECT s.oid::regclass::text FROM pg_depend AS d JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
                WHERE d.refobjid = c.oid AND d.deptype = 'a'
                  AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE') ELSE false END LIMIT 1),
               {has}, {hidden}, c.relhastriggers
             FROM (SELECT 1) AS one LEFT JOIN pg_namespace AS n ON n.nspname = $1
             LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = $2
               AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        );
        let params: [Param<'_>; 3] =
            [(&table.schema, Type::TEXT), (&table.name, Type::TEXT), (&used, Type::TEXT_ARRAY)];
        let row = transaction.query_typed_one(&sql, &params).await?;
        let flag = |at: usize| Ok::<_, PostgresFailure>(row.try_get::<_, Option<bool>>(at)?.unwrap_or_default());
        let kind = row.try_get::<_, Option<&str>>(6)?.and_then(|kind| kind.chars().next());
        let (mut is_ours, mut writes) = (false, role == Role::Writer);
        if schema == Schema::Absent {
            writes |= flag(4)?;
        } else {
            let sql = "SELECT has_table_privilege('pixform.records', 'INSERT'),
                              EXISTS (SELECT FROM pixform.tables WHERE name = $1)";
            let own = transaction.query_typed_one(sql, &[(&table.to_string(), Type::TEXT)]).await?;
            writes |= own.try_get::<_, bool>(0)?;
            is_ours = own.try_get(1)?;
        }
        Ok(Self {
            table: row.try_get::<_, Option<u32>>(5)?.zip(kind),
            is_ours,
            after: if flag(16)? { After::Triggers } else { After::Nothing },
            role: row.try_get(0)?,
            schema_is_there: flag(1)?,
            may_use_schema: flag(2)?,
            may_create: flag(3)?,
            writes,
            has: [flag(8)?, flag(9)?, flag(10)?, flag(11)?],
            hidden: [flag(12)?, flag(13)?, flag(14)?, flag(15)?],
            sequence: row.try_get(7)?,
        })
    }

    /// Says why a table that is missing cannot be created by this role, where it would have to.
    pub(super) fn creation_problems(&self, spec: &TableSpec) -> Vec<TableProblem> {
        let (schema, role) = (quoted(&spec.name.schema), quoted(&self.role));
        let problem = |message: String, mend: String| vec![TableProblem { message, mend }];
        if !self.writes {
            return Vec::new();
        }
        if !self.schema_is_there {
            let message = format!("the schema `{}` is missing", spec.name.schema);
            return problem(message, format!("CREATE SCHEMA {schema} AUTHORIZATION {role};"));
        }
        if self.may_create && self.may_use_schema {
            return Vec::new();
        }
        let message = format!("the table is missing, and the role `{}` may not create it", self.role);
        let create = missing(spec).into_iter().map(|problem| problem.mend).collect::<String>();
        // Without row level security the policy means nothing.
        let policy = format!(
            "CREATE POLICY pixform_write ON {} TO {role} USING (true) WITH CHECK (true);",
            full_name(&spec.name)
        );
        problem(message, format!("{create} {} {policy}", grant(&RIGHTS.join(", "), &spec.name, &self.role)))
    }

    /// Says which rights are missing.
    pub(super) fn problems(&self, spec: &TableSpec) -> Vec<TableProblem> {
        let role = quoted(&self.role);
        let needed = if self.writes { 4 } else { 1 };
        let mut problems = Vec::new();
        if !self.may_use_schema {
            problems.push(TableProblem {
                message: format!("the role `{}` may not use the schema `{}`", self.role, spec.name.schema),
                mend: format!("GRANT USAGE ON SCHEMA {} TO {role};", quoted(&spec.name.schema)),
            });
        }
        let which = |lacks: &dyn Fn(usize) -> bool| {
            (0..needed).filter(|at| lacks(*at)).map(|at| RIGHTS[at]).collect::<Vec<_>>()
        };
        let lacking = which(&|at| !self.has[at]);
        if !lacking.is_empty() {
            problems.push(TableProblem {
                message: format!("the role `{}` may not {} there", self.role, lacking.join(", ")),
                mend: grant(&lacking.join(", "), &spec.name, &self.role),
            });
        }
        let hidden = which(&|at| self.has[at] && self.hidden[at]);
        if !hidden.is_empty() {
            let policies = hidden.iter().map(|right| {
                let rule = match *right {
                    "INSERT" => "WITH CHECK (true)",
                    _ => "USING (true)",
                };
                let name = format!("pixform_{}", right.to_lowercase());
                format!("CREATE POLICY {name} ON {} FOR {right} TO {role} {rule};", full_name(&spec.name))
            });
            problems.push(TableProblem {
                message: format!("row level security lets the role `{}` {} no row", self.role, hidden.join(", ")),
                mend: policies.collect::<Vec<_>>().join(" "),
            });
        }
        if let Some(sequence) = self.sequence.as_ref().filter(|_| self.writes) {
            problems.push(TableProblem {
                message: format!(
                    "the role `{}` may not take numbers from `{sequence}`, a default of the table",
                    self.role
                ),
                mend: format!("GRANT USAGE ON SEQUENCE {sequence} TO {role};"),
            });
        }
        problems
    }
}
