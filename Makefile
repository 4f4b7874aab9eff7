# The two commands: `make demo` and `make test`. Each sets up what it needs; nothing is done twice.
# Needs make, Python 3.11 or later, and Linux with a Docker-compatible engine (or Debian/Ubuntu, to install one).

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Arguments for pytest, the demo or a benchmark: make test ARGS="-k pool -x"
ARGS ?=
# Commands that talk to the engine are told which one was found; with none this prints why, and make stops.
WITH_ENGINE = DOCKER_HOST="$$($(PYTHON) scripts/engine.py status)" && export DOCKER_HOST &&

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Make .venv and install the project in it, editable, with the dev tools

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "setup: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 setup" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "setup: Python's venv module is missing: apt-get install python3-venv" >&2; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.PHONY: engine
engine: ## Find a container engine; where none answers, install docker.io and start a private one
	@$(PYTHON) scripts/engine.py start

.PHONY: engine-stop
engine-stop: ## End the private engine that `make engine` started (never another one)
	@$(PYTHON) scripts/engine.py stop

.PHONY: sandbox-image
sandbox-image: setup engine ## Build the sandbox image if anything changed (ARGS=--force: with Debian's latest packages)
	@$(WITH_ENGINE) $(BIN)/python -m orchestrator.image build $(if $(filter sandbox-image,$(MAKECMDGOALS)),$(ARGS))

.PHONY: demo
demo: sandbox-image ## Run real skills over a real vault and show what happened
	@$(WITH_ENGINE) $(BIN)/orchestrator demo $(ARGS)

.PHONY: postgresql
postgresql: ## Install PostgreSQL (Debian, Ubuntu) for the tests, which start a server of their own
	@$(PYTHON) scripts/postgresql.py install

.PHONY: test
test: sandbox-image ## Run the whole test suite against the real engine (ARGS="-k pool -x" for pytest)
	@$(PYTHON) scripts/postgresql.py status >/dev/null || test -z "$$CI"
	@$(WITH_ENGINE) $(BIN)/pytest $(ARGS)

.PHONY: lint
lint: setup ## Check style and types: ruff, mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: bench
bench: sandbox-image ## Measure against `docker run` and a bare `python -c` (table and JSON)
	@$(WITH_ENGINE) $(BIN)/python -m tests.bench.run $(ARGS)

.PHONY: bench-peers
bench-peers: sandbox-image ## The same payload under llm-sandbox, bubblewrap and runc
	@$(WITH_ENGINE) $(BIN)/python -m tests.bench.peers $(ARGS)

.PHONY: clean
clean: ## Delete what was made in this directory (not the engine, its images, or any state elsewhere)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
