#!/usr/bin/env bash
# A real Zipkin server with its page, in-memory storage. zipkin.sh get | start | stop
# Environment: ROOT (run data), NAME, PORT (default 9411), HEAP, JAVA_FLAGS.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
version=3.6.1
jar=$CACHE/zipkin/zipkin-server-$version-exec.jar
ROOT=${ROOT:-/tmp/spanway-parts} NAME=${NAME:-zipkin} PORT=${PORT:-9411} HEAP=${HEAP:-256m} JAVA_FLAGS=${JAVA_FLAGS:-}
data=$ROOT/$NAME

fetch() {
  [ -f "$jar" ] && return
  mkdir -p "$CACHE/zipkin"
  cat >"$CACHE/zipkin/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>spanway</groupId><artifactId>zipkin</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>io.zipkin</groupId><artifactId>zipkin-server</artifactId><version>$version</version>
<classifier>exec</classifier><exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>
</dependency></dependencies></project>
XML
  mvn -q -B -f "$CACHE/zipkin/pom.xml" dependency:copy-dependencies -DoutputDirectory="$CACHE/zipkin"
}

case "${1:-}" in
get) with_lock zipkin fetch ;;
start)
  with_lock zipkin fetch
  mkdir -p "$data"
  QUERY_PORT=$PORT SERVER_ADDRESS=127.0.0.1 STORAGE_TYPE=mem MEM_MAX_SPANS=500000 \
    java "-Xmx$HEAP" -XX:+UseSerialGC $JAVA_FLAGS -jar "$jar" >"$data/log" 2>&1 9>&- &
  echo $! >"$data/pid"
  wait_until 60 "$(cat "$data/pid")" "$data/log" curl -sf "127.0.0.1:$PORT/health"
  ;;
stop) stop_pid "$data/pid" ;;
*) sed -n 2,3p "$0"; exit 2 ;;
esac
