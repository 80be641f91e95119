#!/usr/bin/env bash
# The e2e tests: real binaries, real Kafka, Zipkin, Jaeger, official SDKs. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(ci/deps/python.sh | tail -n 1)
SPANWAY_BIN=${SPANWAY_BIN:-$PWD/build/release/bin} "$python" -m pytest -q -rs -p no:cacheprovider --durations=8 tests/e2e "$@"
