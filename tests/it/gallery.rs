//! The gallery in a real browser: what people see, with and without scripts, on a laptop and on a phone, in light and dark.

use std::path::Path;

use serde_json::Value;

use crate::browser::{Browser, LAPTOP, PHONE, Scheme, Scripts, key};
use crate::project::{PEOPLE, Project};
use crate::served::Server;

/// Looks at the page as a person would: every picture is there, nothing complains, nothing is in nobody's way.
pub fn look(browser: &Browser, name: &str) {
    browser.wait_until("document.readyState === 'complete'");
    // Pictures further down are loaded as they come into sight.
    browser.script("for (const image of document.images) image.loading = 'eager'");
    browser.wait_until("[...document.images].every(image => image.complete)");
    assert_eq!(browser.broken_pictures(), Vec::<String>::new(), "{name}");
    assert_eq!(browser.console_errors(), Vec::<String>::new(), "{name}");
    assert!(!browser.scrolls_sideways(), "{name} scrolls sideways");
    assert_eq!(faults(browser), Vec::<String>::new(), "{name}");
    browser.screenshot(name);
}

/// Returns the serious faults that axe finds in the page: what keeps people out who cannot see it, or use no mouse.
fn faults(browser: &Browser) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/npm/node_modules/axe-core/axe.min.js");
    let axe = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; `tests/run` fetches it: npm install --prefix target/npm axe-core@4.11.0", path.display())
    });
    browser.script(&axe);
    let found = browser.script(
        "return axe.run(document, { resultTypes: ['violations'] }).then(found => found.violations
           .filter(one => ['serious', 'critical'].includes(one.impact))
           .map(one => one.id + ': ' + one.nodes.map(node => node.target.join(' ') + ' ' + node.failureSummary).join('; ')))",
    );
    found.as_array().unwrap().iter().map(|fault| fault.as_str().unwrap().to_owned()).collect()
}

/// Waits until the browser is at an address; where no script runs, there is nothing else to ask.
fn arrive(browser: &Browser, target: &str) {
    let begun = std::time::Instant::now();
    while !browser.url().ends_with(target) {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "still at {}", browser.url());
    }
}

/// The manifest of the tests, with a small form of each picture.
fn with_thumbs() -> String {
    let main = "renditions:\n";
    let thumb = "renditions:\n  thumb: { format: webp, width: 32, path: \"people/thumb/{{ group }}-{{ value }}-{{ style }}-{{ digest }}.{{ ext }}\" }\n";
    PEOPLE.replace(main, thumb)
}

#[test]
fn the_gallery_is_filtered_by_its_labels_and_the_filter_is_in_the_address() {
    let project = Project::new(&with_thumbs());
    project.apply();
    let server = Server::of(&project, &[]);
    let browser = Browser::start();
    browser.open(&server.url("/"));
    look(&browser, "gallery-collections");
    browser.click(".collection h2 a");
    arrive(&browser, "/people");
    assert_eq!(browser.visible(".card"), 8);
    let thumbs = "[...document.querySelectorAll('.card img')].every(image => image.src.includes('/thumb/'))";
    assert_eq!(browser.evaluate(thumbs), Value::Bool(true), "the small form is used");
    look(&browser, "gallery-grid");
    browser.script("document.querySelector('input[value=anime]').click()");
    browser.wait_until("location.search === '?style=anime' && document.readyState === 'complete'");
    assert_eq!(browser.visible(".card"), 4);
    assert!(browser.text("#shown").starts_with("4 of 8 pictures"));
    browser.script("document.querySelector('input[value=body]').click()");
    browser.wait_until("location.search === '?group=body&style=anime' && document.readyState === 'complete'");
    assert_eq!(browser.visible(".card"), 2);
    assert_eq!(browser.visible(".choice input[value=young]"), 0, "what would show nothing is not offered");
    browser.back();
    browser.wait_until("location.search === '?style=anime' && document.readyState === 'complete'");
    assert_eq!(browser.visible(".card"), 4);
    browser.click(".actions a");
    browser.wait_until("location.search === '' && document.readyState === 'complete'");
    assert_eq!(browser.visible(".card"), 8);
}

#[test]
fn the_gallery_works_without_scripts() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let browser = Browser::start();
    browser.scripts(Scripts::Off);
    browser.open(&server.url("/people"));
    browser.click(".choice:has(input[value=photo])");
    browser.click("button[type=submit]");
    arrive(&browser, "/people?style=photo");
    browser.click(".card");
    arrive(&browser, "/people/age/young/photo");
}

#[test]
fn a_picture_tells_what_it_is_made_from_and_what_it_was_before() {
    let project = Project::applied();
    project.edit("a young woman", "a young woman with short dark hair");
    project.apply();
    project.edit("steps: 20", "steps: 25");
    project.apply();
    let server = Server::of(&project, &[]);
    let browser = Browser::start();
    browser.open(&server.url("/people/age/young/photo"));
    look(&browser, "gallery-picture");
    assert_eq!(browser.text("h1"), "age/young/photo");
    assert!(browser.text(".prose").contains("a photograph of a young woman with short dark hair"));
    assert_eq!(browser.visible(".history li"), 3);
    assert_eq!(browser.visible(".history img"), 3, "the earlier pictures are kept");
    let steps = browser.text(".history li:nth-child(1) .changes");
    assert!(steps.contains("steps") && steps.contains("20") && steps.contains("25"), "{steps}");
    assert_eq!(browser.text(".history li:nth-child(2) ins").trim(), "with short dark hair");
    assert!(browser.text(".history li:nth-child(1)").contains("live now"));
    assert!(browser.text(".history li:nth-child(3)").contains("The first picture"));
    assert!(browser.text("main").contains("people/age-young-photo-"), "where it lies");
    // By keys alone to the next picture, and by its label to all of one kind.
    browser.press(key::RIGHT);
    browser.wait_until("location.pathname.endsWith('/people/age/young/anime') && document.readyState === 'complete'");
    browser.click(".chips a:nth-child(2)");
    browser.wait_until("location.search === '?value=young' && document.readyState === 'complete'");
    assert_eq!(browser.visible(".card"), 2);
}

#[test]
fn pages_fit_a_phone_and_the_dark() {
    let project = Project::new(&with_thumbs());
    project.apply();
    let server = Server::of(&project, &["--manifest"]);
    let browser = Browser::start();
    for (size, window) in [("phone", PHONE), ("laptop", LAPTOP)] {
        for (name, scheme) in [("light", Scheme::Light), ("dark", Scheme::Dark)] {
            browser.window(window);
            browser.scheme(scheme);
            for (page, target) in [
                ("collections", "/"),
                ("grid", "/people"),
                ("picture", "/people/body/tall/photo"),
                ("nothing", "/people?value=nobody"),
            ] {
                browser.open(&server.url(target));
                look(&browser, &format!("gallery-{page}-{size}-{name}"));
            }
        }
    }
}

#[test]
fn drift_is_told_on_every_page_and_the_plan_is_one_click_away() {
    let project = Project::applied();
    project.execute("UPDATE people SET prompt = 'by hand' WHERE value = 'slim' AND style = 'photo'");
    let server = Server::of(&project, &["--manifest"]);
    let browser = Browser::start();
    browser.open(&server.url("/"));
    assert!(browser.text(".banner").contains("1 picture drifted"), "{}", browser.text(".banner"));
    look(&browser, "gallery-drift");
    browser.click(".banner a");
    arrive(&browser, "/plan");
    assert!(browser.text("body").contains("body/slim/photo"));
    assert_eq!(browser.console_errors(), Vec::<String>::new());
    let server = Server::of(&project, &[]);
    server.get("/plan").expect(404);
}

#[test]
fn more_pictures_than_a_page_holds_are_turned_over() {
    let values: Vec<String> = (1..=120).map(|number| format!("v{number:03}")).collect();
    let manifest = PEOPLE
        .replace("  - matrix:\n      group: body\n      value:\n        slim: { vars: { subject: a slim man } }\n        tall: { vars: { subject: a tall woman } }\n",
            &format!("  - matrix:\n      group: body\n      value: [{}]\n    vars: {{ subject: somebody }}\n", values.join(", ")))
        .replace("width: 64", "width: 16").replace("height: 96", "height: 16");
    let project = Project::new(&manifest);
    project.apply();
    let server = Server::of(&project, &[]);
    let browser = Browser::start();
    browser.open(&server.url("/people"));
    assert_eq!(browser.visible(".card"), 100);
    look(&browser, "gallery-pages");
    browser.click("a[rel=next]");
    arrive(&browser, "/people?page=2");
    browser.click("a[rel=next]");
    arrive(&browser, "/people?page=3");
    assert_eq!(browser.visible(".card"), 44);
    assert_eq!(browser.visible("a[rel=next]"), 0);
    server.get("/people?page=4").expect(404);
}
