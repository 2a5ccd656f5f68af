//! The browser of the tests, tried on a page of which everything is known: a test that looks at a page proves nothing
//! when its browser sees no fault.

use std::fs;
use std::path::PathBuf;

use crate::browser::{Browser, LAPTOP, PHONE, Scheme, Scripts, key};

const PAGE: &str = r##"<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Page</title>
<style>body { margin: 0; background: white } @media (prefers-color-scheme: dark) { body { background: black } }
#wide { width: 600px } #hidden { display: none }</style>
<button id="b" onclick="this.textContent = 'pressed'">press</button>
<input id="i"><p id="keys"></p><p id="hidden">x</p><div id="wide">wide</div><a id="on" href="#next">on</a>
<img id="bad" src="data:image/png;base64,AAAA">
<script>addEventListener('keydown', event => keys.textContent += event.key + ' '); console.error('wrong');
console.log('right');</script>"##;

fn page() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a page.html");
    fs::write(&path, PAGE).unwrap();
    (folder, path)
}

#[test]
fn it_clicks_types_and_presses_keys() {
    let (_folder, path) = page();
    let browser = Browser::start();
    browser.open_file(&path);
    browser.click("#b");
    assert_eq!(browser.text("#b"), "pressed");
    browser.write("#i", "naïve");
    assert_eq!(browser.evaluate("document.getElementById('i').value"), "naïve");
    browser.press(&[key::HOME, key::END, key::LEFT, key::RIGHT, key::UP, key::DOWN].concat());
    browser.press(&[key::TAB, key::ESCAPE, key::ENTER].concat());
    let pressed = browser.text("#keys");
    let wanted = "Home End ArrowLeft ArrowRight ArrowUp ArrowDown Tab Escape Enter";
    assert!(pressed.ends_with(wanted), "{pressed}");
    browser.wait_until("location.hash === '#next'");
    assert!(browser.url().ends_with("/a%20page.html#next"), "{}", browser.url());
    browser.back();
    browser.wait_until("location.hash === ''");
}

#[test]
fn it_sees_what_is_wrong_with_a_page() {
    let (_folder, path) = page();
    let browser = Browser::start();
    browser.open_file(&path);
    assert_eq!(browser.broken_pictures(), ["data:image/png;base64,AAAA"]);
    let errors = browser.console_errors();
    assert!(errors.len() == 1 && errors[0].contains("wrong"), "{errors:?}");
    assert_eq!(browser.console_errors(), Vec::<String>::new());
    assert_eq!((browser.visible("p"), browser.visible("#hidden")), (1, 0));
}

#[test]
fn it_is_a_phone_a_laptop_dark_light_and_without_scripts() {
    let (_folder, path) = page();
    let browser = Browser::start();
    browser.open_file(&path);
    for (window, sideways) in [(LAPTOP, false), (PHONE, true)] {
        browser.window(window);
        assert_eq!(browser.evaluate("document.documentElement.clientWidth"), window.0);
        assert_eq!(browser.scrolls_sideways(), sideways, "{window:?}");
    }
    for (scheme, colour) in [(Scheme::Dark, "rgb(0, 0, 0)"), (Scheme::Light, "rgb(255, 255, 255)")] {
        browser.scheme(scheme);
        assert_eq!(browser.evaluate("getComputedStyle(document.body).backgroundColor"), colour);
    }
    assert_eq!(browser.console_errors().len(), 1);
    browser.scripts(Scripts::Off);
    browser.open_file(&path);
    assert_eq!(browser.console_errors(), Vec::<String>::new(), "the page's script did not run");
    browser.scripts(Scripts::Run);
    browser.open_file(&path);
    let screenshot = fs::read(browser.screenshot("browser-itself")).unwrap();
    assert!(screenshot.starts_with(b"\x89PNG"));
}

#[test]
fn it_ends_with_its_value() {
    let browser = Browser::start();
    let profile = browser.profile().to_owned();
    drop(browser);
    assert!(!profile.exists());
    let running = fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read(entry.ok()?.path().join("cmdline")).ok());
    let mine = running.map(|line| String::from_utf8_lossy(&line).into_owned());
    assert_eq!(mine.filter(|line| line.contains(profile.to_str().unwrap())).count(), 0);
}
