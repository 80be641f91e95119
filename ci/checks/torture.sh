#!/usr/bin/env bash
# tests/torture: the whole chain under random faults. MINUTES (default 10), SEED (default random).
set -euo pipefail
cd "$(dirname "$0")/../.."
python=$(ci/deps/python.sh | tail -n 1)
export SPANWAY_BIN=${SPANWAY_BIN:-$PWD/build/release/bin}
exec "$python" tests/torture/torture.py --minutes "${MINUTES:-10}" ${SEED:+--seed "$SEED"}
