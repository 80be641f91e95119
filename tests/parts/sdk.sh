#!/usr/bin/env bash
# The official OpenTelemetry SDKs that the e2e tests use as clients.
#   sdk.sh js     prints a folder whose node_modules hold the JS SDK
#   sdk.sh java   prints the path of the Java agent
# The Python SDK is in tests/requirements.txt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
js_version=0.223.0 java_agent=2.33.1

fetch_js() {
  folder=$CACHE/otel-js-$js_version
  [ -f "$folder/.complete" ] && return
  mkdir -p "$folder"
  npm install --silent --no-fund --no-audit --prefix "$folder" @opentelemetry/api@1 \
    "@opentelemetry/sdk-node@$js_version" "@opentelemetry/exporter-trace-otlp-http@$js_version" >&2
  touch "$folder/.complete"
}
fetch_java() {
  folder=$CACHE/otel-java
  [ -f "$folder/opentelemetry-javaagent-$java_agent.jar" ] && return
  mkdir -p "$folder"
  mvn -q -B dependency:copy -DoutputDirectory="$folder" \
    "-Dartifact=io.opentelemetry.javaagent:opentelemetry-javaagent:$java_agent" >&2
}
case "${1:-}" in
js) with_lock js fetch_js; echo "$CACHE/otel-js-$js_version" ;;
java) with_lock java fetch_java; echo "$CACHE/otel-java/opentelemetry-javaagent-$java_agent.jar" ;;
*) sed -n 2,5p "$0"; exit 2 ;;
esac
