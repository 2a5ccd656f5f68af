//! Stores to test against: a real S3 server in this process, a stand-in for Supabase's Storage, and a front before either,
//! or before any other server, that counts requests and breaks them on purpose.

mod front;
pub mod moto;
pub mod s3;
pub mod supabase;

pub use front::{Fault, Front, Seen};
