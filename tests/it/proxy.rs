//! A way to a server that can be cut, made to stall, or made to lose an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What a proxy does with the bytes that it is given.
#[derive(Default)]
struct Rules {
    /// Cuts each connection after so many bytes of the client's; 0 is never.
    cut_after: AtomicU64,
    /// Once a client's bytes hold this text, they are handed on, and what the server answers is lost with the connection.
    lose_answer_to: Mutex<Option<&'static str>>,
    /// New connections are closed at once.
    closed: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
    cuts: AtomicU64,
}

/// A proxy on a port of its own; it ends with the process.
pub struct Proxy {
    port: u16,
    rules: Arc<Rules>,
}

impl Proxy {
    /// Starts one before a server of this machine.
    pub fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let rules = Arc::<Rules>::default();
        let shared = Arc::clone(&rules);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                if shared.closed.load(Ordering::SeqCst) {
                    continue;
                }
                shared.carry(client, server);
            }
        });
        Self { port, rules }
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts each connection after so many bytes of the client's; 0 is never.
    pub fn cut_after(&self, bytes: u64) {
        self.rules.cut_after.store(bytes, Ordering::SeqCst);
    }

    /// Loses the answer to the next bytes of a client that hold this text, which the server still gets.
    pub fn lose_answer_to(&self, text: &'static str) {
        *self.rules.lose_answer_to.lock().unwrap() = Some(text);
    }

    /// Cuts all connections now.
    pub fn cut(&self) {
        for connection in self.rules.connections.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Returns how many connections were cut by a rule.
    pub fn cuts(&self) -> u64 {
        self.rules.cuts.load(Ordering::SeqCst)
    }
}

impl Rules {
    fn carry(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        {
            let mut connections = self.connections.lock().unwrap();
            connections.extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
        }
        let (from_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || copy(from_server, to_client));
        let rules = Arc::clone(self);
        std::thread::spawn(move || rules.watch(client, server));
    }

    fn watch(&self, mut client: TcpStream, mut server: TcpStream) {
        let (mut buffer, mut carried) = ([0; 16_384], 0);
        while let Ok(count) = client.read(&mut buffer) {
            let bytes = &buffer[..count];
            let lost = {
                let mut wanted = self.lose_answer_to.lock().unwrap();
                let found = wanted.is_some_and(|text| bytes.windows(text.len()).any(|part| part == text.as_bytes()));
                if found { wanted.take() } else { None }
            };
            if lost.is_some() {
                // The answer finds nobody: the client's side is closed before the server hears of it.
                let _ = client.shutdown(Shutdown::Both);
            }
            carried += count as u64;
            let limit = self.cut_after.load(Ordering::SeqCst);
            let over = limit > 0 && carried > limit;
            if count == 0 || over || server.write_all(bytes).is_err() || lost.is_some() {
                if over || lost.is_some() {
                    self.cuts.fetch_add(1, Ordering::SeqCst);
                }
                break;
            }
        }
        // What was handed on is still done by the server, which hears of the end after it.
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Write);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
