# All that these commands make lies in .venv and in folders node_modules; the files named .venv/.<step> are their stamps.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo run screenshots test test-fast thorough lint lock types bench bench-peers hostile fuzz chaos clean
.PHONY: mutants in-python in-node in-chromium stories ruff mypy tsc

PYTHON ?=
PORT ?= 8000
DATA ?= var
ARGS ?=
JSON ?=
SEED ?=
SECONDS ?= 60

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Else each of the processes that tests start would compile all of it anew.
export PYTHONDONTWRITEBYTECODE :=

BUNDLE := server/deputize/web/static/shim.js
NODE_MODULES := js/node_modules/.package-lock.json
EXAMPLE_MODULES := examples/vite-react/node_modules/.package-lock.json

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s  %s\n", $$1, $$2 }' Makefile

setup: .venv/.package $(BUNDLE) .venv/.chromium ## all that most commands need: Python packages, Node, Chromium

demo: setup ## play the story of one call in a real browser, narrated, and end
	deputize demo

run: .venv/.package $(BUNDLE) ## serve the demo's bank on localhost: PORT=8000 DATA=var
	deputize demo --serve --port $(PORT) --data $(DATA)

screenshots: setup ## draw every dialog and page, light and dark, narrow and wide, for the eye: screenshots/sheet/index.html
	SCREENSHOTS=1 pytest -q -n 0 e2e/test_gallery.py -k contact_sheet

# What tests write lies in memory where there are 4 GB of it: on a disk they wait for each commit. Kills at full size are
# for the disk.
test test-fast: export TMPDIR := $(shell room=$$(df -Pk /dev/shm 2>/dev/null | awk 'END { print $$4 }'); \
	[ "$${room:-0}" -gt 4000000 ] && ! grep -qs ' /dev/shm .*\bnoexec\b' /proc/mounts && echo /dev/shm || \
	echo "$${TMPDIR:-/tmp}")

# Stories in Chromium wait for dialogs half of their time, in which the others run.
test: setup .venv/.firefox ## all tests, Python, JavaScript and browser: ARGS='-k word' goes to pytest
	@$(MAKE) $(AT_ONCE) in-python in-node in-chromium

test-fast: .venv/.package $(NODE_MODULES) ## those of a minute, while changing something: floors 0 to 4, and JavaScript
	@$(MAKE) $(AT_ONCE) in-python in-node TESTS='$(LOWER_FLOORS)'

thorough: setup .venv/.firefox .venv/.golang ## all tests, with every property, race and kill at full size
	@THOROUGH=1 $(MAKE) $(AT_ONCE) in-python in-node in-chromium

AT_ONCE = --no-print-directory --keep-going --jobs
TESTS = tests
LOWER_FLOORS = $(addprefix tests/,protocol words service settings crypto fetching store authority methods agent guard log) \
	$(addprefix tests/test_,architecture.py protocol_text.py public.py signposts.py)

in-python:
	@pytest $(SIDE_BY_SIDE) $(ARGS) $(TESTS) || $(NONE_FITS) exit 1

in-node:
	@$(call SHOWN_WHOLE,npm --prefix js --silent test)

# A few that fail are told again, alone: after all others, and after the tests that are run beside, if they are.
in-chromium: stories | $(filter in-python in-node,$(MAKECMDGOALS))
	@python -m e2e.alone

stories: $(EXAMPLE_MODULES)
	@$(call SHOWN_WHOLE,python -m e2e.alone beside $(SIDE_BY_SIDE) $(ARGS) || $(NONE_FITS) exit 1)

# What runs beside the Python tests tells nothing before its end.
SHOWN_WHOLE = ($(1)) >.venv/$@.txt 2>&1 && status=0 || status=1; cat .venv/$@.txt; exit $$status

# As many processes as there are processors; whoever is done takes from the others.
SIDE_BY_SIDE = --numprocesses=auto --dist=worksteal

# With ARGS, either run of pytest may rightly find no test that fits, which is its exit code 5.
NONE_FITS = $(if $(ARGS),[ $$? = 5 ] ||)

hostile: setup ## the growth tests at full size, and what holds the event loop: minutes, alone on its machine
	HOSTILE=1 pytest $(ARGS) tests/hostile

fuzz: .venv/.fuzz ## throw what nobody would think of at every parser: SECONDS=60 for each, ARGS='json url' for some
	python -m tests.hostile.fuzz $(SECONDS) $(ARGS)

mutants: .venv/.package ## make the code wrong in 150 places, and name those that no test notices: ARGS='--seed 7 store'
	python -m tests.mutants $(ARGS)

lint: ruff mypy tsc ## ruff, mypy --strict, tsc

ruff: .venv/.package
	ruff check .
	ruff format --check .

mypy: .venv/.package
	mypy server/deputize tests e2e bench chaos examples/*/*.py hatch_build.py

tsc: $(BUNDLE)
	cd js && npm run --silent check

lock: .venv/.made ## write constraints.txt anew: the newest version of each package, for every Python that we run on
	python .ci/lock

types: .venv/.package ## write js/src/wire.js anew, the types of the shim, from the table of endpoints
	python -m tests.web.wire_types

bench: setup ## measure speed against this machine's floor: JSON=file writes the figures there
	python bench/run.py $(if $(JSON),--json $(JSON))

bench-peers: setup ## the same client against node-oidc-provider and, from the folder SEP=…, against SEP-2672's server
	python bench/peers/run.py $(if $(SEP),--sep $(SEP)) $(if $(JSON),--json $(JSON))

chaos: setup ## break it on purpose, for long: SEED=number for the same again, SECONDS=60 for each of the tests
	SEED=$(SEED) SECONDS_EACH=$(SECONDS) pytest -rP $(ARGS) chaos

clean: ## remove all that these commands made, but for DATA
	find server tests e2e bench chaos -name __pycache__ -prune -exec rm -r {} +
	rm -rf .venv js/node_modules $(addprefix examples/vite-react/,node_modules dist) js/types js/LICENSE js/src/words/english.js js/src/words/developers.js js/src/developers/style.js js/src/people/methods/registered.js js/src/people/style.js $(dir $(BUNDLE)) dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The versions that were tried together: a warning of another would be an error here.
INSTALL = python -m pip --quiet --disable-pip-version-check install --constraint constraints.txt

.venv/.made:
	.ci/venv $(PYTHON)
	@touch $@

$(NODE_MODULES) $(EXAMPLE_MODULES): %/node_modules/.package-lock.json: %/package-lock.json | .venv/.made
	cd $* && npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
	@touch $@

$(BUNDLE): $(wildcard js/src/*.js js/src/*/*.js js/src/*/*/*.js js/src/*/*.css js/*.mjs) server/deputize/words/en.ftl js/package.json $(NODE_MODULES)
	node js/build.mjs

.venv/.package: pyproject.toml constraints.txt hatch_build.py | .venv/.made $(BUNDLE)
	$(INSTALL) --editable '.[dev]'
	@touch $@

.venv/.fuzz: | .venv/.package
	$(INSTALL) --editable '.[dev,fuzz]'
	@touch $@

.venv/.chromium: | .venv/.package
	python -m deputize.testing.chromium
	@touch $@

.venv/.firefox: | .venv/.chromium
	python -m deputize.testing.firefox
	@touch $@

.venv/.golang: | .venv/.firefox
	python -m tests.golang
	@touch $@
