//! The character creator in a real browser, with the manifest that is shipped: four steps and a summary, by mouse, by keys
//! alone, on a phone, and when something is missing.

use std::path::Path;
use std::sync::OnceLock;

use crate::browser::{Browser, LAPTOP, PHONE, Scheme, key};
use crate::gallery::look;
use crate::project::Project;
use crate::served::Server;

const PAGE: &str = "/create-character/";

/// The pictures of the manifest that is shipped, applied once.
fn project() -> Project {
    static ONCE: OnceLock<Project> = OnceLock::new();
    let template = ONCE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let manifest = std::fs::read_to_string(root.join("manifests/attribute-images.yaml")).unwrap();
        let project = Project::new(&manifest);
        project.apply();
        project
    });
    template.copy()
}

fn serve(project: &Project) -> Server {
    Server::of(project, &["--static", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/character-creator")])
}

/// Waits until a step is drawn.
fn at(browser: &Browser, step: &str) {
    browser.wait_until(&format!("document.getElementById('stage')?.dataset.ready === '{step}'"));
}

#[test]
fn a_character_is_made_in_four_steps_and_told_in_words() {
    let project = project();
    let server = serve(&project);
    let browser = Browser::start();
    browser.open(&server.url(PAGE));
    for (step, count, choice) in
        [("style", 2, "realistic"), ("age", 7, "30s"), ("body", 7, "athletic"), ("ethnicity", 7, "asian")]
    {
        at(&browser, step);
        assert_eq!(browser.visible(".card"), count, "{step}");
        look(&browser, &format!("creator-{step}"));
        browser.click(&format!(".card[data-value='{choice}']"));
    }
    at(&browser, "summary");
    look(&browser, "creator-summary");
    // What the README shows.
    browser.window((960, 640));
    browser.screenshot("character-creator");
    browser.window(LAPTOP);
    assert_eq!(browser.visible(".chosen img"), 3);
    let prompt = browser.text("#prompt");
    for words in
        ["photorealistic studio portrait photograph", "aged thirty-five", "athletic build", "East Asian", "sharp focus"]
    {
        assert!(prompt.contains(words), "`{words}` is not in: {prompt}");
    }
    assert_eq!(prompt.matches("photorealistic").count(), 1, "what all say is said once");
    assert_eq!(prompt.matches("fully clothed").count(), 1, "clothes are worn once");
    let steps = browser.text("#steps");
    assert!(["Realistic", "30s", "Athletic", "Asian"].iter().all(|word| steps.contains(word)), "{steps}");
}

#[test]
fn choices_outlive_a_reload_and_the_back_button_takes_them_back() {
    let project = project();
    let server = serve(&project);
    let browser = Browser::start();
    browser.open(&server.url(PAGE));
    at(&browser, "style");
    browser.click(".card[data-value='anime']");
    at(&browser, "age");
    browser.click(".card[data-value='70+']");
    at(&browser, "body");
    let address = browser.url();
    browser.script("location.reload()");
    browser.wait_until("performance.getEntriesByType('navigation')[0].type === 'reload'");
    at(&browser, "body");
    assert_eq!(browser.url(), address);
    browser.back();
    at(&browser, "age");
    assert_eq!(browser.visible(".card[data-value='70+'][aria-pressed='true']"), 0, "the choice was taken back");
    browser.script("history.forward()");
    at(&browser, "body");
    // Somebody who comes back to the bare address in this tab goes on where he was.
    browser.open(&server.url("/attribute-images"));
    browser.open(&server.url(PAGE));
    at(&browser, "body");
    assert!(browser.text("#steps").contains("70+"));
    // Any step can be gone back to, and keeps what was chosen after it.
    browser.click("#steps li:nth-child(1) button");
    at(&browser, "style");
    browser.click(".card[data-value='realistic']");
    at(&browser, "age");
    assert_eq!(browser.visible(".card[data-value='70+'][aria-pressed='true']"), 1);
}

#[test]
fn a_character_is_made_by_keys_alone() {
    let project = project();
    let server = serve(&project);
    let browser = Browser::start();
    browser.open(&server.url(PAGE));
    let focused = |value: &str| format!("document.activeElement?.dataset?.value === '{value}'");
    for (step, presses, choice) in [
        ("style", &[key::RIGHT][..], "anime"),
        ("age", &[key::END, key::LEFT][..], "60s"),
        ("body", &[key::RIGHT, key::RIGHT][..], "slim"),
        ("ethnicity", &[key::END][..], "mixed"),
    ] {
        at(&browser, step);
        // From wherever the focus is, by Tab to the first card.
        for _ in 0..12 {
            if browser.evaluate("document.activeElement?.classList?.contains('card')") == true {
                break;
            }
            browser.press(key::TAB);
        }
        for press in presses {
            browser.press(press);
        }
        browser.wait_until(&focused(choice));
        browser.press(key::ENTER);
    }
    at(&browser, "summary");
    assert_eq!(browser.evaluate("document.activeElement.id"), "title", "a reader is told what is new");
    let steps = browser.text("#steps");
    assert!(["Anime", "60s", "Slim", "Mixed"].iter().all(|word| steps.contains(word)), "{steps}");
}

#[test]
fn the_creator_fits_a_phone_and_the_dark() {
    let project = project();
    let server = serve(&project);
    let browser = Browser::start();
    let chosen = "style=anime&age=50s&body=curvy&ethnicity=latina";
    for (size, window) in [("phone", PHONE), ("laptop", LAPTOP)] {
        for (name, scheme) in [("light", Scheme::Light), ("dark", Scheme::Dark)] {
            browser.window(window);
            browser.scheme(scheme);
            for step in ["style", "age", "body", "ethnicity", "summary"] {
                browser.open(&server.url(&format!("{PAGE}?{chosen}&step={step}")));
                at(&browser, step);
                look(&browser, &format!("creator-{step}-{size}-{name}"));
            }
        }
    }
}

#[test]
fn the_next_steps_pictures_are_there_before_they_are_wanted() {
    let project = project();
    let server = serve(&project);
    let browser = Browser::start();
    browser.open(&server.url(&format!("{PAGE}?style=realistic")));
    at(&browser, "age");
    let loaded = "performance.getEntriesByType('resource').filter(entry => entry.name.includes('/body-')).length";
    browser.wait_until(&format!("{loaded} === 7"));
    browser.click(".card[data-value='20s']");
    at(&browser, "body");
    browser.wait_until("[...document.images].every(image => image.complete)");
    assert_eq!(browser.evaluate(loaded), 7, "none is fetched again");
}

#[test]
fn a_picture_that_does_not_load_shows_its_name_and_can_be_chosen_all_the_same() {
    let project = project();
    for entry in std::fs::read_dir(project.storage().join("attribute-images")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_str().unwrap().contains("age-40s-realistic") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let server = serve(&project);
    let browser = Browser::start();
    browser.open(&server.url(&format!("{PAGE}?style=realistic")));
    at(&browser, "age");
    browser.wait_until("document.querySelector('.failed') !== null");
    assert_eq!(browser.text(".card[data-value='40s'] .failed"), "40s");
    assert_eq!(browser.visible(".failed"), 1);
    browser.screenshot("creator-failed");
    browser.click(".card[data-value='40s']");
    at(&browser, "body");
}
