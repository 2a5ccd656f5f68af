//! `pixform init`

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::{Failure, Output};

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub struct InitArgs {}

const CONFIG: &str = include_str!("templates/pixform.yaml");
const MANIFEST: &str = include_str!("templates/portraits.yaml");

/// Writes a commented `pixform.yaml` and a first manifest; files that are there stay as they are.
pub fn run(_: &InitArgs, output: &Output) -> Result<u8, Failure> {
    let mut written = 0;
    for (path, content) in [("pixform.yaml", CONFIG), ("manifests/portraits.yaml", MANIFEST)] {
        let path = Path::new(path);
        let failure = |source| Failure::Write { path: path.to_path_buf(), source };
        if path.parent() == Some(Path::new("manifests")) {
            std::fs::create_dir_all("manifests").map_err(failure)?;
        }
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(mut file) => {
                file.write_all(content.as_bytes()).map_err(failure)?;
                output.data(&format!("wrote {}\n", path.display()));
                written += 1;
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                output.talk(&format!("{} is there already and stays as it is", path.display()));
            }
            Err(error) => return Err(failure(error)),
        }
    }
    if written > 0 {
        output.next("pixform plan");
    }
    Ok(0)
}
