package grade

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFiles bounds how many bundles are marked at a time.
const maxFiles = 10_000

// Files returns the bundles that paths name: a file as it is, a folder's files
// that end in .zip, and those of the folders below it. Links to folders are not
// followed. No bundle at all is an error.
func Files(paths ...string) ([]string, error) {
	var all []string
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			all = append(all, filepath.Clean(path))
			continue
		}
		err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && d.Name() == "__MACOSX": // what macOS adds to a zip file
				return fs.SkipDir
			case d.IsDir(), !strings.EqualFold(filepath.Ext(name), ".zip"), strings.HasPrefix(d.Name(), "._"):
				return nil
			}
			if all = append(all, name); len(all) > maxFiles {
				return fmt.Errorf("more than %d bundles", maxFiles)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, errors.New("there is no bundle in it: no file whose name ends in .zip")
	}
	return all, nil
}
