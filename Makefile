# kelp: `make` alone says what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
DATA := data/fraud
CRDS := $(KELP_CRDS)

# The first Python that kelp supports; empty if there is none.
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
  $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)

.PHONY: help setup setup-torch setup-dev demo test test-slow check bench golden images kind-up kind-down clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## install kelp into .venv (about 710 MB to download, 1.8 GB on disk; no torch, no Alibi)
setup-torch: $(VENV)/.ready-torch ## add PyTorch, for `trainer: torch` (0.2 GB for CPUs; PyPI's wheel for Linux brings CUDA, about 3 GB)
setup-dev: $(VENV)/.ready-dev ## everything that the tests need: also PyTorch, Spark (0.4 GB) and the checkers

$(VENV)/bin/python:
ifeq ($(PYTHON),)
	@echo "kelp needs Python 3.11, 3.12 or 3.13 with the venv module; found: $$(python3 --version 2>&1 || echo none)"; \
	echo "fix: install one and run make again (Debian: apt-get install python3.11-venv; macOS: brew install python@3.12)"; exit 1
endif
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: pyproject.toml constraints.txt serving/trees/_kernel.c serving/trees/walk.h | $(VENV)/bin/python
	@echo "Installing kelp into $(VENV): about 710 MB to download the first time, 1.8 GB on disk."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[components,pipelines,serving,monitoring]' -c constraints.txt
	@touch $@

$(VENV)/.ready-torch: $(VENV)/.ready
	@echo "Adding PyTorch: 0.2 GB if pip finds the wheel for CPUs; PyPI's own wheel for Linux brings CUDA along, about 3 GB."
	@echo "To have the small one, point pip at PyTorch's index for CPUs (PIP_EXTRA_INDEX_URL); pytorch.org names it."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[components,pipelines,serving,monitoring,torch]' -c constraints.txt
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready-torch
	@echo "Adding what the tests need: Spark (0.4 GB), linters, checkers."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[components,pipelines,serving,monitoring,controller,torch,spark,dev]' -c constraints.txt
	@touch $@

demo: setup ## data, training, gates, registry, a served prediction and a verified record: all on this machine
	@PATH="$(CURDIR)/$(BIN):$$PATH" examples/demo

test: setup-dev ## every test but the slow ones
	$(BIN)/pytest -m 'not slow'

test-slow: setup-dev ## simulations and fuzzing
	$(BIN)/pytest -m slow --timeout=3600

check: setup-dev ## format, lint, types, layers, compiled pipelines
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/kelp compile models/*.yaml --check

bench: bench-steps bench-preparation bench-boosting bench-network bench-windows bench-kernels bench-serving bench-event_log bench-many_models ## measured beside the named peers, as ratios

bench-%: setup-dev
	$(BIN)/python -m bench.$*

golden: setup-dev ## rewrite the golden files after a wanted change; review the diff
	UPDATE_GOLDENS=1 $(BIN)/pytest -q tests/contract
	$(BIN)/kelp compile models/*.yaml

images: ## build the images of the steps and of the model server (needs docker)
	docker build --build-arg EXTRAS=components,pipelines --tag kelp-components:dev .
	docker build --build-arg EXTRAS=serving --tag kelp-serving:dev .

kind-up: ## a local cluster with kelp's own objects (needs kind and kubectl)
	kind create cluster --config kind-config.yaml
	kubectl apply --server-side -k manifests/overlays/kind

kind-down: ## remove that cluster
	kind delete cluster --name kelp

clean: ## remove the environment; workspaces and data stay
	rm -rf $(VENV)
