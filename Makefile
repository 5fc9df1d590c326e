# `make` alone prints the targets. Everything is set up by the target that needs it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help demo start lab test lint lint-infra bench chaos clean

help: ## print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(STAMP) ## run the sample orders through the whole pipeline and check every one
	@$(BIN)/python -m demo

start: $(STAMP) ## serve until Ctrl-C; data is kept in .local/
	@$(BIN)/python -m emulator start --data-dir .local --settings local.settings.sample.json --seed samples/seed.json

lab: $(STAMP) ## carry out the steps of docs/lab.md: keys, OAuth, limit and credit at the gateway
	@$(BIN)/python -m lab

test: $(STAMP) ## the whole test suite
	@$(BIN)/python -m pytest

bench: $(STAMP) ## benchmarks: a table; ARGS=--json, --short, --publish, --again, --floors
	@case " $(ARGS) " in *" --short "*) ;; \
		*) $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[bench]' ;; esac
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: $(STAMP) ## kill it at every durable write and compare; ARGS="--short", "--points all"
	@$(BIN)/python -m chaos $(ARGS)

lint: $(STAMP) ## ruff, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lint-infra: $(STAMP) ## policy checks of infra/ (checkov, in an environment of its own)
	@$(BIN)/python scripts/lint_infra.py

clean: ## remove the virtual environments and local data
	rm -rf $(VENV) .venv-infra .local

# The virtual environment follows the dependency lists, and PYTHON where it is given.
$(STAMP): pyproject.toml requirements.txt scripts/make_venv.sh
	@PYTHON="$(PYTHON)" scripts/make_venv.sh $(VENV)
	@touch $(STAMP)
