#!/usr/bin/env bash
# A real PostgreSQL server (Debian's) with a new and empty database. postgres.sh get | start | stop
# Environment: ROOT (run data), NAME, PORT (default 5432). User postgres without a password, on
# 127.0.0.1; stop deletes the data.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
ROOT=${ROOT:-/tmp/spanway-parts} NAME=${NAME:-postgres} PORT=${PORT:-5432}
data=$ROOT/$NAME
programs=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)

fetch() {
  [ -x "${programs:-/nowhere}/postgres" ] && return
  local sudo=
  [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get install -y --no-install-recommends postgresql >"$CACHE/postgres-install.log" 2>&1 || {
    tail -n 5 "$CACHE/postgres-install.log" >&2
    return 1
  }
  programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
}

# The server refuses to run as root: it sees itself as another user, in a user namespace or, where
# there are none, as Debian's.
user=()
if [ "$(id -u)" = 0 ]; then
  user=(unshare --user --map-user=65534 --map-group=65534)
  "${user[@]}" true 2>/dev/null || user=(setpriv --reuid=postgres --regid=postgres --init-groups)
fi

# Its user must reach the folder, and $ROOT may be below one that is closed to it.
start() {
  mkdir -p "$data"
  local store
  store=$(mktemp -d /tmp/spanway-postgres.XXXXXX)
  echo "$store" >"$data/store"
  [ "${user[0]:-}" != setpriv ] || chown postgres "$store"
  (cd / && "${user[@]}" "$programs/initdb" -D "$store/db" -U postgres -A trust -N) >"$data/log" 2>&1 || {
    tail -n 20 "$data/log" >&2
    return 1
  }
  (cd / && exec "${user[@]}" "$programs/postgres" -D "$store/db" -p "$PORT" -h 127.0.0.1 -k "$store") >>"$data/log" 2>&1 9>&- &
  echo $! >"$data/pid"
  wait_until 60 "$(cat "$data/pid")" "$data/log" "$programs/pg_isready" -h 127.0.0.1 -p "$PORT" -U postgres
}

case "${1:-}" in
get) with_lock postgres fetch ;;
start)
  with_lock postgres fetch
  programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
  start
  ;;
stop)
  # SIGINT: end the sessions and stop, instead of waiting for the sessions.
  [ ! -f "$data/pid" ] || kill -INT "$(cat "$data/pid")" 2>/dev/null || true
  stop_pid "$data/pid"
  [ ! -f "$data/store" ] || rm -rf "$(cat "$data/store")" "$data/store"
  ;;
*) sed -n 2,4p "$0"; exit 2 ;;
esac
