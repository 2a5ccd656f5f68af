//! Kinds of generators as people and programs read them: what their tables say of fields, sizes, seeds and options.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::asset::{
    Citation, Cost, FieldSpec, FieldType, KindSpec, NegativePrompt, OptionSpec, OptionType, Presence, Recipe, Seeds,
    SizeRule,
};

/// Lists kinds, a line each.
pub fn kinds_text(kinds: &[&KindSpec]) -> String {
    let width = kinds.iter().map(|kind| kind.name.len()).max().unwrap_or_default();
    let line = |kind: &&KindSpec| {
        let fields: Vec<&str> = kind.fields.iter().map(|spec| spec.name).collect();
        format!("{:<width$}  {}  {}; {}\n", kind.name, cost(kind.cost), size(&kind.sizes), fields.join(", "))
    };
    kinds.iter().map(line).collect()
}

/// Describes one kind: every field with its range, sizes, seeds, options, and where that is told.
pub fn kind_text(kind: &KindSpec) -> String {
    let mut text = format!("{}: {}, {}\n", kind.name, kind.title, cost(kind.cost));
    let core = core_fields(kind);
    text.push_str(&format!("\nFields, beside {}:\n", core.join(", ")));
    field_lines(kind.fields, "  ", &mut text);
    text.push('\n');
    let prompt = match kind.prompt_chars_max {
        usize::MAX => "as long as it is wanted".to_owned(),
        most => format!("at most {most} characters"),
    };
    let model = match kind.model {
        Some(_) => "must be set",
        None => "may be left out",
    };
    let pace = &kind.pace;
    let minute = pace.images_per_minute.map_or_else(String::new, |images| format!(", {images} a minute"));
    for (name, words) in [
        ("size", size(&kind.sizes)),
        ("seed", seed(kind.seeds)),
        ("prompt", prompt),
        ("model", model.to_owned()),
        ("pace", format!("{} at once{minute}", pace.concurrency)),
        ("pixform.yaml", kind.option_names().join(", ")),
    ] {
        text.push_str(&format!("  {name:<14} {words}\n"));
    }
    if !kind.options.is_empty() {
        text.push_str("\nOptions of its own in pixform.yaml:\n");
    }
    for OptionSpec { name, holds, help, example: _ } in kind.options {
        text.push_str(&format!("  {name:<24} {help} ({})\n", option(*holds)));
    }
    let mut sources = BTreeSet::new();
    citations(kind.fields, &mut sources);
    if !sources.is_empty() {
        text.push_str("\nSources:\n");
    }
    for (url, read) in sources {
        text.push_str(&format!("  {url}, read {read}\n"));
    }
    text
}

/// Returns a kind as programs read it.
pub fn kind_json(kind: &KindSpec) -> Value {
    let most = match kind.seeds {
        Seeds::None => None,
        Seeds::UpTo(most) => Some(most.to_string()),
    };
    let size = match &kind.sizes {
        SizeRule::Exact(sides) => json!({ "rule": "exact", "min": sides.start(), "max": sides.end() }),
    };
    json!({
        "type": "generator_kind",
        "kind": kind.name,
        "title": kind.title,
        "cost": cost(kind.cost),
        "core_fields": core_fields(kind),
        "fields": kind.fields.iter().map(field_json).collect::<Vec<_>>(),
        "model_required": kind.model.is_some(),
        "prompt_chars_max": (kind.prompt_chars_max != usize::MAX).then_some(kind.prompt_chars_max),
        "seed_max": most,
        "size": size,
        "concurrency": kind.pace.concurrency,
        "images_per_minute": kind.pace.images_per_minute,
        "options": kind.option_names(),
    })
}

/// Returns the names that every recipe may have, without those that this kind lacks.
fn core_fields(kind: &KindSpec) -> Vec<&'static str> {
    let lacking = match kind.negative_prompt {
        NegativePrompt::Taken => "",
        NegativePrompt::Lacking => "negative_prompt",
    };
    Recipe::CORE_FIELDS.into_iter().filter(|name| *name != lacking).collect()
}

fn cost(cost: Cost) -> &'static str {
    match cost {
        Cost::Free => "free",
        Cost::Paid => "paid",
    }
}

fn size(sizes: &SizeRule) -> String {
    match sizes {
        SizeRule::Exact(sides) => format!("width and height from {} to {}", sides.start(), sides.end()),
    }
}

fn seed(seeds: Seeds) -> String {
    match seeds {
        Seeds::None => "none is taken".to_owned(),
        Seeds::UpTo(most) => format!("0 to {most}"),
    }
}

fn field_lines(fields: &[FieldSpec], margin: &str, text: &mut String) {
    let width = fields.iter().map(|spec| spec.name.len()).max().unwrap_or_default();
    for spec in fields {
        let FieldSpec { name, holds, presence, help, example, source: _ } = spec;
        let required = match presence {
            Presence::Required => ", required",
            Presence::Optional => "",
        };
        text.push_str(&format!("{margin}{name:<width$}  {help} ({}{required})\n", holding(*holds)));
        if !holds.parts().is_empty() {
            field_lines(holds.parts(), &format!("{margin}    "), text);
            text.push_str(&format!("{margin}    as in `{name}: {example}`\n"));
        }
    }
}

/// Says what a field holds, with its range.
fn holding(holds: FieldType) -> String {
    match holds {
        FieldType::Text => "text".to_owned(),
        FieldType::Count { least, most: u32::MAX } => format!("whole number from {least} on"),
        FieldType::Count { least, most } => format!("whole number from {least} to {most}"),
        FieldType::Number { least: f64::MIN, most: f64::MAX } => "number".to_owned(),
        FieldType::Number { least, most: f64::MAX } => format!("number from {least} on"),
        FieldType::Number { least, most } => format!("number from {least} to {most}"),
        FieldType::Flag => "true or false".to_owned(),
        FieldType::Choice { names, .. } => format!("one of `{}`", names.join("`, `")),
        FieldType::Object(_) => "a map".to_owned(),
        FieldType::List { most, .. } => format!("a list of at most {most} maps"),
    }
}

fn option(holds: OptionType) -> String {
    match holds {
        OptionType::Text => "text".to_owned(),
        OptionType::Path => "a path".to_owned(),
        OptionType::Flag => "true or false".to_owned(),
        OptionType::Count { least, most } => format!("{least} to {most}"),
        OptionType::Number { least, most } => format!("{least} to {most}"),
        OptionType::Choice(names) => names.join(", "),
        OptionType::Money => "US dollars".to_owned(),
    }
}

fn field_json(spec: &FieldSpec) -> Value {
    let FieldSpec { name, holds, presence, help, example, source } = spec;
    let parts = |parts: &[FieldSpec]| parts.iter().map(field_json).collect::<Vec<_>>();
    let mut field = match holds {
        FieldType::Text => json!({ "holds": "text" }),
        FieldType::Count { least, most } => {
            json!({ "holds": "count", "min": least, "max": (*most != u32::MAX).then_some(most) })
        }
        FieldType::Number { least, most } => json!({
            "holds": "number",
            "min": (*least > f64::MIN).then_some(least),
            "max": (*most < f64::MAX).then_some(most),
        }),
        FieldType::Flag => json!({ "holds": "flag" }),
        FieldType::Choice { names, .. } => json!({ "holds": "choice", "names": names }),
        FieldType::Object(inner) => json!({ "holds": "object", "parts": parts(inner) }),
        FieldType::List { parts: inner, most } => {
            json!({ "holds": "list", "entries_max": most, "parts": parts(inner) })
        }
    };
    let rest = Map::from_iter([
        ("name".to_owned(), json!(name)),
        ("required".to_owned(), json!(*presence == Presence::Required)),
        ("help".to_owned(), json!(help)),
        ("example".to_owned(), json!(example)),
        ("source".to_owned(), json!(source.map(|Citation { url, read }| json!({ "url": url, "read": read })))),
    ]);
    if let Value::Object(field) = &mut field {
        field.extend(rest);
    }
    field
}

/// Collects the pages at which limits are told.
fn citations<'s>(fields: &'s [FieldSpec], sources: &mut BTreeSet<(&'s str, &'s str)>) {
    for spec in fields {
        sources.extend(spec.source.map(|Citation { url, read }| (url, read)));
        citations(spec.holds.parts(), sources);
    }
}
