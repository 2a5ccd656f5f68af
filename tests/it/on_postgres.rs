//! The real binary against a real Postgres, and what happens to both: poolers, readers, rules of the product, connections
//! that are cut, and a server that is killed in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio_postgres::NoTls;
use tokio_postgres::types::Type;

use crate::money::{configure, fake, people};
use crate::postgres::{Durability, Server, pooler, psql, shared, sql, through};
use crate::project::{KEYS, PEOPLE, Project, Stopped, ran, wait};
use crate::proxy::Proxy;

/// Starts three applies at once on an empty database: one does the work, and nothing is done twice.
fn check_three_at_once(url: &str) {
    let project = Project::on_postgres(PEOPLE, url.to_owned());
    let runs: Vec<_> = (0..3).map(|_| project.start(&["apply", "--yes"])).collect();
    let codes: Vec<i32> = runs.into_iter().map(|run| ran(run.wait_with_output().unwrap()).code).collect();
    assert!(codes.contains(&0) && codes.iter().all(|code| [0, 5, 6].contains(code)), "{codes:?}");
    assert_eq!((project.rows().len(), project.paints()), (8, 8), "{codes:?}");
    project.assert_painted_once();
    project.assert_settled();
}

#[test]
fn three_runs_at_once_on_an_empty_database_leave_one_result() {
    for _ in 0..2 {
        check_three_at_once(&shared().database());
        check_three_at_once(&pooler().url(&shared().database()));
    }
}

#[test]
fn the_whole_story_goes_through_a_transaction_pooler() {
    let project = Project::on_postgres(PEOPLE, pooler().url(&shared().database()));
    project.apply();
    project.assert_settled();
    project.edit("an old man", "a very old man");
    assert_eq!(project.planned(), ["age/aged/anime generate", "age/aged/photo generate"]);
    project.apply();
    project.edit("a very old man", "an old man");
    assert_eq!(project.planned(), ["age/aged/anime reuse", "age/aged/photo reuse"]);
    project.apply();
    let moved = "moved:\n  - { from: age/young/*, to: age/adult/* }\n";
    project.manifest(&format!("{}{moved}", PEOPLE.replace("young: ", "adult: ")));
    project.apply();
    project.execute("DELETE FROM people WHERE value = 'slim'");
    assert_eq!(project.planned(), ["body/slim/anime repair", "body/slim/photo repair"]);
    project.apply();
    project.assert_settled();
    project.ok(&["history"]);
    project.ok(&["explain", "age/adult/photo"]);
    project.ok(&["destroy", "people", "--yes"]);
    assert_eq!(project.query("SELECT count(*) FROM people"), ["0"]);
}

/// Reads the table again and again as the product would, until it is told to stop; returns how often it looked.
///
/// Every key is there each time, and each URL's file is whole.
fn read_in_a_loop(url: &str, project: &Project, stop: &AtomicBool) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let mut looks = 0;
        let expected: BTreeSet<&str> = KEYS.into_iter().collect();
        while !stop.load(Ordering::SeqCst) {
            let sql = r#"SELECT "group" || '/' || value || '/' || style, image_url FROM people"#;
            let rows =
                client.query_typed(sql, &[] as &[(&(dyn tokio_postgres::types::ToSql + Sync), Type)]).await.unwrap();
            let keys: BTreeSet<&str> = rows.iter().map(|row| row.get::<_, &str>(0)).collect();
            assert!(keys.is_superset(&expected), "a row is missing: {keys:?}");
            for row in &rows {
                let path = project.storage().join(row.get::<_, &str>(1).strip_prefix("/files/").unwrap());
                let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                assert!(bytes.len() > 100 && bytes.starts_with(&[0xff, 0xd8]), "{}", path.display());
            }
            looks += 1;
        }
        drop(client);
        connection.await.unwrap().unwrap();
        looks
    })
}

/// Tells a reader to stop once it goes.
struct Stopping<'s>(&'s AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_reader_sees_every_row_and_every_file_during_a_hundred_applies() {
    let url = shared().database();
    let project = Project::on_postgres(PEOPLE, url.clone());
    project.apply();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_in_a_loop(&url, &project, &stop));
        // Also where this thread panics, the reader comes to its end.
        let stopping = Stopping(&stop);
        for round in 0..100_u32 {
            let mut manifest = PEOPLE.replace("a young woman", &format!("a young woman of kind {}", round % 7));
            if round % 3 == 1 {
                manifest = manifest.replace("quality: 90", "quality: 80");
            }
            if round % 4 == 2 {
                manifest.push_str("    alt: \"{{ value }}\"\n");
                if round == 2 {
                    // A column comes before the manifest that uses it.
                    sql(&url, "ALTER TABLE people ADD COLUMN alt text");
                }
            }
            if round % 5 == 3 {
                manifest = manifest.replace("tall: ", "tall: { vars: { subject: a tall woman } }\n        short: ");
            }
            project.manifest(&manifest);
            project.apply();
            assert!(!reader.is_finished(), "the reader saw something that must not be");
        }
        drop(stopping);
        let looks = reader.join().unwrap();
        assert!(looks > 100, "{looks}");
        println!("the reader looked {looks} times");
    });
    project.assert_settled();
}

#[test]
fn a_row_that_breaks_a_rule_of_the_product_holds_nothing_else_back() {
    for paid in [false, true] {
        let url = shared().database();
        let project = Project::on_postgres(PEOPLE, url.clone());
        let service = paid.then(|| fake(10));
        if let Some(fake) = &service {
            project.manifest(&people());
            configure(&project, fake, ", concurrency: 3, images_per_minute: 100000", "");
        }
        project.ok(&["apply", "--yes", "--only", "age/young/photo"]);
        // What a trigger thinks of a row is known once it is asked.
        sql(
            &url,
            "CREATE FUNCTION polite() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               IF NEW.prompt LIKE '%tall%' THEN RAISE EXCEPTION 'be polite'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER polite BEFORE INSERT OR UPDATE ON people FOR EACH ROW EXECUTE FUNCTION polite()",
        );
        let ran = project.run(&["apply", "--yes"]).expect(4);
        assert_eq!(project.rows().len(), 6);
        for words in ["error: people:body/tall/anime: the database refuses the row", "be polite"] {
            assert!(ran.stderr.contains(words), "`{words}` is missing in:\n{}", ran.stderr);
        }
        project.assert_no_broken_link();
        assert_eq!(project.planned(), ["body/tall/anime reuse", "body/tall/photo reuse"], "what is paid for is kept");
        sql(&url, "DROP TRIGGER polite ON people");
        project.apply();
        project.assert_settled();
        assert_eq!(project.paints(), 8);
        assert!(service.is_none_or(|fake| fake.charges().len() == 8));
    }
}

/// A manifest of so many small pictures.
fn many(count: usize) -> String {
    let values: Vec<String> = (0..count).map(|number| format!("v{number}")).collect();
    let (head, rest) = PEOPLE.split_once("images:\n").unwrap();
    let (_, tail) = rest.split_once("renditions:\n").unwrap();
    let head = head.replace("{{ subject }}", "{{ value }}");
    format!("{head}images:\n  - matrix: {{ group: a, value: [{}] }}\nrenditions:\n{tail}", values.join(", "))
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_an_apply_loses_nothing() {
    let server = Server::start(Durability::Full);
    // Free pictures: killed at several moments, and back soon enough for the run to go on by itself.
    let project = Project::on_postgres(&many(60), server.database());
    for pause in [150, 400, 700] {
        project.manifest(&many(60).replace("model: first", &format!("model: after-{pause}")));
        let run = project.start(&["apply", "--yes"]);
        std::thread::sleep(Duration::from_millis(pause));
        server.kill();
        std::thread::sleep(Duration::from_millis(300));
        server.run();
        let first = ran(run.wait_with_output().unwrap());
        assert!(!first.stderr.contains("panicked"), "{first:?}");
        project.assert_no_broken_link();
        if first.code != 0 {
            project.apply();
        }
        project.assert_painted_once();
        project.assert_settled();
    }
    // Paid ones: whatever is bought is kept, and nothing is bought twice.
    let service = fake(60);
    let project = Project::on_postgres(&people(), server.database());
    configure(&project, &service, ", concurrency: 2, images_per_minute: 100000", "");
    let run = project.start(&["apply", "--yes"]);
    wait("nothing is bought", || service.charges().len() >= 2);
    server.kill();
    std::thread::sleep(Duration::from_millis(500));
    server.run();
    let first = ran(run.wait_with_output().unwrap());
    let next = project.run(&["apply", "--yes"]);
    let declared = if next.code == 7 {
        project.query("SELECT count(*) FROM pixform_calls WHERE status = 'unknown'")
    } else {
        vec!["0".to_owned()]
    };
    if next.code == 7 {
        project.ok(&["apply", "--yes", "--retry-unknown"]);
    }
    project.assert_settled();
    let declared: usize = declared[0].parse().unwrap();
    assert!(service.charges().len() <= 8 + declared, "{first:?} {declared}");
}

#[test]
fn a_connection_that_is_cut_again_and_again_loses_nothing() {
    let proxy = Proxy::before(shared().port());
    let project = Project::on_postgres(&many(40), through(&shared().database(), proxy.port()));
    let service = fake(5);
    configure(&project, &service, ", concurrency: 4, images_per_minute: 100000", "");
    project.manifest(
        &many(40).replace(
            "width: 64\n  height: 96\n",
            "width: 128\n  height: 128\n  sampler: DDIM\n  guidance_scale: 7.5\n",
        ),
    );
    // Each connection carries so much and no more, which ends it in the middle of anything.
    proxy.cut_after(60_000);
    let begun = Instant::now();
    let first = ran(project.start(&["apply", "--yes"]).wait_with_output().unwrap());
    assert!(!first.stderr.contains("panicked"), "{first:?}");
    assert!(begun.elapsed() < Duration::from_secs(120));
    proxy.cut_after(0);
    assert!(proxy.cuts() > 0, "nothing was cut");
    if first.code != 0 {
        project.run(&["apply", "--yes"]).expect(0);
    }
    project.assert_no_broken_link();
    project.assert_settled();
    assert_eq!(service.charges().len(), 80, "{first:?}");
}

#[test]
fn a_holder_that_stood_still_and_lost_its_lease_commits_no_row_and_keeps_its_facts() {
    let url = shared().database();
    let project = Project::on_postgres(&people(), url);
    let service = fake(10);
    configure(&project, &service, ", concurrency: 2, images_per_minute: 100000", "");
    let first = Stopped::new(project.command(&["apply", "--yes"]), "paid-received:2");
    project.ok(&["unlock", "--force"]);
    // Another run takes the lease, and publishes what does not wait for the first one's pictures.
    let mine = people().replace("model: first", "model: second");
    project.manifest(&mine);
    project.apply();
    let rows = project.rows();
    first.signal(Signal::CONT);
    let first = first.go_on().expect(1);
    assert!(first.stderr.contains("was taken by another run"), "{}", first.stderr);
    assert_eq!(project.rows(), rows, "a run without its lease wrote a row");
    // What it was charged for is known: it is taken, not bought again.
    let charged = service.charges().len();
    project.manifest(&people());
    project.apply();
    project.assert_settled();
    assert_eq!(service.charges().len(), 16, "{charged} before");
}

#[test]
fn a_password_is_never_told() {
    let url = shared().database();
    let secret = "pa55-w0rd-of-nobody";
    let (port, name) = url.rsplit_once(':').unwrap().1.split_once('/').unwrap();
    let told = |url: &str, args: &[&str]| {
        let project = Project::on_postgres(PEOPLE, url.to_owned());
        let ran = project.run(args);
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        ran.stdout + &ran.stderr
    };
    for url in [
        format!("postgres://postgres:{secret}@127.0.0.1:{port}/{name}"),
        format!("postgres://nobody:{secret}@127.0.0.1:{port}/{name}"),
        format!("postgres://postgres:{secret}@127.0.0.1:1/{name}"),
        format!("postgres://postgres:{secret}#@127.0.0.1:{port}/{name}"),
        format!("postgres://postgres:{secret}@127.0.0.1:{port}/{name}?sslmode={secret}"),
        format!("postgres://postgres:{secret}@127.0.0.1:{port}/{name}?sslmode=verify-full"),
        format!("postgres://postgres:{secret}@127.0.0.1:{port}/nowhere"),
    ] {
        for args in [&["plan", "-vv"][..], &["plan", "--json"], &["apply", "--yes", "-vv"], &["check"], &["unlock"]] {
            let told = told(&url, args);
            assert!(!told.contains(secret), "{args:?}: {}", told.replace(secret, "SECRET"));
        }
    }
}

#[test]
fn what_is_odd_about_a_url_is_told_once_and_does_no_harm() {
    let url = format!("{}?pgbouncer=true&connection_limit=1", shared().database());
    let project = Project::on_postgres(PEOPLE, url);
    let plan = project.run(&["plan"]).expect(0);
    for parameter in ["pgbouncer", "connection_limit"] {
        let words = format!("warning: `{parameter}` in the URL of the state is not known and was left out");
        assert_eq!(plan.stderr.matches(&words).count(), 1, "{}", plan.stderr);
    }
    project.apply();
    project.assert_settled();
}

#[test]
fn the_printed_sql_sets_a_database_up_for_three_roles() {
    let url = shared().database();
    let project = Project::on_postgres(PEOPLE, url.clone());
    project.write(".env", "");
    let setup = project.ok(&["init", "--print-sql"]);
    for _ in 0..2 {
        psql(&url, &["-q", "-c", &setup]).unwrap();
    }
    let as_role = |role: &str| Project::on_postgres(PEOPLE, url.replace("postgres@", &format!("{role}@")));
    let (plan, apply) = (as_role("pixform_plan"), as_role("pixform_apply"));
    assert_eq!(plan.plan()["summary"]["generate"], 8);
    let refused = plan.run(&["apply", "--yes"]).expect(1);
    for words in ["the role in the URL of the state may not", "pixform init --print-sql"] {
        assert!(refused.stderr.contains(words), "`{words}` is missing in:\n{}", refused.stderr);
    }
    assert_eq!(project.query("SELECT count(*) FROM people"), ["0"]);
    apply.apply();
    apply.assert_settled();
    let rows: BTreeMap<String, String> = project.rows();
    assert_eq!(rows.len(), 8);
    // The database is not needed to print it, nor is its URL.
    let bare = Project::new(PEOPLE);
    bare.write("pixform.yaml", "version: 1\nenvironments:\n  production:\n    state: ${DATABASE_URL}\n    storage: { url: \"file:s\" }\n    generators: { painter: { kind: placeholder } }\n");
    assert_eq!(bare.ok(&["init", "--print-sql"]), setup);
}
