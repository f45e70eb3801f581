# Every target sets up what it needs: a fresh clone, Python 3.11+ and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto
DIRS := gpu_admission tests bench

.DEFAULT_GOAL := help
.PHONY: help demo test check fix docs bench e2e clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamps: what is installed depends on pyproject.toml alone.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gpu-admission needs Python 3.11 or newer; choose one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.webhook: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[webhook]'
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.webhook

demo: $(VENV)/.webhook ## see it work: the webhook on loopback, then the linter
	@$(BIN)/gpu-admission demo

test: check ## everything that must hold, with coverage
	$(BIN)/coverage erase
	$(BIN)/pytest -n $(WORKERS) --cov --cov-report= -m 'not slow' tests
	@# Those that start servers run by themselves: beside a busy neighbour they would measure the neighbour. What a
	@# paused machine failed may try once more; what is broken fails twice.
	$(BIN)/pytest -n 0 --cov --cov-append --cov-report= -m slow tests || \
	  $(BIN)/pytest -n 0 --cov --cov-append --cov-report= -m slow --last-failed --last-failed-no-failures none tests
	$(BIN)/coverage report --fail-under=90

check: $(VENV)/.dev ## format, lint, types, import contracts, generated files
	$(BIN)/ruff format --check $(DIRS)
	$(BIN)/ruff check $(DIRS)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m gpu_admission.commands.docs --check

fix: $(VENV)/.dev ## format, and repair what ruff can
	$(BIN)/ruff format $(DIRS)
	$(BIN)/ruff check --fix $(DIRS)

docs: $(VENV)/.dev ## write the generated files anew
	$(BIN)/python -m gpu_admission.commands.docs

bench: $(VENV)/.dev ## measure, as ratios within one run (FOLDER=... lints that folder instead)
	$(BIN)/python bench/lint.py $(FOLDER)
	$(BIN)/python bench/decision.py
	$(BIN)/python bench/webhook.py

e2e: $(VENV)/.dev ## only the tests against a real API server (KUBEBUILDER_ASSETS names its folder)
	$(BIN)/pytest -m e2e tests/e2e

clean: ## forget everything that was built
	rm -rf $(VENV) .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
