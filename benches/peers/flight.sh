#!/usr/bin/env bash
# Reads the same Parquet files over loopback from Sluice, from ROAPI (a DataFusion server) and from
# pyarrow's Flight server (the same batches, in memory), and with DuckDB in process, and prints rows and
# megabytes a second, the time to the first batch, new connections a second, and ratios.
#
#   flight.sh            `make bench-flight-peers` calls it
#   flight.sh install    only installs what it needs
#
# ROWS (2000000) is the length of each table; PROFILE (bench) is the cargo profile of Sluice. What is
# installed is in SLUICE_CACHE.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..

export SLUICE_CACHE=${SLUICE_CACHE:-$HOME/.cache/sluice}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$SLUICE_CACHE/target}
profile=${PROFILE:-bench}
peers=$SLUICE_CACHE/peers-flight
wanted="roapi==0.12.7 duckdb==2.0.0 pyarrow==26.0.1 numpy==2.4.6"

fail() { echo "bench-flight-peers: $*" >&2; exit 1; }

# The stamp is written last, so that a broken download is made good by the next run.
install() {
  [ "$(cat "$peers/stamp" 2> /dev/null)" != "$wanted" ] || return 0
  echo "bench-flight-peers: installing $wanted into $peers" >&2
  rm -rf "$peers"
  mkdir -p "$peers"
  python3 -m venv "$peers/venv"
  # shellcheck disable=SC2086 # a list of words
  "$peers/venv/bin/python" -m pip --quiet --disable-pip-version-check install $wanted \
    || fail "pip cannot install $wanted"
  echo "$wanted" > "$peers/stamp"
}

# Waits until a line of FILE matches PATTERN, and prints what its first group holds.
told() {
  local file=$1 pattern=$2 found
  for _ in $(seq 300); do
    found=$(sed -n "s/$pattern/\1/p;T;q" "$file" 2> /dev/null)
    [ -z "$found" ] || { echo "$found"; return; }
    sleep 0.1
  done
  cat "$file" >&2
  fail "a server was not ready within 30 seconds"
}

install
[ "${1:-}" != install ] || exit 0
work=$(mktemp -d "$SLUICE_CACHE/peers-flight-run.XXXXXX")
running=()
end() {
  [ ${#running[@]} = 0 ] || kill "${running[@]}" 2> /dev/null || true
  wait
  rm -rf "$work"
}
trap end EXIT

folder=release
[ "$profile" != dev ] || folder=debug
cargo build --locked --workspace --bin sluice --profile "${profile/bench/release}" \
  --manifest-path "$root/Cargo.toml"
"$peers/venv/bin/python" "$here/flight.py" write "$work" "${ROWS:-2000000}"

for table in numbers logs; do
  echo "CREATE EXTERNAL TABLE IF NOT EXISTS $table STORED AS PARQUET LOCATION '$work/$table.parquet';"
done > "$work/init.sql"
"$CARGO_TARGET_DIR/$folder/sluice" serve --listen 127.0.0.1:0 --data "$work/data" \
  --init "$work/init.sql" > "$work/sluice.log" 2>&1 &
running+=($!)
"$peers/venv/bin/roapi" --addr-http 127.0.0.1:0 --addr-postgres 127.0.0.1:0 \
  --addr-flight-sql 127.0.0.1:0 \
  --table "numbers=$work/numbers.parquet,format=parquet,use_memory_table=false" \
  --table "logs=$work/logs.parquet,format=parquet,use_memory_table=false" > "$work/roapi.log" 2>&1 &
running+=($!)
sluice=$(told "$work/sluice.log" '^ready flight=\([^ ]*\).*')
roapi=$(told "$work/roapi.log" '.*Listening on \([0-9.:]*\) for FlightSQL.*')

"$peers/venv/bin/python" "$here/flight.py" measure "$work" "$sluice" "grpc://$roapi" \
  > "$work/rates.txt" || fail "a peer did not give the rows"

awk '
  NF == 5 { rows[$1, $2] = $3; bytes[$1, $2] = $4; first[$1, $2] = $5 }
  NF == 3 { connections[$1] = $3 }
  END {
    split("numbers logs", tables, " ")
    split("sluice roapi duckdb reference", names, " ")
    title["sluice"] = "Sluice"
    title["roapi"] = "ROAPI"
    title["duckdb"] = "DuckDB, in process"
    title["reference"] = "pyarrow server, from memory"
    printf "%-28s %-8s %12s %8s %12s %14s\n", "", "table", "1000 rows/s", "MB/s", "first, ms", "Sluice, times"
    for (t = 1; t <= 2; t++)
      for (n = 1; n <= 4; n++) {
        key = names[n] SUBSEP tables[t]
        printf "%-28s %-8s %12.0f %8.0f %12.1f %14.2f\n", title[names[n]], tables[t], rows[key] / 1e3,
          bytes[key], first[key], rows["sluice", tables[t]] / rows[key]
      }
    printf "new connections a second: Sluice %d, ROAPI %d\n", connections["sluice"], connections["roapi"]
  }' "$work/rates.txt"
