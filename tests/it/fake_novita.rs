//! The fake Novita, looked at from the wire: every fault is what it says, and nothing else costs money.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::fake::FakeNovita;
use crate::fake::behaviour::{Behaviour, Chaos, DebugInfo, Envelope, FirstStatus, ImagesAt, Nsfw, SeedAnswer, Ttl};
use crate::fake::ledger::{Answered, Charging};
use crate::fake::script::{Fault, OnDownload, OnPoll, OnSubmit, RetryAfter};

/// How long nothing must come for an answer to count as none.
const SILENCE: Duration = Duration::from_millis(200);
/// How long a machine under load may take for what usually takes a millisecond.
const PATIENCE: Duration = Duration::from_secs(30);
const KEY: &str = "Authorization: Bearer test-key\r\n";

/// An answer as it came: its bytes may be fewer than its head promises.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }

    fn promised(&self) -> usize {
        self.header("content-length").unwrap().parse().unwrap()
    }
}

#[test]
fn a_task_is_charged_once_and_ends_in_a_picture_of_the_size_asked_for() {
    let fake = FakeNovita::start(Behaviour { latency: Duration::from_millis(100), ..Behaviour::default() });
    let task = task(&fake, "a red kite");
    let link = link(&fake, &task);
    let picture = fetch(&fake, &link);
    assert_eq!(size(&picture.body), (192, 128));
    assert_eq!(picture.header("content-type"), Some("image/png"));

    let charges = fake.charges();
    assert_eq!(charges.len(), 1);
    assert_eq!((charges[0].task_id.as_str(), charges[0].seed, charges[0].images), (task.as_str(), 3_000_000_001, 1));
    assert!(charges[0].recipe.starts_with(r#"{"guidance_scale":7,"height":128,"#), "{}", charges[0].recipe);
    assert_eq!(fake.charged("kite").len(), 1);
    assert_eq!(fake.charged("goose").len(), 0);
    assert!(fake.secrets().iter().any(|secret| link.ends_with(secret)));
    assert_eq!(fake.requests().last().unwrap().path, format!("/files/{task}.png"));
    assert_eq!(fake.downloads_with_key(), 0);
}

#[test]
fn a_task_is_queued_then_processing_then_done() {
    let fake = quick();
    fake.set(|behaviour| behaviour.latency = Duration::from_secs(3600));
    let slow = task(&fake, "a slow kite");
    assert_eq!(poll(&fake, &slow).json()["task"]["status"], "TASK_STATUS_QUEUED");
    fake.set(|behaviour| behaviour.latency = Duration::from_millis(150));
    let task = task(&fake, "a red kite");
    let mut told = Vec::new();
    until("the task is done", || {
        told.push(poll(&fake, &task).json()["task"]["status"].as_str().unwrap().to_owned());
        told.last().unwrap() == "TASK_STATUS_SUCCEED"
    });
    told.dedup();
    let all = ["TASK_STATUS_QUEUED", "TASK_STATUS_PROCESSING", "TASK_STATUS_SUCCEED"];
    // A machine under load may poll too late for the first ones.
    assert!(all.ends_with(&told.iter().map(String::as_str).collect::<Vec<_>>()), "{told:?}");
}

#[test]
fn the_same_prompt_and_seed_make_the_same_picture_and_others_another() {
    let fake = quick();
    let picture = |order: &Value| finished(&fake, order).body;
    let first = picture(&order("a red kite"));
    assert_eq!(first, picture(&order("a red kite")));
    assert_ne!(first, picture(&order("a blue kite")));
    let mut large = order("a red kite");
    large["request"]["hires_fix"] = json!({"target_width": 512, "target_height": 768, "strength": 0.4});
    assert_eq!(size(&picture(&large)), (512, 768));
    for (file_type, start) in [("webp", &b"RIFF"[..]), ("jpeg", &[0xff, 0xd8])] {
        let mut other = order("a red kite");
        other["extra"]["response_image_type"] = file_type.into();
        assert!(picture(&other).starts_with(start), "{file_type}");
    }
}

#[test]
fn an_order_that_the_service_would_refuse_is_refused_and_free() {
    let fake = quick();
    let cases = [
        ("prompt", json!(""), "VALIDATOR"),
        ("prompt", json!("ж".repeat(1025)), "VALIDATOR"),
        ("negative_prompt", json!(""), "VALIDATOR"),
        ("width", json!(127), "VALIDATOR"),
        ("height", json!(2049), "VALIDATOR"),
        ("steps", json!(101), "VALIDATOR"),
        ("steps", json!(20.5), "INVALID_REQUEST_BODY"),
        ("guidance_scale", json!(0.5), "VALIDATOR"),
        ("sampler_name", json!("DPM++ Karras"), "VALIDATOR"),
        ("seed", json!(-2), "VALIDATOR"),
        ("image_num", json!(9), "INVALID_REQUEST_BODY"),
        ("loras", json!([{"model_name": "a", "strength": 1.5}]), "VALIDATOR"),
        ("hires_fix", json!({"target_width": 64, "target_height": 128, "strength": 0.5}), "VALIDATOR"),
    ];
    for (field, value, reason) in cases {
        let mut order = order("a red kite");
        order["request"][field] = value;
        let answer = submit(&fake, &order);
        assert_eq!((answer.status, &answer.json()["reason"]), (400, &json!(reason)), "{field}: {}", answer.text());
    }
    let body = order("a red kite").to_string();
    let keys = [("", 400, "MISSING_API_KEY"), ("Authorization: Bearer other\r\n", 403, "INVALID_API_KEY")];
    for (key, status, reason) in keys {
        let head = format!("{key}Content-Type: application/json\r\n");
        let answer = send(&fake, "POST", "/v3/async/txt2img", &head, &body).unwrap();
        assert_eq!((answer.status, &answer.json()["reason"]), (status, &json!(reason)));
    }
    assert_eq!(send(&fake, "POST", "/v3/async/txt2img", KEY, &body).unwrap().status, 400, "without a content type");
    assert_eq!(fake.charges().len(), 0);
    let mut longest = order("");
    longest["request"]["prompt"] = "ж".repeat(1024).into();
    assert_eq!(submit(&fake, &longest).status, 200);
}

#[test]
fn the_rate_limit_counts_images() {
    let fake = quick();
    fake.set(|behaviour| behaviour.rate = Some(5));
    let mut four = order("four kites");
    four["request"]["image_num"] = 4.into();
    let statuses = [&four, &four, &order("a"), &order("b")].map(|order| submit(&fake, order).status);
    assert_eq!(statuses, [200, 429, 200, 429]);
    assert_eq!(fake.charges().len(), 2);
    assert_eq!(fake.most_in_a_minute(), 4);
    let result = poll(&fake, &fake.charges()[0].task_id).json();
    assert_eq!(result["images"].as_array().unwrap().len(), 4);
    assert_ne!(
        fetch(&fake, result["images"][0]["image_url"].as_str().unwrap()).body,
        fetch(&fake, result["images"][3]["image_url"].as_str().unwrap()).body
    );
}

#[test]
fn a_reset_is_a_reset_and_a_lost_answer_is_a_closed_connection() {
    let fake = quick();
    fake.fault(OnSubmit::Reset);
    assert_eq!(try_submit(&fake, &order("a")).err().unwrap().kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(fake.charges().len(), 0);
    fake.fault(OnSubmit::LostAnswer);
    assert_eq!(try_submit(&fake, &order("a")).err().unwrap().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(fake.charges().len(), 1);
    let task = fake.charges()[0].task_id.clone();
    fake.fault(OnPoll::Reset);
    assert_eq!(try_poll(&fake, &task).err().unwrap().kind(), io::ErrorKind::ConnectionReset);
    let link = link(&fake, &task);
    fake.fault(OnDownload::Reset);
    assert_eq!(try_fetch(&fake, &link).err().unwrap().kind(), io::ErrorKind::ConnectionReset);
    let answered = fake.requests().iter().map(|seen| seen.answered).collect::<Vec<_>>();
    let status = Answered::Status(200);
    assert_eq!(answered, [Answered::Reset, Answered::Closed, Answered::Reset, status, Answered::Reset]);
    assert_eq!(fake.requests()[0].fault, Some(Fault::Submit(OnSubmit::Reset)));
}

#[test]
fn an_http_client_sees_an_error_and_no_answer_when_the_connection_breaks() {
    // Another test of this process may have been faster.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fake = quick();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("{}/v3/async/txt2img", fake.base_url());
        let send = || client.post(&url).bearer_auth("test-key").json(&order("a red kite")).send();
        for fault in [OnSubmit::Reset, OnSubmit::LostAnswer] {
            // A connection that is used again breaks in another way than a new one.
            assert_eq!(send().await.unwrap().status(), 200);
            fake.fault(fault.clone());
            let error = send().await.unwrap_err();
            assert!(error.is_request() && error.status().is_none(), "{fault:?}: {error:?}");
        }
        fake.fault(OnSubmit::CutAnswer);
        let answer = send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.is_err());
    });
    assert_eq!(fake.charges().len(), 4, "two good ones, the lost and the cut answer: nothing was sent twice");
}

#[test]
fn faults_of_orders_look_and_cost_as_they_say() {
    let fake = quick();
    let refused =
        OnSubmit::Refused { reason: "ILLEGAL_PROMPT".to_owned(), message: "the prompt is not allowed".to_owned() };
    let cases = [
        (OnSubmit::RateLimited(RetryAfter::Absent), 429, "RATE_LIMIT_EXCEEDED", 0),
        (OnSubmit::CreateTaskFailed(Charging::Free), 500, "CREATE_TASK_FAILED", 0),
        (OnSubmit::CreateTaskFailed(Charging::Charged), 500, "CREATE_TASK_FAILED", 1),
        (OnSubmit::PlainError, 500, "internal server error\n", 0),
        (OnSubmit::BadGateway, 502, "<html>", 0),
        (OnSubmit::Unavailable, 503, "SERVICE_NOT_AVAILABLE", 0),
        (OnSubmit::RouteNotFound, 404, "404 route not found\n", 0),
        (refused, 400, "ILLEGAL_PROMPT", 0),
        (OnSubmit::HtmlAnswer, 200, "<html>", 0),
        (OnSubmit::EchoedKey, 400, "Bearer test-key", 0),
        (OnSubmit::CutAnswer, 200, "{\"task_id\":\"", 1),
    ];
    for (fault, status, text, charged) in cases {
        let before = fake.charges().len();
        fake.fault(fault.clone());
        let answer = submit(&fake, &order("a red kite"));
        assert_eq!(answer.status, status, "{fault:?}");
        assert!(answer.text().contains(text), "{fault:?}: {}", answer.text());
        assert_eq!(fake.charges().len() - before, charged, "{fault:?}");
        assert_eq!(answer.body.len() < answer.promised(), fault == OnSubmit::CutAnswer, "{fault:?}");
    }
    fake.fault(OnSubmit::RateLimited(RetryAfter::Seconds(7)));
    assert_eq!(submit(&fake, &order("a")).header("retry-after"), Some("7"));
    fake.fault(OnSubmit::RateLimited(RetryAfter::DateIn(100)));
    let until = httpdate::parse_http_date(submit(&fake, &order("a")).header("retry-after").unwrap()).unwrap();
    let wait = until.duration_since(SystemTime::now()).unwrap();
    assert!((90..=100).contains(&wait.as_secs()), "{wait:?}");
}

#[test]
fn a_stall_is_silence_on_an_open_connection() {
    let fake = quick();
    for (charging, charged) in [(Charging::Free, 0), (Charging::Charged, 1)] {
        fake.fault(OnSubmit::Stall(charging));
        assert!(is_silent(&fake, || ask_to_submit(&fake, &order("a"))));
        assert_eq!(fake.charges().len(), charged);
    }
    fake.fault(OnPoll::Stall);
    assert!(is_silent(&fake, || ask(&fake, "GET", "/v3/async/task-result?task_id=1", KEY, "")));
    fake.set(|behaviour| behaviour.submit_delay = Duration::from_secs(3600));
    assert!(is_silent(&fake, || ask_to_submit(&fake, &order("a"))));
    assert_eq!(fake.charges().len(), 2, "a client that gives up has paid all the same");
}

#[test]
fn faults_of_polls_look_as_they_say() {
    let fake = quick();
    let task = task(&fake, "a red kite");
    let cases = [
        (OnPoll::GetResultFailed, 500, "GET_RESULT_FAILED"),
        (OnPoll::BadGateway, 502, "<html>"),
        (OnPoll::NotFound, 404, "TASK_NOT_FOUND"),
        (OnPoll::Unauthorized, 401, "FAILED_TO_AUTH"),
        (OnPoll::RateLimited(RetryAfter::Absent), 429, "RATE_LIMIT_EXCEEDED"),
        (OnPoll::NoImages, 200, r#""images":[]"#),
        (OnPoll::MissingImages, 200, "TASK_STATUS_SUCCEED"),
        (OnPoll::NeverEnds, 200, "TASK_STATUS_PROCESSING"),
    ];
    for (fault, status, text) in cases {
        fake.fault(fault.clone());
        let answer = poll(&fake, &task);
        assert_eq!(answer.status, status, "{fault:?}");
        assert!(answer.text().contains(text), "{fault:?}: {}", answer.text());
        assert!(!answer.text().contains("image_url"), "{fault:?}");
    }
    assert_eq!(poll(&fake, &task).json()["task"]["status"], "TASK_STATUS_PROCESSING", "it was never to end");
    fake.clear_faults();
    assert_eq!(poll(&fake, &task).json()["task"]["status"], "TASK_STATUS_SUCCEED");
    fake.fault(OnPoll::Failed("no memory".to_owned()));
    for _ in 0..2 {
        let result = poll(&fake, &task).json();
        assert_eq!(
            (&result["task"]["status"], &result["task"]["reason"]),
            (&json!("TASK_STATUS_FAILED"), &json!("no memory"))
        );
    }
    assert_eq!(poll(&fake, "no-such-task").json()["reason"], "TASK_NOT_FOUND");
}

#[test]
fn results_take_every_documented_shape() {
    let fake = quick();
    let shaped = |change: fn(&mut Behaviour)| {
        fake.set(|behaviour| *behaviour = Behaviour { latency: Duration::ZERO, rate: None, ..Behaviour::default() });
        fake.set(change);
        let mut order = order("a red kite");
        order["extra"]["enable_nsfw_detection"] = true.into();
        let answer = submit(&fake, &order).json();
        let task = answer["task_id"].as_str().or(answer["data"]["task_id"].as_str()).unwrap();
        poll(&fake, task).json()
    };
    let plain = shaped(|_| {});
    assert_eq!(plain["extra"]["seed"], "3000000001");
    assert_eq!(plain["extra"]["debug_info"]["request_info"], r#"{"num_images_per_prompt":1,"seeds":[3000000001]}"#);
    assert_eq!(plain["images"][0]["image_url_ttl"], "3600");
    assert_eq!(plain["images"][0]["nsfw_detection_result"], Value::Null);
    assert_eq!(shaped(|it| it.images = ImagesAt::Task)["task"]["images"][0]["image_type"], "png");
    assert_eq!(shaped(|it| it.envelope = Envelope::Legacy)["task"]["status"], "TASK_STATUS_SUCCEED");
    assert_eq!(shaped(|it| it.seed = SeedAnswer::Number)["extra"]["seed"], 3_000_000_001_i64);
    assert_eq!(shaped(|it| it.seed = SeedAnswer::NoExtra).get("extra"), None);
    assert_eq!(shaped(|it| it.seed = SeedAnswer::NoSeed)["extra"].get("seed"), None);
    assert_eq!(shaped(|it| it.seed = SeedAnswer::Other(1 << 60))["extra"]["seed"], "1152921504606846976");
    assert_eq!(shaped(|it| it.seed = SeedAnswer::OtherNumber(1 << 60))["extra"]["seed"], 1_i64 << 60);
    assert_eq!(shaped(|it| it.ttl = Ttl::Number)["images"][0]["image_url_ttl"], 3600);
    assert_eq!(shaped(|it| it.ttl = Ttl::Zero)["images"][0]["image_url_ttl"], "0");
    assert_eq!(shaped(|it| it.nsfw = Nsfw::Empty)["images"][0]["nsfw_detection_result"], json!({}));
    assert_eq!(shaped(|it| it.nsfw = Nsfw::Flagged)["images"][0]["nsfw_detection_result"]["confidence"], 97);
    assert_eq!(shaped(|it| it.debug_info = DebugInfo::Empty)["extra"]["debug_info"]["request_info"], "");
    assert_eq!(shaped(|it| it.first_status = FirstStatus::Unknown)["task"]["status"], "TASK_STATUS_FOO");
    assert_eq!(poll(&fake, &fake.charges().last().unwrap().task_id).json()["task"]["status"], "TASK_STATUS_SUCCEED");
}

#[test]
fn detection_is_asked_for_in_extra_only() {
    let fake = quick();
    fake.set(|behaviour| behaviour.nsfw = Nsfw::Flagged);
    let mut order = order("a red kite");
    order["request"]["enable_nsfw_detection"] = true.into();
    let task = submit(&fake, &order).json()["task_id"].as_str().unwrap().to_owned();
    assert_eq!(poll(&fake, &task).json()["images"][0]["nsfw_detection_result"], Value::Null);
    assert!(!fake.charges()[0].nsfw_detection);
}

#[test]
fn faults_of_downloads_look_as_they_say() {
    let fake = quick();
    let task = task(&fake, "a red kite");
    let link = link(&fake, &task);
    let good = fetch(&fake, &link);
    let with = |fault: OnDownload| {
        fake.fault(fault);
        fetch(&fake, &link)
    };
    let truncated = with(OnDownload::Truncated);
    assert_eq!((truncated.promised(), truncated.body.len()), (good.body.len(), good.body.len() / 2));
    let halved = with(OnDownload::Halved);
    assert_eq!((halved.promised(), halved.body.len()), (good.body.len() / 2, good.body.len() / 2));
    let html = with(OnDownload::Html);
    assert_eq!((html.status, html.header("content-type")), (200, Some("text/html")));
    assert_eq!(size(&with(OnDownload::WrongSize).body), (96, 64));
    let flat = image::load_from_memory(&with(OnDownload::Flat).body).unwrap().into_rgb8();
    assert!(flat.pixels().all(|pixel| pixel == flat.get_pixel(0, 0)));
    let bomb = with(OnDownload::Bomb);
    assert!(bomb.body.len() < 100);
    assert_eq!(size(&bomb.body), (60_000, 60_000));
    let elsewhere = with(OnDownload::Redirect("http://127.0.0.1:1/elsewhere".to_owned()));
    assert_eq!((elsewhere.status, elsewhere.header("location")), (302, Some("http://127.0.0.1:1/elsewhere")));
    assert_eq!(with(OnDownload::EndlessRedirect).header("location"), Some("/files/loop/0"));
    assert_eq!(send(&fake, "GET", "/files/loop/41", "", "").unwrap().header("location"), Some("/files/loop/42"));
    assert_eq!(with(OnDownload::Drip(2)).body, good.body);
    assert_eq!(with(OnDownload::ServerError).status, 500);
    let garbage = with(OnDownload::TrailingGarbage);
    assert!(garbage.body.starts_with(&good.body) && garbage.body.len() > good.body.len());
    assert_eq!(fetch(&fake, &link).body, good.body, "every fault was for one request");
}

#[test]
fn a_link_needs_its_signature_and_no_key() {
    let fake = quick();
    let task = task(&fake, "a red kite");
    let link = link(&fake, &task);
    let path = link.strip_prefix(fake.base_url()).unwrap();
    let refused = send(&fake, "GET", &path[..path.len() - 1], "", "").unwrap();
    assert_eq!((refused.status, refused.header("content-type")), (403, Some("application/xml")));
    assert!(refused.text().contains("<Code>AccessDenied</Code>"));
    assert_eq!(send(&fake, "GET", path, KEY, "").unwrap().status, 400);
    assert_eq!(fake.downloads_with_key(), 1);
    assert_eq!(send(&fake, "GET", "/files/nothing.png", "", "").unwrap().status, 404);
}

#[test]
fn an_expired_link_is_healed_by_a_poll_unless_it_is_dead() {
    let fake = quick();
    let task = task(&fake, "a red kite");
    let old = link(&fake, &task);
    fake.fault(OnDownload::ExpiredUntilPoll);
    assert_eq!([fetch(&fake, &old).status, fetch(&fake, &old).status], [403, 403]);
    let new = link(&fake, &task);
    assert_eq!([fetch(&fake, &old).status, fetch(&fake, &new).status], [403, 200]);
    fake.fault(OnDownload::Expired);
    assert_eq!(fetch(&fake, &new).status, 403);
    assert_eq!(fetch(&fake, &link(&fake, &task)).status, 403);
}

#[test]
fn a_fault_hits_whom_it_is_meant_for() {
    let fake = quick();
    let status = |prompt: &str| submit(&fake, &order(prompt)).status;
    fake.fault_next(2, OnSubmit::BadGateway);
    assert_eq!([status("a"), status("b"), status("c")], [502, 502, 200]);
    fake.fault_for("goose", OnSubmit::Unavailable);
    assert_eq!([status("a kite"), status("a goose"), status("two goose")], [200, 503, 503]);
    fake.fault_always(OnSubmit::PlainError);
    assert_eq!([status("a kite"), status("a goose"), status("a kite")], [500, 503, 500]);
    fake.clear_faults();
    assert_eq!([status("a kite"), status("a goose")], [200, 200]);
    fake.fault_for("goose", OnPoll::GetResultFailed);
    let [kite, goose] = ["a kite", "a goose"].map(|prompt| fake.charged(prompt).last().unwrap().task_id.clone());
    assert_eq!([poll(&fake, &kite).status, poll(&fake, &goose).status], [200, 500]);
}

#[test]
fn chaos_is_the_same_for_the_same_seed() {
    let fates = |seed| {
        let chaos = Some(Chaos { seed, rate: 0.5 });
        let fake = FakeNovita::start(Behaviour { chaos, rate: None, ..Behaviour::default() });
        for _ in 0..40 {
            // Half of them fail in one way or another, and all of them are in the log.
            let _ = try_submit(&fake, &order("a red kite"));
        }
        fake.requests().into_iter().map(|seen| seen.fault).collect::<Vec<_>>()
    };
    let first = fates(7);
    assert_eq!(first, fates(7));
    assert_ne!(first, fates(8));
    let faults = first.iter().flatten().count();
    assert!((10..=30).contains(&faults), "{faults} of 40");
}

#[test]
fn the_controls_reach_everything_over_http() {
    let fake = quick();
    let control = |method: &str, path: &str, body: &str| send(&fake, method, path, "", body).unwrap();
    assert_eq!(control("PATCH", "/fake/behaviour", r#"{"latency": 7, "rate": 3}"#).json()["latency"], 7);
    assert_eq!(control("PATCH", "/fake/behaviour", r#"{"latncy": 7}"#).status, 400);
    let rule = r#"{"when": {"prompt": "goose"}, "fault": {"submit": {"create_task_failed": "charged"}}}"#;
    assert_eq!(control("POST", "/fake/faults", rule).status, 200);
    assert_eq!(submit(&fake, &order("a goose")).status, 500);
    assert_eq!(control("DELETE", "/fake/faults", "").status, 200);
    assert_eq!(submit(&fake, &order("a goose")).status, 200);
    let log = control("GET", "/fake/log", "").json();
    assert_eq!((log["charges"].as_array().unwrap().len(), &log["most_in_a_minute"]), (2, &json!(2)));
    assert_eq!(log["requests"][0]["fault"], json!({"submit": {"create_task_failed": "charged"}}));
    assert_eq!(control("GET", "/fake/charges?containing=kite", "").json(), json!([]));
}

/// Returns a fake whose tasks are done at once, without a rate limit.
fn quick() -> FakeNovita {
    FakeNovita::start(Behaviour { latency: Duration::ZERO, rate: None, ..Behaviour::default() })
}

fn order(prompt: &str) -> Value {
    json!({
        "extra": {"response_image_type": "png"},
        "request": {
            "model_name": "example_v1_1.safetensors", "prompt": prompt, "width": 192, "height": 128, "image_num": 1,
            "steps": 25, "seed": 3_000_000_001_i64, "guidance_scale": 7, "sampler_name": "DPM++ 2M Karras",
        },
    })
}

fn submit(fake: &FakeNovita, order: &Value) -> Answer {
    try_submit(fake, order).unwrap()
}

fn try_submit(fake: &FakeNovita, order: &Value) -> io::Result<Answer> {
    ask_to_submit(fake, order).and_then(read)
}

fn ask_to_submit(fake: &FakeNovita, order: &Value) -> io::Result<TcpStream> {
    let head = format!("{KEY}Content-Type: application/json\r\n");
    ask(fake, "POST", "/v3/async/txt2img", &head, &order.to_string())
}

fn task(fake: &FakeNovita, prompt: &str) -> String {
    submit(fake, &order(prompt)).json()["task_id"].as_str().unwrap().to_owned()
}

fn poll(fake: &FakeNovita, task: &str) -> Answer {
    try_poll(fake, task).unwrap()
}

fn try_poll(fake: &FakeNovita, task: &str) -> io::Result<Answer> {
    send(fake, "GET", &format!("/v3/async/task-result?task_id={task}"), KEY, "")
}

/// Asks until the task is done, and returns its link.
fn link(fake: &FakeNovita, task: &str) -> String {
    let mut link = None;
    until("there is a link", || {
        link = poll(fake, task).json()["images"][0]["image_url"].as_str().map(str::to_owned);
        link.is_some()
    });
    link.unwrap()
}

fn fetch(fake: &FakeNovita, link: &str) -> Answer {
    try_fetch(fake, link).unwrap()
}

fn try_fetch(fake: &FakeNovita, link: &str) -> io::Result<Answer> {
    send(fake, "GET", link.strip_prefix(fake.base_url()).unwrap(), "", "")
}

fn finished(fake: &FakeNovita, order: &Value) -> Answer {
    let task = submit(fake, order).json()["task_id"].as_str().unwrap().to_owned();
    fetch(fake, &link(fake, &task))
}

fn size(file: &[u8]) -> (u32, u32) {
    image::ImageReader::new(io::Cursor::new(file)).with_guessed_format().unwrap().into_dimensions().unwrap()
}

/// Asks, waits until the fake has decided, and tells whether it then says nothing on an open connection.
fn is_silent(fake: &FakeNovita, ask: impl FnOnce() -> io::Result<TcpStream>) -> bool {
    let before = fake.requests().len();
    let mut stream = ask().unwrap();
    until("the request has arrived", || fake.requests().len() > before);
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    stream.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::yield_now();
    }
}

/// Sends one request on a connection of its own, and reads the answer.
fn send(fake: &FakeNovita, method: &str, path: &str, head: &str, body: &str) -> io::Result<Answer> {
    ask(fake, method, path, head, body).and_then(read)
}

fn ask(fake: &FakeNovita, method: &str, path: &str, head: &str, body: &str) -> io::Result<TcpStream> {
    let host = fake.base_url().strip_prefix("http://").unwrap();
    let length = body.len();
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{head}");
    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes())?;
    Ok(stream)
}

/// Reads all that comes; no answer at all is `UnexpectedEof`.
fn read(mut stream: TcpStream) -> io::Result<Answer> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Answer { status, head, body: bytes.split_off(end + 4) })
}
