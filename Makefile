# Every target sets itself up; a fresh clone and Python 3.11 or newer are enough for `make demo`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick conformance lint format generate bench evaluation docs parts clean

help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

# The user's set-up: what the product itself needs.
$(VENV)/user: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; run: make PYTHON=python3.12 ...")'
	@echo "setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

# The developer's set-up: and what the tests and checks need.
$(VENV)/dev: $(VENV)/user
	@echo "setting up $(VENV) for development ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(VENV)/user ## Watch a CompositeScaler hold a flash crowd (two minutes, nothing but Python)
	@$(BIN)/compositescaler demo $(ARGS)

parts: $(VENV)/dev ## Find or build the real control plane and Prometheus for the tests
	@$(BIN)/python -m tests.realparts.build

test: parts ## All tests, on real parts where they can be had (ARGS="-k word" for some)
	@$(BIN)/python -m pytest $(ARGS)

test-quick: $(VENV)/dev ## Unit and property tests only
	@$(BIN)/python -m pytest tests/unit tests/property $(ARGS)

conformance: $(VENV)/dev ## HPA's own tables against our code (HPA_CASES=DIR for another folder of them)
	@$(BIN)/python -m tests.conformance $(if $(HPA_CASES),"$(HPA_CASES)")

lint: $(VENV)/dev ## Style, types, layers, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m controller.api.crd --check crds/compositescalers.yaml
	@$(BIN)/python docs/generate.py --check

format: $(VENV)/dev ## Put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

generate: $(VENV)/dev ## Write the generated files anew
	@$(BIN)/python -m controller.api.crd > crds/compositescalers.yaml
	@$(BIN)/python docs/generate.py

docs: generate ## The reference in docs/, from the models

evaluation: $(VENV)/dev ## Every policy on every trace: docs/evaluation.md (TRACES=DIR for those that may not be copied)
	@$(BIN)/python -m benchmarks.evaluation $(if $(TRACES),--traces "$(TRACES)") $(ARGS)

bench: $(VENV)/dev ## Speed and memory: CPU seconds, ratios, this machine
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.engine

clean: ## Remove what the targets made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
