PYTHON ?= python3.11
VENV ?= .venv
PORT ?= 8000
BENCH_PYTHON ?= /usr/bin/python3.11
BIN = $(VENV)/bin
SERVER_SIDE = tests/keys tests/estuary_admin tests/faults tests/security

.PHONY: demo test test-at test-fast test-postgres lint format observatory screenshots lighthouse bench bench-profile clean

demo: $(VENV)/runtime
	@exec $(BIN)/python -m keys.demo --port $(PORT)

test: $(VENV)/development
	$(BIN)/python -m pytest -n auto --cov --cov-report=term

# With the clock set to a DATE; needs Debian's faketime, with which no browser works.
test-at: $(VENV)/development
	$(BIN)/python -m tests.at_date $(DATE) $(BIN)/python -m pytest -n auto -m "not browser" --ignore tests/engines

# The tests to run while working: no browser, no server processes (PostgreSQL, Redis, proxies).
# Two at once per core: they wait for sockets half of the time.
test-fast: $(VENV)/development
	$(BIN)/python -m pytest -n $$((2 * $$(nproc))) -q --fast -m "not browser"

# Tests of the server side on PostgreSQL and Redis (Debian's packages).
test-postgres: $(VENV)/development
	$(BIN)/python -m tests.backing $(BIN)/python -m pytest -n auto --only-database $(SERVER_SIDE)

# Scan the console behind nginx with the HTTP Observatory; needs Node.js 20 and npm.
observatory: $(VENV)/development var/observatory/installed
	$(BIN)/python -m pytest tests/deploy/test_observatory.py

# --ignore-scripts: its install script would fetch the HSTS preload list, which does not name us.
var/observatory/installed: tests/observatory/package.json tests/observatory/package-lock.json
	mkdir -p var/observatory
	cp $^ var/observatory/
	npm ci --prefix var/observatory --ignore-scripts --no-audit --no-fund
	echo '{}' > var/observatory/node_modules/@mdn/mdn-http-observatory/conf/hsts-preload.json
	touch $@

lint: $(VENV)/development
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/djlint --lint --quiet templates
	$(BIN)/python -m tests.lint_environment makemigrations --check --dry-run
	$(BIN)/python -m tests.migrations
	$(BIN)/python -m tests.lint_environment check --deploy --fail-level WARNING

screenshots: $(VENV)/development
	$(BIN)/python -m tests.browser.screenshots $(ONLY)

# The whole takes 10 minutes and rewrites bench/results; QUICK=1 takes 2 minutes.
# In an environment of its own: the Python must be an optimised one, as distributions build it.
bench:
	$(MAKE) --no-print-directory VENV=.venv-bench PYTHON=$(BENCH_PYTHON) .venv-bench/development
	.venv-bench/bin/python -m bench $(if $(QUICK),--quick) $(PART)

bench-profile: $(VENV)/development
	$(BIN)/python -m bench.profile $(KEYS)

# Needs Node.js, npm and a Chromium.
lighthouse: $(VENV)/development
	npm install --prefix var/lighthouse --no-audit --no-fund --save-exact lighthouse@12.8.2
	$(BIN)/python -m tests.browser.lighthouse

format: $(VENV)/development
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/development: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/runtime

clean:
	rm -rf $(VENV) .venv-bench var
