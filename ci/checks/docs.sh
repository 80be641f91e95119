#!/usr/bin/env bash
# CONFIG.md, METRICS.md, STATUSZ.md and CRD.md come from the binaries. docs.sh write | check
set -euo pipefail
cd "$(dirname "$0")/../.."
bin=${SPANWAY_BIN:-build/release/bin}
services="spanway-ingress spanway-kafka-bridge spanway-exporter spanway-query spanway-operator"
for service in $services; do
  [ -x "$bin/$service" ] || { echo "docs: $bin/$service is missing: build it first" >&2; exit 1; }
done
render() { # FLAG TITLE INTRODUCTION
  echo "# $2"
  echo
  echo "$3"
  for service in $services; do
    echo
    [ "$1" = --print-config-doc ] || printf '## %s\n\n' "$service" # The other has its own title.
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
write)
  config >CONFIG.md; metrics >METRICS.md; "$bin/spanway-operator" crd-doc >CRD.md
  # STATUSZ.md is compared by this test, and written by it.
  SPANWAY_UPDATE_GOLDEN=1 "$bin/runtime_test" --gtest_filter=Statusz.IsDocumented >/dev/null
  ;;
check)
  diff -u CONFIG.md <(config) && diff -u METRICS.md <(metrics) &&
    diff -u CRD.md <("$bin/spanway-operator" crd-doc) || {
    echo "docs: CONFIG.md, METRICS.md or CRD.md differs from the code; run: make docs" >&2
    exit 1
  }
  ;;
*) sed -n 2p "$0"; exit 2 ;;
esac
