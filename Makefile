# `make up` and `make test` work on a fresh clone with Python 3.11 or newer, make and the network.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# How many tests run at once; each worker has a Redis and a PostgreSQL of its own.
WORKERS ?= 2
# Passed on: make up ARGS="--data /srv/seckill --no-demo", make test ARGS="-k tokens"
ARGS ?=

# The tests start hundreds of processes; without bytecode each would compile the same modules again.
unexport PYTHONDONTWRITEBYTECODE

.DELETE_ON_ERROR:
.PHONY: install up test check bench bench-peers bench-watchers bench-growth bench-spread bench-quotes bench-checkout load overload soak mutants screenshots
.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(VENV)/installed ## .venv with the project and everything its tests need

# The stamp is newer than what it depends on once everything is installed; then this costs nothing.
$(VENV)/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "seckill needs Python 3.11 or newer: make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >&2 || { rm -rf $(VENV); \
		echo 'the venv module is missing: install the package python3-venv' >&2; exit 2; }
	@echo 'installing into $(VENV) …' >&2
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[dev]' >&2
	@touch $@

up: install ## start everything on this machine with demo data
	@$(BIN)/seckill up $(ARGS)

# In parts: a worker that has run thousands of tests is large and slow. Every part
# runs, whatever failed before; one in which ARGS finds no test (5) is fine. The
# longest files come first, so that no worker is left alone with one.
PARTS := 'tests/admin' 'tests/faults tests/gateway tests/lua' \
	'tests/security tests/system tests/checkout tests/browser tests \
	--ignore=tests/admin --ignore=tests/gateway --ignore=tests/lua --ignore=tests/faults'

test: install check ## every check, and every test but the long campaigns of soak
	@failed=0; for part in $(PARTS); do \
		$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $$part $(ARGS) || [ $$? -eq 5 ] || failed=1; \
	done; exit $$failed

check: install ## lint, format, types, known vulnerabilities of dependencies
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@$(BIN)/python -m tests.security.dependency_audit

bench: install ## speed of the hot path, beside a constant answer
	$(BIN)/python -m loadtest.bench $(ARGS)

bench-watchers: install ## what 5,000 open event streams cost the clicks of one worker
	$(BIN)/python -m loadtest.bench_watchers $(ARGS)

bench-growth: install ## what a click costs with more offers, shoppers, buyers and workers; memory
	$(BIN)/python -m loadtest.bench_growth $(ARGS)

bench-spread: install ## what one hot offer costs each primary of clusters of 1, 2 and 3, counted
	$(BIN)/python -m loadtest.bench_spread $(ARGS)

bench-peers: install ## the gateway beside nginx with Lua, Go and FastAPI, those that are installed
	$(BIN)/python -m loadtest.bench_peers $(ARGS)

bench-quotes: install ## speed of quotes, beside the sidecar's own constant answer
	$(BIN)/python -m loadtest.bench_quotes $(ARGS)

bench-checkout: install ## speed of checkouts, beside bare transactions, and a rush for one coupon
	$(BIN)/python -m loadtest.bench_checkout $(ARGS)

load: install ## a minute of shoppers against a private `up`, then the invariants
	$(BIN)/python -m loadtest.load $(ARGS)

overload: install ## twice the clicks that a worker can answer, for a minute
	$(BIN)/python -m loadtest.overload $(ARGS)

screenshots: install ## the pictures of the README, of a private shop
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

mutants: install ## break the code in one place at a time: do the tests notice?
	$(BIN)/python -m tests.mutants $(ARGS)

# Any number of faults: make soak ARGS="--faults 1000 --seed 7"; the table goes to tests/faults/results.
soak: install ## long fault and load campaigns
	$(BIN)/python -m tests.faults.soak $(ARGS)
	$(BIN)/python -m pytest -m soak
