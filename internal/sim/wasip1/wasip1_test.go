package wasip1

import (
	"bytes"
	"context"
	"crypto/sha256"
	"strings"
	"testing"
)

func TestSameSourcesSameBytes(t *testing.T) {
	a, err := Build(t.Context(), "", "../testdata/guest")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(a, []byte("\x00asm\x01\x00\x00\x00")) {
		t.Errorf("Build = % x..., want WebAssembly", a[:8])
	}
	t.Setenv("GOFLAGS", "-tags=other")
	t.Setenv("GOOS", "plan9")
	b, err := Build(t.Context(), "../testdata", "./guest")
	if err != nil || sha256.Sum256(a) != sha256.Sum256(b) {
		t.Errorf("Build from another folder = other bytes, %v", err)
	}
}

func TestBuildSaysWhatTheCompilerSaid(t *testing.T) {
	_, err := Build(t.Context(), "", "./nowhere")
	if err == nil || !strings.Contains(err.Error(), "go build ./nowhere") || !strings.Contains(err.Error(), "directory not found") {
		t.Errorf("Build of what is not there = %v, want what the go tool says", err)
	}
}

func TestBuildEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, "", "../testdata/guest"); err == nil {
		t.Error("Build after the end of its context went well")
	}
}
