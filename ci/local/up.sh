#!/usr/bin/env bash
# make up: builds what is missing, starts the parts, then hands over to pipeline.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
destinations=$1
for destination in ${destinations//,/ }; do
  case "$destination" in
  zipkin | jaeger | clickhouse) ;;
  *) echo "up: DEST is '$destination'; use zipkin, jaeger, clickhouse or several: jaeger,clickhouse" >&2; exit 2 ;;
  esac
done

fetch_parts() {
  tests/parts/kafka.sh get
  [[ $destinations != *zipkin* ]] || tests/parts/zipkin.sh get
  [[ $destinations != *jaeger* ]] || tests/parts/jaeger.sh get
  [[ $destinations != *clickhouse* || -n ${CLICKHOUSE_URL:-} ]] || tests/parts/clickhouse.sh get
}
mkdir -p run build
fetch_parts >run/fetch.log 2>&1 &
fetching=$!

if [ ! -f build/release/build.ninja ]; then
  echo "up: configuring"
  cmake --preset release >run/configure.log 2>&1 || { tail -n 30 run/configure.log >&2; exit 1; }
fi
if [ ! -x build/release/bin/spanway-test-app ]; then
  echo "up: building; the first time takes several minutes"
fi
cmake --build build/release --target spanway-ingress spanway-kafka-bridge spanway-exporter spanway-query \
  spanway-test-app

wait "$fetching" || { tail -n 20 run/fetch.log >&2; exit 1; }
exec python3 ci/local/pipeline.py up --destinations "$destinations"
