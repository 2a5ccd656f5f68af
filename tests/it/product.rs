//! A product that a script made before pixform came: rows, and files under names of their own.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::project::{KEYS, PEOPLE, Project};

/// Seeds that the script used, one a key of [`KEYS`]: some beyond what floats and 32 bits hold.
pub const SEEDS: [i64; 8] = [0, 7, 2_147_483_648, 4_294_967_296, 9_007_199_254_740_993, i64::MAX, 1_839_201_147, 42];

/// [`PEOPLE`] with the columns of the picture's size.
pub fn manifest() -> String {
    PEOPLE.replace(
        "    prompt: \"{{ prompt }}\"\n",
        "    prompt: \"{{ prompt }}\"\n    width: \"{{ width }}\"\n    height: \"{{ height }}\"\n",
    )
}

/// Returns where the script put a picture, below the storage root.
pub fn old_path(key: &str) -> String {
    format!("old/{}+.jpg", key.replace('/', "-"))
}

/// Makes the product: pictures of [`KEYS`] with [`SEEDS`], whose URLs are partly encoded, and nothing of pixform.
pub fn product() -> Project {
    static ONCE: OnceLock<Project> = OnceLock::new();
    ONCE.get_or_init(made).copy()
}

fn made() -> Project {
    let project = Project::new(&manifest());
    project.apply();
    for (key, seed) in KEYS.iter().zip(SEEDS) {
        let (from, to) = (project.picture(key), project.storage().join(old_path(key)));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(from, to).unwrap();
        let url = format!("/files/{}", old_path(key));
        let url = if seed % 2 == 0 { url } else { url.replace('+', "%2B") };
        let at = format!(r#""group" || '/' || value || '/' || style = '{key}'"#);
        assert_eq!(project.execute(&format!("UPDATE people SET image_url = '{url}', seed = {seed} WHERE {at}")), 1);
    }
    project.batch(if project.is_sqlite() { TABLE } else { POSTGRES_TABLE });
    forget(&project);
    project
}

/// Makes the table the script's own.
const TABLE: &str = r#"
ALTER TABLE people RENAME TO made;
CREATE TABLE people (
  id INTEGER PRIMARY KEY,
  "group" VARCHAR(20) NOT NULL,
  value TEXT NOT NULL,
  style TEXT NOT NULL,
  image_url TEXT,
  seed BIGINT,
  width INTEGER,
  height INTEGER,
  prompt TEXT,
  likes INTEGER NOT NULL DEFAULT 3,
  created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  UNIQUE ("group", value, style)
);
INSERT INTO people (id, "group", value, style, image_url, seed, width, height, prompt)
  SELECT id, "group", value, style, image_url, seed, width, height, prompt FROM made;
DROP TABLE made;
"#;

/// The same as an application framework would have made it, with types of its own.
const POSTGRES_TABLE: &str = r#"
ALTER TABLE people RENAME TO made;
CREATE TABLE people (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  "group" varchar(20) NOT NULL,
  value text NOT NULL,
  style varchar NOT NULL,
  image_url varchar(500),
  seed numeric(20),
  width smallint,
  height numeric,
  prompt text,
  likes integer NOT NULL DEFAULT 3,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE ("group", value, style)
);
INSERT INTO people ("group", value, style, image_url, seed, width, height, prompt)
  SELECT "group", value, style, image_url, seed, width, height, prompt FROM made;
DROP TABLE made;
"#;

/// Takes away everything that is pixform's: its tables, its originals, its marker, and what it published.
pub fn forget(project: &Project) {
    if project.is_sqlite() {
        let tables = project.query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'pixform_%'");
        let drops = tables.iter().map(|table| format!("DROP TABLE {table};")).collect::<String>();
        project.batch(&format!("PRAGMA foreign_keys = OFF; {drops}"));
    } else {
        project.batch("DROP SCHEMA pixform CASCADE");
    }
    for folder in ["originals", "people"] {
        let _ = fs::remove_dir_all(project.storage().join(folder));
    }
}

/// Returns every row, every column, and the table's own SQL.
pub fn whole_table(project: &Project) -> Vec<String> {
    let mut all = project.query("SELECT * FROM people ORDER BY id");
    if project.is_sqlite() {
        all.extend(project.query("SELECT sql FROM sqlite_schema WHERE name = 'people'"));
    }
    all
}

/// Returns the script's files, with bytes and times.
pub fn old_files(project: &Project) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let mut files: Vec<_> = fs::read_dir(project.storage().join("old"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()))
        .collect();
    files.sort();
    files
}
