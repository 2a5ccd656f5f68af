//! What a table that nobody declared says of pictures: where they lie, and how they were made.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::Value;

use crate::asset::{AssetKey, ObjectPath, Seed, is_column_name, is_label_value};
use crate::manifest::{COUNT_MAX, RESERVED_FOR_COLUMNS, SKETCH_FIELDS, SketchField, SketchRow, sketch_text};
use crate::state::Survey;
use crate::world::{ListedFolders, Listing, World};

use super::Failure;

/// Where the pictures of a table's rows lie.
pub struct PicturedRows {
    /// The columns that say so, and whether by `url` or by `path`.
    pub pointers: Vec<(String, &'static str)>,
    /// For each row the file that is there.
    pub files: Vec<Option<ObjectPath>>,
    /// For each row why there is none.
    pub missing: Vec<&'static str>,
}

/// A row that is not declared.
pub struct Skipped {
    /// Its key, as far as it has one.
    pub key: String,
    /// Why.
    pub why: &'static str,
}

/// What one column says of where pictures lie.
struct PointerColumn {
    at: usize,
    kind: &'static str,
    paths: Vec<Option<ObjectPath>>,
}

/// Finds the columns that name files of the storage: the one that names most, then most bytes; `None` where none does.
pub async fn pictured(world: &World, survey: &Survey, key: &[String]) -> Result<Option<PicturedRows>, Failure> {
    let columns = columns(survey, key, &world.url_base);
    let paths: BTreeSet<ObjectPath> =
        columns.iter().flat_map(|column| column.paths.iter().flatten()).cloned().collect();
    let sizes = world.locate(&paths, &Listing::default(), &mut ListedFolders::default()).await?;
    let size = |path: &ObjectPath| sizes.get(path).copied().flatten().filter(|bytes| *bytes > 0);
    let there = |column: &PointerColumn| {
        let found = column.paths.iter().flatten().filter_map(size);
        found.fold((0_usize, 0_u64), |(count, bytes), found| (count + 1, bytes.saturating_add(found)))
    };
    // Of equals the first column: `max_by_key` takes the last.
    let Some(main) = columns.iter().rev().max_by_key(|column| there(column)).filter(|main| there(main).0 > 0) else {
        return Ok(None);
    };
    let mut pointers = Vec::new();
    for column in &columns {
        let taken = pointers.iter().any(|(name, _)| *name == survey.columns[column.at].name);
        if column.paths == main.paths && !taken {
            pointers.push((survey.columns[column.at].name.clone(), column.kind));
        }
    }
    let files = main.paths.iter().map(|path| path.clone().filter(|path| size(path).is_some())).collect();
    let missing = survey.rows.iter().zip(&main.paths).map(|(row, path)| match (&row[main.at], path) {
        (_, Some(_)) => "because their file is not in the storage",
        (Value::Null, None) => "because they name no picture",
        (Value::String(text), None) if text.trim().is_empty() => "because they name no picture",
        (_, None) => "because their picture lies outside of the storage, or under a path that is not legal",
    });
    let missing = missing.collect();
    Ok(Some(PicturedRows { pointers, files, missing }))
}

fn columns(survey: &Survey, key: &[String], url_base: &str) -> Vec<PointerColumn> {
    let mut columns = Vec::new();
    for (at, column) in survey.columns.iter().enumerate() {
        let own = RESERVED_FOR_COLUMNS.contains(&column.name.as_str());
        if own || field_of(&column.name).is_some() || key.contains(&column.name) || !is_column_name(&column.name) {
            continue;
        }
        for (kind, base) in [("url", url_base), ("path", "")] {
            let path = |row: &Vec<Value>| {
                let path = ObjectPath::of_url(row[at].as_str()?, base)?;
                Some(path).filter(|path| !path.is_original())
            };
            let paths: Vec<Option<ObjectPath>> = survey.rows.iter().map(path).collect();
            if paths.iter().any(Option::is_some) {
                columns.push(PointerColumn { at, kind, paths });
            }
        }
    }
    columns
}

/// Returns the rows that can be declared, the fields that the table tells, and the rows that cannot.
pub fn sketch_rows(
    survey: &Survey,
    key: &[String],
    pictured: &PicturedRows,
) -> (Vec<SketchRow>, Vec<SketchField>, Vec<Skipped>) {
    let at: HashMap<&str, usize> =
        survey.columns.iter().enumerate().map(|(at, column)| (column.name.as_str(), at)).collect();
    let fields = fields(survey, key);
    let (mut rows, mut skipped) = (Vec::new(), Vec::new());
    for (number, row) in survey.rows.iter().enumerate() {
        let labels: Vec<Option<String>> = key.iter().map(|name| label(&row[at[name.as_str()]])).collect();
        let shown: Vec<&str> = labels.iter().map(|label| label.as_deref().unwrap_or("?")).collect();
        let skip = |why| Skipped { key: shown.join("/"), why };
        let legal = labels.iter().all(|label| label.as_deref().is_some_and(is_label_value));
        let said = fields.iter().map(|SketchField { field, column }| (*field, said(field, &row[at[column.as_str()]])));
        let said: Vec<(&'static str, Said)> = said.collect();
        match () {
            () if !legal => {
                skipped.push(skip("because their key holds what no label can: use letters, digits and `. _ + -`"))
            }
            () if pictured.files[number].is_none() => skipped.push(skip(pictured.missing[number])),
            () if said.iter().any(|(_, said)| *said == Said::Unsayable) => {
                skipped.push(skip("because they hold a text or a number that no manifest can say"));
            }
            () => {
                let labels = labels.into_iter().flatten().collect();
                let told = said.into_iter().filter_map(|(field, said)| match said {
                    Said::Value(value) => Some((field, value)),
                    Said::Nothing | Said::Unsayable => None,
                });
                rows.push(SketchRow { labels, fields: told.collect::<BTreeMap<_, _>>() });
            }
        }
    }
    rows.sort_by(|one, other| one.labels.cmp(&other.labels));
    let mut seen = HashSet::new();
    rows.retain(|row| {
        let key = AssetKey::join(row.labels.iter().map(String::as_str)).to_string();
        let first = seen.insert(key.to_ascii_lowercase());
        if !first {
            skipped
                .push(Skipped { key, why: "because their key differs from another one in case only, or not at all" });
        }
        first
    });
    (rows, fields, skipped)
}

/// Returns the fields that the table tells: columns of that name, however it is spelt there, the exact one first.
fn fields(survey: &Survey, key: &[String]) -> Vec<SketchField> {
    let columns = || survey.columns.iter().map(|column| &column.name).filter(|name| !key.contains(name));
    let found = SKETCH_FIELDS.into_iter().filter_map(|field| {
        let exact = columns().find(|name| name.as_str() == field);
        let column = exact.or_else(|| columns().find(|name| field_of(name) == Some(field)))?;
        Some(SketchField { field, column: column.clone() })
    });
    found.collect()
}

/// Returns the field that a column's name says: `guidanceScale` and `Guidance Scale` are `guidance_scale`.
fn field_of(column: &str) -> Option<&'static str> {
    let folded = |name: &str| name.replace(['_', ' '], "").to_ascii_lowercase();
    SKETCH_FIELDS.into_iter().find(|field| folded(field) == folded(column))
}

/// Returns a cell of a key column as a label has it; whole numbers are written by their digits.
fn label(cell: &Value) -> Option<String> {
    match cell {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// What a cell says of a recipe.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// Nothing.
    Nothing,
    /// This, as a manifest writes it.
    Value(String),
    /// Something that no manifest can say.
    Unsayable,
}

fn said(field: &str, cell: &Value) -> Said {
    let text = match cell {
        Value::Null => return Said::Nothing,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match field {
        "seed" => match Seed::written(&text) {
            Some(seed) => Said::Value(seed.to_string()),
            // A seed that is none says nothing about the picture.
            None => Said::Nothing,
        },
        "steps" | "width" | "height" => match text.trim().parse::<f64>() {
            Ok(number) if number.fract() == 0.0 && (0.0..=COUNT_MAX as f64).contains(&number) => {
                Said::Value(format!("{number:.0}"))
            }
            Ok(_) | Err(_) => Said::Unsayable,
        },
        "guidance_scale" => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Said::Value(format!("{number}")),
            Ok(_) | Err(_) => Said::Unsayable,
        },
        // What is empty names nothing, and no picture is made of an empty prompt.
        _ if text.trim().is_empty() => Said::Nothing,
        _ => sketch_text(field, &text).map_or(Said::Unsayable, Said::Value),
    }
}
