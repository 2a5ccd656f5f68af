//! Addresses that were copied from the wrong place: each is told as what it is, with the one that was meant.
//!
//! Only what is certain without asking anybody; what an address answers is left to the adapters.

use url::Url;

use super::endpoint::trimmed;

/// The path of the Storage API behind the gateway of a Supabase project.
const STORAGE: &str = "/storage/v1";
/// The path of its S3 protocol.
const STORAGE_S3: &str = "/storage/v1/s3";
/// Where people look at their projects.
const DASHBOARDS: [&str; 4] = ["supabase.com", "www.supabase.com", "app.supabase.com", "app.supabase.io"];
/// How the hosts of hosted projects end.
const HOSTED: [&str; 2] = [".supabase.co", ".supabase.in"];

/// What is spoken at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// Supabase's own.
    Supabase,
    /// The protocol of S3.
    S3,
}

/// An address that is another one than was meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistaken {
    /// What it is, to stand behind its name.
    pub what: String,
    /// What to write.
    pub help: String,
}

/// Looks at an endpoint.
pub(super) fn endpoint(url: &Url, api: Api) -> Option<Mistaken> {
    let host = url.host_str().unwrap_or_default();
    let (path, meant) = (url.path().trim_end_matches('/'), path_of(api));
    if let Some(mistaken) = host_of(host, path) {
        return Some(Mistaken {
            help: format!("write `endpoint: https://{}{meant}`", mistaken.project),
            what: mistaken.what,
        });
    }
    let hosted = HOSTED.iter().any(|end| host.ends_with(end));
    let root = format!("{}://{}", if hosted { "https" } else { url.scheme() }, authority(url));
    let help = format!("write `endpoint: {root}{meant}`");
    if hosted && url.scheme() == "http" {
        return Some(Mistaken {
            what: "begins with `http:`, so that the key would be sent for all to read".to_owned(),
            help,
        });
    }
    if path == meant {
        return None;
    }
    let names_storage = path.contains(STORAGE);
    match api {
        Api::Supabase if path.ends_with("/s3") && names_storage => Some(Mistaken {
            what: "is the address of the S3 protocol, and the URL begins with `supabase:`".to_owned(),
            help: format!("{help}, or use the S3 protocol: `url: s3://BUCKET/PREFIX`"),
        }),
        Api::S3 if path == STORAGE => Some(Mistaken {
            what: "is that of Supabase's own API: it lacks `/s3`, where the S3 protocol is spoken".to_owned(),
            help,
        }),
        _ if names_storage => Some(Mistaken { what: format!("has the path `{path}`"), help }),
        _ if hosted => Some(Mistaken { what: format!("lacks `{meant}`"), help }),
        _ => None,
    }
}

/// Looks at the host, bucket and prefix of a `supabase:` URL.
pub(super) fn supabase_url(host: &str, bucket: &str, prefix: &str) -> Option<Mistaken> {
    let inside = format!("/{bucket}/{prefix}");
    if let Some(mistaken) = host_of(host, &inside) {
        return Some(Mistaken {
            help: format!("write `url: supabase://{}/BUCKET/PREFIX`", mistaken.project),
            what: mistaken.what,
        });
    }
    inside.starts_with(&format!("{STORAGE}/")).then(|| Mistaken {
        what: format!("names the path `{STORAGE}`, which is left out there"),
        help: format!("write `url: supabase://{host}/BUCKET/PREFIX`"),
    })
}

/// Returns what to try where an address answers, and knows nothing of the API.
pub(super) fn unknown_there(base: &Url, api: Api) -> Mistaken {
    let (path, meant) = (base.path().trim_end_matches('/'), path_of(api));
    let (what, lacking) = match api {
        Api::Supabase => ("answers 404 to the Storage API: it is spoken elsewhere", "does `endpoint` lack"),
        Api::S3 => (
            "answers 404, and not as a store does: S3 is spoken elsewhere",
            "check host, port and path of `endpoint`; if Supabase is there, does it lack",
        ),
    };
    let help = match path.ends_with(meant) {
        true => "check host and port of `endpoint` and of the URL".to_owned(),
        false => format!("{lacking} `{meant}`? Then write `endpoint: {}{meant}`", trimmed(base)),
    };
    Mistaken { what: what.to_owned(), help }
}

fn path_of(api: Api) -> &'static str {
    match api {
        Api::Supabase => STORAGE,
        Api::S3 => STORAGE_S3,
    }
}

/// Host and port.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A host where no Storage is, and the host of the project as far as it can be told.
struct OtherHost {
    what: String,
    project: String,
}

fn host_of(host: &str, path: &str) -> Option<OtherHost> {
    if DASHBOARDS.contains(&host) {
        let mut segments = path.split('/').skip_while(|segment| *segment != "project").skip(1);
        let named = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let project = segments.next().filter(named).unwrap_or("PROJECT");
        return Some(OtherHost {
            what: "is the address of the dashboard, which people look at".to_owned(),
            project: format!("{project}.supabase.co"),
        });
    }
    let database = |project: String| OtherHost {
        what: "is the host of the database, which belongs into `state`".to_owned(),
        project,
    };
    if host.ends_with(".pooler.supabase.com") {
        return Some(database("PROJECT.supabase.co".to_owned()));
    }
    let project = host.strip_prefix("db.").filter(|rest| HOSTED.iter().any(|end| rest.ends_with(end)))?;
    Some(database(project.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_from_the_wrong_place_is_told_with_the_one_that_was_meant() {
        for (address, api, meant) in [
            ("https://x.supabase.co", Api::Supabase, "https://x.supabase.co/storage/v1"),
            ("https://x.supabase.co/", Api::S3, "https://x.supabase.co/storage/v1/s3"),
            ("http://x.supabase.co/storage/v1", Api::Supabase, "https://x.supabase.co/storage/v1"),
            ("https://x.supabase.co/rest/v1", Api::Supabase, "https://x.supabase.co/storage/v1"),
            ("https://x.supabase.co/storage/v1/s3", Api::Supabase, "https://x.supabase.co/storage/v1`, or"),
            ("https://x.supabase.co/storage/v1", Api::S3, "https://x.supabase.co/storage/v1/s3"),
            ("https://x.storage.supabase.co", Api::S3, "https://x.storage.supabase.co/storage/v1/s3"),
            ("http://127.0.0.1:54321/storage/v1", Api::S3, "http://127.0.0.1:54321/storage/v1/s3"),
            ("http://127.0.0.1:54321/storage/v1/s3", Api::Supabase, "http://127.0.0.1:54321/storage/v1`, or"),
            ("http://127.0.0.1:54321/storage/v1/s3/storage/v1/s3", Api::S3, "http://127.0.0.1:54321/storage/v1/s3"),
            ("http://127.0.0.1:54321/storage/v1/storage/v1", Api::Supabase, "http://127.0.0.1:54321/storage/v1"),
            ("https://supabase.com/dashboard/project/abc/storage", Api::Supabase, "https://abc.supabase.co/storage/v1"),
            ("https://app.supabase.com/project/abc", Api::S3, "https://abc.supabase.co/storage/v1/s3"),
            ("https://db.x.supabase.co:5432", Api::Supabase, "https://x.supabase.co/storage/v1"),
            ("https://aws-0-eu.pooler.supabase.com", Api::S3, "https://PROJECT.supabase.co/storage/v1/s3"),
        ] {
            let told = endpoint(&Url::parse(address).unwrap(), api).unwrap_or_else(|| panic!("{address} is fine"));
            assert!(told.help.starts_with(&format!("write `endpoint: {meant}")), "{address}: {told:?}");
        }
        for (address, api) in [
            ("https://x.supabase.co/storage/v1", Api::Supabase),
            ("https://x.supabase.co/storage/v1/", Api::Supabase),
            ("https://x.storage.supabase.co/storage/v1/s3", Api::S3),
            ("http://127.0.0.1:5000", Api::Supabase),
            ("http://127.0.0.1:5000/s3", Api::S3),
            ("https://minio.example.com", Api::S3),
            ("http://minio:9000", Api::S3),
        ] {
            assert_eq!(endpoint(&Url::parse(address).unwrap(), api), None, "{address}");
        }
    }

    #[test]
    fn a_url_from_the_wrong_place_is_told_with_the_one_that_was_meant() {
        for (host, bucket, prefix, meant) in [
            ("supabase.com", "dashboard", "project/abc/storage", "supabase://abc.supabase.co/BUCKET"),
            ("db.x.supabase.co", "pictures", "", "supabase://x.supabase.co/BUCKET"),
            ("x.supabase.co", "storage", "v1/object/public/pictures", "supabase://x.supabase.co/BUCKET"),
        ] {
            let told = supabase_url(host, bucket, prefix).unwrap();
            assert!(told.help.contains(meant), "{told:?}");
        }
        assert_eq!(supabase_url("x.supabase.co", "storage", "shop"), None);
    }

    #[test]
    fn what_answers_and_is_no_storage_is_told_what_may_lack() {
        let told = |base: &str, api| unknown_there(&Url::parse(base).unwrap(), api).help;
        assert!(
            told("http://127.0.0.1:54321", Api::Supabase).ends_with("`endpoint: http://127.0.0.1:54321/storage/v1`")
        );
        assert!(told("http://127.0.0.1:54321/", Api::S3).ends_with("`endpoint: http://127.0.0.1:54321/storage/v1/s3`"));
        assert!(told("http://127.0.0.1:54321/storage/v1", Api::Supabase).starts_with("check host and port"));
    }
}
