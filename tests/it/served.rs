//! A running `pixform serve`, and a client of few lines that sends what no library would.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::project::Project;

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server of a project; it ends with this value.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

/// An answer.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Got {
    /// Reads an answer whole, up to the end of its connection.
    fn read(mut stream: &TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        // A connection that is cut in the middle gives what there is.
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_ascii_lowercase(), value.to_owned()))
        };
        Some(Self { status, headers: lines.filter_map(header).collect(), body: bytes[end + 4..].to_vec() })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Fails the test unless this is the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.headers, String::from_utf8_lossy(&self.body));
        self
    }
}

impl Server {
    /// Starts a server of a project.
    pub fn of(project: &Project, args: &[&str]) -> Self {
        let all = ["serve", "--listen", "127.0.0.1:0"].iter().chain(args).copied().collect::<Vec<_>>();
        let mut command = project.command(&all);
        // What it writes to stdout is nobody's here: the log has a test of its own.
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let address = address(&mut child);
        Self { child, address }
    }

    /// Takes a server that was started otherwise, with its stderr piped.
    pub fn started(mut child: Child) -> Self {
        let address = address(&mut child);
        Self { child, address }
    }

    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes as they are, and returns what comes back; nothing where the connection is cut without an answer.
    pub fn raw(&self, bytes: &[u8]) -> Option<Got> {
        let mut stream = self.connect();
        // The server may have had enough before the end.
        let _ = stream.write_all(bytes);
        Got::read(&stream)
    }

    /// Asks for a target with some headers.
    #[track_caller]
    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Got {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
        self.raw(request.as_bytes()).unwrap_or_else(|| panic!("no answer to {method} {target}"))
    }

    #[track_caller]
    pub fn get(&self, target: &str) -> Got {
        self.ask("GET", target, &[])
    }

    /// Tells it to stop, and returns how it ended.
    pub fn stop(mut self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap()
    }

    /// Returns how much memory it holds, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
    }
}

fn address(child: &mut Child) -> SocketAddr {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut told = Vec::new();
    let line = lines.by_ref().find(|line| {
        told.push(line.clone());
        line.starts_with("listening on ")
    });
    let line = line.unwrap_or_else(|| panic!("it does not listen: {}", told.join("\n")));
    // Whatever else it writes, somebody has to read.
    std::thread::spawn(move || lines.for_each(drop));
    line.split('/').nth(2).unwrap().parse().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
