#!/usr/bin/env bash
# Installs what is missing on a Debian or Ubuntu machine; silent and quick when nothing is.
#
#   setup.sh build    what compiling needs: a C compiler, lld, pkg-config, OpenSSL's headers, cargo
#   setup.sh test     what the tests need besides: rustfmt, clippy, Java 17, Maven, Kafka's jars and
#                     the Python clients of .ci/python-requirements.txt in their own environment
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
  java_is_new_enough || java_package
  has mvn || echo maven
  has openssl || echo openssl
  python3 -c 'import ensurepip, venv' 2> /dev/null || echo python3-venv
}

java_is_new_enough() {
  local version
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p;T;q') || return 1
  [ "${version:-0}" -ge 17 ]
}

java_package() {
  if apt-cache show openjdk-17-jre-headless > /dev/null 2>&1; then
    echo openjdk-17-jre-headless
  else
    echo default-jre-headless
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
  wanted=$(python3 --version && sha256sum < "$here/python-requirements.txt")
  [ "$(cat "$venv/stamp" 2> /dev/null)" != "$wanted" ] || return 0
  echo "setup: installing the Python clients into $venv" >&2
  rm -rf "$venv"
  python3 -m venv "$venv" || fail "cannot make a Python environment in $venv"
  "$venv/bin/python" -m pip --quiet --disable-pip-version-check install \
    --requirement "$here/python-requirements.txt" || fail "pip cannot install the Python clients"
  echo "$wanted" > "$venv/stamp"
}

mkdir -p "$cache"
case ${1:-} in
  build)
    install missing_for_build
    cargo_present
    ;;
  test)
    install missing_for_test
    java_is_new_enough || fail "Kafka needs Java 17 or newer; 'java -version' says otherwise"
    components
    "$here/kafka.sh" fetch
    python_clients
    ;;
  *)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
