# make run    serve the bundled models at http://127.0.0.1:8765, from nothing
# make test   all tests, from nothing; fetches with apt what they need, where it can
# make quick  tests that answer in about a minute, for a person at work
# make check  what to run before a commit: format, lint, types, tests
# make wheels  asks pip whether each system and Python has wheels of all that is needed; minutes
# Any Python 3.11 or newer: make PYTHON=python3.12 run

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8765

.PHONY: run test quick check format wheels apt clean
.DELETE_ON_ERROR:

run: $(VENV)/.run
	$(BIN)/stream-rnn serve --port $(PORT) --no-osc

# pytest rewrites each test file so that a failure tells the values. That takes seconds, so keep
# what it has rewritten, even where Python is told (in containers, as a rule) to keep nothing.
TESTS := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# A core for each file, which may start a server or a program for all its tests.
SPREAD := -n auto --dist loadfile --no-loadscope-reorder
AGAIN := --last-failed --last-failed-no-failures none

# Both parts run, whatever comes of the first. A test of real time may fail beside others on a
# busy machine: what failed there is run again by itself, and has to pass then.
test: $(VENV)/.dev apt
	@failed=0; \
	$(TESTS) $(SPREAD) -m "not alone" $(PYTEST) || \
	  { echo "make: what failed runs again, with nothing beside it"; $(TESTS) $(AGAIN) $(PYTEST); } || failed=1; \
	$(TESTS) -m alone $(PYTEST) || failed=1; \
	exit $$failed

# Rooms whose tests start servers and programs, or train, score and step networks.
LONG := integration peers train nets bench inspect engine

quick: $(VENV)/.dev
	HYPOTHESIS_PROFILE=quick $(TESTS) $(SPREAD) -m "not slow and not peer" $(LONG:%=--ignore=tests/%) $(PYTEST)

check: $(VENV)/.dev
	$(BIN)/ruff format --check stream_rnn tests
	$(BIN)/ruff check stream_rnn tests
	$(BIN)/mypy
	$(MAKE) test

format: $(VENV)/.dev
	$(BIN)/ruff format stream_rnn tests
	$(BIN)/ruff check --fix stream_rnn tests

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("stream-rnn needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# The network's step is compiled for this processor once, here, and not by each process that is
# the first to need it.
COMPILE := $(BIN)/python -c 'from stream_rnn.engine.kernels.integer import compile_once as go; go()'

# The constraints pin what was tested, torch above all: unpinned, it can come with gigabytes
# of CUDA. For a CUDA machine, install the torch you want first; the range allows 2.4 and up.
$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	$(COMPILE)
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,train,discovery,link,bench]'
	$(COMPILE)
	touch $@ $(VENV)/.run

# WHEELS="windows 3.14": those of the targets whose name has one of these.
wheels: $(VENV)/bin/python
	$(BIN)/python -m tests.wheels $(WHEELS)

# Real programs for tests/peers. Where apt or the right to use it is missing, those tests are
# skipped, and say so; .ci/run does not let that pass.
PEERS := chromium nginx-light iproute2 liblo-tools jackd2 fluidsynth timgm6mb-soundfont sox puredata-core chuck csound \
  supercollider-language supercollider-server sonic-pi-server abcmidi
# Something of each that is there once it is installed.
PRESENT := chromium nginx ip oscsend jackd fluidsynth sox pd chuck csound sclang scsynth ruby abc2midi \
  /usr/share/sounds/sf2/TimGM6mb.sf2 /usr/lib/sonic-pi/app/server/ruby/bin/sonic-pi-server.rb
# Debian's, unless there is a Node already, from wherever.
NODE := $(if $(shell command -v npm),,nodejs npm)

apt:
	@for peer in $(PRESENT) npm; do command -v $$peer >/dev/null || [ -e $$peer ] || missing=1; done; \
	if [ -z "$$missing" ]; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq && \
	  apt-get install -y -qq --no-install-recommends $(PEERS) $(NODE) >/dev/null; \
	else false; fi || echo "make: $(PEERS): cannot be installed here; their tests will be skipped"

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
