#!/usr/bin/env bash
# Says which pixform program is run: the one that is named, or one built from the action's own source, once a job.
set -euo pipefail

program=$PIXFORM_ACTION_PATH
case $program in
*$'\n'*)
    echo "::error::the input \`path\` has a line break"
    exit 1
    ;;
"")
    root=$RUNNER_TEMP/pixform-program
    program=$root/bin/pixform
    [ -x "$program" ] || cargo install --quiet --locked --path "$GITHUB_ACTION_PATH" --root "$root"
    ;;
esac
echo "path=$program" >>"$GITHUB_OUTPUT"
