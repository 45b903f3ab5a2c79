// Pack compiles labs/guest for WebAssembly and puts it, compressed, where
// package image embeds it. Run it from the module's root: it is part of `make
// build`.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"wirelab/internal/sim/wasip1"
	"wirelab/labs/image"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := pack(ctx, filepath.FromSlash("labs/image/guest/"+image.Name)); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// pack writes the guest to out. An equal file is left alone, so that the program
// is not built anew.
func pack(ctx context.Context, out string) error {
	wasm, err := wasip1.Build(ctx, "", "./labs/guest")
	if err != nil {
		return err
	}
	packed, err := image.Pack(wasm)
	if err != nil {
		return err
	}
	if old, err := os.ReadFile(out); err == nil && bytes.Equal(old, packed) {
		return nil
	}
	// A name that embed skips, should this be interrupted.
	tmp := filepath.Join(filepath.Dir(out), "."+filepath.Base(out))
	if err := os.WriteFile(tmp, packed, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, out)
}
