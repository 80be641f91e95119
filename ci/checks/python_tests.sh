#!/usr/bin/env bash
# The Python tests that need no servers: descriptors, AsyncAPI, tidy, conformance.
set -euo pipefail
cd "$(dirname "$0")/../.."
. ci/checks/suite.sh
export SPANWAY_BIN=$PWD/build/release/bin
run_pytest python tests/unit tests/tidy tests/conformance "$@"
