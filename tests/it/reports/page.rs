//! The page, in a real browser: as a reviewer uses it, on a laptop and on a phone, in light and in dark.

use std::fs;
use std::path::PathBuf;

use pixform::asset::{Encoding, Fit, Format, Recipe, Resize};
use pixform::imaging::{encode, paint};
use pixform::render::report_html;

use super::plans::{Case, cases};
use crate::browser::{Browser, LAPTOP, PHONE, Scheme, Scripts, key};
use crate::desk::Desk;

const MANIFEST: &str = include_str!("../../../manifests/attribute-images.yaml");

/// Waits until every picture that is drawn has decoded, and checks that there is nothing to complain about.
fn check_whole(browser: &Browser, name: &str) {
    browser.script("for (const image of document.images) image.loading = 'eager'");
    let decoded =
        "[...document.images].every(image => (image.complete && image.naturalWidth > 0) || !image.checkVisibility())";
    browser.wait_until(decoded);
    assert_eq!(browser.broken_pictures(), Vec::<String>::new(), "{name}");
    assert_eq!(browser.console_errors(), Vec::<String>::new(), "{name}");
    assert!(!browser.scrolls_sideways(), "{name}");
}

/// Publishes 42 pictures, edits the manifest, and writes the report of what would change then.
fn edited() -> (Desk, PathBuf) {
    let desk = Desk::empty();
    desk.write("manifests/attribute-images.yaml", MANIFEST);
    assert_eq!(desk.run(&["apply", "--yes"]).code, 0);
    let edited = MANIFEST.replace("an elderly man aged seventy-eight", "an elderly man aged eighty-one");
    desk.write("manifests/attribute-images.yaml", &edited);
    assert_eq!(desk.run(&["apply", "--yes"]).code, 0);
    // Back again, so that those pictures are there already; and every anime picture is to be made anew.
    let back = MANIFEST.replace("anime portrait illustration", "anime portrait painting");
    assert_ne!(back, MANIFEST);
    desk.write("manifests/attribute-images.yaml", back);
    let ran = desk.run(&["plan", "--out-html", "report.html", "--out-markdown", "report.md"]);
    assert_eq!(ran.code, 0, "{}", ran.all());
    let path = desk.path("report.html");
    (desk, path)
}

#[test]
fn a_reviewer_filters_searches_and_compares() {
    let (_desk, path) = edited();
    let browser = Browser::start();
    browser.open_file(&path);
    check_whole(&browser, "laptop");
    browser.screenshot("report-light");
    let all = browser.visible(".card");
    assert_eq!(browser.text("#found"), format!("{all} of {all}"));

    browser.click(".chip[data-action=reuse]");
    let reused = browser.visible(".card");
    assert!(0 < reused && reused < all, "{reused} of {all}");
    assert_eq!(browser.visible(".card:not(.reuse)"), 0);
    browser.press(key::ESCAPE);
    assert_eq!(browser.visible(".card"), all);

    browser.press("/");
    browser.press("age 70+");
    assert_eq!(browser.evaluate("document.getElementById('search').value"), "age 70+");
    assert!((1..=2).contains(&browser.visible(".card")), "{}", browser.text("#found"));
    browser.press(key::ESCAPE);
    browser.write("#search", "no such thing");
    assert_eq!((browser.visible(".card"), browser.visible("#nothing")), (0, 1));
    browser.click("#reset");
    assert_eq!(browser.visible(".card"), all);

    browser.script(
        "const select = document.querySelector('select'); select.selectedIndex = 1;
                    select.dispatchEvent(new Event('change'))",
    );
    let filtered = browser.visible(".card");
    assert!(0 < filtered && filtered < all, "{filtered} of {all}");
    browser.press(key::ESCAPE);
    check_whole(&browser, "filtered");
}

#[test]
fn the_keyboard_moves_between_cards_and_sliders() {
    let (_desk, path) = edited();
    let browser = Browser::start();
    browser.open_file(&path);
    let focused = "document.activeElement.id";
    browser.press("jj");
    assert_eq!(browser.evaluate(focused), "c2");
    browser.press("k");
    assert_eq!(browser.evaluate(focused), "c1");
    browser.press(&[key::DOWN, key::DOWN, key::UP].concat());
    assert_eq!(browser.evaluate(focused), "c2");
    assert_ne!(browser.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "none");

    let cut = "getComputedStyle(document.querySelector('.pair.two')).getPropertyValue('--cut')";
    assert_eq!(browser.evaluate(cut), "50%");
    browser.script("document.querySelector('.cut').focus()");
    browser.press(&[key::LEFT, key::LEFT, key::LEFT].concat());
    assert_eq!(browser.evaluate(cut), "47%");
    browser.press(key::END);
    assert_eq!(browser.evaluate(cut), "100%");
    browser.press(key::HOME);
    assert_eq!(browser.evaluate(cut), "0%");
    browser.script("document.querySelector('.cut').closest('.card').focus()");
    browser.press(&[key::RIGHT, key::RIGHT].concat());
    assert_eq!(browser.evaluate(cut), "10%");
    browser.press("s");
    assert_eq!(browser.visible(".cut"), 0, "side by side there is nothing to slide");
    check_whole(&browser, "side by side");
    browser.screenshot("report-side-by-side");
}

#[test]
fn the_page_is_whole_in_the_dark_on_a_phone_and_without_scripts() {
    let (_desk, path) = edited();
    let browser = Browser::start();
    browser.scheme(Scheme::Dark);
    browser.open_file(&path);
    check_whole(&browser, "dark");
    browser.screenshot("report-dark");
    browser.window(PHONE);
    check_whole(&browser, "phone, dark");
    browser.scheme(Scheme::Light);
    browser.screenshot("report-phone");
    browser.script("document.querySelector('.pair.two').scrollIntoView({ block: 'center' })");
    check_whole(&browser, "phone");
    browser.screenshot("report-phone-card");
    browser.window(LAPTOP);
    browser.scripts(Scripts::Off);
    browser.open_file(&path);
    check_whole(&browser, "without scripts");
    assert_eq!(browser.visible(".tools"), 0, "what needs a script is not there");
    assert!(browser.visible(".card figure img") > 2);
    browser.screenshot("report-without-scripts");
}

/// Returns a small picture.
fn thumbnail() -> Vec<u8> {
    let original = paint(&Recipe::new("placeholder", "a city", 128, 192)).unwrap();
    let resize = Resize::Box { width: 256, height: 320, fit: Fit::Contain };
    encode(&original, &Encoding { format: Format::Webp, quality: Some(78), resize }).unwrap().bytes
}

#[test]
fn a_thousand_changes_are_filtered_at_once_and_strangers_words_do_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let browser = Browser::start();
    let small = thumbnail();
    for Case { name, plan, mut facts } in cases() {
        for asset in facts.assets.values_mut() {
            for picture in asset.before.iter_mut().chain(&mut asset.after) {
                picture.thumbnail = Some(small.clone());
            }
        }
        let page = report_html(Some(&plan), &facts);
        assert!(page.len() < 25_000_000, "{name}: {} bytes", page.len());
        let path = folder.path().join(format!("{name}.html"));
        fs::write(&path, page).unwrap();
        browser.open_file(&path);
        for window in [PHONE, LAPTOP] {
            browser.window(window);
            check_whole(&browser, &format!("{name} {window:?}"));
        }
        assert_eq!(browser.evaluate("document.scripts.length"), 1, "{name}");
        assert_eq!(browser.evaluate("[...document.links].every(link => !link.href.includes('evil'))"), true, "{name}");
        if name == "hostile" {
            let shown = browser.evaluate("document.querySelector('.words').textContent").to_string();
            assert!(shown.contains("<script>alert(1)</script>"), "{shown}");
            assert!(shown.contains("u{202e}"), "{shown}");
        }
        if name == "thousand" {
            let begun = std::time::Instant::now();
            browser.write("#search", "n77/");
            assert_eq!(browser.visible(".card"), 1);
            assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
            browser.press(key::ESCAPE);
            browser.screenshot("report-thousand");
        }
    }
}
