# Every target sets up what it needs: .venv from constraints.txt, once.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: train test test-slow test-long bench book lint clean

train: $(READY)
	@$(BIN)/fdl train mlp --data digits

test: $(READY)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not long"

test-slow: $(READY)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "slow and not long"

test-long: $(READY)
	$(BIN)/python -m pytest -q -m long --timeout 7200

bench: $(READY)
	$(BIN)/python tests/benchmarks/run.py

book: $(READY)
	$(BIN)/python examples/book.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) dist build

# What is pinned or declared has changed, or nothing is installed yet.
$(READY): constraints.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: name one with make PYTHON=..." >&2; exit 2; }
	@echo "Setting up $(VENV) (once; several minutes, about 3 GB)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[test]"
	@touch $@
