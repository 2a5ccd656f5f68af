//! Every way in which a manifest can be wrong, and the exact words for it: all mistakes at once, each with its place.

use crate::desk::{Desk, GOOD, check};

#[test]
fn a_field_that_is_misspelt_is_one_mistake() {
    check(&[
        ("  sampler:", "  smapler:", &["8:3 `defaults` has no field `smapler` | did you mean `sampler`?"]),
        ("axes:\n", "axis:\n", &["17:1 a manifest has no field `axis` | did you mean `axes`?"]),
        ("exclude:", "excluded:", &["27:5 an entry of `images` has no field `excluded` | did you mean `exclude`?"]),
        (
            "quality: 90",
            "qualtiy: 90",
            &["35:25 the rendition `main` has no field `qualtiy` | did you mean `quality`?"],
        ),
        ("  - matrix:", "  - matirx:", &["22:5 an entry of `images` has no field `matirx` | did you mean `matrix`?"]),
        (
            "with: { steps: 28 }",
            "wiht: { steps: 28 }",
            &["20:44 the value `anime` has no field `wiht` | did you mean `with`?"],
        ),
        (
            "seed: derived",
            "seed: { drived: [category] }",
            &["13:11 `seed` has no field `drived` | did you mean `derived`?"],
        ),
        (
            "defaults:\n",
            "defaults:\n  colour: red\n",
            &[
                "6:3 `defaults` has no field `colour` | `defaults` has the fields `generator`, `model`, `prompt`, `negative_prompt`, `sampler`, `scheduler`, `steps`, `guidance_scale`, `seed`, `take`, `width`, `height`, `sd_vae`, `loras`, `embeddings`, `hires_fix`, `refiner`, `clip_skip`, `enable_transparent_background`, `restore_faces`",
            ],
        ),
        (
            "axes:\n",
            "prompt: a man\naxes:\n",
            &[
                "17:1 a manifest has no field `prompt` | a manifest has the fields `version`, `collection`, `key`, `vars`, `defaults`, `per_generator`, `axes`, `images`, `cells`, `moved`, `removed`, `renditions`, `publish`",
            ],
        ),
    ]);
}

#[test]
fn a_key_that_stands_twice_hides_no_other_mistake() {
    check(&[
        (
            "  model: sd_xl",
            "  model: sd_xl\n  model: sd_xl",
            &["8:3 the key `model` stands here twice | remove one of the two, or rename it"],
        ),
        (
            "  model: sd_xl",
            "  model: sd_xl\n  model: sd_xl\n  stepz: 1",
            &[
                "8:3 the key `model` stands here twice | remove one of the two, or rename it",
                "9:3 `defaults` has no field `stepz` | did you mean `steps`?",
            ],
        ),
        ("70+: {", "18-19: {", &["26:9 the key `18-19` stands here twice | remove one of the two, or rename it"]),
        (
            r#"label: "{{ value }} x""#,
            r#"seed: "{{ value }} x""#,
            &["38:82 the key `seed` stands here twice | remove one of the two, or rename it"],
        ),
    ]);
}

#[test]
fn a_name_that_nothing_defines_is_told_where_it_stands() {
    check(&[
        ("{{ subject }}", "{{ subjct }}", &["15:38 `subjct` is not defined here | did you mean `subject`?"]),
        (
            "{{ subject }}",
            "{{ zzz }}",
            &[
                "15:38 `zzz` is not defined here | declare it under `vars`; known here are `category`, `value`, `style`, `clothed`, `look`, `subject`, `outfit`",
            ],
        ),
        ("{{ digest }}.", "{{ digset }}.", &["35:89 `digset` is not defined here | did you mean `digest`?"]),
        (r#""{{ url }}""#, r#""{{ ulr }}""#, &["38:29 `ulr` is not defined here | did you mean `url`?"]),
        (
            r#""{{ url }}""#,
            r#""{{ thumb.url }}""#,
            &[
                "38:29 `thumb.url` is not defined here | only renditions have parts, as in `main.url` or `thumb.path`: declare the rendition, or check its name",
            ],
        ),
        (
            r#""{{ url }}""#,
            r#""{{ ext }}""#,
            &[
                "38:29 `ext` is not defined here | declare it under `vars`; known here are `category`, `value`, `style`, `clothed`, `look`, `subject`, `outfit`, `url`, `path`, `sha256`, `bytes`, `width`, `height`, `content_type`, `digest`, `generator`, `model`, `prompt`, `negative_prompt`, `sampler`",
            ],
        ),
        (
            "{{ digest }}.",
            "{{ seed }}-{{ digest }}.",
            &[
                "35:89 `seed` is not defined here | declare it under `vars`; known here are `category`, `value`, `style`, `clothed`, `look`, `subject`, `outfit`, `digest`, `ext`, `rendition`",
            ],
        ),
        (
            "seed: derived",
            "seed: { derived: [colour] }",
            &[
                "13:21 there is no label `colour` to derive a seed from | declare it under `vars`; known here are `category`, `value`, `style`",
            ],
        ),
        (
            r#"clothed: "fully clothed in {{ outfit }}""#,
            r#"clothed: "{{ b }}", b: "{{ clothed }}""#,
            &["4:32 vars that use one another in a circle: b → clothed → b | take one of them out of the other's text"],
        ),
        (
            r#"clothed: "fully clothed in {{ outfit }}""#,
            r#"clothed: "{{ clothed }}""#,
            &[
                "4:18 vars that use one another in a circle: clothed → clothed | take one of them out of the other's text",
            ],
        ),
    ]);
}

#[test]
fn a_template_that_cannot_be_read_is_one_mistake() {
    check(&[
        (
            "{{ outfit }}",
            "{{ outfit",
            &[
                "4:18 `clothed`: the template cannot be read: `{{` is not closed by `}}` | write `{{ name }}` for a label or var, `{{ name | lower }}` for a filter, `{% if name == 'x' %}…{% endif %}` for a condition",
            ],
        ),
        (
            "{{ outfit }}",
            "{{ outfit x }}",
            &[
                "4:18 `clothed`: the template cannot be read: what stands between `{{` and `}}` is not a name, with filters behind it at most | write `{{ name }}` for a label or var, `{{ name | lower }}` for a filter, `{% if name == 'x' %}…{% endif %}` for a condition",
            ],
        ),
        (
            "{{ outfit }}",
            "{{ outfit | uppr }}",
            &[
                "4:18 `clothed`: the template cannot be read: there is no filter `uppr`; did you mean `upper`? | write `{{ name }}` for a label or var, `{{ name | lower }}` for a filter, `{% if name == 'x' %}…{% endif %}` for a condition",
            ],
        ),
        (
            "{{ outfit }}",
            "{% include 'x' %}",
            &[
                "4:18 `clothed`: the template cannot be read: `{% include %}` is not available in templates, only `if`, `elif`, `else` and `endif` | write `{{ name }}` for a label or var, `{{ name | lower }}` for a filter, `{% if name == 'x' %}…{% endif %}` for a condition",
            ],
        ),
        (
            "{{ outfit }}",
            "{{ 'a' * 9 }}",
            &[
                "4:18 `clothed`: the template cannot be read: `*` is not available in templates; put texts side by side, as in `{{ a }}-{{ b }}` | write `{{ name }}` for a label or var, `{{ name | lower }}` for a filter, `{% if name == 'x' %}…{% endif %}` for a condition",
            ],
        ),
        (
            "{{ outfit }}",
            "{{ range(9) }}",
            &[
                "4:18 `clothed`: the template cannot be read: `range(` is not available in templates: nothing can be called | write `{{ name }}` for a label or var, `{{ name | lower }}` for a filter, `{% if name == 'x' %}…{% endif %}` for a condition",
            ],
        ),
        (
            "{{ subject }},",
            "{% raw %}{{ x }}{% endraw %},",
            &[
                "15:5 `prompt` still holds `{{` after rendering | a var holds braces as text, or a quote is missing: where braces are meant, write `{{ '{{' }}`",
            ],
        ),
    ]);
}

#[test]
fn a_seed_is_a_whole_number_that_fits() {
    check(&[
        (
            "seed: derived",
            "seed: -1",
            &[
                "13:9 `seed` must not be negative, is -1 | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
            ],
        ),
        (
            "seed: derived",
            "seed: 1.5",
            &[
                "13:9 `seed` must be a whole number in plain digits, is 1.5 | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
            ],
        ),
        (
            "seed: derived",
            "seed: 1e3",
            &[
                "13:9 `seed` must be a whole number in plain digits, is 1e3 | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
            ],
        ),
        (
            "seed: derived",
            "seed: 9223372036854775808",
            &[
                "13:9 `seed` must be at most 9223372036854775807, is 9223372036854775808 | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
            ],
        ),
        (
            "seed: derived",
            "seed: 5000000000",
            &["13:9 `seed` must be from 0 to 4294967295, is 5000000000 | write a number from 0 to 4294967295"],
        ),
        (
            "seed: derived",
            "seed: abc",
            &[
                "13:9 `seed` must be a whole number, is `abc` | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
            ],
        ),
        (
            "seed: derived",
            r#"seed: "5""#,
            &[
                r#"13:9 `seed` must be a number, is the text "5" | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`"#,
            ],
        ),
        (
            "seed: derived",
            "seed: [1]",
            &[
                "13:9 `seed` must be a single value, is a list | write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`",
            ],
        ),
        (
            "seed: derived",
            "seed: {}",
            &[
                "13:9 `derived` is missing | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
            ],
        ),
        (
            "seed: derived",
            "seed: { derived: category }",
            &["13:20 `derived` must be a list, is a single value | write `[a, b]`, or lines that begin with `- `"],
        ),
        (
            "seed: derived",
            "seed: { derived: [] }",
            &[
                "13:20 `derived` names no label, so that all images would get the same seed | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
            ],
        ),
    ]);
}

#[test]
fn a_number_out_of_range_is_told_with_the_range() {
    check(&[
        ("width: 128", "width: 0", &["11:10 `width` must be from 128 to 2048, is 0 | write a number from 128 to 2048"]),
        (
            "width: 128",
            "width: -5",
            &[
                "11:10 `width` must not be negative, is -5 | write the number of pixels in digits only: `width: 512`, `height: 768`",
            ],
        ),
        (
            "width: 128",
            "width: 2049",
            &["11:10 `width` must be from 128 to 2048, is 2049 | write a number from 128 to 2048"],
        ),
        (
            "width: 128",
            "width: 9999999999",
            &[
                "11:10 `width` must be at most 1000000, is 9999999999 | write the number of pixels in digits only: `width: 512`, `height: 768`",
            ],
        ),
        ("width: 128", r#"width: "12""#, &[r#"11:10 `width` must be a number, is the text "12" | remove the quotes"#]),
        (
            "height: 128",
            "height: 1e2",
            &[
                "12:11 `height` must be a whole number in plain digits, is 1e2 | write the number of pixels in digits only: `width: 512`, `height: 768`",
            ],
        ),
        ("steps: 30", "steps: 0", &["9:10 `steps` must be from 1 to 100, is 0 | write a number from 1 to 100"]),
        ("steps: 30", "steps: 101", &["9:10 `steps` must be from 1 to 100, is 101 | write a number from 1 to 100"]),
        (
            "steps: 30",
            "steps: 2.5",
            &["9:10 `steps` must be a whole number in plain digits, is 2.5 | write digits only: `steps: 30`"],
        ),
        (
            "guidance_scale: 7.5",
            "guidance_scale: 30.5",
            &["10:19 `guidance_scale` must be from 1 to 30, is 30.5 | write a number from 1 to 30"],
        ),
        (
            "guidance_scale: 7.5",
            "guidance_scale: .nan",
            &[
                "10:19 `guidance_scale` must be a number like 7.5, is `.nan` | write digits, with a point for a fraction: `guidance_scale: 7.5`",
            ],
        ),
        (
            "guidance_scale: 7.5",
            "guidance_scale: .inf",
            &[
                "10:19 `guidance_scale` must be a number like 7.5, is `.inf` | write digits, with a point for a fraction: `guidance_scale: 7.5`",
            ],
        ),
        (
            "guidance_scale: 7.5",
            r#"guidance_scale: "7""#,
            &[r#"10:19 `guidance_scale` must be a number, is the text "7" | remove the quotes"#],
        ),
        (
            "seed: derived",
            "seed: derived\n  take: -1",
            &["14:9 `take` must not be negative, is -1 | write digits only: `take: 1`"],
        ),
        (
            "steps: 30",
            "steps: [30]",
            &[
                "9:10 `steps` must be a single value, is a list | write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`",
            ],
        ),
    ]);
}

#[test]
fn a_part_of_a_setting_is_told_by_its_path() {
    check(&[
        (
            "seed: derived",
            "seed: derived\n  loras: style_42",
            &[
                "14:10 `loras` must be a list, is a single value | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: { model_name: style_42, strength: 0.6 }",
            &["14:10 `loras` must be a list, is a map | write `loras: [{ model_name: style_42, strength: 0.6 }]`"],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [style_42, ~, []]",
            &[
                "14:11 `loras[0]` must be a map, is a single value | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
                "14:21 `loras[1]` must be a map, is empty | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
                "14:24 `loras[2]` must be a map, is a list | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_name: style_42 }]",
            &["14:11 `loras[0].strength` is missing | write `loras: [{ model_name: style_42, strength: 0.6 }]`"],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{}]",
            &[
                "14:11 `loras[0].model_name` is missing | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
                "14:11 `loras[0].strength` is missing | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_nam: style_42, strenght: 0.6 }]",
            &[
                "14:13 `loras[0]` has no field `model_nam` | did you mean `model_name`?",
                "14:34 `loras[0]` has no field `strenght` | did you mean `strength`?",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_name: style_42, strength: 0.6, weight: 1 }]",
            &["14:50 `loras[0]` has no field `weight` | `loras[0]` has the fields `model_name`, `strength`"],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_name: style_42, strength: high }]",
            &[
                "14:45 `loras[0].strength` must be a number like 7.5, is `high` | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_name: style_42, strength: .nan }]",
            &[
                "14:45 `loras[0].strength` must be a number like 7.5, is `.nan` | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_name: style_42, strength: \"0.6\" }]",
            &["14:45 `loras[0].strength` must be a number, is the text \"0.6\" | remove the quotes"],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_name: ~, strength: [1] }]",
            &[
                "14:25 `loras[0].model_name` is empty | write a value behind the colon",
                "14:38 `loras[0].strength` must be a single value, is a list | write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_name: a, b, strength: 1 }]",
            &[
                "14:28 a comma inside `{ }` ends the text, so `b` is read as a field of its own | put the text into double quotes",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  embeddings: [easy]",
            &[
                "14:16 `embeddings[0]` must be a map, is a single value | write `embeddings: [{ model_name: style_42 }]`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  embeddings: [{ name: easy }]",
            &[
                "14:16 `embeddings[0].model_name` is missing | write `embeddings: [{ model_name: style_42 }]`",
                "14:18 `embeddings[0]` has no field `name` | `embeddings[0]` has the fields `model_name`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  hires_fix: true",
            &[
                "14:14 `hires_fix` must be a map, is a single value | write `hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  hires_fix: { strength: 0.5 }",
            &[
                "14:14 `hires_fix.target_width` is missing | write `hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }`",
                "14:14 `hires_fix.target_height` is missing | write `hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  hires_fix: { target_width: 10.5, target_height: -1, strength: x, upscaler: [Latent] }",
            &[
                "14:30 `hires_fix.target_width` must be a whole number in plain digits, is 10.5 | write `hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }`",
                "14:51 `hires_fix.target_height` must not be negative, is -1 | write `hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }`",
                "14:65 `hires_fix.strength` must be a number like 7.5, is `x` | write `hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }`",
                "14:78 `hires_fix.upscaler` must be a single value, is a list | write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  hires_fix:\n    target_width: 1024\n    target_heigth: 1024\n    strength: 0.5",
            &["16:5 `hires_fix` has no field `target_heigth` | did you mean `target_height`?"],
        ),
        (
            "seed: derived",
            "seed: derived\n  refiner: 0.8",
            &["14:12 `refiner` must be a map, is a single value | write `refiner: { switch_at: 0.8 }`"],
        ),
        (
            "seed: derived",
            "seed: derived\n  refiner: { at: 0.8 }",
            &[
                "14:12 `refiner.switch_at` is missing | write `refiner: { switch_at: 0.8 }`",
                "14:14 `refiner` has no field `at` | `refiner` has the fields `switch_at`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  refiner: {{ x }}",
            &[
                "14:12 a text that begins with `{{` needs quotes: to YAML it is a map | write \"{{ name }} …\" in double quotes, or put the text below `>-`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  clip_skip: two",
            &["14:14 `clip_skip` must be a whole number, is `two` | write digits only: `clip_skip: 2`"],
        ),
        (
            "seed: derived",
            "seed: derived\n  clip_skip: 2.5",
            &["14:14 `clip_skip` must be a whole number in plain digits, is 2.5 | write digits only: `clip_skip: 2`"],
        ),
        (
            "seed: derived",
            "seed: derived\n  enable_transparent_background: yes\n  restore_faces: \"true\"",
            &[
                "14:34 `enable_transparent_background` must be `true` or `false`, is `yes` | write it without quotes",
                "15:18 `restore_faces` must be `true` or `false`, is `true` | write it without quotes",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  sd_vae: [a]",
            &[
                "14:11 `sd_vae` must be a single value, is a list | write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  sd_vea: a",
            &["14:3 `defaults` has no field `sd_vea` | did you mean `sd_vae`?"],
        ),
    ]);
}

#[test]
fn a_part_that_novita_does_not_take_is_told_where_it_stands() {
    check(&[
        (
            "seed: derived",
            "seed: derived\n  sd_vae: \"\"",
            &["14:11 `sd_vae` must not be empty | write a name as Novita lists it"],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_name: a, strength: 1 }, { model_name: style_42.safetensors, strength: 1.5 }, { model_name: \"\", strength: -0.1 }]",
            &[
                "14:57 `loras[1].model_name` must not end with `.safetensors`, is `style_42.safetensors` | write `style_42`",
                "14:89 `loras[1].strength` must be from 0 to 1, is 1.5 | write a number from 0 to 1",
                "14:110 `loras[2].model_name` must not be empty | write a name as Novita lists it",
                "14:124 `loras[2].strength` must be from 0 to 1, is -0.1 | write a number from 0 to 1",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{ model_name: a, strength: x }, b, { model_name: c, strength: 2 }]",
            &[
                "14:38 `loras[0].strength` must be a number like 7.5, is `x` | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
                "14:43 `loras[1]` must be a map, is a single value | write `loras: [{ model_name: style_42, strength: 0.6 }]`",
                "14:73 `loras[2].strength` must be from 0 to 1, is 2 | write a number from 0 to 1",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  embeddings: [{ model_name: a }, { model_name: b }, { model_name: c }, { model_name: d }, { model_name: e }, { model_name: f }]",
            &["14:15 `embeddings` must have at most 5 entries, has 6 | keep the 5 that matter most"],
        ),
        (
            "seed: derived",
            "seed: derived\n  hires_fix: { target_width: 100, target_height: 5000, strength: 2, upscaler: latent }",
            &[
                "14:30 `hires_fix.target_width` must be from 128 to 4096, is 100 | write a number from 128 to 4096",
                "14:50 `hires_fix.target_height` must be from 128 to 4096, is 5000 | write a number from 128 to 4096",
                "14:66 `hires_fix.strength` must be from 0 to 1, is 2 | write a number from 0 to 1",
                "14:79 `hires_fix.upscaler` must be an upscaler of Novita, is `latent` | did you mean `Latent`?",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  hires_fix: { target_width: wide, target_height: 100, strength: 0.5 }",
            &[
                "14:30 `hires_fix.target_width` must be a whole number, is `wide` | write `hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }`",
                "14:51 `hires_fix.target_height` must be from 128 to 4096, is 100 | write a number from 128 to 4096",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  hires_fix: { target_width: 9999999999, target_height: 128, strength: 0.5 }",
            &[
                "14:30 `hires_fix.target_width` must be at most 1000000, is 9999999999 | write `hires_fix: { target_width: 1024, target_height: 1536, strength: 0.5 }`",
            ],
        ),
        (
            "seed: derived",
            "seed: derived\n  refiner: { switch_at: 80 }",
            &["14:25 `refiner.switch_at` must be from 0 to 1, is 80 | write a number from 0 to 1"],
        ),
        (
            "seed: derived",
            "seed: derived\n  clip_skip: 0",
            &["14:14 `clip_skip` must be from 1 to 12, is 0 | write a number from 1 to 12"],
        ),
        (
            "seed: derived",
            "seed: derived\n  loras: [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}]",
            &["14:10 `loras` must have at most 100 entries, has 101 | take some of them out"],
        ),
    ]);
}

#[test]
fn a_field_that_is_taken_away_is_missed_once_for_each_entry() {
    check(&[
        (
            "width: 128",
            "width: ~",
            &["22:5 `width` is not set | give it in pixels, as in `width: 512`; `age/18-19/realistic` needs it"],
        ),
        (
            "height: 128",
            "height:",
            &[
                "22:5 `height` is not set | give it in pixels, as in `height: 768`; `age/18-19/realistic` needs it",
                "28:5 `height` is not set | give it in pixels, as in `height: 768`; `hero/banner/realistic` needs it",
            ],
        ),
        (
            "steps: 30",
            "steps: null",
            &[
                "22:5 `steps` must be set for Novita | for instance 30; `age/18-19/realistic` needs it",
                "28:5 `steps` must be set for Novita | for instance 30; `hero/banner/realistic` needs it",
            ],
        ),
        (
            "with: { width: 256 }",
            "with: { prompt: ~, model: ~, sampler: ~, generator: ~ }",
            &[
                "28:5 `generator` is not set | name one, as in `generator: novita`; `hero/banner/realistic` needs it",
                "28:5 `prompt` is not set | say what the picture shows, under `defaults` or `with`; `hero/banner/realistic` needs it",
            ],
        ),
    ]);
}

#[test]
fn a_sampler_or_generator_that_is_not_known_is_told() {
    check(&[
        (
            "sampler: DPM++ 2M Karras",
            "sampler: dpmpp_2m_karras",
            &["8:12 `sampler` must be a sampler of Novita, is `dpmpp_2m_karras` | did you mean `DPM++ 2M Karras`?"],
        ),
        (
            "sampler: DPM++ 2M Karras",
            "scheduler: karras\n  sampler: Euler A",
            &[
                "8:14 Novita has no field `scheduler` | Novita has no schedulers; the sampler's name says it, as in `DPM++ 2M Karras`",
                "9:12 `sampler` must be a sampler of Novita, is `Euler A` | did you mean `Euler a`?",
            ],
        ),
        (
            "generator: novita",
            "generator: no vita",
            &[
                "6:14 `generator` cannot be `no vita`: use letters, digits, `-` and `_`, a letter first, at most 100 | use a name that the environment lists under `generators`",
            ],
        ),
    ]);
}

#[test]
fn two_assets_never_share_a_key() {
    check(&[
        (
            "category: hero, value: banner",
            "category: age, value: 70+",
            &[
                "28:5 the key `age/70+/realistic` is declared twice: here, and on line 22 | change a label of one of them, or add a label to `key` that tells them apart",
            ],
        ),
        (
            "category: hero, value: banner",
            "category: AGE, value: 70+",
            &[
                "23:17 the label `age` differs from `AGE` (line 28) only in case | write both alike, or rename one of them: file names may not tell them apart",
                "28:21 the label `AGE` differs from `age` (line 23) only in case | write both alike, or rename one of them: file names may not tell them apart",
            ],
        ),
        (
            "key: [category, value, style]",
            "key: [category, style]",
            &[
                "22:5 the key `age/realistic` is declared twice: here, and on line 22 | change a label of one of them, or add a label to `key` that tells them apart",
                "32:3 the cell `age/70+/anime` matches no asset | keys here look like `age/realistic`",
                "33:3 the cell `*/*/anime` matches no asset | did you mean `age/anime`?",
            ],
        ),
    ]);
}

#[test]
fn a_key_names_labels_that_every_entry_has() {
    check(&[
        (
            "key: [category, value, style]",
            "key: [category, value, category, style]",
            &["3:24 `category` stands in `key` twice | remove one of the two"],
        ),
        (
            "key: [category, value, style]",
            "key:",
            &["3:5 `key` must be a list, is empty | write `[a, b]`, or lines that begin with `- `"],
        ),
        (
            "key: [category, value, style]",
            "key: category",
            &["3:6 `key` must be a list, is a single value | write `[a, b]`, or lines that begin with `- `"],
        ),
        (
            "key: [category, value, style]",
            "key: []",
            &[
                "3:6 `key` names no label | name the labels that tell images apart, as in `key: [category, value, style]`",
            ],
        ),
        (
            "key: [category, value, style]",
            "key: [created_at, value, style]",
            &[
                "3:7 a key label cannot be called `created_at` | the published table has a column of that name",
                "22:5 this entry has no `created_at`, which is part of the key | add `created_at: value`, or take `created_at` out of `key`",
                "28:5 this entry has no `created_at`, which is part of the key | add `created_at: value`, or take `created_at` out of `key`",
            ],
        ),
        (
            "key: [category, value, style]",
            "key: [category, valeu, style]",
            &[
                "22:5 this entry has no `valeu`, which is part of the key | it has `value`: did you mean that?",
                "28:5 this entry has no `valeu`, which is part of the key | it has `value`: did you mean that?",
            ],
        ),
        (
            "value: banner, style: realistic",
            "value: banner",
            &[
                "28:5 this entry has no `style`, which is part of the key | add `style: value`, or take `style` out of `key`",
            ],
        ),
        (
            "value: banner",
            "value: [a, b]",
            &["28:38 `at` is one image, and `value` has 2 values | use `matrix` for several"],
        ),
        (
            "at: { category: hero, value: banner, style: realistic }",
            "at:",
            &["28:8 `at` must be a map, is empty | write `name: value` lines, indented below it"],
        ),
    ]);
}

#[test]
fn a_label_value_is_plain() {
    check(&[
        (
            "category: age\n",
            "category: a/b\n",
            &["23:17 `a/b` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them"],
        ),
        (
            "category: age\n",
            "category: a b\n",
            &["23:17 `a b` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them"],
        ),
        (
            "category: age\n",
            "category: \"a*\"\n",
            &["23:17 `a*` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them"],
        ),
        (
            "category: age\n",
            "category: ..\n",
            &["23:17 `..` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them"],
        ),
        (
            "category: age\n",
            "category: \"\"\n",
            &["23:17 `` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them"],
        ),
        (
            "category: age\n",
            "category: ü\n",
            &["23:17 `ü` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them"],
        ),
        (
            "category: age\n",
            "category: \"a\\nb\"\n",
            &["23:17 `a b` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them"],
        ),
        (
            "category: age\n",
            "category: \"\\e[31m\"\n",
            &["23:17 ` [31m` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them"],
        ),
        (
            "category: age\n",
            "category: []\n",
            &[
                "23:7 the axis `category` has no values | write `category: value`, `category: [a, b]`, or a map of values",
            ],
        ),
        ("category: age\n", "category: [a, a]\n", &["23:21 the value `a` stands here twice | remove one of the two"]),
        (
            "category: age\n",
            "category: [[a]]\n",
            &[
                "23:18 a label's value must be a single value, is a list | write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`",
            ],
        ),
        (
            "category: age\n",
            "category: { a: x }\n",
            &["23:22 the value `a` must be a map, is a single value | write `name: value` lines, indented below it"],
        ),
        (
            "category: age\n",
            "category: \n",
            &[
                "23:7 the axis `category` has no values | write `category: value`, `category: [a, b]`, or a map of values",
            ],
        ),
        (
            "category: age\n",
            "category: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
            &[
                "23:17 `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them",
            ],
        ),
    ]);
}

#[test]
fn a_name_that_means_something_already_is_refused() {
    check(&[
        (
            "outfit: a coat",
            r#"outfit: a coat, seed: x, "a-b": c"#,
            &[
                "29:47 `seed` cannot be the name of a var | choose another name: this one has a meaning in templates already",
                "29:56 `a-b` cannot be the name of a var | use letters, digits and `_`, a letter first",
            ],
        ),
        ("outfit: a coat", "outfit: a coat, value: x", &["29:54 `value` is a label and a var | rename one of the two"]),
        (
            "renditions:\n",
            "renditions:\n  style: { format: png, path: \"t/{{ digest }}.{{ ext }}\" }\n",
            &["35:3 `style` is a rendition, and a label or var too | rename one of the two"],
        ),
        (
            "renditions:\n",
            "renditions:\n  url: { format: png, path: \"t/{{ digest }}.{{ ext }}\" }\n",
            &["35:3 a rendition cannot be called `url` | this name has a meaning in templates already"],
        ),
        (
            "renditions:\n",
            "renditions:\n  true: { format: png, path: \"t/{{ digest }}.{{ ext }}\" }\n",
            &["35:3 a rendition cannot be called `true` | this name has a meaning in templates already"],
        ),
        (
            "renditions:\n",
            "renditions:\n  a b: { format: png, path: \"t/{{ digest }}.{{ ext }}\" }\n",
            &[
                "35:3 `a b` is not a rendition name: use letters, digits and `_`, a letter first, at most 100 | rename it",
            ],
        ),
        (
            "  main: {",
            "  mian: {",
            &[
                r#"34:1 `renditions` has no `main` | write `main: { format: jpeg, path: "pictures/{{ value }}-{{ digest }}.{{ ext }}" }` below it"#,
            ],
        ),
        (
            "collection: portraits",
            "collection: My Portraits",
            &[
                "2:13 `My Portraits` is not a collection name: use lower-case letters, digits, `-` and `_`, a letter first, at most 100 | change the value of `collection`",
            ],
        ),
    ]);
}

#[test]
fn a_path_stays_inside_and_changes_with_its_bytes() {
    check(&[
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "/abs/{{ digest }}",
            &[
                "35:44 the path must begin with a folder that is plain text | write it as in `pictures/{{ value }}-{{ digest }}.{{ ext }}`",
                "35:44 the path of `age/18-19/realistic` would be `/abs/…`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "../x-{{ digest }}",
            &[
                "35:44 the path of `age/18-19/realistic` would be `../x-…`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "p/../{{ digest }}",
            &[
                "35:44 the path of `age/18-19/realistic` would be `p/../…`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "./p/{{ digest }}",
            &[
                "35:44 the path of `age/18-19/realistic` would be `./p/…`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "{{ category }}/{{ digest }}",
            &[
                "35:44 the path must begin with a folder that is plain text | write it as in `pictures/{{ value }}-{{ digest }}.{{ ext }}`",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "originals/{{ digest }}",
            &["35:44 the folder `originals` is kept for originals | choose another folder for published files"],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "Originals/{{ digest }}",
            &["35:44 the folder `originals` is kept for originals | choose another folder for published files"],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "p//{{ digest }}",
            &[
                "35:44 the path of `age/18-19/realistic` would be `p//…`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "p/ü{{ digest }}",
            &[
                "35:44 the path of `age/18-19/realistic` would be `p/ü…`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "p/a b{{ digest }}",
            &[
                "35:44 the path of `age/18-19/realistic` would be `p/a b…`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "p/%2e%2e/{{ digest }}",
            &[
                "35:44 the path of `age/18-19/realistic` would be `p/%2e%2e/…`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "p/{{ digest }}/",
            &[
                "35:44 the path of `age/18-19/realistic` would be `p/…/`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "{{ digest }}.{{ ext }}",
            &[
                "35:44 the path has no folder | begin it with a folder, as in `pictures/{{ value }}-{{ digest }}.{{ ext }}`",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "p/x.{{ ext }}",
            &[
                "35:44 the path does not change with `{{ digest }}` | put `{{ digest }}` into the file name: a published file never changes, so its name has to",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "p/{{ digest | length }}",
            &[
                "35:44 the path does not change with `{{ digest }}` | put `{{ digest }}` into the file name: a published file never changes, so its name has to",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            r#"p/\e{{ digest }}"#,
            &[
                "35:44 the path of `age/18-19/realistic` would be `p/…`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
        (
            "p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}",
            "p/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{ digest }}",
            &[
                "35:44 the path of `age/18-19/realistic` would be `p/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
            ],
        ),
    ]);
}

#[test]
fn what_matches_nothing_is_told() {
    check(&[
        (
            "value: 18-19, style: anime",
            "value: 18-20, style: anime",
            &["27:24 `value` has no value `18-20` | it has `18-19`, `70+`"],
        ),
        (
            "exclude: [{ value: 18-19, style: anime }]",
            "exclude: [{ valeu: 18-19 }]",
            &["27:17 this matrix has no label `valeu` | did you mean `value`?"],
        ),
        (
            "exclude: [{ value: 18-19, style: anime }]",
            "exclude: [{}]",
            &["27:15 this excludes nothing: it names no label | remove it, or name labels and values of this matrix"],
        ),
        (
            "exclude: [{ value: 18-19, style: anime }]",
            "exclude: { value: 18-19 }",
            &["27:14 `exclude` must be a list, is a map | write `[a, b]`, or lines that begin with `- `"],
        ),
        (
            "age/70+/anime:",
            "age/70/anime:",
            &["32:3 the cell `age/70/anime` matches no asset | did you mean `age/70+/anime`?"],
        ),
        (
            "age/70+/anime:",
            "age/70+:",
            &["32:3 the cell `age/70+` matches no asset | keys here look like `age/18-19/realistic`"],
        ),
        (
            "age/70+/anime:",
            r#""a b":"#,
            &[
                "32:3 `a b` is no key glob; write label values joined by `/`, with `*` for any text within one of them | write it as in `age/*/anime`, in quotes if it begins with `*`",
            ],
        ),
        (
            "renditions:\n",
            "moved: [{ from: x/*/*, to: agge/*/* }]\nrenditions:\n",
            &[
                "34:9 `to: agge/*/*` matches no declared asset | name a key that this manifest declares, as in `age/18-19/realistic`",
            ],
        ),
        (
            "renditions:\n",
            "moved: [{ from: x/*/*, to: age/70+/* }]\nrenditions:\n",
            &["34:9 `from` and `to` have different numbers of `*` | the n-th `*` of `to` is the n-th of `from`"],
        ),
        (
            "renditions:\n",
            "moved: [{ from: x/*/* }]\nrenditions:\n",
            &["34:9 `to` is missing | write `{ from: age/teen/*, to: age/18-19/* }`"],
        ),
        (
            "renditions:\n",
            "removed: [ \"age/*/*\" ]\nrenditions:\n",
            &[
                "34:12 `age/*/*` is expected to be removed, and `age/18-19/realistic` and 2 more is still declared | take the asset out of `images`, or this line out of `removed`",
            ],
        ),
        (
            "category: age\n",
            "category: old\n",
            &["32:3 the cell `age/70+/anime` matches no asset | did you mean `old/70+/anime`?"],
        ),
    ]);
}

#[test]
fn a_table_that_is_not_the_products_is_refused() {
    check(&[
        (
            "table: portraits",
            "table: pixform.x",
            &[
                "37:10 `pixform.x` is not a table name: system schemas and `pixform` are not for published tables | change the value of `table`",
            ],
        ),
        (
            "table: portraits",
            "table: pixform_x",
            &[
                "37:10 `pixform_x` is not a table name: names that begin with `pixform_`, `sqlite_` or `pg_` are taken by the systems themselves | change the value of `table`",
            ],
        ),
        (
            "table: portraits",
            "table: pg_catalog.x",
            &[
                "37:10 `pg_catalog.x` is not a table name: system schemas and `pixform` are not for published tables | change the value of `table`",
            ],
        ),
        (
            "table: portraits",
            "table: information_schema.x",
            &[
                "37:10 `information_schema.x` is not a table name: system schemas and `pixform` are not for published tables | change the value of `table`",
            ],
        ),
        (
            "table: portraits",
            "table: sqlite_master",
            &[
                "37:10 `sqlite_master` is not a table name: names that begin with `pixform_`, `sqlite_` or `pg_` are taken by the systems themselves | change the value of `table`",
            ],
        ),
        (
            "table: portraits",
            r#"table: "My Table""#,
            &[
                r#"37:10 `My Table` is not a table name: write `name` or `schema.name`, at most 63 letters each; a name with capitals or spaces needs quotes of its own, as in `table: '"My Table"'` | change the value of `table`"#,
            ],
        ),
        (
            "table: portraits",
            "table: a.b.c",
            &[
                r#"37:10 `a.b.c` is not a table name: write `name` or `schema.name`, at most 63 letters each; a name with capitals or spaces needs quotes of its own, as in `table: '"My Table"'` | change the value of `table`"#,
            ],
        ),
        (
            "table: portraits",
            "table: a;drop table x",
            &[
                r#"37:10 `a;drop table x` is not a table name: write `name` or `schema.name`, at most 63 letters each; a name with capitals or spaces needs quotes of its own, as in `table: '"My Table"'` | change the value of `table`"#,
            ],
        ),
        ("table: portraits", "table: ", &["37:9 `table` is empty | write a value behind the colon"]),
        (
            "table: portraits",
            "table: [a]",
            &[
                "37:10 `table` must be a single value, is a list | write it on one line, in quotes if it holds `{`, `[`, `: ` or ` #`",
            ],
        ),
        (
            "table: portraits",
            "table: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            &[
                r#"37:10 `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` is not a table name: write `name` or `schema.name`, at most 63 letters each; a name with capitals or spaces needs quotes of its own, as in `table: '"My Table"'` | change the value of `table`"#,
            ],
        ),
    ]);
}

#[test]
fn a_column_has_a_plain_name_of_its_own() {
    check(&[
        (
            r#"label: "{{ value }} x""#,
            r#"label: "{{ url_base }}""#,
            &["38:89 `url_base` is not defined here | write `{{ url }}`: it begins with that"],
        ),
        (
            r#"label: "{{ value }} x""#,
            r#"category: "{{ value }} x""#,
            &["38:82 `category` is a key column already | remove it: key columns are written by themselves"],
        ),
        (
            r#"label: "{{ value }} x""#,
            r#"id: "{{ value }} x""#,
            &["38:82 `id` cannot be a published column | `id`, `created_at` and `updated_at` are the table's own"],
        ),
        (
            r#"label: "{{ value }} x""#,
            r#"created_at: "{{ value }} x""#,
            &[
                "38:82 `created_at` cannot be a published column | `id`, `created_at` and `updated_at` are the table's own",
            ],
        ),
        (
            r#"label: "{{ value }} x""#,
            r#""\e": "{{ value }} x""#,
            &[
                "38:82 `\u{1b}` cannot be a published column | write the column's name as it is, without quotes of its own: at most 63 bytes, on one line",
            ],
        ),
        (
            r#"label: "{{ value }} x""#,
            r#""": "{{ value }} x""#,
            &[
                "38:82 `` cannot be a published column | write the column's name as it is, without quotes of its own: at most 63 bytes, on one line",
            ],
        ),
        (r#"label: "{{ value }} x""#, "label: ~", &["38:89 `label` is empty | write a value behind the colon"]),
    ]);
}

#[test]
fn a_rendition_is_a_format_with_bounds() {
    check(&[
        ("quality: 90", "quality: 0", &["35:34 `quality` must be at least 1, is 0 | write 1 to 100"]),
        ("quality: 90", "quality: 101", &["35:34 `quality` must be at most 100, is 101 | write 1 to 100"]),
        ("quality: 90", "quality: -1", &["35:34 `quality` must not be negative, is -1 | write 1 to 100"]),
        ("quality: 90", r#"quality: "5""#, &[r#"35:34 `quality` must be a number, is the text "5" | write 1 to 100"#]),
        ("quality: 90", "width: 0", &["35:32 `width` must be at least 1, is 0 | write 1 to 8192"]),
        ("quality: 90", "width: 8193", &["35:32 `width` must be at most 8192, is 8193 | write 1 to 8192"]),
        (
            "quality: 90",
            "width: 99999999999",
            &["35:32 `width` must be at most 8192, is 99999999999 | write 1 to 8192"],
        ),
        (
            "quality: 90",
            "fit: cover",
            &["35:30 `fit` needs both `width` and `height` | with one of them the proportions are kept"],
        ),
        ("quality: 90", "width: 5, height: 5, fit: covr", &["35:51 `covr` is no fit | did you mean `cover`?"]),
        ("format: jpeg", "format: png", &["35:33 PNG has no `quality`: it is lossless | remove it, or use `webp`"]),
        ("format: jpeg", "format: jpg", &["35:19 `jpg` is no format | did you mean `jpeg`?"]),
        ("format: jpeg", "format: gif", &["35:19 `gif` is no format | write `jpeg`, `png`, `webp`, `avif`"]),
        ("format: jpeg, ", "", &["35:9 `format` is missing | write `format: jpeg`, `png`, `webp` or `avif`"]),
    ]);
}

#[test]
fn a_manifest_has_its_parts() {
    check(&[
        ("version: 1\n", "", &["1:1 `version` is missing | begin the file with `version: 1`"]),
        ("version: 1", "version: 2", &["1:10 version `2` is not known | write `version: 1`, or use a newer pixform"]),
        ("version: 1", r#"version: "1""#, &[r#"1:10 `version` must be a number, is the text "1" | remove the quotes"#]),
        (
            "collection: portraits\n",
            "",
            &["1:1 `collection` is missing | name what the pictures are, as in `collection: attribute-images`"],
        ),
        ("hold: true", "hold: yes", &["33:24 `hold` must be `true` or `false`, is `yes` | write it without quotes"]),
    ]);
}

#[test]
fn all_mistakes_of_a_manifest_are_told_at_once_and_nothing_is_written() {
    let source = GOOD
        .replace("  sampler:", "  smapler:")
        .replace("steps: 30", "steps: x")
        .replace("{{ subject }}", "{{ subjct }}")
        .replace("width: 256", "width: 0")
        .replace("age/70+/anime", "age/80+/anime")
        .replace("format: jpeg", "format: jpg")
        .replace("table: portraits", "table: pixform_x");
    let desk = Desk::with(source);
    for args in [&["apply", "--yes", "--json"][..], &["plan", "--json"], &["validate", "--json"]] {
        let ran = desk.run(args);
        assert_eq!(ran.code, 1);
        let places: Vec<_> =
            ran.diagnostics().into_iter().map(|(_, words)| words.split(' ').next().unwrap().to_owned()).collect();
        assert_eq!(places, ["8:3", "9:10", "15:38", "30:20", "32:3", "35:19", "37:10"], "{}", ran.all());
    }
    assert!(!desk.path(".pixform").exists());
}

#[test]
fn a_report_has_file_line_column_text_and_help() {
    let ran = Desk::with(GOOD.replace("  sampler:", "  smapler:")).run(&["plan"]);
    insta::assert_snapshot!(ran.all(), @r#"
    no pixform.yaml here: using the built-in environment `local` (SQLite and files in .pixform, placeholder pictures)
    error: `defaults` has no field `smapler`
     --> manifests/x.yaml:8:3
      |
    8 |   smapler: DPM++ 2M Karras
      |   ^^^^^^^
      = help: did you mean `sampler`?
    error: 1 manifest cannot be used
    next: pixform validate
    "#);
}

#[test]
fn a_bad_manifest_stops_its_own_collection_only() {
    let desk = Desk::with(GOOD);
    desk.write("manifests/bad.yaml", GOOD.replace("portraits", "others").replace("steps: 30", "steps: x"));
    let ran = desk.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 1, "{}", ran.all());
    assert!(ran.stdout.contains("Applied: 4 generated"), "{}", ran.all());
    assert!(ran.stderr.contains("--> manifests/bad.yaml:9:10"), "{}", ran.all());
    assert!(!ran.all().contains("others:"), "{}", ran.all());
}

#[test]
fn a_collection_that_two_manifests_declare_is_told_at_its_name() {
    let desk = Desk::with(GOOD);
    desk.write("manifests/y.yaml", GOOD);
    let ran = desk.run(&["apply", "--yes"]);
    assert_eq!(ran.code, 1);
    assert!(!desk.path(".pixform").exists());
    insta::assert_snapshot!(ran.all(), @r#"
    no pixform.yaml here: using the built-in environment `local` (SQLite and files in .pixform, placeholder pictures)
    error: the collection `portraits` is declared in manifests/x.yaml already
     --> manifests/y.yaml:2:13
      |
    2 | collection: portraits
      |             ^^^^^^^^^
      = help: rename one of them: a collection's name is unique in an environment
    error: 2 manifests cannot be used
    next: pixform validate
    "#);
}

#[test]
fn a_file_that_is_no_manifest_is_told() {
    let told = |source: &[u8]| {
        let ran = Desk::with(source).run(&["plan", "--json"]);
        assert_eq!(ran.code, 1, "{}", ran.all());
        ran.diagnostics().into_iter().map(|(_, words)| words).collect::<Vec<_>>().join("\n")
    };
    let long = [b"# ".as_slice(), &b"x".repeat(50 << 20)].concat();
    let not_utf8 = GOOD.replace("a coat", "a c\u{0}at").into_bytes();
    let not_utf8: Vec<u8> = not_utf8.into_iter().map(|byte| if byte == 0 { 0xff } else { byte }).collect();
    insta::assert_snapshot!(told(b""), @r#"1:1 the file is empty | `pixform init` writes a first one to start from"#);
    insta::assert_snapshot!(told(b"# nothing\n"), @r#"1:1 the file is empty | `pixform init` writes a first one to start from"#);
    insta::assert_snapshot!(told(b"- a\n"), @r#"1:1 a manifest must be a map, is a list | write `name: value` lines, indented below it"#);
    insta::assert_snapshot!(told(b"hello\n"), @r#"1:1 a manifest must be a map, is a single value | write `name: value` lines, indented below it"#);
    insta::assert_snapshot!(told(&not_utf8), @r#"29:42 the manifest is not UTF-8 from here on | save the file as UTF-8"#);
    insta::assert_snapshot!(told(&long), @r#"1:1 the manifest has more than 32 MiB | split it into several collections"#);
    insta::assert_snapshot!(told(format!("{GOOD}---\n{GOOD}").as_bytes()), @r#"39:1 a second document begins here | one file holds one document: remove the line `---`, or put the rest into a file of its own"#);
}

#[test]
fn a_manifest_that_cannot_be_read_is_told() {
    let desk = Desk::with(GOOD);
    std::os::unix::fs::symlink("nowhere", desk.path("manifests/link.yaml")).unwrap();
    let told = |args: &[&str]| {
        let ran = desk.run(args);
        assert_eq!(ran.code, 1, "{args:?}: {}", ran.all());
        let lines: Vec<&str> = ran.stderr.lines().filter(|line| !line.starts_with("no pixform.yaml")).collect();
        lines.join("\n")
    };
    insta::assert_snapshot!(told(&["plan", "nope.yaml"]), @r#"
    error: `nope.yaml` cannot be read: No such file or directory (os error 2)
      help: check the name, and the folder that you are in
    error: 1 manifest cannot be used
    next: pixform validate
    "#);
    insta::assert_snapshot!(told(&["plan", "manifests"]), @r#"
    error: `manifests` cannot be read: it is a folder, not a file
      help: name the files in it, as in `manifests/*.yaml`
    error: 1 manifest cannot be used
    next: pixform validate
    "#);
    insta::assert_snapshot!(told(&["validate"]), @r#"
    error: `manifests/link.yaml` cannot be read: No such file or directory (os error 2)
      help: check the name, and the folder that you are in
    error: 1 manifest cannot be used
    next: pixform validate
    "#);
    insta::assert_snapshot!(told(&["-C", "nope", "plan"]), @r#"
    error: `nope` is no folder that can be entered: No such file or directory (os error 2)
      help: name a folder that exists, and that you may enter
    "#);
    insta::assert_snapshot!(told(&["--config", "nope.yaml", "plan"]), @r#"
    error: `nope.yaml` cannot be read: No such file or directory (os error 2)
      help: check the name, and the folder that you are in
    "#);
}

#[test]
fn a_manifest_is_found_by_any_name_that_leads_to_it() {
    let desk = Desk::with(GOOD);
    std::os::unix::fs::symlink("manifests/x.yaml", desk.path("link.yaml")).unwrap();
    let absolute = desk.path("manifests/x.yaml");
    for (folder, args) in [
        (desk.path(""), ["plan", absolute.to_str().unwrap()]),
        (desk.path(""), ["plan", "link.yaml"]),
        (desk.path("manifests"), ["plan", "../link.yaml"]),
        (desk.path("manifests"), ["plan", "x.yaml"]),
        (std::env::temp_dir(), ["-C", desk.path("").to_str().unwrap()]),
    ] {
        let mut args = args.to_vec();
        if args[0] == "-C" {
            args.push("plan");
        }
        let ran = desk.run_in(&folder, &args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.all());
        assert!(ran.stdout.contains("Plan: 4 to generate"), "{args:?}: {}", ran.all());
    }
}

#[test]
fn a_selection_that_matches_nothing_is_an_error() {
    let desk = Desk::with(GOOD);
    for (args, words) in [
        (&["plan", "--only", "zzz/*/*"][..], "`zzz/*/*` matches no asset"),
        (&["plan", "--only", "age/*/*", "--only", "style=nope"], "`style=nope` matches no asset"),
        (&["plan", "--except", "stile=anime"], "`stile=anime` matches no asset"),
        (&["apply", "--yes", "--only", "other:age/*/*"], "`other:age/*/*` matches no asset"),
        (&["list", "--only", "age"], "`age` matches no asset"),
        (&["check", "--only", "x=y"], "`x=y` matches no asset"),
        (&["plan", "--only", "a b"], "`a b` is no key glob"),
    ] {
        let ran = desk.run(args);
        assert_eq!((ran.code, ran.stderr.contains(words)), (1, true), "{args:?}: {}", ran.all());
    }
    assert!(!desk.path(".pixform").exists());
    assert_eq!(desk.run(&["apply", "--yes", "--only", "age/*/*"]).code, 0);
    // What is only recorded can be selected too: that is how one deletes a part.
    desk.write(
        "manifests/x.yaml",
        GOOD.replace("exclude: [{ value: 18-19, style: anime }]", "exclude: [{ value: 18-19 }]"),
    );
    let ran = desk.run(&["plan", "--only", "value=18-19"]);
    assert!(ran.code == 0 && ran.stdout.contains("1 to delete"), "{}", ran.all());
}

#[test]
fn an_environment_that_does_not_exist_is_told_with_those_that_do() {
    let desk = Desk::with(GOOD.replace("generator: novita", "generator: novtia"));
    let told = |variables: &[(&str, &str)], args: &[&str]| {
        let ran = desk.run_with(&desk.path(""), args, variables);
        assert_eq!(ran.code, 1, "{args:?}: {}", ran.all());
        ran.stderr
    };
    insta::assert_snapshot!(told(&[("PIXFORM_ENV", "prod")], &["plan"]), @r#"error: there is no pixform.yaml here or above, and without it the only environment is `local`, not `prod`; write one with `pixform init`"#);
    let environment = "state: \"sqlite:${NOT_SET}\", storage: { url: \"file:s\" }";
    let generators = "generators: { novita: { kind: placeholder, checks_as: novita } }";
    desk.write(
        "pixform.yaml",
        format!(
            "version: 1\ndefault_environment: local\nenvironments:\n  local: {{ state: sqlite:s.db, storage: {{ url: \"file:s\" }}, {generators} }}\n  production: {{ {environment}, {generators} }}\n"
        ),
    );
    insta::assert_snapshot!(told(&[("PIXFORM_ENV", "prodcution")], &["plan"]), @r#"error: pixform.yaml has no environment `prodcution`; did you mean `production`?"#);
    insta::assert_snapshot!(told(&[], &["--env", "production", "plan"]), @r#"
    error: the variable `NOT_SET` is not set, or empty
     --> pixform.yaml:5:32
      |
    5 |   production: { state: "sqlite:${NOT_SET}", storage: { url: "file:s" }, generators: { novita: { ki…
      |                                ^^^^^^^^^^
      = help: set it, as in `export NOT_SET=…`, or name a file with a line `NOT_SET=…`, as in `env_file: .env.local`
    "#);
    insta::assert_snapshot!(told(&[], &["plan"]), @r#"
    error: the environment `local` has no generator `novtia`
     --> manifests/x.yaml:6:14
      |
    6 |   generator: novtia
      |              ^^^^^^
      = help: did you mean `novita`?
    error: 1 manifest cannot be used
    next: pixform validate
    "#);
}
