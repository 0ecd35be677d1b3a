# make demo | test | test-clients | check | bench: each makes the environment it needs and works from a clean clone.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
CLIENTS = .clients
DATA ?=

.PHONY: demo test test-clients check bench bench-engine bench-search bench-curves bench-warmstart bench-stopping clean

$(VENV)/demo: pyproject.toml
	@echo "Making an environment in $(VENV) (a minute or two the first time) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/dev: pyproject.toml
	@echo "Making an environment in $(VENV) (a few minutes the first time) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/demo

demo: $(VENV)/demo
	$(BIN)/python examples/when_to_stop/run.py $(if $(DATA),--data $(DATA))

$(CLIENTS)/%/made: tests/clients/requirements/%.txt
	@echo "Making an environment in $(@D) (a few minutes the first time) …"
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

test: $(VENV)/dev $(CLIENTS)/sdk2/made
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not clients"

# The clients that alfine serves, as they come from the package index, in environments of their own.
test-clients: $(VENV)/dev $(patsubst tests/clients/requirements/%.txt,$(CLIENTS)/%/made,$(wildcard tests/clients/requirements/*.txt))
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/clients

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: bench-engine bench-search bench-curves bench-warmstart bench-stopping

bench-engine: $(VENV)/demo
	$(BIN)/python bench/engine/run.py

bench-search: $(VENV)/demo
	$(BIN)/python bench/search/run.py

bench-warmstart: $(VENV)/demo
	$(BIN)/python bench/warmstart/run.py

bench-curves: $(VENV)/dev
	$(BIN)/python bench/curves/run.py

bench-stopping: $(VENV)/demo
	$(BIN)/python bench/stopping/run.py
	$(BIN)/python bench/stopping/forecasts.py

clean:
	rm -rf $(VENV) $(CLIENTS) .pytest_cache .mypy_cache .ruff_cache dist when-to-stop
