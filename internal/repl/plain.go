package repl

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wirelab/internal/client"
	"wirelab/internal/style"
	"wirelab/internal/wire"
)

// Options say how a conversation without a full screen runs.
type Options struct {
	Room       string        // where lines go; if empty, the first of the client's rooms
	JSON       bool          // one JSON object per line out
	Unreliable bool          // lines are emitted once, without an acknowledgement: UDP modes unreliable and sequenced
	Echo       bool          // show own messages, too, when they come back; JSON always does
	Linger     time.Duration // keep receiving so long after the end of in; negative: until ctx ends
}

// maxLine caps a line of in: what fits one event.
const maxLine = wire.MaxArguments

// Plain chats without a terminal: a line of in is a message or a /command,
// what arrives is a line of out; what this program has to say itself goes to
// errw, or with Options.JSON to out. An event counts as handled once its line
// was written. At the end of in Plain waits until everything emitted is
// acknowledged, then for Options.Linger, and leaves. It returns nil then and
// after /quit, an error if something was refused, or why the client ended.
//
// A read of in that blocks cannot be ended: if Plain returns for another
// reason, one goroutine stays with it until in has a line or ends.
func Plain(ctx context.Context, in io.Reader, out, errw io.Writer, connect Connect, opts Options) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	p := &printer{out: out, err: errw, opts: opts, fail: stop}
	c := connect(Handlers{
		Event:  func(e client.Event) any { p.print(Incoming(e)); return nil },
		Status: func(st client.Status) { p.print(Told(st)...) },
	})
	var run sync.WaitGroup
	ended := make(chan error, 1)
	run.Go(func() {
		err := c.Run(ctx)
		ended <- err
		stop(cmp.Or(err, errDone))
	})
	conversation := &plain{session: NewSession(c, opts.Unreliable), client: c, print: p.print, at: Place{c.Namespace(), opts.Room}}
	if rooms := c.Rooms(); opts.Room == "" && len(rooms) > 0 {
		conversation.at.Room = rooms[0]
	}
	// A line is for a client that is connected: before, most commands would
	// fail. If there will be no connection, Run ends ctx and says why.
	_ = c.Ready(ctx)
	conversation.read(ctx, in)
	if !conversation.quit {
		// An empty input is no reason to leave before the server has said
		// whether it takes this member at all. If it does not, Run says why.
		_ = c.Ready(ctx)
	}
	if ctx.Err() == nil {
		conversation.settle(ctx, opts.Linger)
	}
	c.Close()
	run.Wait()
	if err := <-ended; err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil && err != errDone {
		return err
	}
	if n := conversation.failures.Load(); n > 0 {
		return fmt.Errorf("%s of input failed", count(n, "line"))
	}
	return nil
}

// errDone ends the context of a conversation that ended well.
var errDone = errors.New("done")

// A plain is one conversation. It belongs to the goroutine that reads.
type plain struct {
	session *Session
	client  Client
	print   func(...Item)
	at      Place
	quit    bool

	waits    sync.WaitGroup // for acknowledgements
	oldest   []<-chan struct{}
	failures atomic.Uint64 // lines that did not do what they say
}

// read does the lines of in until its end, /quit, or the end of ctx.
func (p *plain) read(ctx context.Context, in io.Reader) {
	lines := make(chan string)
	ended := make(chan error, 1)
	go func() {
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			select {
			case lines <- scanner.Text():
			case <-ctx.Done():
				return
			}
		}
		ended <- scanner.Err()
	}()
	for !p.quit {
		select {
		case line := <-lines:
			p.line(ctx, strings.TrimSuffix(line, "\r"))
		case err := <-ended:
			switch {
			case errors.Is(err, bufio.ErrTooLong):
				p.print(failure(p.at, fmt.Errorf("a line of more than %d bytes: no event is that long; what follows is not read", maxLine)))
				p.failures.Add(1)
			case err != nil:
				p.print(failure(p.at, fmt.Errorf("read: %w", err)))
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

// line does one line and waits for it, but not for acknowledgements of messages.
func (p *plain) line(ctx context.Context, line string) {
	if strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//") && !p.answered(ctx) {
		return
	}
	step := p.session.Do(p.at, line)
	for overfull(&step) && len(p.oldest) > 0 {
		// Lines come faster than they are acknowledged.
		select {
		case <-p.oldest[0]:
		case <-ctx.Done():
			return
		}
		p.oldest = p.oldest[1:]
		step = p.session.Do(p.at, line)
	}
	for {
		p.show(step)
		p.quit = p.quit || step.Quit
		if step.Move != nil {
			p.at = *step.Move
		}
		if step.Then == nil {
			return
		}
		if step.Loose {
			break
		}
		step = step.Then(ctx)
	}
	then, done := step.Then, make(chan struct{})
	for len(p.oldest) > 0 && closed(p.oldest[0]) {
		p.oldest = p.oldest[1:]
	}
	p.oldest = append(p.oldest, done)
	p.waits.Go(func() {
		defer close(done)
		if step := then(ctx); ctx.Err() == nil {
			p.show(step)
		}
	})
}

// answered waits for the acknowledgements of the messages before a command,
// which would overtake them: /leave, and the message is refused. While the
// client is offline there is nothing to wait for. It reports false when ctx
// ends.
func (p *plain) answered(ctx context.Context) bool {
	for len(p.oldest) > 0 && p.session.client.Stats().Online {
		select {
		case <-p.oldest[0]:
			p.oldest = p.oldest[1:]
		case <-time.After(answerCheck):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// answerCheck is how often answered looks whether the client is online still.
const answerCheck = time.Second

func (p *plain) show(step Step) {
	p.print(step.Items...)
	for _, it := range step.Items {
		if it.Kind == Failure || it.Kind == Receipt && it.State == Refused {
			p.failures.Add(1)
			return
		}
	}
}

func closed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

// overfull reports whether the step failed because too much waits already.
func overfull(st *Step) bool {
	return len(st.Items) == 1 && st.Items[0].Kind == Failure && errors.Is(st.Items[0].Err, client.ErrFull)
}

// settle waits for what is not acknowledged yet, and then for linger.
func (p *plain) settle(ctx context.Context, linger time.Duration) {
	p.waits.Wait() // each ends with ctx
	if p.quit || linger == 0 || ctx.Err() != nil {
		return
	}
	var timer <-chan time.Time
	if linger > 0 {
		t := time.NewTimer(linger)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
	case <-ctx.Done():
	}
}

// A printer writes items as lines. One line is one write.
type printer struct {
	opts Options
	fail context.CancelCauseFunc // called when out takes no more

	mu       sync.Mutex
	out, err io.Writer
	broken   bool
}

func (p *printer) print(items ...Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range items {
		it := &items[i]
		var data, talk string
		if p.opts.JSON {
			if line := it.JSON(); line != nil {
				data = string(line) + "\n"
			}
		} else {
			data, talk = it.Plain(p.opts.Echo)
		}
		if talk != "" {
			io.WriteString(p.err, talk)
		}
		if data == "" || p.broken {
			continue
		}
		if _, err := io.WriteString(p.out, data); err != nil {
			p.broken = true
			p.fail(fmt.Errorf("write: %w", err))
		}
	}
}

// continued goes before the second and further lines of one message, so that
// none can pass for a message of its own.
const continued = "    "

// Plain returns the item as lines: data about the rooms, and talk about the
// program itself. An own message is left out unless echo is set.
func (it *Item) Plain(echo bool) (data, talk string) {
	room := "[" + style.Visible(it.Place.String()) + "] "
	if it.Place.Room == "" {
		room = ""
	}
	switch it.Kind {
	case Message:
		if it.State != Theirs || it.Event.Own && !echo && !it.Past {
			return "", ""
		}
		return mark(it) + room + said(it.Event) + "\n", ""
	case Loss:
		if it.Trifle() {
			return "", ""
		}
		return "* " + room + style.Lines(it.Text, continued) + "\n", ""
	case Notice, Info:
		return "* " + room + style.Lines(it.Text, continued) + "\n", ""
	case Listing:
		var b strings.Builder
		for _, line := range it.Table.Lines(0) {
			b.WriteString("* " + line + "\n")
		}
		return b.String(), ""
	case Status:
		switch it.Status.Kind {
		case client.StatusClosed:
			return "", ""
		case client.StatusConnecting:
			if it.Status.Attempt <= 1 {
				return "", ""
			}
		case client.StatusRoom, client.StatusLeft:
			if it.Status.Kind == client.StatusRoom && it.Status.Missed == 0 {
				return "", ""
			}
			return "* " + room + style.Visible(it.Text) + "\n", ""
		}
		return "", "wirelab: " + style.Lines(it.Text, continued) + "\n"
	case Receipt:
		if it.State == Acked {
			return "", ""
		}
	case Failure:
		if it.Status != nil && it.Status.Kind == client.StatusRefused {
			return "", "" // Plain returns it
		}
	default:
		return "", ""
	}
	talk = "wirelab: " + style.Lines(it.Text, continued) + "\n"
	if it.Hint != "" {
		talk += "hint: " + style.Lines(it.Hint, continued) + "\n"
	}
	return "", talk
}

// mark says what is special about a message, in front of its line.
func mark(it *Item) string {
	switch {
	case it.Past:
		return "· " + it.Time.Local().Format("15:04:05") + " "
	case it.Event.Redelivered:
		return "↻ "
	}
	return ""
}

// said returns who said what. No name has a colon or a ▸ in it, so a text
// cannot pass for an event.
func said(e *client.Event) string {
	sender := style.Visible(e.Sender)
	if sender == "" {
		sender = "‹server›"
	}
	text, plain := Body(e)
	if plain {
		return sender + ": " + style.Lines(text, continued)
	}
	return sender + " ▸ " + style.Lines(text, continued)
}
