//! Names of settings and variables that hold secrets.

/// Words of which the name of a secret setting or variable is made.
const SECRET_WORDS: [&str; 19] = [
    "key",
    "apikey",
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "pass",
    "pgpassword",
    "sslpassword",
    "pwd",
    "credential",
    "credentials",
    "auth",
    "authorization",
    "cookie",
    "signature",
    "sig",
    "dsn",
];

/// Tells whether a setting or variable of this name holds a secret: `api_key`, `AWS_SECRET_ACCESS_KEY`, `X-Amz-Signature`.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = |end: &str| name.ends_with(end);
    name.split(['_', '-', '.']).any(|word| SECRET_WORDS.contains(&word))
        || ["key", "token", "secret", "password"].into_iter().any(ends)
}
