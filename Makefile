# make demo   quantize the bundled model, verify the files, let the model speak
# make test   everything that CI checks: lint, types, tests, generated docs
# make test-full   the same, with some minutes more of files to compare
# make test-logits   log-probabilities of our files in llama.cpp beside those of transformers (installs PyTorch into .venv-logits)
#                    PyPI's PyTorch brings 2.7 GB of CUDA to Linux; TORCH_INDEX=https://download.pytorch.org/whl/cpu does not
# make test-llama-cpp-python   our files in llama-cpp-python 0.3.36, built from PyPI's sources into .venv-llama-cpp-python (10 minutes, once)
# The first run makes a virtual environment in .venv and builds the native kernels (a C++ compiler is needed).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOGITS := .venv-logits
LLAMA_CPP_PYTHON := .venv-llama-cpp-python
TORCH := $(shell sed -n 's/.*"\(torch==[0-9.]*\)".*/\1/p' pyproject.toml)
NATIVE := $(shell find src/ggufpress/native -type f) CMakeLists.txt pyproject.toml

.PHONY: demo test test-full test-logits test-llama-cpp-python test-arm lint types pytest docs check-docs bench clean

demo: $(VENV)/installed
	rm -rf demo
	$(BIN)/ggufpress plan models/bard-4m -q Q8_0 -q Q4_K_M --quiet
	$(BIN)/ggufpress quantize models/bard-4m -q Q8_0 -q Q4_K_M -o demo
	$(BIN)/ggufpress verify demo/bard-4m-Q8_0.gguf --against models/bard-4m
	$(BIN)/ggufpress verify demo/bard-4m-Q4_K_M.gguf --against models/bard-4m
	$(BIN)/python tools/say_a_line.py demo/bard-4m-Q4_K_M.gguf

test: lint types pytest check-docs

lint: $(VENV)/developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/developing
	$(BIN)/mypy

pytest: $(VENV)/developing
	$(BIN)/python -m pytest

test-full: lint types check-docs
	$(BIN)/python -m pytest -m "not logits and not llama_cpp_python"

# an environment of its own: PyTorch is for these tests alone
test-logits: $(LOGITS)/ready
	$(LOGITS)/bin/python -m pytest -m logits tests/logits

# an environment of its own: without xllamacpp, so that llama-cpp-python is what is found
test-llama-cpp-python: $(LLAMA_CPP_PYTHON)/ready
	$(LLAMA_CPP_PYTHON)/bin/python -m pytest -m llama_cpp_python tests/llama_cpp_python

docs: $(VENV)/developing
	$(BIN)/python tools/write_reference.py

check-docs: $(VENV)/developing
	$(BIN)/python tools/write_reference.py --check

bench: $(VENV)/developing
	$(BIN)/python benchmarks/bench_kernels.py
	$(BIN)/python benchmarks/bench_convert.py

clean:
	rm -rf $(VENV) $(LOGITS) $(LLAMA_CPP_PYTHON) build demo

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# editable: the Python sources are used in place, the kernels are built again when they change
$(VENV)/installed: $(VENV)/bin/python $(NATIVE)
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/developing: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

# the kernels on arm64 under qemu: needs Debian's g++-aarch64-linux-gnu and qemu-user
test-arm:
	bash tests/native/arm/run.sh

$(LOGITS)/ready: $(NATIVE)
	$(PYTHON) -m venv $(LOGITS)
	$(LOGITS)/bin/python -m pip install --quiet --upgrade pip
	$(LOGITS)/bin/python -m pip install --quiet --editable .
	$(if $(TORCH_INDEX),$(LOGITS)/bin/python -m pip install --quiet --index-url $(TORCH_INDEX) $(TORCH))
	$(LOGITS)/bin/python -m pip install --quiet --group logits
	touch $@

$(LLAMA_CPP_PYTHON)/ready: $(NATIVE)
	$(PYTHON) -m venv $(LLAMA_CPP_PYTHON)
	$(LLAMA_CPP_PYTHON)/bin/python -m pip install --quiet --upgrade pip
	$(LLAMA_CPP_PYTHON)/bin/python -m pip install --quiet --editable .
	CMAKE_ARGS="-DLLAVA_BUILD=OFF" CMAKE_BUILD_PARALLEL_LEVEL=2 nice -n 19 \
	    $(LLAMA_CPP_PYTHON)/bin/python -m pip install --quiet --group llama-cpp-python
	touch $@
