# Each target makes .venv and installs into it where that is not done yet.
PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
SOURCES := keras_pyconv recipes tests benchmarks

.PHONY: quickstart test test-slow benchmark format lint tables

quickstart: $(INSTALLED)
	$(PYTHON) -m recipes.quickstart

test: $(INSTALLED)
	$(PYTHON) -m pytest

test-slow: $(INSTALLED)
	$(PYTHON) -m pytest -m "slow or not slow"

benchmark: $(INSTALLED)
	$(PYTHON) -m benchmarks.run

format: $(INSTALLED)
	$(PYTHON) -m isort -q $(SOURCES)
	$(PYTHON) -m black -q -l 80 $(SOURCES)

lint: $(INSTALLED)
	$(PYTHON) -m isort -q --check $(SOURCES)
	$(PYTHON) -m black -q -l 80 --check $(SOURCES)
	$(PYTHON) -m flake8 $(SOURCES)

# Writes the generated tables of the pages.
tables: $(INSTALLED)
	$(PYTHON) -m keras_pyconv.complexity --write README.md
	$(PYTHON) -m recipes.compare_convolutions --write docs/comparison.md

$(INSTALLED): setup.cfg pyproject.toml
	test -x $(PYTHON) || python3 -m venv .venv
	$(PYTHON) -m pip install --quiet --upgrade pip
	$(PYTHON) -m pip install --quiet --editable ".[recipes,tests]"
	touch $(INSTALLED)
