//! Where a run comes from: who began it, for which commit, and where its log is, as far as its environment says.
//!
//! For people who read the history, so nothing is trusted and nothing is needed: what does not look right is left out.

use crate::state::RunOrigin;

use super::change_set::{self, Belongs};
use super::stranger_text::{address, text};

/// Who began the run: as told to us, as told by GitHub Actions, GitLab CI, Buildkite, CircleCI and Bitbucket Pipelines,
/// and only then the user, who is the same for every run of such a system.
///
/// From what these systems are known to set, not read off each: a wrong name only leaves a fact out.
const ACTORS: [&str; 8] = [
    "PIXFORM_ACTOR",
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILDKITE_BUILD_CREATOR",
    "CIRCLE_USERNAME",
    "BITBUCKET_STEP_TRIGGERER_UUID",
    "USER",
    "LOGNAME",
];

/// The commit, likewise; `BUILD_SOURCEVERSION` is Azure Pipelines', `GIT_COMMIT` is Jenkins'.
const COMMITS: [&str; 8] = [
    "PIXFORM_COMMIT",
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "BUILDKITE_COMMIT",
    "CIRCLE_SHA1",
    "BITBUCKET_COMMIT",
    "BUILD_SOURCEVERSION",
    "GIT_COMMIT",
];

/// The address of the log, likewise; `BUILD_URL` is Jenkins'. GitHub Actions has no variable for it, only for its parts.
const URLS: [&str; 4] = ["CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL"];

/// Returns where this run comes from.
pub fn here() -> RunOrigin {
    let Belongs { branch, pull_request } = change_set::here();
    RunOrigin { branch, pull_request, ..of(&|name| std::env::var(name).ok()) }
}

fn of(variable: &dyn Fn(&str) -> Option<String>) -> RunOrigin {
    let first = |names: &[&str]| names.iter().filter_map(|name| variable(name)).find_map(|value| text(&value));
    let github = || {
        let parts = ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"].map(|name| first(&[name]));
        let [Some(server), Some(repository), Some(run)] = parts else { return None };
        Some(format!("{server}/{repository}/actions/runs/{run}"))
    };
    let urls = [variable("PIXFORM_RUN_URL"), github()].into_iter().chain(URLS.map(variable));
    let run_url = urls.flatten().find_map(|value| address(&value));
    RunOrigin { actor: first(&ACTORS), commit: first(&COMMITS), run_url, ..RunOrigin::default() }
}

#[cfg(test)]
mod tests {
    use super::super::stranger_text::{TEXT_MAX, URL_MAX};
    use super::*;

    fn check(variables: &[(&str, &str)], actor: Option<&str>, commit: Option<&str>, run_url: Option<&str>) {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let expected =
            RunOrigin { actor: owned(actor), commit: owned(commit), run_url: owned(run_url), ..RunOrigin::default() };
        assert_eq!(of(&find), expected, "{variables:?}");
    }

    #[test]
    fn the_usual_systems_say_where_a_run_comes_from() {
        let user = ("USER", "runner");
        check(&[], None, None, None);
        check(&[user], Some("runner"), None, None);
        check(&[("LOGNAME", "ann"), ("USER", "")], Some("ann"), None, None);
        check(
            &[
                user,
                ("GITHUB_ACTOR", "ann"),
                ("GITHUB_SHA", "0123"),
                ("GITHUB_SERVER_URL", "https://github.com"),
                ("GITHUB_REPOSITORY", "shop/pictures"),
                ("GITHUB_RUN_ID", "42"),
            ],
            Some("ann"),
            Some("0123"),
            Some("https://github.com/shop/pictures/actions/runs/42"),
        );
        check(
            &[
                user,
                ("GITLAB_USER_LOGIN", "ben"),
                ("CI_COMMIT_SHA", "4567"),
                ("CI_JOB_URL", "https://gitlab.com/-/jobs/1"),
            ],
            Some("ben"),
            Some("4567"),
            Some("https://gitlab.com/-/jobs/1"),
        );
        check(
            &[("BUILD_SOURCEVERSION", "89ab"), ("BUILD_URL", "https://ci.example.com/1/")],
            None,
            Some("89ab"),
            Some("https://ci.example.com/1/"),
        );
    }

    #[test]
    fn what_pixform_is_told_itself_comes_first() {
        check(
            &[
                ("GITHUB_ACTOR", "ann"),
                ("PIXFORM_ACTOR", "nightly"),
                ("GITHUB_SHA", "0123"),
                ("PIXFORM_COMMIT", "v1"),
                ("BUILD_URL", "https://ci.example.com/1"),
                ("PIXFORM_RUN_URL", "https://ci.example.com/2"),
            ],
            Some("nightly"),
            Some("v1"),
            Some("https://ci.example.com/2"),
        );
    }

    #[test]
    fn what_does_not_look_right_is_cut_or_left_out() {
        let long = "x".repeat(TEXT_MAX + 1);
        check(&[("USER", "a\u{1b}[2J\n\u{9b}b ")], Some("a[2Jb"), None, None);
        check(&[("USER", "\n\t"), ("LOGNAME", &long), ("GIT_COMMIT", &long)], Some(&long[1..]), Some(&long[1..]), None);
        check(
            &[("BUILD_URL", "https://user:secret@ci.example.com/1?token=secret#secret")],
            None,
            None,
            Some("https://ci.example.com/1"),
        );
        let endless = format!("https://ci.example.com/{}", "x".repeat(URL_MAX));
        for wrong in ["", "no address", "file:///etc/passwd", "javascript:alert(1)", "https://", &endless] {
            check(&[("CI_JOB_URL", wrong)], None, None, None);
            check(&[("CI_JOB_URL", wrong), ("BUILD_URL", "http://b/1")], None, None, Some("http://b/1"));
        }
        check(&[("GITHUB_SERVER_URL", "https://github.com"), ("GITHUB_RUN_ID", "42")], None, None, None);
    }
}
