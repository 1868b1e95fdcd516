# Every target works alone on a fresh clone and sets up only what is missing. `make help` lists them.
SHELL := /bin/sh
PYTHON ?= python3
DOCS ?= data/docs
Q ?= How long is the warranty?
SHARED ?= ../shared
DEMO := faiss:data/demo
DEMO_ZH := 燕鸥 2 每用水多少升会提示除垢？
DEMO_EN := After how many kilograms of coffee should the burrs of the Wren grinder be replaced?
DEMO_NONE := Can I bring my dog to the office?
BIN := .venv/bin
STAMP := .venv/.ragstone-installed
DEV := .venv/.ragstone-dev-installed
INFINITY := .venv/.infinity-installed
PROXY := .venv-ollama/bin/ollama-proxy
NATIVE := .venv/.llama-native

.PHONY: help install native models demo ingest ask chat serve test test-page lint test-stores check-shared check-hard check-talk eval bench bench-quick clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

install: $(STAMP) ## the virtual environment .venv, every version pinned

$(STAMP): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing ragstone and its packages into .venv (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --upgrade "pip>=26"
	$(BIN)/python -m pip install --editable .
	@touch $(STAMP)

$(DEV): $(STAMP)
	@echo "Installing what the tests need into .venv ..."
	$(BIN)/python -m pip install --editable ".[dev]"
	@touch $(DEV)

native: $(NATIVE) ## llama.cpp built for this processor: prompts read 1.5 times as fast (needs a C++ compiler, ten minutes)

# The wheel's kernels suit any processor with AVX2. The same release is built from its source, with what no answer
# needs left out: its build would fetch that from elsewhere.
$(NATIVE): $(STAMP)
	$(BIN)/python -m pip install --quiet "cmake>=3.28,<5"
	PATH="$$($(BIN)/python -c 'import cmake; print(cmake.CMAKE_BIN_DIR)'):$$PATH" \
		CMAKE_ARGS="-DLLAMA_LLGUIDANCE=OFF -DLLAMA_BUILD_BORINGSSL=OFF" \
		$(BIN)/python -m pip install --no-deps --force-reinstall --no-binary xllamacpp \
		"$$($(BIN)/python -c 'from importlib.metadata import version; print("xllamacpp==" + version("xllamacpp"))')"
	@touch $(NATIVE)

models: install ## fetch the default models (about 1.3 GB, once for all projects)
	@$(BIN)/rag models pull

demo: install ## three questions to the sample folder
	@$(BIN)/rag models pull
	@RAG_INDEX=$(DEMO) $(BIN)/rag ingest data/docs
	@printf '%s\n' "$(DEMO_ZH)" "$(DEMO_EN)" "$(DEMO_NONE)" | RAG_INDEX=$(DEMO) $(BIN)/rag chat

ingest: install ## read a folder: make ingest DOCS=folder
	@$(BIN)/rag ingest "$(DOCS)"

ask: install ## one question: make ask Q="..."
	@$(BIN)/rag ask "$$Q"
ask: export Q := $(Q)

chat: install ## a conversation in the terminal
	@$(BIN)/rag chat

serve: install ## the page, and OpenAI's protocol, at 127.0.0.1:8765
	@$(BIN)/rag models pull
	@$(BIN)/rag serve

test: lint ## lint, types and all tests, real models included
	$(BIN)/python -m pytest

test-page: $(DEV) ## the page in a real Chromium, which is installed where there is none
	@PYTHON=$(BIN)/python .ci/browser
	$(BIN)/python -m pytest -m page tests/page

lint: $(DEV) ## style and types alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Its own pins go with nothing of ours: what it needs is in the extra `infinity`.
$(INFINITY): $(DEV)
	$(BIN)/python -m pip install --quiet --no-deps infinity-embedded-sdk==0.5.2
	@touch $(INFINITY)

# Its packages are not ours, so it has an environment of its own.
$(PROXY):
	$(PYTHON) -m venv .venv-ollama
	.venv-ollama/bin/python -m pip install --quiet ollama-proxy-plus==0.1.0

test-stores: $(DEV) $(INFINITY) $(PROXY) ## the same contract on real servers: Elasticsearch, PostgreSQL, Milvus, Redis, Qdrant
	RAG_OLLAMA_PROXY="$(CURDIR)/$(PROXY)" $(BIN)/python -m pytest -m stores --durations=10 \
		tests/stores tests/llms/test_providers.py tests/embedders/test_remote_embedders.py
ifneq ($(wildcard $(SHARED)/eval/xquad-en),)
	RAG_SHARED="$(SHARED)" $(BIN)/python -m pytest -m stores tests/check_shared/test_stores_xquad.py
endif

check-shared: $(DEV) ## difficult files and retrieval bars, from SHARED=folder
	RAG_SHARED="$(SHARED)" $(BIN)/python -m pytest tests/check_shared

# Kills and full disks take most of the time.
check-hard: $(DEV) ## what an index survives, in bigger figures (an hour): kills, full disks, crowds, damage, hostile files
	RAG_KILLS=1000 RAG_FULL_DISKS=50 RAG_CROWD_SECONDS=60 RAG_DAMAGED_INDEXES=500 RAG_HOSTILE_FILES=200 \
		$(BIN)/python -m pytest tests/hard tests/stores/test_killed.py tests/stores/test_damaged.py tests/network

check-talk: $(DEV) ## all conversations and all injected documents with the local language model (20 minutes)
	$(BIN)/python -m pytest -s -m slow tests

eval: install ## answers measured on question sets, from SHARED=folder: benchmarks/ANSWERS.md
	@$(BIN)/rag models pull
	$(BIN)/python benchmarks/answers.py "$(SHARED)/eval"

bench: install ## ragstone beside its peers, from SHARED=folder (hours; benchmarks/README.md): make bench RUNS="--runs 1"
	@$(BIN)/rag models pull
	$(BIN)/python -m benchmarks.run --shared "$(SHARED)" $(RUNS)

bench-quick: install ## the same with two peers and 300 abstracts: under three minutes, once the peers are installed
	@$(BIN)/rag models pull
	@$(BIN)/python -m benchmarks.run --shared "$(SHARED)" --quick

clean: ## remove the environment and the sample index
	rm -rf .venv .venv-ollama data/index data/demo
