//! Servers that repeat whatever they are sent, in every field of what they answer: stores, a generator, a database. No secret
//! is in anything that pixform then says or writes, in whatever form it was repeated.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::money::people;
use crate::project::{PEOPLE, Project, ran};

/// The key of whatever is tried; no word of it looks like a key.
const KEY: &str = "Zebra/Umbrella-9:quietly&walking";
const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJlLW9mLWEta2V5";

/// How a server dresses what it repeats.
#[derive(Clone, Copy)]
enum Dress {
    Json,
    Xml,
    Html,
    Plain,
}

/// Starts a server that answers every request with this status and everything that was sent, and more forms of the secrets.
fn echoing(status: u16, dress: Dress, secrets: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let secrets = secrets.clone();
            std::thread::spawn(move || answer(stream, status, dress, &secrets));
        }
    });
    address
}

fn answer(stream: TcpStream, status: u16, dress: Dress, secrets: &[String]) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let forms: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    let said = format!("\u{1b}[31m{head}\n{}\n{}", String::from_utf8_lossy(&body), forms.join(" "));
    let (kind, body) = match dress {
        Dress::Json => {
            let task = secrets[0].clone();
            let body = json!({ "statusCode": status.to_string(), "error": said, "message": said, "code": said,
                               "reason": said, "task_id": task, said.clone(): said, "data": { "task_id": task } });
            ("application/json", body.to_string())
        }
        Dress::Xml => {
            let said = said.replace('&', "&amp;").replace('<', "&lt;");
            (
                "application/xml",
                format!("<?xml version=\"1.0\"?><Error><Code>{said}</Code><Message>{said}</Message></Error>"),
            )
        }
        Dress::Html => ("text/html", format!("<html><title>{said}</title>{said}</html>")),
        Dress::Plain => ("text/plain", format!("{said}{}", "a".repeat(200_000))),
    };
    let location = forms.first().filter(|_| (300..400).contains(&status));
    let location = location.map(|form| format!("location: http://127.0.0.1/{form}?key={form}\r\n")).unwrap_or_default();
    let reply = format!(
        "HTTP/1.1 {status} No\r\ncontent-type: {kind}\r\nx-ms-error-code: {}\r\n{location}content-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        secrets[0],
        body.len()
    );
    (&stream).write_all(reply.as_bytes()).ok()
}

/// The forms in which a secret is repeated, and looked for.
fn forms(secret: &str) -> Vec<String> {
    let percent = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
    let mut forms = vec![
        secret.to_owned(),
        percent.to_lowercase(),
        percent,
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        STANDARD.encode(format!("user:{secret}")),
        STANDARD.encode(format!("Bearer {secret}")),
        hex::encode(secret),
        secret.chars().take(14).collect(),
    ];
    forms.extend(secret.split('.').filter(|part| part.len() > 12).map(str::to_owned));
    forms
}

/// Looks for every form of the secrets in what was said, and in every file.
fn check(what: &str, said: &str, folder: &Path, secrets: &[&str]) {
    let files = walk(folder);
    for form in secrets.iter().flat_map(|secret| forms(secret)) {
        if let Some(at) = said.find(&form) {
            panic!(
                "{what}: `{form}` was said: {}",
                said[said[..at].floor_char_boundary(at.saturating_sub(300))..at].escape_debug()
            );
        }
        for (path, bytes) in &files {
            assert!(!bytes.windows(form.len()).any(|bytes| bytes == form.as_bytes()), "{what}: `{form}` is in {path}");
        }
    }
    assert!(!said.contains("\u{1b}[31m") && !said.contains("panicked"), "{what}: {said}");
    assert!(said.lines().all(|line| line.len() < 40_000), "{what}: a line is too long");
}

fn walk(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.is_dir() {
            true => files.extend(walk(&path)),
            false if path.ends_with("pixform.yaml") => {}
            false => files.push((path.display().to_string(), fs::read(&path).unwrap())),
        }
    }
    files
}

/// Runs every way of asking, and collects all that was said.
fn asked(project: &Project, variables: &[(&str, &str)]) -> String {
    let mut said = String::new();
    for args in [
        &["plan", "-vv", "--out", "plan.json"][..],
        &["plan", "--json", "--out-markdown", "plan.md", "--out-html", "plan.html"],
        &["apply", "--yes", "-vvv", "--out-markdown", "apply.md", "--out-html", "apply.html"],
        &["check", "--json"],
    ] {
        let mut command = project.command(args);
        command.env("GITHUB_ACTIONS", "true").env("PIXFORM_LOG", "trace").envs(variables.iter().copied());
        let ended = ran(command.output().unwrap());
        said += &format!("{}{}", ended.stdout, ended.stderr);
    }
    said
}

#[test]
fn no_store_brings_a_key_to_light_by_repeating_it() {
    let azure = STANDARD.encode(KEY);
    let google = json!({ "gcs_base_url": "", "disable_oauth": true, "client_email": "", "private_key": KEY,
                         "private_key_id": JWT });
    for (number, (status, dress)) in
        [(403, Dress::Json), (400, Dress::Xml), (403, Dress::Plain), (404, Dress::Html), (301, Dress::Json)]
            .into_iter()
            .enumerate()
    {
        for (store, keys) in [
            ("supabase://project.supabase.co/b", format!("key: \"{}\"", if number == 0 { KEY } else { JWT })),
            (
                "s3://b/p",
                format!("region: r, access_key_id: {JWT}, secret_access_key: \"{KEY}\", session_token: \"{KEY}\""),
            ),
            ("az://b/p", format!("account: a, key: \"{azure}\"")),
            ("gs://b/p", format!("key: '{google}'")),
        ] {
            // Those of `object_store` read errors alike: two dresses are enough for each but one.
            if number > 1 && !store.starts_with("supabase") && !store.starts_with("s3") {
                continue;
            }
            let url = echoing(status, dress, vec![KEY.to_owned(), JWT.to_owned(), azure.clone()]);
            let project = Project::new(PEOPLE);
            let state = project.state_url();
            project.write(
                "pixform.yaml",
                &format!(
                    "version: 1\nenvironments:\n  production:\n    state: \"{state}\"\n    storage: {{ url: \"{store}\", \
                     endpoint: \"{url}\", public_url: \"https://cdn.example\", {keys} }}\n    generators: {{ painter: {{ kind: placeholder }} }}\n"
                ),
            );
            let said = asked(&project, &[]);
            let all: &[&str] = match store {
                store if store.starts_with("supabase") => {
                    if number == 0 {
                        &[KEY]
                    } else {
                        &[JWT]
                    }
                }
                store if store.starts_with("az") => &[&azure],
                _ => &[KEY, JWT],
            };
            check(&format!("{store} {status}"), &said, &project.root(), all);
            assert!(said.contains("error"), "{store} {status}: {said}");
        }
    }
}

#[test]
fn no_generator_brings_a_key_to_light_by_repeating_it() {
    for (status, dress) in [
        (403, Dress::Json),
        (400, Dress::Json),
        (500, Dress::Html),
        (401, Dress::Plain),
        (302, Dress::Xml),
        // A task whose id is the key.
        (200, Dress::Json),
    ] {
        let url = echoing(status, dress, vec![KEY.to_owned()]);
        let project = Project::new(&people());
        let state = project.state_url();
        project.write(
            "pixform.yaml",
            &format!(
                "version: 1\nenvironments:\n  production:\n    state: \"{state}\"\n    storage: {{ url: \"file:.pixform/storage\" }}\n    \
                 generators: {{ painter: {{ kind: novita, base_url: \"{url}\", api_key: \"${{NOVITA_API_KEY}}\", price: 0.01, \
                 images_per_minute: 100000, deadline: 2s }} }}\n"
            ),
        );
        let said = asked(&project, &[("NOVITA_API_KEY", KEY)]);
        check(&format!("novita {status}"), &said, &project.root(), &[KEY]);
    }
}

/// Speaks enough of Postgres' protocol to ask for the password, and then to repeat it in every field of an error.
fn postgres(code: &'static str, at_login: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || repeat_password(&stream, code, at_login));
        }
    });
    port
}

fn repeat_password(stream: &TcpStream, code: &str, at_login: bool) -> Option<()> {
    let message = |kind: u8, body: &[u8]| {
        let mut bytes = vec![kind];
        bytes.extend((body.len() as u32 + 4).to_be_bytes());
        bytes.extend(body);
        bytes
    };
    let mut writer = stream;
    let read = |kinds: usize| {
        let mut reader = stream;
        let mut head = vec![0; kinds + 4];
        reader.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes(head[kinds..].try_into().ok()?) as usize;
        let mut body = vec![0; length.checked_sub(4)?];
        reader.read_exact(&mut body).ok()?;
        Some(body)
    };
    let startup = read(0)?;
    // The request for TLS is answered with no.
    let startup = match startup.starts_with(&80_877_103_u32.to_be_bytes()) {
        true => {
            writer.write_all(b"N").ok()?;
            read(0)?
        }
        false => startup,
    };
    writer.write_all(&message(b'R', &3_u32.to_be_bytes())).ok()?;
    let password = String::from_utf8_lossy(&read(1)?).trim_end_matches('\0').to_owned();
    let said =
        format!("{} {} {password}", String::from_utf8_lossy(&startup).replace('\0', " "), forms(&password).join(" "));
    let field = |kind: char, text: &str| format!("{kind}{text}\0");
    let fields: String =
        ['M', 'D', 'H', 'W', 's', 't', 'c', 'd', 'n', 'F', 'R'].iter().map(|kind| field(*kind, &said)).collect();
    let error =
        |severity: &str| format!("{}{}{}{fields}\0", field('S', severity), field('V', severity), field('C', code));
    if !at_login {
        writer.write_all(&message(b'R', &0_u32.to_be_bytes())).ok()?;
        writer.write_all(&message(b'N', error("NOTICE").as_bytes())).ok()?;
        writer.write_all(&message(b'Z', b"I")).ok()?;
        read(1)?;
    }
    writer.write_all(&message(b'E', error("FATAL").as_bytes())).ok()
}

#[test]
fn no_database_brings_a_password_to_light_by_repeating_it() {
    for (code, at_login) in [("28P01", true), ("42501", false), ("XX000", false), ("3D000", true), ("23505", false)] {
        let port = postgres(code, at_login);
        let project = Project::new(PEOPLE);
        let password = percent_encoding::utf8_percent_encode(KEY, percent_encoding::NON_ALPHANUMERIC);
        project.write(
            "pixform.yaml",
            "version: 1\nenvironments:\n  production:\n    state: \"${DATABASE_URL}\"\n    storage: { url: \"file:.pixform/storage\" }\n    \
             generators: { painter: { kind: placeholder } }\n",
        );
        let url = format!("postgres://me:{password}@127.0.0.1:{port}/shop?sslmode=disable");
        let said = asked(&project, &[("DATABASE_URL", &url)]);
        check(&format!("postgres {code}"), &said, &project.root(), &[KEY]);
        assert!(said.contains("error"), "{code}: {said}");
    }
}

#[test]
fn the_value_of_the_state_is_never_printed() {
    let project = Project::new(PEOPLE);
    project.write(
        "pixform.yaml",
        "version: 1\nenvironments:\n  production:\n    state: ${DATABASE_URL}\n    storage: { url: \"file:s\" }\n    \
         generators: { painter: { kind: placeholder } }\n",
    );
    for url in [
        "host=127.0.0.1 user=pw password=SECRET1 dbname=x",
        "SECRET1",
        "SECRET1:5432",
        "mysql://u:SECRET1@h/d",
        "postgres//u:SECRET1@h/d",
        "postgres://u:SECRET1#x@h/d",
        "postgres://u:5432/SECRET1@h/d",
        "postgres://u:p?SECRET1=1@h/d",
        "u:SECRET1@h/d",
    ] {
        let said = asked(&project, &[("DATABASE_URL", url)]);
        assert!(!said.contains("SECRET1"), "{url}: {said}");
        assert!(said.contains("postgres://USER:PASSWORD@HOST:PORT/DATABASE"), "{url}: {said}");
    }
}

#[test]
fn no_excerpt_of_the_configuration_shows_a_value_that_may_be_secret() {
    const GOOD: &str = "version: 1\nenvironments:\n  production:\n    state: sqlite:s.db\n    storage: { url: \"file:s\" }\n    \
                        generators:\n      painter: { kind: placeholder }\n";
    let project = Project::new(PEOPLE);
    for (find, put) in [
        ("storage: { url", "storage: { smapler: SECRET1-value, key: SECRET1, url"),
        ("storage: { url: \"file:s\" }", "storage: { url: \"s3://u:SECRET1@h\", foo: 1 }"),
        ("state: sqlite:s.db", "state: postgres://u:SECRET1@h/d: x"),
        ("state: sqlite:s.db", "state: ${X:-SECRET1} ${"),
        ("state: sqlite:s.db", "state: [SECRET1]"),
        ("kind: placeholder", "kind: novita, api_key: SECRET1, price: x"),
        ("kind: placeholder", "kind: sk_live_SECRET1"),
        ("kind: placeholder }", "kind: placeholde } # SECRET1 }"),
        ("    state", "    api_kye: |\n      SECRET1: {\n    state"),
        ("    state", "    'SECRET1-0123456789-abcdef': 1\n    state"),
        ("    state", "    api_key SECRET1\n    state"),
        ("version: 1", "version: 1\nenv_file: secret.env\nfoo: 1"),
    ] {
        assert!(GOOD.contains(find));
        project.write("secret.env", "A=SECRET1\nSECRET1 x\n\"SECRET1\n");
        project.write("pixform.yaml", &GOOD.replace(find, put));
        let said = asked(&project, &[]);
        assert!(!said.contains("SECRET1"), "{put}: {said}");
        assert!(said.contains("pixform.yaml:"), "{put}: {said}");
    }
}

#[test]
fn what_is_no_file_is_refused_at_once_and_named() {
    let project = Project::new(PEOPLE);
    let fifo = |name: &str| {
        let path = project.root().join(name);
        let _ = fs::remove_file(&path);
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    };
    let refused = |args: &[&str], words: &str| {
        // Whoever waits for a FIFO is ended, and has told nothing.
        let mut command = std::process::Command::new("timeout");
        command.arg("20").arg(env!("CARGO_BIN_EXE_pixform")).args(args).current_dir(project.root()).env_clear();
        let ended = ran(command.env("PATH", "/usr/bin:/bin").output().unwrap());
        assert_eq!(ended.code, 1, "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(words), "{args:?}: {}", ended.stderr);
    };
    let configuration = |state: &str, more: &str| {
        let text = format!(
            "version: 1\n{more}environments:\n  local:\n    state: \"{state}\"\n    storage: {{ url: \"file:s\" }}\n    \
             generators: {{ painter: {{ kind: placeholder }} }}\n"
        );
        project.write("pixform.yaml", &text);
    };
    fifo("fifo");
    configuration("sqlite:fifo", "");
    refused(&["plan"], "it is a FIFO");
    refused(&["apply", "--yes"], "it is a FIFO");
    configuration("sqlite:/dev/zero", "");
    refused(&["plan"], "it is a device");
    configuration("${NOT_SET}", "env_file: fifo\n");
    refused(&["plan"], "it is a FIFO");
    configuration("${NOT_SET}", "env_file: /dev/zero\n");
    refused(&["plan"], "it is a device");
    configuration("postgres://u@127.0.0.1:1/d?sslrootcert=fifo", "");
    refused(&["plan"], "it is a FIFO");
    refused(&["plan", "--config", "fifo"], "it is a FIFO");
    refused(&["plan", "--config", "/dev/zero"], "it is a device");
    configuration("sqlite:.pixform/state.db", "");
    refused(&["validate", "fifo"], "it is a FIFO");
    refused(&["validate", "/dev/zero"], "it is a device");
    refused(&["apply", "--yes", "fifo.json"], "fifo.json");
    for out in ["--out", "--out-markdown", "--out-html"] {
        refused(&["plan", out, "fifo"], "it is a FIFO");
        refused(&["plan", out, "/dev/null"], "it is a device");
        refused(&["plan", out, "manifests"], "it is a folder");
    }
    fifo("plan.json");
    refused(&["apply", "--yes", "plan.json"], "it is a FIFO");
    fifo("manifests/b.yaml");
    refused(&["validate"], "it is a FIFO");
    fs::remove_file(project.root().join("manifests/b.yaml")).unwrap();
    fifo("pixform.yaml");
    refused(&["plan"], "it is a FIFO");
    fs::remove_file(project.root().join("pixform.yaml")).unwrap();
    fs::write(project.root().join("pixform.yaml"), "").unwrap();
    fs::remove_file(project.root().join("pixform.yaml")).unwrap();
    // A branch's link to the environment of the process, which a mistake would show.
    std::os::unix::fs::symlink("/proc/self/environ", project.root().join("manifests/c.yaml")).unwrap();
    refused(&["validate"], "is a link that leads out of the project");
}
