# Every target makes the environment it needs: the first call of any of them creates .venv.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

WORLD ?= auto
TIME  ?= 20
SEED  ?= 1

.PHONY: help
help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "keelhaul needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another one: make PYTHON=python3.12" >&2; exit 64; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev,fast]'
	@touch $(STAMP)

.PHONY: venv
venv: $(STAMP) ## Make the environment in .venv

.PHONY: engine
engine: ## Install and start a Docker engine (Debian or Ubuntu, as root)
	@docker/engine.sh

.PHONY: image
image: ## Build the node's image, with the offline way to a base where no registry answers
	@docker/image.sh

# Containers need the image of this very source; without an engine there is nothing to build it with.
.PHONY: image-if-engine
image-if-engine:
	@if [ "$(WORLD)" = containers ]; then docker/image.sh; \
	elif [ "$(WORLD)" = auto ] && docker/engine.sh answers; then docker/image.sh || true; fi

.PHONY: test-partition
test-partition: $(STAMP) image-if-engine ## Cut the network in five shapes: WORLD=auto|containers|processes|sim TIME=20 SEED=1
	@$(BIN)/keelhaul run partition --world $(WORLD) --time-limit $(TIME) --seed $(SEED)

.PHONY: test-crash
test-crash: $(STAMP) image-if-engine ## Kill, restart and wipe nodes: the same options
	@$(BIN)/keelhaul run crash --world $(WORLD) --time-limit $(TIME) --seed $(SEED)

.PHONY: test-ring
test-ring: $(STAMP) image-if-engine ## Nodes join, are removed and replaced while clients write: the same options, and no TIME
	@$(BIN)/keelhaul run ring_under_load --world $(WORLD) --seed $(SEED)

.PHONY: explore
explore: $(STAMP) ## Look for bugs in simulation, another world in each seed: SEEDS=200 SCENARIO=mixed
	@$(BIN)/keelhaul explore $(or $(SCENARIO),mixed) --seeds $(or $(SEEDS),200)

.PHONY: convictions
convictions: $(STAMP) ## Take every planted bug through the whole hunt: CONFIRM=processes JOBS=2
	@$(BIN)/python -m tests.campaigns.convictions --jobs $(or $(JOBS),2) $(if $(CONFIRM),--confirm $(CONFIRM)) --out $(or $(OUT),runs/convictions)

.PHONY: test-determinism
test-determinism: $(STAMP) ## One digest for 20 specs in 6 processes under 3 hash seeds, 400 operations at once
	@$(BIN)/python -m tests.campaigns.determinism

.PHONY: test-log
test-log: $(STAMP) ## Crash the log engine on a simulated disk with every fault: CRASHES=10000
	@$(BIN)/python -m tests.campaigns.log_crashes --crashes $(or $(CRASHES),10000)

.PHONY: test
test: $(STAMP) ## Run the tests
	@$(BIN)/pytest -n 2 --dist worksteal

.PHONY: check
check: $(STAMP) ## Format, lint, types, and the rules of the house
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/pytest -q tests/house

.PHONY: format
format: $(STAMP) ## Put the code in order
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: clean
clean: ## Empty runs/ and throw away caches; .venv stays
	@rm -rf runs build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis ./*.egg-info
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

.PHONY: test-interrupts
test-interrupts: $(STAMP) image-if-engine ## End runs early in every way; nothing may be left behind: WORLD=processes|containers RUNS=10
	@$(BIN)/python -m tests.campaigns.interrupted_runs --world $(if $(filter auto,$(WORLD)),processes,$(WORLD)) --runs $(or $(RUNS),10)

.PHONY: test-seeds
test-seeds: $(STAMP) ## Many clean seeds of whole families in simulation, on all cores: SEEDS=50 FAMILIES="partition ring"
	@$(BIN)/python -m tests.campaigns.clean_seeds $(or $(FAMILIES),partition crash cart ring) --seeds $(or $(SEEDS),50)

.PHONY: bench
bench: $(STAMP) ## Measure how fast simulations are, beside two other kernels where a newer Python is here
	@$(BIN)/python -m benchmarks.simulation
