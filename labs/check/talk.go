package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"wirelab/internal/relay"
	"wirelab/labs/check/script"
)

// grace is how long after a stage's last statement nothing may come any more.
const grace = 50 * time.Millisecond

// shownBefore is how many exchanges a failure keeps.
const shownBefore = 14

// A talk is one conversation with the program: the statements of a stage, once.
type talk struct {
	ctx     context.Context
	stage   *script.Stage
	seed    uint64
	program *program
	log     *transcript
	mark    time.Time     // when the statement before was done
	starved time.Duration // how long the program had no processor before it was ready
	names   map[string]*line
	found   map[string]string

	up, down *path          // udp
	target   netip.AddrPort // udp: the program's
	relay    string         // tcp over a link: whom to call instead of the program
}

// An outcome is what a conversation came to.
type outcome struct {
	failure *Failure // nil: passed
	fault   error    // why it could not be judged, or was interrupted
	log     *transcript
	ups     int // datagrams to the program, from it
	downs   int
	began   time.Time
	ended   time.Time
	starved time.Duration // the program had no processor
}

// converse starts the program and plays the stage once under faults.
func (c *checker) converse(ctx context.Context, stage *script.Stage, faults []Fault) (o outcome) {
	if c.cfg.slots != nil {
		c.cfg.slots <- struct{}{}
		defer func() { <-c.cfg.slots }()
	}
	o.began = time.Now()
	defer func() { o.ended = time.Now() }()
	p, err := newProgram(&c.cfg, stage)
	if err != nil {
		o.fault = err
		return o
	}
	t := &talk{stage: stage, seed: c.cfg.Seed, program: p, names: map[string]*line{}, found: map[string]string{}, target: target(p.port)}
	t.log = newTranscript(time.Now())
	o.log = t.log
	err = t.play(ctx, faults)
	if err != nil && p.run != nil {
		o.starved = p.run.Starved() - t.starved
	}
	output, endErr := p.end()
	var f *Failure
	switch {
	case err == nil, errors.As(err, &f):
		o.failure = f
	case ctx.Err() != nil:
		o.fault = ctx.Err()
	default:
		o.fault = err
	}
	if o.fault == nil && endErr != nil {
		o.fault = endErr
	}
	o.failure = leftBehind(o.failure, p)
	if o.failure != nil {
		o.failure.Output = output
		o.failure.Hints = hints(o.failure.Kind, stage)
		if o.failure.Before == nil {
			o.failure.Before = t.log.last(shownBefore)
		}
	}
	o.ups, o.downs = t.log.datagrams()
	return o
}

// hints returns what helps: the stage's own, unless the program did not get as
// far as the conversation.
func hints(k Kind, stage *script.Stage) []string {
	switch k {
	case NotStarted:
		return []string{"Call it as you would here without Wirelab: ./program, python3 main.py, go run . ..."}
	case NotListening:
		return []string{"Read the port from the environment variable PORT, as a number, and listen on 127.0.0.1. Does the program print an error?"}
	case Flooded:
		return []string{"Is there a loop that prints without waiting for anything?"}
	case LeftChildren:
		return []string{"Do not fork into the background, nor start a session of your own (setsid): whoever stops the program has to reach all of it."}
	}
	return stage.Hints
}

// leftBehind takes in what the program has left behind.
func leftBehind(f *Failure, p *program) *Failure {
	if len(p.left) == 0 {
		return f
	}
	list := ""
	for i, l := range p.left {
		if i == 3 {
			list += fmt.Sprintf(" and %d more", len(p.left)-i)
			break
		}
		if i > 0 {
			list += ", "
		}
		list += l.String()
	}
	switch {
	case f == nil:
		return failed(LeftChildren, nil, "when the program was killed, "+list+" would have run on outside of its process group")
	case f.Kind == Exited:
		g := *f
		g.Kind, g.What = LeftChildren, f.What+", and left "+list+" behind"
		return &g
	}
	f.Notes = append(f.Notes, "the program left "+list+" behind")
	return f
}

// play starts the program and goes through the statements.
func (t *talk) play(ctx context.Context, faults []Fault) error {
	// Parts of the conversation end before the program is killed.
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer func() {
		for _, l := range t.names {
			l.close(false)
		}
		cancel()
		work.Wait()
	}()
	t.ctx = ctx
	if err := t.program.start(ctx); err != nil {
		return err
	}
	began := time.Now()
	t.log.began, t.mark, t.starved = began, began, t.program.run.Starved()
	if t.stage.Transport == script.UDP {
		up, down := t.stage.Up, t.stage.Down
		up.Script = slices.Concat(up.Script, rules(faults, true))
		down.Script = slices.Concat(down.Script, rules(faults, false))
		var err error
		if t.up, err = newPath(up, t.seed, !t.stage.Reorder, began, t.log, t.arriveUp); err != nil {
			return err
		}
		if t.down, err = newPath(down, t.seed+1, !t.stage.Reorder, began, t.log, t.arriveDown); err != nil {
			return err
		}
		work.Go(func() { t.up.run(ctx) })
		work.Go(func() { t.down.run(ctx) })
	} else if linked(t.stage) {
		if err := t.lay(ctx, &work); err != nil {
			return err
		}
	}
	limit, stop := context.WithTimeout(ctx, t.stage.Limit)
	defer stop()
	t.ctx = limit
	for i := range t.stage.Steps {
		s := &t.stage.Steps[i]
		if err := t.step(s); err != nil {
			return err
		}
		t.mark = time.Now()
	}
	return t.settle()
}

// linked reports whether a connection of the stage goes over an emulated link.
func linked(s *script.Stage) bool { return s.Up.String() != "" || s.Down.String() != "" }

// lay puts an emulated link between the checker and the program.
func (t *talk) lay(ctx context.Context, work *sync.WaitGroup) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r, err := relay.New(relay.Config{TCP: l, Connect: t.program.address(), Up: t.stage.Up, Down: t.stage.Down, Seed: t.seed})
	if err != nil {
		l.Close()
		return err
	}
	t.relay = l.Addr().String()
	work.Go(func() { r.Serve(ctx) })
	return nil
}

// step does one statement.
func (t *talk) step(s *script.Step) error {
	if err := t.alive(s); err != nil {
		return err
	}
	switch s.Do {
	case script.Open:
		return t.open(s)
	case script.Send:
		return t.send(s)
	case script.Expect:
		if t.stage.Transport == script.UDP {
			return t.expectDatagrams(s)
		}
		return t.expectStream(s)
	case script.ExpectAny:
		return t.expectAny(s)
	case script.Match:
		return t.match(s)
	case script.Silence:
		return t.silence(s, s.Names, s.For)
	case script.Wait:
		return t.sleep(s.For)
	case script.Shutdown:
		t.log.add(time.Now(), Exchange{Name: s.Names[0], Up: true, Do: "FIN"}, nil)
		t.names[s.Names[0]].tcp.CloseWrite() // fails if the program has reset it: that shows elsewhere
	case script.Close, script.Reset:
		t.drop(s.Names[0], s.Do == script.Reset)
	case script.EOF, script.Gone:
		return t.eof(s)
	case script.Full:
		l := t.names[s.Names[0]]
		l.full.Store(true)
		l.tcp.SetReadDeadline(time.Now())
	case script.Kill:
		return t.kill("kill")
	case script.Restart:
		if err := t.kill("restart"); err != nil {
			return err
		}
		return t.program.start(t.ctx)
	case script.Lose, script.Twice, script.Late:
		p := t.down
		if s.Up {
			p = t.up
		}
		p.rule(&wordRule{conn: t.names[s.Names[0]], words: s.Words, do: s.Do, by: s.For})
	case script.ARQ:
		return t.exchange(s)
	default:
		return fmt.Errorf("line %d: %s is not known", s.Line, s.Do)
	}
	return nil
}

// open opens names.
func (t *talk) open(s *script.Step) error {
	for _, name := range s.Names {
		if t.names[name] != nil {
			t.drop(name, false)
		}
		var err error
		if t.stage.Transport == script.UDP {
			err = t.socket(name)
		} else {
			err = t.dial(s, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drop closes a name.
func (t *talk) drop(name string, reset bool) {
	do := "FIN"
	if reset {
		do = "RST"
	}
	if l := t.names[name]; l != nil {
		if l.tcp != nil {
			t.log.add(time.Now(), Exchange{Name: name, Up: true, Do: do}, nil)
		}
		l.close(reset)
		delete(t.names, name)
	}
}

// kill ends the program, and closes all names. A RST leaves nothing of them with
// the kernel that would keep the port from a program that starts.
func (t *talk) kill(why string) error {
	t.log.add(time.Now(), Exchange{Up: true, Do: why}, nil)
	err := t.program.kill()
	for name, l := range t.names {
		l.close(true)
		delete(t.names, name)
	}
	return err
}

// sleep lets time go by, but not beyond the stage's limit.
func (t *talk) sleep(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-t.ctx.Done():
		return t.over(nil)
	}
}

// over says why the context has ended: the stage's limit, or somebody.
func (t *talk) over(s *script.Step) error {
	if errors.Is(t.ctx.Err(), context.DeadlineExceeded) {
		return t.fail(TooLate, s, "the stage's limit of %v is over", t.stage.Limit)
	}
	return t.ctx.Err()
}

// alive reports a program that has ended by itself, or has flooded its output.
func (t *talk) alive(s *script.Step) error {
	select {
	case <-t.program.flooded():
		return t.fail(Flooded, s, floodWords)
	case <-t.ctx.Done():
		return t.over(s)
	default:
		return nil
	}
}

// gone returns the failure of a program that has ended by itself, nil if it
// runs. It waits a moment: a connection ends before its process does.
func (t *talk) gone(s *script.Step) *Failure {
	if t.program.run == nil {
		return nil
	}
	select {
	case <-t.program.exited():
		return t.complete(t.program.ended(s))
	case <-time.After(exitGrace):
		return nil
	}
}

// fail makes a failure of this conversation.
func (t *talk) fail(k Kind, s *script.Step, format string, args ...any) *Failure {
	return t.complete(failed(k, s, fmt.Sprintf(format, args...)))
}

func (t *talk) complete(f *Failure) *Failure {
	f.Waited = time.Since(t.mark)
	f.Before = t.log.last(shownBefore)
	return f
}

// settle checks that nothing is left at the end of a stage.
func (t *talk) settle() error {
	var names []string
	for name, l := range t.names {
		if !l.full.Load() && !l.peered {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if err := t.silence(nil, names, grace); err != nil {
		var f *Failure
		if errors.As(err, &f) && f.Kind == TooEarly {
			f.Kind, f.What = WrongBytes, fmt.Sprintf("%s: something came that nobody expected, at the end of the stage", f.Name)
			f.WantText = "nothing more"
		}
		return err
	}
	if t.program.run == nil {
		return nil
	}
	select {
	case <-t.program.exited():
		return t.complete(t.program.ended(nil))
	case <-t.program.flooded():
		return t.fail(Flooded, nil, floodWords)
	default:
		return nil
	}
}

// joined returns the bytes of all parts, one after the other.
func (t *talk) joined(s *script.Step) ([]byte, error) {
	var all [][]byte
	for _, d := range s.Parts {
		b, err := d.Bytes(t.seed, t.found)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return bytes.Join(all, nil), nil
}
