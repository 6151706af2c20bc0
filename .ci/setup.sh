#!/usr/bin/env bash
# Installs what is missing on a Debian or Ubuntu machine; silent and quick when nothing is.
#
#   setup.sh build    what compiling needs: a C compiler, lld, pkg-config, OpenSSL's headers, cargo
#   setup.sh test     what the tests need besides: rustfmt, clippy, a JDK from 17 on, Maven, Kafka's
#                     jars, the JDBC drivers of .ci/jars.sha256, psql, psqlODBC, and the Python
#                     clients of .ci/python-*.txt in their own environment
#
# Packages come through apt, as root or with sudo. Downloads stay in SLUICE_CACHE, outside the tree.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${SLUICE_CACHE:-$HOME/.cache/sluice}

fail() { echo "setup: $*" >&2; exit 1; }
has() { command -v "$1" > /dev/null 2>&1; }

# Each line asks for the thing itself, not for a package: it may have come another way.
missing_for_build() {
  has cc && has c++ && has make || echo build-essential
  has ld.lld || echo lld
  has pkg-config || echo pkg-config
  { has pkg-config && pkg-config --exists openssl; } || echo libssl-dev
}

missing_for_test() {
  { java_is_new_enough && has javac; } || java_package
  has mvn || echo maven
  has openssl || echo openssl
  has psql || echo postgresql-client
  has isql || echo unixodbc
  compgen -G '/usr/lib/*/odbc/psqlodbcw.so' > /dev/null || echo odbc-postgresql
  python3 -c 'import ensurepip, venv' 2> /dev/null || echo python3-venv
}

java_is_new_enough() {
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p;T;q') || return 1
  [ "${version:-0}" -ge 17 ]
}

java_package() {
  if apt-cache show openjdk-17-jdk-headless > /dev/null 2>&1; then
    echo openjdk-17-jdk-headless
  else
    echo default-jdk-headless
  fi
}

# The package lists of a fresh image are empty, so whoever asks apt for anything asks after an update.
install() {
  local missing root=()
  missing=$("$1")
  [ -n "$missing" ] || return 0
  missing=$(echo "$missing" | tr '\n' ' ')
  has apt-get || fail "install what provides these Debian packages, then try again: $missing"
  if [ "$(id -u)" != 0 ]; then
    has sudo || fail "run this as root, then try again: apt-get install $missing"
    root=(sudo)
  fi
  "${root[@]}" apt-get -qq update || fail "apt-get cannot update its package lists"
  missing=$("$1" | tr '\n' ' ')
  echo "setup: installing $missing" >&2
  # shellcheck disable=SC2086 # a list of words
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install --yes --no-install-recommends $missing > "$cache/apt.log" 2>&1 \
    || fail "apt-get cannot install $missing: $(tail -n 3 "$cache/apt.log")"
}

cargo_present() {
  has cargo && return
  fail "cargo is missing; install Rust, then open a new shell and try again:
  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
}

components() {
  cargo fmt --version > /dev/null 2>&1 && cargo clippy --version > /dev/null 2>&1 && return
  has rustup || fail "rustfmt or clippy is missing; install them with your Rust toolchain"
  rustup --quiet component add rustfmt clippy || fail "rustup cannot add rustfmt and clippy"
}

# Made anew when the requirements or the interpreter change; the stamp is written last.
python_clients() {
  local wanted venv=$cache/venv
  wanted=$(python3 --version && cat "$here"/python-*.txt | sha256sum)
  [ "$(cat "$venv/stamp" 2> /dev/null)" != "$wanted" ] || return 0
  echo "setup: installing the Python clients into $venv" >&2
  rm -rf "$venv"
  python3 -m venv "$venv" || fail "cannot make a Python environment in $venv"
  "$venv/bin/python" -m pip --quiet --disable-pip-version-check install \
    --requirement "$here/python-requirements.txt" || fail "pip cannot install the Python clients"
  "$venv/bin/python" -m pip --quiet --disable-pip-version-check install --no-deps \
    --target "$venv/superset" --requirement "$here/python-superset.txt" \
    || fail "pip cannot install the Python client of Superset"
  echo "$wanted" > "$venv/stamp"
}

# The drivers that the Java tests load, through Maven so that its mirrors and proxies hold.
jdbc_drivers() {
  local sums=$here/jars.sha256 jars=$cache/jars work coordinates
  (cd "$jars" 2> /dev/null && sha256sum --quiet --check "$sums" > /dev/null 2>&1) && return
  echo "setup: fetching the JDBC drivers into $jars" >&2
  work=$(mktemp -d "$cache/jars.XXXXXX")
  while read -r coordinates; do
    mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
      -Dartifact="$coordinates" -DoutputDirectory="$work" >&2 \
      || { rm -rf "$work"; fail "cannot fetch $coordinates from Maven Central"; }
  done < <(sed -n 's/^# maven: //p' "$sums")
  (cd "$work" && sha256sum --quiet --check "$sums" >&2) \
    || { rm -rf "$work"; fail "a driver from Maven Central is not the one that .ci/jars.sha256 names"; }
  rm -rf "$jars"
  mv "$work" "$jars"
}

# From 1.21 on Go fetches the toolchain that a module asks for.
go_is_new_enough() {
  local minor
  has go || return 1
  minor=$(go env GOVERSION | sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ "${minor:-0}" -ge 21 ]
}

# The Go client is compiled here, so that its modules are fetched before a test waits for them. Most
# distributions' Go is too old and Go is large, so that its absence is said and not mended.
go_client() {
  if ! go_is_new_enough; then
    echo "setup: no Go from 1.21 on, so the test of the Go client will be skipped" >&2
    return 0
  fi
  (cd "$here/../flight-server/tests/go" && go build -o "$cache/go-client" .) \
    || fail "cannot build the Go client"
}

mkdir -p "$cache"
case ${1:-} in
  build)
    install missing_for_build
    cargo_present
    ;;
  test)
    install missing_for_test
    java_is_new_enough || fail "the tests need Java 17 or newer; 'java -version' says otherwise"
    components
    "$here/kafka.sh" fetch
    jdbc_drivers
    go_client
    python_clients
    ;;
  *)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
