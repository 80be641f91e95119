#!/usr/bin/env bash
# Prometheus 3.15 with its remote-write (1.0, 2.0) and OTLP receivers, and its promtool.
# prometheus.sh get | start | stop | promtool (builds it, a minute more, and prints its path)
# Environment: ROOT (run data), NAME, PORT (default 29090), WINDOW (out_of_order_time_window, default
# 30m), OTLP (YAML of the section `otlp`), LISTEN (default 127.0.0.1), USER_HASH (bcrypt of the
# password of the user spanway, who alone may do anything then), SCRAPE (YAML list of
# scrape_configs, on one line), ARGS (more flags).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
module=github.com/prometheus/prometheus version=v0.315.0
ROOT=${ROOT:-/tmp/spanway-parts} NAME=${NAME:-prometheus} PORT=${PORT:-29090} WINDOW=${WINDOW:-30m}
LISTEN=${LISTEN:-127.0.0.1} USER_HASH=${USER_HASH:-}
data=$ROOT/$NAME
binary=$CACHE/bin/prometheus-$version promtool=$CACHE/bin/promtool-$version

# The module has replace directives and a go.work, so `go install` refuses it: a copy is built.
build() { # FILE COMMAND
  [ -x "$1" ] && return
  mkdir -p "$CACHE/bin"
  go=$("$here/go.sh")
  echo "parts: building $2 of Prometheus $version, 1 to 8 minutes" >&2
  folder=$(cd / && GOFLAGS=-mod=mod "$go" mod download -json "$module@$version" 2>"$CACHE/prometheus-build.log" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  source=$(mktemp -d "$CACHE/prometheus-src.XXXXXX")
  trap 'rm -rf "$source"' EXIT
  cp -r "$folder/." "$source"
  chmod -R u+w "$source"
  # No service discovery but files and static lists: a third of the code to compile.
  (cd "$source" && GOWORK=off nice "$go" build -mod=readonly -buildvcs=false -trimpath \
    -tags remove_all_sd \
    -ldflags '-s -w -X github.com/prometheus/common/version.Version=3.15.0' \
    -o "$1.part" "./cmd/$2" >"$CACHE/prometheus-build.log" 2>&1) || {
    tail -n 20 "$CACHE/prometheus-build.log" >&2
    exit 1
  }
  mv "$1.part" "$1"
}

write_config() {
  cat >"$data/config.yaml" <<YAML
global: {scrape_interval: 5s}
storage: {tsdb: {out_of_order_time_window: $WINDOW}}
${OTLP:+otlp: $OTLP}
${SCRAPE:+scrape_configs: $SCRAPE}
YAML
  echo "${USER_HASH:+basic_auth_users: {spanway: $USER_HASH\}}" >"$data/web.yaml"
}

# Also when it asks for a user.
answers() {
  case "$(curl -s -o /dev/null -w '%{http_code}' "$LISTEN:$PORT/-/ready")" in
  200 | 401) ;;
  *) return 1 ;;
  esac
}

case "${1:-}" in
get) with_lock prometheus build "$binary" prometheus ;;
cached) [ -x "$binary" ] ;;
promtool)
  with_lock prometheus build "$promtool" promtool
  echo "$promtool"
  ;;
promtool-cached) [ -x "$promtool" ] ;;
binary) echo "$binary" ;;
start)
  with_lock prometheus build "$binary" prometheus
  mkdir -p "$data"
  write_config
  # shellcheck disable=SC2086
  "$binary" --config.file="$data/config.yaml" --storage.tsdb.path="$data/tsdb" \
    --web.listen-address="$LISTEN:$PORT" --web.config.file="$data/web.yaml" --web.enable-remote-write-receiver \
    --web.enable-otlp-receiver --enable-feature=exemplar-storage --web.enable-lifecycle \
    --log.level=warn ${ARGS:-} >"$data/log" 2>&1 9>&- &
  echo $! >"$data/pid"
  wait_until 30 "$(cat "$data/pid")" "$data/log" answers
  ;;
stop) stop_pid "$data/pid" ;;
*) sed -n 2,7p "$0"; exit 2 ;;
esac
