//! An apply while the API is read: every answer is one state of the product, and every picture in it is there.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::project::{PEOPLE, Project};
use crate::served::Server;

#[test]
fn while_an_apply_runs_every_answer_is_one_state_and_every_picture_in_it_loads() {
    let project = Project::applied();
    let server = Server::of(&project, &[]);
    let before = server.get("/api/people").expect(200).text();
    let done = AtomicBool::new(false);
    let read = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut states = BTreeSet::new();
                    while !done.load(Ordering::Acquire) {
                        let got = server.get("/api/people").expect(200);
                        let rows = got.json();
                        let rows = rows.as_array().unwrap();
                        assert_eq!(rows.len(), 8, "a row is never gone");
                        for row in rows {
                            let url = row["image_url"].as_str().unwrap();
                            assert!(!server.get(url).expect(200).body.is_empty());
                        }
                        states.insert(got.text());
                    }
                    states
                })
            })
            .collect();
        for steps in [21, 22, 23, 24, 20] {
            project.manifest(&PEOPLE.replace("steps: 20", &format!("steps: {steps}")));
            project.apply();
        }
        done.store(true, Ordering::Release);
        readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect::<BTreeSet<_>>()
    });
    assert!(read.len() > 1, "an apply was seen while it was read");
    // All that a commit switches is switched at once: the rows of one answer are of one commit or of two neighbours.
    let deadline = Instant::now() + Duration::from_secs(10);
    let now = || {
        let rows = server.get("/api/people").expect(200).json();
        rows.as_array().unwrap().iter().map(|row| row["image_url"].clone()).collect::<Vec<_>>()
    };
    let first: serde_json::Value = serde_json::from_str(&before).unwrap();
    let first: Vec<_> = first.as_array().unwrap().iter().map(|row| row["image_url"].clone()).collect();
    while now() != first {
        assert!(Instant::now() < deadline, "the last apply put the first pictures back, and they are not shown");
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
