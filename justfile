# What there is to do; `just` alone lists it.

set shell := ["bash", "-euo", "pipefail", "-c"]

_list:
    @just --list --unsorted

# All that a submission must pass, word for word what CI runs
check:
    bash .ci/run

# All tests, or those of one file: just test leftovers
test file="":
    cargo test --workspace {{ if file == "" { "" } else { "--test " + file } }}

# Format everything
format:
    cargo fmt --all

# The documentation, opened
docs:
    cargo doc --workspace --no-deps --all-features --open

# All benchmarks, or those whose name holds a word: just bench roundtrip
bench word="":
    cargo bench {{ if word == "" { "" } else { "-- " + word } }}

# Take the numbers of BENCHMARKS.md again
numbers:
    bash benches/numbers.sh

# laneway beside limits and rivals; takes a C++ compiler: just peers --slices 20 --rounds 4 spsc
peers *arguments:
    cargo run --release -p laneway-peers --features rivals,zeromq -- {{ arguments }}

# A file through `laneway send` and `recv` on every transport, beside cat | cat: just stream 1024 5 raw
stream *arguments:
    tools/stream {{ arguments }}

# Calls in the hot functions, and instructions a message by callgrind, static and dynamic dispatch
codegen:
    tools/codegen

# What the counters cost: instructions a message with and without them; `just counting spsc` for one channel
counting *channels:
    tools/counting {{ channels }}

# Rings, locks and bells under loom, minutes long; `just models mutants` weakens each ordering in turn
models *arguments="run --long":
    cargo run --release -p laneway-models -- {{ arguments }}

# What no honest peer sends, for each target; the same inputs for the same seed
fuzz inputs="10000000" seed="1":
    cargo run --release -p laneway-fuzz -- quick --inputs {{ inputs }} --seed {{ seed }}

# A process writes over live rings while another sends and receives, so many seconds for each ring
scribble seconds="60" seed="1":
    cargo run --release -p laneway-fuzz -- scribble --seconds {{ seconds }} --seed {{ seed }}

# The fuzzer and the rings under AddressSanitizer; takes a nightly
asan inputs="200000":
    tools/sanitize address {{ inputs }}

# The rings and locks between threads under ThreadSanitizer; takes a nightly
tsan:
    tools/sanitize thread

# Kill the users of every channel: all of it, or with arguments a part; as root in namespaces of its own
crash *arguments="long":
    cargo run --release -p laneway-crash -- {{ arguments }}

# An hour of traffic with deaths: memory, descriptors and objects stay as they are; `just soak --minutes 5` for less
soak *arguments:
    cargo run --release -p laneway-crash -- soak {{ arguments }}

# The public interface, licences, the package and the book, as CI looks at them; `just publish api --write` after a change that is meant
publish *arguments:
    cargo run --manifest-path tools/publish/Cargo.toml --target-dir target/publish -- {{ arguments }}

# Licences and doubled dependencies of what is published, by cargo-deny itself
deny:
    cargo deny --workspace --exclude-unpublished --exclude-dev check bans licenses sources
