#!/usr/bin/env bash
# A real ClickHouse server (HTTP and native protocol). clickhouse.sh get | start | stop | kill9 | sql 'QUERY'
# Environment: ROOT (run data), NAME, PORT (HTTP, default 8123), TCP_PORT (default 9000), MEMORY (bytes),
# LISTEN (default 127.0.0.1; another address also lets clients of 10.0.0.0/8 in).
# Users: default without a password; writer and reader with PASSWORD (default spanway), the reader read-only.
# WRITER_PROFILE=reader makes the writer read-only, too.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
version=26.7.3-stable.1
home=$CACHE/clickhouse-$version
library=$home/node_modules/@chdb/lib-linux-x64-gnu
ROOT=${ROOT:-/tmp/spanway-parts} NAME=${NAME:-clickhouse} PORT=${PORT:-8123} TCP_PORT=${TCP_PORT:-9000}
MEMORY=${MEMORY:-4000000000} PASSWORD=${PASSWORD:-spanway} LISTEN=${LISTEN:-127.0.0.1}
WRITER_PROFILE=${WRITER_PROFILE:-default}
data=$ROOT/$NAME

# libchdb holds the whole server. Its clickhouse-local opens the server's listeners with SYSTEM START
# LISTEN, and this program gives that entry point a process of its own.
fetch() {
  [ -x "$home/clickhouse" ] && return
  mkdir -p "$home"
  npm install --silent --no-fund --no-audit --prefix "$home" "@chdb/lib-linux-x64-gnu@$version"
  cat >"$home/clickhouse.c" <<'C'
#include <stdio.h>
void *chdb_query_cmdline(int argc, char **argv);
const char *chdb_result_error(void *result);
int main(int argc, char **argv) {
  void *result = chdb_query_cmdline(argc, argv);
  const char *error = result ? chdb_result_error(result) : "no result";
  if (error) fprintf(stderr, "%s\n", error);
  return error ? 1 : 0;
}
C
  gcc -O1 -o "$home/clickhouse.new" "$home/clickhouse.c" -L"$library" -lchdb -Wl,-rpath,"$library"
  mv "$home/clickhouse.new" "$home/clickhouse"
}

write_config() {
  local from="<ip>127.0.0.1</ip>"
  [ "$LISTEN" = 127.0.0.1 ] || from+="<ip>10.0.0.0/8</ip>"
  cat >"$data/users.xml" <<XML
<clickhouse>
  <profiles><default/>
    <reader><readonly>1</readonly><constraints>
      <max_rows_to_read><changeable_in_readonly/><max>1000000000</max></max_rows_to_read>
      <max_bytes_to_read><changeable_in_readonly/><max>100000000000</max></max_bytes_to_read>
      <max_memory_usage><changeable_in_readonly/><max>2000000000</max></max_memory_usage>
      <max_execution_time><changeable_in_readonly/><max>600</max></max_execution_time>
      <max_threads><changeable_in_readonly/><max>16</max></max_threads>
      <cancel_http_readonly_queries_on_client_close><changeable_in_readonly/>
      </cancel_http_readonly_queries_on_client_close>
    </constraints></reader></profiles>
  <quotas><default/></quotas>
  <users>
    <default><password></password><networks>$from</networks><profile>default</profile>
      <quota>default</quota><access_management>1</access_management></default>
    <writer><password>$PASSWORD</password><networks>$from</networks>
      <profile>$WRITER_PROFILE</profile><quota>default</quota></writer>
    <reader><password>$PASSWORD</password><networks>$from</networks>
      <profile>reader</profile><quota>default</quota></reader>
  </users>
</clickhouse>
XML
  cat >"$data/config.xml" <<XML
<clickhouse>
  <users_config>$data/users.xml</users_config>
  <max_server_memory_usage>$MEMORY</max_server_memory_usage>
</clickhouse>
XML
}

# The process lives as long as its query: one row a second, for months.
start() {
  mkdir -p "$data/store"
  write_config
  "$home/clickhouse" --config-file="$data/config.xml" --path="$data/store" \
    --listen_host="$LISTEN" --http_port="$PORT" --tcp_port="$TCP_PORT" --multiquery \
    --query="SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP;
      SELECT sleepEachRow(1) FROM numbers(10000000) SETTINGS max_block_size = 1,
      function_sleep_max_microseconds_per_block = 0 FORMAT Null" >"$data/log" 2>&1 9>&- &
  echo $! >"$data/pid"
  wait_until 60 "$(cat "$data/pid")" "$data/log" curl -sf "$LISTEN:$PORT/ping"
}

case "${1:-}" in
get) with_lock clickhouse fetch ;;
start)
  with_lock clickhouse fetch
  start
  ;;
stop) stop_pid "$data/pid" ;;
kill9) kill -9 "$(cat "$data/pid")" ;;
sql) curl -sS --fail-with-body "http://$LISTEN:$PORT/" --data-binary "$2" ;;
*) sed -n 2,6p "$0"; exit 2 ;;
esac
