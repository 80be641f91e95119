#!/usr/bin/env bash
# make cluster-demo: the README's Kubernetes section from the top, on this machine. cluster.sh up | down
# Starts a real Kubernetes, Kafka and the destination beside it, installs the operator by Helm, applies a
# sample, sends a trace to the ingress Service and reads it back. Environment: DEST
#   jaeger (default)  k8s/samples/quickstart.yaml, read from Jaeger
#   clickhouse        k8s/samples/query.yaml, read from ClickHouse through the query Service
set -euo pipefail
cd "$(dirname "$0")/../.."
export STATE=${STATE:-/tmp/spanway-cluster}
export KUBECONFIG=$STATE/kubeconfig
data=$PWD/run/cluster
host=10.77.0.1 # Of this machine, as pods see it.
PATH=$(tests/parts/kube.sh path)/bin:$PATH
say() { echo "cluster: $*"; }

runs() { [ -e "$data/$1/pid" ] && kill -0 "$(cat "$data/$1/pid")" 2>/dev/null; }
kafka() { ROOT=$data LISTEN=$host PORT=9092 NAME=kafka tests/parts/kafka.sh "$1"; }
jaeger() {
  ROOT=$data LISTEN=$host OTLP_GRPC_PORT=4317 OTLP_HTTP_PORT=4318 QUERY_PORT=16687 HEALTH_PORT=23134 \
    tests/parts/jaeger.sh "$1"
}

clickhouse() {
  ROOT=$data LISTEN=$host PORT=8123 TCP_PORT=19000 tests/parts/clickhouse.sh "$1"
}

# A name in the cluster for something that runs outside of it.
outside() { # NAME PORT
  kubectl apply -f - >/dev/null <<YAML
{apiVersion: v1, kind: Service, metadata: {name: $1, namespace: default}, spec: {ports: [{name: main, port: $2}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: $1-outside, namespace: default, labels: {kubernetes.io/service-name: $1}}
addressType: IPv4
ports: [{name: main, port: $2}]
endpoints: [{addresses: [$host]}]
YAML
}

# Sets the Pipeline of DEST, and starts what it sends to.
prepare() {
  case "${DEST:-jaeger}" in
  jaeger)
    pipeline=quickstart other=stored sample=k8s/samples/quickstart.yaml
    tests/parts/jaeger.sh get
    ;;
  clickhouse)
    pipeline=stored other=quickstart sample=k8s/samples/query.yaml
    tests/parts/clickhouse.sh get
    ;;
  *)
    echo "cluster: DEST=$DEST: use jaeger or clickhouse" >&2
    exit 2
    ;;
  esac
}

start_destination() {
  if [ "$pipeline" = quickstart ]; then
    runs jaeger || jaeger start
    outside jaeger 4317
    return
  fi
  runs clickhouse || clickhouse start
  outside clickhouse 8123
  # The users of tests/parts/clickhouse.sh.
  kubectl create secret generic clickhouse --from-literal=writer=spanway --from-literal=reader=spanway \
    --dry-run=client -o yaml | kubectl apply -f - >/dev/null
}

up() {
  prepare
  if ! reason=$(tests/cluster/up.sh possible); then
    echo "cluster: this machine cannot run it: $reason" >&2
    exit 1
  fi
  ci/images/oci.sh build/images/spanway.tar >/dev/null
  if [ -e "$STATE/sysctl" ]; then
    tests/cluster/image.sh build/images/spanway.tar
  else
    IMAGES=$PWD/build/images/spanway.tar tests/cluster/up.sh
  fi
  say "Kafka and the destination beside it, as Services of the cluster"
  runs kafka || kafka start
  outside kafka 9092
  start_destination
  say "helm install spanway helm/spanway -n spanway-system --create-namespace"
  helm upgrade --install spanway helm/spanway -n spanway-system --create-namespace --wait --timeout 2m --take-ownership --force-conflicts \
    --set image.repository=localhost/spanway >/dev/null
  say "kubectl apply -f $sample"
  kubectl delete pipeline "$other" --ignore-not-found >/dev/null # Both name the same topics.
  kubectl apply -f "$sample" >/dev/null
  kubectl wait "pipeline/$pipeline" --for=condition=Ready --timeout=3m >/dev/null || {
    kubectl describe pipeline "$pipeline" >&2
    exit 1
  }
  kubectl get pipelines
  send_and_read_back
}

send_and_read_back() {
  local address trace traces=http://127.0.0.1:16687/api/traces
  address=$(kubectl get service "$pipeline-ingress" -o jsonpath='{.spec.clusterIP}')
  if [ "$pipeline" = stored ]; then
    traces=http://$(kubectl get service stored-query -o jsonpath='{.spec.clusterIP}'):8081/api/v3/traces
  fi
  trace=$(build/release/bin/spanway-test-app --endpoint "$address:4317" --count 1 | grep -oE 'trace [0-9a-f]{32}' | cut -d' ' -f2)
  for _ in $(seq 60); do
    if curl -sf "$traces/$trace" >/dev/null; then
      say "a trace went through the cluster: $traces/$trace"
      say "export KUBECONFIG=$KUBECONFIG PATH=$(tests/parts/kube.sh path)/bin:\$PATH; make cluster-down ends it"
      return
    fi
    sleep 0.5
  done
  echo "cluster: trace $trace did not arrive in 30 s" >&2
  kubectl describe pipeline "$pipeline" >&2
  exit 1
}

case "${1:-}" in
up) up ;;
down)
  for part in kafka jaeger clickhouse; do if runs $part; then $part stop >/dev/null; fi; done
  tests/cluster/down.sh
  ;;
*) sed -n 2p "$0"; exit 2 ;;
esac
