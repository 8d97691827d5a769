# make demo    try it: trains on drawn digits, exports, runs        make bench   the benchmark book; ARGS="--only latency"
# make test    the tests; ARGS="-m slow" runs the long ones         make arm64   the runtime under an emulated ARM core
# make check   formatting, types, import rules                      make dist    the wheel and the sdist, checked
# make docs    the documents as a site, in build/site               make runtimes  exports for OpenVINO and ncnn
# make clean   removes what make made
#
# PYTHON names the interpreter that the virtual environment is made from.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
PACKAGES := cli common configs deploy export model train
ARGS ?=
# Where there is no GPU of NVIDIA's, torch comes from here and without CUDA's gigabytes; where this cannot be reached, from
# wherever pip looks.
TORCH_FOR_CPUS ?= https://download.pytorch.org/whl/cpu

.PHONY: demo test check docs bench arm64 runtimes dist release-check clean

demo: $(READY)
	$(BIN)/fusedet demo --out runs/demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	mkdir -p build/types/fusedet
	ln -sfn ../../../fusedet/__init__.py ../../../fusedet/facade.py ../../../fusedet/py.typed build/types/fusedet/
	for package in $(PACKAGES); do ln -sfn ../../../$$package build/types/fusedet/$$package; done
	$(BIN)/mypy
	rm -rf build/imports && mkdir -p build/imports
	cp -r fusedet build/imports/ && cp -r $(PACKAGES) build/imports/fusedet/
	cd build/imports && ../../$(BIN)/lint-imports --no-logo ../../pyproject.toml
	$(BIN)/python -m pytest -q tests/test_architecture.py

docs: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	rm -rf build/pages && mkdir -p build/pages
	tar -cf - *.md LICENSE docs examples configs/weights/README.md | tar -xf - -C build/pages
	$(BIN)/python docs/make_api.py build/pages/docs
	$(BIN)/mkdocs build --strict

bench: $(READY)
	$(BIN)/python -m benchmarks.book $(ARGS)

arm64: $(READY)
	$(BIN)/python -m tests.arm64.root
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m arm64 -rP tests/arm64 $(ARGS)

runtimes: $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[openvino,ncnn]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m runtimes tests/export/test_other_runtimes.py $(ARGS)

# The files in dist are those that the tests look at.
dist: $(READY)
	rm -rf dist
	$(BIN)/python -m tests.packaging.artefacts dist
	FUSEDET_DIST=dist $(BIN)/python -m pytest tests/packaging -m "slow or not slow"

release-check: $(READY)
	FUSEDET_RELEASE=1 $(BIN)/python -m pytest -q tests/test_release.py tests/test_documents.py tests/configs

# A changed pyproject or constraints file installs anew.
$(READY): pyproject.toml constraints.txt
	@echo 'installing what is needed into $(VENV): this takes some minutes'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	command -v nvidia-smi >/dev/null || $(BIN)/python -m pip install --quiet --retries 1 --timeout 10 \
		--constraint constraints.txt --index-url $(TORCH_FOR_CPUS) torch >/dev/null 2>&1 || true
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,desktop]'
	touch $@

clean:
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache
	find $(PACKAGES) tests -name __pycache__ -type d -exec rm -rf {} +
