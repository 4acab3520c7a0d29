# Two commands: `make serve` runs the main job, `make test` the tests. Both set themselves up in .venv.
PYTHON ?= python3.11
BIN := .venv/bin
UV_VERSION := 0.13.8
# Quiet, and nothing is written outside the checkout but the installer's download cache.
INSTALLED := .venv/.installed
TORCH := .venv-torch
FEAST := .venv-feast
AIRFLOW := .venv-airflow

.DEFAULT_GOAL := help
.PHONY: help install serve down test test-unit test-torch test-integration test-emulation test-feast test-airflow check format bench bench-cost bench-shedding bench-batch bench-soak bench-monitor bench-train bench-distributed bench-paths bench-stream lock manifests clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

install: $(INSTALLED) ## Virtual environment with the pinned dependencies; nothing outside the checkout

$(INSTALLED): requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "raygate needs Python 3.11: no '$(PYTHON)' on PATH (set PYTHON=...)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode --python $(BIN)/python requirements-dev.lock
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

test-torch: $(TORCH)/.installed ## The tests of the network family, in an environment of their own with PyTorch
	$(TORCH)/bin/pytest tests/torch

# By pip, so that this machine's settings decide where PyTorch comes from: a CPU build, or gigabytes of CUDA.
$(TORCH)/.installed: $(INSTALLED) requirements-torch.lock
	@test -x $(TORCH)/bin/python || $(PYTHON) -m venv $(TORCH)
	$(BIN)/uv pip install --quiet --python $(TORCH)/bin/python --requirement requirements-dev.lock
	$(TORCH)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-torch.lock
	$(BIN)/uv pip install --quiet --python $(TORCH)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

test-integration: install ## The tests on one local Ray
	$(BIN)/pytest tests/integration

test-emulation: install ## The rendered RayService on emulated pods that fail; root and Linux only (8 to 12 minutes)
	$(BIN)/pytest tests/emulation -rP

test-feast: $(FEAST)/.installed ## The tests of the feature store, in an environment of their own
	$(FEAST)/bin/python -m pytest tests/feast

$(FEAST)/.installed: $(INSTALLED) requirements-feast.lock
	@test -x $(FEAST)/bin/python || $(PYTHON) -m venv $(FEAST)
	$(BIN)/uv pip sync --quiet --python $(FEAST)/bin/python requirements-feast.lock
	@touch $@

test-airflow: $(AIRFLOW)/.installed ## The Airflow DAG in a real Airflow, in an environment of its own
	$(AIRFLOW)/bin/python -m pytest tests/airflow

$(AIRFLOW)/.installed: $(INSTALLED) requirements-airflow.lock
	@test -x $(AIRFLOW)/bin/python || $(PYTHON) -m venv $(AIRFLOW)
	$(BIN)/uv pip sync --quiet --python $(AIRFLOW)/bin/python requirements-airflow.lock
	@touch $@

check: install ## Format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## Reformat and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: install ## Raygate beside plain FastAPI servers, into docs/benchmarks.md (12 minutes)
	$(BIN)/python tests/performance/bench.py

bench-cost: install ## CPU time of authentication and prediction log (10 minutes)
	$(BIN)/python tests/performance/bench_cost.py

bench-shedding: install ## Answers and refusals at 1, 2 and 4 times a pool's capacity (2 minutes)
	$(BIN)/python tests/performance/bench_shedding.py

bench-batch: install ## Batch scoring beside two loops written by hand, and its memory (4 minutes)
	$(BIN)/raygate train examples/credit-risk/training.yaml
	$(BIN)/python tests/performance/bench_batch.py

bench-soak: install ## Memory while half of capacity is asked (12 minutes)
	$(BIN)/python tests/performance/bench_soak.py

bench-monitor: install ## CPU time of counting, adding up and judging what callers sent (20 seconds)
	$(BIN)/python tests/performance/bench_monitor.py

bench-train: install ## A search on 2 cores beside the same fits in a plain loop (8 minutes)
	$(BIN)/python tests/performance/bench_train.py

bench-distributed: install ## Memory of distributed training on 10 times a worker's budget (10 minutes)
	$(BIN)/python tests/performance/bench_distributed.py

bench-paths: $(TORCH)/.installed ## Which families and features are served compiled, and one row's time, into docs/training.md (5 minutes)
	$(TORCH)/bin/python tests/performance/bench_paths.py

bench-stream: install ## Records of a Kafka topic through the whole stack, beside HTTP (4 minutes)
	$(BIN)/python tests/performance/bench_stream.py

lock: install ## Pin the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --no-header --upgrade --generate-hashes --python-version 3.11 pyproject.toml --extra dev -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --no-header --upgrade --generate-hashes --python-version 3.11 pyproject.toml -c requirements-dev.lock -o requirements.lock
	$(BIN)/uv pip compile --quiet --no-header --upgrade --python-version 3.11 pyproject.toml --extra torch -c requirements-dev.lock --torch-backend cpu -o requirements-torch.lock
	sed -i 's/+cpu$$//' requirements-torch.lock # any build of that release, as the machine has it
	$(BIN)/uv pip compile --quiet --no-header --upgrade --python-version 3.11 pyproject.toml --extra feast --extra delta --group test-feast -o requirements-feast.lock
	$(BIN)/uv pip compile --quiet --no-header --upgrade --python-version 3.11 --group test-airflow -o requirements-airflow.lock

# REPOSITORY_URL: where people read this repository in a browser; the runbooks of alerts are below it.
manifests: install ## Write anew what is made from code: the CRD of ModelEndpoint, the alert rules
	$(BIN)/raygate crd > k8s/cluster/modelendpoint.customresourcedefinition.yaml
	$(BIN)/python -m monitoring.prometheus_rule $(if $(REPOSITORY_URL),--repository-url $(REPOSITORY_URL)) > k8s/components/monitoring/raygate.prometheusrule.yaml

clean: ## Remove what was built, trained and logged
	rm -rf .venv .venv-torch .venv-feast .venv-airflow .raygate .mypy_cache .ruff_cache .pytest_cache .hypothesis
