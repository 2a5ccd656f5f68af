//! The client of a connection.

use std::net::IpAddr;

/// Who asks, and where.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// The address that the request came from.
    pub address: IpAddr,
    /// The address of this machine that it came to.
    pub reached: IpAddr,
}
