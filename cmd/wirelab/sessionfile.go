package main

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf16"

	"wirelab/internal/client"
)

// A sessionFile remembers a session between runs, so that somebody who quits
// and comes back gets what they missed. It holds the resume secret, so only
// its owner may read it. It is replaced whole: a crash leaves the old one.
type sessionFile struct {
	path  string
	owner owner
	state *client.State // what was found

	mu     sync.Mutex
	closed bool
}

// An owner is who a session belongs to, in the words of the command line. The
// name in the chat may be spelled otherwise, or be a later one.
type owner struct {
	Connect string `json:"connect"`
	As      string `json:"as"`
}

// savedSession is what a session file holds.
type savedSession struct {
	owner
	client.State
}

// openSession reads the session of that name and server, if there is one. One
// of another name, or with another server, which must not be told the secret,
// is an error: it would be overwritten.
func openSession(path, server, name string) (*sessionFile, error) {
	if path == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return nil, cannot("say where with --session FILE", "no place to remember the session: %w", err)
		}
		// The name may hold what a file system does not take.
		sum := sha256.Sum256([]byte(server + "\x00" + name))
		path = filepath.Join(dir, "wirelab", "sessions", fmt.Sprintf("%s-%x.json", plainName(name), sum[:6]))
	}
	f := &sessionFile{path: path, owner: owner{Connect: server, As: name}}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	case err != nil:
		return nil, cannot("choose another file with --session", "cannot read the session: %w", err)
	}
	var s savedSession
	if err = json.Unmarshal(b, &s); err == nil && s.Session == "" {
		err = errors.New("it names no session")
	}
	if err != nil {
		return nil, cannot("remove the file, or choose another with --session", "%s is no session file: %w", path, err)
	}
	switch {
	case s.As != name:
		return nil, cannot("go on with it by --name, or choose another file with --session", "%s is the session of %q, not of %q", path, s.As, name)
	case s.Connect != server:
		return nil, cannot("go on with it by --connect, or choose another file with --session", "%s is a session with %q, not with %q", path, s.Connect, server)
	}
	f.state = &s.State
	return f, nil
}

// plainName keeps what every file system takes of a name, for the eye alone.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name)
}

// save replaces the file.
func (f *sessionFile) save(s client.State) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	if s.Session == "" {
		if err := os.Remove(f.path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.MarshalIndent(savedSession{f.owner, s}, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".session-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(append(ascii(b), '\n'))
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(tmp.Name(), f.path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// ascii spells what is not ASCII in a JSON text as escapes: the file has words
// of the server's in it, and people look at it in a terminal.
func ascii(text []byte) []byte {
	var out []byte
	for _, r := range string(text) {
		switch {
		case r < 0x7f:
			out = append(out, byte(r))
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

func (f *sessionFile) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}
