# One entry point for everything. `just` alone lists what there is.

[private]
default:
    @just --list

# Checks all but Kubernetes: format, lints, layers, unit and integration tests
verify:
    tests/run format clippy tidy unit integration

# Repairs what a tool can repair
fix:
    cargo fmt --all
    cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged

# Runs everything, or the steps named (integration, conformance, fuzz, ...)
test *STEPS:
    tests/run {{ STEPS }}

# Fuzzes one target, or all, for this many seconds each
fuzz TARGET="" SECONDS="60":
    tests/fuzz/run "{{ TARGET }}" {{ SECONDS }}

# Runs whole clusters in one process under seeded faults: just simulate --seeds 100
simulate *OPTIONS:
    tests/simulate {{ OPTIONS }}

# Reads and writes registers and lists a million times on all nodes, without and under faults
campaign:
    cargo build --release
    IRONKV_TEST_LONG=1 IRONKV_BIN="${CARGO_TARGET_DIR:-$PWD/target}/release/ironkv" \
        cargo test --release --workspace --test faults full_speed -- --nocapture --test-threads 1

# Runs the operator on a Kubernetes cluster made for it (kind) and deleted afterwards
e2e *FILTER:
    tests/e2e/run {{ FILTER }}

# The same on the cluster of the current kubectl context, after asking
e2e-here *FILTER:
    tests/e2e/run --here {{ FILTER }}

# Puts known bugs in, one at a time, and checks that the tests catch them: just seeded bug-double-apply
seeded *BUGS:
    tests/seeded {{ BUGS }}

# Measures the engine, and IronKV beside Redis and etcd
bench *OPTIONS:
    cargo bench --workspace {{ OPTIONS }}

# Runs Redis' own test suite against IronKV: just conformance unit/type/set
conformance *UNITS:
    tests/conformance/run {{ UNITS }}

# Writes manifests/operator again from the chart
manifests:
    manifests/operator/generate

# Prints every command IronKV knows
commands:
    @cargo run --quiet --package ironkv -- commands
