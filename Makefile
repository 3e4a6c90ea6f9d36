# `make demo` and `make test` start from nothing: they need make and a Python of 3.11 or newer, no more.

PYTHON ?= python3
VENV   ?= .venv
SAMPLE ?= build/demo/reviews.parquet
DEMO ?= build/demo/nights
WORKERS ?= 2

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
PINS  ?= -c constraints.txt
PIP   := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PINS)

# uv installs in a fraction of pip's time: the one that is at hand, else one from the index. It reads no settings of
# pip's, so what names packages there is handed on; where uv cannot install, pip does. As pip does, it compiles what it
# installs: where bytecode is not written, every process of the suite would compile torch for itself.
UV      := $(or $(shell command -v uv),$(BIN)/uv)
INSTALL = install() { { [ -x $(UV) ] && UV_FIND_LINKS="$${UV_FIND_LINKS-$${PIP_FIND_LINKS-}}" \
  $(UV) pip install --quiet --compile-bytecode --python $(BIN)/python $(PINS) "$$@"; } || $(PIP) "$$@"; }; install

# What an editable install is made from: changed kernels have to be compiled again.
BUILT_FROM := pyproject.toml hatch_build.py drugmon/models/kernels/amx.c

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-quick test-newest check lint format bench clean

help:  ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(STAMP)-run  ## install, score a sample and show its verdicts, make a month of reports
	@mkdir -p $(dir $(SAMPLE))
	$(BIN)/drugmon sample $(SAMPLE)
	$(BIN)/drugmon score $(SAMPLE)
	$(BIN)/drugmon show $(basename $(SAMPLE)).scored$(suffix $(SAMPLE))
	$(BIN)/drugmon demo $(DEMO)

test: $(STAMP)-test  ## install with the test extra, run the whole suite
	$(BIN)/python -m pytest -n $(WORKERS)

test-quick: $(STAMP)-test  ## the suite without processes, browsers and all that takes more than five seconds
	$(BIN)/python -m pytest -n $(WORKERS) -m 'not slow and not fuzz'

# torch stays pinned: its newest release may be a build of several gigabytes for a GPU that is not there.
test-newest:  ## run the suite with the newest releases in place of the pins, in an environment of its own
	@mkdir -p build && grep '^torch==' constraints.txt > build/newest.txt
	$(MAKE) test VENV=.venv-newest PINS="-c build/newest.txt --upgrade"

check: lint test  ## what CI runs: formatting, lint, types, tests

lint: $(STAMP)-dev  ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)-dev  ## lay out the code and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)-bench  ## speed beside peers and beside the machine's limit: make bench SOURCE=reviews.tsv
	@test -n "$(SOURCE)" || { echo "make bench SOURCE=reviews.tsv: name a file of reviews with ratings" >&2; exit 2; }
	$(BIN)/python -m benchmarks $(SOURCE)

clean:  ## remove the environment, caches, builds and the demo's files (build/demo)
	rm -rf $(VENV) .venv-newest dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find drugmon tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "drugmon needs Python 3.11 or newer, and '$(PYTHON)' is not: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -rf $(VENV); \
	  echo "'$(PYTHON)' cannot make virtual environments: install its venv package (Debian: python3-venv)" >&2; \
	  exit 1; }

# The build tools come first and with the same pins: without isolation pip uses these, not the newest.
# An order-only prerequisite, as the interpreter's own timestamp says nothing of what is installed.
$(STAMP)-build: constraints.txt | $(BIN)/python
	@[ -x $(UV) ] || $(PIP) uv || echo "no uv here: pip installs, which takes longer" >&2
	@$(INSTALL) hatchling editables
	@touch $@

# Each extra holds the one before it, so its stamp stands for theirs too.
$(STAMP)-run: $(BUILT_FROM) $(STAMP)-build
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(STAMP)-test: $(BUILT_FROM) $(STAMP)-build
	@$(INSTALL) --no-build-isolation --editable '.[test]'
	@touch $(STAMP)-run $@

$(STAMP)-dev: $(BUILT_FROM) $(STAMP)-build
	@$(INSTALL) --no-build-isolation --editable '.[dev]'
	@touch $(STAMP)-run $(STAMP)-test $@

$(STAMP)-bench: $(BUILT_FROM) $(STAMP)-build
	@$(INSTALL) --no-build-isolation --editable '.[bench]'
	@touch $(STAMP)-run $@
