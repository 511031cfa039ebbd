# Two commands do everything on a fresh machine: `make demo` and `make test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
SIZE ?= small
BIN := $(VENV)/bin

.PHONY: help demo test lint docs screenshots bench faults lock clean

help:  ## Show the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

# One environment from the pinned, hashed requirements: uv where it is there, else venv and pip.
$(VENV)/.installed: requirements-dev.txt pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python $(PYTHON) $(VENV) && \
		uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-dev.txt && \
		uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
		$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $@

demo: $(VENV)/.installed  ## Make a realistic agents folder, sync it and show its history
	@$(BIN)/workflow-history demo

test: $(VENV)/.installed  ## Run the project's tests
	@$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/.installed  ## Check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: $(VENV)/.installed  ## Write the generated pages and pictures of docs/ anew
	@$(BIN)/python -m scripts.make_docs

screenshots: $(VENV)/.installed  ## Take pictures of every page, light and dark, wide and narrow (needs chromium)
	@$(BIN)/python -m scripts.make_screenshots screenshots
	@$(BIN)/python -m scripts.make_screenshots --readme

bench: $(VENV)/.installed  ## Measure what it costs, beside baselines and floors (SIZE=tiny, small or full)
	@$(BIN)/python -m benchmarks --size $(SIZE)

faults: $(VENV)/.installed  ## Kill every command, cause every other fault, and write docs/reliability.md
	@$(BIN)/python -m faults --kills 500 --out docs

lock:  ## Compile the pinned requirements anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		pyproject.toml -o requirements.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		-c requirements.txt --all-extras --group dev pyproject.toml -o requirements-dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		-c requirements.txt -c requirements-dev.txt --group bench -o requirements-bench.txt

clean:  ## Remove what the commands above made
	rm -rf $(VENV) dist build demo-history benchmark-results fault-results screenshots .pytest_cache .mypy_cache .ruff_cache .hypothesis
