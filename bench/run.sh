#!/usr/bin/env bash
# make bench: whole paths on real Kafka. Arguments go to bench.py (see bench/README.md).
set -euo pipefail
cd "$(dirname "$0")/.."
tests/parts/kafka.sh get
[ -f build/release/build.ninja ] || cmake --preset release >/dev/null
cmake --build build/release --target spanway spanway-ingress spanway-kafka-bridge spanway-exporter spanway-load
python=$(ci/deps/python.sh | tail -n 1)
exec "$python" bench/load/bench.py "$@"
