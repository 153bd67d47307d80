# Everything sets itself up: python3 (3.11 or newer) and make are all that is needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
NPM    := tests/web/node_modules
# Tests run on all processors; each process computes with one thread (tests/conftest.py).
JOBS   ?= $(shell nproc 2>/dev/null || echo 2)
PYTEST := $(BIN)/pytest -n $(JOBS) --dist worksteal

.PHONY: demo test slow nightly hosts shared gpu browser mobile lint coverage check mutation docs site clean

demo: $(VENV)/.light ## read the sixteen shipped radiographs; no PyTorch
	$(BIN)/pneumoscope demo

test: $(VENV)/.test ## the tests of the default lane (installs PyTorch once)
	$(PYTEST)

slow: $(VENV)/.test ## tests that take more than five seconds: small trainings, exports, whole comparisons
	$(PYTEST) --dist loadscope -m "slow and not hosts and not shared and not gpu and not browser and not mobile and not nightly"

nightly: $(VENV)/.test ## long proofs: 55,000 fuzzed inputs, kills at random times, full disks (root); an hour, and no part of CI
	$(PYTEST) -m nightly

hosts: $(VENV)/.test ## several processes and, as root with iproute2, two hosts in network namespaces; one test at a time
	$(BIN)/pytest -m hosts

shared: $(VENV)/.test ## tests on the development data in ../shared
	$(BIN)/pytest -m shared

gpu: $(VENV)/.test ## tests of training on a CUDA device, for machines that have one
	$(BIN)/pytest -m gpu

browser: $(VENV)/.browser ## the pages, the viewer and the golden readings in Chromium (which must be installed) and Node.js
	$(PYTEST) --dist loadfile --reruns 2 -m browser # a browser on a busy machine may miss a moment

mobile: $(VENV)/.mobile ## files for phones, read back by LiteRT and ExecuTorch
	$(BIN)/pytest -m mobile

lint: $(VENV)/.check $(NPM)/.package-lock.json ## style, types (Python and JavaScript) and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/node $(NPM)/typescript/bin/tsc -p jsconfig.json

coverage: $(VENV)/.check ## the default lane, and the share of the source lines and branches that it runs
	$(PYTEST) --cov --cov-report=term:skip-covered

check: lint coverage slow hosts site ## all of it, as CI does

mutation: $(VENV)/.check ## change statistics and readings in a thousand small ways, and count the changes that their tests notice
	$(BIN)/mutmut run --max-children $(JOBS)
	$(BIN)/python tests/mutation_score.py

docs: $(VENV)/.test ## generate what docs/ and README take from the program
	$(BIN)/python docs/generate.py

site: $(VENV)/.check ## the documentation as a web site in site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) pneumoscope-demo site

$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.light: $(VENV)/.python pyproject.toml
	@echo "installing the reader into $(VENV) (about a minute)"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.python pyproject.toml
	@echo "installing PyTorch and the test tools into $(VENV) (several minutes the first time)"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.browser: $(VENV)/.test pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[browser]'
	@touch $@

$(NPM)/.package-lock.json: tests/web/package-lock.json | $(VENV)/.check
	cd tests/web && PATH="$(abspath $(BIN)):$$PATH" npm ci --loglevel=error
	@touch $@

$(VENV)/.mobile: $(VENV)/.test pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,mobile]'
	@touch $@

$(VENV)/.check: $(VENV)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[check]'
	@touch $@
