#!/usr/bin/env bash
# Redacts the same generated lines with Sluice's `redact`, with a chain of `regexp_replace` in the same
# DataFusion and in DuckDB, and with Presidio by patterns alone, one after the other on one thread, and
# prints megabytes a second and how many times faster `redact` is.
#
#   redact.sh            `make bench-redact-peers` calls it
#   redact.sh install    only installs what it needs
#
# PRESIDIO_LINES (2000) is how many lines Presidio reads; PROFILE (bench) is the cargo profile of
# Sluice. What is installed is in SLUICE_CACHE.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..

export SLUICE_CACHE=${SLUICE_CACHE:-$HOME/.cache/sluice}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$SLUICE_CACHE/target}
profile=${PROFILE:-bench}
peers=$SLUICE_CACHE/peers-redact
presidio=2.2.366
duckdb=2.0.0

fail() { echo "bench-redact-peers: $*" >&2; exit 1; }

# The stamp is written last, so that a broken download is made good by the next run.
install() {
  [ "$(cat "$peers/stamp" 2> /dev/null)" != "$presidio $duckdb" ] || return 0
  echo "bench-redact-peers: installing Presidio $presidio and DuckDB $duckdb into $peers" >&2
  rm -rf "$peers"
  mkdir -p "$peers"
  python3 -m venv "$peers/venv"
  "$peers/venv/bin/python" -m pip --quiet --disable-pip-version-check install \
    "presidio-analyzer==$presidio" "duckdb==$duckdb" || fail "pip cannot install Presidio and DuckDB"
  echo "$presidio $duckdb" > "$peers/stamp"
}

install
[ "${1:-}" != install ] || exit 0
work=$(mktemp -d "$SLUICE_CACHE/peers-redact-run.XXXXXX")
trap 'rm -rf "$work"' EXIT

REDACT_LINES=$work cargo bench --locked --workspace --profile "$profile" --bench redact_peers \
  --manifest-path "$root/Cargo.toml" > "$work/rates.txt"
"$peers/venv/bin/python" "$here/redact.py" "$work" "${PRESIDIO_LINES:-2000}" 2> "$work/peers.log" \
  >> "$work/rates.txt" || { cat "$work/peers.log" >&2; fail "a peer did not redact the lines"; }

awk '
  NF == 3 { rate[$1, $2] = $3 }
  END {
    printf "%-44s %10s %9s %10s %9s\n", "MB/s on one thread", "clean", "times", "dirty", "times"
    split("redact datafusion duckdb presidio", names, " ")
    title["redact"] = "Sluice, redact"
    title["datafusion"] = "DataFusion, sixteen regexp_replace"
    title["duckdb"] = "DuckDB, sixteen regexp_replace"
    title["presidio"] = "Presidio, patterns, finding only"
    for (at = 1; at <= 4; at++) {
      name = names[at]
      printf "%-44s %10.2f %9.0f %10.2f %9.0f\n", title[name], rate[name, "clean"],
        rate["redact", "clean"] / rate[name, "clean"], rate[name, "dirty"],
        rate["redact", "dirty"] / rate[name, "dirty"]
    }
  }' "$work/rates.txt"
