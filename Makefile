# Every target sets up what it needs in .venv; nothing else on the machine is touched.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

THRIFT := .thrift

.PHONY: help setup demo test test-backends test-prometheus test-thrift lint bench bench-peers soak gameday lock clean

help:  ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

setup: $(READY)  ## make .venv with the locked versions and the tracer-proxy command

$(READY): pyproject.toml requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tracer-proxy needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	@echo "setting up $(VENV) (once; about a minute) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)  ## the whole loop, offline: two agent versions, a canary split, a mock LLM
	@$(BIN)/tracer-proxy demo

test: lint  ## linters, types, import rules and all tests
	@$(BIN)/pytest

test-prometheus: $(READY)  ## install a Prometheus server (apt as root), and let it scrape the proxy
	@command -v promtool > /dev/null || apt-get install -y -q --no-install-recommends prometheus
	@$(BIN)/pytest tests/system/test_prometheus.py

test-thrift: $(THRIFT)/.ready  ## the extra jaeger-thrift, in an environment of its own
	@$(THRIFT)/bin/pytest -n 0 tests/control/test_export_thrift.py

$(THRIFT)/.ready: pyproject.toml requirements/dev.lock
	@$(PYTHON) -m venv $(THRIFT)
	@$(THRIFT)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.lock
	@$(THRIFT)/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --editable '.[jaeger-thrift]'
	@touch $@
test-backends: $(READY)  ## agents traced into Phoenix and MLflow, each in its own environment (once about 2 GB)
	@PYTHONPATH=tests:tests/system $(BIN)/python -m backends

lint: $(READY)  ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(READY)  ## compare with other proxies on this machine: cost, latency, streams, growth, memory
	@$(BIN)/python -m bench

bench-peers:  ## install the proxies that bench compares with (apt as root; the others into .bench)
	apt-get install -y -q nginx-light haproxy caddy wrk
	$(PYTHON) -m venv .bench/mitmproxy && .bench/mitmproxy/bin/python -m pip install --quiet mitmproxy
	$(PYTHON) -m venv .bench/litellm && .bench/litellm/bin/python -m pip install --quiet 'litellm[proxy]'
	npm install --silent --prefix .bench/portkey @portkey-ai/gateway

soak: $(READY)  ## ten minutes of mixed load with injected faults, then reloads under load
	@$(BIN)/python -m soak mixed --minutes 10
	@$(BIN)/python -m soak reloads

gameday: $(READY)  ## good and bad canaries under load, and what becomes of them; then 400 simulated ones
	@$(BIN)/python -m gameday

lock: $(READY)  ## refresh requirements/dev.lock from the ranges in pyproject.toml
	@$(BIN)/python -m pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --strip-extras --no-emit-options --no-header --extra dev \
		--output-file requirements/dev.lock pyproject.toml

clean:  ## remove .venv and the caches
	rm -rf $(VENV) $(THRIFT) .bench .backends .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
