# Everything runs in a virtual environment that these targets make; nothing but Python 3.11+ is assumed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STATES := base pre_revert accepted
STAMP := $(VENV)/.installed
# What Python compiled is kept, whatever the environment says: the check starts hundreds of processes.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install demo test check lint types layers docs unit format bench clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

install: $(STAMP)  ## make the virtual environment

test: install check  ## everything needed, then the whole check

check: lint types layers docs unit  ## linters of code and workflows, mypy, import-linter, the site, pytest

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck action/*.sh
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml comment/action.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --quiet --offline --no-progress .

types: $(STAMP)
	MYPY_NUM_WORKERS=2 $(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

docs: $(STAMP)  ## the documentation site, in build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Plugins are named, not found: else pytest rewrites every module of sassay, which has a plugin too.
unit: $(STAMP)
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest -p xdist -n 2 --dist worksteal

format: $(STAMP)  ## let ruff rewrite
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

demo: $(STAMP)  ## compile the router case for sm_90, compare its three states, show the gate
	@mkdir -p demo
	@for state in $(STATES); do \
	  $(BIN)/sassay compile examples/router/$$state.toml --arch sm_90 -o demo/$$state.sassay || exit; \
	done
	@echo
	@$(BIN)/sassay diff $(STATES:%=demo/%.sassay) --group 'RMSNorm=*rmsnorm*' \
	  $(foreach state,$(STATES),--evidence $(state)=examples/router/evidence/$(state).json) \
	  --html demo/report.html
	@echo
	@echo "The gate on base -> pre_revert, which is what the pull request was:"
	@echo
	@$(BIN)/sassay check demo/base.sassay demo/pre_revert.sassay \
	  --policy kernel-family-deltas --summary
	@echo
	@echo "Open demo/report.html in a browser. With --fail-on review the gate exits 1."

bench: $(STAMP)  ## measure start-up and diffs against the text tools (minutes)
	$(BIN)/python -m bench.startup
	$(BIN)/python -m bench.diff_caches
	$(BIN)/python -m bench.wheel

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache
