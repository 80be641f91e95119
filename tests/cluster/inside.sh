#!/usr/bin/env bash
# PID 1 of the namespaces that common.sh's spawn makes. inside.sh NAME IP
# NAME is cp (the control plane) or nodeN. Every daemon's flags and configuration are here.
set -u
name=$1 ip=$2
folder=$STATE/$name pki=$STATE/pki config=$STATE/config logs=$STATE/$name/log

private() { # What daemons write to fixed places goes to our folder.
  mkdir -p "$folder/$1" "$2"
  mount --bind "$folder/$1" "$2"
}
mount --make-rshared / # Mount propagation in pods wants a shared tree; this one is ours alone.
private run /run
mkdir -p /run/lock
private log/var /var/log
private cni /var/lib/cni
private kubelet /var/lib/kubelet

until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done # spawn moves it in.
ip link set lo up
ip addr add "$ip/24" dev eth0
ip link set eth0 up
ip route add default via 10.77.0.1
for n in 1 2 3 4 5 6 7 8 9; do
  [ "$name" = node$n ] || ip route add 10.244.$n.0/24 via 10.77.0.1$n
done
echo 1 >/proc/sys/net/ipv4/ip_forward

# Keeps a daemon running as an init system does. A test kills it by its name in this PID namespace,
# and makes /run/hold.DAEMON first to keep it down until the file goes.
keep() { # DAEMON COMMAND...
  local daemon=$1
  shift
  (
    while :; do
      "$@" >>"$logs/$daemon.log" 2>&1
      echo "$(date +%T) $daemon exited: $?"
      sleep 0.5
      while [ -e "/run/hold.$daemon" ]; do sleep 0.2; done
    done
  ) &
}

control_plane() {
  ip route add 10.96.0.0/16 via 10.77.0.11 # Aggregated APIs: through the first node's kube-proxy.
  keep etcd "$KUBE/bin/etcd" --data-dir "$folder/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
  cat >"$config/audit.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: None, users: ["system:apiserver"]}, {level: Metadata}]
YAML
  keep apiserver "$KUBE/bin/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --secure-port 6443 \
    --advertise-address "$ip" --allow-privileged=true \
    --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" --client-ca-file "$pki/ca.crt" \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
    --service-cluster-ip-range 10.96.0.0/16 \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$pki/sa.pub" --service-account-signing-key-file "$pki/sa.key" \
    --kubelet-client-certificate "$pki/kubelet-client.crt" --kubelet-client-key "$pki/kubelet-client.key" \
    --kubelet-certificate-authority "$pki/ca.crt" --kubelet-preferred-address-types InternalIP \
    --requestheader-client-ca-file "$pki/front-ca.crt" --requestheader-allowed-names front-proxy-client \
    --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
    --requestheader-extra-headers-prefix X-Remote-Extra- \
    --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key" \
    --audit-policy-file "$config/audit.yaml" --audit-log-path "$logs/audit.log"
  until curl -sf --cacert "$pki/ca.crt" https://127.0.0.1:6443/readyz >/dev/null; do sleep 0.2; done
  local hpa=()
  if [ -n "${HPA_FAST:-}" ]; then
    hpa=(--horizontal-pod-autoscaler-sync-period=5s --horizontal-pod-autoscaler-initial-readiness-delay=5s
      --horizontal-pod-autoscaler-cpu-initialization-period=15s)
  fi
  # With its default of 20 requests a second the first ServiceAccount takes 5 s.
  keep controller-manager "$KUBE/bin/kube-controller-manager" --kubeconfig "$config/controller-manager.kubeconfig" \
    --authentication-kubeconfig "$config/controller-manager.kubeconfig" \
    --authorization-kubeconfig "$config/controller-manager.kubeconfig" \
    --leader-elect=false --use-service-account-credentials=true \
    --service-account-private-key-file "$pki/sa.key" --root-ca-file "$pki/ca.crt" \
    --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key" \
    --service-cluster-ip-range 10.96.0.0/16 --flex-volume-plugin-dir "$folder/flex" \
    --kube-api-qps 200 --kube-api-burst 400 "${hpa[@]}"
  keep scheduler "$KUBE/bin/kube-scheduler" --kubeconfig "$config/scheduler.kubeconfig" --leader-elect=false \
    --authentication-kubeconfig "$config/scheduler.kubeconfig" --authorization-kubeconfig "$config/scheduler.kubeconfig"
}

write_node_config() {
  mkdir -p "$folder/net.d"
  # Without CAP_SYS_RESOURCE runc cannot go below its own oom_score_adj.
  cat >"$folder/containerd.toml" <<TOML
version = 2
root = "$folder/containerd"
state = "/run/containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$folder/net.d"
TOML
  cat >"$folder/net.d/10-pods.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.${name#node}.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
  echo "nameserver 10.77.0.1" >"$folder/resolv.conf"
  # syncFrequency: mounted Secrets are renewed in seconds; the default is a minute.
  # cgroupRoot: two kubelets under one root would delete each other's pods. No eviction for a full
  # disk and no collection of images: nothing could pull them again.
  cat >"$folder/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /kube-$name
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $pki/$name.crt
tlsPrivateKeyFile: $pki/$name.key
readOnlyPort: 0
syncFrequency: 10s
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
resolvConf: $folder/resolv.conf
volumePluginDir: $folder/flex
evictionHard: {memory.available: 100Mi}
imageGCHighThresholdPercent: 100
YAML
}

node() {
  write_node_config
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir -p "/sys/fs/cgroup/kube-$name"
  else
    for hierarchy in /sys/fs/cgroup/*/; do mkdir -p "$hierarchy/kube-$name"; done
  fi
  keep containerd containerd --config "$folder/containerd.toml" --address /run/containerd/containerd.sock
  until [ -e /run/images ]; do sleep 0.1; done
  keep kubelet "$KUBE/bin/kubelet" --config "$folder/kubelet.yaml" --kubeconfig "$config/$name.kubeconfig" \
    --hostname-override "$name" --node-ip "$ip"
  keep proxy "$KUBE/bin/kube-proxy" --kubeconfig "$config/proxy.kubeconfig" --hostname-override "$name" \
    --proxy-mode "$PROXY_MODE" --cluster-cidr 10.244.0.0/16 --conntrack-max-per-core 0 --conntrack-min 0
}

if [ "$name" = cp ]; then control_plane; else node; fi
wait # For ever; bash reaps orphans meanwhile.
