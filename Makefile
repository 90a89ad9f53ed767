# Cairn. `make run` starts a cluster to play with, `make test` runs the tests.
SHELL := /bin/bash
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
DEVTOOL := go tool -modfile=tools/dev/go.mod
# The room that takes longest comes first: the others run beside it.
PKGS    := ./node/... ./meta/... ./s3api/... ./shard/... ./cluster/... ./tools/...
DATA    ?= data/dev

.PHONY: all build run image up down compose-test test test-deploy test-long test-unraced race fuzz mutate replay generated e2e scenarios scenarios-short scenarios-net scenarios-net-short accept bench bench-s3 bench-peers lint proto docs clean help

all: build

help: ## Show the targets.
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-19s %s\n", $$1, $$2}'

build: ## Build bin/cairn, a static binary.
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/cairn ./tools/cairn

run: build ## Build, then run six nodes on loopback in one process (data in data/dev).
	bin/cairn dev --data $(DATA)

image: build ## Build the image cairn:local, for a registry of yours.
	@mkdir -p bin/data
	docker build -f deploy/Dockerfile -t cairn:local .

up: build ## Start six nodes in three zones in containers (docker-compose.yml).
	@tools/compose/up

down: ## Stop them; the data stays (tools/compose/down -v removes it).
	@tools/compose/down

compose-test: build ## Put, copy, kill two containers, read, down, up, read.
	go test -count=1 -timeout 20m -tags compose -v ./tools/compose

test: test-deploy ## Unit, property, crash and simulation tests, and the seeds of each fuzz target.
	go test -vet=off -tags invariants -timeout 15m $(PKGS)

# Modules of their own, so that what only checks Cairn is no part of what it ships.
MODULES := . tools/dev tools/deploy
test-deploy: ## Check deploy/ with the parsers of Kubernetes and Prometheus (a module of its own).
	cd tools/deploy && go test ./...

# Without debug information the tests of fifty packages are linked in half the time;
# stack traces stay as they are.
BARE := -ldflags='-s -w'
# The detector waits a second at the end of each test binary for what other goroutines
# have to report; tests leave none behind.
race: ## The same under the race detector.
	GORACE=atexit_sleep_ms=50 go test -race -vet=off -tags invariants $(BARE) -timeout 45m $(PKGS)

# The tests of these packages do less under the race detector: see cluster/effort.
UNRACED := ./node/sim ./node/upkeep ./meta/state ./meta/group ./meta/raftlog ./s3api ./s3api/object ./s3api/iam ./shard/stripe ./shard/drive ./tools/cairn
test-unraced: ## What the race detector leaves out of the tests.
	go test -vet=off -tags invariants $(BARE) -timeout 15m $(UNRACED)

FUZZTIME ?= 1m
fuzz: ## Run every fuzz target for FUZZTIME (1m).
	@tools/fuzz $(FUZZTIME)

test-long: fuzz ## Long fuzzing, thousands of seeds, every crash point, under the race detector: hours.
	CAIRN_TEST_LONG=1 go test -race -tags invariants -timeout 12h $(PKGS)

MUTANTS ?= 20
mutate: ## Break MUTANTS (20) places of each package that holds data, one at a time: do tests notice? Goes on where it stopped.
	go run ./tools/mutate -n $(MUTANTS)

SEEDS ?= 50
replay: ## Run SEEDS (50) seeds of the simulation twice each: how many are the same to the last line of the log?
	go run ./tools/replay -seeds $(SEEDS)

CLUSTERS ?= 3
e2e: build ## Six real processes, real clients, kill -9; CLUSTERS (3) at a time.
	go test -count=1 -timeout 45m -tags e2e -parallel $(CLUSTERS) -v ./tools/e2e

scenarios: build ## Growth, drains, losses, restarts, killed leaders under a load that is checked, with a report.
	go run ./tools/scenarios -json bin/scenarios.json

scenarios-short: build ## The same story with few nodes and small objects: minutes.
	go run ./tools/scenarios -short -json bin/scenarios-short.json

scenarios-net: build ## Partitions, one-way links and loss between real processes, judged by porcupine.
	go run ./tools/netfaults

scenarios-net-short: build ## The same, each kind once and briefly.
	go run ./tools/netfaults -short

accept: build ## Every rule of Upload Part - Copy, against ENDPOINT or a cluster of its own.
	@tools/accept/run

bench: ## Micro-benchmarks of the data path and the metadata.
	go test -run '^$$' -bench . -benchtime 1s ./shard/... ./meta/... ./s3api/...

SCALE  ?= 1
ROUNDS ?= 3
ONLY   ?=
SKIP   ?=
YARDSTICK = go run ./tools/bench -cluster -scale $(SCALE) -rounds $(ROUNDS) -only '$(ONLY)'
bench-s3: build ## S3 work on six processes with TLS: CPU, rates, memory, multiples of the primitives. SCALE, ROUNDS, ONLY, SKIP.
	$(YARDSTICK) -skip '$(SKIP)' -json bin/bench-s3.json

# Whoever copies bytes would have to write 50 GiB before it completes 10,000 parts.
bench-peers: SKIP = complete-10000
bench-peers: build ## The same beside others, by turns: MINIO=/path/minio and WEED=/path/weed name their binaries.
	MINIO='$(MINIO)' WEED='$(WEED)' $(YARDSTICK) -peers -skip '$(SKIP)' -json bin/bench-peers.json

lint: ## gofmt, vet, staticcheck, import order.
	@unformatted=$$(git ls-files '*.go' | xargs gofmt -l); \
	  if [ -n "$$unformatted" ]; then echo "gofmt -w these:"; echo "$$unformatted"; exit 1; fi
	go vet -tags e2e,compose,invariants $(PKGS)
	$(DEVTOOL) staticcheck -tags e2e,compose,invariants $(PKGS)
	cd tools/deploy && go vet ./... && go tool -modfile=../dev/go.mod staticcheck ./...
	go run ./tools/lint

proto: ## Renew the generated protobuf code.
	@mkdir -p bin/dev
	$(DEVTOOL) -n protoc-gen-go >/dev/null
	for t in protoc-gen-go protoc-gen-connect-go buf; do \
	  ln -sf "$$($(DEVTOOL) -n $$t)" bin/dev/$$t; done
	for d in meta/metapb s3api/spread/spreadpb node/admin/adminpb; do (cd $$d && PATH=$(CURDIR)/bin/dev:$$PATH buf generate); done

generated: proto docs ## Prove that what is generated is current, and each go.mod tidy.
	@for m in $(MODULES); do (cd $$m && go mod tidy -diff) || exit 1; done
	go run ./tools/lint -shrink
	git diff --exit-code --stat -- '*.pb.go' '*.connect.go' docs 'tools/lint/*.txt'

docs: ## Renew the documents made from code.
	go test ./s3api/s3err -run TestErrorTable -update
	go test ./s3api/profile -run TestCompatibilityDoc -update
	go test ./s3api -run TestS3Compatibility -update
	go test ./node/observe -run TestMetricsDoc -update
	go test ./tools/cairn -run TestCommandsDoc -update

clean: ## Remove what was built (not data).
	rm -rf bin
