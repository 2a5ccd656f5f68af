#!/bin/bash
# Runs pixform as the inputs of the action say: `run.sh plan` plans, `run.sh command` runs the command.
#
# Inputs come as variables and never as text of a script. pixform takes this shell's place, so that signals reach it.
set -euo pipefail
# shellcheck source=action/trusted.sh
. "${BASH_SOURCE[0]%/*}/trusted.sh"

fail() {
    echo "::error::$1"
    exit 1
}

# Appends the lines of a text that are not empty to `arguments`, each as one argument.
lines() {
    local line
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line%$'\r'}
        [ -z "$line" ] || arguments+=("$line")
    done <<<"$1"
}

case $PIXFORM_ACTION_COMMAND in
plan | preview | apply | check | validate | unlock | gc) ;;
*) fail "the input \`command\` is none of plan, preview, apply, check, validate, unlock and gc" ;;
esac
if [ -n "$PIXFORM_ACTION_AGAINST" ] && [ "$PIXFORM_ACTION_COMMAND" != plan ]; then
    fail "the input \`against\` is for the command \`plan\` only"
fi

files=$RUNNER_TEMP/pixform
# The first step that runs begins with none of what an earlier use of the action left.
case $1,$PIXFORM_ACTION_COMMAND in
command,preview | command,apply) ;;
*) rm -rf "$files" ;;
esac
mkdir -p "$files"

program=$PIXFORM_ACTION_PATH
# A path is meant from where the job is; the command runs elsewhere.
case $program in
/*) ;;
*/*) program=$PWD/$program ;;
esac
config=$PIXFORM_ACTION_CONFIG
case $config in
"" | /*) ;;
*) config=$PWD/$config ;;
esac
cd -- "$PIXFORM_ACTION_DIRECTORY"
# The folder is the branch's to fill: a link in its place leads no further than the checkout.
if [ -n "$workspace" ]; then
    case $(pwd -P)/ in
    "$workspace"/*) ;;
    *) fail "the folder \`$PIXFORM_ACTION_DIRECTORY\` leads out of the checkout" ;;
    esac
fi
# Where keys are sent is not a pull request's to say. A comparison of manifests reads no pixform.yaml's secrets.
case ${GITHUB_EVENT_NAME:-} in
pull_request | pull_request_target)
    if [ -z "$config" ] && [ -z "$PIXFORM_ACTION_AGAINST" ] && [ "$PIXFORM_ACTION_COMMAND" != validate ]; then
        folder=$(pwd -P)
        while :; do
            if [ -e "$folder/pixform.yaml" ] || [ -L "$folder/pixform.yaml" ]; then
                fail "the pull request's own pixform.yaml could send the keys elsewhere: give the input \`config\` that of \
the base branch, as docs/github.md has it"
            fi
            case $folder in
            "$workspace" | / | "") break ;;
            esac
            folder=${folder%/*}
        done
    fi
    ;;
esac

command=$PIXFORM_ACTION_COMMAND
[ "$1" != plan ] || command=plan
arguments=("$command")
[ -z "$config" ] || arguments+=("--config=$config")
[ -z "$PIXFORM_ACTION_ENVIRONMENT" ] || arguments+=("--env=$PIXFORM_ACTION_ENVIRONMENT")
case $command in
plan)
    arguments+=("--out=$files/plan.json")
    if [ -n "$PIXFORM_ACTION_AGAINST" ]; then
        arguments+=("--against=$PIXFORM_ACTION_AGAINST")
    else
        arguments+=("--out-markdown=$files/report.md")
    fi
    ;;
preview | apply) arguments+=(--yes "--out-markdown=$files/report.md") ;;
esac
case $command in
plan | preview | apply)
    [ -z "$PIXFORM_ACTION_MAX_COST" ] || arguments+=("--max-cost=$PIXFORM_ACTION_MAX_COST")
    ;;
esac
[ "$command" != "$PIXFORM_ACTION_COMMAND" ] || lines "$PIXFORM_ACTION_ARGUMENTS"
if [ -n "$PIXFORM_ACTION_MANIFESTS" ]; then
    arguments+=(--)
    lines "$PIXFORM_ACTION_MANIFESTS"
fi
exec "$program" "${arguments[@]}"
