package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"wirelab/internal/cells"
	"wirelab/internal/style"
)

// How often and from when on progress is shown: what is done within a second is
// not worth a line in a log.
const (
	redrawEvery = 200 * time.Millisecond
	firstLine   = time.Second
	lineEvery   = 5 * time.Second
)

// A progress says on stderr how far long work is: on a terminal in one line
// that is drawn again and goes away at the end, elsewhere in a line every few
// seconds. Its methods may be called from any goroutine; one goroutine draws,
// until stop.
type progress struct {
	to       io.Writer
	terminal bool

	mu    sync.Mutex
	text  string
	began time.Time // of what text is about
	start time.Time
	said  time.Time // the last line in a log
	drawn bool      // a line is on the terminal

	once sync.Once
	quit chan struct{}
	done chan struct{}
}

func startProgress(to io.Writer) *progress {
	now := time.Now()
	p := &progress{to: to, terminal: style.IsTerminal(to), start: now, began: now, quit: make(chan struct{}), done: make(chan struct{})}
	go p.draw()
	return p
}

// draw shows the text until stop.
func (p *progress) draw() {
	defer close(p.done)
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			p.show(now)
		case <-p.quit:
			return
		}
	}
}

func (p *progress) show(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.text == "" {
		return
	}
	line := fmt.Sprintf("wirelab: %s: %.0f s", p.text, now.Sub(p.began).Round(time.Second).Seconds())
	switch {
	case p.terminal:
		fmt.Fprintf(p.to, "\r\x1b[K%s", cells.Cut(style.Visible(line), style.Width(p.to)-1))
		p.drawn = true
	case p.said.IsZero() && now.Sub(p.start) >= firstLine, !p.said.IsZero() && now.Sub(p.said) >= lineEvery:
		fmt.Fprintln(p.to, style.Visible(line))
		p.said = now
	}
}

// compiling is told that the guest is being compiled, and for how long.
func (p *progress) compiling(elapsed time.Duration) {
	p.say("compiling the lab guest for this machine, once", time.Now().Add(-elapsed))
}

// running is told how many runs are done, and which was the last.
func (p *progress) running(done, total int, what string) {
	p.mu.Lock()
	begun := p.began
	p.mu.Unlock()
	switch {
	case total == 0:
		p.say("running", time.Now())
	default:
		p.say(fmt.Sprintf("%d of %d runs, %s", done, total, what), begun)
	}
}

func (p *progress) say(text string, began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text, p.began = text, began
}

// warn says at once what went another way than meant.
func (p *progress) warn(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.to, "wirelab: %s\n", style.Lines(err.Error(), ""))
}

// clear takes the line off the terminal.
func (p *progress) clear() {
	if p.drawn {
		io.WriteString(p.to, "\r\x1b[K")
		p.drawn = false
	}
}

// stop ends the drawing, and leaves nothing on the terminal. It may be called
// more than once.
func (p *progress) stop() {
	p.once.Do(func() {
		close(p.quit)
		<-p.done
		p.mu.Lock()
		defer p.mu.Unlock()
		p.clear()
	})
}
