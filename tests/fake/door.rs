//! Connections that can be broken on purpose: the listener below axum, which hands every request a wire to cut.
//!
//! An HTTP library answers every request it has read. To close or reset a connection without one byte of an answer, the
//! stream beneath it fails its first write.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const WHOLE: u8 = 0;
const CLOSED: u8 = 1;
const RESET: u8 = 2;

/// Accepts connections that can be broken.
pub struct Door(pub TcpListener);

/// The handle by which a handler breaks its own connection.
#[derive(Clone, Debug, Default)]
pub struct Wire(Arc<AtomicU8>);

/// A connection that can be broken.
pub struct Line {
    stream: TcpStream,
    wire: Wire,
}

impl Wire {
    /// Makes the connection end like a program that stops (TCP FIN) in place of the next byte written.
    pub fn close(&self) {
        self.0.store(CLOSED, Ordering::SeqCst);
    }

    /// Makes the connection end like a program that crashes (TCP RST) in place of the next byte written.
    pub fn reset(&self) {
        self.0.store(RESET, Ordering::SeqCst);
    }
}

impl Listener for Door {
    type Io = Line;
    type Addr = Wire;

    async fn accept(&mut self) -> (Line, Wire) {
        let (stream, _) = Listener::accept(&mut self.0).await;
        let wire = Wire::default();
        (Line { stream, wire: wire.clone() }, wire)
    }

    fn local_addr(&self) -> io::Result<Wire> {
        Ok(Wire::default())
    }
}

impl Connected<IncomingStream<'_, Door>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.wire.0.load(Ordering::SeqCst) {
            WHOLE => return Pin::new(&mut self.stream).poll_write(context, bytes),
            // The kernel sends RST instead of FIN when the stream is dropped.
            RESET => self.stream.set_zero_linger()?,
            _ => {}
        }
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
