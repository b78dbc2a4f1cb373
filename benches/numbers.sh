#!/usr/bin/env bash
# Takes the first table of BENCHMARKS.md again, on this machine. About two minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

arguments="choose --markdown --size 8,64,512,4KiB,64KiB --time 20"
commit="$(git rev-parse --short HEAD)"
if [ -n "$(git status --porcelain -- src cli Cargo.toml Cargo.lock)" ]; then
    commit="$commit, with changes"
fi
tables="$(mktemp)"
trap 'rm -f "$tables"' EXIT
{
    echo
    echo "Taken on $(date -u +%Y-%m-%d), commit $commit, by \`cargo run --release -- $arguments\`."
    # shellcheck disable=SC2086
    cargo run --release --quiet --package laneway-cli -- $arguments
    echo
} > "$tables"
awk -v tables="$tables" '
    /<!-- end of benches\/numbers.sh -->/ { skip = 0; ended = 1 }
    !skip { print }
    /<!-- by benches\/numbers.sh -->/ { skip = 1; while ((getline line < tables) > 0) print line }
    END { if (!ended) exit 1 }
' BENCHMARKS.md > "$tables.new"
mv "$tables.new" BENCHMARKS.md
