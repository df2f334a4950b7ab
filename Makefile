# The only front door: every word works on a fresh clone, because each one sets up .venv by itself.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all check lint types imports orphans fmt docs size clean
MAKEFLAGS += --no-print-directory

VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# The first one found; say `make setup PYTHON=...` for another (3.11 or later).
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name) 2>/dev/null)))
# A process per core, each with runs of neighbouring tests, which share what they set up; none idles while another has tests left.
SPREAD := -n auto --maxprocesses 8 --dist worksteal

help:  ## show these words
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1@/' | while IFS=@ read -r word text; do \
		printf '  make %-9s %s\n' "$$word" "$$text"; done

setup: $(READY)  ## install everything into .venv (the other words do it when needed)

# PyTorch goes first, alone: what is installed after it must take the build that is there, not bring its own.
# Without build isolation a .venv that is already complete needs no network.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "offramp needs Python 3.11 or later on the PATH; none was found." >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
			echo "offramp needs Python 3.11 or later; $(PYTHON) is older. Say make PYTHON=python3.12 ..." >&2; exit 1; }; \
		echo "setting up $(VENV): some minutes the first time" >&2; \
		"$(PYTHON)" -m venv --clear $(VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[all,dev]'
	@touch $(READY)

demo: $(READY)  ## train a small network, make it faster, show what was promised
	@$(BIN)/offramp demo

test: $(READY)  ## the tests that run anywhere, in minutes
	@$(BIN)/pytest -q $(SPREAD)

test-all: $(READY)  ## also the slow tests and those that need special hardware (they skip without it)
	@$(BIN)/pytest -q $(SPREAD) -m ""

check: lint types imports orphans  ## what a change must pass besides the tests

lint: $(READY)  ## ruff
	@$(BIN)/ruff check --quiet && $(BIN)/ruff format --check --quiet && echo "ruff: clean"

types: $(READY)  ## mypy, strict
	@$(BIN)/mypy

imports: $(READY)  ## the floors: who may import whom
	@$(BIN)/lint-imports --no-cache --no-logo

orphans: $(READY)  ## every module has its test file, every test file its module
	@$(BIN)/pytest -q -p no:cacheprovider tests/test_house.py -k mirror

fmt: $(READY)  ## sort imports, repair what ruff can repair, format
	@$(BIN)/ruff check --fix --quiet; $(BIN)/ruff format --quiet

docs: $(READY)  ## check the pages: links lead somewhere, examples give what they show
	@$(BIN)/pytest -q tests/test_docs.py

size: $(READY)  ## code lines per floor, and how many functions say what they return
	@$(BIN)/python tools/size.py && $(BIN)/python tools/docstrings.py

clean:  ## remove caches and results, keep .venv
	@rm -rf out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
