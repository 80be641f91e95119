#!/usr/bin/env bash
# node.sh N: starts node N of a cluster that runs, or starts it again after `down.sh nodeN`.
set -euo pipefail
. "$(dirname "$0")/common.sh"
export PROXY_MODE=${PROXY_MODE:-iptables}
name=node${1:?usage: node.sh N} ip=10.77.0.1$1
if [ ! -s "$STATE/pki/$name.crt" ]; then
  make_certificate "$name" ca "/O=system:nodes/CN=system:node:$name" "DNS:$name,IP:$ip"
  make_kubeconfig "$name"
fi
spawn "$name" "$ip"
containerd_tool() { nsenter -t "$init" -m -n ctr -a /run/containerd/containerd.sock -n k8s.io "$@"; }
wait_for 30 "$name: containerd" containerd_tool version
for tar in "$KUBE"/images/*.tar ${IMAGES:-}; do
  containerd_tool images import "$tar" >>"$STATE/$name/log/import.log" 2>&1 || die "import $tar"
done
say "$name: images loaded"
touch "$STATE/$name/run/images" # inside.sh starts the kubelet now.
wait_for 60 "$name: registered" k get node "$name"
k wait --for=condition=Ready "node/$name" --timeout=90s >/dev/null
# A pod that dials the API before kube-proxy's first pass loses its SYN and sits out 30 s.
wait_for 60 "$name: ready" nsenter -t "$init" -n curl -sfk -m 1 https://10.96.0.1/readyz
