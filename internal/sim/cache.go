package sim

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/tetratelabs/wazero"
)

// cacheKeeps is how many compiled programs a cache folder holds: 10 to 30 MB
// each, and every change of the guest makes a new one.
const cacheKeeps = 8

// compileCached compiles with the cache in dir, made if it is not there.
func compileCached(ctx context.Context, wasm []byte, dir string) (*engine, error) {
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(user, "wirelab")
	}
	cache, err := wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		return nil, err
	}
	e, err := compile(ctx, wasm, cache)
	if err == nil {
		prune(dir)
	}
	return e, err
}

// prune removes all but the newest programs. That it cannot remove one (somebody
// reads it, on Windows) does no harm.
func prune(dir string) {
	type entry struct {
		path string
		info fs.FileInfo
	}
	var all []entry
	paths, _ := fs.Glob(os.DirFS(dir), "wazero-*/*")
	for _, p := range paths {
		if info, err := os.Lstat(filepath.Join(dir, p)); err == nil && info.Mode().IsRegular() {
			all = append(all, entry{filepath.Join(dir, p), info})
		}
	}
	if len(all) <= cacheKeeps {
		return
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(b.info.ModTime().Compare(a.info.ModTime()), cmp.Compare(a.path, b.path))
	})
	for _, e := range all[cacheKeeps:] {
		os.Remove(e.path)
	}
}
