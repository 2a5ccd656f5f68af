//! What a run belongs to: a pull request, or a branch, as far as its environment says.
//!
//! CI systems tell it by variables, and GitHub by a file; at a desk the working folder's own `HEAD` does, which is read and
//! not asked of `git`. Nothing is trusted, and nothing is needed: what does not look right is left out, and the money of
//! such a run is summed up by nobody.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::files;

use super::stranger_text::text;

/// The largest event of a CI system that is read, in bytes.
const EVENT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The largest file of `.git` that is read, in bytes.
const GIT_BYTES_MAX: u64 = 4 * 1024;

/// The number of the pull request: as told to us, and as told by GitLab CI, Bitbucket Pipelines, Buildkite, Azure Pipelines
/// and Jenkins. GitHub Actions has it in `GITHUB_REF`, CircleCI in an address.
///
/// From what these systems are known to set, not read off each: a wrong name only leaves a fact out.
const NUMBERS: [&str; 6] = [
    "PIXFORM_PULL_REQUEST",
    "CI_MERGE_REQUEST_IID",
    "BITBUCKET_PR_ID",
    "BUILDKITE_PULL_REQUEST",
    "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER",
    "CHANGE_ID",
];

/// The repository, likewise.
const REPOSITORIES: [&str; 4] =
    ["GITHUB_REPOSITORY", "CI_PROJECT_PATH", "BITBUCKET_REPO_FULL_NAME", "BUILD_REPOSITORY_NAME"];

/// The branch that a pull request is made of, likewise.
const HEADS: [&str; 5] = [
    "PIXFORM_BRANCH",
    "GITHUB_HEAD_REF",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    "SYSTEM_PULLREQUEST_SOURCEBRANCH",
    "CHANGE_BRANCH",
];

/// The branch that a run is for, which is that of a pull request only where there is none.
const BRANCHES: [&str; 5] = ["CI_COMMIT_BRANCH", "BITBUCKET_BRANCH", "BUILDKITE_BRANCH", "CIRCLE_BRANCH", "GITHUB_REF"];

/// Branches into which all others are merged: what is spent there is no one change's.
const TRUNKS: [&str; 2] = ["main", "master"];

/// The branch and the pull request of this run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Belongs {
    /// The branch, unless it is the one into which all others are merged.
    pub branch: Option<String>,
    /// The pull request, as `owner/repository#7`.
    pub pull_request: Option<String>,
}

/// Returns what this run belongs to.
pub fn here() -> Belongs {
    let folder = std::env::current_dir().ok();
    of(&|name| std::env::var(name).ok(), event().as_ref(), folder.as_deref())
}

/// Returns the event that a workflow of GitHub was started by.
pub fn event() -> Option<Value> {
    let path = PathBuf::from(std::env::var_os("GITHUB_EVENT_PATH")?);
    serde_json::from_str(&read(&path, EVENT_BYTES_MAX)?).ok()
}

fn of(variable: &dyn Fn(&str) -> Option<String>, event: Option<&Value>, folder: Option<&Path>) -> Belongs {
    let variable = |name: &str| variable(name).and_then(|value| text(&value));
    let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
    let told = |pointer: &str| event.and_then(|event| event.pointer(pointer));
    let number = |text: String| (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text);
    let by_ref = || variable("GITHUB_REF")?.strip_prefix("refs/pull/")?.split('/').next().map(str::to_owned);
    let by_event = || Some(told("/pull_request/number")?.as_u64()?.to_string());
    let by_address = || variable("CIRCLE_PULL_REQUEST")?.rsplit('/').next().map(str::to_owned);
    let pull_request = NUMBERS.iter().find_map(|name| variable(name).and_then(number));
    let pull_request =
        pull_request.or_else(|| [by_ref(), by_event(), by_address()].into_iter().flatten().find_map(number));
    let named = pull_request.map(|number| format!("{}#{number}", first(&REPOSITORIES).unwrap_or_default()));
    let git = folder.and_then(git_folder);
    let branch = first(&HEADS).or_else(|| match named {
        // Where a merge is published, the branch is that into which it went.
        Some(_) => None,
        None => first(&BRANCHES).or_else(|| text(&read(&git.as_ref()?.join("HEAD"), GIT_BYTES_MAX)?)),
    });
    let trunk = || {
        let trunk = git.as_ref().and_then(|git| read(&git.join("refs/remotes/origin/HEAD"), GIT_BYTES_MAX));
        trunk?.trim().strip_prefix("ref: refs/remotes/origin/").map(str::to_owned)
    };
    let trunks = [variable("CI_DEFAULT_BRANCH"), trunk()].into_iter().flatten();
    let trunks: Vec<String> =
        trunks.chain(told("/repository/default_branch").and_then(Value::as_str).map(str::to_owned)).collect();
    let is_trunk = |name: &str| TRUNKS.contains(&name) || trunks.iter().any(|trunk| trunk == name);
    let branch = branch.and_then(|name| short(&name).map(str::to_owned)).filter(|name| !is_trunk(name));
    Belongs { branch, pull_request: named }
}

/// Returns the name of a branch; `None` for what names a tag, a commit or a pull request.
fn short(name: &str) -> Option<&str> {
    let name = name.strip_prefix("ref: ").unwrap_or(name);
    match name.strip_prefix("refs/heads/") {
        Some(branch) => Some(branch),
        None if name.starts_with("refs/") => None,
        // A detached `HEAD` holds a commit.
        None if name.len() >= 40 && name.bytes().all(|byte| byte.is_ascii_hexdigit()) => None,
        None => Some(name),
    }
}

/// Finds the folder that holds `HEAD`: that of a worktree is named in a file.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let git = folder.ancestors().map(|folder| folder.join(".git")).find(|git| git.exists())?;
    if git.is_dir() {
        return Some(git);
    }
    let named = read(&git, GIT_BYTES_MAX)?;
    Some(git.parent()?.join(named.trim().strip_prefix("gitdir: ")?))
}

/// Reads a file that is a file, and no larger than that.
fn read(path: &Path, bytes_max: u64) -> Option<String> {
    files::read_text(path, bytes_max).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], event: Option<Value>, branch: Option<&str>, pull_request: Option<&str>) {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let expected = Belongs { branch: branch.map(str::to_owned), pull_request: pull_request.map(str::to_owned) };
        assert_eq!(of(&find, event.as_ref(), None), expected, "{variables:?}");
    }

    #[test]
    fn the_usual_systems_say_what_a_run_belongs_to() {
        check(&[], None, None, None);
        let github = [
            ("GITHUB_REPOSITORY", "shop/pictures"),
            ("GITHUB_REF", "refs/pull/7/merge"),
            ("GITHUB_HEAD_REF", "thick-hair"),
        ];
        check(&github, None, Some("thick-hair"), Some("shop/pictures#7"));
        let gitlab = [
            ("CI_PROJECT_PATH", "shop/pictures"),
            ("CI_MERGE_REQUEST_IID", "8"),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "hats"),
        ];
        check(&gitlab, None, Some("hats"), Some("shop/pictures#8"));
        check(
            &[("CIRCLE_PULL_REQUEST", "https://github.com/shop/pictures/pull/9"), ("CIRCLE_BRANCH", "x")],
            None,
            None,
            Some("#9"),
        );
        check(&[("BUILDKITE_PULL_REQUEST", "false"), ("BUILDKITE_BRANCH", "hats")], None, Some("hats"), None);
    }

    #[test]
    fn a_merge_that_is_published_belongs_to_its_pull_request_and_to_no_branch() {
        let push = [("GITHUB_REPOSITORY", "shop/pictures"), ("GITHUB_REF", "refs/heads/trunk")];
        let event = serde_json::json!({ "repository": { "default_branch": "trunk" } });
        check(&push, Some(event.clone()), None, None);
        check(&push, None, Some("trunk"), None);
        check(&[push[0], push[1], ("PIXFORM_PULL_REQUEST", "7")], Some(event), None, Some("shop/pictures#7"));
        check(&[push[0], ("GITHUB_REF", "refs/tags/v1")], None, None, None);
        check(
            &[push[0], push[1]],
            Some(serde_json::json!({ "pull_request": { "number": 5 } })),
            None,
            Some("shop/pictures#5"),
        );
    }

    #[test]
    fn what_does_not_look_right_is_left_out() {
        for wrong in ["", "x", "-1", "7; rm", "refs/pull/7"] {
            check(&[("PIXFORM_PULL_REQUEST", wrong)], None, None, None);
        }
        for trunk in ["main", "master", "refs/heads/main"] {
            check(&[("PIXFORM_BRANCH", trunk)], None, None, None);
        }
        check(&[("PIXFORM_BRANCH", "a\u{1b}b")], None, Some("ab"), None);
    }

    #[test]
    fn at_a_desk_the_branch_is_that_of_the_working_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (git, inside) = (folder.path().join(".git"), folder.path().join("a/b"));
        std::fs::create_dir_all(&inside).unwrap();
        let found = || of(&|_| None, None, Some(&inside)).branch;
        assert_eq!(found(), None);
        std::fs::create_dir_all(git.join("refs/remotes/origin")).unwrap();
        for (head, branch) in [
            ("ref: refs/heads/thick/hair\n", Some("thick/hair")),
            ("ref: refs/heads/main\n", None),
            ("0123456789012345678901234567890123456789\n", None),
        ] {
            std::fs::write(git.join("HEAD"), head).unwrap();
            assert_eq!(found().as_deref(), branch, "{head}");
        }
        std::fs::write(git.join("HEAD"), "ref: refs/heads/trunk\n").unwrap();
        std::fs::write(git.join("refs/remotes/origin/HEAD"), "ref: refs/remotes/origin/trunk\n").unwrap();
        assert_eq!(found(), None);
        let worktree = folder.path().join("worktree");
        std::fs::create_dir(&worktree).unwrap();
        std::fs::write(worktree.join(".git"), "gitdir: ../.git/worktrees/w\n").unwrap();
        std::fs::create_dir_all(git.join("worktrees/w")).unwrap();
        std::fs::write(git.join("worktrees/w/HEAD"), "ref: refs/heads/beside\n").unwrap();
        assert_eq!(of(&|_| None, None, Some(&worktree)).branch.as_deref(), Some("beside"));
    }
}
