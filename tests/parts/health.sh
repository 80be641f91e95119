#!/usr/bin/env bash
# Health as GitOps tools derive it from a resource's status: kstatus of sigs.k8s.io/cli-utils, and Argo CD health
# scripts in its Lua interpreter (health/main.go). Prints the binary's path.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
binary=$CACHE/bin/health-$(cat "$here"/health/* | sha256sum | cut -c1-16)
build() {
  [ -x "$binary" ] && return
  go=$("$here/go.sh")
  work=$(mktemp -d "$CACHE/health.XXXXXX")
  (cd "$here/health" && nice "$go" build -trimpath -ldflags='-s -w' -o "$work/health" .) 2>"$work/log" || {
    tail -n 20 "$work/log" >&2
    exit 1
  }
  mkdir -p "$CACHE/bin"
  mv "$work/health" "$binary"
  rm -rf "$work"
}
[ "${1:-}" = cached ] && exec test -x "$binary"
with_lock health build
echo "$binary"
