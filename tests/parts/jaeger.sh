#!/usr/bin/env bash
# Jaeger 2.13 with in-memory storage. jaeger.sh get | start | stop
# Its own storage tests, as a binary. jaeger.sh suite | suite-cached; suite prints their folder.
# Environment: ROOT (run data), OTLP_GRPC_PORT, OTLP_HTTP_PORT, QUERY_PORT, QUERY_GRPC_PORT, HEALTH_PORT,
# LISTEN (of OTLP; default 127.0.0.1); CONFIG replaces the generated configuration (the binary is also
# a Collector with the Kafka components).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
module=github.com/jaegertracing/jaeger version=v1.76.0
ROOT=${ROOT:-/tmp/spanway-parts}
OTLP_GRPC_PORT=${OTLP_GRPC_PORT:-24317} OTLP_HTTP_PORT=${OTLP_HTTP_PORT:-24318}
QUERY_PORT=${QUERY_PORT:-16686} QUERY_GRPC_PORT=${QUERY_GRPC_PORT:-0} HEALTH_PORT=${HEALTH_PORT:-23133}
LISTEN=${LISTEN:-127.0.0.1}
data=$ROOT/${NAME:-jaeger}
binary=$CACHE/bin/jaeger-$version
suite=$CACHE/jaeger-suite-$version

# unpack LOG: `go` is a toolchain and `source` the module's files, until the shell ends.
unpack() {
  go=$("$here/go.sh")
  folder=$(cd / && GOFLAGS=-mod=mod "$go" mod download -json "$module@$version" 2>"$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  source=$(mktemp -d "$CACHE/jaeger-src.XXXXXX")
  trap 'rm -rf "$source"' EXIT
  cp -r "$folder/." "$source"
  chmod -R u+w "$source"
}

build() {
  [ -x "$binary" ] && return
  mkdir -p "$CACHE/bin"
  echo "parts: building Jaeger $version, 5 to 8 minutes" >&2
  unpack "$CACHE/jaeger-build.log"
  (cd "$source" && GOWORK=off nice "$go" build -mod=readonly -buildvcs=false -trimpath \
    -ldflags '-s -w' -o "$binary.part" ./cmd/jaeger >"$CACHE/jaeger-build.log" 2>&1) || {
    tail -n 20 "$CACHE/jaeger-build.log" >&2
    exit 1
  }
  mv "$binary.part" "$binary"
}

# The tests of a storage behind a whole Jaeger, and the configuration that they start it with.
build_suite() {
  [ -x "$suite/integration.test" ] && return
  mkdir -p "$suite"
  echo "parts: building Jaeger's storage tests $version, 2 minutes after Jaeger" >&2
  unpack "$suite/build.log"
  (cd "$source" && GOWORK=off nice "$go" test -c -vet=off -mod=readonly -buildvcs=false -trimpath \
    -o "$suite/integration.part" ./cmd/jaeger/internal/integration >"$suite/build.log" 2>&1) || {
    tail -n 20 "$suite/build.log" >&2
    exit 1
  }
  cp "$source/cmd/jaeger/config.yaml" "$suite"
  mv "$suite/integration.part" "$suite/integration.test"
}

write_config() {
  cat >"$data/config.yaml" <<YAML
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines: {traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}}
  telemetry: {metrics: {level: none}, logs: {level: warn}}
extensions:
  healthcheckv2: {use_v2: true, http: {endpoint: 127.0.0.1:$HEALTH_PORT}}
  jaeger_storage: {backends: {memory: {memory: {max_traces: 100000}}}}
  jaeger_query:
    storage: {traces: memory}
    http: {endpoint: 127.0.0.1:$QUERY_PORT}
    grpc: {endpoint: 127.0.0.1:$QUERY_GRPC_PORT}
receivers: {otlp: {protocols: {grpc: {endpoint: "$LISTEN:$OTLP_GRPC_PORT"}, http: {endpoint: "$LISTEN:$OTLP_HTTP_PORT"}}}}
exporters: {jaeger_storage_exporter: {trace_storage: memory}}
YAML
}

case "${1:-}" in
get) with_lock jaeger build ;;
cached) [ -x "$binary" ] ;;
suite)
  with_lock jaeger-suite build_suite
  echo "$suite"
  ;;
suite-cached) [ -x "$suite/integration.test" ] ;;
binary) echo "$binary" ;;
start)
  with_lock jaeger build
  mkdir -p "$data"
  [ -n "${CONFIG:-}" ] && cp "$CONFIG" "$data/config.yaml" || write_config
  "$binary" --config "$data/config.yaml" >"$data/log" 2>&1 9>&- &
  echo $! >"$data/pid"
  wait_until 20 "$(cat "$data/pid")" "$data/log" curl -sf "127.0.0.1:$HEALTH_PORT/status"
  ;;
stop) stop_pid "$data/pid" ;;
*) sed -n 2,7p "$0"; exit 2 ;;
esac
