# Everything from a bare clone and a Python 3.11:  make demo | test | check | test-all
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# Two processes: most tests use one core. A file stays in one of them, so that its fixtures are made once.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile
QUICK := not slow and not gpu and not peer and not notebook and not benchmark

.PHONY: help install demo test test-all check format clean

help:
	@echo "make demo      train on mock maps and write higlow_demo/report.html (about 9 minutes on two cores, installation included)"
	@echo "make test      the quick tests"
	@echo "make check     lint, format and the quick tests: what CI runs"
	@echo "make test-all  also the slow tests, the notebooks and those beside PyTorch"
	@echo "make format    sort imports and format"

# What a user needs, without the tools of the tests.
$(VENV)/.core: pyproject.toml setup.py
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip
	$(PIP) install --quiet --editable .
	touch $@

$(VENV)/.installed: $(VENV)/.core
	$(PIP) install --quiet --editable '.[test]'
	touch $@

# Benchmarks are compared with the release that they were measured with, where it can be had. Notebooks need a kernel.
$(VENV)/.peers: $(VENV)/.installed
	$(PIP) install --quiet torch==2.13.0 || $(PIP) install --quiet torch
	$(PIP) install --quiet --editable '.[notebooks]'
	touch $@

install: $(VENV)/.core

demo: $(VENV)/.core
	$(BIN)/higlow demo --out higlow_demo --overwrite

test: $(VENV)/.installed
	$(PYTEST) -m '$(QUICK)'

test-all: $(VENV)/.peers
	$(PYTEST) -m 'not gpu and not benchmark'

check: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory test

format: $(VENV)/.installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
