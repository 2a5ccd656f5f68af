//! The API described for programs, as OpenAPI 3.1: the collections that there are, with their labels and columns.
//!
//! Types are those of the database's catalogue, not of the rows of today: a program is made from the description once.
//! Source: <https://spec.openapis.org/oas/v3.1.1.html>, read 2026-11-25; the names of formats:
//! <https://spec.openapis.org/registry/format/>, read 2026-11-30.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::state::{ColumnHolds, Nulls};

use super::exact::{EXACT, Numbers};
use super::query::{LIMIT_MAX, VALUES_MAX as FILTER_MAX};
use super::snapshot::{Collection, ServedColumn, Snapshot};

/// Values of a label that are listed; beyond, any text is described.
const VALUES_MAX: usize = 500;

/// Describes what is served now.
pub fn document(snapshot: &Snapshot) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    let list = json!({ "application/json": { "schema": { "type": "array", "items": reference("Collection") } } });
    paths.insert("/api".to_owned(), operation("listCollections", "The collections", &json!([]), &list, &["406"]));
    let mut names = Names::default();
    for collection in snapshot.collections.values() {
        let (name, id) = (collection.name.as_str(), names.identifier(collection.name.as_str()));
        let [json, exact] = [format!("{id}Row"), format!("{id}RowExact")];
        schemas.insert(json.clone(), row(collection, Numbers::Json));
        schemas.insert(exact.clone(), row(collection, Numbers::Exact));
        let one = json!({ "application/json": { "schema": reference(&json) }, EXACT: { "schema": reference(&exact) } });
        let many = |name| json!({ "schema": { "type": "array", "items": reference(name) } });
        let rows = json!({ "application/json": many(&json), EXACT: many(&exact) });
        let filters: Vec<Value> = collection.labels.iter().map(|(label, values)| filter(label, values)).collect();
        let parameters = Value::from([filters, paging()].concat());
        let summary = format!("The rows of `{name}`, in the order of the manifest");
        paths.insert(format!("/api/{name}"), operation(&format!("list{id}"), &summary, &parameters, &rows, &["400"]));
        let parts: Vec<Value> = collection.key.iter().map(|axis| part(collection, axis)).collect();
        let path: String = collection.key.iter().map(|axis| format!("/{{{axis}}}")).collect();
        let one = operation(&format!("get{id}"), &format!("One row of `{name}`"), &parts.into(), &one, &["400", "404"]);
        paths.insert(format!("/api/{name}{path}"), one);
    }
    schemas.insert("Collection".to_owned(), collection_schema());
    schemas.insert("Problem".to_owned(), problem_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pixform",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "Published pictures. Only reads; an answer is at most about a second old. Whole numbers of 64 bits are numbers; \
                 readers that would lose digits, as JavaScript does, ask with `Accept: {EXACT}` and get them as text."
            ),
        },
        // Relative to the place of this document, whatever a proxy calls it.
        "servers": [{ "url": "/", "description": "The server that this description comes from" }],
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn operation(id: &str, summary: &str, parameters: &Value, content: &Value, problems: &[&str]) -> Value {
    let problem = json!({
        "description": "What is wrong, and what is allowed (RFC 9457)",
        "content": { "application/problem+json": { "schema": reference("Problem") } },
    });
    let mut responses = Map::new();
    let headers = json!({
        "ETag": { "schema": { "type": "string" } },
        "Link": { "schema": { "type": "string" }, "description": "Where the next page is: rel=\"next\"" },
    });
    responses.insert("200".to_owned(), json!({ "description": summary, "headers": headers, "content": content }));
    responses.insert("304".to_owned(), json!({ "description": "What the tag in If-None-Match names still holds" }));
    for status in problems.iter().filter(|status| **status != "406").chain(&["405", "414", "421", "503"]) {
        responses.insert((*status).to_owned(), problem.clone());
    }
    json!({ "get": { "operationId": id, "summary": summary, "parameters": parameters, "responses": responses } })
}

fn filter(label: &str, values: &[String]) -> Value {
    json!({
        "name": label, "in": "query", "required": false, "style": "form", "explode": true,
        "description": "Only rows with one of these values; repeatable",
        "schema": { "type": "array", "items": { "type": "string" }, "maxItems": FILTER_MAX },
        "example": values.iter().take(1).collect::<Vec<_>>(),
    })
}

fn paging() -> Vec<Value> {
    vec![
        json!({
            "name": "limit", "in": "query", "required": false,
            "schema": { "type": "integer", "format": "int32", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_MAX },
        }),
        json!({
            "name": "cursor", "in": "query", "required": false, "schema": { "type": "string" },
            "description": "Where to go on: as the header `Link` of the page before says",
        }),
    ]
}

fn part(collection: &Collection, axis: &str) -> Value {
    let values = collection.labels.iter().find(|(label, _)| label == axis).map(|(_, values)| values);
    let schema = match values {
        Some(values) if !values.is_empty() && values.len() <= VALUES_MAX => json!({ "type": "string", "enum": values }),
        _ => json!({ "type": "string" }),
    };
    json!({ "name": axis, "in": "path", "required": true, "schema": schema })
}

fn row(collection: &Collection, numbers: Numbers) -> Value {
    let names: Vec<&str> = collection.columns.iter().map(|column| column.name.as_str()).collect();
    let columns = collection.columns.iter().map(|one| (one.name.clone(), column(one, numbers)));
    let columns: Map<String, Value> = columns.collect();
    json!({
        "type": "object", "description": format!("A row of `{}`", collection.name),
        "properties": columns, "required": names, "additionalProperties": false,
    })
}

fn column(column: &ServedColumn, numbers: Numbers) -> Value {
    // A database without strict types may hold anything, whatever is declared.
    if !column.is_as_declared() {
        return json!({});
    }
    let (kinds, format): (&[&str], Option<&str>) = match column.holds {
        ColumnHolds::Bigint if numbers == Numbers::Exact => (&["string"], None),
        ColumnHolds::Bigint => (&["integer"], Some("int64")),
        ColumnHolds::Integer => (&["integer"], Some("int32")),
        ColumnHolds::Number => (&["number"], Some("double")),
        ColumnHolds::Decimal => (&["number", "string"], None),
        ColumnHolds::Text => (&["string"], None),
        ColumnHolds::Moment => (&["string"], Some("date-time")),
        ColumnHolds::Truth => (&["boolean"], None),
        ColumnHolds::Texts => return json!({ "type": "array", "items": { "type": "string" } }),
        ColumnHolds::Anything => return json!({}),
    };
    let mut kinds: Vec<&str> = kinds.to_vec();
    kinds.extend((column.nulls == Nulls::Allowed).then_some("null"));
    let mut schema = match kinds.as_slice() {
        [only] => json!({ "type": only }),
        several => json!({ "type": several }),
    };
    if let Some(format) = format {
        schema["format"] = format.into();
    }
    if column.holds == ColumnHolds::Bigint && numbers == Numbers::Exact {
        schema["pattern"] = "^-?[0-9]+$".into();
    }
    schema
}

fn collection_schema() -> Value {
    let texts = json!({ "type": "array", "items": { "type": "string" } });
    let label = json!({
        "type": "object", "required": ["name", "values"],
        "properties": { "name": { "type": "string" }, "values": texts },
    });
    json!({
        "type": "object",
        "required": ["name", "key", "labels", "columns", "rows", "url"],
        "properties": {
            "name": { "type": "string" },
            "key": texts,
            "labels": { "type": "array", "items": label },
            "columns": texts,
            "rows": { "type": "integer", "format": "int64" },
            "url": { "type": "string" },
        },
    })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer", "format": "int32" },
            "detail": { "type": "string" },
            "allowed": { "type": "array", "items": { "type": "string" } },
        },
    })
}

/// Names that programs take for functions and types, each once: `AttributeImages`.
struct Names(BTreeSet<String>);

impl Default for Names {
    fn default() -> Self {
        // The list of collections has its own.
        Self(BTreeSet::from(["Collections".to_owned()]))
    }
}

impl Names {
    /// Makes one of a collection's name; `a-b` and `a_b` get different ones.
    fn identifier(&mut self, name: &str) -> String {
        let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        let plain: String = name.split(['-', '_']).filter(|part| !part.is_empty()).map(word).collect();
        let numbered = (2_u32..).map(|number| format!("{plain}{number}"));
        let mut free = std::iter::once(plain.clone()).chain(numbered).filter(|name| !self.0.contains(name));
        let name = free.next().unwrap_or_default();
        self.0.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_collections_have_one_name_for_programs() {
        let mut names = Names::default();
        let made = ["a-b", "a_b", "ab", "collections", "aB"].map(|name| names.identifier(name));
        assert_eq!(made, ["AB", "AB2", "Ab", "Collections2", "AB3"]);
    }
}
