#!/usr/bin/env bash
# The e2e tests: real binaries, real Kafka, Zipkin, Jaeger, official SDKs. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(ci/deps/python.sh | tail -n 1)
export SPANWAY_BIN=${SPANWAY_BIN:-$PWD/build/release/bin}
mkdir -p build
run() { "$python" -m pytest -q -rs --rootdir "$PWD" -o cache_dir="$PWD/build/pytest-cache" --durations=8 "$@"; }
run tests/e2e "$@" && exit 0
# A busy machine can make a timing test fail. What fails is run once more, by itself, and said.
echo "== e2e: some tests failed; they are run once more by themselves"
run tests/e2e "$@" --last-failed --last-failed-no-failures none || exit 1
echo "== e2e: FLAKY: the tests that failed above passed the second time; this deserves a look"
