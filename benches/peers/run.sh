#!/usr/bin/env bash
# Drains one topic of a real Kafka with Sluice and with PySpark Structured Streaming into Delta, one
# after the other on this machine, and prints how many times faster Sluice is.
#
#   run.sh            `make bench-peers` calls it
#   run.sh install    only installs what it needs
#
# EVENTS (4000000) are in the topic; PROFILE (bench) is the cargo profile of Sluice. What is installed
# and the broker's data are in SLUICE_CACHE.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..

export SLUICE_CACHE=${SLUICE_CACHE:-$HOME/.cache/sluice}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$SLUICE_CACHE/target}
export EVENTS=${EVENTS:-4000000}
export KAFKA_DIR=$SLUICE_CACHE/kafka/peers
profile=${PROFILE:-bench}
peers=$SLUICE_CACHE/peers
spark=3.5.3
delta=3.2.1

fail() { echo "bench-peers: $*" >&2; exit 1; }

# The stamp is written last, so that a broken download is made good by the next run.
install() {
  [ "$(cat "$peers/stamp" 2> /dev/null)" != "$spark $delta" ] || return 0
  echo "bench-peers: installing PySpark $spark and Delta $delta into $peers" >&2
  rm -rf "$peers"
  mkdir -p "$peers"
  python3 -m venv "$peers/venv"
  "$peers/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
    "pyspark==$spark" "delta-spark==$delta" || fail "pip cannot install PySpark"
  cat > "$peers/pom.xml" << XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sluice</groupId>
  <artifactId>peers</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.spark</groupId><artifactId>spark-sql-kafka-0-10_2.12</artifactId>
      <version>$spark</version></dependency>
    <dependency><groupId>io.delta</groupId><artifactId>delta-spark_2.12</artifactId>
      <version>$delta</version></dependency>
  </dependencies>
</project>
XML
  (cd "$peers" && mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$peers/jars" >&2) || fail "cannot fetch Spark's jars"
  # What PySpark brings itself must not be there twice.
  find "$peers/jars" -name 'hadoop-client*' -delete
  echo "$spark $delta" > "$peers/stamp"
}

# Events a second of a finished bench, from criterion's own figures (nanoseconds for a drain).
measured() {
  local estimates=$CARGO_TARGET_DIR/criterion/drain/$1/new/estimates.json
  "$peers/venv/bin/python" -c '
import json, sys
print(round(int(sys.argv[2]) * 1e9 / json.load(open(sys.argv[1]))["median"]["point_estimate"]))
' "$estimates" "$EVENTS"
}

compare() {
  awk -v sluice="$1" -v spark="$2" -v name="$3" 'BEGIN {
    printf "%-48s %8.0f  %8.0f  %5.1f times\n", name, sluice / 1e3, spark / 1e3, sluice / spark
  }'
}

install
[ "${1:-}" != install ] || exit 0
"$root/.ci/kafka.sh" wipe
work=$(mktemp -d "$SLUICE_CACHE/peers-run.XXXXXX")
trap '"$root/.ci/kafka.sh" wipe; rm -rf "$work"' EXIT
started=$("$root/.ci/kafka.sh" start)
export SLUICE_KAFKA=${started#kafka=}

cargo bench --locked --workspace --profile "$profile" --bench drain --manifest-path "$root/Cargo.toml" -- \
  --quick 'librdkafka|to Delta'
for kind in plain regexp_replace; do
  "$peers/venv/bin/python" "$here/spark.py" "$SLUICE_KAFKA" drain "$EVENTS" "$peers/jars" "$work" "$kind" \
    2> "$work/spark.log" || { cat "$work/spark.log" >&2; fail "Spark did not drain the topic"; }
done | tee "$work/spark.txt"
rate() { awk -v name="$1" '$1 == name { print $2 }' "$work/spark.txt"; }

plain=$(measured "to Delta")
redacted=$(measured "to Delta, redacted")
echo
echo "thousand events/s, $EVENTS events                   Sluice     Spark"
compare "$plain" "$(rate plain-cold)" "plain, Spark cold"
compare "$plain" "$(rate plain-warm)" "plain, Spark warm"
compare "$redacted" "$(rate regexp_replace-cold)" "redact; five regexp_replace, Spark cold"
compare "$redacted" "$(rate regexp_replace-warm)" "redact; five regexp_replace, Spark warm"
