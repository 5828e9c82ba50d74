# make demo      sets itself up and classifies real handwritten digits (needs Python 3 and gcc)
# make test      sets itself up and runs every check
# make test-emulated   the same for driver and notebooks, under the real pynq on an emulated board
# make soak      10,000 interrupts, 2,000 awaited predicts and 200 other overlays on the emulated
#                board; takes some minutes
# make fuzz      tens of thousands of random networks, programs, packets and model files; takes some
#                minutes
# make lint      ruff, mypy and clang-format; make format changes the files instead
# make coverage  the tests, with the share of the package's lines that they run
# make docs      the pages, the notebooks and the API reference, as HTML in build/docs
# make release   sdist and wheel in dist/, each installed and tested in an environment of its own
PYTHON ?= python3
DEMO := .venv
TEST := .venv-test
OLD := .venv-board
DOCS := .venv-docs
RELEASE := .venv-release
PYNQ ?= 3.1.2
EMULATED := .venv-emulated$(patsubst %,-%,$(filter-out 3.1.2,$(PYNQ)))
SOURCES := setup.py pyproject.toml $(wildcard pynq_circnn/contract/*) \
           $(wildcard pynq_circnn/native/*) $(wildcard pynq_circnn/native/*/*)
PIP := -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint format fuzz coverage docs release test-board test-emulated soak clean

demo: $(DEMO)/.ready
	$(DEMO)/bin/circnn demo

$(DEMO)/.ready: $(SOURCES)
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(PIP) -e ".[demo]"
	touch $@

test: lint
	$(TEST)/bin/python -m pytest -q

C_SOURCES = $(shell find pynq_circnn hw tests/native tests/vendor tests/*.c \( -name '*.[ch]' -o -name '*.[ch]pp' \))
lint: $(TEST)/.ready
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/clang-format --dry-run --Werror $(C_SOURCES)
	$(TEST)/bin/mypy

format: $(TEST)/.ready
	$(TEST)/bin/ruff check --fix .
	$(TEST)/bin/ruff format .
	$(TEST)/bin/clang-format -i $(C_SOURCES)

# FUZZ multiplies the counts of random cases, which `make test` keeps small.
FUZZ ?= 20
fuzz: $(TEST)/.ready
	$(TEST)/bin/python tests/fuzz_modelfile.py --count $$((2000 * $(FUZZ)))
	$(TEST)/bin/python tests/fuzz_engine.py --count $$((2000 * $(FUZZ)))
	CIRCNN_FUZZ=$(FUZZ) $(TEST)/bin/python -m pytest -q -m fuzz

# coverage, not pytest-cov: pytest's filters of warnings import the package before its plugins start.
coverage: $(TEST)/.ready
	@mkdir -p build
	$(TEST)/bin/coverage run -m pytest -q
	$(TEST)/bin/coverage html -q
	$(TEST)/bin/coverage json -q
	$(TEST)/bin/coverage report --skip-covered

# hls4ml without what it depends on: tests/test_vendor_headers.py reads the C++ headers that it carries.
$(TEST)/.ready: $(SOURCES) Makefile
	$(PYTHON) -m venv $(TEST)
	$(TEST)/bin/python $(PIP) -e ".[test,train,plot]"
	$(TEST)/bin/python $(PIP) --no-deps "hls4ml==1.3.0; python_version >= '3.10'"
	touch $@

docs: $(DOCS)/.ready
	rm -rf build/docs
	$(DOCS)/bin/sphinx-build -q -W --keep-going -b html -c docs . build/docs
	@echo "build/docs/index.html"

$(DOCS)/.ready: $(SOURCES)
	@test -n "$(DOCS_PYTHON)" || { echo "make docs needs Python 3.11 or newer: DOCS_PYTHON=path"; exit 1; }
	$(DOCS_PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python $(PIP) -e ".[docs]"
	touch $@

# Sphinx 9 needs Python 3.11 or newer; the package does not.
DOCS_PYTHON ?= $(shell for python in $(PYTHON) python3.13 python3.12 python3.11; do \
    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && echo $$python && break; done)

release: $(RELEASE)/.ready
	$(RELEASE)/bin/python .ci/release.py

$(RELEASE)/.ready: setup.py
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python $(PIP) "build==1.*" "twine==7.*"
	touch $@

# The board's software: an old Python (3.8 to 3.10) with NumPy 1.2x and setuptools 59, without Keras.
OLD_PYTHON ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.8.*/bin/python) $(shell command -v python3.8) \
                $(shell command -v python3.9) $(shell command -v python3.10))
test-board: $(OLD)/.ready
	$(OLD)/bin/python -m pytest -q --ignore-glob='*/test_keras*' --ignore-glob='*/test_zoo*' \
	    --ignore-glob='*/test_vivado*' \
	    --ignore=pynq_circnn/keras.py --ignore=pynq_circnn/frontends/keras --ignore=pynq_circnn/zoo

$(OLD)/.ready: $(SOURCES)
	@test -n "$(OLD_PYTHON)" || { echo "make test-board needs Python 3.8 to 3.10: OLD_PYTHON=path"; exit 1; }
	$(OLD_PYTHON) -m venv $(OLD)
	$(OLD)/bin/python $(PIP) "setuptools==59.6.0" wheel "cffi>=1.14" "numpy<1.22" tqdm
	$(OLD)/bin/python $(PIP) pytest hypothesis scipy scikit-learn mpmath matplotlib
	$(OLD)/bin/python $(PIP) --no-build-isolation -e .
	touch $@

# The driver under the real pynq needs an environment of its own because of pynq's dependencies, and
# one for every version of pynq: PYNQ=3.0.1 uses .venv-emulated-3.0.1.
EMULATED_PYTHON ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.10.*/bin/python) $(shell command -v python3.10) \
                     $(shell command -v python3.11) $(PYTHON))
test-emulated: $(EMULATED)/.ready-$(PYNQ)
	$(EMULATED)/bin/python -m pytest -q tests/test_board_*.py tests/test_notebooks.py

soak: $(EMULATED)/.ready-$(PYNQ)
	$(EMULATED)/bin/python tests/soak_board.py --interrupts 10000 --loops 20 --swaps 200

$(EMULATED)/.ready-$(PYNQ): $(SOURCES)
	$(EMULATED_PYTHON) -m venv $(EMULATED)
	$(EMULATED)/bin/python $(PIP) "setuptools<=80" wheel "cffi>=1.14" "numpy<2" tqdm
	$(EMULATED)/bin/python $(PIP) --no-build-isolation "pynq==$(PYNQ)" "pycparser<3" \
	    -e ".[plot]" "numpy<2" "setuptools<=80" pytest hypothesis scipy scikit-learn keras jax \
	    nbclient ipykernel ipywidgets "dask[distributed]"
	touch $@

clean:
	rm -rf $(DEMO) $(TEST) $(OLD) $(DOCS) $(RELEASE) .venv-emulated* docs/api build dist *.egg-info pynq_circnn/*.so
