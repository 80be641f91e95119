#!/usr/bin/env bash
# Prometheus's own PromQL tests, as the Go module of Prometheus 3.15 has them. promqltest.sh folder:
# fetches the module into Go's cache and prints the folder of the files.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
module=github.com/prometheus/prometheus version=v0.315.0

case "${1:-}" in
folder)
  go=$("$here/go.sh")
  folder=$(cd / && GOFLAGS=-mod=mod "$go" mod download -json "$module@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  echo "$folder/promql/promqltest/testdata"
  ;;
*) sed -n 2,3p "$0"; exit 2 ;;
esac
