//! Whole manifests, good and bad.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::generator::PLACEHOLDER;

const GOOD: &str = "\
version: 1
collection: portraits
key: [category, value, style]
vars: { clothed: \"fully clothed in {{ outfit }}\" }
defaults:
  generator: novita
  model: sd_xl
  sampler: DPM++ 2M Karras
  steps: 30
  guidance_scale: 7.5
  width: 512
  height: 768
  seed: derived
  prompt: >-
    {{ look }}, one adult person, {{ subject }},
    {{ clothed }}
axes:
  style:
    realistic: { vars: { look: photograph } }
    anime: { vars: { look: illustration }, with: { steps: 28 } }
images:
  - matrix:
      category: age
      value:
        18-19: { vars: { subject: a student, outfit: a shirt } }
        70+: { vars: { subject: an old man, outfit: a jacket } }
    exclude: [{ value: 18-19, style: anime }]
  - at: { category: hero, value: banner, style: realistic }
    vars: { subject: a woman, outfit: a coat }
    with: { width: 1024 }
cells:
  age/70+/anime: { with: { seed: 7 }, protect: true }
  \"*/*/anime\": { hold: true }
renditions:
  main: { format: jpeg, quality: 90, path: \"p/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}\" }
publish:
  table: portraits
  columns: { image_url: \"{{ url }}\", seed: \"{{ seed }}\", prompt: \"{{ prompt }}\", label: \"{{ value }} x\" }
";

fn rules() -> Rules {
    let any = GeneratorRules { kind: PLACEHOLDER, checks: PLACEHOLDER };
    Rules {
        environment: "local".to_owned(),
        generators: BTreeMap::new(),
        any_generator: Some(any),
        elsewhere: BTreeSet::new(),
        images_max: IMAGES_MAX,
        tables: None,
        url_base: "/files/".to_owned(),
    }
}

fn load(source: &str) -> (Manifest, Heads) {
    Manifest::load("m.yaml", source, rules()).unwrap_or_else(|error| panic!("{:#?}", error.mistakes))
}

/// Edits the good manifest and returns the mistakes.
fn mistakes(from: &str, to: &str) -> Vec<String> {
    assert!(GOOD.contains(from), "{from}");
    match Manifest::load("m.yaml", &GOOD.replacen(from, to, 1), rules()) {
        Ok(_) => Vec::new(),
        Err(error) => {
            error.located().map(|(line, column, at)| format!("{line}:{column} {} | {}", at.message, at.help)).collect()
        }
    }
}

#[test]
fn a_manifest_becomes_its_assets_in_order() {
    let (manifest, heads) = load(GOOD);
    let keys: Vec<&str> = heads.all().iter().map(|head| head.key.as_str()).collect();
    assert_eq!(keys, ["age/18-19/realistic", "age/70+/realistic", "age/70+/anime", "hero/banner/realistic"]);
    let asset = manifest.asset(2);
    assert_eq!(asset.recipe.prompt, "illustration, one adult person, an old man, fully clothed in a jacket");
    assert_eq!((asset.recipe.fields.count("steps"), asset.recipe.seed.map(|seed| seed.get())), (Some(28), Some(7)));
    assert_eq!((asset.protect, asset.hold), (Some(true), true));
    assert_eq!(asset.vars["clothed"], "fully clothed in a jacket");
    assert_eq!(asset.places["subject"].line, 26);
    assert_eq!(asset.row.as_ref().unwrap().inputs["seed"], "7");
    let hero = manifest.asset(3);
    assert_eq!((hero.recipe.width, hero.recipe.prompt.starts_with("photograph, ")), (1024, true));
    assert_eq!(manifest.warnings, []);
}

#[test]
fn settings_with_parts_come_through_all_layers() {
    let set = "  loras: [{ model_name: style_42, strength: 0.6 }]\n  hires_fix: { target_width: 1024, target_height: 1536, \
               strength: 0.5, upscaler: Latent }\n  refiner: { switch_at: 0.8 }\n  clip_skip: 2\n  restore_faces: true\n";
    let source = GOOD
        .replace("  seed: derived\n", &format!("  seed: derived\n{set}"))
        .replace("with: { steps: 28 }", "with: { loras: [], refiner: ~, embeddings: [{ model_name: easy }] }")
        .replace("with: { seed: 7 }", "with: { seed: 7, hires_fix: ~, clip_skip: ~, restore_faces: false }");
    let (manifest, _) = load(&source);
    let [first, last] = [0, 2].map(|index| manifest.asset(index).recipe);
    assert_eq!((first.picture_size(), first.width, first.height), ((1024, 1536), 512, 768));
    let told = |recipe: &crate::asset::Recipe| {
        let fields = recipe.fields.iter().map(|(name, value)| format!("{name}={value}"));
        fields.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        told(&first),
        "clip_skip=2 guidance_scale=7.5 hires_fix={\"strength\":0.5,\"target_height\":1536,\"target_width\":1024,\"upscaler\":\"Latent\"} \
         loras=[{\"model_name\":\"style_42\",\"strength\":0.6}] refiner={\"switch_at\":0.8} restore_faces=true sampler=DPM++ 2M Karras steps=30"
    );
    assert_eq!(
        told(&last),
        "embeddings=[{\"model_name\":\"easy\"}] guidance_scale=7.5 sampler=DPM++ 2M Karras steps=30"
    );
}

/// Fields that came later reserve no name: a var, a label or a rendition that has one keeps its meaning.
#[test]
fn a_var_that_is_called_as_a_further_field_is_still_a_var() {
    let source = GOOD
        .replace("outfit", "loras")
        .replace("{{ value }} x", "{{ value }} {{ loras }}")
        .replace("style", "refiner")
        .replace(
            "  main:",
            "  hires_fix: { format: png, path: \"h/{{ loras | upper }}-{{ digest }}.{{ ext }}\" }\n  main:",
        )
        .replace("loras: a shirt", "loras: shirt")
        .replace("loras: a jacket", "loras: jacket")
        .replace("loras: a coat", "loras: coat");
    let (plain, _) = load(&source);
    let fields = "  seed: derived\n  loras: [{ model_name: x, strength: 1 }]\n  refiner: { switch_at: 0.8 }\n";
    let (manifest, _) = load(&source.replace("  seed: derived\n", fields));
    let (plain, asset) = (plain.asset(0), manifest.asset(0));
    assert_eq!(asset.recipe.prompt, "photograph, one adult person, a student, fully clothed in shirt");
    assert_eq!(asset.row.as_ref().unwrap().inputs["loras"], "shirt");
    assert_eq!((asset.row.clone(), &asset.renditions), (plain.row, &plain.renditions));
    assert_ne!(asset.recipe.digest(), plain.recipe.digest());
    let line = |place: Option<&Place>| place.map(|place| place.line);
    assert_eq!((line(asset.place("loras")), line(asset.field_place("loras"))), (Some(27), Some(14)));
    assert_eq!((line(asset.field_place("refiner")), line(asset.field_place("steps"))), (Some(15), Some(9)));
    assert!(mistakes("{{ value }} x", "{{ sd_vae }}")[0].contains("`sd_vae` is not defined here"));
    assert!(manifest.warnings.is_empty());
}

#[test]
fn the_head_is_the_digests_of_the_whole_asset() {
    let (manifest, heads) = load(GOOD);
    for (index, head) in heads.all().iter().enumerate() {
        let asset = manifest.asset(index);
        assert_eq!(head.recipe, asset.recipe.digest());
        assert_eq!(head.renditions, asset.renditions_digest());
        assert_eq!(head.row, asset.row.as_ref().map(crate::asset::Row::digest));
        assert_eq!(heads.find(head.key.as_str()), Some(index));
        assert_eq!(heads.find_folded(&head.key.as_str().to_uppercase()), Some(index));
    }
}

#[test]
fn formatting_comments_and_order_change_nothing() {
    let (_, before) = load(GOOD);
    let edits = [
        (
            "    {{ look }}, one adult person, {{ subject }},\n    {{ clothed }}\n",
            "    {{look}}, one\n    adult   person, {{ subject }}, {{ clothed }}\n",
        ),
        (
            "  model: sd_xl\n  sampler: DPM++ 2M Karras\n",
            "  # a comment\n  sampler: 'DPM++ 2M Karras'\n  model: \"sd_xl\"\n",
        ),
        (
            "{ subject: a woman, outfit: a coat }\n    with: { width: 1024 }",
            "{ outfit: a coat, subject: a woman }\n    with: { width: 1024, steps: 30 }",
        ),
    ];
    for (from, to) in edits {
        assert!(GOOD.contains(from), "{from}");
        let (_, after) = load(&GOOD.replacen(from, to, 1));
        assert_eq!(before.all(), after.all(), "{from}");
    }
}

#[test]
fn each_field_changes_its_digest_and_no_other() {
    let (_, before) = load(GOOD);
    for (from, to, changed) in [
        ("steps: 30", "steps: 31", "recipe"),
        ("seed: derived", "seed: 5", "recipe row"),
        ("seed: derived", "seed: derived\n  take: 1", "recipe row"),
        ("quality: 90", "quality: 91", "renditions"),
        ("path: \"p/", "path: \"q/", "renditions"),
        ("label: \"{{ value }} x\"", "label: \"{{ value }} y\"", "row"),
        ("table: portraits", "table: others", "row"),
        ("model: sd_xl", "model: sd_15", "recipe"),
    ] {
        let (_, after) = load(&GOOD.replacen(from, to, 1));
        let (was, now) = (&before.all()[0], &after.all()[0]);
        let differ = [
            ("recipe", was.recipe != now.recipe),
            ("renditions", was.renditions != now.renditions),
            ("row", was.row != now.row),
        ];
        let differ: Vec<&str> = differ.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
        assert_eq!(differ.join(" "), changed, "{to}");
    }
}

#[test]
fn every_mistake_has_its_place_and_a_way_out() {
    let mut wrong = Vec::new();
    for (from, to, words) in [
        ("  sampler:", "  smapler:", "8:3 `defaults` has no field `smapler` | did you mean `sampler`?"),
        ("{{ subject }}", "{{ subjct }}", "15:38 `subjct` is not defined here | did you mean `subject`?"),
        (
            "seed: derived",
            "seed: -1",
            "13:9 `seed` must not be negative, is -1 | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
        ),
        (
            "seed: derived",
            "seed: 9223372036854775808",
            "13:9 `seed` must be at most 9223372036854775807, is 9223372036854775808 | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
        ),
        (
            "seed: derived",
            "seed: 1.5",
            "13:9 `seed` must be a whole number in plain digits, is 1.5 | write a number from 0 to 9223372036854775807, `derived`, or `{ derived: [label, …] }`",
        ),
        (
            "seed: derived",
            "seed: { derived: [colour] }",
            "13:21 there is no label `colour` to derive a seed from | declare it under `vars`; known here are `category`, `value`, `style`",
        ),
        ("steps: 30", "steps: \"30\"", "9:10 `steps` must be a number, is the text \"30\" | remove the quotes"),
        ("hold: true", "hold: yes", "33:24 `hold` must be `true` or `false`, is `yes` | write it without quotes"),
        (
            "value: 18-19, style: anime",
            "value: 18-20, style: anime",
            "27:24 `value` has no value `18-20` | it has `18-19`, `70+`",
        ),
        (
            "age/70+/anime:",
            "age/70/anime:",
            "32:3 the cell `age/70/anime` matches no asset | did you mean `age/70+/anime`?",
        ),
        (
            "category: age\n",
            "category: age/x\n",
            "23:17 `age/x` cannot be the value of a label | use letters, digits and `. _ + -`, at most 100 of them",
        ),
        (
            "category: age\n",
            "category: []\n",
            "23:7 the axis `category` has no values | write `category: value`, `category: [a, b]`, or a map of values",
        ),
        (
            "table: portraits",
            "table: pg_catalog.x",
            "37:10 `pg_catalog.x` is not a table name: system schemas and `pixform` are not for published tables | change the value of `table`",
        ),
        (
            "{{ category }}-{{ value }}-{{ style }}-{{ digest }}",
            "{{ category }}-{{ value }}-{{ style }}",
            "35:44 the path does not change with `{{ digest }}` | put `{{ digest }}` into the file name: a published file never changes, so its name has to",
        ),
        (
            "path: \"p/",
            "path: \"originals/",
            "35:44 the folder `originals` is kept for originals | choose another folder for published files",
        ),
        (
            "path: \"p/",
            "path: \"",
            "35:44 the path has no folder | begin it with a folder, as in `pictures/{{ value }}-{{ digest }}.{{ ext }}`",
        ),
        (
            "path: \"p/",
            "path: \"p/../",
            "35:44 the path of `age/18-19/realistic` would be `p/../age-18-19-realistic-….jpg`, which is not legal | use letters, digits and `._-+=@,()/!`, no empty, `.` or `..` folder, at most 255 between two `/` and 900 in all",
        ),
        (
            "subject: a student,",
            "subject: a tall, thin student,",
            "25:43 a comma inside `{ }` ends the text, so `thin student` is read as a field of its own | put the text into double quotes",
        ),
        (
            "subject: a woman,",
            "subject: a woman, value: x,",
            "29:38 `value` is a label and a var | rename one of the two",
        ),
        (
            "key: [category, value, style]",
            "key: [category, valeu, style]",
            "22:5 this entry has no `valeu`, which is part of the key | it has `value`: did you mean that?",
        ),
        (
            "  model: sd_xl",
            "  model: sd_xl\n  model: sd_xl",
            "8:3 the key `model` stands here twice | remove one of the two, or rename it",
        ),
        ("quality: 90", "quality: 0", "35:34 `quality` must be at least 1, is 0 | write 1 to 100"),
        ("format: jpeg", "format: jpg", "35:19 `jpg` is no format | did you mean `jpeg`?"),
        (
            "value: banner",
            "value: { a: , b: }",
            "28:41 `at` is one image, and `value` has 2 values | use `matrix` for several",
        ),
        (
            "category: hero, value: banner",
            "category: AGE, value: 70+",
            "23:17 the label `age` differs from `AGE` (line 28) only in case | write both alike, or rename one of them: file names may not tell them apart",
        ),
        (
            "category: hero, value: banner",
            "category: age, value: 70+",
            "28:5 the key `age/70+/realistic` is declared twice: here, and on line 22 | change a label of one of them, or add a label to `key` that tells them apart",
        ),
        ("look: photograph", "look: photograph # sharp", ""),
        ("  prompt: >-", "moved: [{ from: a/*, to: b/* }]\nx:", ""),
        (
            "renditions:",
            "moved: [{ from: x/*/*, to: agge/*/* }]\nrenditions:",
            "34:9 `to: agge/*/*` matches no declared asset | name a key that this manifest declares, as in `age/18-19/realistic`",
        ),
        ("renditions:", "removed: [ \"age/*/*\" ]\nrenditions:", ""),
    ] {
        let found = mistakes(from, to);
        assert!(!found.is_empty(), "{to} is no mistake");
        if words.is_empty() {
            continue;
        }
        if found.first().map(String::as_str) != Some(words) {
            wrong.push(format!("{words}\n    {}", found.join("\n    ")));
        }
    }
    assert!(wrong.is_empty(), "wanted, then found:\n{}", wrong.join("\n"));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let source = GOOD
        .replace("steps: 30", "steps: x")
        .replace("{{ subject }}", "{{ subjct }}")
        .replace("format: jpeg", "format: jpg")
        .replace("  anime: {", "  a nime: {");
    let Err(error) = Manifest::load("m.yaml", &source, rules()) else { panic!("four mistakes were not found") };
    let words: Vec<&str> = error.mistakes.iter().map(|mistake| mistake.message.as_str()).collect();
    assert!(words.len() >= 4, "{words:#?}");
}

#[test]
fn a_circle_of_vars_is_told_once() {
    let found = mistakes("clothed: \"fully clothed in {{ outfit }}\"", "clothed: \"{{ b }}\", b: \"{{ clothed }}\"");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("in a circle: b → clothed → b"), "{found:#?}");
}

#[test]
fn an_unused_var_is_a_warning() {
    let (manifest, _) = load(&GOOD.replace("outfit: a coat", "outfit: a coat, subjet: a man"));
    let words: Vec<_> = manifest.warnings.iter().map(|warning| (&*warning.message, &*warning.help)).collect();
    assert_eq!(words, [("the var `subjet` is not used", "did you mean `subject`?")]);
}

#[test]
fn transparency_in_a_jpeg_is_a_warning() {
    let asked = GOOD.replace("defaults:\n", "defaults:\n  enable_transparent_background: true\n");
    let (manifest, _) = load(&asked);
    let words: Vec<_> = manifest.warnings.iter().map(|warning| warning.message.as_str()).collect();
    let said = "transparency is asked for, and the rendition `main` is a JPEG, which has none: it gets a white ground";
    assert_eq!(words, [said]);
    let (manifest, _) = load(&asked.replace("format: jpeg", "format: webp"));
    assert!(manifest.warnings.is_empty(), "{:#?}", manifest.warnings);
}

#[test]
fn a_matrix_of_a_million_is_refused_before_it_is_made() {
    let axis: Vec<String> = (0..1_000).map(|number| format!("v{number}")).collect();
    let source = GOOD.replace("category: age\n", &format!("category: [{}]\n", axis.join(", ")));
    let source =
        source.replace("        70+: {", &format!("        {}: {{}}\n        70+: {{", axis.join(": {}\n        ")));
    let begun = std::time::Instant::now();
    let Err(error) = Manifest::load("m.yaml", &source, rules()) else { panic!("a million images were accepted") };
    assert!(error.mistakes[0].message.contains("and one collection may have 10000"), "{:#?}", error.mistakes);
    assert!(begun.elapsed().as_secs() < 2);
}

#[test]
fn a_renamed_key_keeps_the_seed_of_its_first_key() {
    let (manifest, _) = load(GOOD);
    let before = manifest.asset(1).recipe.seed;
    let renamed = GOOD
        .replace("70+", "seventy")
        .replace("renditions:", "moved: [{ from: \"age/70+/*\", to: age/seventy/* }]\nrenditions:");
    let (manifest, _) = load(&renamed);
    assert_eq!(manifest.asset(1).key.as_str(), "age/seventy/realistic");
    assert_eq!(manifest.asset(1).recipe.seed, before);
}

#[test]
fn many_assets_resolve_on_all_cores_as_on_one() {
    let values: Vec<String> = (0..3_000).map(|number| format!("v{number}")).collect();
    let source = GOOD.replace(
        "        18-19: {",
        &format!(
            "        {}: {{ vars: {{ subject: s, outfit: o }} }}\n        18-19: {{",
            values.join(": { vars: { subject: s, outfit: o } }\n        ")
        ),
    );
    let (manifest, heads) = load(&source);
    assert_eq!(heads.all().len(), 6_004);
    for index in [0, 2_500, 6_003] {
        assert_eq!(heads.all()[index].recipe, manifest.asset(index).recipe.digest());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_edit_makes_it_panic(at in 0..GOOD.len(), cut in 0_usize..40, put in "[ -~\\n\\t]{0,12}") {
        let mut source = GOOD.to_owned();
        let end = (at + cut).min(source.len());
        source.replace_range(at..end, &put);
        let _ = Manifest::load("m.yaml", &source, rules());
    }

    #[test]
    fn white_space_never_changes_a_prompt(words in prop::collection::vec("[a-zé]{1,5}", 1..9), gaps in prop::collection::vec("[ \\n\\t]{1,3}", 9)) {
        let spread: String = words.iter().zip(&gaps).map(|(word, gap)| format!("{word}{gap}")).collect();
        prop_assert_eq!(crate::asset::normalise(spread), crate::asset::normalise(words.join(" ")));
    }
}
