//! The JSON Schema of `pixform.yaml`, for editors: made from the constants that the reader uses.

use serde_json::{Value, json};

use crate::asset::{Cost, KindSpec, Locality, NAME_BYTES_MAX, OptionType};
use crate::schema::{DRAFT, described, object, undescribed, whole};

use super::document::{
    DELETIONS_CEILING, ENVIRONMENT_FIELDS, FIELDS, GUARD_FIELDS, IMAGES_CEILING, LIMIT_FIELDS, ON_UNKNOWN,
    ON_UNKNOWN_CEILING, PUBLISH_FIELDS,
};
use super::generator::{CONCURRENCY_CEILING, IMAGES_PER_MINUTE_CEILING};
use super::store::{STORAGE_FIELDS, STORE_FIELDS};

/// Returns the JSON Schema (draft 2020-12) of `pixform.yaml`.
///
/// It knows field names and types; what the reader checks beyond that (kinds, URLs, variables) is left to the reader.
pub fn schema(kinds: &[&'static KindSpec]) -> Value {
    let mut root = object(&FIELDS, &["version", "environments"], |name| top(name, kinds));
    root["$schema"] = json!(DRAFT);
    root["title"] = json!("pixform.yaml");
    root["description"] = json!("Where pixform keeps things, who makes the pictures, and what that may cost.");
    root
}

fn top(name: &str, kinds: &[&'static KindSpec]) -> Value {
    match name {
        "version" => json!({ "description": "The version of this format.", "const": 1 }),
        "default_environment" => described(
            "The environment that is meant where neither `--env` nor PIXFORM_ENV names one.",
            json!({ "type": "string" }),
        ),
        "env_file" => env_file("every environment"),
        "environments" => json!({
            "description": "Environments by name: where things live. One of them is used at a time.",
            "type": "object",
            "minProperties": 1,
            "propertyNames": { "pattern": "^[A-Za-z][A-Za-z0-9_-]*$", "maxLength": NAME_BYTES_MAX },
            "additionalProperties": object(&ENVIRONMENT_FIELDS, &[], |name| environment(name, kinds)),
        }),
        name => undescribed(name),
    }
}

fn environment(name: &str, kinds: &[&'static KindSpec]) -> Value {
    match name {
        "env_file" => env_file("this environment, before the one at the top"),
        "state" => variable(
            "Where records are kept: `sqlite:.pixform/state.db`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, best as a variable such as `${DATABASE_URL}`. A relative path starts at this file's folder.",
        ),
        "storage" => described("Where pictures are kept.", object(&STORAGE_FIELDS, &[], storage)),
        "generators" => json!({
            "description": "Services that make pictures, by the name that manifests use.",
            "type": ["object", "null"],
            "propertyNames": { "pattern": "^[A-Za-z][A-Za-z0-9_-]*$", "maxLength": NAME_BYTES_MAX },
            "additionalProperties": generator(kinds),
        }),
        "guards" => optional("What a plan may not exceed.", object(&GUARD_FIELDS, &[], guard)),
        "limits" => {
            optional("Bounds: against typing errors, and of what a run takes.", object(&LIMIT_FIELDS, &[], limit))
        }
        "publish" => optional("What manifests may publish to.", object(&PUBLISH_FIELDS, &[], publish)),
        "on_unknown" => json!({
            "description": "What to do with a paid call whose outcome is unknown: `ask` waits for a decision, `retry` \
                sends it again and may pay twice. `ask` unless set.",
            "enum": ON_UNKNOWN.map(|(name, _)| name),
        }),
        "on_unknown_max" => {
            whole("How often `on_unknown: retry` sends a call again; 1 unless set.", 1, ON_UNKNOWN_CEILING)
        }
        name => undescribed(name),
    }
}

fn storage(name: &str) -> Value {
    match name {
        "public_url" => variable(
            "Under which URL the files are fetched: an http(s) URL, or a path on the product's own host. A file's path \
             is appended. Unless set, the store's own address where that is certain.",
        ),
        "originals" => optional(
            "A store of its own for the originals, which may be private. What it does not say it shares with `storage`, \
             where both are of one kind.",
            object(&STORE_FIELDS, &["url"], store),
        ),
        "previous" => {
            let map = object(&STORE_FIELDS, &["url"], store);
            json!({
                "description": "The store that this environment used before, while moving away from it: a URL, or a \
                    map where it needs more. Files are read there until they are copied.",
                "anyOf": [{ "type": "string" }, map, { "type": "null" }],
            })
        }
        name => store(name),
    }
}

fn store(name: &str) -> Value {
    match name {
        "url" => variable(
            "Where files lie: `file:FOLDER`, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`, \
             `supabase://PROJECT.supabase.co/BUCKET/PREFIX`. A relative folder starts at this file's folder.",
        ),
        "endpoint" => variable(
            "The address of the storage service, where it is not the usual one; for `supabase:` that of its Storage API.",
        ),
        "region" => variable("The region of the storage service; AWS_REGION unless set."),
        "account" => variable("For `az:`, the storage account; AZURE_STORAGE_ACCOUNT_NAME unless set."),
        "key" => variable(
            "The key of the storage service; better a `${NAME}` than the key itself. For `supabase:` the service key, \
             for `az:` the account key, for `gs:` the JSON of a service account.",
        ),
        "access_key_id" => variable("For `s3:`, the name of the key; AWS_ACCESS_KEY_ID unless set."),
        "secret_access_key" => variable("For `s3:`, the key; AWS_SECRET_ACCESS_KEY unless set."),
        "session_token" => variable("For `s3:`, what temporary keys come with; AWS_SESSION_TOKEN unless set."),
        "path_style" => described(
            "For `s3:`, whether the bucket stands in the path and not in the host's name; true where `endpoint` is set.",
            json!({ "type": "boolean" }),
        ),
        "create_bucket" => described(
            "For `supabase:`, whether a missing bucket is made, public unless only originals lie there; false unless set.",
            json!({ "type": "boolean" }),
        ),
        name => undescribed(name),
    }
}

/// Describes a generator: whatever any kind lets be said of one, and for each kind that nothing else is.
fn generator(kinds: &[&'static KindSpec]) -> Value {
    let mut names: Vec<&str> = Vec::new();
    for name in kinds.iter().flat_map(|kind| kind.option_names()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut schema = object(&names, &["kind"], |name| common(name, kinds).unwrap_or_else(|| own(name, kinds)));
    let only = |kind: &&KindSpec| {
        let given = json!({ "properties": { "kind": { "const": kind.name } }, "required": ["kind"] });
        let mut then = json!({ "propertyNames": { "enum": kind.option_names() } });
        if kind.cost == Cost::Paid {
            then["required"] = json!(["price"]);
        }
        json!({ "if": given, "then": then })
    };
    schema["allOf"] = kinds.iter().map(only).collect();
    schema
}

/// Describes what may be said of generators of several kinds.
fn common(name: &str, kinds: &[&'static KindSpec]) -> Option<Value> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let usual = |of: &dyn Fn(&KindSpec) -> Option<String>| {
        let told = kinds.iter().filter_map(|kind| Some(format!("{} for `{}`", of(kind)?, kind.name)));
        told.collect::<Vec<_>>().join(", ")
    };
    Some(match name {
        "kind" => described("Who makes the pictures.", json!({ "enum": names })),
        "checks_as" => described(
            "The kind whose fields and ranges are applied in the place of its own, so that mistakes are found for nothing.",
            json!({ "enum": names }),
        ),
        "price" => money("What one image costs, in US dollars; for a paid kind only, and required there."),
        "base_url" => variable("The address of the service."),
        "api_key" => {
            variable("The key of the service; better a `${NAME}` than the key itself. Read when it is needed.")
        }
        "concurrency" => whole(
            &format!(
                "Most pictures under way at once; {} unless set.",
                usual(&|kind| Some(kind.pace.concurrency.to_string()))
            ),
            1,
            CONCURRENCY_CEILING,
        ),
        "images_per_minute" => whole(
            &format!(
                "Most images asked for in any minute; {} unless set.",
                usual(&|kind| kind.pace.images_per_minute.map(|images| images.to_string()))
            ),
            1,
            IMAGES_PER_MINUTE_CEILING,
        ),
        "min_interval" => duration("The least pause between two requests for a picture, at most an hour."),
        "deadline" => duration("How long one picture is waited for; the next run goes on waiting. 10m unless set."),
        "request_timeout" => duration(&format!(
            "How long the answer to a request for a picture may take; {} unless set.",
            usual(&|kind| match kind.reach {
                Locality::Here => None,
                Locality::Service { request_timeout, .. } => Some(format!("{}s", request_timeout.as_secs())),
            })
        )),
        _ => return None,
    })
}

/// Describes an option that only some kinds have.
fn own(name: &str, kinds: &[&'static KindSpec]) -> Value {
    let declared = kinds.iter().flat_map(|kind| kind.options).filter(|spec| spec.name == name);
    let mut shapes: Vec<Value> = declared
        .map(|spec| match spec.holds {
            OptionType::Text => described(spec.help, json!({ "type": "string" })),
            OptionType::Path => path(spec.help),
            OptionType::Flag => described(spec.help, json!({ "type": "boolean" })),
            OptionType::Count { least, most } => whole(spec.help, least.into(), most.into()),
            OptionType::Number { least, most } => {
                described(spec.help, json!({ "type": "number", "minimum": least, "maximum": most }))
            }
            OptionType::Choice(names) => described(spec.help, json!({ "enum": names })),
            OptionType::Money => money(spec.help),
        })
        .collect();
    shapes.dedup();
    match &mut shapes[..] {
        [shape] => shape.take(),
        _ => json!({ "anyOf": shapes }),
    }
}

fn path(words: &str) -> Value {
    described(words, json!({ "type": "string", "pattern": "^/[!-~]*$" }))
}

fn duration(words: &str) -> Value {
    described(words, json!({ "type": "string", "pattern": "^[0-9]+(ms|s|m)$", "examples": ["1500ms", "2s", "1m"] }))
}

fn guard(name: &str) -> Value {
    match name {
        "max_cost" => money("The most that one plan may cost, in US dollars; 0 buys nothing."),
        "max_cost_month" => money("The most that all runs together may cost in a calendar month (UTC), in US dollars."),
        "max_deletions" => {
            whole("Deletions that a plan may hold without their being listed under `removed`.", 0, DELETIONS_CEILING)
        }
        name => undescribed(name),
    }
}

fn limit(name: &str) -> Value {
    match name {
        "images" => whole("Images that one collection may have.", 1, IMAGES_CEILING),
        "memory" => described(
            "The memory that the pictures of a run may take together while they are decoded and encoded: 64MiB to \
             1024GiB, 1GiB unless set. A single picture gets three quarters of it; one that needs more is kept and not \
             decoded.",
            json!({ "type": "string", "pattern": "^[0-9]+(MiB|GiB)$", "examples": ["512MiB", "2GiB"] }),
        ),
        name => undescribed(name),
    }
}

fn publish(name: &str) -> Value {
    match name {
        "tables" => described(
            "The tables that manifests may publish to: `name` or `schema.name`. Any unless set.",
            json!({ "type": "array", "items": { "type": "string" } }),
        ),
        name => undescribed(name),
    }
}

fn env_file(whose: &str) -> Value {
    let description = format!(
        "A file with lines `NAME=value`, relative to this file's folder. It supplies variables for {whose}; those of \
         the process come first."
    );
    described(&description, json!({ "type": "string", "minLength": 1 }))
}

/// A text in which variables are filled in.
fn variable(description: &str) -> Value {
    let description = format!("{description} `${{NAME}}` and `${{NAME:-default}}` are filled in.");
    described(&description, json!({ "type": "string" }))
}

fn money(description: &str) -> Value {
    let text = json!({ "type": "string", "pattern": "^[0-9]{1,12}(\\.[0-9]{1,6})?$" });
    described(description, json!({ "anyOf": [{ "type": "number", "minimum": 0 }, text] }))
}

/// A map that may be left empty.
fn optional(description: &str, schema: Value) -> Value {
    let mut schema = described(description, schema);
    schema["type"] = json!(["object", "null"]);
    schema
}
