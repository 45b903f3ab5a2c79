package main

import (
	"bytes"
	"log/slog"
	"sync"
)

// maxLogLines is how many log lines are kept while the live view runs.
const maxLogLines = 200

// A logRing keeps the newest log lines while the live view owns the terminal:
// warnings and errors, or everything with --verbose.
type logRing struct {
	mu   sync.Mutex
	kept []string
}

func (r *logRing) logger(verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(r, &slog.HandlerOptions{Level: level}))
}

// Write takes one line, as slog's handlers write them.
func (r *logRing) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.kept) == maxLogLines {
		r.kept = r.kept[:copy(r.kept, r.kept[1:])]
	}
	r.kept = append(r.kept, string(bytes.TrimSuffix(b, []byte("\n"))))
	return len(b), nil
}

// lines returns the lines kept, the newest last.
func (r *logRing) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.kept...)
}
