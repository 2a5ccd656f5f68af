//! What may be told of a URL that nobody knows: its scheme, where that is a scheme for certain.
//!
//! `hunter2:5432` has a scheme by the letter, and a text without a colon may be the password itself.

/// Schemes that people write where another one is wanted.
const SCHEMES: [&str; 23] = [
    "az",
    "azure",
    "file",
    "ftp",
    "gcs",
    "gs",
    "http",
    "https",
    "jdbc",
    "libsql",
    "mariadb",
    "minio",
    "mongodb",
    "mssql",
    "mysql",
    "postgres",
    "postgresql",
    "r2",
    "redis",
    "s3",
    "sftp",
    "sqlite",
    "supabase",
];

/// Returns the scheme of a URL, where it is one that people use.
pub fn known_scheme(url: &str) -> Option<&'static str> {
    let (scheme, _) = url.split_once(':')?;
    SCHEMES.into_iter().find(|known| scheme.eq_ignore_ascii_case(known))
}

/// Says that a URL is none of those that are known, without a letter of it that may be secret.
pub fn unknown_scheme(what: &str, scheme: Option<&str>) -> String {
    match scheme {
        Some(scheme) => format!("`{scheme}` is no {what} that pixform knows"),
        None => format!("the value of `{what}` is no URL that pixform knows"),
    }
}
