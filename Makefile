# Every target is a few commands that can also be typed; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo ui test unit lint format types check bench study fixtures constraints clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_HOME ?= var/demo
DEMO_DAYS ?= 30
DEMO_LABELS ?= 4000
DEMO_PREDICTIONS ?= 16000
DEMO_SEED ?= 20261119

help: ## Show this list
	@grep -hE '^[a-z]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13)))' || \
		{ echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13: call make with PYTHON=python3.12, say."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot make virtual environments: install its venv package (python3-venv on Debian)."; exit 2; }
	@echo "Installing pinned packages into $(VENV) (once, about two minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ui,dev]'
	@touch $@

setup: $(STAMP) ## Create .venv with the pinned packages

demo: $(STAMP) ## Simulate 30 days of a moderation operation and run the pipeline over them
	@test -f $(DEMO_HOME)/truth.json || $(BIN)/qa-pipeline simulate --home $(DEMO_HOME) --days $(DEMO_DAYS) \
		--seed $(DEMO_SEED) --labels-per-day $(DEMO_LABELS) --predictions-per-day $(DEMO_PREDICTIONS)
	@$(BIN)/qa-pipeline run --home $(DEMO_HOME)

ui: $(STAMP) ## Open the Dagster UI and daemon on the demo's home (http://127.0.0.1:3000)
	@$(BIN)/qa-pipeline ui --home $(DEMO_HOME)

test: lint types unit ## Everything CI runs: lint, types and all tests

unit: $(STAMP) ## All tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(STAMP) ## Check style of Python and SQL
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/sqlfluff lint --processes 0 --disable-progress-bar sql

format: $(STAMP) ## Rewrite Python to the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(STAMP) ## Check types
	@$(BIN)/mypy

check: lint types ## Lint and types, without the tests

bench: $(STAMP) ## Time a night and agreement against their floors (about fifteen minutes)
	@$(BIN)/python -m benchmarks.night
	@$(BIN)/python -m benchmarks.agreement

study: $(STAMP) ## Simulate how often intervals hold and charts alarm; writes docs/*coverage.md (about half an hour)
	@$(BIN)/python -m benchmarks.coverage
	@$(BIN)/python -m benchmarks.defect_coverage
	@$(BIN)/python -m benchmarks.quiet_nights

fixtures: $(STAMP) ## Ask irrCAC anew for the answers that tests compare with (it gets an environment of its own)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv run --quiet --no-project --script benchmarks/irrcac_fixtures.py

constraints: $(STAMP) ## Compile constraints.txt anew from pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --no-header --no-annotate \
		--upgrade --quiet --output-file constraints.txt

clean: ## Remove the demo's home and caches (not .venv)
	@rm -rf $(DEMO_HOME) .pytest_cache .mypy_cache .ruff_cache .hypothesis
