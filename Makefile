# make run: the main job on a fresh machine. make test: what CI runs. Both make the environment first.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# The tests wait for processes as much as they compute: two more at once than there are cores.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)
# Neighbors stay together, and share the servers of their file, as long as nobody is idle.
SPREAD := --dist worksteal

# Where a machine keeps no bytecode, each of the thousands of processes that the tests start would compile every module.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run desk test slow again matrix oracles faults bench cover lint format schemas boards catalogue mutants access secrets advisories release unit clean

help:  ## these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run.stamp  ## demonstration claims through a real server, a real worker and real outlets
	@$(BIN)/scrub demo

desk: .venv/run.stamp  ## the demonstration, then its held claims on the desk in a browser until Ctrl-C; PORT=8081
	@$(BIN)/scrub demo --desk --state run/desk $(if $(PORT),--port $(PORT))

test: .venv/dev.stamp lint  ## lint, types, import contracts, schemas, and every fast test
	@$(BIN)/pytest -q -n $(WORKERS) $(SPREAD)

oracles: .venv/dev.stamp  ## the 837 reader beside pyx12 and x12sdk: 2,500 claims field by field, then speed and memory
	@$(BIN)/pytest -q -n 2 -m slow tests/x12
	@$(BIN)/python -m tests.bench.x12_speed

faults: .venv/dev.stamp  ## kills, cuts, full disks and failovers under 20,000 claims each, about 40 minutes; FAULTS="--only cut --seed 7"
	@SCRUBTEST_EXAMPLES=500 $(BIN)/pytest -q --timeout 1800 tests/faults/test_protocol.py tests/faults/test_case_protocol.py tests/faults/test_file_protocol.py
	@$(BIN)/python -m tests.faults $(FAULTS)

bench: .venv/dev.stamp  ## what a claim costs, all parts; a quarter of an hour and more. Other engines: pip install --group bench
	@$(BIN)/scrub bench --all -o bench.json

slow: .venv/dev.stamp  ## the tests that cost most: long journeys, kills, memory; some minutes. CI runs them as well
	@$(BIN)/pytest -q -n $(WORKERS) $(SPREAD) -m slow

again: .venv/dev.stamp  ## the tests that failed last, one after the other; if none did (lint, a crash), it fails
	@echo "Run once more, alone. A test that passes now is still one that does not hold beside others:"
	@$(BIN)/pytest -q -m "slow or not slow" --last-failed --last-failed-no-failures none

matrix: .venv/dev.stamp  ## the fast tests on Python 3.11 to 3.14 and each Redis and Valkey found; more: PYTHONS="..." SERVERS="..."
	@$(BIN)/python -m ops.matrix --workers $(WORKERS) --pythons $(PYTHONS) --servers $(SERVERS) --tests $(TESTS)

cover: .venv/dev.stamp  ## which lines of the core no test reaches
	@$(BIN)/pytest -q -n $(WORKERS) --cov=rules --cov-report=term-missing:skip-covered tests/rules tests/ops

unit: .venv/dev.stamp  ## the core's tests alone
	@$(BIN)/pytest -q tests/rules

lint: .venv/dev.stamp  ## style, types, import contracts, rule files, generated files up to date
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check -q
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/scrub rules lint
	@$(BIN)/scrub rules prove
	@$(BIN)/scrub rules docs --check -o rules/CATALOGUE.md
	@$(BIN)/scrub rules docs --check --page clean -o rules/CLEAN.md
	@$(BIN)/python -m ops.tried --check
	@$(BIN)/python -m ops.schemas --check
	@$(BIN)/python -m ops.notread --check
	@$(BIN)/python -m ops.x12tables --check
	@$(BIN)/python -m ops.dashboards --check
	@$(BIN)/python -m ops.alerts --check
	@$(BIN)/python -m ops.logformats --check
	@$(BIN)/python -m ops.access --check
	@$(BIN)/python -m ops.layoutpage --check
	@$(BIN)/python -m ops.images
	@$(BIN)/python -m ops.advisories 2>/dev/null || test $$? -eq 2  # 2: no way to the network, and it says so

format: .venv/dev.stamp  ## rewrites the code in the project's style
	@$(BIN)/ruff check --fix-only -q
	@$(BIN)/ruff format -q

mutants: .venv/dev.stamp  ## changes every rule in small ways: an example or a claim of the corpus must notice
	@$(BIN)/python -m tests.rules.mutants

schemas: .venv/dev.stamp  ## writes ops/schema/ from the models, docs/not-read.md from the readers' list
	@$(BIN)/python -m ops.schemas
	@$(BIN)/python -m ops.notread
	@$(BIN)/python -m ops.x12tables

catalogue: .venv/dev.stamp  ## writes rules/CATALOGUE.md and CLEAN.md from the rule files, and that their examples pass
	@$(BIN)/scrub rules docs -o rules/CATALOGUE.md
	@$(BIN)/scrub rules docs --page clean -o rules/CLEAN.md
	@$(BIN)/python -m ops.tried

boards: .venv/dev.stamp  ## writes dashboards, alerts and log formats from the log lines' field lists
	@$(BIN)/python -m ops.dashboards
	@$(BIN)/python -m ops.alerts
	@$(BIN)/python -m ops.logformats

access: .venv/dev.stamp  ## writes ops/redis/users.acl from the table of Redis' users, docs/layout.md from that of the keys
	@$(BIN)/python -m ops.access
	@$(BIN)/python -m ops.layoutpage

secrets:  ## passwords for docker-compose.yml, where they are missing
	@ops/secrets.sh

advisories: .venv/dev.stamp  ## known vulnerabilities of the locked packages; needs the network, and says so
	@$(BIN)/python -m ops.advisories

release: .venv/dev.stamp  ## wheel, what it needs by hash, bill of materials (CycloneDX) and their checksums, in dist/
	@rm -rf dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	@$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements --pyproject pyproject.toml \
	  --output-reproducible --output-file dist/claim-scrubber.cdx.json requirements.lock
	@cp requirements.lock dist/
	@cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

clean:  ## removes the environment and what the demonstration left
	rm -rf .venv .matrix run

# One recipe for both: the stamp's name says which lock file. The lock has a hash for every file, so pip refuses others.
.venv/run.stamp: requirements.lock pyproject.toml
	@test -e .venv/dev.stamp && [ .venv/dev.stamp -nt requirements-dev.lock ] || $(MAKE) --no-print-directory install LOCK=requirements.lock
	@touch $@

.venv/dev.stamp: requirements-dev.lock pyproject.toml
	@$(MAKE) --no-print-directory install LOCK=requirements-dev.lock
	@touch $@

.PHONY: install
install:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 ..."; exit 2; }
	@echo "Making the environment from $(LOCK) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
	  echo "Python has no venv module here; on Debian: apt install python3-venv"; exit 2; }
	@# The lock names every package; left to look for dependencies, pip tries newer ones that have no hash there.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
