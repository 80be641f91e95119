#!/usr/bin/env bash
# image.sh TAR...: loads images into every node of a cluster that runs.
set -euo pipefail
. "$(dirname "$0")/common.sh"
for init in "$STATE"/node*/init; do
  for tar in "$@"; do
    nsenter -t "$(cat "$init")" -m -n ctr -a /run/containerd/containerd.sock -n k8s.io images import "$(realpath "$tar")" >/dev/null
  done
done
