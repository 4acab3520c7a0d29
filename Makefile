# Two commands: `make serve` runs the main job, `make test` the tests. Both set themselves up in .venv.
PYTHON ?= python3.11
BIN := .venv/bin
UV_VERSION := 0.13.8
# Quiet, and nothing is written outside the checkout but the installer's download cache.
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install serve down test test-unit test-integration check format lock bench clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: $(INSTALLED) ## Virtual environment with the pinned dependencies; nothing outside the checkout

$(INSTALLED): requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "raygate needs Python 3.11: no '$(PYTHON)' on PATH (set PYTHON=...)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements-dev.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

serve: install ## Train two versions of a credit-risk model and serve them behind a 90/10 canary
	$(BIN)/raygate up -f examples/credit-risk/endpoint.yaml --train examples/credit-risk/training.yaml

down: install ## Stop what `raygate up --detach` left running
	$(BIN)/raygate down

test: install ## Every test
	$(BIN)/pytest

test-unit: install ## The tests that start nothing
	$(BIN)/pytest tests/unit

test-integration: install ## The tests on one local Ray
	$(BIN)/pytest tests/integration

check: install ## Format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## Reformat and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## Raygate beside a plain FastAPI server, into docs/benchmarks.md
	$(BIN)/python tests/performance/bench.py

lock: install ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --no-header --upgrade --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --no-header --upgrade --python-version 3.11 pyproject.toml --extra dev -c requirements.lock -o requirements-dev.lock

clean: ## Remove what was built, trained and logged
	rm -rf .venv .raygate .mypy_cache .ruff_cache .pytest_cache .hypothesis
