# Two commands do everything on a fresh machine: `make demo` and `make test`.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
SIZE ?= small
DEMO ?= demo-history
BIN := $(VENV)/bin
LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.PHONY: help demo test lint docs site screenshots bench faults lock clean

help:  ## Show the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

# What running needs, and what development needs on top of it: one environment, filled as far as a command asks.
$(VENV)/.running: requirements.txt pyproject.toml
	@$(PYTHON) scripts/environment.py $(VENV) requirements.txt
	@touch $@

$(VENV)/.installed: requirements-dev.txt pyproject.toml
	@$(PYTHON) scripts/environment.py $(VENV) requirements-dev.txt
	@touch $(VENV)/.running $@

demo: $(VENV)/.running  ## Make a realistic agents folder, sync it and show its history
	@$(BIN)/workflow-history demo $(DEMO)

test: $(VENV)/.installed  ## Run the project's tests
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed  ## Check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: $(VENV)/.installed  ## Write the generated pages and pictures of docs/ anew
	@$(BIN)/python -m scripts.make_docs

site: $(VENV)/.installed  ## Build the documentation site, which `serve` shows at /docs; fails on a broken link
	@$(BIN)/zensical build --clean --strict

screenshots: $(VENV)/.installed  ## Take screenshots of every page, on desktop, tablet and phone, light and dark (needs chromium)
	@$(BIN)/python -m scripts.make_screenshots screenshots
	@$(BIN)/python -m scripts.make_screenshots --readme

bench: $(VENV)/.installed  ## Measure what it costs, beside baselines and floors (SIZE=tiny, small or full)
	@$(BIN)/python -m benchmarks --size $(SIZE)

faults: $(VENV)/.installed  ## Kill every command, cause every other fault, and write docs/reliability.md
	@$(BIN)/python -m faults --kills 500 --out docs

lock:  ## Compile the pinned requirements anew (needs uv)
	uv pip compile $(LOCKED) --extra web --group build pyproject.toml -o requirements.txt
	uv pip compile $(LOCKED) -c requirements.txt --all-extras --group dev pyproject.toml -o requirements-dev.txt
	uv pip compile $(LOCKED) -c requirements.txt -c requirements-dev.txt --group bench -o requirements-bench.txt

clean:  ## Remove what the commands above made
	rm -rf $(VENV) dist build demo-history benchmark-results fault-results screenshots .pytest_cache .mypy_cache .ruff_cache .hypothesis
