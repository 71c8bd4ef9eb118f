.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
COMPILE := $(VENV)/bin/uv pip compile --universal --generate-hashes --python-version 3.11 --quiet --no-annotate \
	--custom-compile-command "make lock"

SHELL_SCRIPTS := start_project.sh .ci/run deploy/*/*.sh
DOCKERFILES := */Dockerfile deploy/*/Dockerfile
JAVASCRIPT := '{producer_service,consumer_service,kafka_page,tests/javascript}/**/*.js'

# Where it is set, every process that a test starts would compile all of its modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up down format lint unit test test-containers test-compose chaos chaos-quick chaos-zookeeper runbook screenshots simulate mutants bench compare openapi lock

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 17

$(STAMP): tests/requirements.txt
	python3 -m venv --clear $(VENV)
	$(PY) -m pip install --quiet --require-hashes --requirement tests/requirements.txt
	@touch $(STAMP)

up: ## start everything and print the addresses
	./start_project.sh

down: ## stop everything, keep the data
	./start_project.sh stop

format: $(STAMP) ## format Python and JavaScript, sort the imports
	$(VENV)/bin/ruff check --select I --fix .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/oxfmt $(JAVASCRIPT)

# There is no shellcheck wheel for Linux on ARM; there, the shellcheck on the PATH is used.
lint: $(STAMP) ## check style, types and spelling: Python, JavaScript, shell, Dockerfiles, prose
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	PYTHONPATH=producer_service:consumer_service:projector_service:kafka_page:. $(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/oxlint --deny-warnings producer_service consumer_service kafka_page tests/javascript
	$(VENV)/bin/oxfmt --check $(JAVASCRIPT)
	PATH="$(VENV)/bin:$$PATH" shellcheck $(SHELL_SCRIPTS)
	$(VENV)/bin/hadolint $(DOCKERFILES)
	$(VENV)/bin/codespell

unit: $(STAMP) ## the tests that need no database and no Kafka; takes seconds
	$(PY) -m pytest tests/unit tests/contract

# Three processes: most tests wait for real servers, and each group of tests has a stack of its own.
test: $(STAMP) ## the whole test suite, on real PostgreSQL and Kafka
	$(PY) -m pytest --numprocesses 3 --no-loadscope-reorder

test-containers: $(STAMP) ## the integration tests on PostgreSQL and Kafka in containers; without those of the native stack
	$(PY) -m pytest --numprocesses 3 --no-loadscope-reorder --stack containers tests/integration \
		--ignore tests/integration/kafka_ui --ignore tests/integration/local_stack

test-compose: $(STAMP) ## Docker Compose: the same end-to-end tests through the gateway, and what only holds there
	$(PY) -m pytest --stack compose tests/compose tests/e2e --ignore tests/e2e/test_start_project.py \
		--ignore tests/e2e/test_more_partitions.py $(NO_RUNBOOK)

# Each fault is waited for as an operator waits: it takes many minutes.
RUNBOOK := tests/e2e/test_runbook.py
NO_RUNBOOK := --ignore $(RUNBOOK) --ignore tests/e2e/test_runbook_natively.py --ignore tests/compose/test_runbook.py

runbook: $(STAMP) ## type every command of docs/runbook.md, natively and then, where an engine answers, with Docker
	$(PY) -m pytest $(RUNBOOK) tests/e2e/test_runbook_natively.py
	! docker info >/dev/null 2>&1 || $(PY) -m pytest --stack compose $(RUNBOOK) tests/compose/test_runbook.py

# The clock is set for a stack by a small library in C, and disks are small file systems: without a compiler, or not as
# root, those faults are left out.
CHAOS := $(PY) -m pytest -s --override-ini addopts=--import-mode=importlib tests/chaos

chaos: $(STAMP) ## faults under load, a quarter of an hour; TABLE=1 writes what happened into docs/delivery.md
	$(CHAOS) $(if $(TABLE),--table)

chaos-quick: $(STAMP) ## two minutes of them
	$(CHAOS) -m quick

chaos-zookeeper: $(STAMP) ## faults of Kafka with ZooKeeper; TABLE=1 writes what happened into docs/zookeeper.md
	$(CHAOS) --zookeeper $(if $(TABLE),--table)

screenshots: $(STAMP) ## the pictures in the README, taken anew
	mkdir -p docs/images
	REQUIRE_BROWSER=1 $(PY) -m pytest tests/browser/test_looks.py -k picture --pictures docs/images

simulate: $(STAMP) ## play SEEDS seeds of tests/simulation: interleavings and faults, without I/O; tells the story of a failure
	$(PY) -m tests.simulation --seeds $(or $(SEEDS),100000)

mutants: $(STAMP) ## make the mistakes of tests/mutants, one at a time: each must turn its tests red; MUTANTS="NAME …"
	$(PY) -m tests.mutants $(MUTANTS)

bench: $(STAMP) ## how fast orders are taken, published and shown, ours beside other ways; takes half an hour
	PYTHONPATH=.:producer_service $(PY) -m bench.intake --plot docs/images/bench-intake.png
	PYTHONPATH=.:producer_service $(PY) -m bench.end_to_end --plot docs/images/bench-end-to-end.png
	PYTHONPATH=.:producer_service $(PY) -m bench.publish
	PYTHONPATH=.:producer_service $(PY) -m bench.projector
	PYTHONPATH=.:consumer_service $(PY) -m bench.filters
	PYTHONPATH=.:producer_service $(PY) -m bench.fanout --plot docs/images/bench-fanout.png

compare: $(STAMP) ## ways to get a committed order to Kafka, under faults; writes docs/compare.md; takes twenty minutes
	PYTHONPATH=.:producer_service $(PY) -m bench.compare --page docs/compare.md --plot docs/images/compare.png

openapi: $(STAMP) ## contracts/*openapi.json from the models
	cd producer_service && ../$(PY) -m producer.openapi > ../contracts/openapi.json
	cd projector_service && ../$(PY) -m projector.openapi > ../contracts/projector-openapi.json

lock: $(STAMP) ## pin every requirement again, one set of versions for all
	$(COMPILE) tests/requirements.in -o tests/requirements.txt
	for part in local_stack producer_service consumer_service projector_service db; do \
		$(COMPILE) $$part/requirements.in --constraint tests/requirements.txt -o $$part/requirements.txt; done
