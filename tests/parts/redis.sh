#!/usr/bin/env bash
# A real Redis server (Debian's), nothing on disk. redis.sh get | start | stop
# Environment: ROOT (run data), NAME, PORT (default 6379).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
ROOT=${ROOT:-/tmp/spanway-parts} NAME=${NAME:-redis} PORT=${PORT:-6379}
data=$ROOT/$NAME

fetch() {
  command -v redis-server >/dev/null && return
  local sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get install -y --no-install-recommends redis-server >"$CACHE/redis-install.log" 2>&1 || {
    tail -n 5 "$CACHE/redis-install.log" >&2
    return 1
  }
}

case "${1:-}" in
get) with_lock redis fetch ;;
start)
  with_lock redis fetch
  mkdir -p "$data"
  redis-server --port "$PORT" --bind 127.0.0.1 --save "" --appendonly no --dir "$data" >"$data/log" 2>&1 9>&- &
  echo $! >"$data/pid"
  wait_until 20 "$(cat "$data/pid")" "$data/log" redis-cli -p "$PORT" ping
  ;;
stop) stop_pid "$data/pid" ;;
*) sed -n 2,3p "$0"; exit 2 ;;
esac
