package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"wirelab/internal/style"
)

// How often saved files are looked for, and how long none may change before a
// check: editors write in several steps.
const (
	watchEvery = 200 * time.Millisecond
	watchMost  = 2000 // files
)

// watch checks the program at each save, until ctx ends.
func (c *labChecking) watch(ctx context.Context) error {
	paths := c.watched()
	if len(paths) == 0 {
		return cannot("want a file of the program among its words, such as -- python3 main.py", "--watch: none of %q is a file", c.program)
	}
	now := stamps(paths)
	for {
		if style.IsTerminal(c.app.out) {
			fmt.Fprint(c.app.out, "\x1b[H\x1b[2J\x1b[3J")
		}
		// A save while a check is under way begins another one.
		run, cancel := context.WithCancel(ctx)
		saved := make(chan map[string]stamp, 1)
		go func(before map[string]stamp) {
			saved <- awaitSave(run, paths, before)
			cancel()
		}(now)
		_, err := c.once(run)
		if err != nil && run.Err() == nil {
			cancel()
			<-saved
			return err
		}
		if err == nil {
			fmt.Fprintln(c.app.err, "wirelab: checks again at the next save; Ctrl+C ends it")
		}
		now = <-saved
		if ctx.Err() != nil {
			return errInterrupted
		}
	}
}

// watched returns the files and folders to look at: the files among the
// program's words, and the folders that sources are in.
func (c *labChecking) watched() []string {
	var all []string
	for i, w := range c.program {
		info, err := os.Stat(w)
		switch {
		case err != nil:
		case info.IsDir():
			all = append(all, w)
		case i == 0:
			all = append(all, w) // beside it stands anything
		default:
			all = append(all, filepath.Dir(w))
		}
	}
	return all
}

// A stamp tells a file from what it is after a save.
type stamp struct {
	at   time.Time
	size int64
}

// stamps returns those of the files, and of the files in the folders.
func stamps(paths []string) map[string]stamp {
	all := map[string]stamp{}
	note := func(path string, info fs.FileInfo) {
		if info.Mode().IsRegular() && len(all) < watchMost {
			all[path] = stamp{info.ModTime(), info.Size()}
		}
	}
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			continue
		}
		if !info.IsDir() {
			note(p, info)
			continue
		}
		entries, _ := os.ReadDir(p)
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				note(filepath.Join(p, e.Name()), info)
			}
		}
	}
	return all
}

// awaitSave waits until files differ from what they were and have settled, and
// returns their stamps; when ctx ends, those before.
func awaitSave(ctx context.Context, paths []string, before map[string]stamp) map[string]stamp {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	last := before
	for {
		select {
		case <-ctx.Done():
			return before
		case <-tick.C:
		}
		now := stamps(paths)
		if differ(now, before) && !differ(now, last) {
			return now
		}
		last = now
	}
}

// differ reports whether a file is other in b than in a, new, or gone.
func differ(a, b map[string]stamp) bool {
	if len(a) != len(b) {
		return true
	}
	for path, s := range a {
		if t, ok := b[path]; !ok || !t.at.Equal(s.at) || t.size != s.size {
			return true
		}
	}
	return false
}
