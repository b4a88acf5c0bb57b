# make run: set up and serve.       make demo: train the demo in the terminal.
# make test: lint, types and tests.  make setup: set up alone.
# make test-quick: the tests that start no process and no browser.
# make test-faults: kill, freeze and cut off all parts of a site while it trains, 30 times, and see that nothing is lost.
# ARGS go to what is run: make run ARGS="--port 9000", make test ARGS="tests/engine -x".

# The first that runs and is new enough: a name in PATH may be a shim that leads nowhere.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCKED := --no-deps --require-hashes --requirement
PACKAGES := benchmarks engine web system presets training samples worker operations onetrainer_site
# For each Python that the site runs on, and each kind of machine.
LOCK := $(BIN)/uv --quiet --no-config pip compile --universal --python-version 3.11 --generate-hashes \
  --custom-compile-command "make lock (torch and its CUDA packages are left out: see the Makefile)" --output-file
OF_TORCH := ^(torch|triton|cuda-[a-z]+|nvidia-(cu|nccl|nv)[a-z0-9-]*)==
# What only reads the code needs settings but no data of yours.
ELSEWHERE = export DATA_DIR=$$(mktemp -d); trap 'rm -rf "$$DATA_DIR"' EXIT;
NOT_OURS := .venv/* node_modules/* staticfiles/* static/vendor/* tests/* benchmarks/*
ARGS ?=
# The tests start some 150 processes, which need not compile the same modules each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup run demo test test-quick test-faults lint lock audit messages screenshots

setup: $(VENV)/.installed staticfiles/staticfiles.json

run: setup
	@$(BIN)/python manage.py serve $(ARGS)

demo: setup
	@$(BIN)/python manage.py demo $(ARGS)

# In the order of the files, so that the tests in a folder follow each other and share what they start. Three processes
# keep two processors busy, as tests of whole sites wait often.
test: setup $(VENV)/.installed-dev $(VENV)/older/.installed lint
	@npm test --silent
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

# The tests that start no process, train nothing and open no browser.
test-quick: setup $(VENV)/.installed-dev
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m quick $(ARGS)

test-faults: setup $(VENV)/.installed-dev
	@$(BIN)/python -m tests.faults $(ARGS)

# make screenshots: every page at three widths, light and dark, in screenshots/, to be looked at.
screenshots: setup $(VENV)/.installed-dev
	@$(BIN)/python -m tests.screenshots screenshots $(ARGS)

# make messages LANGUAGE=de: write locale/de anew with every text of pages and scripts; then compile what is translated.
messages: setup
	@test -n "$(LANGUAGE)" || { echo "Say which language: make messages LANGUAGE=de."; exit 1; }
	@command -v xgettext >/dev/null || { echo "GNU gettext is needed: install it (on Debian: apt install gettext)."; exit 1; }
	@$(ELSEWHERE) for domain in django djangojs; do $(BIN)/python manage.py makemessages --domain $$domain \
	  --locale $(LANGUAGE) $(foreach part,$(NOT_OURS),--ignore '$(part)'); done && \
	  $(BIN)/python manage.py compilemessages --locale $(LANGUAGE) --verbosity 0

lint: $(VENV)/.installed-dev node_modules/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/bandit --quiet --recursive --configfile pyproject.toml manage.py $(filter-out benchmarks,$(PACKAGES))
	@$(ELSEWHERE) $(BIN)/mypy manage.py $(PACKAGES)
	@npm run --silent lint
	@$(BIN)/djlint --quiet --lint templates

# make lock: bring the locks up to date with requirements.txt and requirements-dev.txt; everything else keeps its
# version. make lock ARGS=--upgrade: take the newest version of what is not pinned there.
lock: $(VENV)/.installed-dev
	@$(LOCK) requirements.lock requirements.txt $(ARGS)
	@$(LOCK) requirements-dev.lock --constraint requirements.lock requirements-dev.txt $(ARGS)
	@$(LOCK) requirements-older.lock --no-deps requirements-older.txt
	@for lock in requirements.lock requirements-dev.lock; do \
	  awk '/^[a-z]/ { left_out = /$(OF_TORCH)/ } !left_out' $$lock >$$lock.new && mv $$lock.new $$lock; done

# make audit: ask services on the network for known weaknesses of the locked packages.
audit: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.audit

$(VENV)/.made:
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed: install it, or name it with make PYTHON=/path/to/python3."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing: install it (on Debian: apt install python3-venv)."; exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The lock holds every package but torch and what only torch needs (CUDA): those differ between indexes, so that the
# index decides which build a machine gets. --no-deps: nothing comes that the lock does not name.
$(VENV)/.installed: requirements.lock requirements.txt | $(VENV)/.made
	@echo "Installing the Python packages ..."
	@$(PIP) install $(LOCKED) requirements.lock
	@echo "Installing PyTorch (this can take some minutes) ..."
	@$(PIP) install "$$(grep '^torch==' requirements.txt)"
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the packages that the tests need ..."
	@$(PIP) install --quiet $(LOCKED) requirements-dev.lock
	@touch $@

# Beside the packages of the site, not in their place: tests put this folder first in the path of a process.
$(VENV)/older/.installed: requirements-older.lock | $(VENV)/.installed
	@echo "Installing the older libraries that the tests load saved files with ..."
	@rm -rf $(@D)
	@$(PIP) install --quiet --target $(@D) $(LOCKED) requirements-older.lock
	@touch $@

static/vendor/.installed: package-lock.json static/vendor.mjs
	@command -v npm >/dev/null || { echo "Node.js with npm is needed for the front-end libraries: install it (on Debian: apt install nodejs npm)."; exit 1; }
	@echo "Installing the front-end libraries ..."
	@npm ci --silent --omit=dev || { echo "npm could not install the front-end libraries: run npm ci to see why."; exit 1; }
	@node static/vendor.mjs
	@touch $@

# What lints and tests scripts and pages. `npm ci` empties node_modules, so that this is done again after the rule above.
node_modules/.installed-dev: package-lock.json static/vendor/.installed
	@npm ci --silent || { echo "npm could not install what the tests need: run npm ci to see why."; exit 1; }
	@touch $@

staticfiles/staticfiles.json: static/vendor/.installed $(VENV)/.installed $(shell find static -type f -not -path 'static/vendor/*')
	@echo "Collecting style sheets and scripts ..."
	@$(ELSEWHERE) $(BIN)/python manage.py collectstatic --noinput --ignore vendor.mjs --ignore '*.d.ts' --verbosity 0
	@touch $@
