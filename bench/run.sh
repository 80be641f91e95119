#!/usr/bin/env bash
# make bench: what a request costs, then whole paths on real Kafka (see bench/README.md).
#   run.sh [bench.py's arguments]      whole paths
#   run.sh cost [cost.py's arguments]  counted costs
set -euo pipefail
cd "$(dirname "$0")/.."
program=bench/load/bench.py
targets=(spanway spanway-ingress spanway-kafka-bridge spanway-exporter spanway-load)
if [ "${1:-}" = cost ]; then
  shift
  program=bench/cost/cost.py
  targets+=(cost_stages)
fi
tests/parts/kafka.sh get
[ -f build/release/build.ninja ] || cmake --preset release >/dev/null
cmake --build build/release --target "${targets[@]}"
python=$(ci/deps/python.sh | tail -n 1)
exec "$python" "$program" "$@"
