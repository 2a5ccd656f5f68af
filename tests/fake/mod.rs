//! A stand-in for the image service Novita: a real HTTP server on the loopback interface with tasks, charges, a rate
//! limit and signed links, which also fails, lies and stalls when told to.
//!
//! Two programs hold it: the integration tests, and the example `fake-novita`, which serves it to a shell. Every method
//! and every fault can also be reached over HTTP below `/fake/` (see `control`), so that neither program has dead parts.

mod answer;
pub mod behaviour;
mod control;
pub mod door;
mod download;
pub mod ledger;
mod picture;
mod poll;
mod request;
pub mod script;
mod service;
mod submit;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Deref;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use tokio::runtime;
use tokio::sync::oneshot;

use behaviour::Behaviour;
use door::{Door, Wire};
use service::Service;

/// A running fake, which stops when it is dropped; what it can be told and asked is in [`Service`].
pub struct FakeNovita {
    service: Arc<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeNovita {
    /// Starts a fake on a free port of 127.0.0.1.
    pub fn start(behaviour: Behaviour) -> Self {
        Self::start_at(0, behaviour).expect("the loopback interface has a free port")
    }

    /// Starts a fake on a port of 127.0.0.1, 0 for a free one; errs when the port is taken.
    pub fn start_at(port: u16, behaviour: Behaviour) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let service = Arc::new(Service::new(format!("http://{}", listener.local_addr()?), behaviour));
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let door = {
            let _inside = runtime.enter();
            Door(tokio::net::TcpListener::from_std(listener)?)
        };
        let router = Router::new().fallback(service::serve).with_state(Arc::clone(&service));
        let (stop, stopped) = oneshot::channel();
        // The runtime dies with its thread, and with it every connection, also those that stall.
        let thread = std::thread::Builder::new().name("fake-novita".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = axum::serve(door, router.into_make_service_with_connect_info::<Wire>()) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { service, stop: Some(stop), thread: Some(thread) })
    }
}

impl Deref for FakeNovita {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

impl Drop for FakeNovita {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in the server has already been printed, and a second one here would abort the process.
            let _ = thread.join();
        }
    }
}
