# Sourced by up.sh, node.sh and down.sh.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export STATE=${STATE:-/tmp/spanway-cluster}
KUBE=${KUBE:-$("$here/../parts/kube.sh" path)}
export KUBE
started=$(date +%s%N)

say() { printf '%6.1fs %s\n' "$((($(date +%s%N) - started) / 100000000))e-1" "$*"; }
die() {
  echo "$(basename "$0"): $*" >&2
  tail -n 3 "$STATE"/*/log/{inside,apiserver,kubelet}.log >&2 2>/dev/null || true
  exit 1
}
k() { "$KUBE/bin/kubectl" --kubeconfig "$STATE/kubeconfig" "$@"; }

wait_for() { # SECONDS WHAT COMMAND...
  local tries=$(($1 * 5)) what=$2
  shift 2
  for _ in $(seq "$tries"); do
    if "$@" >/dev/null 2>&1; then
      say "$what"
      return
    fi
    sleep 0.2
  done
  die "timeout: $what"
}

make_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
# Serial numbers are random: a counter file would be raced for by nodes that start together.
make_certificate() { # NAME AUTHORITY SUBJECT [ALTERNATIVE_NAMES]
  (
    cd "$STATE/pki"
    make_key "$1"
    printf 'keyUsage=digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n' >"$1.ext"
    [ -z "${4:-}" ] || echo "subjectAltName=$4" >>"$1.ext"
    openssl req -new -key "$1.key" -subj "$3" |
      openssl x509 -req -CA "$2.crt" -CAkey "$2.key" -set_serial "0x$(openssl rand -hex 8)" -days 3650 \
        -out "$1.crt" -extfile "$1.ext" 2>/dev/null
  ) || die "certificate $1"
}
make_kubeconfig() { # USER, from its certificate
  local pki=$STATE/pki
  (
    umask 077
    cat >"$STATE/config/$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
current-context: spanway
contexts: [{name: spanway, context: {cluster: spanway, user: $1}}]
clusters: [{name: spanway, cluster: {server: "https://10.77.0.2:6443", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$pki/$1.crt"), client-key-data: $(base64 -w0 "$pki/$1.key")}}]
YAML
  )
}

# Runs inside.sh in mount, network and PID namespaces of its own, on the bridge; sets $init, its PID.
spawn() { # NAME IP
  local folder=$STATE/$1
  mkdir -p "$folder"/{run,log}
  setsid unshare --mount --propagation private --net --pid --fork --kill-child=SIGKILL --mount-proc \
    bash "$here/inside.sh" "$1" "$2" >"$folder/log/inside.log" 2>&1 </dev/null 9>&- &
  echo $! >"$folder/pid"
  for _ in $(seq 50); do
    init=$(pgrep -P "$(cat "$folder/pid")" | head -n 1) && break
    sleep 0.1
  done
  [ -n "${init:-}" ] || die "no namespaces for $1"
  echo "$init" >"$folder/init"
  ip link add "kube-$1" type veth peer name eth0 netns "$init"
  ip link set "kube-$1" master kube0 up
}
