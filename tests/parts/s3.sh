#!/usr/bin/env bash
# A real S3 server that checks signatures. s3.sh get | start | stop | kill9 | stall | resume | admin ARGUMENT...
# Environment: KIND (versitygw, the default, or minio), ROOT (run data), NAME, PORT (27070), ACCESS_KEY
# (testkey), SECRET_KEY (testsecret), READONLY (versitygw: set = refuse writes), USERS (versitygw: set = more
# users, which `admin create-user` and `admin delete-user` change while it runs). A bucket is a folder of
# $ROOT/$NAME/data, for versitygw; region us-east-1; path style.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
KIND=${KIND:-versitygw} ROOT=${ROOT:-/tmp/spanway-parts} NAME=${NAME:-s3} PORT=${PORT:-27070}
ACCESS_KEY=${ACCESS_KEY:-testkey} SECRET_KEY=${SECRET_KEY:-testsecret}
data=$ROOT/$NAME
case "$KIND" in
versitygw) module=github.com/versity/versitygw/cmd/versitygw version=v1.8.0 health=/health ;;
minio) module=github.com/minio/minio version=v0.0.0-20260212201848-7aac2a2c5b7c health=/minio/health/ready ;;
*) echo "s3.sh: KIND is '$KIND'; use versitygw or minio" >&2; exit 2 ;;
esac
binary=$CACHE/bin/$KIND-$version

build() {
  [ -x "$binary" ] && return
  go=$("$here/go.sh")
  echo "parts: building $KIND, up to 5 minutes" >&2
  work=$(mktemp -d "$CACHE/$KIND.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$CACHE/bin"
  (cd / && GOBIN=$work GOFLAGS=-mod=mod nice "$go" install -trimpath -ldflags='-s -w' "$module@$version") \
    >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    exit 1
  }
  mv "$work/$KIND" "$binary"
}

start() {
  mkdir -p "$data/data" "$data/meta" "$data/users"
  if [ "$KIND" = versitygw ]; then
    ROOT_ACCESS_KEY=$ACCESS_KEY ROOT_SECRET_KEY=$SECRET_KEY "$binary" --port "127.0.0.1:$PORT" \
      --health /health ${READONLY:+--readonly} ${USERS:+--iam-dir "$data/users" --iam-cache-disable} posix --sidecar "$data/meta" "$data/data" \
      >"$data/log" 2>&1 9>&- &
  else
    MINIO_ROOT_USER=$ACCESS_KEY MINIO_ROOT_PASSWORD=$SECRET_KEY MINIO_BROWSER=off MINIO_UPDATE=off \
      "$binary" server --address "127.0.0.1:$PORT" "$data/data" >"$data/log" 2>&1 9>&- &
  fi
  echo $! >"$data/pid"
  wait_until 30 "$(cat "$data/pid")" "$data/log" curl -sf "127.0.0.1:$PORT$health"
}

case "${1:-}" in
get) with_lock "$KIND" build ;;
cached) [ -x "$binary" ] ;;
start)
  with_lock "$KIND" build
  start
  ;;
stop) stop_pid "$data/pid" ;;
kill9) kill -9 "$(cat "$data/pid")" ;;
stall) kill -STOP "$(cat "$data/pid")" ;;
resume) kill -CONT "$(cat "$data/pid")" ;;
admin)
  shift
  "$binary" admin --access "$ACCESS_KEY" --secret "$SECRET_KEY" --endpoint-url "http://127.0.0.1:$PORT" "$@"
  ;;
*) sed -n 2,6p "$0"; exit 2 ;;
esac
