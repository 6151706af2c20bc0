# Two commands do everything on a fresh Debian or Ubuntu machine with Rust: `make demo`, `make test`.
# What they build and download stays outside the tree, so that a second clone finds it ready.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export SLUICE_CACHE ?= $(HOME)/.cache/sluice
export CARGO_TARGET_DIR ?= $(SLUICE_CACHE)/target
export SLUICE_BIN := $(CARGO_TARGET_DIR)/debug/sluice
export SLUICE_PYTHON := $(SLUICE_CACHE)/venv/bin/python
export SLUICE_JARS := $(SLUICE_CACHE)/jars
export SLUICE_GO_CLIENT := $(SLUICE_CACHE)/go-client

DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=

# Modules declared by a macro are invisible to `cargo fmt`, so rustfmt gets the list of files.
CRATES = engine udfs connectors sql flight-server benches
RUST_FILES = find $(CRATES) -name '*.rs' -print0
PYTEST = $(SLUICE_PYTHON) -m pytest -q -rs --rootdir . -p no:cacheprovider
CLIENTS = flight-server/tests

.PHONY: help setup setup-test build demo test test-rust test-python test-java test-go chaos fuzz \
  lint lint-deps fmt bench bench-peers bench-redact-peers bench-flight-peers accuracy docs clean-kafka

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building needs, if missing
	@.ci/setup.sh build

setup-test: setup ## install what the tests need besides: Java, Maven, Kafka, Python clients
	@.ci/setup.sh test

build: setup ## build the sluice binary
	cargo build --locked --workspace --bins
	@echo "built $(SLUICE_BIN)"

demo: build ## run the main job on generated logs; DEMO_ARGS='--for 30s' ends it by itself
	@$(SLUICE_BIN) demo $(DEMO_ARGS)

test: setup-test lint test-rust test-python test-java test-go ## run every check and test there is

test-rust: setup-test ## run the Rust tests; TEST_ARGS='--test it redact' narrows them
	cargo test --locked --workspace --no-fail-fast $(TEST_ARGS)

test-python: setup-test build ## run the tests that drive the server with Python, psql and ODBC clients
	@$(PYTEST) $(CLIENTS)/python

test-java: setup-test build ## run the tests that drive the server with the JDBC drivers
	@$(PYTEST) $(CLIENTS)/java

test-go: setup-test build ## run the test that drives the server with the Go client, where Go is installed
	@$(PYTEST) $(CLIENTS)/go

chaos: export CHAOS_SECONDS ?= 180
chaos: setup-test ## kill, stop and continue ingesting processes for CHAOS_SECONDS (180); CHAOS_SEED repeats a run
	cargo test --locked --workspace --test it -- --nocapture processes_killed_stopped

fuzz: export FUZZ_SECONDS ?= 600
fuzz: setup ## feed the decoders and the functions mutated texts for FUZZ_SECONDS (600) each; FUZZ_SEED
	cargo test --locked --workspace --test it -- --nocapture fuzz::

accuracy: export ACCURACY_POSITIVES ?= 5000
accuracy: setup ## print precision and recall of redaction for ACCURACY_POSITIVES (5000) values of each category; ACCURACY_SEED
	cargo test --locked --workspace --test it -- --nocapture accuracy::values_of

lint: setup-test ## check formatting and run clippy, warnings being errors
	$(RUST_FILES) | xargs -0 rustfmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

lint-deps: setup ## check licences, sources and double versions; installs cargo-deny, which takes long
	@command -v cargo-deny > /dev/null || cargo install --locked cargo-deny
	cargo deny --locked check bans licenses sources

fmt: setup-test ## format every Rust file
	$(RUST_FILES) | xargs -0 rustfmt

bench: setup-test ## run the benches against a real Kafka; BENCH_ARGS='--bench drain' narrows them
	@export KAFKA_DIR=$(SLUICE_CACHE)/kafka/bench; \
	  .ci/kafka.sh wipe; trap '.ci/kafka.sh wipe' EXIT; \
	  started=$$(.ci/kafka.sh start); export SLUICE_KAFKA=$${started#kafka=}; \
	  cargo bench --locked --workspace $(or $(BENCH_ARGS),--bench '*')

bench-peers: setup-test ## drain one topic with Sluice and with PySpark and print the ratios; EVENTS=4000000
	@benches/peers/run.sh

bench-redact-peers: setup-test ## redact the same lines with Sluice, DataFusion, DuckDB and Presidio; PRESIDIO_LINES=2000
	@benches/peers/redact.sh

bench-flight-peers: setup-test ## read the same Parquet through Sluice, ROAPI, DuckDB and pyarrow's server; ROWS=2000000
	@benches/peers/flight.sh

docs: setup ## build the API documentation; a broken link is an error
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps

clean-kafka: ## end the brokers that tests or benches left behind, and remove their data
	@for dir in $(SLUICE_CACHE)/kafka/*/; do \
	  [ ! -d "$$dir" ] || KAFKA_DIR=$$dir .ci/kafka.sh wipe; \
	done
