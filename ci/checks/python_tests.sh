#!/usr/bin/env bash
# The Python tests that need no servers: descriptors, AsyncAPI, tidy.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(ci/deps/python.sh | tail -n 1)
SPANWAY_BIN=$PWD/build/release/bin "$python" -m pytest -q -rs -p no:cacheprovider tests/unit tests/tidy "$@"
