//! Roles of a database, from end to end: what the printed SQL needs of whoever runs it, the first preview of a project, and
//! who reads the rows. On the machine's own Postgres and on 17, where roles may be made under other rules.

use pixform::state::setup_sql;

use crate::postgres::{Durability, Release, Server, psql, shared, shared_of, sql};
use crate::project::{PEOPLE, Project};
use crate::state_contract::spec;

/// What the site of a product on Supabase reads as.
const READERS: [&str; 3] = ["anon", "authenticated", "service_role"];

/// A project whose commands run as one role after the other.
struct Team {
    project: Project,
    url: String,
}

impl Team {
    /// Makes a database for an owner, and a project beside it that was never applied.
    fn new(server: &Server, owner: &str) -> Self {
        let url = server.database();
        let name = url.rsplit('/').next().unwrap();
        sql(&url, &format!("ALTER DATABASE {name} OWNER TO {owner}"));
        let project = Project::on_postgres(PEOPLE, url.clone());
        let config = "version: 1\ndefault_environment: team\nenvironments:\n  team:\n    state: ${DATABASE_URL}\n    \
                      storage: { url: \"file:store\" }\n    generators: { painter: { kind: placeholder } }\n";
        project.write("pixform.yaml", config);
        Self { project, url }
    }

    fn url_of(&self, role: &str) -> String {
        self.url.replace("postgres@", &format!("{role}@"))
    }

    /// Runs the printed SQL as a role; what psql says where it fails.
    fn set_up(&self, role: &str) -> Result<String, String> {
        let setup = self.project.ok(&["init", "--print-sql"]);
        psql(&self.url_of(role), &["-q", "-c", &setup])
    }

    fn run(&self, role: &str, args: &[&str]) -> crate::project::Ran {
        let mut command = self.project.command(args);
        crate::project::ran(command.env("DATABASE_URL", self.url_of(role)).output().unwrap())
    }
}

/// The first pull request of a project: nothing was ever applied, and its preview is the first command of all.
fn check_first_preview(team: &Team) {
    let previewed = team.run("pixform_preview", &["preview", "--yes"]).expect(0);
    assert!(previewed.stdout.contains("Previewed: 8 generated."), "{previewed:?}");
    let refused = team.run("pixform_preview", &["apply", "--yes"]).expect(1).stderr;
    assert!(refused.contains("the role in the URL of the state may not take the lease"), "{refused}");
    assert_eq!(sql(&team.url, "SELECT count(*) FROM people"), ["0"], "a preview switches nothing");
    let next = previewed.stderr.lines().find_map(|line| line.strip_prefix("next: pixform ")).unwrap();
    let published: Vec<&str> = next.split(' ').filter(|word| *word != "--yes").chain(["--yes"]).collect();
    let applied = team.run("pixform_apply", &published).expect(0);
    assert!(applied.stdout.contains("8 reused. Cost: $0.00."), "{applied:?}");
    let settled = team.run("pixform_plan", &["plan", "--detailed-exitcode"]).expect(0);
    assert!(settled.stdout.contains("No changes. 8 unchanged."), "{settled:?}");
    for (role, args) in [
        ("pixform_plan", &["check"][..]),
        ("pixform_plan", &["explain", "age/aged/photo"]),
        ("pixform_plan", &["history"]),
        ("pixform_preview", &["preview", "--yes"]),
        ("pixform_preview", &["preview", "--yes", "--candidates", "2", "--only", "age/aged/photo"]),
        ("pixform_apply", &["gc", "--yes"]),
        ("pixform_apply", &["destroy", "people", "--yes"]),
    ] {
        team.run(role, args).expect(0);
    }
    // Who only previews may not say that another store is used from now on, nor who plans that anything is.
    let meta = "UPDATE pixform.meta SET value = 'another' WHERE name = 'store'";
    assert!(psql(&team.url_of("pixform_preview"), &["-c", meta]).is_err());
    let refused = team.run("pixform_plan", &["apply", "--yes"]);
    let refused = refused.expect(1).stderr;
    for words in
        ["the role in the URL of the state may not", "`pixform_preview` previews, `pixform_apply` does the rest"]
    {
        assert!(refused.contains(words), "{words}: {refused}");
    }
}

fn check_release(release: Release) {
    // A server of its own: roles belong to all databases of one.
    let server = Server::of(release, Durability::None);
    sql(&server.database(), "CREATE ROLE maker LOGIN CREATEROLE; CREATE ROLE poor LOGIN");
    // Who may make no roles is told so, and what to do; nothing is left behind.
    let poor = Team::new(&server, "poor");
    let told = poor.set_up("poor").unwrap_err();
    for words in [
        r#"the role "pixform_plan" is missing, and the role "poor" may make none"#,
        "Let a role with CREATEROLE run this once, and then run all of this again: CREATE ROLE pixform_plan LOGIN;",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(sql(&poor.url, "SELECT to_regnamespace('pixform') IS NULL"), ["t"]);
    // An owner who is no superuser and may make roles needs nobody else, and may run it again.
    let maker = Team::new(&server, "maker");
    for _ in 0..2 {
        maker.set_up("maker").unwrap();
    }
    check_first_preview(&maker);
    // Once the roles are there, nobody needs to be able to make them.
    for _ in 0..2 {
        poor.set_up("poor").unwrap();
    }
    check_first_preview(&poor);
}

#[test]
fn the_first_preview_of_a_project_needs_no_apply_before_it_and_no_superuser() {
    check_release(Release::System);
}

#[test]
fn the_first_preview_of_a_project_is_the_same_on_postgres_17() {
    check_release(Release::Seventeen);
}

/// Each of the site's roles reads the rows, and none of them does anything else.
fn check_readers(url: &str, table: &str, rows: &str) {
    for reader in READERS {
        let act = |text: &str| psql(url, &["-q", "-t", "-A", "-c", &format!("SET ROLE {reader}; {text}")]);
        assert_eq!(act(&format!("SELECT count(*) FROM {table}")).unwrap().trim(), rows, "{reader}");
        for other in [format!("DELETE FROM {table}"), "SELECT * FROM pixform.calls".to_owned()] {
            assert!(act(&other).is_err(), "{reader}: {other}");
        }
    }
    let state = "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('";
    assert_eq!(sql(url, &format!("{state}{}')", table.replace('\'', "''"))), ["t"]);
}

#[test]
fn a_table_that_pixform_makes_is_read_by_the_roles_of_a_rest_layer() {
    for release in [Release::System, Release::Seventeen] {
        let server = shared_of(release);
        let names = ["people", "shop.people", "shop.\"It's $pixform$ all\""];
        for name in names {
            let url = server.database();
            // As on a project of Supabase today: the schema may be used, and nothing is granted by itself.
            sql(&url, "CREATE SCHEMA shop; GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role");
            let manifest = PEOPLE.replace("table: people", &format!("table: '{}'", name.replace('\'', "''")));
            let project = Project::on_postgres(&manifest, url.clone());
            project.apply();
            check_readers(&url, name, "8");
        }
    }
}

#[test]
fn a_table_that_the_printed_sql_makes_is_read_by_the_same_roles() {
    for name in ["pictures", "\"It's $pixform$ $sql$ all\""] {
        let url = shared().database();
        let spec = pixform::asset::TableSpec { name: name.parse().unwrap(), ..spec() };
        for _ in 0..2 {
            psql(&url, &["-q", "-c", &setup_sql(std::slice::from_ref(&spec))]).unwrap();
        }
        check_readers(&url, name, "0");
    }
}

#[test]
fn without_such_roles_a_table_has_no_policies() {
    let server = Server::of(Release::System, Durability::None);
    let url = server.database();
    sql(&url, "DROP ROLE anon; DROP ROLE authenticated; DROP ROLE service_role");
    Project::on_postgres(PEOPLE, url.clone()).apply();
    assert_eq!(sql(&url, "SELECT relrowsecurity FROM pg_class WHERE relname = 'people'"), ["f"]);
}

#[test]
fn a_table_of_an_earlier_release_is_opened_to_all_of_them_unless_it_was_closed() {
    let url = shared().database();
    let project = Project::on_postgres(PEOPLE, url.clone());
    project.apply();
    let back =
        "REVOKE ALL ON people FROM authenticated, service_role; DELETE FROM pixform.migrations WHERE version = 10";
    sql(&url, back);
    project.edit("an old man", "a very old man");
    project.apply();
    check_readers(&url, "people", "8");
    // What its owner closed since stays closed.
    sql(&url, &format!("{back}; REVOKE ALL ON people FROM anon"));
    project.edit("a very old man", "an old man");
    project.apply();
    assert_eq!(sql(&url, "SELECT count(*) FROM pixform.migrations WHERE version = 10"), ["1"]);
    for reader in READERS {
        assert!(psql(&url, &["-c", &format!("SET ROLE {reader}; SELECT FROM people")]).is_err(), "{reader}");
    }
}
