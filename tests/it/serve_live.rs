//! An apply while the API is read: every answer is one state of the product, and every picture in it is there.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::project::Project;
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
        for number in 0..4 {
            project.edit("steps: 2", &format!("steps: 2{number}").replace("20", "2"));
            project.apply();
            project.edit(&format!("steps: 2{number}").replace("20", "2"), "steps: 2");
        }
        project.apply();
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
