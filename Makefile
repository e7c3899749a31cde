# One word per task. Everything installs what it needs: Python packages into .venv, tools into a per-user cache.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help lab lab-preview lab-destroy lab-env lab-down test check format tools bench schema lock

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements-dev.txt requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@echo "== Python packages into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.txt
	@touch $@

lab: $(STAMP) ## the whole job on this machine: Talos nodes, Kubernetes, Cilium, 10.0.50.200 (LAB_NODES=3+2)
	@$(RUN) -m lab up

lab-preview: $(STAMP) ## what `make lab` would change now
	@$(RUN) -m lab preview

lab-destroy: $(STAMP) ## `pulumi destroy` on the lab; its nodes go back to maintenance mode
	@$(RUN) -m lab destroy

lab-env: $(STAMP) ## shell lines for kubectl and talosctl against the lab
	@$(RUN) -m lab env

lab-down: $(STAMP) ## end every process of the lab and remove its state
	@$(RUN) -m lab down

test: $(STAMP) ## every check and test (CI runs this)
	@$(RUN) -m tests

check: $(STAMP) ## the fast half: lint, format, types, unit and property tests
	@$(RUN) -m tests --fast

format: $(STAMP) ## format the Python code
	@$(RUN) -m ruff format .
	@$(RUN) -m ruff check --fix --quiet .

tools: $(STAMP) ## get or build the tools without starting anything
	@$(RUN) -m lab.tools

bench: $(STAMP) ## speed of preview and up, as ratios
	@$(RUN) -m lab.bench

schema: $(STAMP) ## write schemas/stack.schema.json from the config model
	@$(RUN) -m model.schema

lock: $(STAMP) ## resolve requirements*.in into the locked files with hashes
	@$(RUN) -m pip install --quiet uv==0.13.9
	@for name in requirements requirements-dev; do \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command 'make lock' $$name.in --output-file $$name.txt; done
