package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// A file is there whole or not at all: it is written beside its place, and
// moved there at the end. A nil file is none.
type file struct {
	bytes.Buffer
	path string
	temp *os.File // nil once kept or discarded
}

// newFile begins a file, or returns nil if path is empty. That it cannot be
// written shows now, not after the work.
func newFile(path string) (*file, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("there is something else than a file: %v", info.Mode())
	}
	// Not os.CreateTemp: what that makes is for its owner alone.
	name := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%08x", filepath.Base(path), rand.Uint32()))
	temp, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &file{path: path, temp: temp}, nil
}

// keep writes the file and moves it to its place.
func (f *file) keep() error {
	if f == nil {
		return nil
	}
	temp := f.temp
	f.temp = nil
	_, err := temp.Write(f.Bytes())
	err = errors.Join(err, temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), f.path)
	}
	if err != nil {
		os.Remove(temp.Name())
	}
	return err
}

// discard removes what was not kept.
func (f *file) discard() {
	if f == nil || f.temp == nil {
		return
	}
	f.temp.Close()
	os.Remove(f.temp.Name())
	f.temp = nil
}

// A folder gets files, whole or not at all: they are written into one inside it
// and moved at the end. A nil folder is none.
type folder struct {
	place string
	temp  string // empty once kept or discarded
	made  bool   // place was not there before
}

// newFolder begins to fill a folder, made if it is not there. It returns nil if
// path is empty.
func newFolder(path string) (*folder, error) {
	if path == "" {
		return nil, nil
	}
	_, err := os.Stat(path)
	f := &folder{place: path, made: errors.Is(err, fs.ErrNotExist)}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, err
	}
	f.temp, err = os.MkdirTemp(path, ".wirelab-*")
	if err != nil {
		return nil, err
	}
	return f, nil
}

// path is where to write the files.
func (f *folder) path() string {
	if f == nil {
		return ""
	}
	return f.temp
}

// keep moves the files to their place.
func (f *folder) keep() error {
	if f == nil {
		return nil
	}
	entries, err := os.ReadDir(f.temp)
	for _, e := range entries {
		err = errors.Join(err, os.Rename(filepath.Join(f.temp, e.Name()), filepath.Join(f.place, e.Name())))
	}
	if err == nil {
		err = os.Remove(f.temp)
		f.temp = ""
	}
	return err
}

// discard removes what was not kept.
func (f *folder) discard() {
	if f == nil || f.temp == "" {
		return
	}
	os.RemoveAll(f.temp)
	if f.made {
		os.Remove(f.place) // unless there is something in it
	}
	f.temp = ""
}
