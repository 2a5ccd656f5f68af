//! The URL of a Postgres state: what it says, what it must not say, and what of it may be told.
//!
//! `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…&sslrootcert=…`, as everybody else writes it. Poolers and other
//! libraries have parameters of their own in the same place: those are left out, with a warning, for a server refuses
//! what it does not know.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, SslMode};
use url::Url;

use crate::state::{StateError, UrlWarning};

/// How long one attempt to connect may take, unless the URL says otherwise.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long sent bytes may stay without an answer from the other host.
const SILENT_TIME: Duration = Duration::from_secs(60);
/// After how long without traffic the other host is asked whether it is there.
const IDLE_TIME: Duration = Duration::from_secs(30);

/// What to do where a URL cannot be read.
const SHAPE: &str = "write `postgres://USER:PASSWORD@HOST:PORT/DATABASE`; in a password write `%23` for `#`, `%2F` for `/`, \
                     `%3F` for `?`, `%40` for `@`, `%25` for `%`";

/// Stands for the host of a URL that has none.
const NO_HOST: &str = "nowhere.invalid";

/// Where a Postgres state is, and how one gets there.
pub(super) struct ServerAddress {
    /// Everything that a connection needs, but how its server proves itself.
    pub config: Config,
    /// How the server proves itself.
    pub proof: ServerProof,
    /// Host, port and database, for people.
    pub place: String,
    /// The host alone; the folder of a socket.
    pub host: String,
    /// What was left out, and what is weak.
    pub warnings: Vec<UrlWarning>,
}

/// How a server proves that it is the one that was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ServerProof {
    /// Not at all: there is no TLS, or nobody looks at its certificate.
    None,
    /// By a certificate for its name, signed by one of these authorities; by those of the system where none is named.
    Certificate(Option<PathBuf>),
}

impl ServerAddress {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`StateError::Address`], which never holds the URL's text.
    pub(super) fn parse(text: &str) -> Result<Self, StateError> {
        // `USER@/DATABASE?host=…` is how a socket is written, and no URL by the letter.
        let text = text.replacen("@/", &format!("@{NO_HOST}/"), 1);
        // The rest of an unescaped password would be taken for a host, a path or a fragment.
        let url = Url::parse(&text).ok().filter(|url| {
            let names_more = url.query_pairs().any(|(name, _)| name.contains('@'));
            url.fragment().is_none() && !url.path().contains('@') && !names_more
        });
        let Some(url) = url else { return Err(refused("the URL of the state cannot be read", SHAPE)) };
        let mut reading = AddressReading::of(&url)?;
        for (name, value) in url.query_pairs() {
            reading.parameter(&name, &value)?;
        }
        reading.finish()
    }
}

/// An address of which a part was read.
struct AddressReading {
    host: String,
    port: u16,
    user: String,
    password: Option<String>,
    database: Option<String>,
    mode: Option<Mode>,
    root: Option<String>,
    config: Config,
    warnings: Vec<UrlWarning>,
}

/// The values of `sslmode`, as libpq has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

/// Tells whether this can be a parameter's name: the rest of an unescaped password mostly cannot.
fn is_parameter(name: &str) -> bool {
    name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

impl AddressReading {
    fn of(url: &Url) -> Result<Self, StateError> {
        let decoded = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(refused("the URL of the state holds letters that are not UTF-8", SHAPE)),
        };
        let database = decoded(url.path().trim_start_matches('/'))?;
        let mut config = Config::new();
        config.application_name("pixform").connect_timeout(CONNECT_TIME);
        config.keepalives_idle(IDLE_TIME).tcp_user_timeout(SILENT_TIME);
        Ok(Self {
            // Brackets belong to the URL, not to the address of version 6.
            host: decoded(url.host_str().unwrap_or_default().trim_matches(['[', ']']))?,
            port: url.port().unwrap_or(5432),
            user: decoded(url.username())?,
            password: url.password().map(decoded).transpose()?,
            database: Some(database).filter(|name| !name.is_empty()),
            mode: None,
            root: None,
            config,
            warnings: Vec::new(),
        })
    }

    fn parameter(&mut self, name: &str, value: &str) -> Result<(), StateError> {
        let wrong = |help: &str| refused(&format!("`{name}` in the URL of the state has no such value"), help);
        match name {
            "sslmode" => {
                self.mode = Some(match value {
                    "disable" => Mode::Disable,
                    "allow" | "prefer" => Mode::Prefer,
                    "require" => Mode::Require,
                    "verify-full" => Mode::VerifyFull,
                    "verify-ca" => {
                        return Err(wrong("write `sslmode=verify-full`, which also looks at the server's name"));
                    }
                    _ => return Err(wrong("write `disable`, `prefer`, `require` or `verify-full`")),
                });
            }
            "sslrootcert" => self.root = Some(value.to_owned()),
            "host" => value.clone_into(&mut self.host),
            "port" => self.port = value.parse().map_err(|_| wrong("write a number up to 65535"))?,
            "user" => value.clone_into(&mut self.user),
            "password" => self.password = Some(value.to_owned()),
            "dbname" => self.database = Some(value.to_owned()),
            "options" => {
                self.config.options(value);
            }
            "application_name" => {
                self.config.application_name(value);
            }
            "connect_timeout" => {
                let seconds: u64 = value.parse().map_err(|_| wrong("write whole seconds"))?;
                // As in libpq, 0 is no limit and fewer than 2 seconds are too few.
                self.config.connect_timeout(Duration::from_secs(if seconds == 0 { 3_600 } else { seconds.max(2) }));
            }
            "channel_binding" => {
                self.config.channel_binding(match value {
                    "disable" => ChannelBinding::Disable,
                    "prefer" => ChannelBinding::Prefer,
                    "require" => ChannelBinding::Require,
                    _ => return Err(wrong("write `disable`, `prefer` or `require`")),
                });
            }
            unknown if !is_parameter(unknown) => return Err(refused("the URL of the state cannot be read", SHAPE)),
            unknown => self.warnings.push(UrlWarning {
                message: format!("`{unknown}` in the URL of the state is not known and was left out"),
                help: "remove it; statements are made for poolers without being told".to_owned(),
            }),
        }
        Ok(())
    }

    fn finish(self) -> Result<ServerAddress, StateError> {
        let Self { host, port, user, password, database, mode, root, mut config, mut warnings } = self;
        if host.is_empty() || host == NO_HOST {
            return Err(refused("the URL of the state names no host", SHAPE));
        }
        if user.is_empty() {
            return Err(refused("the URL of the state names no user", SHAPE));
        }
        let socket = host.starts_with('/');
        let near = socket || is_loopback(&host);
        let mode = match (mode, &root) {
            (Some(mode), _) => mode,
            (None, Some(_)) => Mode::VerifyFull,
            (None, None) if near => Mode::Prefer,
            (None, None) => Mode::Require,
        };
        let proof = match mode {
            Mode::VerifyFull => ServerProof::Certificate(root.filter(|root| root != "system").map(PathBuf::from)),
            Mode::Disable | Mode::Prefer | Mode::Require => ServerProof::None,
        };
        if mode != Mode::VerifyFull && !near {
            let words = match mode {
                Mode::Disable => "the connection to the state is not encrypted",
                Mode::Prefer => "the connection to the state is not encrypted where the server offers no TLS",
                Mode::Require | Mode::VerifyFull => {
                    "the connection to the state is encrypted, but nobody looks at who answers"
                }
            };
            let help =
                "add `sslmode=verify-full&sslrootcert=FILE` to the URL, with the authority's certificate".to_owned();
            warnings.push(UrlWarning { message: words.to_owned(), help });
        }
        config.ssl_mode(match mode {
            _ if socket => SslMode::Disable,
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyFull => SslMode::Require,
        });
        let database = database.unwrap_or_else(|| user.clone());
        config.host(&host).port(port).user(&user).dbname(&database);
        if let Some(password) = password {
            config.password(password);
        }
        Ok(ServerAddress { config, proof, place: format!("{host}:{port}/{database}"), host, warnings })
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn refused(problem: &str, help: &str) -> StateError {
    StateError::Address { problem: problem.to_owned(), help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ServerAddress {
        ServerAddress::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_url_is_read_as_everybody_writes_it() {
        let address = parse(
            "postgresql://postgres.ref:p%40ss@Pooler.example.com:6543/app?sslmode=verify-full&sslrootcert=/ca.crt",
        );
        assert_eq!(address.config.get_user(), Some("postgres.ref"));
        assert_eq!(address.config.get_password(), Some(b"p@ss".as_slice()));
        assert_eq!(address.config.get_dbname(), Some("app"));
        assert_eq!(address.proof, ServerProof::Certificate(Some("/ca.crt".into())));
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        assert!(address.warnings.is_empty());
        let socket = parse("postgres://me@/app?host=/var/run/postgresql&port=5433");
        assert_eq!(
            (socket.place.as_str(), socket.config.get_ssl_mode()),
            ("/var/run/postgresql:5433/app", SslMode::Disable)
        );
        let sixth = parse("postgres://me@[::1]/app");
        assert_eq!((sixth.host.as_str(), sixth.config.get_ssl_mode()), ("::1", SslMode::Prefer));
        assert_eq!(parse("postgres://me@localhost").place, "localhost:5432/me");
    }

    #[test]
    fn encryption_is_asked_for_as_far_as_the_url_says_and_what_is_weak_is_told() {
        let told =
            |text: &str| parse(text).warnings.into_iter().map(|warning| warning.message).collect::<Vec<_>>().join("; ");
        for (rest, mode, proof, weak) in [
            ("h/d", SslMode::Require, ServerProof::None, "nobody looks at who answers"),
            ("h/d?sslmode=require", SslMode::Require, ServerProof::None, "nobody looks at who answers"),
            ("h/d?sslmode=prefer", SslMode::Prefer, ServerProof::None, "offers no TLS"),
            ("h/d?sslmode=disable", SslMode::Disable, ServerProof::None, "is not encrypted"),
            ("h/d?sslmode=verify-full", SslMode::Require, ServerProof::Certificate(None), ""),
            ("h/d?sslmode=verify-full&sslrootcert=system", SslMode::Require, ServerProof::Certificate(None), ""),
            ("h/d?sslrootcert=a.crt", SslMode::Require, ServerProof::Certificate(Some("a.crt".into())), ""),
            ("127.0.0.1/d", SslMode::Prefer, ServerProof::None, ""),
        ] {
            let url = format!("postgres://u:p@{rest}");
            let address = parse(&url);
            assert_eq!((address.config.get_ssl_mode(), &address.proof), (mode, &proof), "{url}");
            let told = told(&url);
            assert!(if weak.is_empty() { told.is_empty() } else { told.contains(weak) }, "{url}: {told}");
        }
        let told = told("postgres://u:p@localhost/d?pgbouncer=true&connection_limit=1");
        assert!(told.contains("`pgbouncer`") && told.contains("`connection_limit`"), "{told}");
    }

    #[test]
    fn a_url_that_cannot_be_read_is_told_without_its_text() {
        for wrong in [
            "postgres://user:secret#1@host/db",
            "postgres://user:secret/1@host/db",
            "postgres://user:se@secret/1@host/db",
            "postgres://user:se@secret?1@host/db",
            "postgres://user:secret@host:port/db",
            "postgres:///db",
            "postgres://host/db",
            "postgres://user:secret@host/db?sslmode=secret",
            "postgres://user:secret@host/db?port=secret",
        ] {
            let Err(StateError::Address { problem, help }) = ServerAddress::parse(wrong) else { panic!("{wrong}") };
            assert!(!problem.contains("secret") && !help.contains("secret"), "{wrong}: {problem}; {help}");
        }
    }
}
