//! Tables of the product with names and keys as products have them: capitals, blanks, quotes, words of SQL, other scripts,
//! numbers and days as keys. In SQLite and in Postgres.

use std::fs;

use serde_json::Value;

use crate::postgres::shared;
use crate::project::{Project, reasons};
use crate::served::Server;

/// A manifest for a table whose names all need quotes.
const ODD: &str = r#"version: 1
collection: odd
key: [Category, order]
defaults: { generator: painter, model: m, width: 64, height: 64, seed: derived, prompt: "a {{ Category }} {{ order }}" }
images: [ { matrix: { Category: [a, b], order: [x, y] } } ]
renditions: { main: { format: png, path: "odd/{{ Category }}-{{ order }}-{{ digest }}.{{ ext }}" } }
publish:
  table: '"The ""Odd"" Table''s"'
  columns:
    imageUrl: "{{ url }}"
    select: "{{ width }}"
    Größe (px): "{{ height }}"
    "the \"words\", it's said": "{{ prompt }}"
    user.name: "{{ seed }}"
"#;

/// What SQLite and Postgres both take.
const ODD_TABLE: &str = r#"CREATE TABLE "The ""Odd"" Table's" ("Id" integer, "Category" text NOT NULL, "order" text NOT NULL,
  "imageUrl" text, "select" integer, "Größe (px)" integer, "the ""words"", it's said" text, "user.name" bigint,
  UNIQUE ("order", "Category"))"#;

/// The same project on either database, with a table that the product made before.
fn on_both(manifest: &str, table: Option<&str>) -> [Project; 2] {
    let projects = [Project::new(manifest), Project::on_postgres(manifest, shared().database())];
    for project in &projects {
        if let Some(table) = table {
            if project.is_sqlite() {
                fs::create_dir_all(project.database().parent().unwrap()).unwrap();
            }
            project.batch(table);
            if !project.is_sqlite() {
                // What a server shows is what everybody may read; other tests make the roles of Supabase.
                project.batch("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC");
            }
        }
    }
    projects
}

fn values(project: &Project, column: &str) -> Vec<String> {
    project.query(&format!(r#"SELECT {column} FROM "The ""Odd"" Table's" ORDER BY "Category", "order""#))
}

/// Everything that reads or writes rows, on a table that is there or is to be made.
fn check_odd_names(project: &Project) {
    project.apply();
    project.assert_settled();
    assert_eq!(values(project, r#""select""#), ["64"; 4]);
    assert_eq!(values(project, r#""the ""words"", it's said""#), ["a a x", "a a y", "a b x", "a b y"]);
    // Drift, and its repair.
    project.execute(r#"UPDATE "The ""Odd"" Table's" SET "Größe (px)" = 1 WHERE "Category" = 'a' AND "order" = 'x'"#);
    let told = project.run(&["check"]).expect(2).stdout;
    assert!(told.contains("the row was edited by hand: Größe (px)"), "{told}");
    let plan = project.plan();
    assert_eq!(reasons(&plan, "a/x"), ["row_edited Größe (px)"]);
    assert!(project.ok(&["plan"]).contains("row edited: Größe (px) 64 → 1"));
    for format in ["markdown", "html"] {
        assert!(project.ok(&["plan", "--format", format]).contains("Größe (px)"), "{format}");
    }
    project.apply();
    assert_eq!(values(project, r#""Größe (px)""#), ["64"; 4]);
    // A row as it was edited, for good.
    project.execute(
        r#"UPDATE "The ""Odd"" Table's" SET "the ""words"", it's said" = 'mine' WHERE "Category" = 'b' AND "order" = 'y'"#,
    );
    project.ok(&["accept", "b/y", "--row", "--yes"]);
    project.assert_settled();
    // A rename that swaps, a deletion, and an edit of all rows.
    let edited = ODD.replace("Category: [a, b], order: [x, y]", "Category: [a, b], order: [y, x, z]")
        + "moved: [ { from: a/x, to: a/y }, { from: a/y, to: a/x } ]\n";
    project.manifest(&edited);
    project.apply();
    project.assert_settled();
    project.manifest(&ODD.replace("Category: [a, b]", "Category: [a]").replace("{{ width }}", "{{ height }}"));
    project.apply();
    project.assert_settled();
    assert_eq!(values(project, r#""Category""#), ["a", "a"]);
    // The API, and its description.
    let server = Server::of(project, &[]);
    let row = server.get("/api/odd/a/x").expect(200).json();
    for (column, value) in [("Category", "a"), ("order", "x"), ("the \"words\", it's said", "a a x")] {
        assert_eq!(row[column], value, "{row}");
    }
    assert_eq!(row["Größe (px)"], 64);
    assert!(row["imageUrl"].as_str().unwrap().starts_with("/files/odd/a-x-"), "{row}");
    let description = server.get("/api/openapi.json").expect(200).text();
    for column in ["imageUrl", "Größe (px)", r#"the \"words\", it's said"#] {
        assert!(description.contains(column), "{column}");
    }
    let page = server.get("/odd/a/x").expect(200).text();
    assert!(page.contains("Größe (px)") && page.contains("it&#x27;s said"), "{page}");
}

#[test]
fn a_table_with_names_that_need_quotes_is_published_to_as_it_is() {
    on_both(ODD, Some(ODD_TABLE)).iter().for_each(check_odd_names);
}

#[test]
fn a_table_with_names_that_need_quotes_is_made_as_it_is_declared() {
    on_both(ODD, None).iter().for_each(check_odd_names);
}

#[test]
fn what_such_a_table_lacks_is_told_with_sql_that_can_be_run() {
    let table =
        r#"CREATE TABLE "The ""Odd"" Table's" ("Category" text NOT NULL, "order" text NOT NULL, "imageurl" text)"#;
    let [_, project] = on_both(ODD, Some(table));
    let told = project.run(&["plan"]).expect(1).stderr;
    assert!(told.contains("column `imageUrl` is missing; there is `imageurl`, and capitals count"), "{told}");
    let statements =
        told.lines().filter_map(|line| Some(&line[line.find("ALTER TABLE").or_else(|| line.find("CREATE UNIQUE"))?..]));
    let statements: Vec<&str> = statements.collect();
    assert_eq!(statements.len(), 6, "{told}");
    project.batch(&statements.join("\n"));
    project.apply();
    project.assert_settled();
}

#[test]
fn quotes_around_a_columns_name_are_told() {
    let manifest = ODD.replace("    imageUrl:", "    '\"imageUrl\"':");
    for project in on_both(&manifest, Some(ODD_TABLE)) {
        let told = project.run(&["plan"]).expect(1).stderr;
        assert!(told.contains("write `imageUrl`: columns need no quotes of their own"), "{told}");
    }
}

#[test]
fn names_that_differ_in_case_are_two_columns_in_postgres_and_one_in_sqlite() {
    let manifest = ODD.replace("    select:", "    ImageURL: \"{{ path }}\"\n    select:");
    let [sqlite, postgres] = on_both(&manifest, None);
    let told = sqlite.run(&["plan"]).expect(1).stderr;
    assert!(told.contains("`imageUrl` and `ImageURL` are one column in SQLite"), "{told}");
    postgres.apply();
    postgres.assert_settled();
    assert!(values(&postgres, r#""ImageURL""#)[0].starts_with("odd/a-x-"));
}

// Keys of other types than text.

fn numbered(keys: &str, table: &str) -> String {
    format!(
        r#"version: 1
collection: products
key: [id]
defaults: {{ generator: painter, model: m, width: 64, height: 64, seed: derived, prompt: "product {{{{ id }}}}" }}
images: [ {{ matrix: {{ id: [{keys}] }} }} ]
renditions: {{ main: {{ format: png, path: "products/{{{{ id }}}}-{{{{ digest }}}}.{{{{ ext }}}}" }} }}
publish: {{ table: {table}, columns: {{ imageUrl: "{{{{ url }}}}" }} }}
"#
    )
}

fn pictured(project: &Project) -> Vec<String> {
    project.query(r#"SELECT id FROM products WHERE "imageUrl" LIKE '/files/products/%' ORDER BY id"#)
}

#[test]
fn rows_are_found_by_the_number_that_the_product_gave_them() {
    let table = r#"CREATE TABLE products (id integer PRIMARY KEY, name text, "imageUrl" text);
                   INSERT INTO products (id, name) VALUES (1, 'one'), (2, 'two'), (30, 'thirty')"#;
    for project in on_both(&numbered("1, 2", "products"), Some(table)) {
        project.apply();
        project.assert_settled();
        assert_eq!(pictured(&project), ["1", "2"]);
        assert_eq!(project.query("SELECT name FROM products ORDER BY id"), ["one", "two", "thirty"]);
        project.execute(r#"UPDATE products SET "imageUrl" = 'x' WHERE id = 2"#);
        assert_eq!(project.planned(), ["2 repair"]);
        project.apply();
        project.manifest(&(numbered("1, 3", "products") + "moved: [ { from: 2, to: 3 } ]\n"));
        project.apply();
        project.assert_settled();
        assert_eq!(project.query("SELECT id, name FROM products ORDER BY id"), ["1 | one", "3 | two", "30 | thirty"]);
        // What lies between is one plan; two that take each other's numbers at once cannot be.
        project.manifest(&(numbered("1, 3", "products") + "moved: [ { from: 1, to: 3 }, { from: 3, to: 1 } ]\n"));
        let refused = project.run(&["apply", "--yes"]);
        assert!(refused.code != 0 && refused.stderr.contains("rename them in two steps"), "{refused:?}");
        assert_eq!(pictured(&project), ["1", "3"]);
        let server = Server::of(&project, &[]);
        assert_eq!(server.get("/api/products/3").expect(200).json()["id"], Value::from(3));
    }
}

#[test]
fn a_table_that_pixform_makes_can_have_a_key_called_id() {
    for project in on_both(&numbered("a, b", "products"), None) {
        project.apply();
        project.assert_settled();
        assert_eq!(pictured(&project), ["a", "b"]);
    }
}

#[test]
fn days_uuids_small_numbers_and_truths_are_keys_in_postgres() {
    for (kind, keys) in [
        ("date", ["2026-11-30", "2026-12-01"]),
        ("uuid", ["0192a6f0-5c1e-7cc0-9e6d-0123456789ab", "a192a6f0-5c1e-7cc0-9e6d-0123456789ab"]),
        ("smallint", ["-7", "7"]),
        ("bigint", ["7", "9223372036854775807"]),
        ("boolean", ["false", "true"]),
        ("varchar(3)", ["abc", "b"]),
    ] {
        let quoted = keys.map(|key| format!("\"{key}\"")).join(", ");
        let url = shared().database();
        let project = Project::on_postgres(&numbered(&quoted, "products"), url);
        project.batch(&format!(r#"CREATE TABLE products (id {kind} PRIMARY KEY, "imageUrl" text)"#));
        project.apply();
        project.assert_settled();
        let mut found = pictured(&project);
        if kind == "boolean" {
            found = found.iter().map(|truth| (if truth == "t" { "true" } else { "false" }).to_owned()).collect();
        }
        assert_eq!(found, keys, "{kind}");
    }
}

#[test]
fn a_key_that_a_sequence_always_numbers_is_told_without_losing_it() {
    let url = shared().database();
    let project = Project::on_postgres(&numbered("1, 2", "products"), url);
    project.batch(r#"CREATE TABLE products (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "imageUrl" text)"#);
    let told = project.run(&["plan"]).expect(1).stderr;
    let mend = r#"ALTER TABLE "public"."products" ALTER COLUMN "id" SET GENERATED BY DEFAULT;"#;
    assert!(told.contains(mend), "{told}");
    project.batch(mend);
    project.apply();
    project.assert_settled();
}

#[test]
fn a_manifest_is_written_for_a_table_with_names_and_numbers_of_its_own() {
    let table = r#"CREATE TABLE "Product" (id integer PRIMARY KEY, "imageUrl" text, "guidanceScale" double precision, "Prompt" text)"#;
    for project in on_both(&numbered("1, 2", "'\"Product\"'"), Some(table)) {
        project.apply();
        project.execute(r#"UPDATE "Product" SET "guidanceScale" = 7.5, "Prompt" = 'a boot' WHERE id = 1"#);
        project.ok(&[
            "import",
            "--write",
            "written.yaml",
            "--table",
            "\"Product\"",
            "--key",
            "id",
            "--collection",
            "again",
        ]);
        let written = fs::read_to_string(project.root().join("written.yaml")).unwrap();
        for line in [
            "key: [id]",
            "table: \"\\\"Product\\\"\"",
            "    imageUrl: \"{{ url }}\"",
            "    guidanceScale: \"{{ guidance_scale }}\"",
            "    Prompt: \"{{ prompt }}\"",
        ] {
            assert!(written.lines().any(|found| found.trim() == line.trim()), "{line}:\n{written}");
        }
        assert!(written.contains("a boot"), "{written}");
        project.ok(&["validate", "written.yaml"]);
    }
}
