package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// Bounds of a bundle. Read refuses what is beyond one of them, and says which.
const (
	MaxFile     = 256 << 20 // bytes of the zip file
	MaxManifest = 1 << 20   // bytes of its manifest
	MaxEntry    = 128 << 20 // bytes of another file in it
	MaxTotal    = 512 << 20 // bytes of all files in it together
	maxEntries  = 256       // files in it, with those that are passed over
)

// A Bundle is one that was read.
type Bundle struct {
	Manifest
	File string // SHA-256 of the whole file
	// Altered says what does not fit its hash any more, in words: somebody
	// changed it, or a disk did. Empty: nothing.
	Altered []string
}

// Open reads the bundle in a file.
func Open(name string) (*Bundle, error) {
	info, err := os.Stat(name) // to open a named pipe would wait
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("bundle: there is something else than a file: %v", info.Mode())
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(f, info.Size())
}

// Read reads a bundle of size bytes. An error means that it cannot be marked, and
// says why. That its contents do not fit its hashes is no error: see
// Bundle.Altered. It takes memory for the manifest alone.
//
// A folder around all files, and what macOS adds, does no harm: a browser may
// have unpacked the bundle, and its owner packed it again.
func Read(r io.ReaderAt, size int64) (*Bundle, error) {
	b, err := read(r, size)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	return b, nil
}

func read(r io.ReaderAt, size int64) (*Bundle, error) {
	if size > MaxFile {
		return nil, fmt.Errorf("a file of %d bytes, at most %d", size, int64(MaxFile))
	}
	file, err := scan(r, size)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("no whole zip file: %w", err)
	}
	entries, err := list(z.File)
	if err != nil {
		return nil, err
	}
	e, ok := entries[manifestName]
	if !ok {
		return nil, fmt.Errorf("no bundle: there is no %s in it", manifestName)
	}
	b := &Bundle{File: file}
	budget := int64(MaxTotal)
	var text bytes.Buffer
	if err := unpack(&text, e, MaxManifest, &budget); err != nil {
		return nil, err
	}
	if err := b.decode(text.Bytes()); err != nil {
		return nil, err
	}
	if b.Sum != b.sum() {
		b.Altered = append(b.Altered, "its manifest has another SHA-256 than it says")
	}
	delete(entries, manifestName)
	for i := range b.Runs {
		if err := b.compare(&b.Runs[i], entries, &budget); err != nil {
			return nil, err
		}
	}
	for name := range entries {
		return nil, fmt.Errorf("%.80q: nothing in the manifest is about this file", name)
	}
	return b, nil
}

// scan returns the SHA-256 of the file. It refuses one that has more files in it
// than a bundle: package zip would build its whole list first.
func scan(r io.ReaderAt, size int64) (sum string, err error) {
	h := sha256.New()
	mark := []byte("PK\x01\x02") // of an entry of the central directory (APPNOTE.TXT, section 4.3.12)
	buf := make([]byte, 64<<10)
	n, count := 0, 0 // bytes kept from the block before; marks
	for src := io.NewSectionReader(r, 0, size); ; {
		m, err := src.Read(buf[n:])
		h.Write(buf[n : n+m])
		n += m
		count += bytes.Count(buf[:n], mark)
		if count > maxEntries {
			return "", fmt.Errorf("more than %d files in it", maxEntries)
		}
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
		keep := min(n, len(mark)-1)
		copy(buf, buf[n-keep:n])
		n = keep
	}
}

// list returns the files of a bundle by name, without a folder that is around
// them all and what macOS adds.
func list(files []*zip.File) (map[string]*zip.File, error) {
	root, found := "", false
	var kept []*zip.File
	for _, f := range files {
		name := f.Name
		switch {
		case strings.HasPrefix(name, "__MACOSX/"), path.Base(name) == ".DS_Store":
			continue
		case strings.HasSuffix(name, "/") && f.UncompressedSize64 == 0 && safe(strings.TrimSuffix(name, "/")):
			continue // a folder
		case !safe(name):
			return nil, fmt.Errorf("%.80q: no name that a file in a bundle has", name)
		}
		if path.Base(name) == manifestName {
			if found {
				return nil, fmt.Errorf("two files %s: a bundle has one", manifestName)
			}
			root, found = strings.TrimSuffix(name, manifestName), true
		}
		kept = append(kept, f)
	}
	entries := make(map[string]*zip.File)
	for _, f := range kept {
		name, ok := strings.CutPrefix(f.Name, root)
		if !ok {
			return nil, fmt.Errorf("%.80q: beside the bundle's folder", f.Name)
		}
		if entries[name] != nil {
			return nil, fmt.Errorf("two files %.80q", name)
		}
		entries[name] = f
	}
	return entries, nil
}

// safe reports whether a path goes down from where it begins, by plain names.
func safe(name string) bool {
	return name != "" && len(name) <= 400 && !path.IsAbs(name) && path.Clean(name) == name &&
		name != ".." && !strings.HasPrefix(name, "../") && !strings.ContainsAny(name, "\\:\x00")
}

// unpack writes a file's content to w, at most limit bytes of it, and takes them
// from the budget. It does not believe the sizes that the zip file claims.
func unpack(w io.Writer, f *zip.File, limit int64, budget *int64) error {
	if f.Flags&1 != 0 {
		return fmt.Errorf("%.80q is encrypted", f.Name)
	}
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("%.80q: %w", f.Name, err)
	}
	defer r.Close()
	n, err := io.Copy(w, io.LimitReader(r, min(limit, *budget)+1))
	switch {
	case n > limit:
		return fmt.Errorf("%.80q has more than %d bytes", f.Name, limit)
	case n > *budget:
		return fmt.Errorf("more than %d bytes in all its files", int64(MaxTotal))
	case err != nil:
		return fmt.Errorf("%.80q: %w", f.Name, err)
	}
	*budget -= n
	return nil
}

// compare takes a run's files off entries, and notes those that are not what the
// manifest says.
func (b *Bundle) compare(r *Run, entries map[string]*zip.File, budget *int64) error {
	if r.Omitted {
		return nil
	}
	events, capture := r.paths()
	for _, part := range []struct{ name, sum string }{{events, r.Events}, {capture, r.Capture}} {
		f := entries[part.name]
		if f == nil {
			return fmt.Errorf("%q is missing", part.name)
		}
		delete(entries, part.name)
		h := sha256.New()
		if err := unpack(h, f, MaxEntry, budget); err != nil {
			return err
		}
		if hex.EncodeToString(h.Sum(nil)) != part.sum {
			b.Altered = append(b.Altered, fmt.Sprintf("its %s has another SHA-256 than its manifest says", part.name))
		}
	}
	return nil
}

// decode reads the manifest, and checks that it makes sense.
func (b *Bundle) decode(text []byte) error {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &version); err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	if version.Format != Format {
		return fmt.Errorf("%s: format %d, this version of wirelab reads %d", manifestName, version.Format, Format)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&b.Manifest); err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	if err := b.check(); err != nil {
		return fmt.Errorf("%s: %w", manifestName, err)
	}
	return nil
}
