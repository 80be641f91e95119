#!/usr/bin/env bash
# The operator and its pipelines on a real Kubernetes: makes the image, starts the cluster, runs
# tests/cluster and ends the cluster. Arguments go to pytest. KEEP=1 leaves the cluster running.
# Where no cluster can run the tests that need one are skipped, and why is said; those of the chart
# run anywhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
export SPANWAY_BIN=${SPANWAY_BIN:-$PWD/build/release/bin} STATE=${STATE:-/tmp/spanway-cluster}
. ci/checks/suite.sh
run() { run_pytest cluster "$@" --durations=8; }

if [ -n "${SPANWAY_KUBECONFIG:-}" ]; then # A cluster of your own, with the image already in it.
  run tests/cluster "$@"
  exit
fi
if ! reason=$(tests/cluster/up.sh possible); then
  echo "== cluster: SKIPPED all but the chart: $reason"
  run tests/cluster/chart_test.py "$@"
  exit
fi
# Kubernetes may be being built in the background; the tests wait for it only while there is time.
if ! tests/parts/kube.sh cached && [ -z "${PARTS_DEADLINE:-}" ]; then
  tests/parts/kube.sh get
fi
BIN=$SPANWAY_BIN ci/images/oci.sh build/images/spanway.tar
if [ -e "$STATE/sysctl" ]; then # It runs already: it gets today's image.
  tests/cluster/image.sh build/images/spanway.tar
  run tests/cluster "$@"
  exit
fi
if [ "${KEEP:-0}" = 1 ]; then
  NODES=${NODES:-2} METRICS=1 HPA_FAST=1 IMAGES=$PWD/build/images/spanway.tar tests/cluster/up.sh
else
  trap 'tests/cluster/down.sh' EXIT # pytest starts it; this is for when pytest is killed.
fi
run tests/cluster "$@"
