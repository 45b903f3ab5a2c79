# Wirelab's targets. They need Go and make, and nothing else but what their
# comment says.

GO       ?= go
FUZZTIME ?= 10s
SEEDS    ?= 10000
# What a release is built for; all of it without cgo.
TARGETS  := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.DEFAULT_GOAL := build
.PHONY: build guest demo test check format vet static race cross bench fuzz soak picture clean

## build: the program, as bin/wirelab, with the simulated network inside
build: export CGO_ENABLED = 0
build: guest
	$(GO) build -trimpath -o bin/ ./cmd/wirelab

# What runs inside the program, for WebAssembly; package image embeds it.
guest:
	$(GO) run ./labs/image/pack

## demo: a tour on real sockets and in virtual time, in half a minute; no terminal needed
demo: build
	bin/wirelab demo

## test: every test; those that need nc or tshark skip themselves where there is none
test:
	$(GO) test ./...

## check: what a change must pass: format, vet, staticcheck, race, other systems, fuzzing
check: format vet static cross race fuzz

format:
	@files=$$(gofmt -l . | grep -v '^vendor/'); if [ -n "$$files" ]; then echo "gofmt would change:"; echo "$$files"; exit 1; fi

vet:
	$(GO) vet ./...
	cd bench && $(GO) vet ./...

bin/staticcheck: tools/go.mod
	cd tools && $(GO) build -o ../bin/staticcheck honnef.co/go/tools/cmd/staticcheck

static: bin/staticcheck
	bin/staticcheck ./...
	cd bench && ../bin/staticcheck ./...

## race: every test under the race detector (needs a C compiler)
race:
	$(GO) test -race $(RACEFLAGS) ./...

cross:
	@for t in $(TARGETS); do \
		echo "build $$t"; \
		CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build -o /dev/null ./cmd/wirelab || exit 1; \
		CGO_ENABLED=0 GOOS=$${t%/*} GOARCH=$${t#*/} $(GO) build ./... || exit 1; \
	done

## bench: the ratios against other programs, measured in the same run (Linux)
bench: build
	cd bench && $(GO) run .

## fuzz: each fuzz target for FUZZTIME
fuzz:
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' sh .ci/fuzz

## soak: the chat under SEEDS random fault scripts, in virtual time
soak:
	$(GO) test ./labs/soak -count=1 -timeout 0 -run TestInvariants -v -seeds $(SEEDS)

## picture: the README's pictures, from the program's real output (needs tmux)
picture: build
	$(GO) run ./docs/picture
	bin/wirelab packets ladder --svg docs/ladder.svg cmd/wirelab/testdata/captures/tcp.pcapng

clean:
	rm -rf bin labs/image/guest/guest.wasm.gz

help:
	@sed -n 's/^## //p' Makefile
