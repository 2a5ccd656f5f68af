//! Addresses: from where something may be fetched that a stranger names.
//!
//! The answer of a service is a stranger's word: a URL in it may point into our own network. So a name is resolved here,
//! and only public addresses are connected to, except the service's own configured host and port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

/// Tells whether anybody on the internet could have this address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Source: <https://www.iana.org/assignments/iana-ipv4-special-registry>, read 2026-11-23.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

/// Source: <https://www.iana.org/assignments/iana-ipv6-special-registry>, read 2026-11-23.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let low = || {
        let [.., a, b, c, d] = address.octets();
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        // Addresses that carry one of version 4: mapped, compatible, translated, 6to4.
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0, 0, 0, 0, 0, 0, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => {
            is_public_v4(low())
        }
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Only 2000::/3 is given out to the public; documentation and Teredo lie in it.
        [0x2001, 0 | 0xdb8, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Variables that name a proxy, which may lie in our own network.
const PROXY_VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Resolves names to public addresses only.
#[derive(Debug, Clone)]
pub struct PublicOnly {
    /// The hosts of configured proxies, which may be anywhere: they resolve the other names in our place.
    pub proxies: Arc<[String]>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let is_proxy = self.proxies.contains(&host);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let public: Vec<SocketAddr> =
                found.into_iter().filter(|address| is_proxy || is_public(address.ip())).collect();
            if public.is_empty() {
                let words = "the name leads to no public address";
                return Err(Box::new(io::Error::new(io::ErrorKind::PermissionDenied, words)) as Box<_>);
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Returns the hosts of the proxies that the environment names.
pub fn proxies() -> Vec<String> {
    let named = PROXY_VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    let host = |text: String| {
        let url = Url::parse(&text).or_else(|_| Url::parse(&format!("http://{text}"))).ok()?;
        Some(url.host_str()?.to_owned())
    };
    named.filter_map(host).collect()
}

/// Who may be asked for a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchTarget {
    /// The service itself.
    Service,
    /// The service itself by another name: it is asked by its own, since a name may lead elsewhere the next time.
    Alias,
    /// Somebody on the internet.
    Public,
    /// Nobody may: our own network, or no http.
    Forbidden,
}

/// Tells where a URL leads, as far as it says so itself; a name is left to [`PublicOnly`].
pub async fn place(url: &Url, service: &Url, proxies: &[String]) -> FetchTarget {
    if !matches!(url.scheme(), "http" | "https") {
        return FetchTarget::Forbidden;
    }
    let same_port = url.port_or_known_default() == service.port_or_known_default();
    if same_port && url.host() == service.host() {
        return FetchTarget::Service;
    }
    // A proxy's own host is let through by its name, which may lead anywhere.
    if url.host_str().is_some_and(|host| proxies.iter().any(|proxy| proxy == host)) {
        return FetchTarget::Forbidden;
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(name)) if same_port && is_same(name, service).await => return FetchTarget::Alias,
        Some(Host::Domain(_)) => return FetchTarget::Public,
        None => return FetchTarget::Forbidden,
    };
    if is_public(address) {
        return FetchTarget::Public;
    }
    // The service may be configured by name and call itself by number.
    let own = same_port && addresses(service).await.contains(&address);
    if own { FetchTarget::Service } else { FetchTarget::Forbidden }
}

/// Tells whether a name leads to the service, where that lies in our own network.
async fn is_same(name: &str, service: &Url) -> bool {
    let own = addresses(service).await;
    // A public service needs no exception.
    if own.iter().all(|address| is_public(*address)) {
        return false;
    }
    let Ok(mut found) = tokio::net::lookup_host((name, 0)).await else { return false };
    found.any(|found| own.contains(&found.ip()))
}

/// Returns the addresses of a service.
async fn addresses(service: &Url) -> Vec<IpAddr> {
    let host = match service.host() {
        Some(Host::Ipv4(address)) => return vec![IpAddr::V4(address)],
        Some(Host::Ipv6(address)) => return vec![IpAddr::V6(address)],
        Some(Host::Domain(host)) => host,
        None => return Vec::new(),
    };
    let found = tokio::net::lookup_host((host, 0)).await;
    found.map(|found| found.map(|address| address.ip()).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::1.1.1.1", "2002:101:101::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        let private = [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::1",
            "2001:db8::1",
            "::127.0.0.1",
        ];
        for private in private {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    #[tokio::test]
    async fn a_service_may_call_itself_by_name_and_be_configured_by_number() {
        let service = Url::parse("http://127.0.0.1:8080/v3").unwrap();
        for (url, wanted) in [
            ("http://localhost:8080/x.png", FetchTarget::Alias),
            ("http://localhost:8081/x.png", FetchTarget::Public),
            ("http://127.0.0.1:8080/x.png", FetchTarget::Service),
            ("http://127.0.0.2:8080/x.png", FetchTarget::Forbidden),
        ] {
            assert_eq!(place(&Url::parse(url).unwrap(), &service, &[]).await, wanted, "{url}");
        }
    }

    #[tokio::test]
    async fn only_the_service_itself_may_be_private() {
        let service = Url::parse("http://localhost:8080/v3").unwrap();
        for (url, wanted) in [
            ("http://localhost:8080/x.png", FetchTarget::Service),
            ("http://127.0.0.1:8080/x.png", FetchTarget::Service),
            ("http://127.0.0.1:8081/x.png", FetchTarget::Forbidden),
            ("http://localhost:8081/x.png", FetchTarget::Public),
            ("http://[::ffff:10.0.0.1]/x.png", FetchTarget::Forbidden),
            ("http://2130706433:9/x.png", FetchTarget::Forbidden),
            ("file:///etc/passwd", FetchTarget::Forbidden),
            ("https://1.1.1.1/x.png", FetchTarget::Public),
            ("https://cdn.example.com/x.png", FetchTarget::Public),
            ("http://proxy.internal:9/x.png", FetchTarget::Forbidden),
        ] {
            assert_eq!(
                place(&Url::parse(url).unwrap(), &service, &["proxy.internal".to_owned()]).await,
                wanted,
                "{url}"
            );
        }
    }
}
