//! What only Postgres can get wrong: poolers, roles, tables that the product made, connections and servers that go away.

use std::time::{Duration, Instant};

use pixform::process::Liveness;
use pixform::record::CallStatus;
use pixform::state::{
    Access, CallFact, Caps, Commit, Lease, LeaseAnswer, Put, Right, Schema, State, StateError, TableProblem, TableSeen,
    open, setup_sql,
};

use crate::postgres::{self, Durability, Server, execute, pooler, psql, shared, sql, through};
use crate::proxy::Proxy;
use crate::state_contract::{
    Seen, alive, call, collection, dead, ids, key, lease_of, moved, put, ready, recipe, record, run, scan, spec,
    values, write,
};
use crate::state_ledger::{history, ours, paid};

async fn state_at(url: &str) -> Box<dyn State> {
    open(url, Access::Write).await.unwrap()
}

/// Returns the URL of a database as another role.
fn as_role(url: &str, role: &str) -> String {
    url.replace("postgres@", &format!("{role}@"))
}

/// What a scan sees through a URL, opened as a plan opens it.
async fn seen_by(url: &str) -> Result<TableSeen, StateError> {
    let state = open(url, Access::Read).await.unwrap();
    state.scan(&collection("pictures"), Some(&spec()), &mut Seen::default()).await
}

// Tables of the product.

/// Lets the product make its table, returns what is wrong with it, and mends that with the SQL that is told.
async fn problems_of(table: &str) -> Vec<TableProblem> {
    let url = shared().database();
    sql(&url, table);
    let state = state_at(&url).await;
    state.migrate().await.unwrap();
    let problems = match seen_by(&url).await.unwrap() {
        TableSeen::Unfit(problems) => problems,
        seen => {
            assert_eq!(seen, TableSeen::Fits);
            Vec::new()
        }
    };
    if !problems.is_empty() {
        assert!(state.rows(&spec(), &[key("a/x")]).await.unwrap().is_empty());
        assert!(matches!(state.ensure_table(&spec()).await, Err(StateError::Table { .. })));
    }
    // What one mistake hides is told once that one is mended.
    let mut mended = problems.clone();
    while !mended.is_empty() {
        mended.iter().for_each(|problem| drop(sql(&url, &problem.mend)));
        mended = match seen_by(&url).await.unwrap() {
            TableSeen::Unfit(problems) => problems,
            _ => Vec::new(),
        };
    }
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1), put("b/x", 2)], &[]).await;
    write(&*state, &lease, vec![moved("a/x", "b/x", 1), moved("b/x", "a/x", 2)], &[]).await;
    let (_, seen) = scan(&*state).await;
    for head in &seen.heads {
        assert_eq!(Some(seen.rows[&head.key]), head.row.map(|(_, seen)| seen), "{table}: the row drifts by itself");
    }
    problems
}

fn told(problems: &[TableProblem]) -> String {
    problems.iter().map(|problem| format!("{}\n  {}\n", problem.message, problem.mend)).collect()
}

#[tokio::test]
async fn a_table_of_the_product_that_takes_our_rows_fits_and_does_not_drift() {
    for table in [
        "CREATE TABLE pictures (category text, style text, image_url text, seed bigint, scale double precision, width int,
         PRIMARY KEY (style, category))",
        // What an application framework makes: other types, other columns, defaults, a trigger that has its own mind.
        "CREATE TABLE pictures (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), category varchar(40) NOT NULL,
           style character(8), image_url varchar(500), seed numeric(20), scale numeric(6,2), width smallint,
           likes int NOT NULL DEFAULT 0, label text GENERATED ALWAYS AS (category || '!') STORED,
           updated_at timestamptz NOT NULL DEFAULT now(), changes int NOT NULL DEFAULT 0, UNIQUE (category, style));
         CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS
           'BEGIN NEW.updated_at := now(); NEW.changes := NEW.changes + 1; NEW.image_url := lower(NEW.image_url); RETURN NEW; END';
         CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON pictures FOR EACH ROW EXECUTE FUNCTION touched()",
        "CREATE DOMAIN label AS text CHECK (VALUE <> ''); CREATE TYPE look AS ENUM ('x', 'y');
         CREATE TABLE pictures (id serial PRIMARY KEY, category label, style look, image_url jsonb, seed text, scale real,
           width numeric, UNIQUE (category, style))",
        "CREATE TABLE pictures (category text, style text, image_url text, seed bigint, scale numeric, width int,
           PRIMARY KEY (category, style)) PARTITION BY HASH (category);
         CREATE TABLE one PARTITION OF pictures FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
    ] {
        assert_eq!(problems_of(table).await, [], "{table}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_table_is_told_with_the_sql_that_mends_it() {
    let problems = problems_of(
        "CREATE TABLE pictures (category float8, image_url boolean, seed integer, scale integer, owner text NOT NULL)",
    );
    insta::assert_snapshot!(told(&problems.await), @r#"
    column `category` has the type double precision, which does not keep text as it is
      ALTER TABLE "public"."pictures" ALTER COLUMN "category" TYPE text USING "category"::text;
    column `style` is missing
      ALTER TABLE "public"."pictures" ADD COLUMN "style" text NOT NULL DEFAULT '';
    column `image_url` has the type boolean, which does not keep text as it is
      ALTER TABLE "public"."pictures" ALTER COLUMN "image_url" TYPE text USING "image_url"::text;
    column `seed` has the type integer, which does not keep integers of 64 bits
      ALTER TABLE "public"."pictures" ALTER COLUMN "seed" TYPE bigint USING "seed"::bigint;
    column `scale` has the type integer, which does not keep numbers
      ALTER TABLE "public"."pictures" ALTER COLUMN "scale" TYPE double precision USING "scale"::double precision;
    column `width` is missing
      ALTER TABLE "public"."pictures" ADD COLUMN "width" integer;
    column `owner` must be set in every row and is not among the declared columns
      ALTER TABLE "public"."pictures" ALTER COLUMN "owner" DROP NOT NULL;
    "#);
    let problems = problems_of(
        "CREATE TABLE pictures (category text, style text, image_url text, seed bigint, scale float8,
         width integer GENERATED ALWAYS AS (512) STORED);
         CREATE UNIQUE INDEX i ON pictures (category, style) WHERE seed > 0; CREATE UNIQUE INDEX j ON pictures (category)",
    );
    insta::assert_snapshot!(told(&problems.await), @r#"
    column `width` is generated and cannot be written
      ALTER TABLE "public"."pictures" ADD COLUMN "width_new" integer; UPDATE "public"."pictures" SET "width_new" = "width"; ALTER TABLE "public"."pictures" DROP COLUMN "width"; ALTER TABLE "public"."pictures" RENAME COLUMN "width_new" TO "width";
    no unique index covers exactly the key columns `category`, `style`
      CREATE UNIQUE INDEX ON "public"."pictures" ("category", "style");
    "#);
    let problems = problems_of(
        "CREATE TABLE pictures (category text, style text, image_url text, seed bigint, scale float8, width integer,
         UNIQUE (category, style) DEFERRABLE)",
    );
    insta::assert_snapshot!(told(&problems.await), @r#"
    the unique constraint `pictures_category_style_key` of the key is deferrable, which no upsert can do with
      ALTER TABLE "public"."pictures" DROP CONSTRAINT "pictures_category_style_key"; CREATE UNIQUE INDEX ON "public"."pictures" ("category", "style");
    "#);
}

#[tokio::test]
async fn what_is_no_table_is_told() {
    for (made, message) in [
        ("CREATE VIEW pictures AS SELECT 1 AS category", "`pictures` is a view, not a table; publish to another table"),
        (
            "CREATE MATERIALIZED VIEW pictures AS SELECT 1 AS category",
            "`pictures` is a materialized view, not a table; publish to another table",
        ),
    ] {
        let url = shared().database();
        sql(&url, made);
        let TableSeen::Unfit(problems) = seen_by(&url).await.unwrap() else { panic!("{made}") };
        assert_eq!(problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>(), [message]);
    }
}

#[tokio::test]
async fn a_table_lies_in_the_schema_that_is_named_and_names_with_quotes_stay_names() {
    let url = shared().database();
    sql(&url, r#"CREATE SCHEMA "Shop ""1""""#);
    let state = state_at(&url).await;
    state.migrate().await.unwrap();
    let mut odd = spec();
    odd.name.schema = r#"Shop "1""#.to_owned();
    odd.name.name = r#"Odd "; DROP TABLE x; --"#.to_owned();
    odd.columns[0].0 = r#"im"age"#.to_owned();
    let lease = lease_of(&*state, "pictures", "run-1").await;
    state.ensure_table(&odd).await.unwrap();
    state.commit(&lease, Some(&odd), &Commit { put: vec![put("a/x", 1)], ..Commit::default() }).await.unwrap();
    assert_eq!(state.rows(&odd, &[key("a/x")]).await.unwrap()[0].values, values(1));
    let missing = pixform::asset::TableSpec { name: "nowhere.pictures".parse().unwrap(), ..spec() };
    let Err(StateError::Table { problems, .. }) = state.ensure_table(&missing).await else { panic!("it is nowhere") };
    assert_eq!(
        told(&problems),
        "the schema `nowhere` is missing\n  CREATE SCHEMA \"nowhere\" AUTHORIZATION \"postgres\";\n"
    );
}

#[tokio::test]
async fn only_a_change_touches_updated_at_and_only_in_our_tables() {
    let url = shared().database();
    let state = state_at(&url).await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    let times = || sql(&url, "SELECT created_at = '2001-01-01', updated_at = '2001-01-01' FROM pictures").remove(0);
    let age = || execute(&url, "UPDATE pictures SET created_at = '2001-01-01', updated_at = '2001-01-01'");
    assert_eq!(age(), 1);
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    assert_eq!(times(), "t | t");
    write(&*state, &lease, vec![put("a/x", 2)], &[]).await;
    assert_eq!(times(), "t | f");
    execute(&url, "DELETE FROM pixform.tables");
    age();
    // A run looks at a table once.
    let state = state_at(&url).await;
    write(&*state, &lease, vec![put("a/x", 3)], &[]).await;
    assert_eq!(times(), "t | t");
}

#[tokio::test]
async fn a_row_of_somebody_else_is_merged_and_keeps_its_id() {
    let url = shared().database();
    let state = state_at(&url).await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    sql(&url, "INSERT INTO pictures (id, category, style) VALUES (70, 'b', 'x'), (80, 'c', 'x')");
    write(&*state, &lease, vec![put("b/x", 2), Put { values: Some(values(3)), ..moved("a/x", "c/x", 3) }], &[]).await;
    let found = ids(&*state, &["a/x", "b/x", "c/x"]).await;
    assert_eq!(found, [("b/x", "70"), ("c/x", "80")].map(|(at, id)| (at.to_owned(), id.to_owned())).into());
    // At the same moment: somebody's row is not committed yet, and is waited for.
    let slow = {
        let url = url.clone();
        let insert = "BEGIN; INSERT INTO pictures (id, category, style, seed) VALUES (90, 'd', 'x', 7); \
                      SELECT pg_sleep(1.5); COMMIT";
        std::thread::spawn(move || sql(&url, insert))
    };
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()
                   AND datname = current_database()";
    crate::project::wait("nobody inserts", || sql(&url, waiting) == ["1"]);
    write(&*state, &lease, vec![put("d/x", 4), put("e/x", 5)], &[]).await;
    slow.join().unwrap();
    assert_eq!(ids(&*state, &["d/x"]).await["d/x"], "90");
    assert_eq!(state.rows(&spec(), &[key("d/x")]).await.unwrap()[0].values, values(4));
}

#[tokio::test]
async fn rows_that_refer_to_ours_follow_a_rename() {
    let url = shared().database();
    let state = state_at(&url).await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1), put("b/x", 2)], &[]).await;
    sql(
        &url,
        "CREATE TABLE uses (category text, style text,
           FOREIGN KEY (category, style) REFERENCES pictures (category, style) ON UPDATE CASCADE);
         INSERT INTO uses VALUES ('a', 'x')",
    );
    write(&*state, &lease, vec![moved("a/x", "b/x", 1), moved("b/x", "a/x", 2)], &[]).await;
    assert_eq!(sql(&url, "SELECT category FROM uses"), ["b"]);
    let refused = state.commit(&lease, Some(&spec()), &Commit { delete: vec![key("b/x")], ..Commit::default() }).await;
    assert!(matches!(refused, Err(StateError::Row { .. })), "{refused:?}");
    assert_eq!(ids(&*state, &["b/x"]).await.len(), 1);
}

#[tokio::test]
async fn what_a_role_or_a_database_has_set_changes_no_digest() {
    let url = shared().database();
    let state = state_at(&url).await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    let (_, before) = scan(&*state).await;
    let name = url.rsplit('/').next().unwrap();
    for setting in ["extra_float_digits = 0", "\"TimeZone\" = 'Asia/Tokyo'", "\"DateStyle\" = 'German'"] {
        sql(&url, &format!("ALTER DATABASE {name} SET {setting}"));
    }
    let (_, after) = scan(&*state_at(&url).await).await;
    assert_eq!(before.rows, after.rows);
}

// Roles.

#[tokio::test]
async fn each_role_has_exactly_its_rights() {
    let url = shared().database();
    let setup = setup_sql(&[spec()]);
    for _ in 0..2 {
        psql(&url, &["-q", "-c", &setup]).unwrap();
    }
    let [plan, preview, apply] = ["pixform_plan", "pixform_preview", "pixform_apply"].map(|role| as_role(&url, role));
    let denied =
        |answer: &Result<(), StateError>| assert!(matches!(answer, Err(StateError::Denied { .. })), "{answer:?}");

    let applier = state_at(&apply).await;
    let before = applier.known().await.unwrap();
    assert_eq!((before.schema, before.id.is_some()), (Schema::Current, true));
    let lease = ready(&*applier).await;
    write(&*applier, &lease, vec![put("a/x", 1), put("b/x", 2)], &[]).await;
    write(&*applier, &lease, vec![put("a/x", 3)], &["b/x"]).await;
    let asked = [paid("c1", 1)];
    assert_eq!(applier.intend(Right::Lease(&lease), &asked, Caps::default(), &alive).await.unwrap(), [ours("c1")]);
    assert_eq!(applier.known().await.unwrap().id, before.id, "the state keeps its id");

    let planner = state_at(&plan).await;
    assert_eq!(seen_by(&plan).await.unwrap(), TableSeen::Fits);
    assert_eq!(scan(&*planner).await.1.heads.len(), 1);
    assert_eq!(planner.calls(&[recipe(1)], &alive).await.unwrap().len(), 1);
    planner.migrate().await.unwrap();
    denied(&planner.start_run(&run("run-9")).await);
    denied(&planner.settle(&[CallFact::new("c1", CallStatus::Submitted)]).await);
    denied(&planner.commit(&lease, Some(&spec()), &Commit::default()).await);

    let previewer = state_at(&preview).await;
    previewer.start_run(&run("run-8")).await.unwrap();
    previewer
        .settle(&[CallFact { task: Some("t".to_owned()), ..CallFact::new("c1", CallStatus::Submitted) }])
        .await
        .unwrap();
    previewer.announce(&[(record("a/x", 1).original, record("a/x", 1).published[0].clone())], &alive).await.unwrap();
    previewer.doubt(&dead).await.unwrap();
    denied(&previewer.commit(&lease, Some(&spec()), &Commit::default()).await);
    denied(&previewer.ensure_table(&spec()).await.map_err(|error| match error {
        StateError::Table { .. } => StateError::Denied { action: "write the table", source: "".into() },
        other => other,
    }));
    assert!(psql(&preview, &["-c", "UPDATE pictures SET seed = 1"]).is_err());
    assert!(psql(&plan, &["-c", "UPDATE pictures SET seed = 1"]).is_err());

    // The REST layer's role reads the rows, and nothing else.
    let anon = |text: &str| psql(&url, &["-q", "-t", "-A", "-c", &format!("SET ROLE anon; {text}")]);
    assert_eq!(anon("SELECT count(*) FROM pictures").unwrap().trim(), "1");
    assert!(anon("DELETE FROM pictures").is_err() && anon("SELECT * FROM pixform.calls").is_err());
}

#[tokio::test]
async fn rights_that_a_role_lacks_are_told_by_the_plan_with_the_sql_that_gives_them() {
    let url = shared().database();
    let state = state_at(&url).await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    let role = format!("poor_{}", url.rsplit('/').next().unwrap());
    let poor = as_role(&url, &role);
    sql(&url, &format!("CREATE ROLE {role} LOGIN"));
    // It may not even look at what the state holds: it must not take it for an empty one.
    assert!(matches!(state_at(&poor).await.known().await, Err(StateError::Denied { .. })));
    sql(
        &url,
        &format!("GRANT USAGE ON SCHEMA pixform TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA pixform TO {role}"),
    );
    let problems = |seen: TableSeen| match seen {
        TableSeen::Unfit(problems) => told(&problems).replace(&role, "ROLE"),
        other => format!("{other:?}"),
    };
    let mend = |told: &str| {
        for line in told.lines().filter_map(|line| line.strip_prefix("  ")) {
            sql(&url, &line.replace("ROLE", &role));
        }
    };
    let first = problems(seen_by(&poor).await.unwrap());
    insta::assert_snapshot!(first, @r#"
    the role `ROLE` may not SELECT there
      GRANT SELECT ON "public"."pictures" TO "ROLE";
    "#);
    mend(&first);
    assert_eq!(seen_by(&poor).await.unwrap(), TableSeen::Fits, "who only plans needs no more");
    // A role that may write our tables is about to apply, and has to be able to.
    sql(&url, &format!("GRANT ALL ON ALL TABLES IN SCHEMA pixform TO {role}; REVOKE SELECT ON pictures FROM {role}"));
    let second = problems(seen_by(&poor).await.unwrap());
    insta::assert_snapshot!(second, @r#"
    the role `ROLE` may not SELECT, INSERT, UPDATE, DELETE there
      GRANT SELECT, INSERT, UPDATE, DELETE ON "public"."pictures" TO "ROLE";
    "#);
    mend(&second);
    sql(&url, "ALTER TABLE pictures ENABLE ROW LEVEL SECURITY");
    let third = problems(seen_by(&poor).await.unwrap());
    insta::assert_snapshot!(third, @r#"
    row level security lets the role `ROLE` INSERT, UPDATE, DELETE no row
      CREATE POLICY pixform_insert ON "public"."pictures" FOR INSERT TO "ROLE" WITH CHECK (true); CREATE POLICY pixform_update ON "public"."pictures" FOR UPDATE TO "ROLE" USING (true); CREATE POLICY pixform_delete ON "public"."pictures" FOR DELETE TO "ROLE" USING (true);
    "#);
    mend(&third);
    let poor_state = state_at(&poor).await;
    let lease = lease_of(&*poor_state, "pictures", "run-1").await;
    write(&*poor_state, &lease, vec![put("a/x", 5), put("z/x", 6)], &[]).await;
    // A table that is still to be made, where the role may make none.
    let absent = pixform::asset::TableSpec { name: "later".parse().unwrap(), ..spec() };
    sql(
        &url,
        &format!(
            "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON DATABASE {} TO {role}",
            url.rsplit('/').next().unwrap()
        ),
    );
    let state = open(&poor, Access::Read).await.unwrap();
    let TableSeen::Unfit(missing) =
        state.scan(&collection("pictures"), Some(&absent), &mut Seen::default()).await.unwrap()
    else {
        panic!("it cannot be made")
    };
    assert_eq!(missing[0].message, format!("the table is missing, and the role `{role}` may not create it"));
    sql(&url, &missing[0].mend);
    assert_eq!(
        state.scan(&collection("pictures"), Some(&absent), &mut Seen::default()).await.unwrap(),
        TableSeen::Fits
    );
}

// Migrations, poolers, and several at once.

#[test]
fn many_may_migrate_an_empty_database_at_once() {
    for url in [shared().database(), pooler().url(&shared().database())] {
        std::thread::scope(|scope| {
            let one = || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let state = state_at(&url).await;
                    state.migrate().await.unwrap();
                    state.ensure_table(&spec()).await.unwrap();
                    state.known().await.unwrap().id
                })
            };
            let runs: Vec<_> = (0..6).map(|_| scope.spawn(one)).collect();
            let names: std::collections::BTreeSet<_> = runs.into_iter().map(|run| run.join().unwrap()).collect();
            assert_eq!(names.len(), 1, "they made one state");
        });
    }
}

#[tokio::test]
async fn reading_creates_nothing_and_cannot_write() {
    let url = shared().database();
    let state = open(&url, Access::Read).await.unwrap();
    assert_eq!(state.known().await.unwrap().schema, Schema::Absent);
    assert_eq!(seen_by(&url).await.unwrap(), TableSeen::Absent);
    assert!(state.migrate().await.is_err());
    assert_eq!(sql(&url, "SELECT count(*) FROM pg_class WHERE relname IN ('migrations', 'pictures')"), ["0"]);
}

#[tokio::test]
async fn a_newer_schema_and_another_migration_are_refused() {
    let url = shared().database();
    state_at(&url).await.migrate().await.unwrap();
    sql(&url, "INSERT INTO pixform.migrations (version, sha256) VALUES (99, '')");
    let state = state_at(&url).await;
    assert!(matches!(state.known().await, Err(StateError::Newer { found: 99, .. })));
    assert!(matches!(state.migrate().await, Err(StateError::Newer { .. })));
    assert!(matches!(state.start_run(&run("run-1")).await, Err(StateError::Newer { .. })));
    sql(
        &url,
        "DELETE FROM pixform.migrations WHERE version = 99; UPDATE pixform.migrations SET sha256 = 'x' WHERE version = 1",
    );
    assert!(matches!(state_at(&url).await.migrate().await, Err(StateError::Altered { version: 1 })));
}

#[tokio::test]
async fn nothing_is_left_behind_on_the_connections_of_a_pooler() {
    let direct = shared().database();
    let url = pooler().url(&direct);
    let state = state_at(&url).await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    scan(&*state).await;
    let look = |what: &str| psql(&url, &["-q", "-t", "-A", "-c", what]).unwrap();
    for _ in 0..4 {
        assert_eq!(look("SELECT count(*) FROM pg_prepared_statements").trim(), "0");
        assert_eq!(look("SHOW lock_timeout").trim(), "0");
        assert_eq!(look("SHOW enable_sort").trim(), "on");
    }
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(sql(&direct, locks), ["0"]);
}

#[tokio::test]
async fn an_expired_lease_is_taken_and_a_damaged_record_is_told() {
    let url = shared().database();
    let state = state_at(&url).await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    sql(&url, "UPDATE pixform.leases SET expires = since - 1");
    let unknowable = |_: &pixform::process::Process| Liveness::Unknown;
    let answer = state.take_lease(&collection("pictures"), &run("run-2"), &unknowable).await.unwrap();
    assert!(matches!(answer, LeaseAnswer::Taken(Lease { fence: 2, .. })), "{answer:?}");
    sql(&url, "UPDATE pixform.record_details SET recipe = '{'");
    let told = state.records(&collection("pictures"), &[key("a/x")]).await;
    assert!(
        matches!(told, Err(StateError::Unreadable { ref place, .. }) if place == "the record `pictures:a/x`"),
        "{told:?}"
    );
}

// Connections and servers that go away.

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_done_once() {
    let direct = shared().database();
    let proxy = Proxy::before(shared().port());
    let state = state_at(&through(&direct, proxy.port())).await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1), put("b/x", 2)], &[]).await;
    let before = ids(&*state, &["a/x", "b/x"]).await;
    proxy.lose_answer_to("COMMIT");
    write(&*state, &lease, vec![moved("a/x", "c/x", 1), moved("b/x", "a/x", 2)], &[]).await;
    assert_eq!(proxy.cuts(), 1);
    let after = ids(&*state, &["a/x", "b/x", "c/x"]).await;
    assert_eq!(
        after,
        [("a/x", &before["b/x"]), ("c/x", &before["a/x"])].map(|(at, id)| (at.to_owned(), id.clone())).into()
    );
    let (_, seen) = scan(&*state).await;
    for head in &seen.heads {
        assert_eq!(Some(seen.rows[&head.key]), head.row.map(|(_, seen)| seen));
    }
    assert_eq!(state.known().await.unwrap().collections[0].records, 2);
    // An intention that was written and not heard of is still ours to send; it was not sent.
    proxy.lose_answer_to("COMMIT");
    let asked = [paid("c1", 1), paid("c2", 2)];
    let intents = state.intend(Right::Lease(&lease), &asked, Caps::default(), &alive).await.unwrap();
    assert_eq!((proxy.cuts(), intents), (2, ["c1", "c2"].map(ours).into()));
    assert_eq!(history(&*state).await.len(), 2);
}

#[tokio::test]
async fn a_connection_that_is_cut_in_the_middle_is_made_again() {
    let direct = shared().database();
    let proxy = Proxy::before(shared().port());
    let state = state_at(&through(&direct, proxy.port())).await;
    let lease = ready(&*state).await;
    for number in 0..8_u32 {
        proxy.cut();
        let at = format!("k{number}/x");
        write(&*state, &lease, vec![put(&at, number)], &[]).await;
        proxy.cut();
        assert_eq!(state.records(&collection("pictures"), &[key(&at)]).await.unwrap().len(), 1);
        proxy.cut();
        assert_eq!(
            state.intend(Right::Lease(&lease), &[call(&at, number)], Caps::default(), &alive).await.unwrap().len(),
            1
        );
    }
    // Each connection carries so many bytes and no more, wherever that is in a transaction.
    for bytes in [3_000, 2_200, 4_100, 5_000, 2_700] {
        proxy.cut_after(bytes);
        proxy.cut();
        let (spec, commit) = (spec(), Commit { put: vec![put("z/x", bytes as u32)], ..Commit::default() });
        let written = state.commit(&lease, Some(&spec), &commit);
        let written = tokio::time::timeout(Duration::from_secs(2), written).await;
        proxy.cut_after(0);
        if !matches!(written, Ok(Ok(()))) {
            write(&*state, &lease, vec![put("z/x", bytes as u32)], &[]).await;
        }
        assert_eq!(state.records(&collection("pictures"), &[key("z/x")]).await.unwrap()[0].take, bytes as u32);
    }
    assert!(proxy.cuts() > 0, "the limits were never met");
    assert_eq!(state.known().await.unwrap().collections[0].records, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_is_waited_for_and_loses_nothing() {
    let server = Server::start(Durability::Full);
    let state = state_at(&server.database()).await;
    let lease = ready(&*state).await;
    write(&*state, &lease, vec![put("a/x", 1)], &[]).await;
    server.kill();
    let again = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        tokio::task::block_in_place(|| server.run());
    };
    let (spec, commit) = (spec(), Commit { put: vec![put("b/x", 2)], ..Commit::default() });
    let committed = state.commit(&lease, Some(&spec), &commit);
    let (committed, ()) = tokio::join!(committed, again);
    committed.unwrap();
    let (_, seen) = scan(&*state).await;
    assert_eq!((seen.heads.len(), seen.rows.len()), (2, 2));
}

/// What opening and asking comes to, in words.
async fn refusal(url: &str) -> String {
    let begun = Instant::now();
    let answer = match open(url, Access::Read).await {
        Ok(state) => state.known().await.map(|_| ()),
        Err(error) => Err(error),
    };
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let error = answer.unwrap_err();
    let help = match &error {
        StateError::Server { help, .. } | StateError::Address { help, .. } => help.clone(),
        _ => String::new(),
    };
    format!("{error}\n  {help}\n")
}

#[tokio::test]
async fn a_server_that_cannot_be_used_is_told_with_what_to_do() {
    let url = shared().database();
    let nowhere = through(&url, postgres::free_port());
    let told = [
        refusal(&nowhere).await.replace(nowhere.rsplit_once(':').unwrap().1.split('/').next().unwrap(), "PORT"),
        refusal("postgres://postgres:secret@db.abcdefgh.supabase.co:5432/postgres?connect_timeout=2").await,
        refusal(&url.replace("/test_", "/missing_")).await,
        refusal(&as_role(&url, "nobody_like_this")).await,
        refusal(&format!("{url}?sslmode=require")).await,
        refusal(&format!("{url}?sslmode=verify-full&sslrootcert=/nowhere.crt")).await,
    ];
    let port = shared().port().to_string();
    let told = told.concat().replace(&port, "PORT");
    let told = numberless(&numberless(&told, "test_"), "missing_");
    assert!(!told.contains("secret"));
    insta::assert_snapshot!(told, @r#"
    the database `127.0.0.1:PORT/test_N` cannot be reached
      check host and port in the URL of the state, and that this machine may connect there
    the database `db.abcdefgh.supabase.co:5432/postgres` cannot be reached
      the direct host of a Supabase project can be reached by IPv6 only: take the URL of the session pooler from the dashboard (Connect, Session pooler, port 5432, user `postgres.PROJECT`)
    the database `127.0.0.1:PORT/missing_N` is not there
      create it, or correct the name after the last `/`
    the database `127.0.0.1:PORT/test_N` refused the login
      check user and password in the URL of the state; on a pooler of Supabase the user is `postgres.PROJECT`, on the direct host `postgres`
    the database `127.0.0.1:PORT/test_N` offers no TLS that can be used
      the server has none: use one that has, or write `sslmode=disable` where the network can be trusted
    the certificates in `/nowhere.crt` cannot be used: No such file or directory (os error 2)
      name a PEM file under `sslrootcert`; Supabase has it in the dashboard, under Database settings
    "#);
}

/// Replaces the number after a word, which differs from run to run.
fn numberless(text: &str, word: &str) -> String {
    let mut parts = text.split(word);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + word + "N" + part.trim_start_matches(|digit: char| digit.is_ascii_digit()))
}

#[tokio::test]
async fn a_certificate_is_looked_at_where_that_is_asked_for() {
    let server = Server::start(Durability::None);
    let authority = server.encrypt();
    let url = server.database();
    let named = url.replace("127.0.0.1", "localhost");
    let works = async |url: String| {
        let state = open(&url, Access::Read).await?;
        state.known().await.map(|known| known.schema)
    };
    assert_eq!(works(format!("{url}?sslmode=require")).await.unwrap(), Schema::Absent);
    assert_eq!(works(url.clone()).await.unwrap(), Schema::Absent);
    assert!(works(format!("{url}?sslmode=disable")).await.is_err(), "the server wants TLS");
    let full = |url: &str| format!("{url}?sslmode=verify-full&sslrootcert={}", authority.display());
    assert_eq!(works(full(&named)).await.unwrap(), Schema::Absent);
    // Another name than the certificate's, and an authority that is not the server's.
    assert!(matches!(works(full(&url)).await, Err(StateError::Server { what: "offers no TLS that can be used", .. })));
    let other = Server::start(Durability::None).encrypt();
    let wrong = works(format!("{named}?sslrootcert={}", other.display())).await;
    assert!(matches!(wrong, Err(StateError::Server { .. })), "{wrong:?}");
}
