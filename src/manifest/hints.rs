//! What to do about mistakes of manifests, in words.

use crate::asset::{Complaint, is_identifier};
use crate::template::TemplateError;
use crate::yaml::nearest;

/// What to do about a template that cannot be used.
pub fn template_help(error: &TemplateError) -> String {
    match error {
        TemplateError::Undefined(_) => "declare it under `vars`, or as an axis".to_owned(),
        TemplateError::Syntax(_) | TemplateError::Rendering(_) => {
            "write `{{ name }}` for a label or var, `{{ name | lower }}` for a filter, `{% if name == 'x' %}…{% endif %}` for a condition".to_owned()
        }
    }
}

/// What to do about a name that nothing defines.
pub fn undefined_help<'k>(name: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if name.contains('.') => {
            "only renditions have parts, as in `main.url` or `thumb.path`: declare the rendition, or check its name"
                .to_owned()
        }
        None if !is_identifier(name) => "a name is letters, digits and `_`, a letter first".to_owned(),
        None => {
            let names: Vec<String> = known.into_iter().take(20).map(|name| format!("`{name}`")).collect();
            format!("declare it under `vars`; known here are {}", names.join(", "))
        }
    }
}

/// What to do about a value that an axis does not have.
pub fn value_help<'k>(value: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    match nearest(value, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => {
            let values: Vec<String> = known.into_iter().take(20).map(|value| format!("`{value}`")).collect();
            format!("it has {}", values.join(", "))
        }
    }
}

/// Words for a complaint of a generator.
pub fn complaint_words(complaint: &Complaint) -> (String, String) {
    let help = complaint.help.clone().unwrap_or_else(|| format!("change `{}`", complaint.field));
    (format!("`{}` {}", complaint.field, complaint.message), help)
}
