PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo setup test test-all check format wheel-test bench mutants clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: setup ## Set up what is needed and compute a first pre-image
	$(BIN)/visprior size=160

setup: $(READY) ## Create .venv with the tested versions

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "visprior needs Python 3.11 or newer: make PYTHON=python3.12 $@")'
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'; \
	fi
	@touch $@

test: setup ## Run the test suite (a few minutes on two cores)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m 'not slow'

test-all: setup ## Run the slow tests too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

check: setup ## Lint, formatting, types, and that imports go one way
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --level error
	$(BIN)/python -m pytest tests/test_imports.py

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel-test: setup ## Build the wheel, install it in a fresh environment, run it from another folder
	sh scripts/wheel_test.sh $(BIN)/python

bench: setup ## Measure the loop against a bare PyTorch loop
	$(BIN)/python scripts/bench_loop.py

mutants: setup ## Change the source in 200 places: do the tests notice? (an hour)
	$(BIN)/python scripts/mutants.py

clean: ## Remove what was built (results in outputs/ stay)
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
