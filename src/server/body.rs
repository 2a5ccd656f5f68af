//! Bodies of answers: whole, empty, or in pieces as they are read.

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;

/// What an answer holds.
pub type AnswerBody = UnsyncBoxBody<Bytes, std::io::Error>;

/// Returns a body without bytes.
pub fn empty() -> AnswerBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// Returns a body that is there as a whole.
pub fn whole(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Returns a body that comes in pieces; an error cuts the connection, so that nobody takes a part for the whole.
pub fn pieces(pieces: impl Stream<Item = std::io::Result<Bytes>> + Send + 'static) -> AnswerBody {
    StreamBody::new(pieces.map_ok(Frame::data)).boxed_unsync()
}
