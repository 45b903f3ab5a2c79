// Package image holds the compiled guest, labs/guest, inside the program. `make
// build` puts it there; without it everything builds, too, and Guest says so.
package image

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Name is the file in the folder guest that `make build` writes.
const Name = "guest.wasm.gz"

// maxSize bounds what Guest unpacks, in bytes.
const maxSize = 256 << 20

// ErrMissing means that this program was built without the guest.
var ErrMissing = errors.New("this program was built without the simulated network: run `make build` in its sources and use bin/wirelab")

// The folder has a README, so that it can be embedded without the guest.
//
//go:embed guest
var folder embed.FS

// Guest returns the guest as WebAssembly. It returns ErrMissing if there is none.
func Guest() ([]byte, error) { return unpack(folder) }

func unpack(from fs.FS) ([]byte, error) {
	packed, err := fs.ReadFile(from, "guest/"+Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	wasm, err := io.ReadAll(io.LimitReader(z, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("image: %w", err)
	}
	if len(wasm) > maxSize {
		return nil, fmt.Errorf("image: guest of more than %d bytes", maxSize)
	}
	return wasm, nil
}

// Pack compresses a guest for the folder. The same bytes give the same bytes.
func Pack(wasm []byte) ([]byte, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err == nil {
		_, err = z.Write(wasm)
	}
	if err == nil {
		err = z.Close()
	}
	return packed.Bytes(), err
}
