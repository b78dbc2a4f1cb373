#!/usr/bin/env bash
# Takes the tables and plots of BENCHMARKS.md again, on this machine, where nothing else should run: about eight minutes.
#
#   benches/numbers.sh          measures, saves the figures in target/numbers, and writes
#   benches/numbers.sh --saved  writes what was saved
#
# SECONDS_A_SIZE, SLICES, ROUNDS and TURNS make it shorter, BENCHMARKS names another file. Rivals that are not installed are named
# as such, except those that take a C++ compiler to build.
set -euo pipefail
cd "$(dirname "$0")/.."

benchmarks="${BENCHMARKS:-BENCHMARKS.md}"
plots="$(dirname "$benchmarks")/docs/plots"
saved=target/numbers
choose="choose --markdown --size 8,64,512,4KiB,64KiB --time ${SECONDS_A_SIZE:-20}"
peers="--slices ${SLICES:-20} --rounds ${ROUNDS:-4}"
features=rivals
if command -v c++ > /dev/null; then
    features=rivals,zeromq
fi
tool=(cargo run --release --quiet --package laneway-peers --features "$features" --)

measure() {
    rm -rf "$saved"
    mkdir -p "$saved"
    local commit
    commit="$(git rev-parse --short HEAD)"
    if [ -n "$(git status --porcelain -- src cli peers Cargo.toml Cargo.lock)" ]; then
        commit="$commit, with changes"
    fi
    echo "Taken on $(date -u +%Y-%m-%d), commit $commit, by" > "$saved/taken"
    # Built before anything is measured.
    cargo build --release --quiet --package laneway-cli
    cargo build --release --quiet --package laneway-peers --features "$features"
    # shellcheck disable=SC2086
    cargo run --release --quiet --package laneway-cli -- $choose --json "$saved/choices.json" > "$saved/choices.md"
    # shellcheck disable=SC2086
    "${tool[@]}" $peers --json "$saved/peers.json" > /dev/null
    for what in pool queue; do
        "${tool[@]}" "$what" --rounds "${TURNS:-9}" --markdown > "$saved/$what.md"
    done
    echo "\`cargo run --release -- $choose\`." > "$saved/choose"
    echo "\`cargo run --release -p laneway-peers --features $features -- $peers\`." > "$saved/peers"
}

# Puts a file between a marker and the next end of one.
insert() {
    awk -v marker="<!-- $1by benches/numbers.sh -->" -v file="$2" '
        /<!-- end of benches\/numbers.sh -->/ { skip = 0 }
        !skip { print }
        $0 == marker { skip = 1; found = 1; while ((getline line < file) > 0) print line }
        END { if (!found || skip) exit 1 }
    ' "$benchmarks" > "$saved/new" || {
        echo "$benchmarks has no line <!-- $1by benches/numbers.sh --> with an end" >&2
        return 1
    }
    cp "$saved/new" "$benchmarks"
}

if [ "${1:-}" != --saved ]; then
    measure
fi
"${tool[@]}" plot --choices "$saved/choices.json" --peers "$saved/peers.json" "$plots"
{
    echo
    echo "$(cat "$saved/taken" "$saved/choose" | paste -sd ' ')"
    cat "$saved/choices.md"
    echo
    echo "![messages a second by size](docs/plots/throughput.svg)"
    echo
    echo "![round trip by size](docs/plots/roundtrip.svg)"
    echo
} > "$saved/transports.md"
{
    echo
    echo "$(cat "$saved/taken" "$saved/peers" | paste -sd ' ')"
    "${tool[@]}" --markdown --from "$saved/peers.json"
    echo
    echo "![everybody, messages a second of 64 bytes](docs/plots/peers-throughput.svg)"
    echo
    echo "![everybody, round trips of 8 bytes](docs/plots/peers-roundtrip.svg)"
    echo
} > "$saved/rivals.md"
{
    echo
    echo "$(cat "$saved/taken") \`cargo run --release -p laneway-peers -- pool\` and \`... queue\`, with \`--rounds ${TURNS:-9} --markdown\`."
    echo
    cat "$saved/pool.md"
    echo
    cat "$saved/queue.md"
    echo
} > "$saved/multiprocessing.md"
insert "" "$saved/transports.md"
insert "peers " "$saved/rivals.md"
insert "multiprocessing " "$saved/multiprocessing.md"
