#!/usr/bin/env bash
# The e2e tests: real binaries, real Kafka, Zipkin, Jaeger, official SDKs. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/../.."
. ci/checks/suite.sh
export SPANWAY_BIN=${SPANWAY_BIN:-$PWD/build/release/bin}
mkdir -p build
run_pytest e2e tests/e2e --durations=8 "$@"
