//! An apply while the API is read: every answer is one state of the product, and every picture in it is there.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{PEOPLE, Project};
use crate::served::Server;

/// Returns the picture of each row, in the order of an answer.
fn pictures(answer: &str) -> Vec<String> {
    let rows: Value = serde_json::from_str(answer).unwrap();
    rows.as_array().unwrap().iter().map(|row| row["image_url"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn while_an_apply_runs_every_answer_is_one_state_and_every_picture_in_it_loads() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let answer = || server.get("/api/people").expect(200).text();
    let mut states = vec![pictures(&answer())];
    let done = AtomicBool::new(false);
    let read = std::thread::scope(|scope| {
        let reader = || {
            let mut answers = BTreeSet::new();
            while !done.load(Ordering::Acquire) {
                let answer = answer();
                for url in pictures(&answer) {
                    assert!(!server.get(&url).expect(200).body.is_empty());
                }
                answers.insert(answer);
            }
            answers
        };
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(reader)).collect();
        for steps in 21..25 {
            project.manifest(&PEOPLE.replace("steps: 20", &format!("steps: {steps}")));
            project.apply();
            // The next apply comes once this one is seen, so that each is.
            let rows = project.rows();
            let there: BTreeSet<&str> = rows.values().map(|row| row.split(" | ").nth(1).unwrap()).collect();
            let begun = Instant::now();
            let shown = loop {
                let shown = pictures(&answer());
                if shown.iter().all(|url| there.contains(url.as_str())) {
                    break shown;
                }
                assert!(begun.elapsed() < Duration::from_secs(10), "what was applied is not shown");
            };
            states.push(shown);
        }
        done.store(true, Ordering::Release);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<BTreeSet<_>>()
    });
    assert!(read.len() > 1, "an apply was seen while it was read");
    for answer in read {
        let shown = pictures(&answer);
        assert_eq!(shown.len(), states[0].len(), "a row is never gone");
        let of =
            |(at, url): (usize, &String)| states.iter().position(|state| state[at] == *url).expect("it was published");
        let from: BTreeSet<usize> = shown.iter().enumerate().map(of).collect();
        // An apply that is slow commits in parts, so two states may meet; those of two applies never skip one.
        let (first, last) = (from.first().unwrap(), from.last().unwrap());
        assert!(last - first <= 1, "rows of the states {from:?} in one answer");
    }
}

#[test]
fn what_somebody_edits_in_the_table_is_shown_within_the_time_that_is_promised() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    server.get("/api/people").expect(200);
    project.execute("UPDATE people SET prompt = 'edited' WHERE value = 'tall' AND style = 'anime'");
    let begun = Instant::now();
    loop {
        let row = server.get("/api/people/body/tall/anime").expect(200).json();
        if row["prompt"] == "edited" {
            break;
        }
        // The promise is a second; the machine of a test may be busy.
        assert!(begun.elapsed() < Duration::from_secs(5), "still {row}");
    }
}

#[test]
fn memory_stays_flat_however_many_requests_come() {
    let requests: usize = std::env::var("PIXFORM_TEST_REQUESTS").map_or(4_000, |count| count.parse().unwrap());
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let picture = server.get("/api/people").expect(200).json()[0]["image_url"].as_str().unwrap().to_owned();
    let mut stream = server.connect();
    let mut buffer = vec![0; 64 * 1024];
    let mut ask = |target: &str| {
        stream.write_all(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).unwrap();
        let (mut taken, mut whole) = (0, usize::MAX);
        while taken < whole {
            taken += stream.read(&mut buffer[taken..]).unwrap();
            let head = String::from_utf8_lossy(&buffer[..taken.min(2_000)]).into_owned();
            let Some(end) = head.find("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            whole = end + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap());
        }
    };
    let mut early = 0;
    for number in 0..requests {
        // Ever new addresses too, so that what is kept for the next who asks has to have a bound.
        match number % 5 {
            0 => ask("/api/people?group=age"),
            1 => ask(&format!("/api/people?limit=1&value=v{number}")),
            2 => ask(&picture),
            3 => ask("/people/age/young/photo"),
            _ => ask("/api/people/nobody"),
        }
        if number == requests / 4 {
            early = server.memory();
        }
    }
    let late = server.memory();
    println!("{requests} requests: {} kB after a quarter, {} kB at the end", early / 1_000, late / 1_000);
    assert!(late < early + 12_000_000, "{early} bytes became {late}");
}
