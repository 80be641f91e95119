#!/usr/bin/env bash
# A real Apache Kafka (KRaft, combined broker and controller) from Maven's jars.
#   kafka.sh get
#   kafka.sh start            one node, plain text on 127.0.0.1:$PORT
#   kafka.sh start-secure     the same, and SASL_SSL on $PORT+1 (PLAIN app/app-password,
#                             SCRAM-SHA-256/512 scram/scram-password) and mutual TLS on $PORT+2;
#                             ca.crt, client.crt, client.key in $ROOT/$NAME/tls. Clients
#                             of the plain port may do everything, also grant rights (ACLs); the
#                             others everything on what no ACL speaks of
#   kafka.sh start3           three nodes (1, 2, 3), plain text on the three ports of $PORTS:
#                             replication 3, min.insync.replicas 2, no unclean election
#   kafka.sh restart N        node N of start3 again, after stop or kill9; waits until it serves
#   kafka.sh stop [N] | kill9 [N] | pid [N]     of start3: node N; stop without N: all three
#   kafka.sh clean
#   kafka.sh tool CLASS ARGS  a command-line tool, e.g. org.apache.kafka.tools.TopicCommand
# Environment: ROOT (run data), NAME, LISTEN (of plain text; default 127.0.0.1), PORT (default 9092),
# PORTS ("a b c"; a port + 5 is the controller's), HEAP (of each node), JAVA_FLAGS (of each
# node), PROPERTIES (further lines of server.properties).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
version=4.3.1
jars=$CACHE/kafka-$version
ROOT=${ROOT:-/tmp/spanway-parts} NAME=${NAME:-kafka} PORT=${PORT:-9092} LISTEN=${LISTEN:-127.0.0.1} HEAP=${HEAP:-512m}
PORTS=${PORTS:-} PROPERTIES=${PROPERTIES:-} JAVA_FLAGS=${JAVA_FLAGS:-}
cluster=$ROOT/$NAME
data=$cluster id=1 voters=1@127.0.0.1:$((PORT + 5)) replicas=1 insync=1
cluster_id=MkU3OEVBNTcwNTJENDM2Qk

fetch() {
  [ -f "$jars/.complete" ] && return
  mkdir -p "$jars"
  cat >"$jars/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>spanway</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$version</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$version</version></dependency>
<dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
</dependencies></project>
XML
  mvn -q -B -f "$jars/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars/libs" -DincludeScope=runtime
  cat >"$jars/log4j2.properties" <<'PROPERTIES'
appender.o.type=Console
appender.o.name=O
appender.o.layout.type=PatternLayout
appender.o.layout.pattern=%d %p %m (%c)%n
rootLogger.level=INFO
rootLogger.appenderRef.o.ref=O
PROPERTIES
  sed s/=INFO/=ERROR/ "$jars/log4j2.properties" >"$jars/log4j2-tools.properties"
  touch "$jars/.complete"
}

tool() {
  java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dlog4j2.configurationFile="$jars/log4j2-tools.properties" -cp "$jars/libs/*" "$@"
}

# Node $1 of three: what follows is about that one.
node() {
  local ports
  read -r -a ports <<<"$PORTS"
  [ ${#ports[@]} = 3 ] || { echo "kafka.sh: PORTS must name three ports" >&2; exit 2; }
  [[ "$1" =~ ^[123]$ ]] || { echo "kafka.sh: no node $1; there are 1, 2 and 3" >&2; exit 2; }
  id=$1 PORT=${ports[$1 - 1]} data=$cluster/$1 replicas=3 insync=2
  voters=1@127.0.0.1:$((ports[0] + 5)),2@127.0.0.1:$((ports[1] + 5)),3@127.0.0.1:$((ports[2] + 5))
}

configure() { # extra listeners, extra properties
  mkdir -p "$data"
  cat >"$data/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=$id
listeners=PLAINTEXT://$LISTEN:$PORT,CONTROLLER://127.0.0.1:$((PORT + 5))$1
advertised.listeners=PLAINTEXT://$LISTEN:$PORT$1
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
inter.broker.listener.name=PLAINTEXT
controller.quorum.voters=$voters
log.dirs=$data/log
num.partitions=4
auto.create.topics.enable=false
default.replication.factor=$replicas
min.insync.replicas=$insync
offsets.topic.replication.factor=$replicas
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$insync
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$insync
group.initial.rebalance.delay.ms=0
log.segment.bytes=67108864
$PROPERTIES
$2
PROPERTIES
}

format_storage() {
  [ -f "$data/log/meta.properties" ] && return
  tool kafka.tools.StorageTool format -t "$cluster_id" -c "$data/server.properties" "$@" \
    >"$data/format.log" 2>&1 || { cat "$data/format.log" >&2; exit 1; }
}

launch() {
  : >"$data/out.log" # await() must not find what an earlier run wrote.
  java "-Xmx$HEAP" -Xms64m -XX:+UseSerialGC $JAVA_FLAGS -Dlog4j2.configurationFile="$jars/log4j2.properties" \
    -cp "$jars/libs/*" kafka.Kafka "$data/server.properties" >"$data/out.log" 2>&1 9>&- &
  echo $! >"$data/pid"
}

await() {
  wait_until 60 "$(cat "$data/pid")" "$data/out.log" grep -q 'Kafka Server started' "$data/out.log"
}

run() {
  launch
  await
}

make_certificates() {
  tls=$data/tls
  mkdir -p "$tls"
  [ -f "$tls/server.p12" ] && return
  (
    cd "$tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=spanway-test-ca -keyout ca.key -out ca.crt
    for who in server client; do
      openssl req -newkey rsa:2048 -nodes -subj "/CN=$([ $who = server ] && echo localhost || echo client)" \
        -keyout $who.key -out $who.csr
      printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >$who.ext
      openssl x509 -req -in $who.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out $who.crt -extfile $who.ext
    done
    openssl pkcs12 -export -in server.crt -inkey server.key -certfile ca.crt -out server.p12 -passout pass:changeit
  ) >/dev/null 2>&1
}

start_secure() {
  make_certificates
  local security=org.apache.kafka.common.security
  configure ",SASL_SSL://127.0.0.1:$((PORT + 1)),SSL://127.0.0.1:$((PORT + 2))" "ssl.keystore.type=PKCS12
ssl.keystore.location=$data/tls/server.p12
ssl.keystore.password=changeit
listener.name.ssl.ssl.client.auth=required
ssl.truststore.type=PEM
ssl.truststore.location=$data/tls/ca.crt
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=$security.plain.PlainLoginModule required user_app=\"app-password\";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=$security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=$security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS"
  format_storage --add-scram 'SCRAM-SHA-256=[name=scram,password=scram-password]' \
    --add-scram 'SCRAM-SHA-512=[name=scram,password=scram-password]'
  run
}

start3() {
  for n in 1 2 3; do node $n; configure "" ""; format_storage; done
  for n in 1 2 3; do node $n; launch; done # None is ready before a second one is there.
  for n in 1 2 3; do node $n; await; done
}

stop3() {
  for n in 1 2 3; do node $n; stop_pid "$data/pid" & done
  wait
}

case "${1:-}" in
get) with_lock kafka fetch ;;
start) with_lock kafka fetch; configure "" ""; format_storage; run ;;
start-secure) with_lock kafka fetch; start_secure ;;
start3) with_lock kafka fetch; start3 ;;
restart) node "$2"; run ;;
stop) if [ -n "$PORTS" ] && [ -z "${2:-}" ]; then stop3; else [ -z "${2:-}" ] || node "$2"; stop_pid "$data/pid"; fi ;;
kill9) [ -z "${2:-}" ] || node "$2"; kill -9 "$(cat "$data/pid")" ;;
pid) [ -z "${2:-}" ] || node "$2"; cat "$data/pid" ;;
clean) rm -rf "$cluster" ;;
tool) shift; tool "$@" ;;
*) sed -n 2,20p "$0"; exit 2 ;;
esac
