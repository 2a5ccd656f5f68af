//! A store that fails while pictures are bought: nothing is bought that could not be kept, and nothing that came is lost.
//!
//! The fake's charges are counted, and not only what is told of them.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fake::FakeNovita;
use crate::flow::many;
use crate::money::fake;
use crate::paid::KEY as NOVITA_KEY;
use crate::project::{Project, Ran, ran, wait};
use crate::stores::s3::{KEY, S3, SECRET};
use crate::stores::supabase::{JWT, Supabase};
use crate::stores::{Fault, Front};

/// Pictures of a run.
const COUNT: usize = 36;
/// Pictures that may be under way at once.
const AT_ONCE: usize = 4;
const ALWAYS: u32 = u32::MAX;
const TOO_LARGE: &str = r#"{"statusCode":"413","error":"Payload too large","message":"The object exceeded the maximum allowed size","code":"EntityTooLarge"}"#;

enum Server {
    S3(S3),
    Supabase(Supabase),
}

impl Server {
    fn both() -> [Self; 2] {
        [Self::S3(S3::start()), Self::Supabase(Supabase::start())]
    }

    fn front(&self) -> &Front {
        match self {
            Self::S3(s3) => &s3.front,
            Self::Supabase(supabase) => &supabase.front,
        }
    }

    fn yaml(&self) -> String {
        let address = self.front().address();
        match self {
            Self::S3(_) => format!("url: \"s3://pictures/shop\", endpoint: \"{address}\", region: us-east-1"),
            Self::Supabase(_) => {
                let host = address.trim_start_matches("http://");
                format!("url: \"supabase://{host}/pictures/shop\", key: \"${{SUPABASE_KEY}}\"")
            }
        }
    }
}

/// A project that buys 36 pictures of 300 ms each, and keeps them behind a server.
struct Shop {
    project: Project,
    fake: FakeNovita,
}

impl Shop {
    fn new(server: &Server) -> Self {
        let (project, fake) = (Project::new(&many(COUNT)), fake(300));
        let text = format!(
            "version: 1\nenvironments:\n  shop:\n    state: \"{}\"\n    storage: {{ {} }}\n    generators:\n      \
             painter: {{ kind: novita, base_url: \"{}\", api_key: \"${{NOVITA_API_KEY}}\", price: 0.015, \
             concurrency: {AT_ONCE}, images_per_minute: 100000 }}\n",
            project.state_url(),
            server.yaml(),
            fake.base_url(),
        );
        project.write("pixform.yaml", &text);
        Self { project, fake }
    }

    fn start(&self, args: &[&str]) -> Child {
        let mut command = self.project.command(args);
        command.env("AWS_ACCESS_KEY_ID", KEY).env("AWS_SECRET_ACCESS_KEY", SECRET).env("SUPABASE_KEY", JWT);
        command.env("NOVITA_API_KEY", NOVITA_KEY);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn run(&self, args: &[&str]) -> Ran {
        ran(self.start(args).wait_with_output().unwrap())
    }

    fn charges(&self) -> usize {
        self.fake.charges().len()
    }

    fn rows(&self) -> usize {
        self.project.query("SELECT count(*) FROM people")[0].parse().unwrap()
    }

    /// Begins to buy, and returns once so many pictures are charged.
    fn under_way(&self, args: &[&str], charges: usize) -> Child {
        let child = self.start(args);
        wait("too few pictures were asked for", || self.charges() >= charges);
        child
    }

    /// Applies when all is well again: what came is fetched, and nothing is paid for twice.
    fn assert_completed_for_what_is_left(&self) {
        self.run(&["apply", "--yes"]).expect(0);
        assert_eq!((self.charges(), self.rows()), (COUNT, COUNT));
        let recipes: std::collections::BTreeSet<_> =
            self.fake.charges().into_iter().map(|charge| charge.recipe).collect();
        assert_eq!(recipes.len(), COUNT, "a picture was paid for twice");
    }
}

/// Does each at once, for most of the time is spent waiting.
fn beside<T: Send>(cases: impl IntoIterator<Item = T>, one: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            let one = &one;
            scope.spawn(move || one(case));
        }
    });
}

#[test]
fn a_store_that_dies_ends_the_buying() {
    let all = Server::both().into_iter().flat_map(|server| {
        let preview =
            Server::both().into_iter().find(|other| std::mem::discriminant(other) == std::mem::discriminant(&server));
        [(server, "apply"), (preview.unwrap(), "preview")]
    });
    beside(all, |(server, command)| {
        let shop = Shop::new(&server);
        let child = shop.under_way(&[command, "--yes"], 10);
        drop(server);
        let charged = shop.charges();
        let ended = ran(child.wait_with_output().unwrap()).expect(4);
        let after = shop.charges();
        // Those that were under way, and one for each whose original was stored just before.
        assert!(after <= charged + AT_ONCE, "{charged} when the store died, {after} in the end: {ended:?}");
        assert!(ended.stdout.contains("not begun"), "{ended:?}");
        assert!(ended.stderr.contains("not begun: nothing is bought while the storage fails ("), "{ended:?}");
        assert!(ended.stderr.contains("nothing more is bought until the storage does what it is asked"), "{ended:?}");
        assert!(ended.stderr.contains(&format!("next: pixform {command}")), "{ended:?}");
    });
}

#[test]
fn what_came_while_the_store_failed_is_fetched_again_and_nothing_is_paid_for_twice() {
    let faults = [
        (Fault::Lost, "connection"),
        (Fault::Status(500, ""), "500"),
        (Fault::Status(429, r#"{"statusCode":"429","code":"SlowDown"}"#), "429"),
        (Fault::Status(400, ""), "400"),
        (Fault::Truncated(10), "with other bytes than were sent"),
    ];
    let cases =
        faults.into_iter().flat_map(|fault| Server::both().into_iter().map(move |server| (server, fault.clone())));
    // An S3 server compares what comes with its digest by itself.
    let cases = cases.filter(|(server, (fault, _))| !matches!((server, fault), (Server::S3(_), Fault::Truncated(_))));
    beside(cases, |(server, (fault, words))| {
        let shop = Shop::new(&server);
        let child = shop.under_way(&["apply", "--yes"], 6);
        for method in ["PUT", "POST"] {
            server.front().fault(method, ".", ALWAYS, fault.clone());
        }
        let charged = shop.charges();
        let ended = ran(child.wait_with_output().unwrap()).expect(4);
        assert!(shop.charges() <= charged + AT_ONCE, "{fault:?}: {charged}, then {}: {ended:?}", shop.charges());
        assert!(ended.stderr.contains(words), "{fault:?}: {ended:?}");
        assert!(ended.stderr.contains("the next run fetches it again, for nothing"), "{fault:?}: {ended:?}");
        server.front().clear_faults();
        shop.assert_completed_for_what_is_left();
    });
}

#[test]
fn purchases_wait_for_a_store_that_comes_back() {
    beside([Fault::Lost, Fault::Status(503, ""), Fault::Busy(2)], |fault| {
        let server = Server::S3(S3::start());
        let shop = Shop::new(&server);
        let child = shop.under_way(&["apply", "--yes"], 8);
        server.front().fault("", "", ALWAYS, fault.clone());
        // A put that was on its way when the store went is sent again, or was the last to succeed.
        sleep(Duration::from_secs(2));
        let charged = shop.charges();
        let begun = Instant::now();
        sleep(Duration::from_secs(12));
        assert_eq!(shop.charges(), charged, "{fault:?}: bought while the store was away for {:?}", begun.elapsed());
        server.front().clear_faults();
        let ended = ran(child.wait_with_output().unwrap()).expect(0);
        assert!(ended.stderr.contains("nothing more is bought until the storage does what it is asked"), "{ended:?}");
        assert!(ended.stderr.contains("the storage does what it is asked again"), "{ended:?}");
        assert_eq!((shop.charges(), shop.rows()), (COUNT, COUNT), "{fault:?}");
    });
}

#[test]
fn a_size_that_the_store_refuses_is_learned() {
    for path in [".png", "people/"] {
        let server = Server::Supabase(Supabase::start());
        let shop = Shop::new(&server);
        // Probes lie at other paths: it shows only when a picture comes.
        server.front().fault("POST", if path == ".png" { path } else { ".jpg" }, ALWAYS, Fault::Status(413, TOO_LARGE));
        let ended = shop.run(&["apply", "--yes"]).expect(4);
        // A published file is put when its original is stored, and the next picture may be asked for by then.
        let most = if path == ".png" { AT_ONCE } else { 3 * AT_ONCE };
        assert!(shop.charges() <= most, "{path}: {} charged: {ended:?}", shop.charges());
        assert_eq!(shop.rows(), 0);
        assert!(ended.stderr.contains("not begun: its files would not be taken (the storage"), "{ended:?}");
        assert!(ended.stderr.contains("413"), "{ended:?}");
        server.front().clear_faults();
        shop.assert_completed_for_what_is_left();
    }
}

#[test]
fn a_name_that_the_store_refuses_fails_its_picture_alone() {
    let server = Server::Supabase(Supabase::start());
    let shop = Shop::new(&server);
    let invalid = r#"{"statusCode":"400","error":"InvalidKey","message":"Invalid key","code":"InvalidKey"}"#;
    server.front().fault("POST", "people/v7-", ALWAYS, Fault::Status(400, invalid));
    let ended = shop.run(&["apply", "--yes"]).expect(4);
    assert!(ended.stdout.contains("35 generated, 1 failed"), "{ended:?}");
    assert_eq!((shop.charges(), shop.rows()), (COUNT, COUNT - 1));
}

#[test]
fn a_store_that_fails_at_what_is_free_ends_the_buying_before_it_begins() {
    let server = Server::Supabase(Supabase::start());
    let shop = Shop::new(&server);
    shop.run(&["apply", "--yes", "--only", "a/v1/photo"]).expect(0);
    assert_eq!(shop.charges(), 1);
    // One is rendered anew, for nothing; its file is not taken.
    shop.project.edit("format: jpeg", "format: webp");
    server.front().fault("POST", "people/v1-", ALWAYS, Fault::Status(400, ""));
    let ended = shop.run(&["apply", "--yes"]).expect(4);
    assert_eq!(shop.charges(), 1, "{ended:?}");
    assert!(ended.stdout.contains("1 failed, 35 not begun"), "{ended:?}");
}

#[test]
fn in_json_what_happens_to_the_store_is_an_event() {
    let server = Server::S3(S3::start());
    let shop = Shop::new(&server);
    let child = shop.under_way(&["apply", "--yes", "--json"], 4);
    server.front().fault("", "", ALWAYS, Fault::Status(503, ""));
    sleep(Duration::from_secs(6));
    server.front().clear_faults();
    let ended = ran(child.wait_with_output().unwrap()).expect(0);
    let count = |kind: &str| ended.stdout.matches(&format!("{{\"type\":\"{kind}\"")).count();
    assert_eq!((count("storage_troubled"), count("storage_well")), (1, 1), "{}", ended.stdout);
}
