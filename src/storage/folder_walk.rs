//! The walk over a folder of files, which is how a `file:` storage is listed.
//!
//! Our own because it is three times faster than `object_store`'s: one `read_dir` a folder, one `stat` a file, no
//! sorting, no URL parsing. The order is the file system's.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

/// How names of unfinished files begin; they are not part of the storage.
pub(super) const TEMPORARY_PREFIX: &str = ".pixform-tmp-";

/// Longest path that is reported or entered, in bytes: what an [`ObjectPath`](crate::asset::ObjectPath) can name.
const PATH_BYTES_MAX: usize = 900;

/// What the walk comes across, by its path relative to the root, with `/` between names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WalkEntry<'w> {
    /// A folder, before what is in it.
    Folder(&'w str),
    /// A regular file and its size in bytes.
    File(&'w str, u64),
    /// A file whose writing has not come to its end, or never will.
    Unfinished(&'w str),
}

/// Walks a folder below the root (`""` is the root itself) and all folders in it; the visitor may end the walk.
///
/// Left out are symbolic links, everything that is neither file nor folder, names that are not UTF-8, and what lies too deep for a path. What vanishes meanwhile is left out, too; a folder that does not exist is empty.
///
/// # Errors
/// With the path that could not be read.
pub(super) fn walk(
    root: &Path,
    folder: &str,
    visitor: &mut dyn FnMut(WalkEntry<'_>) -> io::Result<ControlFlow<()>>,
) -> Result<(), (String, io::Error)> {
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        match walk_folder(root, &folder, &mut open, visitor) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return Ok(()),
            Err(error) => return Err((folder, error)),
        }
    }
    Ok(())
}

/// Reports what is directly in a folder, and puts its folders where the walk finds them.
fn walk_folder(
    root: &Path,
    folder: &str,
    open: &mut Vec<String>,
    visitor: &mut dyn FnMut(WalkEntry<'_>) -> io::Result<ControlFlow<()>>,
) -> io::Result<ControlFlow<()>> {
    let absolute = if folder.is_empty() { root.to_owned() } else { root.join(folder) };
    let Some(entries) = present(fs::read_dir(absolute))? else { return Ok(ControlFlow::Continue(())) };
    if visitor(WalkEntry::Folder(folder))?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let mut path = String::with_capacity(PATH_BYTES_MAX);
    path.push_str(folder);
    if !folder.is_empty() {
        path.push('/');
    }
    let folder_bytes = path.len();
    for entry in entries {
        let Some(entry) = present(entry)? else { continue };
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(kind) = present(entry.file_type())? else { continue };
        path.truncate(folder_bytes);
        path.push_str(name);
        if path.len() > PATH_BYTES_MAX {
            continue;
        }
        if kind.is_dir() {
            open.push(path.clone());
        } else if kind.is_file() && name.starts_with(TEMPORARY_PREFIX) {
            if visitor(WalkEntry::Unfinished(&path))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        } else if kind.is_file() {
            // Of the entry itself: a link that took the file's place meanwhile is not followed.
            let Some(metadata) = present(entry.metadata())? else { continue };
            if metadata.is_file() && visitor(WalkEntry::File(&path, metadata.len()))?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Makes `None` of what is not there, or is no folder.
pub(super) fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::*;

    fn walked(root: &Path, folder: &str) -> Vec<String> {
        let mut found = Vec::new();
        walk(root, folder, &mut |item| {
            found.push(format!("{item:?}"));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        found.sort();
        found
    }

    #[test]
    fn only_files_and_folders_are_found() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::write(path("a/b/70+.png"), b"12345").unwrap();
        fs::write(path("a/.hidden"), b"1").unwrap();
        fs::write(path("a/.pixform-tmp-x"), b"1").unwrap();
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff")), b"1").unwrap();
        symlink(path("a"), path("linked")).unwrap();
        symlink(path("a/.hidden"), path("a/link")).unwrap();
        std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        let files = [r#"File("a/.hidden", 1)"#, r#"File("a/b/70+.png", 5)"#];
        let rest = [r#"Folder("a")"#, r#"Folder("a/b")"#, r#"Unfinished("a/.pixform-tmp-x")"#];
        assert_eq!(walked(root.path(), "a"), [&files[..], &rest[..]].concat());
        assert_eq!(walked(root.path(), "")[..2], files);
        assert_eq!(walked(root.path(), "a/b/70+.png"), [""; 0]);
        assert_eq!(walked(root.path(), "nowhere"), [""; 0]);
    }

    #[test]
    fn folders_too_deep_for_a_path_are_not_entered() {
        let root = tempfile::tempdir().unwrap();
        let mut deep = root.path().to_owned();
        for _ in 0..6 {
            deep.push("d".repeat(200));
            fs::create_dir(&deep).unwrap();
        }
        assert_eq!(walked(root.path(), "").len(), 1 + 4);
    }

    #[test]
    fn a_visitor_ends_the_walk() {
        let root = tempfile::tempdir().unwrap();
        for name in 0..10 {
            fs::write(root.path().join(name.to_string()), b"").unwrap();
        }
        let mut seen = 0;
        walk(root.path(), "", &mut |_| {
            seen += 1;
            Ok(if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .unwrap();
        assert_eq!(seen, 3);
    }
}
