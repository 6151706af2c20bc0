#!/usr/bin/env bash
# A real single-node Apache Kafka (KRaft) on loopback, for tests, benches and `sluice demo --kafka`.
#
#   kafka.sh fetch          downloads the broker's jars into the cache, once
#   kafka.sh start          formats a new data directory, starts, and returns when the broker answers;
#                           prints kafka=HOST:PORT
#   kafka.sh start-secure   the same, with listeners beside the plain one for SASL_PLAINTEXT, SASL_SSL
#                           and SSL with client certificates; prints kafka=, sasl_plaintext=,
#                           sasl_ssl= and ssl= with their addresses, user= and password= for PLAIN,
#                           SCRAM-SHA-256 and SCRAM-SHA-512, and the PEM files ca=, client_cert= and
#                           client_key=; the server's certificate is for localhost and 127.0.0.1
#   kafka.sh kill | stop    SIGKILL | SIGTERM, and waits for the end; the data stays
#   kafka.sh resume         starts it again: same data, same port, same listeners
#   kafka.sh wipe           kills the broker and removes its directory
#   kafka.sh tool CLASS ..  runs a Kafka tool, e.g.
#                           tool org.apache.kafka.tools.TopicCommand --bootstrap-server HOST:PORT --list
#
# Environment: KAFKA_DIR (one broker's data, log and certificates), KAFKA_PORT (a free one is chosen
# and kept when unset), KAFKA_USER and KAFKA_PASSWORD, KAFKA_HEAP, KAFKA_VERSION, SLUICE_CACHE.
# Needs Java 17 and openssl; fetch also needs Maven.
set -euo pipefail

cache=${SLUICE_CACHE:-$HOME/.cache/sluice}
version=${KAFKA_VERSION:-4.1.1}
jars=$cache/kafka-$version
dir=$(realpath -m "${KAFKA_DIR:-$cache/kafka/default}")
user=${KAFKA_USER:-sluice}
password=${KAFKA_PASSWORD:-sluice-secret}
heap=${KAFKA_HEAP:-512m}
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
host=127.0.0.1

fail() { echo "kafka.sh: $*" >&2; exit 1; }

# Several tests may ask at once: one downloads, the others wait, and a broken download leaves nothing.
fetch() {
  [ -d "$jars" ] && return
  mkdir -p "$cache"
  exec 9> "$cache/kafka-fetch.lock"
  flock 9
  if [ ! -d "$jars" ]; then
    command -v mvn > /dev/null || fail "fetching Kafka needs Maven: run 'make setup-test'"
    local work
    work=$(mktemp -d "$cache/kafka-fetch.XXXXXX")
    pom > "$work/pom.xml"
    (cd "$work" && mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$work/jars" >&2) \
      || { rm -rf "$work"; fail "cannot fetch Kafka $version from Maven Central"; }
    mv "$work/jars" "$jars"
    rm -rf "$work"
  fi
  exec 9>&-
}

pom() {
  cat << XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    $(dependency org.apache.kafka kafka_2.13 "$version")
    $(dependency org.apache.kafka kafka-tools "$version")
    $(dependency org.apache.logging.log4j log4j-core 2.24.3)
    $(dependency org.apache.logging.log4j log4j-slf4j-impl 2.24.3)
  </dependencies>
</project>
XML
}

dependency() {
  echo "<dependency><groupId>$1</groupId><artifactId>$2</artifactId><version>$3</version></dependency>"
}

tool() {
  "$java" -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dlog4j2.level=OFF -cp "$jars/*" "$@"
}

secure() { [ -e "$dir/secure" ]; }

# A connection to the port succeeds, so somebody listens.
listening() { (exec 3<> "/dev/tcp/$host/$1") 2> /dev/null; }

# Below the ephemeral range, so that no outgoing connection takes one of the five between two starts.
free_port() {
  local base offset
  for _ in $(seq 50); do
    base=$((20000 + RANDOM % 2400 * 5))
    for offset in 0 1 2 3 4; do listening $((base + offset)) && continue 2; done
    echo "$base"
    return
  done
  fail "found no five free ports in a row between 20000 and 32000"
}

# One authority, one server certificate and one client certificate.
certificates() {
  [ -e "$dir/tls/client.pem" ] && return
  mkdir -p "$dir/tls"
  (
    cd "$dir/tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=sluice-test-ca -keyout ca.key -out ca.pem
    certificate server localhost
    certificate client "$user"
    openssl pkcs8 -topk8 -nocrypt -in server.key -out server.pk8
    cat server.pk8 server.pem > server-store.pem
  ) 2> "$dir/tls.log" || fail "cannot make certificates: $(tail -n 1 "$dir/tls.log")"
}

certificate() {
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$2" -keyout "$1.key" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out "$1.pem" \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:$host")
}

# Small topics and no rebalance delay: a test's consumer group is in place at once.
properties() {
  local listeners=PLAINTEXT://$host:$port
  if secure; then
    listeners+=,SASL_PLAINTEXT://$host:$((port + 2)),SASL_SSL://$host:$((port + 3)),SSL://$host:$((port + 4))
  fi
  cat << PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$host:$((port + 1))
controller.listener.names=CONTROLLER
listeners=$listeners,CONTROLLER://$host:$((port + 1))
advertised.listeners=$listeners
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL
log.dirs=$dir/data
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=16777216
PROPERTIES
  ! secure || security
}

security() {
  cat << PROPERTIES
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/server-store.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.pem
listener.name.ssl.ssl.client.auth=required
PROPERTIES
  local listener login=org.apache.kafka.common.security
  for listener in sasl_plaintext sasl_ssl; do
    cat << PROPERTIES
listener.name.$listener.plain.sasl.jaas.config=$login.plain.PlainLoginModule required user_$user="$password";
listener.name.$listener.scram-sha-256.sasl.jaas.config=$login.scram.ScramLoginModule required;
listener.name.$listener.scram-sha-512.sasl.jaas.config=$login.scram.ScramLoginModule required;
PROPERTIES
  done
}

# The id in the pid file may belong to another program by now; the command line tells.
running() {
  [ -e "$dir/pid" ] && grep -qzF "$dir/server.properties" "/proc/$(cat "$dir/pid")/cmdline" 2> /dev/null
}

# A broker on our port need not be ours: the cluster's id settles it.
answers() {
  listening "$port" && tool org.apache.kafka.tools.ClusterTool cluster-id --bootstrap-server "$host:$port" \
    2> /dev/null | grep -qF "$(cat "$dir/cluster")"
}

format() {
  [ -e "$dir/data/meta.properties" ] && return
  tool kafka.tools.StorageTool random-uuid > "$dir/cluster"
  tool kafka.tools.StorageTool format -t "$(cat "$dir/cluster")" -c "$dir/server.properties" \
    --add-scram "SCRAM-SHA-256=[name=$user,password=$password]" \
    --add-scram "SCRAM-SHA-512=[name=$user,password=$password]" > "$dir/format.log" 2>&1 \
    || fail "cannot format $dir/data: $(tail -n 1 "$dir/format.log")"
}

# Starts the broker on $port and waits until it answers; fails when it ends first.
launch() {
  properties > "$dir/server.properties"
  format
  setsid "$java" -Xms128m -Xmx"$heap" -XX:+UseSerialGC -Dlog4j2.level=WARN -cp "$jars/*" \
    kafka.Kafka "$dir/server.properties" > "$dir/broker.log" 2>&1 < /dev/null &
  echo $! > "$dir/pid"
  local deadline=$((SECONDS + 120))
  until answers; do
    kill -0 "$(cat "$dir/pid")" 2> /dev/null || return 1
    [ $SECONDS -lt $deadline ] || fail "the broker does not answer after two minutes; see $dir/broker.log"
    sleep 0.1
  done
}

start() {
  fetch
  mkdir -p "$dir"
  if running; then fail "a broker runs in $dir (kafka.sh stop ends it)"; fi
  ! secure || certificates
  port=${KAFKA_PORT:-$(cat "$dir/port" 2> /dev/null || free_port)}
  ! listening "$port" || fail "port $port is taken"
  until launch; do
    # Somebody took a chosen port between the choice and the start: a new broker may choose again.
    if [ -n "${KAFKA_PORT:-}" ] || [ -e "$dir/port" ] || ! grep -q BindException "$dir/broker.log"; then
      fail "the broker ended: $(grep -m 1 Exception "$dir/broker.log"); see $dir/broker.log"
    fi
    rm -rf "$dir/data"
    port=$(free_port)
  done
  echo "$port" > "$dir/port"
  echo "kafka=$host:$port"
  ! secure || printf '%s\n' "sasl_plaintext=$host:$((port + 2))" "sasl_ssl=$host:$((port + 3))" \
    "ssl=$host:$((port + 4))" "user=$user" "password=$password" "ca=$dir/tls/ca.pem" \
    "client_cert=$dir/tls/client.pem" "client_key=$dir/tls/client.key"
}

end() {
  if running; then
    local pid
    pid=$(cat "$dir/pid")
    kill "-$1" "$pid"
    while kill -0 "$pid" 2> /dev/null && running; do sleep 0.05; done
  fi
  rm -f "$dir/pid"
}

# Only what this script made: KAFKA_DIR may hold something of its owner's.
wipe() {
  rm -rf "$dir"/{data,tls,tls.log,secure,port,cluster,server.properties,format.log,broker.log}
  [ ! -d "$dir" ] || rmdir --ignore-fail-on-non-empty "$dir"
}

case ${1:-} in
  fetch) fetch ;;
  start | resume) start ;;
  start-secure) mkdir -p "$dir" && touch "$dir/secure" && start ;;
  kill) end KILL ;;
  stop) end TERM ;;
  wipe) end KILL && wipe ;;
  tool) shift && fetch && tool "$@" ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
