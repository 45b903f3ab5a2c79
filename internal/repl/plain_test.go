package repl_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wirelab/internal/client"
	"wirelab/internal/repl"
	"wirelab/internal/repl/repltest"
)

// A buffer may be written to from several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestPlain(t *testing.T) {
	for _, tt := range []struct {
		name, in       string
		opts           repl.Options
		out, talk, err string
		log            []string
	}{
		{
			name: "lines go to the room", in: "hello\nthere\n", opts: repl.Options{Echo: true},
			out: "[lobby] ana: hello\n[lobby] ana: there\n",
			log: []string{`emit "lobby" msg ["hello"] ack=false retries=-1 volatile=false`, `emit "lobby" msg ["there"] ack=false retries=-1 volatile=false`},
		},
		{name: "own lines are not repeated", in: "hello", log: []string{`emit "lobby" msg ["hello"] ack=false retries=-1 volatile=false`}},
		{
			name: "a room joined is where the next line goes", in: "/join games\r\nhello\r\n", opts: repl.Options{Echo: true},
			out: "* [games] joined games\n[games] ana: hello\n",
			log: []string{"join games", `emit "games" msg ["hello"] ack=false retries=-1 volatile=false`},
		},
		{
			name: "a command that fails makes the whole fail", in: "/jion x\n/who\n",
			out:  "* member  over       since     waiting\n* ana     tcp        12:00:00        0\n* bo      udp/queue  12:00:00        5  away\n",
			talk: "wirelab: no command \"/jion\"\nhint: did you mean /join? /help lists the commands; // begins a message with a slash\n",
			err:  "1 line of input failed", log: []string{"request who [lobby]"},
		},
		{
			name: "quit ends it", in: "/quit\nhello\n", opts: repl.Options{Linger: time.Hour},
		},
		{
			name: "JSON", in: "hello\n/rooms\n/nope\n", opts: repl.Options{JSON: true}, err: "1 line of input failed",
			out: `{"event":"msg","namespace":"","room":"lobby","sender":"ana","seq":1,"id":"0000000000000001","time":"2000-01-01T00:00:00Z","args":["hello"],"own":true,"redelivered":false,"direct":false,"volatile":false}
{"ack":"0000000000000001","ok":true,"namespace":"","room":"lobby","seq":1}
{"answer":"rooms","result":[{"room":"lobby","members":2,"away":1,"head":17},{"room":"games","members":1,"away":0,"head":0}]}
{"error":"no command \"/nope\"","hint":"/help lists the commands; // begins a message with a slash"}
`,
			log: []string{`emit "lobby" msg ["hello"] ack=false retries=-1 volatile=false`, "request rooms []"},
		},
		{
			name: "a line that is too long", in: "hello\n" + strings.Repeat("x", 70_000) + "\n", err: "1 line of input failed",
			talk: "wirelab: a line of more than 65536 bytes: no event is that long; what follows is not read\n",
			log:  []string{`emit "lobby" msg ["hello"] ack=false retries=-1 volatile=false`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &repltest.Client{User: "ana", Member: []string{"lobby"}, Answer: answer}
				var out, talk buffer
				in, feed := io.Pipe()
				go func() {
					// One line at a time, each when the one before is done.
					for line := range strings.Lines(tt.in) {
						if _, err := io.WriteString(feed, line); err != nil {
							return
						}
						synctest.Wait()
					}
					feed.Close()
				}()
				err := repl.Plain(t.Context(), in, &out, &talk, c.Connect, tt.opts)
				in.Close()
				if got := text(err); got != tt.err {
					t.Errorf("error %q, want %q", got, tt.err)
				}
				if diff := cmp.Diff(tt.out, out.String()); diff != "" {
					t.Errorf("out (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.talk, talk.String()); diff != "" {
					t.Errorf("talk (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.log, c.Log()); diff != "" {
					t.Errorf("asked (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPlainWaitsForAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{User: "ana", Member: []string{"lobby"}, Manual: true}
		var out, talk buffer
		done := make(chan error)
		go func() {
			done <- repl.Plain(t.Context(), strings.NewReader("a\nb\n"), &out, &talk, c.Connect, repl.Options{})
		}()
		synctest.Wait()
		c.Acknowledge(1, nil)
		synctest.Wait()
		select {
		case err := <-done:
			t.Fatalf("Plain ended with %v before b was acknowledged", err)
		default:
		}
		c.Acknowledge(2, &client.Refusal{Code: "banned", Message: "banned"})
		if got, want := text(<-done), "1 line of input failed"; got != want {
			t.Errorf("Plain = %q, want %q", got, want)
		}
		if got, want := talk.String(), "wirelab: banned\n"; got != want {
			t.Errorf("talk %q, want %q", got, want)
		}
	})
}

// A command does not overtake the messages before it: a /leave would make the
// server refuse them.
func TestPlainCommandWaitsForMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{User: "ana", Member: []string{"lobby"}, Manual: true, Figures: client.Stats{Online: true}}
		var out, talk buffer
		done := make(chan error)
		go func() {
			done <- repl.Plain(t.Context(), strings.NewReader("a\n/leave\n"), &out, &talk, c.Connect, repl.Options{})
		}()
		time.Sleep(5 * time.Second)
		said := []string{`emit "lobby" msg ["a"] ack=false retries=-1 volatile=false`}
		if diff := cmp.Diff(said, c.Log()); diff != "" {
			t.Errorf("before the acknowledgement (-want +got):\n%s", diff)
		}
		c.Acknowledge(1, nil)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(append(said, "leave lobby"), c.Log()); diff != "" {
			t.Errorf("after it (-want +got):\n%s", diff)
		}
	})
}

func TestPlainLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{User: "ana", Member: []string{"lobby"}}
		var out, talk buffer
		begun := time.Now()
		go func() {
			<-time.After(30 * time.Minute)
			c.Calls().Event(client.Event{Room: "lobby", Sender: "bo", Event: "msg", Args: []byte(`["late"]`)})
		}()
		if err := repl.Plain(t.Context(), strings.NewReader(""), &out, &talk, c.Connect, repl.Options{Linger: time.Hour}); err != nil {
			t.Error(err)
		}
		if got := time.Since(begun); got != time.Hour {
			t.Errorf("Plain took %v, want 1h", got)
		}
		if got, want := out.String(), "[lobby] bo: late\n"; got != want {
			t.Errorf("out %q, want %q", got, want)
		}
	})
}

func TestPlainEndsWithTheClient(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(c *repltest.Client, stop context.CancelCauseFunc)
		want string
	}{
		{"refused", func(c *repltest.Client, _ context.CancelCauseFunc) { c.End(&client.Refusal{Message: "name taken"}) }, "name taken"},
		{"stopped", func(_ *repltest.Client, stop context.CancelCauseFunc) { stop(errors.New("interrupted")) }, "interrupted"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancelCause(t.Context())
				c := &repltest.Client{User: "ana", Member: []string{"lobby"}, Manual: true}
				in, feed := io.Pipe()
				done := make(chan error)
				go func() {
					done <- repl.Plain(ctx, in, io.Discard, io.Discard, c.Connect, repl.Options{})
				}()
				io.WriteString(feed, "not acknowledged\n")
				synctest.Wait()
				tt.end(c, stop)
				if got := text(<-done); got != tt.want {
					t.Errorf("Plain = %q, want %q", got, tt.want)
				}
				feed.Close()
			})
		})
	}
}

func TestPlainEndsWhenNobodyReads(t *testing.T) {
	c := &repltest.Client{User: "ana", Member: []string{"lobby"}}
	in, feed := io.Pipe()
	defer feed.Close()
	out, reader := io.Pipe()
	out.CloseWithError(io.ErrClosedPipe)
	go io.WriteString(feed, "hello\n")
	err := repl.Plain(t.Context(), in, reader, io.Discard, c.Connect, repl.Options{Echo: true})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Plain = %v, want %v", err, io.ErrClosedPipe)
	}
}

// Lines that come faster than they are acknowledged wait, and keep their order.
func TestPlainWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &repltest.Client{User: "ana", Member: []string{"lobby"}, Manual: true, Limit: 2}
		done := make(chan error)
		go func() {
			done <- repl.Plain(t.Context(), strings.NewReader("1\n2\n3\n4\n"), io.Discard, io.Discard, c.Connect, repl.Options{})
		}()
		for id := range uint64(4) {
			synctest.Wait()
			if got, want := len(c.Log()), int(min(id+2, 4)); got != want {
				t.Errorf("%d lines emitted while %d are acknowledged, want %d", got, id, want)
			}
			c.Acknowledge(id+1, nil)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
