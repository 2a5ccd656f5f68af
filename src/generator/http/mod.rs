//! HTTP as every service needs it: one request, bounded in time and bytes, told of in the log without its secrets.
//!
//! Authentication, bodies and bounds are data that a kind of generator brings. What an answer means is left to its table.
//! What is decided here is whether a request that brought no answer was sent at all, and how long a service wants to be
//! left alone. Nothing is repeated and no redirect is followed without looking at where it leads.

mod auth;
mod body;
mod client;
mod inline;
mod reply;
#[cfg(test)]
mod tests;
mod wait;

pub use crate::web::Whole;
pub use auth::Auth;
pub use body::{FormContent, FormPart, RequestBody};
pub use client::{ChargeRisk, Http, HttpRequest, HttpSettings, PICTURE_BYTES_MAX, RequestTarget};
pub use inline::Bounds;
pub use reply::{Reply, looks};
pub use wait::AskAgain;
