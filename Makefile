# `make` lists the targets. What CI runs is `make check`.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-print-directory

# Tools are pinned in a module of their own, so that go.mod stays small.
TOOL := go tool -modfile=internal/tools/go.mod
TCDA := go run ./cmd/tcda

# What `make generate` writes. Everything in these folders is generated.
GENERATED := internal/gen internal/pgstore/internal/dbsqlc schema/jsonschema schema/openapi/v1

# Packages whose tests start nothing.
PURE := $(addprefix ./internal/,fact execution scenario lock report event kafkarecord config telemetry opshttp)

# Packages with tests that take testenv.Broker, OwnBroker, ProxiedBroker or
# SecuredBroker: an in-process broker in `make test`, Apache Kafka in `make
# test-kafka`. The soak starts its own, of the kind that these would be.
ANY_KAFKA = $(addprefix ./,$(sort internal/soak/ $(dir $(shell grep -rlE --include=*_test.go 'testenv\.(Own|Proxied|Secured)?Broker\b' internal cmd))))

# Empty RACE switches the race detector off: make test RACE=
RACE ?= -race

# The revision that a change is compared with.
base ?= $(shell for r in origin/main main HEAD; do git rev-parse -q --verify "$$r^{commit}" >/dev/null 2>&1 && echo "$$r" && break; done)

BUILD   := github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || true)
LDFLAGS := -s -w -X $(BUILD).version=$(VERSION) -X $(BUILD).revision=$(REVISION)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Every day

.PHONY: build
build: ## Build tcda and tcda-lab into bin/
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

.PHONY: demo
demo: ## Run the whole system on an embedded default and show it
	@echo "demo: builds bin/tcda-lab, starts Kafka, PostgreSQL and Redis of its own on loopback, and plays scenarios"
	@$(MAKE) build
	@bin/tcda-lab demo

.PHONY: test
test: c-compiler ## Run every test with the race detector; what passed and did not change since is not run again
	@echo "test: real PostgreSQL and redis-server are found on this machine, or fetched for this user; nothing is left running"
	@go run ./internal/testenv/cmd/provision
	go test $(RACE) $(SHUFFLE) -timeout=25m $$(go list ./... | grep -v -e /internal/e2e -e '/internal/soak$$' -e /internal/soak/sabotage)
	go test $(RACE) $(SHUFFLE) -timeout=25m -count=1 -p=1 ./internal/e2e ./internal/soak # of programs that they build themselves: Go does not see that they changed
	go test $(SHUFFLE) -timeout=15m -count=1 -skip='TestCheckerSeesABrokenRule/(no-fence|first-run|forgotten-runs|ghosts)' ./internal/soak/sabotage # those are compiled only; one needs a zombie at the right moment, the others their time: make soak-proof

.PHONY: test-short
test-short: ## Run the tests of the packages that need no server, for while you type
	go test -shuffle=on $(PURE)

.PHONY: test-kafka
test-kafka: c-compiler ## Run the tests that must hold on any Kafka on Apache Kafka (fetched by Maven)
	@go run ./internal/testenv/cmd/provision postgresql redis kafka
	TCDA_TEST_KAFKA=apache go test $(RACE) -count=1 -timeout=25m $(ANY_KAFKA)

.PHONY: test-interop
test-interop: c-compiler ## Run a coordinator written in Python (fetched from PyPI) against tcda, on Apache Kafka and on the in-process one; and read reports with other programs
	@go run ./internal/testenv/cmd/provision postgresql redis kafka
	go test $(RACE) -tags=interop -run=TestPython -count=1 -timeout=10m ./internal/e2e ./internal/evidence
	go test -tags=interop -run='TestPython|TestChromium' -count=1 -timeout=10m ./internal/report/render

# One fuzz target a line, as package:name. Each is held to one processor, and two
# run at once. What one finds stays in its package's testdata/fuzz, to be
# committed with the mend: from then on every test run has it. Inputs are made smaller
# in few steps: for large ones, 60 s each, as is the default, would be all of the time.
FUZZ_TARGETS = $(shell grep -ro --include=*_test.go '^func Fuzz[A-Za-z0-9]*' internal cmd | sed -E 's|^(.*)/[^/]*:func (.*)$$|./\1:\2|' | sort)
time ?= 10m

.PHONY: fuzz
fuzz: ## Run each fuzz target for a while, two at a time: time=10m
	@logs=$$(mktemp -d); trap 'rm -rf "$$logs"' EXIT; \
	echo "fuzz: $(words $(FUZZ_TARGETS)) targets, $(time) each, two at a time"; \
	one() { target=$$1; package=$${target%%:*}; name=$${target##*:}; log="$$2/$$name"; \
		if go test -run='^$$' -fuzz="^$$name$$" -fuzztime=$(time) -fuzzminimizetime=100x -parallel=1 "$$package" >"$$log" 2>&1; then \
			echo "fuzz: $$package $$name: nothing found; $$(grep -o 'execs: [0-9]*' "$$log" | tail -1), $$(grep -o 'new interesting: [0-9]*' "$$log" | tail -1)"; \
		else \
			echo "fuzz: $$package $$name: FOUND SOMETHING"; cat "$$log"; exit 1; \
		fi; }; \
	export -f one; \
	printf '%s\n' $(FUZZ_TARGETS) | xargs -P 2 -I{} bash -c 'one "$$1" "$$2"' _ {} "$$logs" \
		|| { echo "fuzz: the inputs lie in testdata/fuzz of their packages; go test runs them from now on"; exit 1; }

.PHONY: soak
soak: ## Let two workers suffer 28 kinds of fault, and judge what they made: duration=5m records=1000000 kafka=apache seed=N rate=N
	@go run ./internal/testenv/cmd/provision postgresql redis $(filter-out kfake,$(subst apache,kafka,$(kafka)))
	@go run ./internal/soak/cmd/soak --duration=$(duration) --records=$(records) --kafka=$(kafka) $(if $(seed),--seed=$(seed)) $(if $(rate),--rate=$(rate)) $(if $(json),--json)

duration ?= 5m
records  ?= 1000000
kafka    ?= apache

.PHONY: soak-proof
soak-proof: ## Prove that the soak's checker sees a service with a broken rule, for ten rules
	@go run ./internal/testenv/cmd/provision
	go test -count=1 -timeout=15m -v -run=TestCheckerSeesABrokenRule ./internal/soak/sabotage

.PHONY: bench
bench: ## Measure the built service against what its database can do at best: ARGS='--only=mixed,ceiling --rounds=1'
	@echo "bench: builds tcda and tcda-lab, starts PostgreSQL, Kafka and Redis of its own on loopback, and measures for some minutes"
	@$(MAKE) build
	@bin/tcda-lab bench $(ARGS)

.PHONY: bench-history
bench-history: ## Measure what an event costs at 1, 10 and 50 million stored rows: some 50 GB of disk, a quarter of an hour
	@echo "bench-history: fills three databases, says beforehand how much disk that takes, and removes them"
	@$(MAKE) build
	@bin/tcda-lab bench --history=1,10,50 --events=100000 --rounds=7 $(ARGS)

.PHONY: seed
seed: ## Fill a migrated, empty database with a million executions: ARGS='--postgres-url=postgres://... --executions=200000 --log-lines=2000000'
	@$(MAKE) build
	@bin/tcda-lab seed --executions=1000000 --log-lines=20000000 $(ARGS)

.PHONY: bench-reads
bench-reads: ## Measure what page 10,000 of each list costs beside page 1: ARGS='--executions=1000000 --log-lines=20000000'
	@$(MAKE) build
	@bin/tcda-lab bench --only=reads $(ARGS)

.PHONY: bench-retention
bench-retention: ## Measure what a pass of retention gives back, and what ingest loses meanwhile: ARGS='--executions=1000000 --log-lines=20000000'
	@$(MAKE) build
	@bin/tcda-lab bench --only=retention $(ARGS)

.PHONY: bench-analytics
bench-analytics: ## Measure what a 90-day summary by scenario costs beside reading as many rows by key: ARGS='--executions=1000000'
	@$(MAKE) build
	@bin/tcda-lab bench --only=analytics $(ARGS)

.PHONY: bench-go
bench-go: ## Run the Go benchmarks
	go test -run='^$$' -bench=. -benchmem ./...

.PHONY: up
up: ## Start PostgreSQL, Redis, Apache Kafka and tcda in containers
	docker compose up --build --detach --wait

.PHONY: down
down: ## Stop the containers and drop their data
	docker compose down --volumes

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin

##@ Before a commit

.PHONY: generate
generate: ## Write generated code anew: sqlc, protobuf, Connect, OpenAPI, JSON Schemas
	$(TOOL) buf generate --template schema/proto/buf.gen.yaml
	$(TOOL) buf generate --template schema/proto/buf.gen.events.yaml
	$(TOOL) sqlc generate

.PHONY: check
check: SHUFFLE = -shuffle=on # a random order is never a former one, so all tests run
check: verify lint buf test test-kafka test-interop ## Everything that CI checks

# The folders are compared before and after, not with git's index, so that
# current but uncommitted files pass; in CI, where nothing is uncommitted, both
# are the same.
.PHONY: verify
verify: ## Fail if generated files, go.mod or migrations are not current
	@sums() { find $(GENERATED) -type f -exec cksum {} + 2>/dev/null | sort; }; \
	before=$$(sums); $(MAKE) generate; after=$$(sums); \
	if [ "$$before" != "$$after" ]; then \
		diff <(echo "$$before") <(echo "$$after") | awk '/^[<>]/ { print "  " $$4 }' | sort -u; \
		echo "verify: the files above were not current and have been written anew. To mend it: make generate, and commit them"; exit 1; \
	fi
	@go mod tidy -diff || { echo "verify: go.mod is not tidy. To mend it: go mod tidy"; exit 1; }
	@$(MAKE) migrate-check || { echo "verify: schema/schema.sql and schema/migrations disagree. To mend it: make migrate-new name=what_changed"; exit 1; }

.PHONY: lint
lint: ## Run golangci-lint
	$(TOOL) golangci-lint run ./...

.PHONY: buf
buf: ## Lint the contract, and compare it with that of base=REV
	$(TOOL) buf lint schema/proto
	@[ -n "$(base)" ] || { echo "buf breaking: git shows no revision to compare with; left out"; exit 0; }; \
	git cat-file -e "$(base):schema/proto" 2>/dev/null || { echo "buf breaking: $(base) has no contract that could be broken"; exit 0; }; \
	old=$$(mktemp -d); trap 'rm -rf "$$old"' EXIT; \
	git archive "$(base)" schema/proto | tar -x -C "$$old"; \
	echo "buf breaking: against $(base)"; \
	$(TOOL) buf breaking schema/proto --against "$$old/schema/proto"

.PHONY: format
format: ## Format the code with gofumpt
	$(TOOL) golangci-lint fmt ./...

##@ Schema

.PHONY: migrate-new
migrate-new: ## Write the migration from the present files to schema.sql: name=what_changed
	@[ -n "$(name)" ] || { echo "migrate-new: say what changed: make migrate-new name=add_labels"; exit 2; }
	$(TCDA) migrate new "$(name)"

# For as long as nothing is released the first migration may be written anew.
.PHONY: migrate-rewrite
migrate-rewrite: ## Replace all migrations by one; only before the first release
	$(TCDA) migrate new --rewrite

.PHONY: migrate-hash
migrate-hash: ## Renew atlas.sum after a migration was edited by hand
	$(TCDA) migrate hash

.PHONY: migrate-check
migrate-check: ## Fail if schema.sql and the migrations make different schemas
	$(TCDA) migrate check

.PHONY: migrate-lint
migrate-lint: ## Say what is dangerous in the migrations added since a revision: base=REV
	@added() { git diff --name-only --diff-filter=A "$(base)" -- "$$1"; git ls-files --others --exclude-standard -- "$$1"; }; \
	$(TCDA) migrate lint --latest="$$(added 'schema/migrations/*.sql' | wc -l)"

.PHONY: schema-diff
schema-diff: ## Print in Markdown what changed in schema.sql since a revision: base=REV
	@git show "$(base):schema/schema.sql" | $(TCDA) migrate diff --from=-

# The race detector is linked by a C compiler.
.PHONY: c-compiler
c-compiler:
	@[ -z "$(RACE)" ] || { [ "$$(go env CGO_ENABLED)" = 1 ] && command -v "$$(go env CC)" >/dev/null; } || { \
		echo "The race detector needs cgo and a C compiler ($$(go env CC)). Install one (apt-get install gcc libc6-dev) and leave CGO_ENABLED unset,"; \
		echo "or test without it: make $(MAKECMDGOALS) RACE="; exit 1; }
