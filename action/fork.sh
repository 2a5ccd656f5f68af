#!/bin/bash
# Comments on the pull request of a fork, from the event of the run that compared its manifests.
#
# The artifact is the fork's: only numbers are taken from it, and nothing in it says which pull request is meant. That is
# looked up by what the event says, and has to have the very commit that was compared.
set -euo pipefail
# shellcheck source=action/trusted.sh
. "${BASH_SOURCE[0]%/*}/trusted.sh"

fail() {
    echo "::error::$1"
    exit 1
}

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd -- "$RUNNER_TEMP"
[[ $PIXFORM_ACTION_HEAD_SHA =~ ^[0-9a-f]{40}([0-9a-f]{24})?$ ]] || fail "the event names no commit"
[[ $PIXFORM_ACTION_RUN =~ ^[0-9]+$ ]] || fail "the event names no run"

found=$(gh api --method GET "repos/$GITHUB_REPOSITORY/pulls" -f state=open -F per_page=100 \
    -f "head=$PIXFORM_ACTION_HEAD_OWNER:$PIXFORM_ACTION_HEAD_BRANCH")
number=$(jq -r --arg sha "$PIXFORM_ACTION_HEAD_SHA" \
    '[.[] | select(.head.sha == $sha) | .number] | first // empty' <<<"$found")
if [ -z "$number" ]; then
    echo "no open pull request has the commit $PIXFORM_ACTION_HEAD_SHA any more: nothing to say"
    exit 0
fi

files=$(mktemp -d "$RUNNER_TEMP/pixform-fork.XXXXXX")
gh run download "$PIXFORM_ACTION_RUN" --repo "$GITHUB_REPOSITORY" --name "$PIXFORM_ACTION_ARTIFACT" --dir "$files"
plan=$files/plan.json
{ [ -f "$plan" ] && [ ! -L "$plan" ] && [ "$(wc -c <"$plan")" -lt 50000000 ]; } || fail "the artifact holds no plan"
report=$files/report.md
rm -f "$report"
"$here/against.sh" "$plan" fork >"$report" 2>/dev/null || fail "the plan in the artifact is not one of pixform's"
exec "$here/comment.sh" "$number" "$report"
