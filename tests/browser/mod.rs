//! A real browser to look at pages with: Debian's chromium, driven through chromedriver by the W3C's WebDriver protocol
//! (source: <https://www.w3.org/TR/webdriver2/>, read 2026-11-25).
//!
//! Every browser has a profile and a port of its own, and ends when its value is dropped or this process is.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};

/// Keys that have no character, as WebDriver writes them.
pub mod key {
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const ESCAPE: &str = "\u{e00c}";
    pub const END: &str = "\u{e010}";
    pub const HOME: &str = "\u{e011}";
    pub const LEFT: &str = "\u{e012}";
    pub const UP: &str = "\u{e013}";
    pub const RIGHT: &str = "\u{e014}";
    pub const DOWN: &str = "\u{e015}";
}

/// Where an element's reference stands in answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// How long a page may take until what a test waits for is true.
const PATIENCE: Duration = Duration::from_secs(20);
/// A phone's window, in CSS pixels.
pub const PHONE: (u32, u32) = (390, 844);
/// A laptop's window, in CSS pixels.
pub const LAPTOP: (u32, u32) = (1280, 900);

/// Whether a page is asked for in dark or in light colours.
#[derive(Debug, Clone, Copy)]
pub enum Scheme {
    Light,
    Dark,
}

/// Whether a page's scripts run.
#[derive(Debug, Clone, Copy)]
pub enum Scripts {
    Run,
    Off,
}

/// A browser with one page.
pub struct Browser {
    process: Child,
    session: String,
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    profile: tempfile::TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let needs =
            "this test needs chromium: run `tests/run`, or on Debian `apt-get install chromium chromium-driver`";
        // It ends when this process does, which closes the input of the shell between them.
        let script = r#"chromedriver --port=0 & server=$!; cat >/dev/null; kill $server; wait $server"#;
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{needs}: {error}"));
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port =
            lines.find_map(|line| Some(line.split_once("successfully on port ")?.1.trim_end_matches('.').to_owned()));
        let port = port.expect(needs);
        // Whatever else it writes, somebody has to read.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let address = format!("http://127.0.0.1:{port}").parse().unwrap();
        let client = pixform::web::client(&address, || pixform::web::builder().no_proxy()).unwrap();
        let session = format!("{address}session");
        let mut browser = Self { process, session, client, runtime, profile };
        let answer = browser.ask("POST", "", &capabilities(browser.profile.path()));
        browser.session = format!("{}/{}", browser.session, answer["sessionId"].as_str().unwrap());
        browser.window(LAPTOP);
        browser
    }

    /// Returns the folder where it keeps what it remembers.
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }

    /// Opens a page, and waits until it has loaded.
    pub fn open(&self, url: &str) {
        self.ask("POST", "/url", &json!({ "url": url }));
    }

    /// Opens a file of this machine.
    pub fn open_file(&self, path: &Path) {
        self.open(url::Url::from_file_path(path).unwrap().as_str());
    }

    /// Goes back in the history.
    pub fn back(&self) {
        self.ask("POST", "/back", &json!({}));
    }

    pub fn url(&self) -> String {
        self.ask("GET", "/url", &Value::Null).as_str().unwrap().to_owned()
    }

    /// Clicks the first element that a CSS selector finds, as a person would: it must be visible.
    pub fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.ask("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Types into an element, which gets the focus.
    pub fn write(&self, selector: &str, text: &str) {
        let element = self.element(selector);
        self.ask("POST", &format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Presses keys wherever the focus is.
    pub fn press(&self, keys: &str) {
        let presses =
            keys.chars().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let presses: Vec<Value> = presses.collect();
        self.ask("POST", "/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": presses }] }));
    }

    /// Evaluates an expression in the page.
    pub fn evaluate(&self, expression: &str) -> Value {
        self.script(&format!("return ({expression});"))
    }

    /// Runs statements in the page; the value of `return` is returned.
    pub fn script(&self, statements: &str) -> Value {
        self.ask("POST", "/execute/sync", &json!({ "script": statements, "args": [] }))
    }

    /// Waits until an expression is true.
    pub fn wait_until(&self, expression: &str) {
        let begun = Instant::now();
        // The question itself takes its time, so asking again at once is no busy loop.
        while self.evaluate(expression) != Value::Bool(true) {
            assert!(begun.elapsed() < PATIENCE, "never true: {expression}");
        }
    }

    /// Returns the text of the first element as a person sees it.
    pub fn text(&self, selector: &str) -> String {
        let element = self.element(selector);
        self.ask("GET", &format!("/element/{element}/text"), &Value::Null).as_str().unwrap().to_owned()
    }

    /// Returns how many elements a selector finds that are drawn.
    pub fn visible(&self, selector: &str) -> u64 {
        let selector = Value::from(selector);
        let drawn = "element => element.checkVisibility()";
        let count = self.evaluate(&format!("[...document.querySelectorAll({selector})].filter({drawn}).length"));
        count.as_u64().unwrap()
    }

    /// Gives the page a window of that size in CSS pixels; narrow ones have a phone's touch screen.
    pub fn window(&self, (width, height): (u32, u32)) {
        let phone = width < 500;
        let scale = if phone { 2 } else { 1 };
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": phone });
        self.devtools("Emulation.setDeviceMetricsOverride", size);
    }

    pub fn scheme(&self, scheme: Scheme) {
        let value = match scheme {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features);
    }

    /// Lets the scripts of pages that are opened from now on run, or not.
    pub fn scripts(&self, scripts: Scripts) {
        let off = matches!(scripts, Scripts::Off);
        self.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": off }));
    }

    /// Asks for anything that the browser's own protocol can do
    /// (source: <https://chromedevtools.github.io/devtools-protocol/>, read 2026-11-25).
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.ask("POST", "/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Keeps a picture of the window in `target/screenshots`, and returns where.
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let picture = self.ask("GET", "/screenshot", &Value::Null);
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap()).unwrap();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Returns what the console has said since the last question, warnings and errors only: faults of scripts, files that
    /// did not load, what a content security policy forbade.
    pub fn console_errors(&self) -> Vec<String> {
        let lines = self.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let bad = lines.as_array().unwrap().iter().filter(|line| line["level"] != "INFO" && line["level"] != "DEBUG");
        bad.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Returns the addresses of pictures that are drawn and did not decode; scrolls nothing, so lazy ones may be missing.
    pub fn broken_pictures(&self) -> Vec<String> {
        // Whether it is drawn is asked last: in parts that are not laid out yet each such question lays them out.
        let broken = "[...document.images].filter(image => !(image.naturalWidth > 0) && !(image.loading === 'lazy' && !image.complete)
                      && image.checkVisibility()).map(image => image.currentSrc.slice(0, 200))";
        let broken = self.evaluate(broken);
        broken.as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect()
    }

    /// Tells whether the page is wider than its window, so that it scrolls sideways.
    pub fn scrolls_sideways(&self) -> bool {
        self.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            == Value::Bool(true)
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask("POST", "/element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Sends a command; what the browser refuses fails the test.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_ask(method, path, body);
        answer.unwrap_or_else(|error| panic!("{method} {path} {body}: {error}"))
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.session));
        let request = if body.is_null() { request } else { request.json(body) };
        let asked = async move {
            let answer = request.send().await.map_err(|error| error.to_string())?;
            let (status, answer) = (answer.status(), answer.json::<Value>().await.map_err(|error| error.to_string())?);
            let value = answer["value"].clone();
            if status.is_success() { Ok(value) } else { Err(format!("{}: {}", value["error"], value["message"])) }
        };
        // A test may have a runtime of its own, in which this one cannot block.
        std::thread::scope(|scope| scope.spawn(|| self.runtime.block_on(asked)).join().unwrap())
    }
}

fn capabilities(profile: &Path) -> Value {
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--no-proxy-server",
    ];
    let flags: Vec<String> =
        flags.into_iter().map(str::to_owned).chain([format!("--user-data-dir={}", profile.display())]).collect();
    let wanted = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "args": flags },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    json!({ "capabilities": { "alwaysMatch": wanted } })
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.try_ask("DELETE", "", &Value::Null);
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}
