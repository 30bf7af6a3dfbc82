# Each target makes .venv and installs into it where that is not done yet.
PYTHON := .venv/bin/python
# Two processes, each with whole files, so that what a file prepares is shared.
PYTEST := $(PYTHON) -m pytest -n 2 --dist loadfile
SOURCES := keras_pyconv recipes tests benchmarks docs

.PHONY: quickstart test test-ci test-beam test-official test-server test-slow \
	benchmark format lint tables notebooks docs

quickstart: .venv/.recipes
	$(PYTHON) -m recipes.quickstart

test: .venv/.tests
	$(PYTEST)

# Other kernels than the processor's choice, and what takes longer.
test-ci: .venv/.tests
	.ci/test-ci

# In an environment of its own, .venv-beam, that this makes.
test-beam:
	.ci/test-beam

# In another, .venv-official, with the TensorFlow that TF Model Garden asks for.
test-official:
	.ci/test-official

# The real TensorFlow Serving, in Docker.
test-server: .venv/.tests
	.ci/test-server

test-slow: .venv/.tests
	$(PYTEST) -m slow

# PyTorch joins the table where it is installed: pip install torch.
benchmark: .venv/.recipes
	$(PYTHON) -m benchmarks.run

format: .venv/.tests
	$(PYTHON) -m isort -q $(SOURCES)
	$(PYTHON) -m black -q -l 80 $(SOURCES)

lint: .venv/.tests
	$(PYTHON) -m isort -q --check $(SOURCES)
	$(PYTHON) -m black -q -l 80 --check $(SOURCES)
	$(PYTHON) -m flake8 $(SOURCES)
	$(PYTHON) -m mypy

# Writes the generated tables of the pages.
tables: .venv/.tests
	$(PYTHON) -m keras_pyconv.tables.pages README.md docs/networks.md \
		docs/weights.md docs/segmentation.md
	$(PYTHON) -m recipes.compare_convolutions --write docs/comparison.md

# The site, in build/docs/html; nothing is fetched for it.
docs: .venv/.docs
	$(PYTHON) docs/pictures.py
	TF_CPP_MIN_LOG_LEVEL=3 $(PYTHON) -m sphinx -q -W --keep-going \
		-d build/docs/doctrees docs build/docs/html

# Runs the scripts of docs/notebooks, and keeps what they print and draw.
notebooks: .venv/.docs
	$(PYTHON) docs/run_notebooks.py

# A folder without pip is what a failed attempt leaves: start it afresh.
# Setuptools notes that a folder in the way would hide an editable package; that
# of this clone is the package.
.venv/.%: setup.cfg setup.py pyproject.toml
	python3 -c "import sys; sys.version_info >= (3, 11) or sys.exit( \
	    'keras_pyconv needs Python 3.11 or newer; python3 is ' + sys.version)"
	test -x .venv/bin/pip || python3 -m venv --clear .venv
	$(PYTHON) -m pip install --quiet --upgrade pip
	PYTHONWARNINGS="ignore:Editable installation" \
		$(PYTHON) -m pip install --quiet --editable ".[$*]"
	touch $@
