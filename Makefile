# Everything from a bare clone and a Python 3.11:
#   make demo | serve-demo | notebooks | docs | test | check | test-all | test-oldest | matrix
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
OLDEST := .venv-oldest
PIP := -m pip --disable-pip-version-check --no-input
# Two processes: most tests use one core. A file stays in one of them, so that its fixtures are made once.
PYTEST := -m pytest -n 2 --dist loadfile
QUICK := not slow and not gpu and not peer and not notebook and not benchmark

.PHONY: help install demo serve-demo notebooks docs test test-all test-oldest matrix check format clean

help:
	@echo "make demo         train on mock maps and write higlow_demo/report.html (about 8 minutes on two cores, installation included)"
	@echo "make serve-demo   serve the model of saved_models/, ask it over REST and gRPC, and write serve_demo.png"
	@echo "make notebooks    run the notebooks and write them with their outputs (half an hour on two cores)"
	@echo "make docs         the documentation as a site, docs/_build/html/index.html; a warning is an error"
	@echo "make test         the quick tests"
	@echo "make check        lint, format and the quick tests: what CI runs"
	@echo "make test-all     also the slow tests, the notebooks, the site and those beside PyTorch"
	@echo "make test-oldest  the quick tests with the oldest releases that are supported, in $(OLDEST)"
	@echo "make matrix       a short chain with every Python and TensorFlow that is supported, into version_matrix.md (an hour or two; it goes on if stopped)"
	@echo "make format       sort imports and format"

# What a user needs, without the tools of the tests.
$(VENV)/.core: pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) install --quiet --upgrade pip
	$(BIN)/python $(PIP) install --quiet --editable .
	touch $@

$(VENV)/.installed: $(VENV)/.core
	$(BIN)/python $(PIP) install --quiet --editable '.[test,serve,batch]'
	touch $@

# Ray and the messages of TensorFlow Serving.
$(VENV)/.serve: $(VENV)/.core
	$(BIN)/python $(PIP) install --quiet --editable '.[serve]'
	touch $@

# A kernel, and what the notebooks show of serving and batch jobs.
$(VENV)/.notebooks: $(VENV)/.core
	$(BIN)/python $(PIP) install --quiet --editable '.[notebooks,serve,batch]'
	touch $@

# Sphinx and its theme.
$(VENV)/.docs: $(VENV)/.core
	$(BIN)/python $(PIP) install --quiet --editable '.[docs]'
	touch $@

# Benchmarks are compared with the release that they were measured with, where it can be had. Notebooks need a kernel.
$(VENV)/.peers: $(VENV)/.installed
	$(BIN)/python $(PIP) install --quiet torch==2.13.0 || $(BIN)/python $(PIP) install --quiet torch
	$(BIN)/python $(PIP) install --quiet --editable '.[notebooks,docs,peers]'
	touch $@

# The lower bounds of pyproject.toml, all at once.
$(OLDEST)/.installed: pyproject.toml setup.py tests/oldest.txt
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python $(PIP) install --quiet --upgrade pip
	$(OLDEST)/bin/python $(PIP) install --quiet --constraint tests/oldest.txt --editable '.[test]'
	touch $@

install: $(VENV)/.core

demo: $(VENV)/.core
	$(BIN)/higlow demo --out higlow_demo --overwrite

serve-demo: $(VENV)/.serve
	$(BIN)/python benchmarks/serve_demo.py --out serve_demo.png

notebooks: $(VENV)/.notebooks
	$(BIN)/python -m notebooks.build

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx -E -W --keep-going -q -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

test: $(VENV)/.installed
	$(BIN)/python $(PYTEST) -m '$(QUICK)'

test-all: $(VENV)/.peers
	$(BIN)/python $(PYTEST) -m 'not gpu and not benchmark'

test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python $(PYTEST) -m '$(QUICK)'

# Needs no environment of ours: it makes its own, and removes them.
matrix:
	$(PYTHON) -m benchmarks.version_matrix --out version_matrix.md

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory test

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(OLDEST) .venv-matrix build dist docs/_build docs/generated *.egg-info .pytest_cache .ruff_cache .hypothesis
