# `make demo` and `make test` set up what they need; nothing else has to be installed but Python 3.11+, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONHASHSEED := 0
RECORD := metrics plots docs data dvc.lock
# As they were typed, `$`, spaces and all: make's own functions would split and expand them.
export CSV_AS_TYPED := $(value CSV)
export FERPLUS_AS_TYPED := $(value FERPLUS)
export TYPED_IN := $(PWD)
# make would expand them for the commands' environment: `$(shell ...)` in a file's name would run.
unexport CSV FERPLUS

.PHONY: help demo fer2013 record bench test test-full lint clean

help:
	@echo "make demo                the whole pipeline on synthetic faces (minutes), then its results"
	@echo "make fer2013 CSV=path    the pipeline on the real data (FERPLUS=path: with FER+'s votes)"
	@echo "make record              every number and picture again, from the predictions in git (minutes)"
	@echo "make bench               what is measured against what, into benchmarks/RESULTS.md; ONLY=ingest: one part"
	@echo "make test                lint, types and tests (10 minutes at most)"
	@echo "make test-full           the slow tests too; with data/normalised.h5 those on the real data too"

$(BIN)/.runtime: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(BIN)/.development: $(BIN)/.runtime requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: $(BIN)/.runtime
	cd demo && dvc repro && python -m fer results

# `normalise` first: what is wrong with the file is said without a list of all that it stops.
fer2013: $(BIN)/.runtime
	@test -z "$$CSV_AS_TYPED" -a -e data/source || python -m fer source --from "$$TYPED_IN" -- "$$CSV_AS_TYPED" $${FERPLUS_AS_TYPED:+"$$FERPLUS_AS_TYPED"}
	dvc repro normalise
	dvc repro --keep-going
	@python -m fer results

record: $(BIN)/.runtime
	dvc repro --force --single-item --allow-missing validate evaluate agreement ensemble ablation_effect report
	@git diff --quiet -- $(RECORD) && echo "Not a byte of $(RECORD) has changed." || git --no-pager diff --stat -- $(RECORD)
	@python -m fer results

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
	rm -rf $(VENV) .checkpoints .features demo/.checkpoints demo/.features .mypy_cache .ruff_cache .pytest_cache .hypothesis
