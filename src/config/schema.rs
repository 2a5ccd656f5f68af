//! The JSON Schema of `pixform.yaml`, for editors: made from the constants that the reader uses.

use serde_json::{Value, json};

use crate::asset::NAME_BYTES_MAX;
use crate::schema::{DRAFT, described, object, undescribed, whole};

use super::document::{
    DELETIONS_CEILING, ENVIRONMENT_FIELDS, FIELDS, GUARD_FIELDS, IMAGES_CEILING, LIMIT_FIELDS, ON_UNKNOWN,
    ON_UNKNOWN_CEILING, PUBLISH_FIELDS, STORAGE_FIELDS, STORE_FIELDS,
};
use super::generator::{CONCURRENCY_CEILING, GENERATOR_FIELDS, IMAGES_PER_MINUTE_CEILING, NSFW_LEVEL_CEILING};

/// Returns the JSON Schema (draft 2020-12) of `pixform.yaml`.
///
/// It knows field names and types; what the reader checks beyond that (kinds, URLs, variables) is left to the reader.
pub fn schema() -> Value {
    let mut root = object(&FIELDS, &["version", "environments"], top);
    root["$schema"] = json!(DRAFT);
    root["title"] = json!("pixform.yaml");
    root["description"] = json!("Where pixform keeps things, who makes the pictures, and what that may cost.");
    root
}

fn top(name: &str) -> Value {
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
            "additionalProperties": object(&ENVIRONMENT_FIELDS, &[], environment),
        }),
        name => undescribed(name),
    }
}

fn environment(name: &str) -> Value {
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
            "additionalProperties": object(&GENERATOR_FIELDS, &[], generator),
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

fn generator(name: &str) -> Value {
    match name {
        "kind" => described(
            "The service: `novita`, or `placeholder`, which paints labelled pictures, free and offline.",
            json!({ "type": "string" }),
        ),
        "checks_as" => described(
            "For a placeholder: the kind whose ranges and names it applies, so that mistakes are found for nothing.",
            json!({ "type": "string" }),
        ),
        "price" => money("What one image costs, in US dollars; for a paid kind only, and required there."),
        "base_url" => variable("The address of the service."),
        "path" => path("Where pictures are asked for, below the address."),
        "result_path" => path("Where tasks are asked for, below the address."),
        "api_key" => {
            variable("The key of the service; better a `${NAME}` than the key itself. Read when it is needed.")
        }
        "concurrency" => whole("Most pictures under way at once.", 1, CONCURRENCY_CEILING),
        "images_per_minute" => {
            whole("Most images asked for in any minute; 20 for `novita` unless set.", 1, IMAGES_PER_MINUTE_CEILING)
        }
        "min_interval" => duration("The least pause between two requests for a picture, at most an hour."),
        "deadline" => duration("How long one picture is waited for; the next run goes on waiting. 10m unless set."),
        "request_timeout" => duration("How long the answer to a request for a picture may take; 90s unless set."),
        "enable_nsfw_detection" => described(
            "Whether the service looks for unsafe pictures, which are then not published.",
            json!({ "type": "boolean" }),
        ),
        "nsfw_detection_level" => whole("How strictly it looks: 0 is the mildest.", 0, NSFW_LEVEL_CEILING),
        "nsfw_detection_price" => money("What looking costs for each image, in US dollars; 0.0015 unless set."),
        name => undescribed(name),
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
