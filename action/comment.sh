#!/bin/bash
# Keeps one comment on a pull request up to date: `comment.sh NUMBER FILE`.
#
# The comment is found by the first line of the file, which names the environment, among the comments that this token's
# owner wrote: anybody can write a comment that begins with that line.
set -euo pipefail
# shellcheck source=action/trusted.sh
. "${BASH_SOURCE[0]%/*}/trusted.sh"

fail() {
    echo "::error::$1"
    exit 1
}

number=$1
file=$2
case $file in
/*) ;;
*) file=$PWD/$file ;;
esac
# `gh` looks at the folder that it is run in.
cd -- "$RUNNER_TEMP"
[[ $number =~ ^[1-9][0-9]{0,9}$ ]] || fail "there is no pull request to comment on; set the input \`pull-request\`"
[[ $GITHUB_REPOSITORY =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] || fail "\`GITHUB_REPOSITORY\` names no repository"
IFS= read -r first <"$file" || true
[[ $first =~ ^'<!-- pixform:v1 env='([A-Za-z0-9_.-]+)' ' ]] || fail "the report does not begin with its mark"
mark="<!-- pixform:v1 env=${BASH_REMATCH[1]} "

# shellcheck disable=SC2016 # The variables are GraphQL's.
query='query($owner: String!, $name: String!, $number: Int!, $endCursor: String) {
  viewer { login }
  repository(owner: $owner, name: $name) {
    pullRequest(number: $number) {
      comments(first: 100, after: $endCursor) {
        nodes { databaseId body author { login } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
}'
pages=$(gh api graphql --paginate -f query="$query" -f owner="${GITHUB_REPOSITORY%%/*}" \
    -f name="${GITHUB_REPOSITORY#*/}" -F number="$number") ||
    fail "the comments of the pull request cannot be read; the job needs \`permissions: pull-requests: write\`"
# An app's own name ends in `[bot]`, that of an author does not.
id=$(jq -rs --arg mark "$mark" '
    [.[] | .data | (.viewer.login | sub("\\[bot\\]$"; "")) as $me
        | .repository.pullRequest.comments.nodes[]
        | select((.author.login // "") == $me and (.body | startswith($mark))) | .databaseId]
    | first // empty' <<<"$pages")

if [[ $id =~ ^[0-9]+$ ]]; then
    path="repos/$GITHUB_REPOSITORY/issues/comments/$id"
    method=PATCH
else
    path="repos/$GITHUB_REPOSITORY/issues/$number/comments"
    method=POST
fi
gh api --silent --method "$method" "$path" -F "body=@$file" ||
    fail "the comment cannot be written; the job needs \`permissions: pull-requests: write\`"
