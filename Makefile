# livepulse: each target sets up what it needs and says what it does.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
KAFKA := $(PYTHON) deploy/kafka-local/kafka.py
SCREEN := agents/screen
VENDOR := $(SCREEN)/static/vendor/uPlot.iife.min.js
UV := build/tools/bin/uv
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help venv screen-assets no-npm demo test test-long check bench chaos kafka kafka-stop schemas lock clean

help: ## list the targets; ARGS="..." goes on to the command behind a target
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

venv: $(INSTALLED) ## install .venv from the lock, when the lock or pyproject.toml changed
	@echo "venv: .venv is ready"

$(INSTALLED): requirements-dev.lock pyproject.toml
	@echo "venv: installing what requirements-dev.lock names into .venv (about a minute)"
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("livepulse needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

screen-assets: $(if $(shell command -v npm),$(VENDOR),no-npm) ## fetch the host screen's chart library and font (needs npm)

no-npm:
	@test -e $(VENDOR) || echo "screen-assets: no npm here, so the host screen has no charts: install Node.js 20 or newer"

$(VENDOR): $(SCREEN)/package-lock.json $(SCREEN)/vendor.mjs
	cd $(SCREEN) && npm ci --silent && npm run --silent vendor
	@touch $@

demo: $(INSTALLED) screen-assets ## a whole live-commerce session on this machine; ARGS="--seconds 30 --json"
	$(BIN)/livepulse demo $(ARGS)

test: $(INSTALLED) screen-assets ## the whole suite, fast tests first; ARGS="tests/streams -x"
	$(BIN)/pytest $(ARGS)

test-long: $(INSTALLED) screen-assets ## what takes minutes: game day, 1,000 sessions and stalls on a real Kafka, an open page
	$(BIN)/pytest -m long $(ARGS)

check: $(INSTALLED) ## style, types, layers, and contracts against the published ones
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy deploy/kafka-local/kafka.py
	$(BIN)/lint-imports
	$(BIN)/livepulse schemas check

bench: $(INSTALLED) ## measure events per second; ARGS=--json
	$(BIN)/python -m tests.bench $(ARGS)

chaos: $(INSTALLED) ## every fault on a cluster of three brokers; ARGS="--runs 2 --only zombie --json"
	$(BIN)/python -m tests.chaos $(ARGS)

kafka: ## start a real Kafka on 127.0.0.1:9092 (needs Java 17 and Maven); ARGS="--port 9192"
	$(KAFKA) start $(ARGS)

kafka-stop: ## stop it; its data stays until make clean
	$(KAFKA) stop

schemas: $(INSTALLED) ## write the published contract (schemas export)
	$(BIN)/livepulse schemas export

lock: $(UV) ## resolve the locks anew; ARGS=--upgrade takes newer versions
	@# The image can do all that is documented: it has the extras.
	$(COMPILE) pyproject.toml --all-extras --output-file requirements.lock
	@# The dev lock also holds what an editable install without build isolation needs.
	printf 'hatchling>=1.27\neditables\n' | $(COMPILE) pyproject.toml - --group dev \
		--constraints requirements.lock --output-file requirements-dev.lock

$(UV):
	@echo "lock: installing uv into build/tools"
	@$(PYTHON) -m venv build/tools
	@build/tools/bin/python -m pip --quiet --disable-pip-version-check install 'uv>=0.13'

clean: kafka-stop ## stop Kafka and remove .venv, what was built, fetched or cached, and Kafka's data
	rm -rf .venv build dist .*_cache .hypothesis deploy/kafka-local/run deploy/kafka-local/target
