//! What only a storage in a folder of files can do or suffer: links, kills, broken roots and full disks.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pixform::storage::{Overwrite, Storage, StorageError, StoreOptions, open};

use crate::storage_contract::{listed, path, put};

fn file_storage(root: &Path) -> Box<dyn Storage> {
    open(&StoreOptions::of(format!("file:{}", root.display()))).unwrap()
}

/// Tells an error with all its sources, as a person will read it, with `ROOT` for the root.
fn told(root: &Path, error: &StorageError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text.replace(&root.display().to_string(), "ROOT")
}

#[tokio::test]
async fn a_file_can_be_read_by_others() {
    let root = tempfile::tempdir().unwrap();
    put(&*file_storage(root.path()), "a/b.png", "bytes", Overwrite::Never).await.unwrap();
    let mode = fs::metadata(root.path().join("a/b.png")).unwrap().permissions().mode();
    assert_eq!(mode & 0o755, 0o644, "{mode:o}, whatever group and others lose to the umask");
}

#[tokio::test]
async fn what_a_killed_writer_left_is_not_seen_and_breaks_nothing() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    fs::write(root.path().join("a/.pixform-tmp-Ab12Cd"), b"by").unwrap();
    let storage = file_storage(root.path());
    assert_eq!(listed(&*storage, "").await.unwrap(), []);
    put(&*storage, "a/b.png", "bytes", Overwrite::Never).await.unwrap();
    assert_eq!(listed(&*storage, "").await.unwrap(), [("a/b.png".to_owned(), 5)]);
    let error = put(&*storage, "a/.pixform-tmp-Ab12Cd", "bytes", Overwrite::Replace).await.unwrap_err();
    insta::assert_snapshot!(told(root.path(), &error), @"could not write `a/.pixform-tmp-Ab12Cd`: names of unfinished files begin so, and are never listed");
}

/// Set for the process that is to be killed: the root it writes to.
const VICTIM: &str = "PIXFORM_TEST_STORAGE_VICTIM";
const VICTIM_FILES: u8 = 20;
/// How often it writes them all, so that it is at it whenever it is killed, and not for ever if it is not.
const VICTIM_ROUNDS: u32 = 500;
const VICTIM_FILE_BYTES: usize = 2_000_000;

/// Does nothing, unless the next test has started this one in a process of its own.
#[tokio::test]
async fn a_writer_that_will_be_killed_writes() {
    let Some(root) = std::env::var_os(VICTIM) else { return };
    let storage = file_storage(Path::new(&root));
    for number in (0..VICTIM_ROUNDS).flat_map(|_| 0..VICTIM_FILES) {
        let bytes = vec![number; VICTIM_FILE_BYTES];
        put(&*storage, &format!("a/{number}"), bytes, Overwrite::Replace).await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_writer_leaves_whole_files_only() {
    for files_before in [1, 2, 5] {
        let root = tempfile::tempdir().unwrap();
        let mut writer = Command::new(std::env::current_exe().unwrap());
        writer.args(["--exact", "storage_file::a_writer_that_will_be_killed_writes"]).env(VICTIM, root.path());
        let mut writer = writer.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let storage = file_storage(root.path());
        while listed(&*storage, "a").await.unwrap().len() < files_before {
            assert_eq!(writer.try_wait().unwrap(), None, "it ended before it could be killed");
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        for (name, bytes) in listed(&*storage, "").await.unwrap() {
            assert_eq!(bytes, VICTIM_FILE_BYTES as u64, "{name}");
            let number: u8 = name["a/".len()..].parse().unwrap();
            let content = storage.get(&path(&name), bytes).await.unwrap();
            assert!(content.iter().all(|byte| *byte == number), "{name}");
        }
        put(&*storage, &format!("a/{}", VICTIM_FILES - 1), "", Overwrite::Replace).await.unwrap();
    }
}

#[tokio::test]
async fn a_root_that_is_a_file_is_unusable_for_everything() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::write(&root, b"").unwrap();
    let storage = file_storage(&root);
    let errors = [
        put(&*storage, "a/b", "bytes", Overwrite::Never).await.unwrap_err(),
        storage.get(&path("a/b"), 10).await.unwrap_err(),
        storage.size(&path("a/b")).await.unwrap_err(),
        listed(&*storage, "").await.unwrap_err(),
        listed(&*storage, "a").await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StorageError::Unusable { .. }), "{error:?}");
        insta::allow_duplicates! { insta::assert_snapshot!(told(&root, &error), @"the storage `file:ROOT` cannot be used: not a directory"); }
    }
}

#[tokio::test]
async fn a_root_that_cannot_be_made_is_unusable_and_empty() {
    let root = Path::new("/proc/pixform/storage");
    let storage = file_storage(root);
    let error = put(&*storage, "a", "bytes", Overwrite::Never).await.unwrap_err();
    assert!(matches!(error, StorageError::Unusable { .. }), "{error:?}");
    insta::assert_snapshot!(told(root, &error), @"the storage `file:ROOT` cannot be used: No such file or directory (os error 2)");
    assert_eq!(listed(&*storage, "").await.unwrap(), []);
    assert_eq!(storage.size(&path("a")).await.unwrap(), None);
}

#[tokio::test]
async fn links_in_the_root_are_not_listed_read_or_written_through() {
    let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(outside.path().join("secret"), b"secret").unwrap();
    symlink(outside.path(), root.path().join("folder")).unwrap();
    symlink(outside.path().join("secret"), root.path().join("file")).unwrap();
    symlink("nowhere", root.path().join("dangling")).unwrap();
    let storage = file_storage(root.path());
    for folder in ["", "folder"] {
        assert_eq!(listed(&*storage, folder).await.unwrap(), []);
    }
    for name in ["folder/secret", "file", "dangling", "folder"] {
        assert_eq!(storage.size(&path(name)).await.unwrap(), None, "{name}");
        assert!(matches!(storage.get(&path(name), 10).await, Err(StorageError::Missing { .. })), "{name}");
        let error = put(&*storage, name, "secret", Overwrite::Never).await.unwrap_err();
        assert!(matches!(error, StorageError::Io { action: "write", .. }), "{name}: {error:?}");
    }
    let error = put(&*storage, "folder/new", "bytes", Overwrite::Replace).await.unwrap_err();
    insta::assert_snapshot!(told(root.path(), &error), @"could not write `folder/new`: a file or a symbolic link is in the place of its folder");
    put(&*storage, "file", "bytes", Overwrite::Replace).await.unwrap();
    assert!(fs::symlink_metadata(root.path().join("file")).unwrap().is_file(), "the link was replaced, not followed");
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_root_that_is_a_link_to_a_folder_is_a_root() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("root")).unwrap();
    let storage = file_storage(&folder.path().join("root"));
    put(&*storage, "a/b", "bytes", Overwrite::Never).await.unwrap();
    assert_eq!(listed(&*storage, "").await.unwrap(), [("a/b".to_owned(), 5)]);
}

#[tokio::test]
async fn a_folder_that_somebody_removed_is_made_again() {
    let root = tempfile::tempdir().unwrap();
    let storage = file_storage(&root.path().join("storage"));
    for _ in 0..2 {
        put(&*storage, "a/b/c", "bytes", Overwrite::Never).await.unwrap();
        storage.sync().await.unwrap();
        fs::remove_dir_all(root.path().join("storage")).unwrap();
    }
}

#[tokio::test]
async fn a_file_that_vanished_before_the_sync_is_told() {
    let root = tempfile::tempdir().unwrap();
    let storage = file_storage(root.path());
    put(&*storage, "a/b", "bytes", Overwrite::Never).await.unwrap();
    fs::remove_file(root.path().join("a/b")).unwrap();
    let error = storage.sync().await.unwrap_err();
    assert!(matches!(&error, StorageError::Missing { path } if path == "a/b"), "{error:?}");
    put(&*storage, "a/b", "bytes", Overwrite::Never).await.unwrap();
    storage.sync().await.unwrap();
}

#[tokio::test]
async fn a_file_and_a_folder_do_not_share_a_path() {
    let root = tempfile::tempdir().unwrap();
    let storage = file_storage(root.path());
    put(&*storage, "a/b", "bytes", Overwrite::Never).await.unwrap();
    for (name, overwrite) in [("a", Overwrite::Never), ("a", Overwrite::Replace), ("a/b/c", Overwrite::Replace)] {
        let error = put(&*storage, name, "bytes", overwrite).await.unwrap_err();
        assert!(matches!(error, StorageError::Io { action: "write", .. }), "{error:?}");
    }
    assert_eq!(listed(&*storage, "").await.unwrap(), [("a/b".to_owned(), 5)]);
}

/// A small file system of its own, in a mount namespace of its own: it is gone when its process is, even if this one is
/// killed, and no other process can trip over it.
pub struct SmallDisk {
    holder: Child,
    pub root: PathBuf,
    /// The same folder, for who enters its name space.
    pub mount_point: PathBuf,
    _folder: tempfile::TempDir,
}

impl SmallDisk {
    pub fn new(options: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount_point = folder.path().join("disk");
        fs::create_dir(&mount_point).unwrap();
        let mut holder = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            holder.args(["--user", "--map-root-user"]);
        }
        // It holds the mount until its input ends, which it does when this process does.
        let script = r#"mount -t tmpfs -o "$1" tmpfs "$2" && echo mounted && exec cat"#;
        holder.args(["--mount", "sh", "-c", script, "sh", options]).arg(&mount_point);
        let needs = "this test needs a full disk and so the right to mount a tmpfs: run it as root, or where \
                     unprivileged user namespaces are allowed, with `unshare` and `mount` (Debian: util-linux, mount)";
        let holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut holder = holder.unwrap_or_else(|error| panic!("{needs}: {error}"));
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line != "mounted\n" {
            holder.wait().unwrap();
            panic!("{needs}");
        }
        let root = Path::new("/proc").join(holder.id().to_string()).join("root");
        let root = root.join(mount_point.strip_prefix("/").unwrap());
        Self { holder, root, mount_point, _folder: folder }
    }

    /// Returns a command that runs in its name space: for programs that look through links, as SQLite does.
    pub fn enter(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.holder.id().to_string()).arg("--mount");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_nothing_behind() {
    let disk = SmallDisk::new("size=256k");
    let root = disk.root.join("storage");
    let storage = file_storage(&root);
    put(&*storage, "a/small", vec![1; 100_000], Overwrite::Never).await.unwrap();
    let error = put(&*storage, "a/large", vec![2; 300_000], Overwrite::Never).await.unwrap_err();
    assert!(matches!(&error, StorageError::Full { path, .. } if path == "a/large"), "{error:?}");
    insta::assert_snapshot!(told(&root, &error), @"there is no space left in the storage for `a/large`: No space left on device (os error 28)");
    assert_eq!(fs::read_dir(root.join("a")).unwrap().count(), 1, "the unfinished file is gone");
    let error = put(&*storage, "a/small", vec![3; 200_000], Overwrite::Replace).await.unwrap_err();
    assert!(matches!(error, StorageError::Full { .. }), "{error:?}");
    assert_eq!(storage.get(&path("a/small"), 100_000).await.unwrap(), vec![1; 100_000], "the old bytes stay");
    put(&*storage, "a/fits", vec![4; 100_000], Overwrite::Never).await.unwrap();
    storage.sync().await.unwrap();
}

#[tokio::test]
async fn a_disk_without_room_for_a_folder_is_full() {
    // The root folder, `storage` and `a` are three inodes; there are no more.
    let disk = SmallDisk::new("size=1m,nr_inodes=3");
    let storage = file_storage(&disk.root.join("storage"));
    for name in ["a/b", "b/c"] {
        let error = put(&*storage, name, "", Overwrite::Never).await.unwrap_err();
        assert!(matches!(error, StorageError::Full { .. }), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_read_only_disk_is_unusable_for_writing_and_fine_for_reading() {
    let disk = SmallDisk::new("size=256k,ro");
    let storage = file_storage(&disk.root);
    let error = put(&*storage, "a/b", "bytes", Overwrite::Never).await.unwrap_err();
    assert!(matches!(error, StorageError::Unusable { .. }), "{error:?}");
    insta::assert_snapshot!(told(&disk.root, &error), @"the storage `file:ROOT` cannot be used: Read-only file system (os error 30)");
    assert_eq!(listed(&*storage, "").await.unwrap(), []);
    assert_eq!(storage.size(&path("a/b")).await.unwrap(), None);
}

#[tokio::test]
async fn much_that_lies_on_two_file_systems_can_be_synced() {
    // What a power cut would leave cannot be asked for; the calls are made, for both, and succeed.
    let disk = SmallDisk::new("size=1m");
    let storage = file_storage(disk.root.parent().unwrap());
    for number in 0..200 {
        put(&*storage, &format!("disk/{number}"), "", Overwrite::Never).await.unwrap();
        put(&*storage, &format!("beside/{number}"), "", Overwrite::Never).await.unwrap();
    }
    storage.sync().await.unwrap();
    assert_eq!(listed(&*storage, "").await.unwrap().len(), 400);
}
