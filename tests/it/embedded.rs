//! The engine inside of another program, as `examples/embed.rs` shows it.

use std::fs;
use std::sync::Mutex;

use pixform::engine::{EngineError, EngineEvent};

use crate::embed::publish;
use crate::project::{KEYS, PEOPLE};

const CONFIG: &str = "
version: 1
environments:
  local:
    state: sqlite:state.db
    storage: { url: \"file:storage\" }
    generators: { painter: { kind: placeholder } }
";

/// Publishes the manifests of a folder; returns what was done, and what was heard.
async fn publish_in(folder: &std::path::Path) -> (Result<u64, EngineError>, Vec<String>) {
    let heard = Mutex::new(Vec::new());
    let listen = |event: EngineEvent<'_>| {
        let said = match event {
            EngineEvent::ManifestBroken(_) => "broken",
            EngineEvent::Begun(_) => "begun",
            EngineEvent::Apply(pixform::apply::Event::Completed { .. }) => "completed",
            EngineEvent::Ended => "ended",
            _ => return,
        };
        heard.lock().unwrap().push(said.to_owned());
    };
    let (file, manifest) = (folder.join("pixform.yaml"), folder.join("people.yaml"));
    let done = publish(Some(file), &[manifest], &listen).await;
    (done, heard.into_inner().unwrap())
}

#[tokio::test]
async fn a_program_that_embeds_the_engine_publishes_once_and_hears_what_happens() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pixform.yaml"), CONFIG).unwrap();
    fs::write(folder.path().join("people.yaml"), PEOPLE).unwrap();
    let (done, heard) = publish_in(folder.path()).await;
    assert_eq!(done.unwrap(), KEYS.len() as u64);
    assert_eq!((heard.first().map(String::as_str), heard.last().map(String::as_str)), (Some("begun"), Some("ended")));
    assert_eq!(heard.iter().filter(|said| *said == "completed").count(), KEYS.len());
    let (done, heard) = publish_in(folder.path()).await;
    assert_eq!((done.unwrap(), heard), (0, Vec::new()));
}

#[tokio::test]
async fn a_manifest_with_mistakes_is_heard_of_and_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("pixform.yaml"), CONFIG).unwrap();
    fs::write(folder.path().join("people.yaml"), PEOPLE.replace("model:", "modell:")).unwrap();
    let (done, heard) = publish_in(folder.path()).await;
    assert!(matches!(done, Err(EngineError::Broken { count: 1 })), "{done:?}");
    assert_eq!(heard, ["broken"]);
}
