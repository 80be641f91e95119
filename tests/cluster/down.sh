#!/usr/bin/env bash
# down.sh         ends the cluster of up.sh; keeps its logs ($STATE/*/log), removes everything else
# down.sh nodeN   ends node N at once, as a power cut would; node.sh starts it again
set -u
. "$(dirname "$0")/common.sh"
if [ ! -e "$STATE/sysctl" ]; then
  echo "down.sh: no cluster in $STATE"
  exit 0
fi
gone() { [ ! -e "/proc/$1" ] || [ "$(ps -o stat= -p "$1" | cut -c1)" = Z ]; }

# unshare --kill-child takes PID 1 of the namespaces with it, and so every process, mount and link.
end() { # NAME
  local folder=$STATE/$1 init
  [ -s "$folder/pid" ] || return
  init=$(cat "$folder/init" 2>/dev/null)
  kill -KILL "$(cat "$folder/pid")" 2>/dev/null
  for _ in $(seq 100); do
    if [ -z "$init" ] || gone "$init"; then break; fi
    sleep 0.1
  done
  for _ in $(seq 20); do # Only the cgroups stay.
    find /sys/fs/cgroup -depth -type d -path "*/kube-$1*" -exec rmdir {} + 2>/dev/null
    [ -z "$(find /sys/fs/cgroup -maxdepth 2 -type d -name "kube-$1")" ] && break
    sleep 0.1
  done
  ip link del "kube-$1" 2>/dev/null
  rm -rf "$folder/pid" "$folder/init" "$folder/run" "$folder/cni"
}

if [ -n "${1:-}" ]; then
  end "$1"
  exit
fi
for folder in "$STATE"/node*/ "$STATE/cp/"; do end "$(basename "$folder")" & done
wait
ip link del kube0
# shellcheck disable=SC2046
sysctl -qw $(cat "$STATE/sysctl")
rm -rf "$STATE"/{pki,config,kubeconfig} "$STATE"/*/{containerd,kubelet,etcd,flex,net.d}
rm -f "$STATE"/*/{containerd.toml,kubelet.yaml,resolv.conf} "$STATE/sysctl"
