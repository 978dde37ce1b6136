# Everything needs only make and Python 3.11 or later; the rest is installed into .venv from the lock files, by hash.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
DOCS_STAMP := $(VENV)/.installed-docs
UV_ON_PATH := $(shell command -v uv 2>/dev/null)
UV := $(or $(UV_ON_PATH),$(BIN)/uv)
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url -c requirements/constraints.in
SOURCES := shared services cli

.PHONY: help setup up test check bench chaos docs fmt lock clean

help:
	@echo "make up       start Shoal on this machine"
	@echo "make check    format, lint, types, import contracts, unit tests (under a minute)"
	@echo "make test     all tests, on real servers"
	@echo "make bench    measure"
	@echo "make chaos    kill everything for ten minutes, and count what became of the work (CHAOS=\"--seed 7\")"
	@echo "make docs     the documentation as a site, in site/"
	@echo "make fmt      put the code into its form"
	@echo "make lock     resolve the dependencies anew"

setup: $(STAMP)
	@:

up: $(STAMP)
	@exec $(BIN)/shoal up

test: $(DOCS_STAMP)
	$(BIN)/pytest

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest tests/unit

bench: $(BENCH_STAMP)
	$(BIN)/python -m bench

chaos: $(STAMP)
	$(BIN)/python -m chaos $(CHAOS)

docs: $(DOCS_STAMP)
	$(BIN)/python -m docsite

fmt: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(STAMP)
	$(COMPILE) pyproject.toml -o requirements/run.lock
	$(COMPILE) pyproject.toml --extra embedded --group dev -o requirements/dev.lock
	$(COMPILE) --group bench -c requirements/dev.lock -o requirements/bench.lock
	$(COMPILE) --group docs -c requirements/dev.lock -o requirements/docs.lock
	$(COMPILE) requirements/uv.in -o requirements/uv.lock

clean:
	rm -rf $(VENV) site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Shoal needs Python 3.11 or later; name one: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "Python's venv module is missing; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/uv: requirements/uv.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.lock
	@touch $@

$(STAMP): pyproject.toml requirements/dev.lock $(if $(UV_ON_PATH),,$(BIN)/uv) | $(BIN)/python
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements/dev.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@rm -f $(BENCH_STAMP) $(DOCS_STAMP)
	@touch $@

$(BENCH_STAMP): requirements/bench.lock $(STAMP)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements/bench.lock
	@touch $@

$(DOCS_STAMP): requirements/docs.lock $(STAMP)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements/docs.lock
	@touch $@
