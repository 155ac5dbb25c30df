# make run: the app on 127.0.0.1. make class: the same for many at once. make test: lint, types and all tests. make bench: speed, as ratios.
PYTHON ?= python3
PORT ?= 8501
BIN = .venv/bin
# Elsewhere than Linux, PyPI's torch is the CPU build already; on Linux, see the README for TORCH_INDEX.
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check
TORCH = $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),)

.PHONY: run class test bench lint clean

.venv/run: requirements.txt
	$(PYTHON) -m venv .venv
	$(PIP) $(TORCH) "$$(grep '^torch==' requirements.txt)"
	$(PIP) -r requirements.txt
	touch $@

.venv/dev: requirements-dev.txt .venv/run
	$(PIP) -r requirements-dev.txt
	touch $@

run: .venv/run
	@echo "The app answers at http://127.0.0.1:$(PORT)"
	$(BIN)/streamlit run app.py --server.port $(PORT)

class: .venv/run
	CLASS_PORT=$(PORT) $(BIN)/python -m vae_core.classroom

lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile

bench: .venv/dev
	$(BIN)/python -m tests.browser.chromium
	$(BIN)/python -m tests.benchmarks.bench_training
	$(BIN)/python -m tests.benchmarks.bench_runs
	$(BIN)/python -m tests.benchmarks.bench_page
	$(BIN)/python -m tests.benchmarks.bench_stage
	$(BIN)/python -m tests.benchmarks.bench_explain
	$(BIN)/python -m tests.benchmarks.bench_rerun
	$(BIN)/python -m tests.benchmarks.bench_class
	$(BIN)/python -m tests.benchmarks.bench_kills

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
