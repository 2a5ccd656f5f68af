//! Listings as S3 writes them, before `object_store` reads them.
//!
//! A bucket may hold other people's files, under names that no file of ours can have. `object_store` gives up a whole
//! listing for a name such as `a//b`; so these are taken out before it sees them.

use bytes::Bytes;

const BEGIN: &str = "<Contents>";
const END: &str = "</Contents>";

/// Takes the entries out of a page of a listing whose keys no path can have.
pub(super) fn without_strange_keys(page: Bytes) -> Bytes {
    let Ok(text) = std::str::from_utf8(&page) else { return page };
    if !entries(text).any(is_strange) {
        return page;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(BEGIN) {
        let Some((entry, after)) = behind.split_once(END) else { break };
        out.push_str(before);
        if !is_strange(entry) {
            out.extend([BEGIN, entry, END]);
        }
        rest = after;
    }
    out.push_str(rest);
    out.into()
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(BEGIN).skip(1).filter_map(|rest| rest.split_once(END).map(|(entry, _)| entry))
}

fn is_strange(entry: &str) -> bool {
    let key = entry.split_once("<Key>").and_then(|(_, rest)| rest.split_once("</Key>")).map_or("", |(key, _)| key);
    // A folder of its own is named with a slash at its end; `object_store` takes that off.
    let key = key.strip_suffix('/').unwrap_or(key);
    key.contains("&#")
        || key.chars().any(char::is_control)
        || key.split('/').any(|part| matches!(part, "" | "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_keys_are_taken_out_and_nothing_else() {
        let page = |keys: &[&str]| {
            let entries = keys.iter().map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>"));
            format!("<List>{}<Token>t</Token></List>", entries.collect::<String>())
        };
        let kept = |keys: &[&str]| String::from_utf8(without_strange_keys(page(keys).into()).to_vec()).unwrap();
        let legal = ["a/b.png", "a/70+ &amp; b", "a/", "ü"];
        assert_eq!(kept(&legal), page(&legal));
        assert_eq!(kept(&["a//b", "x", "/y", "a/../b", ".", "a&#x1;b", "z", "b//"]), page(&["x", "z"]));
    }
}
