#!/usr/bin/env bash
# CONFIG.md and METRICS.md come from the binaries. docs.sh write | check
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${SPANWAY_BIN:-build/release/bin}
services="spanway-ingress spanway-kafka-bridge spanway-exporter"
render() { # FLAG TITLE INTRODUCTION
  echo "# $2"
  echo
  echo "$3"
  for service in $services; do
    printf '\n## %s\n\n' "$service"
    "$bin/$service" "$1"
  done
}
config() {
  render --print-config-doc "Configuration" \
    "Every key of every service, made by \`make docs\` from the code; a test keeps it true."
}
metrics() {
  render --print-metrics "Metrics" \
    "Every metric of every service, made by \`make docs\` from the code; a test keeps it true."
}
case "${1:-}" in
write) config >CONFIG.md; metrics >METRICS.md ;;
check)
  diff -u CONFIG.md <(config) && diff -u METRICS.md <(metrics) || {
    echo "docs: CONFIG.md or METRICS.md differs from the code; run: make docs" >&2
    exit 1
  }
  ;;
*) sed -n 2p "$0"; exit 2 ;;
esac
