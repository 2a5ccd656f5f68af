//! The traps of YAML, each with the words that a person sees: never the parser's own.

use crate::desk::{Desk, GOOD, check};

#[test]
fn a_comma_inside_braces_ends_a_text() {
    check(&[
        (
            "subject: a student,",
            "subject: a tall, thin student,",
            &[
                "25:43 a comma inside `{ }` ends the text, so `thin student` is read as a field of its own | put the text into double quotes",
            ],
        ),
        (
            "subject: a student,",
            "subject: a tall, student,",
            &[
                "25:43 a comma inside `{ }` ends the text, so `student` is read as a field of its own | put the text into double quotes",
            ],
        ),
        (
            "outfit: a coat }",
            "outfit: a coat, red }",
            &[
                "29:47 a comma inside `{ }` ends the text, so `red` is read as a field of its own | put the text into double quotes",
            ],
        ),
    ]);
}

#[test]
fn a_colon_inside_a_text_needs_quotes() {
    check(&[
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: a man: old\n",
            &[
                "14:16 `: ` inside a text needs quotes: to YAML it begins a map | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: a man: old, {{ look }}\n",
            &[
                "14:16 `: ` inside a text needs quotes: to YAML it begins a map | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: it's: so\n",
            &[
                "14:15 `: ` inside a text needs quotes: to YAML it begins a map | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "look: photograph",
            "look: photograph: sharp",
            &["19:42 `: ` inside a text needs quotes: to YAML it begins a map | put the text into double quotes"],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: a man\n    steps: 5\n",
            &[
                "15:10 this key is indented as if it belonged to the text above | indent this key like its neighbours, or end the text above (`prompt: a man`) differently",
            ],
        ),
    ]);
}

#[test]
fn braces_in_a_text_need_quotes() {
    check(&[
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: {{ look }}\n",
            &[
                r#"14:11 a text that begins with `{{` needs quotes: to YAML it is a map | write "{{ name }} …" in double quotes, or put the text below `>-`"#,
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: {{ look }}, one man\n",
            &[
                "14:11 a text that begins with `{{` needs quotes: to YAML it is a map | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "subject: a student",
            "subject: {{ style }}",
            &[
                r#"25:35 a text that begins with `{{` needs quotes: to YAML it is a map | write "{{ name }} …" in double quotes, or put the text below `>-`"#,
            ],
        ),
        (
            "subject: a student",
            "subject: {{ style }} student",
            &[
                "25:35 `{{` needs quotes here: inside `{ }` YAML takes every brace for its own | put the text into double quotes",
            ],
        ),
        (
            "subject: a student",
            "subject: a {{ style }} student",
            &[
                "25:37 `{{` needs quotes here: inside `{ }` YAML takes every brace for its own | put the text into double quotes",
            ],
        ),
        (
            r#"image_url: "{{ url }}""#,
            "image_url: {{ url }}",
            &[
                r#"38:25 a text that begins with `{{` needs quotes: to YAML it is a map | write "{{ name }} …" in double quotes, or put the text below `>-`"#,
            ],
        ),
        (
            r#"image_url: "{{ url }}""#,
            "image_url: {{ url }}/x",
            &[
                "38:25 `{{` needs quotes here: inside `{ }` YAML takes every brace for its own | put the text into double quotes",
            ],
        ),
    ]);
}

#[test]
fn a_comment_never_cuts_a_text_silently() {
    check(&[
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: a man # old\n",
            &[
                "14:16 ` #` cuts the text of `prompt` off here: the rest of the line is a comment to YAML | put the text into double quotes, or the comment on a line of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: a man #1\n",
            &[
                "14:16 ` #` cuts the text of `prompt` off here: the rest of the line is a comment to YAML | put the text into double quotes, or the comment on a line of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: a man\n    and # a dog\n",
            &[
                "15:8 ` #` cuts the text of `prompt` off here: the rest of the line is a comment to YAML | put the text into double quotes, or the comment on a line of its own",
            ],
        ),
        (
            "look: photograph",
            "look: photograph # sharp",
            &[
                "19:42 ` #` cuts the text off here: the rest of the line is a comment to YAML, the closing bracket too | put the text into double quotes",
            ],
        ),
    ]);
}

#[test]
fn a_merge_that_was_not_finished_is_told() {
    check(&[
        (
            "axes:\n",
            "<<<<<<< HEAD\naxes:\n",
            &[
                "17:1 this line is a conflict marker | a merge was not finished: keep one side and delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>",
            ],
        ),
        (
            "axes:\n",
            "=======\naxes:\n",
            &[
                "17:1 this line is a conflict marker | a merge was not finished: keep one side and delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>",
            ],
        ),
        (
            "axes:\n",
            ">>>>>>> branch\naxes:\n",
            &[
                "17:1 this line is a conflict marker | a merge was not finished: keep one side and delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>",
            ],
        ),
        (
            "axes:\n",
            "||||||| base\naxes:\n",
            &[
                "17:1 this line is a conflict marker | a merge was not finished: keep one side and delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>",
            ],
        ),
        (
            "axes:\n",
            "<<<<<<<\naxes:\n",
            &[
                "17:1 this line is a conflict marker | a merge was not finished: keep one side and delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>",
            ],
        ),
        (
            "axes:\n",
            ">>>>>>>\r\naxes:\n",
            &[
                "17:1 this line is a conflict marker | a merge was not finished: keep one side and delete the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>",
            ],
        ),
    ]);
}

#[test]
fn a_text_cannot_begin_with_a_sign_of_yaml() {
    check(&[
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: @home\n",
            &[
                "14:11 a text that begins with `@` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: `x`\n",
            &[
                "14:11 a text that begins with ``` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: %x\n",
            &[
                "14:11 a text that begins with `%` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: - a\n",
            &[
                "14:11 a text that begins with `-` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: ? a\n",
            &[
                "14:11 a text that begins with `?` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: | a\n",
            &[
                "14:11 a text that begins with `|` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: >x\n",
            &[
                "14:11 a text that begins with `>` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: ]\n",
            &[
                "14:11 a text that begins with `]` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: }x\n",
            &[
                "14:11 a text that begins with `}` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: , a\n",
            &[
                "14:11 a text that begins with `,` needs quotes | put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: *bold\n",
            &[
                "14:11 nothing above is marked with this name | `*` names a value marked with `&` further up; where the `*` belongs to the text, put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: !x y\n",
            &["14:14 the tag `!x` is not read here | remove the tag; quote the value where it is meant as text"],
        ),
        (
            r#"  "*/*/anime""#,
            "  */*/anime",
            &[r#"33:3 a name that begins with `*` needs quotes | write it as in `"*/*/anime": …`"#],
        ),
    ]);
}

#[test]
fn quotes_are_closed_and_nothing_follows_them() {
    check(&[
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: \"a man\n",
            &[
                "14:11 a quoted text does not end where it should | close the quotes; inside single quotes a quote is written twice",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: \"{{ look }}\" man\n",
            &[
                r#"14:24 something stands behind the closing quote | put the whole text into one pair of quotes; inside single quotes a quote is written twice, inside double quotes as `\"`"#,
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: 'it's'\n",
            &[
                r#"14:15 something stands behind the closing quote | put the whole text into one pair of quotes; inside single quotes a quote is written twice, inside double quotes as `\"`"#,
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: \"C:\\q\"\n",
            &[r#"14:11 this escape is not known | in double quotes write `\\` for a backslash, or use single quotes"#],
        ),
    ]);
}

#[test]
fn brackets_are_closed() {
    check(&[
        (
            "key: [category, value, style]",
            "key: [category, value, style",
            &[
                "3:6 this bracket is not closed where it should be | close it; where a bracket, a comma or a quote belongs to a text, put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "category: hero, value: banner, style: realistic }",
            "category: hero, value: banner, style: realistic",
            &[
                "28:9 this bracket is not closed where it should be | close it; where a bracket, a comma or a quote belongs to a text, put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: [a man\n",
            &[
                "14:11 this bracket is not closed where it should be | close it; where a bracket, a comma or a quote belongs to a text, put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
    ]);
}

#[test]
fn indentation_is_told() {
    check(&[
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "\tprompt: a\n",
            &["14:1 there is a tab here: YAML is indented with spaces | replace the tab by spaces"],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: >-\n    a\n   b\n",
            &[
                "16:4 this line does not belong to the text of `prompt` above: it is not indented like its first line | indent all lines of the text alike, further than its key",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: |\n  a\n",
            &[
                "15:3 this line does not belong to the text of `prompt` above: it is not indented like its first line | indent all lines of the text alike, further than its key",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            " prompt: a\n",
            &[
                "14:2 this does not fit what stands above it | compare the indentation with the lines above, and look for a quote or bracket that is not closed",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  - prompt: a\n",
            &[
                "14:5 this does not fit what stands above it | compare the indentation with the lines above, and look for a quote or bracket that is not closed",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt:a\n",
            &["14:3 behind `prompt` a colon and a space are missing | write `prompt: value`"],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt = a\n",
            &["14:3 behind `prompt` a colon and a space are missing | write `prompt: value`"],
        ),
    ]);
}

#[test]
fn invisible_characters_are_told() {
    check(&[
        (
            "a coat",
            "a \u{1b}coat",
            &[
                r#"29:41 there is an invisible control character here (U+001B) | delete it; in double quotes it can be written as an escape, such as `\x1b`"#,
            ],
        ),
        (
            "a coat",
            "a \u{0}coat",
            &[
                r#"29:41 there is an invisible control character here (U+0000) | delete it; in double quotes it can be written as an escape, such as `\x1b`"#,
            ],
        ),
        (
            "a coat",
            "a coat",
            &[
                r#"29:41 there is an invisible control character here (U+009B) | delete it; in double quotes it can be written as an escape, such as `\x1b`"#,
            ],
        ),
    ]);
}

#[test]
fn what_yaml_knows_and_we_do_not_is_told() {
    check(&[
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: a\n---\n",
            &[
                "15:1 a second document begins here | one file holds one document: remove the line `---`, or put the rest into a file of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  <<: *x\n",
            &[
                "14:7 nothing above is marked with this name | `*` names a value marked with `&` further up; where the `*` belongs to the text, put the text into double quotes, or below `>-` on lines of its own",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  <<: 5\n  prompt: a\n",
            &["14:7 `<<` takes a map, or a list of maps | name an anchor of a map: `<<: *name`"],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  ? [a]\n  : b\n  prompt: c\n",
            &["14:5 a key has to be a single word | quote the text if it is meant as one"],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: { a: b }\n",
            &["14:11 `prompt` must be a text, is a map of 1 | put the text into double quotes"],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt:\n  - a\n",
            &[
                "15:5 `prompt` must be a single value, is a list | write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`",
            ],
        ),
        (
            "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "  prompt: !!str a\n",
            &["14:17 the tag `!!str` is not read here | remove the tag; quote the value where it is meant as text"],
        ),
    ]);
}

#[test]
fn what_looks_like_a_trap_and_is_none_is_read() {
    const PROMPT: &str = "  prompt: >-\n    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n";
    assert!(GOOD.contains(PROMPT));
    let prompt = |prompt: &str| GOOD.replace(PROMPT, prompt);
    for source in [
        GOOD.replace('\n', "\r\n"),
        format!("\u{feff}{GOOD}"),
        format!("---\n{GOOD}...\n"),
        format!("%YAML 1.2\n---\n{GOOD}"),
        prompt("  prompt: >-\n    a # b, c: d {{ look }} @home\n"),
        prompt("  prompt: \"{{ look }}: a # b\"\n"),
        prompt("  prompt: a man's [hat] }\n"),
        prompt("  # a comment\n  prompt: a man\n"),
        prompt("  prompt: '<b>*bold*</b> ```x``` @everyone | [a](b) \u{202e}'\n"),
        GOOD.replace("subject: a student, outfit: a shirt", "subject: a student, outfit : a shirt, other: "),
        GOOD.replace("style: anime }]", "style: [anime] }]"),
    ] {
        let ran = Desk::with(&source).run(&["validate"]);
        assert_eq!(ran.code, 0, "{source}\n{}", ran.all());
    }
}
