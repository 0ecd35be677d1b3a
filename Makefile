# Each target makes the environment it needs and works from a clean clone.
#
#   make demo          a tuning job that stops by itself (examples/when_to_stop)
#   make test          the whole suite, against the built wheel
#   make test-fast     unit tests and contracts, against the editable checkout: under a minute
#   make faults        injects faults into a live server and its training jobs for SECONDS, by SEED
#   make faults-ray    kills parts of a Ray cluster, FAULTS of them, by SEED, while training jobs run on it
#   make states        sends a live server spoilt REQUESTS, and looks at what it made of them, by SEED
#   make test-clients  the SDKs, Airflow and the AWS CLI against a live server
#   make test-integrations  callbacks and plug-ins in the frameworks that the suite doesn't install, oldest and newest version;
#                      test-integrations-NAME: in one of them
#   make check         ruff, mypy, import-linter and codespell
#   make ci            what .ci/run runs: the checks and the whole suite
#   make dev           an environment with the checkout installed editable, with all that the tests need
#   make docs          write the pages of docs/reference that are made from the code, and build the docs site into site/
#   make dist          what a release uploads: sdist and wheel, the same bytes for the same commit, and their checksums, in dist/
#   make sbom          the wheel's bill of materials (CycloneDX), in dist/
#   make mutants       changes the code in one place at a time: do the tests notice?
#   make bench         all benchmarks; bench-NAME runs one of them
PYTHON ?= python3
# Environments: of the editable checkout, of the built wheel, of the clients that alfine serves, of the docs site's builder, of what makes a release.
VENV ?= .venv
WHEEL ?= .venv-wheel
CLIENTS ?= .clients
INTEGRATIONS ?= .integrations
SITE ?= .venv-docs
RELEASE ?= .venv-release
# One more than two cores: tests also wait, for servers and training jobs.
JOBS ?= 3
DATA ?=
# How many places `make mutants` changes, for how long `make faults` injects faults, how many `make faults-ray` does, and how many
# requests `make states` spoils. SEED says which sample: without it, mutants take
# that of seed 1, and the others another one each time, which they print.
COUNT ?= 100
SECONDS ?= 900
FAULTS ?= 100
REQUESTS ?= 20000
SEED ?=

BIN = $(VENV)/bin
PIP = -m pip --disable-pip-version-check --quiet
SOURCES = pyproject.toml README.md LICENSE $(shell find src -not -name '*.pyc' -not -name __pycache__)
PYTEST = -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
FAST = tests/architecture tests/contracts tests/core tests/criteria tests/strategies tests/surrogate
CLIENTS_OF_TEST = $(CLIENTS)/sdk2/made $(CLIENTS)/s3fs/made
BENCHMARKS = engine search curves warmstart stopping definitions server studies integrations

# What is tested is what is installed, never what a caller's PYTHONPATH leads to.
unexport PYTHONPATH

.PHONY: demo dev test test-fast test-clients test-integrations faults faults-ray states check ci docs dist sbom bench $(BENCHMARKS:%=bench-%) mutants clean
.DELETE_ON_ERROR:
.PRECIOUS: $(INTEGRATIONS)/%/made

# -- environments ------------------------------------------------------------------------------------------------------

$(VENV)/bin/python $(WHEEL)/bin/python:
	@$(PYTHON) -m venv $(@D:%/bin=%)

$(VENV)/demo: pyproject.toml | $(VENV)/bin/python
	@echo "Making an environment in $(VENV) (a minute or two the first time) …"
	@$(BIN)/python $(PIP) install -e '.[demo]'
	@touch $@

$(VENV)/core-dev: pyproject.toml | $(VENV)/bin/python
	@echo "Making an environment in $(VENV) (a minute or two the first time) …"
	@$(BIN)/python $(PIP) install -e '.[core-dev]'
	@touch $@

$(VENV)/dev: pyproject.toml | $(VENV)/bin/python
	@echo "Making an environment in $(VENV) (a few minutes the first time) …"
	@$(BIN)/python $(PIP) install -e '.[dev]'
	@touch $@ $(VENV)/core-dev $(VENV)/demo

# The wheel that users get, and an environment that has it installed, with all that the tests need.
$(WHEEL)/built: $(SOURCES) | $(WHEEL)/bin/python
	@echo "Building the wheel …"
	@rm -rf $(WHEEL)/dist
	@$(WHEEL)/bin/python $(PIP) wheel --no-deps --wheel-dir $(WHEEL)/dist .
	@$(WHEEL)/bin/python $(PIP) install --no-deps --force-reinstall $(WHEEL)/dist/*.whl
	@touch $@

$(WHEEL)/made: pyproject.toml $(WHEEL)/built
	@echo "Making an environment for the tests in $(WHEEL) (a few minutes the first time) …"
	@$(WHEEL)/bin/python $(PIP) install "$$(echo $(WHEEL)/dist/*.whl)[dev]"
	@touch $@

# The clients that alfine serves, as they come from the package index, in environments of their own.
$(CLIENTS)/%/made: tests/clients/requirements/%.txt
	@echo "Making an environment in $(@D) (a few minutes the first time) …"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python $(PIP) install -r $<
	@touch $@

# What builds the docs site, and nothing else.
$(SITE)/made: docs/site/requirements.txt
$(RELEASE)/made: .ci/release-requirements.txt
$(SITE)/made $(RELEASE)/made:
	@echo "Making an environment in $(SITE) (a minute the first time) …"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python $(PIP) install -r $<
	@touch $@

# The wheel in the frameworks that it's tested in, in environments of their own: NAME-oldest has the oldest versions. The pip that
# comes with Python 3.11 looks for ten minutes for versions of MLflow and W&B that go together; the newest one needs half a minute.
$(INTEGRATIONS)/%/made: tests/integrations/requirements/%.txt $(WHEEL)/built
	@echo "Making an environment in $(@D) (a few minutes the first time) …"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python $(PIP) install --upgrade pip
	@$(@D)/bin/python $(PIP) install -r $< pytest hypothesis $(WHEEL)/dist/*.whl
	@$(@D)/bin/python $(PIP) install --no-deps --force-reinstall $(WHEEL)/dist/*.whl
	@touch $@

dev: $(VENV)/dev

# -- tests and checks --------------------------------------------------------------------------------------------------

test: $(WHEEL)/made $(CLIENTS_OF_TEST)
	$(WHEEL)/bin/python $(PYTEST) -m "not clients"

test-fast: $(VENV)/core-dev
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(FAST)

test-clients: $(WHEEL)/made $(patsubst tests/clients/requirements/%.txt,$(CLIENTS)/%/made,$(wildcard tests/clients/requirements/*.txt))
	$(WHEEL)/bin/python $(PYTEST) tests/clients

test-integrations: $(patsubst tests/integrations/requirements/%.txt,test-integrations-%,$(wildcard tests/integrations/requirements/*.txt))

# Tests whose name has that of the environment, less «-oldest».
test-integrations-%: $(INTEGRATIONS)/%/made
	$(INTEGRATIONS)/$*/bin/python -m pytest -k $(firstword $(subst -, ,$*)) \
		tests/integrations/test_callbacks.py $(wildcard tests/integrations/test_$(firstword $(subst -, ,$*)).py)

faults: $(VENV)/dev
	$(BIN)/python -m tests.faults --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.faults.servers --seconds $$(( $(SECONDS) / 3 )) $(if $(SEED),--seed $(SEED))

faults-ray: $(VENV)/dev
	$(BIN)/python -m tests.faults.on_ray --faults $(FAULTS) $(if $(SEED),--seed $(SEED))

states: $(VENV)/dev
	$(BIN)/python -m tests.faults.states --requests $(REQUESTS) $(if $(SEED),--seed $(SEED))

define checks
	$(1)/ruff check .
	$(1)/ruff format --check .
	$(1)/mypy
	PYTHONPATH=src $(1)/lint-imports
	$(1)/codespell
endef

check: $(VENV)/core-dev
	$(call checks,$(BIN))

ci: $(WHEEL)/made $(CLIENTS_OF_TEST)
	$(call checks,$(WHEEL)/bin)
	$(WHEEL)/bin/python $(PYTEST) -m "not clients"

# -- pages, example, benchmarks ----------------------------------------------------------------------------------------

docs: $(VENV)/core-dev $(SITE)/made
	@for page in docs/reference/write_*.py; do echo $$page; $(BIN)/python $$page || exit 1; done
	$(SITE)/bin/python docs/site/build.py site

dist: $(RELEASE)/made
	$(RELEASE)/bin/python .ci/dist.py dist

# What `pip install alfine` brings on this machine, without extras: each package with its version and licence. The builder
# reads no dynamic versions, so it gets a copy with the wheel's.
sbom: dist
	@rm -rf $(RELEASE)/installed && $(PYTHON) -m venv --without-pip $(RELEASE)/installed
	@$(RELEASE)/bin/python $(PIP) --python $(RELEASE)/installed/bin/python install dist/*.whl
	@version=$$(basename dist/*.whl -py3-none-any.whl) \
	  && sed "s/^dynamic = .*/version = \"$${version#alfine-}\"/" pyproject.toml > $(RELEASE)/pyproject.toml \
	  && $(RELEASE)/bin/cyclonedx-py environment --pyproject $(RELEASE)/pyproject.toml --mc-type library --output-reproducible \
	    --output-format JSON --output-file dist/$$version.cdx.json $(RELEASE)/installed/bin/python

demo: $(VENV)/demo
	$(BIN)/python examples/when_to_stop/run.py $(if $(DATA),--data $(DATA))

bench: $(BENCHMARKS:%=bench-%)

bench-engine bench-search bench-warmstart bench-definitions: bench-%: $(VENV)/demo
	$(BIN)/python bench/$*/run.py

bench-curves bench-server bench-studies bench-integrations: bench-%: $(VENV)/dev
	$(BIN)/python bench/$*/run.py

bench-stopping: $(VENV)/demo
	$(BIN)/python bench/stopping/run.py
	$(BIN)/python bench/stopping/forecasts.py

# Changes the code in one place at a time, and counts how often the tests notice (CONTRIBUTING.md).
mutants: $(VENV)/dev
	@$(BIN)/python $(PIP) install coverage
	$(BIN)/python bench/mutation/run.py --count $(COUNT) $(if $(SEED),--seed $(SEED))

clean:
	rm -rf .mutation $(VENV) $(WHEEL) $(CLIENTS) $(SITE) $(RELEASE) site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist when-to-stop
