#!/bin/bash
# Writes a comment about a plan against older manifests: `against.sh PLAN.json ENVIRONMENT`.
#
# The plan may come from a fork, so nothing of it but numbers is used, and each is looked at first.
set -euo pipefail
# shellcheck source=action/trusted.sh
. "${BASH_SOURCE[0]%/*}/trusted.sh"

jq -er --arg environment "$2" '
    def number: if type == "number" and . >= 0 and . == floor and . < 1e9 then . else error("no number") end;
    def money: if type == "string" and test("^[0-9]{1,9}[.][0-9]{2,6}$") then . else error("no amount") end;
    def name: if test("^[A-Za-z0-9_-]{1,64}$") then . else error("no name") end;
    ([.summary | to_entries[] | select(.key != "keep") | .value | number] | add // 0) as $changes
    | (.summary.keep | number) as $kept
    | "<!-- pixform:v1 env=\($environment | name) plan=none head=none -->\n"
    + "**\($changes) \(if $changes == 1 then "description changes" else "descriptions change" end), "
    + "at most $\(.estimated_cost | money); \($kept) unchanged.**\n\n"
    + "Compared with the base branch only: no picture was made, and one that is there already costs nothing."
' "$1"
