# make demo | test | check | bench: each makes the environment it needs and works from a clean clone.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DATA ?=

.PHONY: demo test check bench bench-engine clean

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

test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: bench-engine

bench-engine: $(VENV)/demo
	$(BIN)/python bench/engine/run.py

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache dist when-to-stop
