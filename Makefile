# Everything works on a fresh machine with Python 3.11+ and make: each target builds .venv first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
MILVUS := .venv-milvus
CODE := embedder indexes service kindred tests benchmarks examples

DATA ?= ../shared/data
TEACHERS ?= ../shared/teachers
OUT ?= runs/mini

.PHONY: help install demo test test-milvus settings check format proto release-contract train evaluate bench lock clean

help:  ## Show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## Build .venv with everything that demo, tests and training need

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[dev]'
	touch $@

demo: $(STAMP)  ## Index a gallery of photos and sounds, ask it questions, serve a search page
	$(BIN)/kindred demo

test: $(STAMP)  ## Run every test but those that need a Milvus server, on every core
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist loadfile --max-worker-restart 0

test-milvus: $(STAMP) $(MILVUS)/.installed  ## Start a Milvus server and run the tests that need one
	$(BIN)/python -m pytest -m milvus

# Its last wheel; in an environment of its own, since all it shares with Kindred is a socket.
$(MILVUS)/.installed:
	$(PYTHON) -m venv $(MILVUS)
	$(MILVUS)/bin/python -m pip install --quiet milvus==2.3.5
	touch $@

settings: $(STAMP)  ## Write SETTINGS.md from service/settings
	$(BIN)/python -m tests.settings_table

check: $(STAMP)  ## Format, lint, types, import contracts, the wire's contract, generated code
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy --num-workers auto $(CODE)
	$(BIN)/lint-imports
	$(BIN)/buf lint proto
	$(BIN)/buf breaking proto --against tests/released_contract.binpb
	$(BIN)/python -m tests.generated
	$(BIN)/python -m tests.settings_table --check

format: $(STAMP)  ## Format and fix what can be fixed
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

proto: $(STAMP)  ## Generate kindred/v1 from proto/
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=. --pyi_out=. --grpc_python_out=. proto/kindred/v1/*.proto

release-contract: $(STAMP)  ## Keep proto/ as what `make check` holds later changes to
	$(BIN)/buf build proto -o tests/released_contract.binpb

train: $(STAMP)  ## Train kindred-mini from DATA and TEACHERS into OUT, then write embedder/weights
	$(BIN)/kindred train --data $(DATA) --teachers $(TEACHERS) --out $(OUT)
	cp $(OUT)/kindred-mini.safetensors $(OUT)/kindred-mini.tokenizer.json \
		$(OUT)/kindred-mini.bridges.safetensors embedder/weights/

evaluate: $(STAMP)  ## Print the retrieval figures of kindred-mini on DATA
	$(BIN)/kindred evaluate --data $(DATA) --names $(TEACHERS)/imagenet_labels.txt

card: $(STAMP)  ## Print the model card's tables: kindred-mini beside the teachers of the run in OUT
	$(BIN)/kindred evaluate --data $(DATA) --names $(TEACHERS)/imagenet_labels.txt \
		--run $(OUT) --teachers $(TEACHERS) --rebind --demo --markdown

bench: $(STAMP)  ## Measure what the README states
	$(BIN)/python -m benchmarks.encode
	$(BIN)/python -m benchmarks.search

lock: $(STAMP)  ## Write the exact versions of this environment, naming no index
	$(BIN)/python -m pip freeze --exclude-editable | sed -E 's/\+cpu$$//' > requirements.lock

clean:  ## Remove what was built, keep what was trained
	rm -rf $(VENV) $(MILVUS) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
