# One word per task. Everything installs what it needs: Python packages into .venv, tools into a per-user cache.
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python

.DEFAULT_GOAL := help
.PHONY: help lab lab-preview lab-destroy lab-env lab-down lab-real lab-real-down test check format tools bench
.PHONY: schema pins lock verify doctor render kubeconfig talosconfig

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

$(STAMP): requirements-dev.txt requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@echo "== Python packages into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements-dev.txt
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

lab-real: $(STAMP) ## real Talos nodes and the real Cilium agent in namespaces, ARP and HTTP on 10.0.50.200 (root)
	@$(RUN) -m lab.real up
	@$(RUN) -m lab.real prove

lab-real-down: $(STAMP) ## end the real lab and remove all of it
	@$(RUN) -m lab.real down

verify: $(STAMP) ## is the cluster of STACK as it should be? a table with evidence (docs/verify.md)
	@$(RUN) -m ops verify $(if $(STACK),--stack $(STACK))

doctor: $(STAMP) ## what is wrong, and the likely cause: tools, nodes, config, addresses
	@$(RUN) -m ops doctor $(if $(STACK),--stack $(STACK))

kubeconfig: $(STAMP) ## merge the kubeconfig of STACK into your own (0600); OUTPUT=file writes it there alone
	@$(RUN) -m ops kubeconfig --stack $(STACK) $(if $(OUTPUT),--output $(OUTPUT))

talosconfig: $(STAMP) ## the same for the talosconfig
	@$(RUN) -m ops talosconfig --stack $(STACK) $(if $(OUTPUT),--output $(OUTPUT))

render: $(STAMP) ## write cilium-ip-pool.yaml of STACK for Flux (docs/flux.md)
	@$(RUN) -m ops render $(if $(STACK),--stack $(STACK)) --pool cilium-ip-pool.yaml

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

pins: $(STAMP) ## write the pinned versions to the files that repeat them (docs/development.md)
	@$(RUN) -m lab.tools.pin_files

lock: $(STAMP) ## resolve requirements*.in into the locked files with hashes
	@$(RUN) -m pip install --quiet uv==0.13.9
	@for name in requirements requirements-dev; do \
	  $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command 'make lock' $$name.in --output-file $$name.txt; done
