# make               builds bin/anteroom
# make check         the Go and page tests that need no root, browser or server
# make test          installs what the tests need, and runs all of them
# make test-go       the Go tests, also with other programs and beside JavaScript
# make test-page     the page's own tests
# make test-e2e      daemons and browsers together
# make test-net      daemons and browsers behind all kinds of NAT; as root
# make race          the Go tests with the race detector
# make lint          format, vet, staticcheck, types
# make fmt           formats the Go code
# make attack        strangers and bad guests against real daemons, in full; as root
# make bench         the figures, beside the floor, in one run
# make bench-waiting what guests who wait cost, beside WebSockets that do nothing
# make screenshots   the pictures in docs, from real calls
#
# Each installs what it needs and this computer lacks, and says so: lint, check
# and test-page only the development tools of the page, below httpui/test; the
# others also Debian's packages, as root (tools/prepare).

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS   += --no-builtin-rules

comma := ,
export GOTOOLCHAIN := local
export GOFLAGS     := -mod=readonly -buildvcs=false
export GOPROXY     := $(patsubst %$(comma)direct,%,$(shell go env GOPROXY))

# bin holds a newer Node.js if the system's is too old (tools/prepare).
WITH_NODE := PATH="$(CURDIR)/bin:$$PATH"

GO_FILES := find . -name '*.go' -not -path '*/node_modules/*'
STATICCHECK := honnef.co/go/tools/cmd/staticcheck

.PHONY: build check test test-go test-page test-e2e test-e2e-doctor test-e2e-others test-net test-attack attack race lint fmt bench bench-waiting screenshots prepare prepare-page tools clean

build:
	CGO_ENABLED=0 go build -trimpath -o bin/anteroom ./cmd/anteroom

test: prepare
	$(MAKE) lint test-go test-page test-attack test-e2e

# Those that -tags e2e adds need Node.js alone here: each compares a Go package
# with its twin in the page.
check: prepare-page
	$(WITH_NODE) go test ./...
	$(WITH_NODE) go test -tags e2e ./httpui/words ./rendezvous/...
	$(MAKE) test-page

test-go: tools prepare
	$(WITH_NODE) bin/gotestsum --format pkgname -- -timeout 10m -tags e2e ./...

test-page: prepare-page
	cd httpui/test && $(WITH_NODE) node --test page/*.test.mjs

# A few seconds of each attack. Makes a network namespace, so it needs root.
test-attack: build bin/attack
	bin/attack

attack: build bin/attack
	bin/attack -full

bin/attack: $(wildcard httpui/test/attack/*.go rendezvous/*.go rendezvous/*/*.go) go.mod
	go build -o bin/attack ./httpui/test/attack

# One test at a time: each has several browsers, and measures time. But those of
# the doctor wait for minutes, most of it for nothing to do.
test-e2e: build bin/attack prepare
	$(MAKE) --jobs=2 --output-sync=target test-e2e-doctor test-e2e-others

test-e2e-doctor:
	cd httpui/test && $(WITH_NODE) node --test e2e/doctor.test.mjs

test-e2e-others:
	cd httpui/test && $(WITH_NODE) node --test --test-concurrency=1 $(filter-out e2e/doctor.test.mjs,$(patsubst httpui/test/%,%,$(wildcard httpui/test/e2e/*.test.mjs)))

# Makes network namespaces, so it needs root, and stays out of "make test".
test-net: build prepare
	go build -C tools -o "$(CURDIR)/bin/" ./shaper
	cd httpui/test && $(WITH_NODE) node --test --test-reporter=spec --test-concurrency=1 net/*.test.mjs

race: tools prepare-page
	$(WITH_NODE) CGO_ENABLED=1 bin/gotestsum --format pkgname -- -race -timeout 15m ./...

lint: bin/staticcheck prepare-page
	@unformatted=$$($(GO_FILES) -exec gofmt -l {} +); \
	if [[ -n $$unformatted ]]; then echo "not formatted, run make fmt:" $$unformatted >&2; exit 1; fi
	go vet ./...
	bin/staticcheck ./...
	cd httpui/test && $(WITH_NODE) node_modules/.bin/tsc --noEmit -p .

fmt: tools
	$(GO_FILES) -exec bin/gofumpt -w {} +

bench: build prepare
	cd httpui/test && $(WITH_NODE) node e2e/bench.mjs

# Takes five minutes, most of them to watch nothing happen.
bench-waiting:
	go test -run '^$$' -bench Waiting -benchtime 1x -timeout 20m ./cmd/anteroom

screenshots: build prepare
	cd httpui/test && $(WITH_NODE) E2E_OUT="$(CURDIR)/docs" node --test e2e/screenshots.test.mjs

prepare:
	tools/prepare

prepare-page:
	tools/prepare page

tools: bin/gotestsum

bin/gotestsum: tools/go.mod tools/go.sum
	@echo "Building gotestsum, gofumpt, staticcheck and pebble into bin, which takes minutes the first time"
	@mkdir -p bin
	go build -C tools -o "$(CURDIR)/bin/" tool
	@touch bin/gotestsum bin/staticcheck

# By the Go that it checks for, not by that which built another's.
bin/staticcheck: tools/go.mod tools/go.sum
	@echo "Building staticcheck into bin, which takes a minute or two the first time"
	@mkdir -p bin
	go build -C tools -o "$(CURDIR)/bin/" $(STATICCHECK)
	@touch bin/staticcheck

clean:
	rm -rf bin out
