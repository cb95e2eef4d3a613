# Every target sets up what it needs; the work is in bin/.

.PHONY: help run scale demo test slow-test browser-test screenshots crash-test chaos fuzz lint format messages client lock report notebook check-notebook locust coverage bench bench-relay bench-growth bench-stock bench-hot bench-audit bench-admin bench-scale
.NOTPARALLEL:

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

run: ## Serve CloudMart with demo data on http://127.0.0.1:8000 (PORT=...)
	@bin/run

scale: ## Run nginx, web servers, Celery, workers, RabbitMQ, Redis, MariaDB and Prometheus on this machine (ARGS="--web 2")
	@bin/scale $(ARGS)

demo: ## Show orders in both saga styles, in the terminal, in a shop of their own
	@bin/demo

test: ## Run the tests on SQLite and on a throwaway MariaDB or MySQL (ARGS="-k stock")
	@bin/test $(ARGS)

slow-test: ## Run the tests that take long, on both databases: real servers, workers and Celery, kills, migrations (ARGS="-k celery")
	@bin/test -m slow $(ARGS)

browser-test: ## Use the admin, / and /docs in Chromium: stories, accessibility, phones, both languages (ARGS="-k phone")
	@bin/browser-test $(ARGS)

screenshots: ## Take the pictures of the documentation, in docs/pictures/
	@bin/screenshots

crash-test: ## Kill orders at every commit and provider call, and processes 200 times, on SQLite and on a throwaway server
	@CRASH_SAMPLE=all bin/test -m "" tests/crash $(ARGS)

chaos: ## Kill and stop nginx, servers, workers, RabbitMQ, Redis, the database and a receiver of webhooks under load, and check every order (CHAOS_SECONDS=20)
	@bin/chaos $(ARGS)

fuzz: ## Test the API against its own description (ARGS=120: 120 random requests per operation)
	@bin/fuzz $(ARGS)

lint: ## Check style, types, imports, migrations and docker-compose.yml
	@bin/lint

format: ## Format the code, and fix what the linter can fix
	@bin/setup dev
	@.venv/bin/ruff format
	@.venv/bin/ruff check --fix

messages: ## Update locale/ja from the code and the templates, and compile it
	@bin/messages

client: ## Write the generated files of the Python client in clients/python from the API's description
	@bin/client $(ARGS)

lock: ## Update requirements.lock after a change of requirements.txt or requirements-scale.txt (ARGS=--upgrade: all versions)
	@bin/setup dev
	@.venv/bin/uv pip compile requirements.txt requirements-scale.txt --universal --python-version 3.11 --generate-hashes --no-annotate \
	  --custom-compile-command "make lock" --output-file requirements.lock --quiet $(ARGS)

report: ## Measure 50 users under failures, and fail if a promised figure is missed (ARGS="--seconds 10 --rounds 1")
	@bin/bench report $(ARGS)

notebook: ## Run notebooks/performance.ipynb with the newest figures of report and bench, and save it
	@bin/notebook

check-notebook: ## Run the notebook with the figures in notebooks/data, and save nothing
	@bin/notebook check

locust: ## Put a load of your own on a running server, in the browser (HOST=..., ARGS="--headless -u 10 -t 30s")
	@bin/locust $(ARGS)

coverage: ## Run the tests on SQLite, and list the lines that none of them reaches; htmlcov/ shows them
	@bin/coverage $(ARGS)

bench: ## Measure orders per second and response times on a throwaway MariaDB or MySQL (ARGS="--rounds 5")
	@bin/bench $(ARGS)

bench-relay: ## Measure only what webhooks and streams cost orders, beside a worker (ARGS="--rounds 5")
	@bin/bench relay $(ARGS)

bench-growth: ## Compare the cost of an order at 1,000 and at 300,000 orders (ARGS="--large 100000")
	@bin/bench growth $(ARGS)

bench-stock: ## Measure long histories and many expired reservations
	@bin/bench stock $(ARGS)

bench-hot: ## Measure 50 buyers of one book, as one row and as sub-shelves (ARGS="--distance 0")
	@bin/bench hot $(ARGS)

bench-audit: ## Measure the audit of a million orders (ARGS="--orders 100000")
	@bin/bench audit $(ARGS)

bench-admin: ## Measure the admin's pages over 200,000 orders (ARGS="--orders 20000")
	@bin/bench admin $(ARGS)

bench-scale: ## Measure more processes against one of each, the cost of an order by component, and a dead RabbitMQ (ARGS="--rounds 1")
	@bin/bench scale $(ARGS)
