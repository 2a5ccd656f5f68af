//! Which hosts requests may name: a page of elsewhere whose name is made to point at this machine reads nothing here.
//!
//! Such a page sends its own name as host, and the browser takes the answers for its own. Names of this machine itself
//! cannot be made to point elsewhere, and an address is no name. What a request names is decided by the rules of
//! <https://www.rfc-editor.org/rfc/rfc9112#section-3.2>, read 2026-11-30.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use http::header::HOST;
use http::{HeaderMap, StatusCode, Uri, Version};

use crate::render::terminal;

use super::problem::Problem;

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 253;

/// A host that requests may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostName {
    /// Whatever they name.
    Any,
    /// An address.
    Address(IpAddr),
    /// A name in lower case, without a full stop at its end.
    Name(Box<str>),
}

/// The text names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host; write a name or an address without a port, as in `pictures.example.com`, or `*` for all")]
pub struct HostNameError(String);

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        // An address of version 6 stands in brackets only where a port could follow.
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Ok(Self::Address(address.into()));
        }
        // Browsers send names of other scripts in ASCII.
        let named = url::Host::parse(text).map_err(|_| HostNameError(text.to_owned()))?;
        Self::asked(&named.to_string()).ok_or_else(|| HostNameError(text.to_owned()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl HostName {
    /// Reads the host of a request, without its port; `None` where it is none.
    fn asked(text: &str) -> Option<Self> {
        if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return inside.parse::<Ipv6Addr>().ok().map(|address| Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if let Ok(address) = name.parse::<IpAddr>() {
            return address.is_ipv4().then_some(Self::Address(address));
        }
        let legal =
            |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        let is_name = name.len() <= NAME_BYTES_MAX && name.split('.').all(legal);
        is_name.then(|| Self::Name(name.to_ascii_lowercase().into()))
    }

    /// Tells whether it is this machine for whoever asks, wherever that is.
    fn is_loopback(&self) -> bool {
        match self {
            Self::Any => false,
            Self::Address(address) => address.to_canonical().is_loopback(),
            // Source: <https://www.rfc-editor.org/rfc/rfc6761#section-6.3>, read 2026-11-30.
            Self::Name(name) => **name == *"localhost" || name.ends_with(".localhost"),
        }
    }
}

/// The hosts that requests may name beside this machine itself and the address that they came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts(Vec<HostName>);

impl Hosts {
    /// Takes those that were allowed, and the one of `HOST:PORT` that is listened on.
    pub fn new(allowed: &[HostName], listened: &str) -> Self {
        let listened = listened.rsplit_once(':').and_then(|(host, _)| HostName::asked(host));
        Self(allowed.iter().cloned().chain(listened).collect())
    }

    /// Refuses a request that names no host, or one that is not on the list; `reached` is the address that it came to.
    ///
    /// # Errors
    /// [`StatusCode::BAD_REQUEST`], and [`StatusCode::MISDIRECTED_REQUEST`] for another host.
    pub fn check(&self, version: Version, target: &Uri, asked: &HeaderMap, reached: IpAddr) -> Result<(), Problem> {
        let mut named = asked.get_all(HOST).iter();
        let header = match (named.next(), named.next()) {
            (_, Some(_)) => return Err(unreadable("a request names one host")),
            (Some(header), None) => Some(header.to_str().map_err(|_| unreadable("the host is no text"))?),
            (None, None) if version >= Version::HTTP_11 => return Err(unreadable("a request names its host")),
            (None, None) => None,
        };
        // A target that is a whole address says it, whatever the header says.
        let Some(text) = target.authority().map(|authority| authority.as_str()).or(header) else { return Ok(()) };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (text, ""),
        };
        let host = HostName::asked(host).filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(host) = host else { return Err(unreadable(&format!("`{}` is no host", shown(text)))) };
        let is_reached = matches!(host, HostName::Address(address) if address.to_canonical() == reached.to_canonical());
        if host.is_loopback() || is_reached || self.0.iter().any(|one| *one == HostName::Any || *one == host) {
            return Ok(());
        }
        let detail = format!(
            "this server does not answer for `{0}`; whoever runs it can allow that with `--host {0}`",
            shown(&host.to_string())
        );
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown-host", detail))
    }
}

fn unreadable(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail)
}

fn shown(text: &str) -> String {
    terminal(text).chars().take(100).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(allowed: &[&str], listened: &str, hosts: &[&str], expected: u16) {
        let allowed: Vec<HostName> = allowed.iter().map(|text| text.parse().unwrap()).collect();
        let headers: HeaderMap = hosts.iter().map(|host| (HOST, HeaderValue::try_from(*host).unwrap())).collect();
        let target = Uri::from_static("/api");
        let reached = "192.0.2.7".parse().unwrap();
        let checked = Hosts::new(&allowed, listened).check(Version::HTTP_11, &target, &headers, reached);
        let status = checked.map_or_else(|problem| problem.status.as_u16(), |()| 200);
        assert_eq!(status, expected, "{allowed:?} {listened} {hosts:?}");
    }

    #[test]
    fn only_hosts_that_are_here_or_were_allowed_are_answered() {
        for host in
            ["localhost", "LOCALHOST:8080", "localhost.", "a.localhost:1", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"]
        {
            check(&[], "127.0.0.1:8080", &[host], 200);
        }
        for host in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "xlocalhost",
        ] {
            check(&[], "127.0.0.1:8080", &[host], 421);
            check(&[], "0.0.0.0:8080", &[host], 421);
        }
        check(&[], "0.0.0.0:8080", &["192.0.2.7:8080"], 200);
        check(&[], "pictures.lan:8080", &["Pictures.LAN:8080"], 200);
        check(&["shop.example.com", "10.0.0.1"], "0.0.0.0:8080", &["shop.example.com"], 200);
        check(&["shop.example.com", "10.0.0.1"], "0.0.0.0:8080", &["10.0.0.1:99"], 200);
        check(&["shop.example.com"], "0.0.0.0:8080", &["api.shop.example.com"], 421);
        check(&["münchen.example"], "0.0.0.0:8080", &["xn--mnchen-3ya.example"], 200);
        check(&["*"], "0.0.0.0:8080", &["evil.example"], 200);
    }

    #[test]
    fn a_host_that_cannot_be_read_is_a_bad_request() {
        for hosts in
            [&[][..], &["localhost", "localhost"], &[""], &["a b"], &["localhost:x"], &["[::1"], &["a@b"], &["::1"]]
        {
            check(&["*"], "127.0.0.1:8080", hosts, 400);
        }
    }

    #[test]
    fn the_target_says_it_before_the_header_and_an_old_client_need_not() {
        let none = Hosts::new(&[], "127.0.0.1:1");
        let reached = "127.0.0.1".parse().unwrap();
        let local = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        let evil = Uri::from_static("http://evil.example/api");
        assert!(none.check(Version::HTTP_11, &evil, &local, reached).is_err());
        assert!(none.check(Version::HTTP_10, &Uri::from_static("/api"), &HeaderMap::new(), reached).is_ok());
    }

    #[test]
    fn what_is_allowed_is_a_host_and_nothing_more() {
        for wrong in ["", "a b", "http://a", "a:80", "a/b", "[::1]:80"] {
            assert!(wrong.parse::<HostName>().is_err(), "{wrong}");
        }
        for good in ["*", "::1", "10.0.0.1", "a.example"] {
            assert_eq!(good.parse::<HostName>().unwrap().to_string(), good);
        }
    }
}
