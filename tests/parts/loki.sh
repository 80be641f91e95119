#!/usr/bin/env bash
# A real Loki, one process with every component, chunks on disk. loki.sh get | cached | start | stop | kill9,
# and its client: loki.sh logcli prints the binary's path.
# Environment: ROOT (run data), NAME, PORT (HTTP, default 3100; gRPC is the next one), LIMITS (more
# keys of `limits_config`, as "key: value, key: value"), AUTH=true (requests need a tenant header).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
module=github.com/grafana/loki/v3 version=v3.7.8
# The module's zip has no nested module `pkg/push`, which go.mod expects beside it: its published version.
push=github.com/grafana/loki/pkg/push push_version=v0.0.0-20250630054201-94c0ba7b0952
ROOT=${ROOT:-/tmp/spanway-parts} NAME=${NAME:-loki} PORT=${PORT:-3100}
LIMITS=${LIMITS:-} AUTH=${AUTH:-false}
data=$ROOT/$NAME
binary=$CACHE/bin/loki-$version
logcli=$CACHE/bin/logcli-$version

# build binary command
build() {
  [ -x "$1" ] && return
  mkdir -p "$CACHE/bin"
  go=$("$here/go.sh")
  echo "parts: building $2 $version; Loki takes about 8 minutes, logcli one" >&2
  folder=$(cd / && GOFLAGS=-mod=mod "$go" mod download -json "$module@$version" 2>"$CACHE/loki-build.log" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  source=$(mktemp -d "$CACHE/loki-src.XXXXXX")
  trap 'rm -rf "$source"' EXIT
  cp -r "$folder/." "$source"
  chmod -R u+w "$source"
  rm -rf "$source/vendor"
  (cd "$source" && export GOWORK=off && "$go" mod edit -replace "$push=$push@$push_version" &&
    nice "$go" build -mod=mod -buildvcs=false -trimpath \
      -ldflags "-s -w -X github.com/grafana/loki/v3/pkg/util/build.Version=${version#v}" \
      -o "$1.part" "./cmd/$2" >"$CACHE/loki-build.log" 2>&1) || {
    tail -n 20 "$CACHE/loki-build.log" >&2
    exit 1
  }
  mv "$1.part" "$1"
}

write_config() {
  cat >"$data/config.yaml" <<YAML
auth_enabled: $AUTH
analytics: {reporting_enabled: false}
server:
  http_listen_address: 127.0.0.1
  http_listen_port: $PORT
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: $((PORT + 1))
  log_level: warn
common:
  instance_addr: 127.0.0.1
  path_prefix: $data/store
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
  storage: {filesystem: {chunks_directory: $data/store/chunks, rules_directory: $data/store/rules}}
schema_config:
  configs:
  - {from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}
ingester: {lifecycler: {min_ready_duration: 0s, final_sleep: 0s}}
limits_config: {ingestion_rate_mb: 100, ingestion_burst_size_mb: 200, max_query_parallelism: 4${LIMITS:+, $LIMITS}}
YAML
}

case "${1:-}" in
get) with_lock loki build "$binary" loki ;;
logcli)
  with_lock loki build "$logcli" logcli
  echo "$logcli"
  ;;
cached) [ -x "$binary" ] ;;
start)
  with_lock loki build "$binary" loki
  mkdir -p "$data"
  write_config
  "$binary" -config.file="$data/config.yaml" >"$data/log" 2>&1 9>&- &
  echo $! >"$data/pid"
  wait_until 60 "$(cat "$data/pid")" "$data/log" curl -sf "127.0.0.1:$PORT/ready"
  ;;
stop) stop_pid "$data/pid" ;;
kill9) kill -9 "$(cat "$data/pid")" ;;
*) sed -n 2,5p "$0"; exit 2 ;;
esac
