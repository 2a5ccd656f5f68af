#!/bin/bash
# Tells what came of it: the outputs of the action, the summary of the job, and the comment on the pull request.
set -euo pipefail
# shellcheck source=action/trusted.sh
. "${BASH_SOURCE[0]%/*}/trusted.sh"

files=$RUNNER_TEMP/pixform
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

# Nothing below is read from the checked-out branch.
cd -- "$RUNNER_TEMP"

if [ -f "$files/plan.json" ]; then
    # Each value is looked at before it becomes an output: a line break in one would be another output.
    jq -r '"changes=\([.summary | to_entries[] | select(.key != "keep") | .value] | add | floor)",
           "cost=\(.estimated_cost | tostring | if test("^[0-9]+([.][0-9]+)?$") then . else error("no amount") end)",
           "digest=\(.digest | tostring | if test("^sha256:[0-9a-f]{64}$") then . else error("no digest") end)"' \
        "$files/plan.json" >>"$GITHUB_OUTPUT"
fi
# Plans against older manifests have no report of their own: one sentence with their numbers.
if [ -f "$files/plan.json" ] && [ -n "$PIXFORM_ACTION_AGAINST" ]; then
    "$here/against.sh" "$files/plan.json" "${PIXFORM_ACTION_ENVIRONMENT:-default}" >"$files/report.md"
fi
[ -f "$files/report.md" ] || exit 0
# A job's summary may have 1 MiB. The report is kept below 64 KiB; should it ever not be, it is left out.
if [ "$(wc -c <"$files/report.md")" -lt 1000000 ]; then
    cat "$files/report.md" >>"$GITHUB_STEP_SUMMARY"
fi
if [ "$PIXFORM_ACTION_COMMENT" = true ]; then
    exec "$here/comment.sh" "$PIXFORM_ACTION_PULL_REQUEST" "$files/report.md"
fi
