#!/usr/bin/env bash
# A real Apache Kafka (KRaft, combined broker and controller) from Maven's jars.
#   kafka.sh get
#   kafka.sh start            one node, plain text on 127.0.0.1:$PORT
#   kafka.sh start-secure     the same, and SASL_SSL on $PORT+1 (PLAIN app/app-password,
#                             SCRAM-SHA-256/512 scram/scram-password) and mutual TLS on $PORT+2;
#                             ca.crt, client.crt, client.key in $ROOT/$NAME/tls. Clients
#                             of the plain port may do everything, also grant rights (ACLs); the
#                             others everything on what no ACL speaks of
#   kafka.sh stop | kill9 | pid | clean
#   kafka.sh tool CLASS ARGS  a command-line tool, e.g. org.apache.kafka.tools.TopicCommand
# Environment: ROOT (run data), NAME, LISTEN (of plain text; default 127.0.0.1), PORT (default 9092;
# PORT+5 is the controller's), HEAP.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/cache.sh"
version=4.3.1
jars=$CACHE/kafka-$version
ROOT=${ROOT:-/tmp/spanway-parts} NAME=${NAME:-kafka} PORT=${PORT:-9092} LISTEN=${LISTEN:-127.0.0.1} HEAP=${HEAP:-512m}
data=$ROOT/$NAME
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

configure() { # extra listeners, extra properties
  mkdir -p "$data"
  cat >"$data/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://$LISTEN:$PORT,CONTROLLER://127.0.0.1:$((PORT + 5))$1
advertised.listeners=PLAINTEXT://$LISTEN:$PORT$1
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
inter.broker.listener.name=PLAINTEXT
controller.quorum.voters=1@127.0.0.1:$((PORT + 5))
log.dirs=$data/log
num.partitions=4
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.segment.bytes=67108864
$2
PROPERTIES
}

format_storage() {
  [ -f "$data/log/meta.properties" ] && return
  tool kafka.tools.StorageTool format -t "$cluster_id" -c "$data/server.properties" "$@" \
    >"$data/format.log" 2>&1 || { cat "$data/format.log" >&2; exit 1; }
}

run() {
  java "-Xmx$HEAP" -Xms64m -XX:+UseSerialGC -Dlog4j2.configurationFile="$jars/log4j2.properties" \
    -cp "$jars/libs/*" kafka.Kafka "$data/server.properties" >"$data/out.log" 2>&1 9>&- &
  echo $! >"$data/pid"
  wait_until 60 "$(cat "$data/pid")" "$data/out.log" grep -q 'Kafka Server started' "$data/out.log"
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

case "${1:-}" in
get) with_lock kafka fetch ;;
start) with_lock kafka fetch; configure "" ""; format_storage; run ;;
start-secure) with_lock kafka fetch; start_secure ;;
stop) stop_pid "$data/pid" ;;
kill9) kill -9 "$(cat "$data/pid")" ;;
pid) cat "$data/pid" ;;
clean) rm -rf "$data" ;;
tool) shift; tool "$@" ;;
*) sed -n 2,13p "$0"; exit 2 ;;
esac
