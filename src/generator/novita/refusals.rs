//! What Novita says when it does not do what it was asked: by code first, by status where there is none.
//!
//! Source: <https://novita.ai/docs/api-reference/basic-error-code>, read 2026-11-22, and what clients of it are known to
//! meet. A gateway may answer with HTML or plain text instead.

use crate::generator::refusal::{Refusal, RefusalLine, RefusalTable, RefusedRequest};

/// How Novita says no.
pub const REFUSALS: RefusalTable = RefusalTable {
    service: "Novita",
    codes: &["/error/reason", "/error/code", "/reason", "/code"],
    words: &["/error/message", "/error/msg", "/message", "/msg"],
    lines: &[
        RefusalLine::codes(&["RATE_LIMIT_EXCEEDED", "TOKEN_LIMIT_EXCEEDED", "SERVICE_NOT_AVAILABLE"], Refusal::Busy),
        RefusalLine::codes(
            &["MISSING_API_KEY", "INVALID_API_KEY", "FAILED_TO_AUTH", "BILLING_AUTH_FAILED"],
            Refusal::Account("the key is not accepted: check `api_key`"),
        ),
        RefusalLine::codes(
            &["FEATURE_NOT_ALLOWED", "API_NOT_ALLOWED", "NEED_REAL_NAME_VERIFY"],
            Refusal::Account("the account may not do this"),
        ),
        RefusalLine::codes(
            &[
                "BILLING_BALANCE_NOT_ENOUGH",
                "NOT_ENOUGH_BALANCE",
                "BALANCE_NOT_ENOUGH",
                "EXPIRED_OR_BALANCE_NOT_ENOUGH",
                "ANONYMOUS_ACCESS_QUOTA_EXCEEDS",
            ],
            Refusal::Account("the balance is empty: add credit"),
        ),
        RefusalLine::codes(&["BILLING_FAILED"], Refusal::Account("the account cannot be billed")),
        RefusalLine::codes(&["API_NOT_FOUND"], Refusal::Account("the endpoint is retired, or `path` is wrong")),
        RefusalLine::codes(&["CREATE_TASK_FAILED", "GET_RESULT_FAILED"], Refusal::Ambiguous),
        RefusalLine::codes(&["TASK_NOT_FOUND"], Refusal::TaskGone),
        RefusalLine::codes(&["TASK_FAILED"], Refusal::TaskFailed),
        RefusalLine::codes(&["ILLEGAL_PROMPT", "ILLEGAL_IMAGE_CONTENT"], Refusal::Content),
        RefusalLine::codes(&["MODEL_NOT_FOUND"], Refusal::Model),
        RefusalLine::codes(
            &[
                "INVALID_REQUEST_BODY",
                "VALIDATOR",
                "VALIDATOR_PARAM",
                "IMAGE_FILE_EXCEEDS_MAX_SIZE",
                "INVALID_IMAGE_FORMAT",
                "IMAGE_EXCEEDS_MAX_RESOLUTION",
                "INVALID_IMAGE_SIZE",
                "IMAGE_NO_FACE_DETECTED",
                "INVALID_CUSTOM_OUTPUT_PATH",
                "INVALID_AUDIO_FILE",
            ],
            Refusal::Request("the request does not fit: correct its recipe"),
        ),
        RefusalLine::status(404, 405, Refusal::Account(ENDPOINT)).when(RefusedRequest::Submit),
        RefusalLine::status(410, 410, Refusal::Account(ENDPOINT)).when(RefusedRequest::Submit),
    ],
    sayings: &[],
};

const ENDPOINT: &str = "the endpoint is retired, or `base_url` or `path` is wrong";
