//! The forms in which a secret may be repeated: as it is, escaped, in hex, or somewhere inside of Base64.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Returns a secret as it is and in each form that is looked for, in lower case.
pub fn forms(secret: &str) -> Vec<String> {
    let percent = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let lenient = |text: &str| percent(text).replace("%2D", "-").replace("%5F", "_").replace("%2E", ".");
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let mut forms = vec![
        secret.to_owned(),
        percent_decode_str(secret).decode_utf8_lossy().into_owned(),
        percent(secret),
        lenient(secret),
        lenient(&lenient(secret)),
        json.replace('/', "\\/"),
        json.replace('\\', "\\\\"),
        json,
        secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"),
        hex::encode(secret),
    ];
    for shift in 0..3 {
        forms.push(inside_base64(&STANDARD_NO_PAD, secret, shift));
        forms.push(inside_base64(&URL_SAFE_NO_PAD, secret, shift));
    }
    forms.iter_mut().for_each(|form| form.make_ascii_lowercase());
    forms.sort();
    forms.dedup();
    forms
}

/// Returns the letters that a text has in Base64 whatever stands around it, `shift` bytes behind a group's beginning: that
/// of `user:password` holds that of the password so.
fn inside_base64(engine: &impl base64::Engine, text: &str, shift: usize) -> String {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(text.as_bytes());
    let encoded = engine.encode(&bytes);
    let (before, behind) = ([0, 2, 3][shift], usize::from(!bytes.len().is_multiple_of(3)));
    encoded.get(before..encoded.len() - behind).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_secret_is_found_wherever_it_stands_in_base64() {
        let secret = "sb_secret_0123456789";
        let forms = forms(secret);
        for before in ["", "u", "us", "user", "Bearer ", "{\"key\":\""] {
            for behind in ["", "\"", "\"}", " and more"] {
                let encoded = STANDARD.encode(format!("{before}{secret}{behind}")).to_ascii_lowercase();
                assert!(forms.iter().any(|form| encoded.contains(form.as_str())), "{before}…{behind}");
            }
        }
    }

    #[test]
    fn a_secret_is_known_escaped() {
        let forms = forms("p/w\"d&%20x");
        for form in ["p%2fw%22d%26%2520x", "p/w\\\"d&%20x", "p\\/w\\\"d&%20x", "p/w&quot;d&amp;%20x", "p/w\"d& x"] {
            assert!(forms.iter().any(|known| known == form), "{form}: {forms:?}");
        }
    }
}
