//! Files as they were at a commit, read by running `git`: no shell, no network, and nothing of the working folder.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::secret::SafeText;

use super::Failure;

/// Variables that git sees: where it and its settings are, but not where another repository is, nor what it shall run.
const NEEDED: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "SUDO_UID",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "XDG_CONFIG_HOME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_COUNT",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_TEST_ASSUME_DIFFERENT_OWNER",
];
/// Settings that no repository overrules: a branch may hold a folder that looks like a repository with settings of its own,
/// and nothing that settings name is run.
const HARMLESS_SETTINGS: [&str; 13] = [
    "--no-pager",
    "-c",
    "safe.bareRepository=explicit",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.sshCommand=false",
    "-c",
    "diff.external=",
    "-c",
    "protocol.allow=never",
];
/// Files of one folder that are read at most.
const FILES_MAX: usize = 10_000;

/// A commit of the repository that a folder lies in.
pub struct GitCommit {
    folder: PathBuf,
    /// The folder's path in the repository, which ends in `/` where it is not empty.
    prefix: String,
    /// The commit's full name.
    id: String,
}

/// A file at a commit.
#[derive(Debug, PartialEq, Eq)]
pub struct OldFile {
    /// Its path, below the folder that was asked about.
    pub path: String,
    /// Its bytes; `None` for a link that leads out of the repository, or nowhere.
    pub bytes: Option<Vec<u8>>,
}

/// Finds the commit that a name means, in the repository of a folder; `None` where it means none.
pub fn find(name: &str, folder: &Path) -> Result<Option<GitCommit>, Failure> {
    if name.starts_with('-') {
        return Err(Failure::usage(format!("`{name}` is no branch, tag or commit"), "name one, as in `origin/main`"));
    }
    let inside = git(folder, ["rev-parse", "--show-prefix"], &[])?;
    let prefix = inside.text().map_err(|said| no_repository(folder, &said))?;
    let peeled = format!("{name}^{{commit}}");
    let found = git(folder, ["rev-parse", "--verify", "--quiet", &peeled], &[])?;
    Ok(found.text().ok().map(|id| GitCommit { folder: folder.to_path_buf(), prefix, id }))
}

/// Says why git finds no repository. One that belongs to another user, as in a container, it does not read: whoever
/// owns it could have it run programs.
fn no_repository(folder: &Path, said: &str) -> Failure {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    if said.contains("dubious ownership") {
        let owned = said.split('\'').nth(1).map_or_else(|| folder.display().to_string(), str::to_owned);
        let message =
            format!("git does not read the repository at `{owned}`: it belongs to another user (dubious ownership)");
        let help = format!("if you trust what lies there, run `git config --global --add safe.directory '{owned}'`");
        return Failure::usage(message, help);
    }
    let message = format!("`{}` is in no git repository that can be read: {said}", folder.display());
    Failure::usage(message, "name a folder with the older manifests: `--against DIR`")
}

/// Tells whether a name is that of a commit itself, in hexadecimal digits.
fn is_commit_id(name: &str) -> bool {
    (7..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Says what to do where a name means no commit.
pub fn unknown(name: &str, folder: &Path) -> Result<Failure, Failure> {
    let message = format!("git knows no branch, tag or commit `{name}` here");
    let remote = format!("origin/{name}");
    if find(&remote, folder)?.is_some() {
        return Ok(Failure::usage(message, format!("did you mean `{remote}`?")));
    }
    let shallow = git(folder, ["rev-parse", "--is-shallow-repository"], &[])?.text();
    let branch = name.strip_prefix("origin/").unwrap_or(name);
    let walks = branch.split(['~', '^', '@']).next().filter(|start| start.len() < branch.len());
    let empty = git(folder, ["rev-parse", "--verify", "--quiet", "HEAD"], &[])?.text().is_err();
    let help = match (shallow.as_deref(), walks) {
        (Ok("true"), walks) => {
            let command = match walks {
                Some(_) => "git fetch --unshallow origin".to_owned(),
                None if is_commit_id(branch) => format!("git fetch --depth=1 origin {branch}"),
                None => format!("git fetch --depth=1 origin {branch}:refs/remotes/origin/{branch}"),
            };
            format!(
                "this is a shallow clone, with only a part of the history: run `{command}` first, or, in GitHub Actions, \
                 check out with `fetch-depth: 0`"
            )
        }
        _ if empty => {
            "nothing is committed here yet: commit first, or name a folder with the older manifests".to_owned()
        }
        (_, Some(start)) => {
            format!("run `git log {start}` to see what there is, or name a folder with the older manifests")
        }
        (_, None) => format!("run `git fetch origin {branch}` first, or name a folder with the older manifests"),
    };
    Ok(Failure::usage(message, help))
}

impl GitCommit {
    /// Returns the first digits of its name.
    pub fn short(&self) -> &str {
        self.id.get(..7).unwrap_or(&self.id)
    }

    /// Returns the files that lie directly in a folder, which is named below the one that was asked about, and pass a test
    /// of their names; none where there is no such folder.
    pub fn files(&self, folder: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<OldFile>, Failure> {
        let inside = format!("{}{folder}", self.prefix);
        let mut arguments = vec!["ls-tree", "-z", "--full-tree", self.id.as_str(), "--"];
        arguments.extend(Some(inside.as_str()).filter(|inside| !inside.is_empty()));
        let listed = git(&self.folder, &arguments, &[])?.bytes().map_err(|said| self.unreadable(&said))?;
        let mut names = Vec::new();
        let mut asked = Vec::new();
        for line in listed.split(|byte| *byte == 0).filter_map(|line| std::str::from_utf8(line).ok()) {
            let Some((facts, path)) = line.split_once('\t') else { continue };
            let facts: Vec<&str> = facts.split(' ').collect();
            let [mode, "blob", id] = facts[..] else { continue };
            let Some(name) = path.strip_prefix(&inside).filter(|name| wanted(name)) else { continue };
            // A link is followed by its path, as far as it stays in the repository.
            let is_link = mode == "120000" && !path.contains('\n');
            asked.push(if is_link { format!("{}:{path}", self.id) } else { id.to_owned() });
            names.push(format!("{folder}{name}"));
        }
        if names.len() > FILES_MAX {
            let message = format!("`{inside}` has more than {FILES_MAX} manifests at {}", self.short());
            return Err(Failure::usage(message, "name the manifests that are meant"));
        }
        let contents = self.contents(&asked)?;
        Ok(names.into_iter().zip(contents).map(|(path, bytes)| OldFile { path, bytes }).collect())
    }

    fn contents(&self, asked: &[String]) -> Result<Vec<Option<Vec<u8>>>, Failure> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let lines: String = asked.iter().map(|name| format!("{name}\n")).collect();
        let answer = git(&self.folder, ["cat-file", "--batch", "--follow-symlinks"], lines.as_bytes())?;
        let answer = answer.bytes().map_err(|said| self.unreadable(&said))?;
        batch(&answer, asked.len()).ok_or_else(|| self.unreadable("a file is not here"))
    }

    fn unreadable(&self, said: &str) -> Failure {
        let message = format!("the manifests of {} cannot be read: {said}", self.short());
        Failure::usage(message, "fetch the commit with its files: `git fetch`, without a filter")
    }
}

/// Reads so many answers of `git cat-file --batch`: a line with the size, the bytes, a line feed; `None` where a file is
/// missing.
fn batch(mut answer: &[u8], count: usize) -> Option<Vec<Option<Vec<u8>>>> {
    let mut contents = Vec::new();
    for _ in 0..count {
        let end = answer.iter().position(|byte| *byte == b'\n')?;
        let head = std::str::from_utf8(&answer[..end]).ok()?;
        let (facts, size) = head.rsplit_once(' ')?;
        let size: usize = size.parse().ok()?;
        let bytes = answer.get(end + 1..end + 1 + size)?;
        // A link that leads elsewhere is answered with one word (`symlink`, `dangling`, `loop`) and its target.
        contents.push(facts.ends_with(" blob").then(|| bytes.to_vec()));
        answer = answer.get(end + 2 + size..)?;
    }
    Some(contents)
}

/// What git came to.
struct Ran {
    succeeded: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Ran {
    /// Returns what it printed, or else what it said, on one line.
    fn bytes(self) -> Result<Vec<u8>, String> {
        if self.succeeded {
            return Ok(self.stdout);
        }
        let said = String::from_utf8_lossy(&self.stderr);
        let said = said.lines().next().unwrap_or_default().trim_start_matches("fatal: ");
        Err(SafeText::of(said).into())
    }

    /// Returns the first line that it printed.
    fn text(self) -> Result<String, String> {
        let printed = String::from_utf8_lossy(&self.bytes()?).into_owned();
        Ok(printed.lines().next().unwrap_or_default().to_owned())
    }
}

fn git<S: AsRef<OsStr>>(folder: &Path, arguments: impl AsRef<[S]>, input: &[u8]) -> Result<Ran, Failure> {
    let failure = |source: std::io::Error| {
        let help = "install git, or name a folder with the older manifests: `--against DIR`";
        Failure::usage(format!("git could not be run: {source}"), help)
    };
    let mut command = Command::new(program(folder));
    command.args(HARMLESS_SETTINGS).args(arguments.as_ref()).current_dir(folder);
    // Whatever git runs on its way, by a setting or a hook, it has no key in its environment.
    command.env_clear().envs(std::env::vars_os().filter(|(name, _)| is_needed(name)));
    // Whatever a repository is set up for, nothing is fetched, asked, or matched by pattern.
    for name in ["GIT_NO_LAZY_FETCH", "GIT_LITERAL_PATHSPECS"] {
        command.env(name, "1");
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failure)?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // It answers while it is still being asked: who only writes would wait for it for ever.
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    });
    let output = output.map_err(failure)?;
    Ok(Ran { succeeded: output.status.success(), stdout: output.stdout, stderr: output.stderr })
}

/// Tells whether git needs a variable.
fn is_needed(name: &OsStr) -> bool {
    let name = name.to_str().unwrap_or_default();
    NEEDED.contains(&name) || name.starts_with("GIT_CONFIG_KEY_") || name.starts_with("GIT_CONFIG_VALUE_")
}

/// Returns git's own path: from the folders of PATH that are whole paths and do not lie in the project, which may hold a
/// program of that name.
fn program(folder: &Path) -> PathBuf {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let folder = real(folder);
    let project = folder.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&folder);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let outside = std::env::split_paths(&paths).filter(|path| path.is_absolute() && !real(path).starts_with(project));
    let found = outside.map(|path| path.join("git")).find(|program| program.is_file());
    // What is nowhere is told of by the attempt to run it.
    found.unwrap_or_else(|| PathBuf::from("/usr/bin/git"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_git_are_read_to_the_byte() {
        let answer = b"0a blob 3\na\nb\nsymlink 4\n../x\n0b blob 0\n\n";
        assert_eq!(batch(answer, 3), Some(vec![Some(b"a\nb".to_vec()), None, Some(Vec::new())]));
        for cut in [&b"0a blob 3\na\n"[..], b"0a missing\n", b"", b"0a blob x\n"] {
            assert_eq!(batch(cut, 1), None);
        }
    }
}
