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
typed() { printf '    $ %s\n' "$*"; } # A command, as one would type it.

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
  say "the operator, and a Pipeline"
  typed "helm install spanway helm/spanway -n spanway-system --create-namespace --set image.repository=localhost/spanway"
  helm upgrade --install spanway helm/spanway -n spanway-system --create-namespace --wait --timeout 2m --take-ownership --force-conflicts \
    --set image.repository=localhost/spanway >/dev/null
  typed "kubectl apply -f $sample"
  kubectl delete pipeline "$other" --ignore-not-found >/dev/null # Both name the same topics.
  kubectl apply -f "$sample" >/dev/null
  typed "kubectl wait pipeline/$pipeline --for=condition=Ready --timeout=3m"
  kubectl wait "pipeline/$pipeline" --for=condition=Ready --timeout=3m >/dev/null || {
    kubectl describe pipeline "$pipeline" >&2
    exit 1
  }
  typed "kubectl get pipelines"
  kubectl get pipelines
  send_and_read_back
}

address_of() { kubectl get service "$1" -o jsonpath='{.spec.clusterIP}'; }

# Jaeger's JSON of a trace as one line; fails unless there are spans.
summary() {
  python3 -c '
import json, sys
trace = json.load(sys.stdin)["data"][0]
services = sorted({p["serviceName"] for p in trace["processes"].values()})
assert trace["spans"]
print(len(trace["spans"]), "spans of", ", ".join(services))'
}

send_and_read_back() {
  local ingress trace found api=http://$host:16687 reader=jaeger
  ingress=$(address_of "$pipeline-ingress"):4317
  if [ "$pipeline" = stored ]; then
    reader=spanway-query
    api=http://$(address_of stored-query):8081
  fi
  say "a trace through $pipeline-ingress, Kafka and its exporter, read back from $reader"
  typed "build/release/bin/spanway-test-app --endpoint $ingress --count 1"
  trace=$(build/release/bin/spanway-test-app --endpoint "$ingress" --count 1 | grep -oE 'trace [0-9a-f]{32}' | cut -d' ' -f2)
  typed "curl $api/api/traces/$trace"
  for _ in $(seq 60); do
    if found=$(curl -sf "$api/api/traces/$trace" | summary 2>/dev/null); then
      echo "$found"
      what_next "$api"
      return
    fi
    sleep 0.5
  done
  echo "cluster: trace $trace did not arrive in 30 s" >&2
  kubectl describe pipeline "$pipeline" >&2
  exit 1
}

what_next() { # API
  say "what else to try"
  typed "export KUBECONFIG=$KUBECONFIG PATH=$(tests/parts/kube.sh path)/bin:\$PATH"
  typed "kubectl describe pipeline $pipeline"
  if [ "$pipeline" = stored ]; then
    typed "curl '$1/spans?limit=5'"
    typed "curl -G $1/tempo/api/search --data-urlencode 'q={ duration > 10ms }'"
    typed "kubectl apply -f k8s/samples/grafana-datasources.yaml   # for the sidecar of Grafana's chart"
  fi
  typed "make cluster-down"
}

case "${1:-}" in
up) up ;;
down)
  for part in kafka jaeger clickhouse; do if runs $part; then $part stop >/dev/null; fi; done
  tests/cluster/down.sh
  ;;
*) sed -n 2p "$0"; exit 2 ;;
esac
