//! The API described for programs, as OpenAPI 3.1: the collections that there are, with their labels and columns.
//!
//! Source: <https://spec.openapis.org/oas/v3.1.1.html>, read 2026-11-25.

use serde_json::{Value, json};

use super::query::{LIMIT_MAX, VALUES_MAX as FILTER_MAX};
use super::snapshot::{Collection, Kinds, Snapshot};

/// Values of a label that are listed; beyond, any text is described.
const VALUES_MAX: usize = 500;

/// Describes what is served now.
pub fn document(snapshot: &Snapshot) -> Value {
    let mut paths = serde_json::Map::new();
    let list = json!({ "type": "array", "items": { "$ref": "#/components/schemas/Collection" } });
    paths.insert("/api".to_owned(), operation("listCollections", "The collections", &json!([]), &list, &["406"]));
    for collection in snapshot.collections.values() {
        let (name, id) = (collection.name.as_str(), identifier(collection.name.as_str()));
        let row = row(collection);
        let rows = json!({ "type": "array", "items": row });
        let filters: Vec<Value> = collection.labels.iter().map(|(label, values)| filter(label, values)).collect();
        let parameters = Value::from([filters, paging(collection)].concat());
        let summary = format!("The rows of `{name}`, in the order of the manifest");
        paths.insert(format!("/api/{name}"), operation(&format!("list{id}"), &summary, &parameters, &rows, &["400"]));
        let parts: Vec<Value> = collection.key.iter().map(|axis| part(collection, axis)).collect();
        let path: String = collection.key.iter().map(|axis| format!("/{{{axis}}}")).collect();
        let one = operation(&format!("get{id}"), &format!("One row of `{name}`"), &parts.into(), &row, &["400", "404"]);
        paths.insert(format!("/api/{name}{path}"), one);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pixform",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Published pictures. Only reads; an answer is at most about a second old.",
        },
        "paths": paths,
        "components": { "schemas": { "Collection": collection_schema(), "Problem": problem_schema() } },
    })
}

fn operation(id: &str, summary: &str, parameters: &Value, schema: &Value, problems: &[&str]) -> Value {
    let problem = json!({
        "description": "What is wrong, and what is allowed (RFC 9457)",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut responses = serde_json::Map::new();
    let headers = json!({
        "ETag": { "schema": { "type": "string" } },
        "Link": { "schema": { "type": "string" }, "description": "Where the next page is: rel=\"next\"" },
    });
    let content = json!({ "application/json": { "schema": schema } });
    responses.insert("200".to_owned(), json!({ "description": summary, "headers": headers, "content": content }));
    responses.insert("304".to_owned(), json!({ "description": "What the tag in If-None-Match names still holds" }));
    for status in problems.iter().filter(|status| **status != "406").chain(&["405", "414", "503"]) {
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

fn paging(collection: &Collection) -> Vec<Value> {
    let keys: Vec<&str> = collection.shown().map(|shown| shown.key).take(VALUES_MAX + 1).collect();
    let cursor = match keys.len() {
        1..=VALUES_MAX => json!({ "type": "string", "enum": keys }),
        _ => json!({ "type": "string" }),
    };
    vec![
        json!({
            "name": "limit", "in": "query", "required": false,
            "schema": { "type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_MAX },
        }),
        json!({
            "name": "cursor", "in": "query", "required": false, "schema": cursor,
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

fn row(collection: &Collection) -> Value {
    let names: Vec<&str> = collection.columns.iter().map(|(name, _)| name.as_str()).collect();
    let columns = collection.columns.iter().map(|(name, kinds)| (name.clone(), column(*kinds)));
    let columns: serde_json::Map<String, Value> = columns.collect();
    json!({ "type": "object", "properties": columns, "required": names, "additionalProperties": false })
}

/// What a column holds, as far as its rows tell.
fn column(Kinds { null: _, integer, number, text, other }: Kinds) -> Value {
    let kinds = [(integer && !number, "integer"), (number, "number"), (text, "string")];
    let mut types: Vec<&str> = kinds.into_iter().filter(|(seen, _)| *seen).map(|(_, name)| name).collect();
    if other || types.is_empty() {
        return json!({});
    }
    // A later row may hold nothing where all of today hold something.
    types.push("null");
    json!({ "type": types })
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
            "rows": { "type": "integer" },
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
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "allowed": { "type": "array", "items": { "type": "string" } },
        },
    })
}

/// Makes a name that programs take for a function: `AttributeImages`.
fn identifier(name: &str) -> String {
    let word = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    name.split(['-', '_']).filter(|part| !part.is_empty()).map(word).collect()
}
