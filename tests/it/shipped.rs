//! The manifests in `manifests/`: what they promise, asset by asset.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pixform::asset::{Asset, Assets, Encoding, Format, Resize};
use pixform::generator::PLACEHOLDER;
use pixform::manifest::{GeneratorRules, IMAGES_MAX, Manifest, Rules};

/// Longest prompt that the generator of the shipped manifest takes, in characters.
const PROMPT_CHARS_MAX: usize = 1_024;

const CATEGORIES: [(&str, [&str; 7]); 3] = [
    ("age", ["18-19", "20s", "30s", "40s", "50s", "60s", "70+"]),
    ("body", ["muscular", "athletic", "slim", "chubby", "cub", "average", "curvy"]),
    ("ethnicity", ["caucasian", "asian", "arab", "indian", "latina", "african", "mixed"]),
];
const STYLES: [&str; 2] = ["realistic", "anime"];

/// Labels that say nothing to a model, or the wrong thing: no prompt holds one as a word.
const NEVER_WORDS: [&str; 8] = ["18-19", "20s", "30s", "40s", "50s", "60s", "70+", "cub"];

fn load() -> (Manifest, Vec<Asset>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/attribute-images.yaml");
    let source = std::fs::read_to_string(file).unwrap();
    let any = GeneratorRules { kind: PLACEHOLDER, checks: PLACEHOLDER };
    let rules = Rules {
        environment: "local".to_owned(),
        generators: BTreeMap::new(),
        any_generator: Some(any),
        elsewhere: BTreeSet::new(),
        images_max: IMAGES_MAX,
        tables: None,
        url_base: "/files/".to_owned(),
    };
    let (manifest, heads) = Manifest::load("attribute-images.yaml", &source, rules)
        .unwrap_or_else(|error| panic!("{:#?}", error.located().collect::<Vec<_>>()));
    let assets = (0..heads.all().len()).map(|index| manifest.asset(index)).collect();
    (manifest, assets)
}

#[test]
fn it_declares_three_categories_of_seven_values_in_two_styles() {
    let (manifest, assets) = load();
    assert_eq!(manifest.warnings, []);
    assert_eq!(manifest.name.as_str(), "attribute-images");
    assert_eq!(manifest.key, ["category", "value", "style"]);
    let expected = CATEGORIES.iter().flat_map(|(category, values)| {
        values.iter().flat_map(move |value| STYLES.map(|style| format!("{category}/{value}/{style}")))
    });
    let keys: Vec<_> = assets.iter().map(|asset| asset.key.to_string()).collect();
    assert_eq!(keys, expected.collect::<Vec<_>>());
    assert_eq!(keys.len(), 42);
}

#[test]
fn every_image_is_made_alike() {
    for asset in load().1 {
        let recipe = &asset.recipe;
        assert_eq!(asset.generator.as_str(), "novita");
        assert_eq!(recipe.model.as_deref(), Some("sd_xl_base_1.0.safetensors"));
        assert_eq!(recipe.fields.text("sampler"), Some("DPM++ 2M Karras"));
        assert_eq!((recipe.fields.count("steps"), recipe.fields.number("guidance_scale")), (Some(30), Some(7.5)));
        assert_eq!((recipe.width, recipe.height), (512, 768));
        assert_eq!((recipe.fields.text("scheduler"), recipe.take), (None, None));
        assert_eq!(
            recipe.negative_prompt.as_deref(),
            Some(
                "nude, naked, nsfw, explicit, sexual, vulgar, inappropriate, low quality, blurry, distorted, deformed, \
                 ugly, bad anatomy"
            )
        );
    }
}

#[test]
fn every_image_is_published_as_one_jpeg_and_one_row() {
    let (manifest, assets) = load();
    for asset in &assets {
        let [main] = &asset.renditions[..] else { panic!("{} has other renditions", asset.key) };
        let encoding = Encoding { format: Format::Jpeg, quality: Some(90), resize: Resize::Keep };
        assert_eq!((main.name.as_str(), main.encoding), ("main", encoding));
        let path = format!("attribute-images/{}-{{{{ digest }}}}.jpg", asset.key.as_str().replace('/', "-"));
        assert_eq!(main.path.for_people(), path);
    }
    let table = manifest.table().unwrap();
    assert_eq!(table.name.to_string(), "attribute_images");
    let columns: Vec<_> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(columns, ["image_url", "seed", "width", "height", "prompt"]);
}

#[test]
fn every_seed_is_its_own() {
    let assets = load().1;
    let seeds: BTreeSet<_> = assets.iter().map(|asset| asset.recipe.seed.unwrap().get()).collect();
    assert_eq!(seeds.len(), assets.len());
}

#[test]
fn every_prompt_shows_one_dressed_grown_up_person_and_no_two_are_alike() {
    let assets = load().1;
    for asset in &assets {
        let (key, prompt) = (&asset.key, &asset.recipe.prompt);
        assert!(prompt.chars().count() <= PROMPT_CHARS_MAX, "{key}: {} characters", prompt.chars().count());
        for part in ["one adult person", "fully clothed in ", "upper body", "plain light grey studio background"] {
            assert!(prompt.contains(part), "{key} lacks `{part}`: {prompt}");
        }
        let subject = &asset.vars["subject"];
        assert!(subject.contains("adult ") || subject.contains("elderly"), "{key}: {subject}");
        assert!(
            subject.contains("aged ") || subject.contains("in his ") || subject.contains("in her "),
            "{key}: {subject}"
        );
        assert!(key.as_str().ends_with("/realistic") || prompt.contains("grown-up proportions"), "{key}: {prompt}");
    }
    let prompts: BTreeSet<_> = assets.iter().map(|asset| &asset.recipe.prompt).collect();
    assert_eq!(prompts.len(), assets.len());
}

#[test]
fn no_prompt_holds_a_bare_label() {
    let labels = CATEGORIES.iter().flat_map(|(category, values)| values.iter().chain([category])).chain(&STYLES);
    let labels: Vec<_> = labels.collect();
    for asset in load().1 {
        let prompt = asset.recipe.prompt.to_lowercase();
        let words = prompt.split(|letter: char| letter.is_whitespace() || ",.:;()\"".contains(letter));
        for word in words {
            assert!(!NEVER_WORDS.contains(&word), "{} holds `{word}`: {prompt}", asset.key);
        }
        for phrase in prompt.split(',').map(str::trim) {
            assert!(!labels.iter().any(|label| **label == phrase), "{} holds `{phrase}`: {prompt}", asset.key);
        }
    }
}
