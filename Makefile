# make demo   a container that will not stop, diagnosed
# make test   everything that says whether the program is right
# `make` alone builds ./whystuck.

# Go is often unpacked to /usr/local/go without being on root's PATH.
export PATH := $(PATH):/usr/local/go/bin
export CGO_ENABLED := 0

VERSION := $(shell git describe --tags --dirty 2>/dev/null || git rev-parse --short HEAD 2>/dev/null || echo devel)
PREFIX  := /usr/local
LDFLAGS := -s -w -X main.version=$(VERSION)

.PHONY: all build demo test lint truth hang engine-test watch-test image-test stop-test bench install clean need-go need-gcc

all: build

build: need-go
	go build -trimpath -ldflags '$(LDFLAGS)' -o whystuck ./cmd/whystuck

demo: build
	WHYSTUCK_BIN=$(CURDIR)/whystuck go run ./scripts/demo

# Static test programs are compiled by gcc; the engine's tests skip loudly
# without root or dockerd (WHYSTUCK_REQUIRE=docker,root makes that a failure).
test: lint build need-gcc
	WHYSTUCK_BIN=$(CURDIR)/whystuck go test -timeout 25m ./...

lint: need-go
	scripts/lint.sh

# The whole truth bed: hundreds of real containers on a Debian root file system.
truth: build need-gcc
	go run ./scripts/truth -whystuck $(CURDIR)/whystuck

# Real hangs, on things that the test makes: each judged before and after
# SIGKILL, freed by the command that whystuck prints, and docker stop, kill and rm -f
# held against the forecast. Takes two minutes.
hang: build need-gcc
	cd scripts/hang && WHYSTUCK_HANG=1 WHYSTUCK_BIN=$(CURDIR)/whystuck go test -timeout 6m

# The engine as the problem: dockerd, containerd or a shim stopped or killed,
# signals that are denied, orphans, Podman, on private engines. Takes some minutes.
engine-test: build need-gcc
	cd scripts/enginetest && WHYSTUCK_ENGINE=1 WHYSTUCK_BIN=$(CURDIR)/whystuck go test -timeout 20m

# whystuck watch over real stops, over an engine that hangs and one that is
# restarted, and scraped by a real Prometheus. Takes two minutes.
watch-test: build need-gcc
	cd scripts/watchtest && WHYSTUCK_WATCH=1 WHYSTUCK_BIN=$(CURDIR)/whystuck go test -timeout 6m

# whystuck image on some thirty images, interrupted runs, an engine elsewhere.
# Takes two minutes. WHYSTUCK_INTERRUPTS=100 interrupts it so often.
image-test: build need-gcc
	cd scripts/imagetest && WHYSTUCK_IMAGE=1 WHYSTUCK_BIN=$(CURDIR)/whystuck go test -timeout 8m

# whystuck stop over real stops: each way to take one, engines that hang or refuse,
# 200 containers at once. Takes two minutes.
stop-test: build need-gcc
	cd scripts/stoptest && WHYSTUCK_STOP=1 WHYSTUCK_BIN=$(CURDIR)/whystuck go test -timeout 6m

bench: build need-gcc
	go run ./scripts/bench -whystuck ./whystuck

install: build
	install -D -m 755 whystuck $(DESTDIR)$(PREFIX)/bin/whystuck

clean:
	rm -rf whystuck build

need-go:
	@scripts/need.sh go

need-gcc:
	@scripts/need.sh gcc
