//! Verdicts: which failures of a service judge the prompt or the picture, so that asking for the same again would only cost
//! as much once more.
//!
//! Services tell them in words, in codes, or in both, and few document all of them. One table says what they mean; a kind of
//! generator puts its own sayings before it. A verdict that is none costs a question; a question that is missed costs money:
//! so the table leans to verdicts.

/// What a failure says about asking for the same again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// It may pass.
    Passing,
    /// The prompt or the picture was judged.
    Verdict,
}

/// What some words mean, wherever they stand in what a service says.
#[derive(Debug, Clone, Copy)]
pub struct Saying {
    /// Lower-case words, and a blank for whatever stands between them.
    pub words: &'static str,
    /// What they mean.
    pub meaning: Meaning,
}

const fn passing(words: &'static str) -> Saying {
    Saying { words, meaning: Meaning::Passing }
}

const fn verdict(words: &'static str) -> Saying {
    Saying { words, meaning: Meaning::Verdict }
}

/// Sayings of all services, the first that fits counts: what looks at pictures can break, too, and that passes.
///
/// The codes among them are services' own: Novita's `ILLEGAL_PROMPT`, OpenAI's `moderation_blocked`, Azure's
/// `contentFilter`, fal's `content_policy_violation`, Gemini's `IMAGE_SAFETY` and `PROHIBITED_CONTENT`, and BFL's
/// `Content Moderated`. The words are those that users report; no service documents them.
const SAYINGS: &[Saying] = &[
    passing("timeout"),
    passing("timed out"),
    passing("time out"),
    passing("unavailable"),
    passing("overloaded"),
    passing("out of memory"),
    passing("rate limit"),
    passing("too many requests"),
    passing("connection"),
    passing("internal error"),
    passing("internal server error"),
    verdict("nsfw"),
    verdict("not safe for work"),
    verdict("moderat"),
    verdict("content policy"),
    verdict("usage policy"),
    verdict("usage policies"),
    verdict("safety policy"),
    verdict("policy violation"),
    verdict("violat"),
    verdict("content filter"),
    verdict("contentfilter"),
    verdict("safety filter"),
    verdict("safety system"),
    verdict("safety check"),
    verdict("image safety"),
    verdict("unsafe"),
    verdict("sensitive"),
    verdict("inappropriate"),
    verdict("datainspection"),
    verdict("data inspection"),
    verdict("risk control"),
    verdict("prohibited"),
    verdict("not allowed"),
    verdict("disallowed"),
    verdict("not permitted"),
    verdict("forbidden content"),
    verdict("forbidden word"),
    verdict("banned"),
    verdict("blocklist"),
    verdict("blocked"),
    verdict("flagged"),
    verdict("illegal"),
    verdict("harmful"),
    verdict("nudity"),
    verdict("sexual"),
    verdict("explicit content"),
    verdict("adult content"),
    verdict("porn"),
    verdict("copyright"),
    verdict("trademark"),
    verdict("infring"),
    verdict("recitation"),
    verdict("intellectual property"),
    verdict("public figure"),
    verdict("celebrit"),
    verdict("real person"),
    verdict("invalid prompt"),
    verdict("prompt is invalid"),
    verdict("prompt rejected"),
    verdict("prompt was rejected"),
    verdict("prompt refused"),
    verdict("prompt too long"),
    verdict("prompt is too long"),
    verdict("unsupported prompt"),
    verdict("\u{654f}\u{611f}"),
    verdict("\u{8fdd}\u{89c4}"),
    verdict("\u{8272}\u{60c5}"),
];

/// Tells what a failure means that a service put so; `own` is what its kind knows better than the table of all.
pub(super) fn meaning(said: &str, own: &[Saying]) -> Meaning {
    let said = plain(said);
    let fits = |saying: &&Saying| said.contains(saying.words);
    own.iter().chain(SAYINGS).find(fits).map_or(Meaning::Passing, |saying| saying.meaning)
}

/// Returns a text in lower case with one blank for whatever is no letter and no digit: codes and words look the same then.
pub(super) fn plain(text: &str) -> String {
    let letters = |c: char| if c.is_alphanumeric() { c } else { ' ' };
    let text: String = text.chars().map(letters).collect();
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_judges_the_prompt_or_the_picture_is_a_verdict_and_all_else_may_pass() {
        use Meaning::{Passing, Verdict};
        for (said, expected) in [
            ("NSFW content detected", Verdict),
            ("nsfw_content_detected", Verdict),
            (
                "Potential NSFW content was detected in one or more images. Please try again with a different prompt",
                Verdict,
            ),
            ("Your request was rejected as a result of our safety system. (moderation_blocked)", Verdict),
            ("content_policy_violation", Verdict),
            ("Content Moderated", Verdict),
            ("finishReason IMAGE_SAFETY", Verdict),
            ("PROHIBITED_CONTENT", Verdict),
            ("RECITATION", Verdict),
            ("DataInspectionFailed", Verdict),
            ("OutputImageSensitiveContentDetected", Verdict),
            ("This content may violate copyright", Verdict),
            ("invalid-prompt", Verdict),
            ("ILLEGAL_PROMPT: no", Verdict),
            ("\u{5305}\u{542b}\u{654f}\u{611f}\u{8bcd}", Verdict),
            ("out of memory on the worker", Passing),
            ("moderation service timed out", Passing),
            ("safety checker unavailable", Passing),
            ("CUDA error: device-side assert", Passing),
            ("it gave no reason", Passing),
            ("no luck", Passing),
            ("", Passing),
        ] {
            assert_eq!(meaning(said, &[]), expected, "{said}");
        }
    }

    #[test]
    fn a_kind_knows_its_own_words_better() {
        let own = [Saying { words: "flagged for retry", meaning: Meaning::Passing }];
        assert_eq!(meaning("Flagged for retry.", &own), Meaning::Passing);
        assert_eq!(meaning("Flagged.", &own), Meaning::Verdict);
    }
}
