#!/usr/bin/env bash
# make up: builds what is missing, fetches the parts, then hands over to pipeline.py.
# up.sh DESTINATIONS [TARGET...], more targets to build.
# With SPANWAY_BIN the binaries in that folder are used as they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
destinations=$1
shift
parts=$(python3 ci/local/pipeline.py parts --destinations "$destinations")
run=${SPANWAY_RUN:-run}
mkdir -p "$run"

fetch_parts() {
  for part in $parts; do "tests/parts/$part.sh" get; done
}
# The file is there before anything reads it, however late the background begins.
: >"$run/fetch.log"
fetch_parts >>"$run/fetch.log" 2>&1 &
fetching=$!

build() {
  if [ ! -f build/release/build.ninja ]; then
    echo "up: configuring"
    mkdir -p build
    cmake --preset release >"$run/configure.log" 2>&1 || { tail -n 30 "$run/configure.log" >&2; exit 1; }
  fi
  if [ ! -x build/release/bin/spanway-test-app ]; then
    echo "up: building; the first time takes several minutes"
  fi
  cmake --build build/release --target spanway-ingress spanway-kafka-bridge spanway-exporter spanway-query \
    spanway-test-app "$@"
}
[ -n "${SPANWAY_BIN:-}" ] || build "$@"

# Downloads and builds that take minutes are announced.
sed -n 's/^parts:/up:/p' "$run/fetch.log"
wait "$fetching" || { tail -n 20 "$run/fetch.log" >&2; exit 1; }
exec python3 ci/local/pipeline.py up --destinations "$destinations"
