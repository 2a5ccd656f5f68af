//! Secrets: neither the key nor the signature of a URL is in anything that pixform writes or says, whatever goes wrong.

use std::fs;
use std::path::Path;

use crate::fake::FakeNovita;
use crate::fake::script::{OnDownload, OnPoll, OnSubmit};
use crate::money::{configure, fake, people};
use crate::project::{Project, ran};

const KEY: &str = "sk_test_3f9c1e7a55d04b21";

/// Collects everything that was said, and looks for secrets in it and in every file of the project.
struct Search<'s> {
    project: &'s Project,
    fake: &'s FakeNovita,
    said: String,
}

impl Search<'_> {
    fn run(&mut self, args: &[&str], variables: &[(&str, &str)]) -> i32 {
        let mut command = self.project.command(args);
        command.env("NOVITA_API_KEY", KEY).envs(variables.iter().copied());
        let ended = ran(command.output().unwrap());
        assert!(!ended.stderr.contains("panicked"), "{args:?}: {}", ended.stderr);
        self.said.push_str(&ended.stdout);
        self.said.push_str(&ended.stderr);
        ended.code
    }

    /// Fails where a secret was said or written.
    fn check(&self, what: &str) {
        let mut secrets = self.fake.secrets();
        secrets.push(KEY.to_owned());
        for secret in &secrets {
            assert!(!self.said.contains(secret.as_str()), "{what}: a secret was said:\n{}", around(&self.said, secret));
        }
        check_folder(&self.project.root(), &secrets);
    }
}

/// Returns the text around a secret, without the secret.
fn around(text: &str, secret: &str) -> String {
    let at = text.find(secret).unwrap();
    let start = text[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
    text[start..at].to_owned()
}

fn check_folder(folder: &Path, secrets: &[String]) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            check_folder(&path, secrets);
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        for secret in secrets {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "a secret is in {}", path.display());
        }
    }
}

/// A project whose key comes from a variable.
fn shop(fake: &FakeNovita) -> Project {
    fake.set(|behaviour| behaviour.key = KEY.to_owned());
    let project = Project::new(&people());
    configure(&project, fake, ", concurrency: 3, images_per_minute: 100000, deadline: 3s", "");
    let config = fs::read_to_string(project.root().join("pixform.yaml")).unwrap();
    project.write("pixform.yaml", &config.replace("api_key: test-key", "api_key: \"${NOVITA_API_KEY}\""));
    project
}

#[test]
fn no_secret_is_ever_said_or_written() {
    let mut faults = 0;
    for verbose in ["-v", "-vv", "-vvv"] {
        let fake = fake(10);
        let project = shop(&fake);
        let mut search = Search { project: &project, fake: &fake, said: String::new() };
        fake.fault(OnSubmit::EchoedKey);
        fake.fault(OnSubmit::CutAnswer);
        fake.fault(OnSubmit::BadGateway);
        fake.fault(OnPoll::GetResultFailed);
        fake.fault(OnPoll::BadGateway);
        fake.fault(OnDownload::Expired);
        fake.fault(OnDownload::Redirect(format!("http://127.0.0.1:1/x.png?X-Amz-Signature={KEY}")));
        fake.fault(OnDownload::Html);
        fake.fault(OnDownload::WrongSize);
        let said = search.run(&["apply", "--yes", verbose], &[("PIXFORM_LOG", "trace"), ("RUST_BACKTRACE", "full")]);
        assert!([4, 7].contains(&said), "{said}: {}", search.said);
        search.run(&["plan", verbose, "--out", "plan.json"], &[]);
        search.run(&["plan", "--json", verbose], &[]);
        search.run(&["history", verbose], &[]);
        search.run(&["history", "--json"], &[]);
        search.run(&["history", "--cost", "--by", "generator,status"], &[]);
        search.run(&["explain", "age/young/photo"], &[]);
        search.run(&["apply", "--yes", "--json", "--retry-unknown", "--retry-lost", "--retry-rejected", verbose], &[]);
        search.run(&["check", "--deep", "--json"], &[]);
        search.run(&["show", "age/young/photo"], &[]);
        search.check(verbose);
        assert!(search.said.contains("/v3/async/txt2img") && search.said.contains("status=200"), "{}", search.said);
        assert_eq!(fake.downloads_with_key(), 0);
        faults += fake.requests().iter().filter(|request| request.fault.is_some()).count();
    }
    assert!(faults >= 20, "only {faults} faults were met");
}

#[test]
fn a_crash_and_a_wrong_key_say_nothing() {
    for point in ["paid-sent", "paid-received", "original-put"] {
        let fake = fake(10);
        let project = shop(&fake);
        let mut search = Search { project: &project, fake: &fake, said: String::new() };
        let crash = [("PIXFORM_CRASH", point), ("RUST_BACKTRACE", "full"), ("PIXFORM_LOG", "trace")];
        assert_eq!(search.run(&["apply", "--yes", "-vv"], &crash), 134);
        search.check(point);
        fake.set(|behaviour| behaviour.key = "another".to_owned());
        assert_ne!(search.run(&["apply", "--yes", "-vv"], &[]), 0);
        search.check("a wrong key");
    }
}

#[test]
fn a_key_that_cannot_be_sent_is_told_without_it() {
    let fake = fake(10);
    let project = shop(&fake);
    let mut search = Search { project: &project, fake: &fake, said: String::new() };
    assert_eq!(search.run(&["plan"], &[("NOVITA_API_KEY", "")]), 0);
    for key in ["", "sk_three_key\u{e9}", "sk_\u{1}"] {
        search.said.clear();
        assert_eq!(search.run(&["apply", "--yes"], &[("NOVITA_API_KEY", key)]), 1, "{}", search.said);
        assert!(key.is_empty() || !search.said.contains(key), "{}", search.said);
        assert!(search.said.contains("api_key") || search.said.contains("NOVITA_API_KEY"), "{}", search.said);
    }
    assert_eq!(fake.requests().len(), 0);
}
