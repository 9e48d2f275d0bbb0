# `make repro` and `make test` set up what they need; nothing else has to be installed but Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONHASHSEED := 0

.PHONY: help repro fer2013 zoo bench test test-full lint check-format clean

help:
	@echo "make repro               the whole graph on the drawn dataset, then the results table"
	@echo "make fer2013 CSV=path    the same on the real data (without CSV: from Kaggle)"
	@echo "make zoo                 every system, those not yet run too, for an epoch on the drawn faces (20 minutes at most)"
	@echo "make bench               what is measured against what, into benchmarks/RESULTS.md; ONLY=ingest: one part"
	@echo "make test                lint, types and tests (10 minutes at most)"
	@echo "make test-full           the slow tests too; FER2013_CSV=path adds those on the real data"

$(BIN)/.runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(BIN)/.development: $(BIN)/.runtime requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

repro: $(BIN)/.runtime
	dvc repro
	@python -m fer results

fer2013: $(BIN)/.runtime
	@python -m fer dataset fer2013
	$(if $(CSV),FER2013_CSV="$(abspath $(CSV))") dvc repro
	@python -m fer results

zoo: $(BIN)/.runtime
	@python -m fer dataset synthetic
	dvc repro normalise@synthetic
	python -m fer zoo

$(BIN)/.bench: $(BIN)/.runtime benchmarks/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

bench: $(BIN)/.bench
	python -m benchmarks $(if $(ONLY),--only $(ONLY))

lint: $(BIN)/.development
	ruff format --check .
	ruff check .
	mypy

test: lint
	python -m pytest -n auto --dist loadfile --no-loadscope-reorder -m "not full"

test-full: lint
	python -m pytest -n auto --dist loadfile --no-loadscope-reorder

clean:
	rm -rf $(VENV) .checkpoints .features .mypy_cache .ruff_cache .pytest_cache .hypothesis
