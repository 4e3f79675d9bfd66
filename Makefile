# `make` checks everything that takes a minute; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8080
# The first interpreter that is new enough; `make PYTHON=...` takes another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# An -m here replaces the one of pyproject.toml, so it says again what that leaves out.
USUAL := not bench and not slow
DEBIAN_FOR_TESTS := gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
	gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav python3-gi ffmpeg redis-server postgresql chromium \
	iproute2 curl wget mosquitto prometheus

.PHONY: all
all: lint types imports unit ## lint, types, imports and unit

.PHONY: run
run: $(VENV)/.run ## install, then start everything with the demo cameras (HOST=, PORT=)
	exec $(BIN)/maskwatch up --demo --host $(HOST) --port $(PORT)

.PHONY: test
test: debian $(VENV)/.test ## install what the tests need, then run all but the slow ones, a quarter of an hour on two cores
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/integration tests/unit
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "$(USUAL) and not alone" tests/e2e
	$(BIN)/python -m pytest -m "$(USUAL) and alone" tests/e2e

.PHONY: test-slow
test-slow: debian $(VENV)/.test ## what takes minutes more: trainings, and what the images install
	$(BIN)/python -m pytest -m slow --timeout=900

.PHONY: unit
unit: $(VENV)/.test ## the tests without input and output
	$(BIN)/python -m pytest -q tests/unit

.PHONY: train-smoke
train-smoke: $(VENV)/.test ## train, export and measure a small classifier on drawn faces, under a minute
	$(BIN)/python -m pytest -q tests/integration/test_training_run.py \
		-k "leaves_model or report_holds or packed or passes_the_registry"

.PHONY: lint
lint: $(VENV)/.test ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: $(VENV)/.test ## mypy, strict
	$(BIN)/mypy

.PHONY: imports
imports: $(VENV)/.test ## the import contract
	$(BIN)/lint-imports

.PHONY: format
format: $(VENV)/.test ## let ruff rewrite the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Making the environment may install a package too.
.PHONY: debian
debian: | $(BIN)/python ## what some tests need from Debian; only root can install it, others get the line to run
	@missing=""; \
	if ! command -v dpkg-query >/dev/null; then echo "no Debian packages here: tests that need them skip"; exit 0; fi; \
	for package in $(DEBIAN_FOR_TESTS); do \
		dpkg-query -W -f='$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then \
		echo "tests that need them skip; as root: apt-get install -y --no-install-recommends$$missing"; exit 0; \
	fi; \
	echo "installing$$missing"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq || echo "apt-get update failed; going on with the lists that are here"; \
	apt-get install -y -qq --no-install-recommends $$missing </dev/null >/dev/null || \
		echo "apt-get failed: the tests that need$$missing skip (they fail under MASKWATCH_REQUIRE_ALL=1)"

.PHONY: requirements
requirements: $(VENV)/.test ## pin again what pyproject.toml asks for
	$(PIP) install pip-tools
	for target in run test gpu; do \
		extra=""; if [ "$$target" = test ]; then extra="--extra train --extra ssd --extra postgres requirements/test.in"; fi; \
		if [ "$$target" = gpu ]; then extra="--extra gpu --extra postgres"; fi; \
		$(BIN)/pip-compile --quiet --upgrade --no-header --no-annotate --strip-extras --allow-unsafe --no-emit-options \
			--no-emit-index-url --no-emit-trusted-host -o "requirements/$$target.txt" pyproject.toml $$extra; \
	done

.PHONY: clean
clean: ## remove what was installed and built
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 16

# Debian keeps `venv` in a package of its own.
$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.11 or newer is needed; as root: apt-get install -y python3 python3-venv"; exit 1; fi
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		if [ "$$(id -u)" != 0 ]; then echo "as root: apt-get install -y python3-venv"; exit 1; fi; \
		apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null; \
		$(PYTHON) -m venv $(VENV); }

$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "installing what maskwatch needs into $(VENV): a minute or two"
	$(PIP) install -r requirements/run.txt
	$(PIP) install --no-deps -e .
	touch $@

$(VENV)/.test: requirements/test.txt requirements/run.txt pyproject.toml | $(BIN)/python
	@echo "installing what the tests need into $(VENV), TensorFlow too: some minutes"
	$(PIP) install -r requirements/test.txt
	$(PIP) install --no-deps -e .
	touch $@ $(VENV)/.run
