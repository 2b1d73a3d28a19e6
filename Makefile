# Two commands for a newcomer; each sets up what it needs and is safe to repeat.
#   make reproduce   the whole of Llemma in miniature, ends with a before/after table
#   make test        lint, types and all tests (make quick: the part under two minutes)

RECIPE ?= mini
ARGS ?=
JOBS ?= 2

.PHONY: reproduce test quick lint setup setup-dev clean

reproduce: setup
	.venv/bin/llemma reproduce $(RECIPE) $(ARGS)

test: setup-dev lint
	.venv/bin/python -m pytest -n $(JOBS) --dist worksteal

quick: setup-dev
	.venv/bin/python -m pytest -n $(JOBS) --dist worksteal -m "not slow"

lint: setup-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

setup:
	@scripts/setup.sh

setup-dev:
	@scripts/setup.sh dev

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache
