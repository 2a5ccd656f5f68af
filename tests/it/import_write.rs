//! `import --write`: the manifest of a table that is there, whose plan is only adopt, and empty after it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use proptest::prelude::*;

use crate::product::product;
use crate::project::Project;

/// A table that a test makes up.
#[derive(Debug, Clone)]
struct Table {
    axes: usize,
    /// Whether it has columns of the picture's size.
    sized: bool,
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    labels: Vec<String>,
    prompt: Option<String>,
    negative: Option<String>,
    seed: Option<i64>,
    steps: Option<u8>,
    scale: Option<f32>,
    size: (u8, u8),
    says_size: bool,
}

const AXES: [&str; 3] = ["category", "value", "style"];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ,:#'\"{}%\\\\-]{0,30}",
        any::<String>(),
        Just("a {{ look }} {% if %} {# no #} {{{{".to_owned()),
        Just(" \"quoted\": yes # no\n\ttab \u{2028}é\u{1f642} ".to_owned()),
    ]
}

fn row(axes: usize) -> impl Strategy<Value = Row> {
    let labels = prop::collection::vec("[a-zA-Z0-9+._-]{1,4}", axes)
        .prop_filter("legal", |labels| labels.iter().all(|label| label != "." && label != ".."));
    let seeds = prop::option::of(prop_oneof![
        any::<i64>(),
        Just(i64::MAX),
        Just(9_007_199_254_740_993),
        Just(2_147_483_648),
        Just(-1),
    ]);
    let texts = (prop::option::of(text()), prop::option::of(text()));
    let numbers = (seeds, prop::option::of(1..3_u8), prop::option::of(prop_oneof![Just(7.5_f32), 0.5..20.0_f32]));
    (labels, texts, numbers, (1..5_u8, 1..5_u8), any::<bool>()).prop_map(
        |(labels, (prompt, negative), (seed, steps, scale), size, says_size)| Row {
            labels,
            prompt,
            negative,
            seed,
            steps,
            scale,
            size,
            says_size,
        },
    )
}

fn table() -> impl Strategy<Value = Table> {
    (1..=3_usize, any::<bool>()).prop_flat_map(|(axes, sized)| {
        prop::collection::vec(row(axes), 1..8).prop_map(move |mut rows| {
            let mut seen = BTreeSet::new();
            rows.retain(|row| seen.insert(row.labels.join("/").to_ascii_lowercase()));
            Table { axes, sized, rows }
        })
    })
}

/// A picture of that size in which no two pixels are alike.
fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_fn(width, height, |x, y| Rgb([x as u8, y as u8, (x * 7 + y) as u8]));
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Writes a text as SQL has it; what no database keeps is left out.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

fn null() -> String {
    "NULL".to_owned()
}

impl Table {
    fn key(&self) -> String {
        AXES[..self.axes].join(",")
    }

    /// Makes the product.
    fn project(&self) -> Project {
        let project = Project::new("");
        fs::remove_dir_all(project.root().join("manifests")).unwrap();
        fs::create_dir_all(project.storage().join("made")).unwrap();
        let axes: Vec<String> = AXES[..self.axes].iter().map(|axis| format!("{axis} TEXT")).collect();
        let size = if self.sized { "width INTEGER, height INTEGER," } else { "" };
        let sql = format!(
            "CREATE TABLE shown_pictures ({}, image_url TEXT, prompt TEXT, negative_prompt TEXT, seed BIGINT, steps INTEGER,
             guidance_scale NUMERIC, {size} note TEXT, UNIQUE ({}))",
            axes.join(", "),
            self.key()
        );
        let mut script = format!("{sql};\n");
        for (number, row) in self.rows.iter().enumerate() {
            let path = format!("made/{number}+.png");
            let (width, height) = (u32::from(row.size.0), u32::from(row.size.1));
            fs::write(project.storage().join(&path), picture(width, height)).unwrap();
            let text = |text: &Option<String>| text.as_deref().map_or_else(null, literal);
            let mut cells: Vec<String> = row.labels.iter().map(|label| literal(label)).collect();
            let url = if number % 2 == 0 { path.clone() } else { path.replace('+', "%2b") };
            cells.push(literal(&format!("/files/{url}")));
            cells.extend([text(&row.prompt), text(&row.negative)]);
            cells.push(row.seed.map_or_else(null, |seed| seed.to_string()));
            cells.push(row.steps.map_or_else(null, |steps| steps.to_string()));
            cells.push(row.scale.map_or_else(null, |scale| f64::from(scale).to_string()));
            if self.sized {
                cells.extend([width, height].map(|side| if row.says_size { side.to_string() } else { null() }));
            }
            script.push_str(&format!("INSERT INTO shown_pictures VALUES ({}, NULL);\n", cells.join(", ")));
        }
        project.batch(&script);
        project
    }
}

/// Writes the manifest, and checks that its plan is only adopt, that nothing changes, and that nothing is left to do.
fn check(project: &Project, key: &str, count: usize) {
    let whole = |project: &Project| project.query("SELECT * FROM shown_pictures");
    let before = whole(project);
    let args = ["import", "--write", "manifests/made.yaml", "--table", "shown_pictures", "--key", key];
    project.ok(&args);
    let written = fs::read_to_string(project.root().join("manifests/made.yaml")).unwrap();
    let plan = project.plan();
    let changes = plan["changes"].as_array().unwrap();
    let actions: Vec<_> = changes.iter().map(|change| change["action"].as_str().unwrap()).collect();
    assert_eq!(actions, vec!["adopt"; count], "{written}\n{plan}");
    project.apply();
    assert_eq!(project.paints(), 0);
    assert_eq!(whole(project), before);
    project.assert_settled();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_manifest_of_any_legal_table_only_adopts(table in table()) {
        check(&table.project(), &table.key(), table.rows.len());
    }
}

fn plain(labels: &[&str]) -> Row {
    Row {
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        prompt: Some(format!("a portrait: {}", labels.join(" and "))),
        negative: Some("blurry".to_owned()),
        seed: Some(1_839_201_147),
        steps: Some(30),
        scale: Some(7.5),
        size: (128, 192),
        says_size: true,
    }
}

fn matrix() -> Table {
    let mut rows = Vec::new();
    for (category, values) in [("age", ["18-19", "70+"]), ("body", ["slim", "no"])] {
        for value in values {
            rows.extend(["anime", "photo"].map(|style| plain(&[category, value, style])));
        }
    }
    Table { axes: 3, sized: true, rows }
}

#[test]
fn a_table_becomes_a_manifest_that_people_go_on_from() {
    let project = matrix().project();
    let args = ["import", "--write", "portraits.yaml", "--table", "shown_pictures", "--key", "category,value,style"];
    let ran = project.run(&args).expect(0);
    assert_eq!(ran.stdout, "wrote portraits.yaml: 8 images of the table `shown_pictures`\n");
    let written = fs::read_to_string(project.root().join("portraits.yaml")).unwrap();
    insta::assert_snapshot!(written, @r#"
    # Written by `pixform import --write` from 8 rows of the table `shown_pictures`.
    version: 1
    collection: shown_pictures
    key: [category, value, style]

    defaults:
      generator: novita
      model: sd_xl_base_1.0.safetensors   # not in the table: assumed
      negative_prompt: "blurry"
      sampler: DPM++ 2M Karras   # not in the table: assumed
      steps: 30
      guidance_scale: 7.5
      seed: derived
      width: 128
      height: 192

    images:
      - matrix:
          category: age
          value: [18-19, 70+]
          style: [anime, photo]
      - matrix:
          category: body
          value: [no, slim]
          style: [anime, photo]

    cells:
      "age/18-19/anime": { with: { prompt: "a portrait: age and 18-19 and anime", seed: 1839201147 } }
      "age/18-19/photo": { with: { prompt: "a portrait: age and 18-19 and photo", seed: 1839201147 } }
      "age/70+/anime": { with: { prompt: "a portrait: age and 70+ and anime", seed: 1839201147 } }
      "age/70+/photo": { with: { prompt: "a portrait: age and 70+ and photo", seed: 1839201147 } }
      "body/no/anime": { with: { prompt: "a portrait: body and no and anime", seed: 1839201147 } }
      "body/no/photo": { with: { prompt: "a portrait: body and no and photo", seed: 1839201147 } }
      "body/slim/anime": { with: { prompt: "a portrait: body and slim and anime", seed: 1839201147 } }
      "body/slim/photo": { with: { prompt: "a portrait: body and slim and photo", seed: 1839201147 } }

    renditions:
      main: { format: png, path: "made/{{ category }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}" }

    publish:
      table: shown_pictures
      columns:
        image_url: "{{ url }}"
        prompt: "{{ prompt }}"
        negative_prompt: "{{ negative_prompt }}"
        steps: "{{ steps }}"
        guidance_scale: "{{ guidance_scale }}"
        seed: "{{ seed }}"
        width: "{{ width }}"
        height: "{{ height }}"
    "#);
    project.run(&args).expect(1);
    assert_eq!(fs::read_to_string(project.root().join("portraits.yaml")).unwrap(), written, "it is never overwritten");
    check(&project, "category,value,style", 8);
}

#[test]
fn one_row_is_enough() {
    let table = Table { axes: 2, sized: false, rows: vec![plain(&["hero", "banner"])] };
    check(&table.project(), &table.key(), 1);
}

#[test]
fn rows_that_cannot_be_declared_are_counted_and_named() {
    let project = matrix().project();
    let run = |sql: &str| assert_eq!(project.execute(sql), 1, "{sql}");
    let insert = |key: &str, url: &str| {
        run(&format!("INSERT INTO shown_pictures (category, value, style, image_url) VALUES ({key}, {url})"));
    };
    insert("'a b', 'x', 'y'", "'/files/made/0+.png'");
    insert("NULL, 'x', 'y'", "'/files/made/0+.png'");
    insert("'AGE', '70+', 'anime'", "'/files/made/0+.png'");
    insert("'a', 'no-url', 'y'", "NULL");
    insert("'a', 'elsewhere', 'y'", "'https://cdn.example.com/1.png'");
    insert("'a', 'gone', 'y'", "'/files/made/gone.png'");
    let args =
        ["import", "--write", "manifests/made.yaml", "--table", "shown_pictures", "--key", "category,value,style"];
    let ran = project.run(&args).expect(0);
    for line in [
        "2 rows are left out, because their key holds what no label can: use letters, digits and `. _ + -`: `a b/x/y`, `?/x/y`",
        "1 row is left out, because their file is not in the storage: `a/gone/y`",
        "1 row is left out, because they name no picture: `a/no-url/y`",
        "1 row is left out, because their picture lies outside of the storage, or under a path that is not legal: `a/elsewhere/y`",
        "1 row is left out, because their key differs from another one in case only, or not at all: `age/70+/anime`",
    ] {
        assert!(ran.stderr.contains(line), "{line}\n{}", ran.stderr);
    }
    project.apply();
    assert_eq!(project.paints(), 0);
}

#[test]
fn what_cannot_be_written_is_told() {
    let project = product();
    let said = |args: &[&str]| {
        project.run(&[&["import", "--write", "new.yaml"], args].concat()).expect(1).stderr.replace('\n', " ")
    };
    for (args, words) in [
        (vec!["--table", "peopel", "--key", "value"], "there is no table `peopel`"),
        (
            vec!["--table", "people", "--key", "valeu"],
            "the table `people` has no column `valeu`   help: did you mean `value`?",
        ),
        (vec!["--table", "people", "--key", "value,value"], "`value` is named twice"),
        (vec!["--table", "pixform.records", "--key", "value"], "system schemas"),
        (vec!["--table", "people", "--key", "group", "--collection", "Not Legal"], "is not a collection name"),
    ] {
        let said = said(&args);
        assert!(said.contains(words), "{words}\n{said}");
    }
    assert!(!project.root().join("new.yaml").exists());
    project.execute("UPDATE people SET image_url = 'https://elsewhere.example.com/' || id");
    let words = said(&["--table", "people", "--key", "group,value,style"]);
    assert!(words.contains("no column of `people` names files of this storage"), "{words}");
    assert!(words.contains("URLs begin with `/files/` here"), "{words}");
}
