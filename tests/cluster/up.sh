#!/usr/bin/env bash
# Starts a real Kubernetes on this machine: the control plane and each node in namespaces of their
# own, on the bridge kube0. Needs root. One cluster per machine: its addresses are fixed.
#   up.sh            environment: STATE (default /tmp/spanway-cluster), NODES (1; 0 = control plane
#                    only), METRICS=1 (metrics-server, for HPAs), HPA_FAST=1 (they sync every 5 s),
#                    PROXY_MODE (iptables or nftables), IMAGES (tars to load beside the add-ons')
#   up.sh possible   exits 0 when it can run here; else prints why not
# Afterwards: KUBECONFIG=$STATE/kubeconfig. The API is https://10.77.0.2:6443; pods and Services are
# routed from this machine, which is 10.77.0.1 for everything inside.
set -euo pipefail
. "$(dirname "$0")/common.sh"
export NODES=${NODES:-1} METRICS=${METRICS:-0} HPA_FAST=${HPA_FAST:-} PROXY_MODE=${PROXY_MODE:-iptables}
# The nodes read them from another folder.
IMAGES=$(for tar in ${IMAGES:-}; do realpath "$tar"; done)
export IMAGES

possible() {
  if [ "$(id -u)" != 0 ]; then
    echo "it needs root: namespaces, a bridge and containerd"
    return 1
  fi
  if [ ! -e "$STATE/sysctl" ] && ip link show kube0 >/dev/null 2>&1; then
    echo "the link kube0 exists: another cluster runs on this machine"
    return 1
  fi
  if ! ip link add spw-probe type bridge 2>/dev/null; then
    echo "this kernel lets us make no bridge"
    return 1
  fi
  ip link del spw-probe
  if ! unshare --mount --net --pid --fork true 2>/dev/null; then
    echo "this machine lets us make no namespaces"
    return 1
  fi
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    local missing
    missing=$(for c in cpu memory pids; do grep -qw $c /sys/fs/cgroup/cgroup.controllers || echo -n " $c"; done)
    [ -z "$missing" ] || { echo "these cgroup controllers are not given to us:$missing"; return 1; }
  elif ! mkdir -p /sys/fs/cgroup/memory/spw-probe 2>/dev/null || ! rmdir /sys/fs/cgroup/memory/spw-probe; then
    echo "the cgroups cannot be written"
    return 1
  fi
}
if [ "${1:-}" = possible ]; then
  possible
  exit
fi
reason=$(possible) || die "$reason"
[ -x "$KUBE/bin/kube-apiserver" ] || die "Kubernetes is not built: tests/parts/kube.sh get"
[ ! -e "$STATE/sysctl" ] || die "$STATE is in use: run down.sh first"
! ip link show kube0 >/dev/null 2>&1 || die "link kube0 exists: another cluster runs"

make_pki() {
  mkdir -p "$STATE"/{pki,config}
  cd "$STATE/pki"
  for name in ca front-ca; do
    make_key $name
    openssl req -x509 -new -key $name.key -subj "/CN=$name" -days 3650 -out $name.crt
  done
  openssl genrsa -out sa.key 2048 2>/dev/null
  openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
  local api="IP:10.77.0.2,IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc"
  make_certificate apiserver ca /CN=kube-apiserver "$api,DNS:kubernetes.default.svc.cluster.local"
  make_certificate kubelet-client ca /O=system:masters/CN=kube-apiserver-kubelet-client
  make_certificate front-proxy front-ca /CN=front-proxy-client
  make_certificate admin ca /O=system:masters/CN=admin
  make_certificate controller-manager ca /CN=system:kube-controller-manager
  make_certificate scheduler ca /CN=system:kube-scheduler
  make_certificate proxy ca /CN=system:kube-proxy
  for user in admin controller-manager scheduler proxy; do make_kubeconfig $user; done
  cp -p "$STATE/config/admin.kubeconfig" "$STATE/kubeconfig"
  cd /
}

make_network() {
  ip link add kube0 type bridge
  ip addr add 10.77.0.1/24 dev kube0
  ip link set kube0 up
  ip route add 10.96.0.0/16 via 10.77.0.11 # Services: through the first node's kube-proxy.
  for n in 1 2 3 4 5 6 7 8 9; do ip route add 10.244.$n.0/24 via 10.77.0.1$n; done
}

make_pki
# The kubelet changes these for the whole machine; down.sh puts them back.
for name in vm.overcommit_memory kernel.panic kernel.panic_on_oops; do
  echo "$name=$(sysctl -n $name)"
done >"$STATE/sysctl"
make_network
spawn cp 10.77.0.2
wait_for 90 "apiserver ready" k get --raw /readyz
wait_for 60 "default service account" k -n default get serviceaccount default
if [ "$NODES" = 0 ]; then
  say "control plane only; KUBECONFIG=$STATE/kubeconfig"
  exit 0
fi
starting=()
for n in $(seq "$NODES"); do
  "$here/node.sh" "$n" &
  starting+=($!)
done
for pid in "${starting[@]}"; do wait "$pid" || die "a node did not come up"; done
k apply -f "$here/manifests/coredns.yaml" >/dev/null
[ "$METRICS" = 0 ] || k apply -f "$here/manifests/metrics-server.yaml" >/dev/null
k -n kube-system rollout status deploy/coredns --timeout=90s >/dev/null
say "DNS ready"
if [ "$METRICS" != 0 ]; then
  k wait --for=condition=Available apiservice/v1beta1.metrics.k8s.io --timeout=120s >/dev/null
  say "metrics API ready"
fi
say "up; KUBECONFIG=$STATE/kubeconfig"
