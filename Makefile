# Every target sets up what it needs: a fresh clone, Python 3.11+ and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto
DIRS := gpu_admission tests bench release
# The tests start hundreds of programs: without bytecode each compiles all of the code again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test check fix docs bench e2e image dist vulnerabilities lock newest clean

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# What is installed: the versions of requirements/*.txt, each file checked by its hash. `make LOCKED= ...` takes the
# newest that pyproject.toml allows instead.
LOCKED ?= yes
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
ifneq ($(LOCKED),)
install = $(PIP) --require-hashes -r requirements/build.txt -r requirements/$(1).txt && \
  $(PIP) --no-deps --no-build-isolation --editable .
else
install = $(PIP) --upgrade --upgrade-strategy eager --editable '.[$(1)]'
endif

# The stamps: what is installed depends on these files alone.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gpu-admission needs Python 3.11 or newer; choose one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.webhook: $(VENV)/.created pyproject.toml requirements/build.txt requirements/webhook.txt
	$(call install,webhook)
	@touch $@

$(VENV)/.dev: $(VENV)/.created pyproject.toml requirements/build.txt requirements/dev.txt
	$(call install,dev)
	@touch $@ $(VENV)/.webhook

$(VENV)/.release: $(VENV)/.created requirements/build.txt requirements/release.txt
	$(PIP) --require-hashes -r requirements/build.txt -r requirements/release.txt
	@touch $@

demo: $(VENV)/.webhook ## see it work: the webhook on loopback, then the linter
	@$(BIN)/gpu-admission demo

# The files with slow tests: collecting all others takes as long as many of these tests.
SLOW = $(shell grep -rlE 'mark\.slow' tests --include='test_*.py')

test: check ## everything that must hold, with coverage
	$(BIN)/coverage erase
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --cov --cov-report= -m 'not slow' tests
	@# Those that start servers mostly wait: two at a time. What failed beside a busy neighbour, or on a paused machine,
	@# may try once more alone; what is broken fails twice.
	$(BIN)/pytest -n 2 --dist loadfile -m slow $(SLOW) || \
	  $(BIN)/pytest -n 0 -m slow --last-failed --last-failed-no-failures none $(SLOW)
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
	$(BIN)/python bench/conditions.py
	$(BIN)/python bench/audit.py
	$(BIN)/python bench/inspect_gpus.py

e2e: $(VENV)/.dev ## only the tests against a real API server (KUBEBUILDER_ASSETS names its folder)
	$(BIN)/pytest -m e2e tests/e2e

IMAGE ?=
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' gpu_admission/__init__.py)
image: ## build the image, push it to IMAGE=REGISTRY/NAME, and write its digest into deploy/image
	@test -n '$(IMAGE)' || { echo 'make image IMAGE=REGISTRY/NAME: where is it to be pushed?' >&2; exit 2; }
	docker build --file deploy/Dockerfile --build-arg VERSION='$(VERSION)' --build-arg REVISION="$$(git rev-parse HEAD)" \
	  --tag '$(IMAGE)' .
	docker push '$(IMAGE)'
	$(PYTHON) deploy/image/pin.py "$$(docker image inspect --format '{{join .RepoDigests "\n"}}' '$(IMAGE)')" '$(IMAGE)'

dist: $(VENV)/.release ## wheel, sdist, chart package and SBOM in dist/, the same bytes from the same commit
	$(BIN)/python release/build.py dist

vulnerabilities: $(VENV)/.release ## what is known of the versions in requirements/all.txt (asks the package index)
	$(BIN)/pip-audit --strict --require-hashes --disable-pip -r requirements/all.txt

# One resolution for every Python and platform that pyproject.toml names; the smaller locks agree with the largest.
# Extras stay in the lock: for a pin without them, pip would still look for the newest release of `coverage[toml]`, and
# then refuse it for its missing hash.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
  --no-emit-index-url --no-config --custom-compile-command 'make lock'
lock: $(VENV)/.created ## update requirements/*.txt to the newest releases that pyproject.toml allows
	$(PIP) 'uv>=0.9'
	$(COMPILE) --upgrade --extra dev pyproject.toml -o requirements/dev.txt
	$(COMPILE) --upgrade --constraints requirements/dev.txt --extra all pyproject.toml -o requirements/all.txt
	$(COMPILE) --upgrade --constraints requirements/dev.txt --extra webhook pyproject.toml -o requirements/webhook.txt
	$(COMPILE) --upgrade --constraints requirements/dev.txt --extra release pyproject.toml -o requirements/release.txt
	$(COMPILE) --upgrade --constraints requirements/dev.txt requirements/build.in -o requirements/build.txt

newest: ## the tests once more, with the newest releases of everything (in .venv-newest)
	rm -rf .venv-newest
	$(MAKE) VENV=.venv-newest LOCKED= test

clean: ## forget everything that was built
	rm -rf $(VENV) .venv-newest .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
