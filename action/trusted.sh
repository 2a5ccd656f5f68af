# shellcheck shell=bash
# To be read by each script first: leaves in PATH only folders that the checked-out branch cannot fill, and says which folder
# is the checkout. A relative entry, or one in the checkout (also by a link), could hold a `cargo` or a `gh` of the branch's,
# which would be run with the secrets of the step. Nothing but the shell itself is used before that is done.

workspace=
if [ -n "${GITHUB_WORKSPACE:-}" ]; then
    workspace=$(CDPATH='' cd -P -- "$GITHUB_WORKSPACE" 2>/dev/null && pwd -P) || workspace=$GITHUB_WORKSPACE
fi

# Tells whether a path is a whole one and lies outside of the checkout, where its links lead, too.
is_trusted() {
    local real
    case $1 in
    /*) ;;
    *) return 1 ;;
    esac
    [ -n "$workspace" ] || return 0
    real=$(CDPATH='' cd -P -- "$1" 2>/dev/null && pwd -P) || real=$1
    case $real/ in
    "$workspace"/*) return 1 ;;
    esac
    case $1/ in
    "$GITHUB_WORKSPACE"/* | */../*) return 1 ;;
    esac
}

trusted_path() {
    local entry rest=$PATH: kept=
    while [ -n "$rest" ]; do
        entry=${rest%%:*}
        rest=${rest#*:}
        if is_trusted "$entry"; then
            kept=$kept:$entry
        fi
    done
    PATH=${kept#:}
    # Without any, the shell would look into the folder it stands in.
    [ -n "$PATH" ] || PATH=/usr/local/bin:/usr/bin:/bin
    export PATH
}

trusted_path
unset CDPATH GIT_DIR GIT_WORK_TREE GIT_EXEC_PATH GIT_SSH GIT_SSH_COMMAND GIT_EXTERNAL_DIFF GIT_PAGER PAGER
