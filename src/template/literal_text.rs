//! Text that is meant as it stands, written so that a template says exactly that.
//!
//! A brace that would begin something is put into a text of the language: `{{ '{{' }}`.

/// What begins a text that is meant as it stands.
const OPEN: &str = "{{ '";
/// What ends it.
const CLOSE: &str = "' }}";

/// Returns a template that renders to exactly this text.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        let braces = rest[at..].bytes().take_while(|byte| *byte == b'{').count();
        let sign = rest[at + braces..].starts_with(['%', '#']);
        let length = braces + usize::from(sign);
        let run = &rest[at..at + length];
        match braces > 1 || sign {
            true => out.extend([OPEN, run, CLOSE]),
            false => out.push_str(run),
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

/// Counts the `{{` that a template says on purpose.
pub fn meant_braces(source: &str) -> usize {
    let texts = source.split(OPEN).skip(1).filter_map(|rest| rest.split_once(CLOSE));
    texts.map(|(text, _)| text.matches("{{").count()).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::Template;
    use super::*;

    #[test]
    fn braces_that_begin_something_are_escaped() {
        for (text, template) in [
            ("plain { text }", "plain { text }"),
            ("a {{ b }}", "a {{ '{{' }} b }}"),
            ("{%{#{", "{{ '{%' }}{{ '{#' }}{"),
            ("{{{{", "{{ '{{{{' }}"),
        ] {
            assert_eq!(literal(text), template);
            assert_eq!(meant_braces(template), text.matches("{{").count());
        }
    }

    proptest! {
        #[test]
        fn a_literal_renders_to_its_text(text in "[{}%#' a\"\\\\|é-]{0,20}") {
            let template = Template::parse(&literal(&text)).unwrap();
            prop_assert_eq!(template.render_with(&BTreeMap::new()).unwrap(), text);
        }
    }
}
