# The usual jobs: `just` lists them. Each is one command, for those who do not have `just`.

# Lists the jobs.
default:
    @just --list

# Format, lints, and the tests of the library: while writing.
check:
    cargo fmt
    cargo clippy --all-targets --locked -- -D warnings
    cargo test --locked --lib

# One test of the integration tests, by a part of its name.
it NAME:
    cargo test --locked --test it -- {{NAME}}

# Everything that CI runs.
all:
    tests/run

# The full sizes, about an hour.
long:
    tests/long

# Random input for what reads the words of strangers, SECONDS each.
fuzz SECONDS="60":
    BOLERO_RANDOM_TEST_TIME_MS={{SECONDS}}000 BOLERO_RANDOM_ITERATIONS=1000000000 cargo test --locked --test it fuzz:: -- --test-threads 1

# Lines and files of rooms, repeated names, circles; of another commit too.
figures *COMMIT:
    tests/figures {{COMMIT}}

# The committed schemas, written anew.
schemas:
    cargo run --quiet -- schema > manifests/manifest.schema.json
    cargo run --quiet -- schema --config > pixform.schema.json

# New snapshots, accepted as they came.
snapshots:
    INSTA_UPDATE=always cargo test --locked --lib
