#!/usr/bin/env bash
# OpenTelemetry's telemetrygen. Prints the binary's path. Always call it with --rate: without one it
# drops in its own queue.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
version=v0.161.0
binary=$CACHE/bin/telemetrygen-$version
build() {
  [ -x "$binary" ] && return
  work=$(mktemp -d "$CACHE/telemetrygen.XXXXXX")
  GOBIN=$work nice "$("$here/go.sh")" install -ldflags='-s -w' \
    "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@$version" 2>"$work/log" || {
    tail -n 20 "$work/log" >&2
    exit 1
  }
  mkdir -p "$CACHE/bin"
  mv "$work/telemetrygen" "$binary"
  rm -rf "$work"
}
[ "${1:-}" = cached ] && exec test -x "$binary"
with_lock telemetrygen build
echo "$binary"
