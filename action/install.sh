#!/bin/bash
# Says which pixform program is run: the one that is named, or one built from the action's own source, once a job.
#
# The build sees neither the keys of the step nor the checked-out branch: cargo and rustup obey files of the folder that
# they are run in and of those above it (`rust-toolchain.toml` may name a program, `.cargo/config.toml` a compiler), and
# variables that an earlier step may have set.
set -euo pipefail
# shellcheck source=action/trusted.sh
. "${BASH_SOURCE[0]%/*}/trusted.sh"

# Builds the program with nothing but what a build needs.
build() {
    local name kept=()
    for name in PATH HOME TMPDIR CARGO_HOME RUSTUP_HOME RUSTUP_TOOLCHAIN LANG SSL_CERT_FILE SSL_CERT_DIR \
        HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY all_proxy NO_PROXY no_proxy; do
        [ -n "${!name:-}" ] || continue
        case $name in
        HOME | TMPDIR | CARGO_HOME | RUSTUP_HOME) is_trusted "${!name}" || continue ;;
        # By its name only: a path would be a program.
        RUSTUP_TOOLCHAIN) [[ ${!name} =~ ^[A-Za-z0-9_.-]+$ ]] || continue ;;
        esac
        kept+=("$name=${!name}")
    done
    cd -- "$GITHUB_ACTION_PATH"
    exec /usr/bin/env -i "${kept[@]}" cargo install --quiet --locked --path "$GITHUB_ACTION_PATH" --root "$1"
}

program=$PIXFORM_ACTION_PATH
case $program in
*$'\n'*)
    echo "::error::the input \`path\` has a line break"
    exit 1
    ;;
"")
    root=$RUNNER_TEMP/pixform-program
    program=$root/bin/pixform
    [ -x "$program" ] || (build "$root")
    ;;
esac
echo "path=$program" >>"$GITHUB_OUTPUT"
