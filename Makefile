# Everything sets itself up: python3 (3.11 or newer) and make are all that is needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test check docs clean

demo: $(VENV)/.light ## read the sixteen shipped radiographs; no PyTorch
	$(BIN)/pneumoscope demo

test: $(VENV)/.test ## run the tests (installs PyTorch once)
	$(BIN)/pytest

check: $(VENV)/.check ## lint, types, layers, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

docs: $(VENV)/.test ## generate what docs/ and README take from the program
	$(BIN)/python docs/generate.py

clean:
	rm -rf $(VENV) pneumoscope-demo

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

$(VENV)/.check: $(VENV)/.test
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[check]'
	@touch $@
