# Sets up Loggos in .venv and runs it. Needs Python 3.11 or newer, and a package index that pip can reach.
#
#   make demo      five sites on this machine, and the screen of the first
#   make test      lint, types and all tests
#   make test-often
#                  all tests TIMES times, in a new order each time, beside BUSY busy loops; lists what failed
#   make test-lowest
#                  all tests with the oldest libraries that pyproject.toml allows, on each of PYTHONS that is installed
#   make dist      builds a wheel and a source archive, into dist/
#   make test-dist installs both with pipx, uv and pip, each in a fresh environment, and tries the result
#   make simulate  runs random seeds of the simulated world for MINUTES, on all cores
#   make worlds    searches small clusters exhaustively: every order of every message and crash
#   make mutants   breaks the rules one by one, and shows which check catches each
#   make walks     takes 500 random walks through everything that can be done in the lab
#   make ladder    prints what an event costs under each leadership setting
#   make chaos     kills and partitions real engines for SECONDS, then checks every outcome and message;
#                  LEADERSHIP=none, last-author or elected selects one setting, else each in turn
#   make replace   replaces all machines of a cluster, in network namespaces, while events flow (needs root)
#   make bench     measures a cluster on this machine's disk, the disk itself and other systems, into build/bench;
#                  ONLY="5 sites" selects rows, SECONDS_EACH=4 is the time for each, TMPDIR names the disk
#   make bench-peers
#                  installs the other systems: etcd and h2load from Debian (needs root), PySyncObj from PyPI into .venv
#   make picture   draws docs/screen*.svg, the screen of a real demo cluster at 80x24, 120x30 and 160x48, and docs/lab*.svg
#   make movie     films docs/movie.svg, a session on a real demo cluster
#   make keys      measures the time from a key to its paint, in a demo on this machine and in the lab, at the same sizes
#   make lint      lint and types only
#   make format    formats the code as `make lint` requires
#   make lock      pins the newest dependencies that pyproject.toml allows
#
# PYTHON=/path/to/python3 names the interpreter, ARGS="--size 3" is passed to the command, TESTS=tests/core selects tests.

VENV := .venv
BIN := $(VENV)/bin
IS_NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$python -c '$(IS_NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done)
# Twice quiet: errors only. Otherwise a find-links folder of the machine is one warning per package.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check
PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --strip-extras --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-annotate --allow-unsafe --all-build-deps

UV := UV_PYTHON_DOWNLOADS=never UV_CACHE_DIR=$(CURDIR)/build/uv $(BIN)/uv

# Compiled code is kept beside its source: else each engine and command of a demo, and each worker, compiles its imports anew.
unexport PYTHONDONTWRITEBYTECODE

PYTEST := $(BIN)/pytest --numprocesses auto --dist worksteal

MINUTES ?= 5
TIMES ?= 20
BUSY ?= 0
SECONDS ?= 180
LEADERSHIP ?= all
SECONDS_EACH ?= 4
PYTHONS ?= 3.11 3.12 3.13 3.14
ONLY ?=

.PHONY: help demo test test-often test-lowest dist test-dist simulate worlds mutants walks ladder chaos replace bench bench-peers picture movie keys lint format lock

help:
	@sed -n 's/^#   //p' Makefile

demo: $(VENV)/run.stamp
	@$(BIN)/loggos demo $(ARGS)

# Types are checked while the tests run; mypy's output follows theirs, and either can fail the run. The first run has the
# tests compiled once before it: each worker would compile them all.
test: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@types=$$(mktemp) && { $(BIN)/mypy >"$$types" 2>&1 & } && mypy=$$!; \
	trap 'kill $$mypy 2>/dev/null; rm -f "$$types"' EXIT; trap 'exit 130' INT TERM; \
	echo '$(PYTEST) $(TESTS)'; \
	[ -d tests/__pycache__ ] || $(BIN)/pytest --collect-only --quiet --quiet $(TESTS) >/dev/null; \
	$(PYTEST) $(TESTS); tested=$$?; \
	wait $$mypy; typed=$$?; echo '$(BIN)/mypy'; cat "$$types"; \
	[ $$tested = 0 ] && [ $$typed = 0 ]

test-often: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.often --times $(TIMES) --busy $(BUSY) $(TESTS)

test-lowest: $(VENV)/dev.stamp
	@tried=; failed=; for version in $(PYTHONS); do \
		python=$$(for python in python$$version "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version.*/bin/python; do \
			"$$python" -c 'import sys; print(sys.executable)' 2>/dev/null && break; done); \
		[ -n "$$python" ] || { echo "no Python $$version here"; continue; }; \
		echo "Python $$version, with the oldest libraries ..."; \
		{ $(UV) venv --quiet --clear --python "$$python" build/lowest-$$version && \
			$(UV) pip install --quiet --python build/lowest-$$version --resolution lowest-direct --editable '.[dev]' && \
			build/lowest-$$version/bin/pytest --numprocesses auto --dist worksteal $(TESTS); } || failed="$$failed $$version"; \
		tried="$$tried $$version"; \
	done; \
	echo "tried:$$tried; failed:$${failed:- none}"; [ -n "$$tried" ] && [ -z "$$failed" ]

# The wheel is built from the source archive, so that both are tried by whoever installs the wheel.
dist: $(VENV)/dev.stamp
	@rm -rf dist
	@$(UV) build --quiet --out-dir dist --build-constraints requirements.txt
	@ls dist/*

test-dist: dist
	@$(BIN)/pytest -n 0 tests/dist/installing.py

simulate: $(VENV)/run.stamp
	@$(BIN)/python -m engine.sim.proving --minutes $(MINUTES) $(ARGS)

worlds: $(VENV)/run.stamp
	@$(BIN)/python -m engine.sim.proving.exhaustive $(ARGS)

mutants: $(VENV)/run.stamp
	@$(BIN)/python -m engine.sim.proving.mutants

walks: $(VENV)/dev.stamp
	LOGGOS_WALKS=500 $(BIN)/pytest -n 0 tests/lab/test_tape_walks.py tests/lab/test_lab_walks.py

ladder: $(VENV)/run.stamp
	@$(BIN)/python -m engine.sim.proving.ladder $(ARGS)

chaos: $(VENV)/run.stamp
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) --leadership $(LEADERSHIP) $(ARGS)

replace: $(VENV)/run.stamp
	@$(BIN)/python -m tests.net.replacing $(ARGS)

bench: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.bench --seconds $(SECONDS_EACH) $(if $(ONLY),"$(ONLY)") $(ARGS)

# PySyncObj is seen by its own processes alone. Debian starts an etcd of its own when it installs one.
bench-peers: $(VENV)/dev.stamp
	@$(PIP_INSTALL) --upgrade --target $(VENV)/peers pysyncobj
	@command -v etcd >/dev/null && command -v h2load >/dev/null && exit; \
	command -v apt-get >/dev/null || { echo 'Install etcd and h2load (of nghttp2) by hand: there is no apt-get here' >&2; exit 1; }; \
	[ "$$(id -u)" = 0 ] || { echo 'PySyncObj is installed. For etcd and h2load this needs root:' \
		'sudo apt-get install etcd-server nghttp2-client' >&2; exit 1; }; \
	apt-get update -qq && apt-get install --yes -qq --no-install-recommends etcd-server nghttp2-client && \
	echo 'If Debian now runs an etcd of its own, stop it: systemctl disable --now etcd'

picture: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.tui.picture

movie: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.tui.movie

keys: $(VENV)/dev.stamp
	@$(BIN)/python -m tests.tui.key_to_paint $(ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(VENV)/dev.stamp
	$(PIP_COMPILE) --upgrade --output-file requirements.txt pyproject.toml
	$(PIP_COMPILE) --upgrade --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

# What is installed is up to date as long as no file that says what to install is newer than the stamp.
$(VENV)/run.stamp: requirements.txt pyproject.toml
	$(call install,requirements.txt)
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt pyproject.toml
	$(call install,requirements-dev.txt)
	@touch $(VENV)/run.stamp $@

# A virtual environment that was left half made, or whose interpreter has gone, is made anew.
define install
	@$(BIN)/python -c 'import pip; $(IS_NEW_ENOUGH)' 2>/dev/null || { \
		if ! "$(PYTHON)" -c '$(IS_NEW_ENOUGH)' 2>/dev/null; then \
			echo 'Loggos needs Python 3.11 or newer: install it, or name it with PYTHON=/path/to/python3' >&2; exit 1; fi; \
		if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo '$(PYTHON) has no venv module: install it (Debian and Ubuntu: apt install python3-venv)' >&2; exit 1; fi; \
		echo 'Setting up $(VENV) with $(PYTHON) ...'; "$(PYTHON)" -m venv --clear $(VENV); }
	@echo 'Installing $(1) ...'
	@$(PIP_INSTALL) --require-hashes --requirement $(1)
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
endef
