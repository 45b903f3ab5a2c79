package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"wirelab/internal/client"
	"wirelab/internal/wire"
)

// tricks are what a terminal would obey, hide or reorder.
const tricks = "\x1b]0;title\a\x1b[2J\r\n\u009b31m\u202e\u200b\x7f"

// obeyed returns the first character of s that a terminal would not just show.
func obeyed(s string) (rune, bool) {
	for _, r := range s {
		if r != '\n' && !unicode.IsGraphic(r) {
			return r, true
		}
	}
	return 0, false
}

// TestHostileWords lets servers end a chat with words that hold terminal
// escapes: what the program says about it must not.
func TestHostileWords(t *testing.T) {
	endings := map[string][]wire.Envelope{
		"bye instead of connected": {
			{Kind: wire.KindBye, Args: wire.EncodeBody([]string{tricks})},
		},
		"refusal": {
			{Kind: wire.KindError, Args: wire.EncodeBody(wire.Fault{Code: tricks, Message: tricks, Hint: tricks})},
		},
		"error after connected": {
			{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{Name: "ana", Socket: "#1"})},
			{Kind: wire.KindError, Args: wire.EncodeBody(wire.Fault{Code: "odd", Message: tricks, Hint: tricks})},
		},
		"bye after connected": {
			{Kind: wire.KindConnected, Args: wire.EncodeBody(wire.Connected{Name: "ana", Socket: "#1"})},
			{Kind: wire.KindBye, Args: wire.EncodeBody([]string{tricks})},
		},
	}
	for name, ending := range endings {
		for _, form := range []string{"--plain", "--json"} {
			t.Run(name+form, func(t *testing.T) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				go func() {
					c, err := l.Accept()
					if err != nil {
						return
					}
					defer c.Close()
					b, _ := wire.AppendFrame(nil, &wire.Envelope{Kind: wire.KindChallenge, Args: wire.EncodeBody(wire.Challenge{
						Nonce: strings.Repeat("00", wire.NonceSize), Server: tricks,
					})})
					c.Write(b)
					r := wire.NewReader(c)
					r.Next()
					for i := range ending {
						b, _ := wire.AppendFrame(nil, &ending[i])
						c.Write(b)
					}
					r.Next() // the client's own
				}()
				var out, errw bytes.Buffer
				code := run([]string{"tcp", "chat", "--connect", l.Addr().String(), "--name", "ana", "--no-session", "--no-reconnect", form, "--linger", "-1s"},
					strings.NewReader(""), &out, &errw)
				if code != exitNo {
					t.Errorf("exit code %d, want %d", code, exitNo)
				}
				for _, s := range []string{out.String(), errw.String()} {
					if r, found := obeyed(s); found {
						t.Errorf("%U comes through in %q", r, s)
					}
				}
				for _, line := range strings.Split(strings.TrimSpace(errw.String()), "\n") {
					if !strings.HasPrefix(line, "wirelab: ") && !strings.HasPrefix(line, "hint: ") && !strings.HasPrefix(line, "  ") {
						t.Errorf("a line of the server's own: %q", line)
					}
				}
			})
		}
	}
}

// TestHostileSessionFile checks that the file, which people look at with cat,
// holds nothing that a terminal obeys either.
func TestHostileSessionFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.json")
	f, err := openSession(path, "127.0.0.1:9000", "ana")
	if err != nil {
		t.Fatal(err)
	}
	state := client.State{Name: "ana", Session: tricks, Secret: "Zoë 🙂", Rooms: []client.RoomState{{Room: tricks}}}
	if err := f.save(state); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if r, found := obeyed(string(b)); found {
		t.Errorf("%U comes through in %q", r, b)
	}
	f, err = openSession(path, "127.0.0.1:9000", "ana")
	if err != nil || f.state == nil || f.state.Session != tricks || f.state.Secret != state.Secret || f.state.Rooms[0].Room != tricks {
		t.Errorf("read back %+v, %v", f, err)
	}
}
