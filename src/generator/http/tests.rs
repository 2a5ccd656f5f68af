//! The client against a server on this machine that tells what it was sent, and that also times out, truncates and lies.

use std::collections::VecDeque;
use std::io::{Read as _, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use reqwest::Url;
use serde_json::json;

use super::body::{FormContent, FormPart};
use super::*;
use crate::generator::trouble::Trouble;

const KEY: &str = "sk-loopback-0123456789abcdef";
const BOUNDS: Bounds = Bounds { text: 30_000, pictures: 100_000 };

/// What the server does with one connection.
type Act = Box<dyn FnOnce(&mut TcpStream) + Send>;

/// A server that answers one request after another as it was told, and keeps what it was sent.
struct Loopback {
    base: Url,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Loopback {
    fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Url::parse(&format!("http://{}/v1", listener.local_addr().unwrap())).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let mut acts = VecDeque::from(acts);
        std::thread::spawn(move || {
            while let Some(act) = acts.pop_front() {
                let (mut stream, _) = listener.accept().unwrap();
                let request = request(&mut stream);
                seen.lock().unwrap().push(request);
                act(&mut stream);
            }
        });
        Self { base, asked }
    }

    fn http(&self, auth: Auth, key: &str) -> Http {
        let settings = HttpSettings {
            base: self.base.clone(),
            auth,
            key,
            domains: &[],
            paying_time: Duration::from_millis(300),
            bounds: BOUNDS,
        };
        Http::new(settings).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Reads one request, by its length or to the end of its last chunk.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body).unwrap();
    format!("{}{}", String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&body))
}

fn answer(status: &'static str, headers: &'static str, body: impl Into<Vec<u8>>) -> Act {
    let body = body.into();
    Box::new(move |stream| {
        let length = body.len();
        let _ = write!(stream, "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(&body);
    })
}

fn json_request() -> HttpRequest<'static> {
    HttpRequest::paid("/images", RequestBody::json(&json!({"prompt": "a red kite"})))
}

#[tokio::test]
async fn each_way_to_show_a_key_is_its_own_and_no_other() {
    let basic = "someone:pass-0123456789";
    for (auth, key, shown) in [
        (Auth::Bearer, KEY, format!("authorization: Bearer {KEY}")),
        (Auth::Word("Key"), KEY, format!("authorization: Key {KEY}")),
        (Auth::Header("X-Goog-Api-Key".to_owned()), KEY, format!("x-goog-api-key: {KEY}")),
        (Auth::Query("key".to_owned()), KEY, format!("/v1/images?key={KEY}")),
        (Auth::Basic, basic, format!("authorization: Basic {}", STANDARD.encode(basic))),
        (Auth::None, KEY, "POST /v1/images HTTP".to_owned()),
    ] {
        let server = Loopback::start(vec![answer("200 OK", "", "{}")]);
        let reply = server.http(auth.clone(), key).ask(json_request()).await.unwrap();
        assert_eq!((reply.status.as_u16(), reply.whole), (200, Whole::Yes));
        let asked = server.asked().remove(0);
        assert!(asked.contains(&shown), "{auth:?}: {asked}");
        assert!(asked.contains("content-type: application/json") && asked.ends_with(r#"{"prompt":"a red kite"}"#));
        let keys = asked.matches(key).count() + asked.matches(&STANDARD.encode(basic)).count();
        assert_eq!(keys, usize::from(auth != Auth::None), "{asked}");
    }
}

#[tokio::test]
async fn a_form_has_texts_and_files_and_a_length() {
    let server = Loopback::start(vec![answer("200 OK", "", "{}")]);
    let file = FormContent::File { name: "a.png".into(), media_type: "image/png", bytes: Bytes::from_static(b"PICT") };
    let parts = vec![
        FormPart { name: "prompt", content: FormContent::Text("a red kite".to_owned()) },
        FormPart { name: "image[]", content: file },
    ];
    let body = RequestBody::Form(parts);
    assert_eq!(&*body.shown(), "prompt=a red kite; image[]=(image/png, 4 bytes)");
    server.http(Auth::Bearer, KEY).ask(HttpRequest::paid("/edits", body)).await.unwrap();
    let asked = server.asked().remove(0);
    for part in [
        "content-type: multipart/form-data; boundary=",
        "content-length: ",
        "name=\"prompt\"\r\n\r\na red kite\r\n",
        "name=\"image[]\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\nPICT\r\n",
    ] {
        assert!(asked.contains(part), "{part}: {asked}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_may_have_been_charged() {
    let silent: Act = Box::new(|stream| drop(stream.read(&mut [0])));
    let closed: Act = Box::new(|_| {});
    let server = Loopback::start(vec![silent, closed]);
    let http = server.http(Auth::Query("key".to_owned()), KEY);
    for words in ["no answer came", "the connection to"] {
        let error = http.ask(json_request()).await.unwrap_err();
        assert_eq!(error.trouble, Trouble::Ambiguous);
        assert!(error.to_string().contains(words) && !format!("{error:?}").contains(KEY), "{error:?}");
    }
    drop(server);
    let nobody = Url::parse("http://127.0.0.1:1/").unwrap();
    let http = Loopback { base: nobody, asked: Arc::default() }.http(Auth::Bearer, KEY);
    assert_eq!(http.ask(json_request()).await.unwrap_err().trouble, Trouble::Unreachable);
}

#[tokio::test]
async fn an_answer_is_read_as_far_as_it_comes_and_no_further_than_its_bound() {
    let picture = json!({"image": STANDARD.encode(vec![7; 80_000])}).to_string();
    let lie: Act = Box::new(|stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{{\"task\":");
    });
    let flood: Act = Box::new(|stream| {
        let _ = write!(stream, "HTTP/1.1 200 OK\r\n\r\n\"");
        while stream.write_all(&[b'a'; 4_096]).is_ok() {}
    });
    let server = Loopback::start(vec![
        answer("200 OK", "", picture.clone()),
        answer("200 OK", "content-type: image/png\r\n", vec![9; 90_000]),
        answer("200 OK", "content-type: image/png\r\n", vec![9; 100_001]),
        answer("200 OK", "", json!({"text": "no luck ".repeat(5_000)}).to_string()),
        lie,
        flood,
    ]);
    let http = server.http(Auth::Bearer, KEY);
    let reply = http.ask(json_request()).await.unwrap();
    let image = reply.json().unwrap()["image"].as_str().map(str::to_owned).unwrap();
    assert_eq!(reply.picture(&image).unwrap(), vec![7; 80_000]);
    assert!(reply.body.len() < 100, "the text is not kept");
    let mut told = Vec::new();
    for _ in 0..5 {
        let reply = http.ask(json_request()).await.unwrap();
        told.push((reply.whole, reply.body.len()));
    }
    let wholes: Vec<Whole> = told.iter().map(|(whole, _)| *whole).collect();
    assert_eq!(wholes, [Whole::Yes, Whole::TooLong, Whole::TooLong, Whole::CutOff, Whole::TooLong], "{told:?}");
    assert_eq!((told[0].1, told[3].1), (90_000, 8));
}

#[tokio::test]
async fn what_a_service_says_about_asking_again_is_read_from_headers_and_body() {
    let server = Loopback::start(vec![
        answer("429 Too Many Requests", "retry-after: 2\r\n", r#"{"retry_after": 9}"#),
        answer("429 Too Many Requests", "x-should-retry: false\r\n", ""),
    ]);
    let http = server.http(Auth::Bearer, KEY);
    assert_eq!(http.ask(json_request()).await.unwrap().again, AskAgain::Later(Some(Duration::from_secs(9))));
    assert_eq!(http.ask(json_request()).await.unwrap().again, AskAgain::Never);
}

#[tokio::test]
async fn a_named_address_is_asked_only_where_the_key_may_go_and_pictures_are_fetched_without_it() {
    let server = Loopback::start(vec![answer("200 OK", "", "{}"), answer("200 OK", "", "PICT")]);
    let http = server.http(Auth::Bearer, KEY);
    let elsewhere = HttpRequest::question(RequestTarget::Named("https://elsewhere.example/status?id=1"));
    let error = http.ask(elsewhere).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Ambiguous);
    assert!(error.to_string().contains("https://elsewhere.example/status, where its key must not go"), "{error}");
    let own = format!("{}/status?id=1", server.base);
    http.ask(HttpRequest::question(RequestTarget::Named(&own))).await.unwrap();
    let file = format!("{}/a.png", server.base);
    assert_eq!(http.fetch(&file).await.unwrap().body, "PICT");
    let asked = server.asked();
    assert!(asked[0].starts_with("GET /v1/status?id=1 HTTP/1.1") && asked[0].contains(KEY));
    assert!(asked[1].starts_with("GET /v1/a.png") && !asked[1].contains(KEY), "{}", asked[1]);
}

/// A log that is kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_key_is_logged_wherever_it_stands() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let basic = "someone:pass-0123456789";
    for (auth, key) in [
        (Auth::Bearer, KEY),
        (Auth::Word("Key"), KEY),
        (Auth::Header("x-key".to_owned()), KEY),
        (Auth::Query("key".to_owned()), KEY),
        (Auth::Basic, basic),
    ] {
        let echo = format!(r#"{{"you sent": "{key} {}"}}"#, STANDARD.encode(key));
        let server = Loopback::start(vec![answer("400 Bad Request", "", echo)]);
        let http = server.http(auth, key);
        let parts = vec![FormPart { name: "note", content: FormContent::Text(key.to_owned()) }];
        http.ask(HttpRequest::paid("/images", RequestBody::Form(parts))).await.unwrap();
        // Nobody is there any more.
        http.ask(json_request()).await.unwrap_err();
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("answered") && log.contains("you sent"), "{log}");
    for secret in [KEY, "pass-0123456789", &STANDARD.encode(basic), &STANDARD.encode(KEY)] {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

/// Size of the picture whose memory is measured.
const LARGE: usize = 64 * 1024 * 1024;
/// Tells the test that it is the process which is measured.
const MEASURED: &str = "PIXFORM_TEST_MEASURED";

#[test]
fn a_picture_of_64_mib_in_base64_takes_at_most_twice_its_size() {
    let name = "generator::http::tests::a_picture_of_64_mib_in_base64_takes_at_most_twice_its_size";
    if std::env::var_os(MEASURED).is_some() {
        return read_large();
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MEASURED, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{text}{}", String::from_utf8_lossy(&child.stderr));
    let grown = text.split("grown by ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let grown: usize = grown.unwrap().parse().unwrap();
    assert!((LARGE..=2 * LARGE).contains(&grown), "{} MiB", grown >> 20);
}

/// Reads a large picture and prints by how much this process grew.
fn read_large() {
    let block: Vec<u8> = (0..48 * 1024_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let (letters, repeats) = (STANDARD.encode(&block), LARGE.div_ceil(block.len()));
    let sent = letters.clone();
    let act: Act = Box::new(move |stream| {
        write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{{\"data\":[{{\"b64_json\":\"").unwrap();
        for _ in 0..repeats {
            stream.write_all(sent.as_bytes()).unwrap();
        }
        write!(stream, "\"}}],\"usage\":{{\"output_tokens\":7}}}}").unwrap();
    });
    let server = Loopback::start(vec![act]);
    let settings = HttpSettings {
        base: server.base.clone(),
        auth: Auth::Bearer,
        key: KEY,
        domains: &[],
        paying_time: Duration::from_secs(60),
        bounds: Bounds { text: 1024 * 1024, pictures: 2 * LARGE as u64 },
    };
    let http = Http::new(settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let before = most_memory();
    let reply = runtime.block_on(http.ask(json_request())).unwrap();
    let value = reply.json().unwrap();
    let picture = reply.picture(value["data"][0]["b64_json"].as_str().unwrap()).unwrap();
    println!("grown by {} bytes", most_memory() - before);
    assert_eq!((reply.whole, value["usage"]["output_tokens"].as_u64()), (Whole::Yes, Some(7)));
    assert_eq!(picture.len(), repeats * block.len());
    assert!(picture.chunks(block.len()).all(|chunk| chunk == block));
}

/// The most memory that this process had, in bytes. Source: proc(5), `VmHWM`.
fn most_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
}
