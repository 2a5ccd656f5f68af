//! Manifests written for a table that is there: what its rows say, in the words of a manifest.
//!
//! A first manifest for people to go on from, so that it is short where rows agree. What the rows do not say and a manifest
//! needs is assumed, and marked. Reading table and storage is left to others.

use std::collections::BTreeMap;

use crate::asset::{CollectionName, Format, GeneratorName, KindSpec, Presence, TableName};
use crate::template::{Template, literal};

mod images;
mod yaml;

use images::images;
use yaml::{plain_or_quoted, quoted};

/// The fields of a recipe that a table may have a column of, in the order in which people read them.
pub const SKETCH_FIELDS: [&str; 10] = [
    "model",
    "prompt",
    "negative_prompt",
    "sampler",
    "scheduler",
    "steps",
    "guidance_scale",
    "seed",
    "width",
    "height",
];

/// What stands behind a value that no row says.
const ASSUMED: &str = "   # not in the table: assumed";
/// What stands behind a value that some rows do not say.
const ASSUMED_FOR_SOME: &str = "   # where a row does not say: assumed";

/// What a manifest is written from.
#[derive(Debug, Clone)]
pub struct Sketch {
    /// The collection.
    pub collection: CollectionName,
    /// The table.
    pub table: TableName,
    /// Its key columns.
    pub key: Vec<String>,
    /// Who is to make pictures from now on.
    pub generator: GeneratorName,
    /// Fields that this generator needs.
    pub needed: Vec<&'static str>,
    /// Columns that say where the picture lies, and whether by `url` or by `path`.
    pub pointers: Vec<(String, &'static str)>,
    /// The fields that the table has a column of.
    pub columns: Vec<SketchField>,
    /// The rows.
    pub rows: Vec<SketchRow>,
    /// The format of the files.
    pub format: Format,
    /// The folder of new files.
    pub folder: String,
    /// The size of a picture whose row does not say it, in pixels.
    pub size: (u32, u32),
}

/// A field that a column tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SketchField {
    /// The recipe's field.
    pub field: &'static str,
    /// The column's name, as the table has it.
    pub column: String,
}

/// One row.
#[derive(Debug, Clone)]
pub struct SketchRow {
    /// The values of the key columns.
    pub labels: Vec<String>,
    /// What it says, as a manifest writes it.
    pub fields: BTreeMap<&'static str, String>,
}

/// Returns a text of a row as a manifest writes it; `None` where no manifest can say it.
pub fn sketch_text(field: &str, text: &str) -> Option<String> {
    if !matches!(field, "prompt" | "negative_prompt") {
        return Some(quoted(text));
    }
    let template = literal(text);
    let rendered = Template::parse(&template).ok()?.render_with(&BTreeMap::new()).ok()?;
    // A line end at the end of a template is dropped, and prompts are trimmed anyway.
    (rendered.trim_end() == text.trim_end()).then(|| quoted(&template))
}

/// Returns the fields that a kind needs beside prompt and size.
pub fn needed_fields(kind: &KindSpec) -> Vec<&'static str> {
    let model = kind.model.map(|_| "model");
    let own = kind.fields.iter().filter(|spec| spec.presence == Presence::Required).map(|spec| spec.name);
    model.into_iter().chain(own).collect()
}

/// Writes the manifest.
pub fn write(sketch: &Sketch) -> String {
    let Sketch { collection, table, key, generator, rows, .. } = sketch;
    let count = match rows.len() {
        1 => "1 row".to_owned(),
        count => format!("{count} rows"),
    };
    let defaults = defaults(sketch);
    let mut text = format!(
        "# Written by `pixform import --write` from {count} of the table {}.\nversion: 1\ncollection: {collection}\nkey: [{}]\n\ndefaults:\n  generator: {generator}\n",
        comment(&table.to_string()),
        key.join(", ")
    );
    for (field, (value, remark)) in &defaults {
        text.push_str(&format!("  {field}: {value}{remark}\n"));
    }
    text.push_str("\nimages:\n");
    text.push_str(&images(key, rows));
    text.push_str(&cells(sketch, &defaults));
    text.push_str(&published(sketch));
    text
}

/// What all rows have in common, and what has to be there for those that do not say it.
type Defaults = Vec<(&'static str, (String, &'static str))>;

fn defaults(sketch: &Sketch) -> Defaults {
    let mut defaults = Defaults::new();
    for field in SKETCH_FIELDS {
        let said: Vec<&String> = sketch.rows.iter().filter_map(|row| row.fields.get(field)).collect();
        let all = said.len() == sketch.rows.len();
        let alike = said.windows(2).all(|pair| pair[0] == pair[1]);
        let needed = sketch.needed.contains(&field) || matches!(field, "width" | "height");
        let value = match field {
            "seed" => Some(("derived".to_owned(), "")),
            "prompt" if all => None,
            "prompt" => Some((assumed_prompt(&sketch.key), if said.is_empty() { ASSUMED } else { ASSUMED_FOR_SOME })),
            _ if all && alike => said.first().map(|value| ((*value).clone(), "")),
            _ if all || !needed => None,
            _ => match most_common(&said) {
                Some(value) => Some((value, ASSUMED_FOR_SOME)),
                None => Some((assumed(field, sketch.size), ASSUMED)),
            },
        };
        defaults.extend(value.map(|value| (field, value)));
    }
    defaults
}

fn most_common(said: &[&String]) -> Option<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for value in said {
        *counts.entry(value).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(value, _)| value.clone())
}

/// A prompt for rows that have none: their labels.
fn assumed_prompt(key: &[String]) -> String {
    let names: Vec<String> = key.iter().map(|name| format!("{{{{ {name} }}}}")).collect();
    quoted(&names.join(" "))
}

fn assumed(field: &str, (width, height): (u32, u32)) -> String {
    match field {
        "model" => "sd_xl_base_1.0.safetensors".to_owned(),
        "sampler" => "DPM++ 2M Karras".to_owned(),
        "scheduler" => "karras".to_owned(),
        "steps" => "30".to_owned(),
        "guidance_scale" => "7.5".to_owned(),
        "width" => width.to_string(),
        _ => height.to_string(),
    }
}

/// One cell a row: its prompt and seed, and whatever else is not what all rows have.
fn cells(sketch: &Sketch, defaults: &Defaults) -> String {
    let mut text = String::new();
    for SketchRow { labels, fields } in &sketch.rows {
        let default = |field: &str| defaults.iter().find(|(name, _)| *name == field).map(|(_, (value, _))| value);
        let own = SKETCH_FIELDS.into_iter().filter_map(|field| Some((field, fields.get(field)?)));
        let own = own.filter(|(field, value)| matches!(*field, "prompt" | "seed") || default(field) != Some(value));
        let own: Vec<String> = own.map(|(field, value)| format!("{field}: {value}")).collect();
        if !own.is_empty() {
            text.push_str(&format!("  {}: {{ with: {{ {} }} }}\n", quoted(&labels.join("/")), own.join(", ")));
        }
    }
    match text.is_empty() {
        true => text,
        false => format!("\ncells:\n{text}"),
    }
}

fn published(sketch: &Sketch) -> String {
    let Sketch { key, format, folder, table, pointers, columns, .. } = sketch;
    let names: Vec<String> = key.iter().map(|name| format!("{{{{ {name} }}}}")).collect();
    let path = format!("{folder}/{}-{{{{ digest }}}}.{{{{ ext }}}}", names.join("-"));
    let mut text = format!(
        "\nrenditions:\n  main: {{ format: {}, path: {} }}\n\npublish:\n  table: {}\n  columns:\n",
        format.name(),
        quoted(&path),
        plain_or_quoted(&table.to_string())
    );
    for (column, kind) in pointers {
        text.push_str(&format!("    {}: \"{{{{ {kind} }}}}\"\n", plain_or_quoted(column)));
    }
    for SketchField { field, column } in columns {
        text.push_str(&format!("    {}: \"{{{{ {field} }}}}\"\n", plain_or_quoted(column)));
    }
    text
}

/// Returns a text as it may stand in a comment.
fn comment(text: &str) -> String {
    let shown: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    format!("`{shown}`")
}
