package check

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"time"

	"wirelab/labs/check/process"
	"wirelab/labs/check/script"
)

// Bounds of waiting for a program.
const (
	readyTime  = 5 * time.Second        // to listen
	readyMost  = time.Minute            // the same, with the time in which it did not get a processor
	readyPause = 5 * time.Millisecond   // between two tries
	exitGrace  = 100 * time.Millisecond // for what an ended program sent last
)

// A program is the learner's program, for one stage or trial: a port, a folder,
// and the process that runs now, if any.
type program struct {
	cfg   *Config
	stage *script.Stage
	port  int
	hold  io.Closer // keeps the port, by the other transport: no other program gets it
	data  string

	run   *process.Process // nil: not started, or killed
	spare *net.TCPConn     // by which it was found ready; for the first that opens
	left  []process.Left
}

func newProgram(cfg *Config, stage *script.Stage) (*program, error) {
	port, hold, err := freePort(stage.Transport)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "wirelab-check-")
	if err != nil {
		hold.Close()
		return nil, err
	}
	return &program{cfg: cfg, stage: stage, port: port, hold: hold, data: dir}, nil
}

// freePort finds a port that nobody listens on, TCP or UDP, outside of the range
// from which systems take the ports of connections. Of the transport that the
// program does not use it stays taken until hold is closed: so no other checker
// finds the port free before the program has it.
func freePort(transport script.Transport) (port int, hold io.Closer, err error) {
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err != nil {
			continue
		}
		var c net.PacketConn
		if c, err = net.ListenPacket("udp", addr); err != nil {
			l.Close()
			continue
		}
		if transport == script.UDP {
			c.Close()
			return port, l, nil
		}
		l.Close()
		return port, c, nil
	}
	return 0, nil, fmt.Errorf("no free port: %w", err)
}

func (p *program) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// exited is closed when the process has ended by itself; nil if none runs.
func (p *program) exited() <-chan struct{} {
	if p.run == nil {
		return nil
	}
	return p.run.Exited()
}

func (p *program) flooded() <-chan struct{} {
	if p.run == nil {
		return nil
	}
	return p.run.Flooded()
}

// start starts the program and waits until it listens.
func (p *program) start(ctx context.Context) error {
	run, err := process.Start(process.Config{Args: p.cfg.Args, Dir: p.cfg.Dir, Env: []string{
		"PORT=" + strconv.Itoa(p.port), "DATA=" + p.data, "WIRELAB_STAGE=" + strconv.Itoa(p.stage.Number),
		"PYTHONUNBUFFERED=1", // what it has printed is there when it is killed
	}})
	if err != nil {
		return failed(NotStarted, nil, fmt.Sprintf("%s: %v", p.cfg.Args[0], err))
	}
	p.run = run
	wait := p.cfg.Ready
	if wait == 0 {
		wait = readyTime
	}
	began := time.Now()
	end := time.NewTimer(wait)
	defer end.Stop()
	for {
		if p.listens(ctx) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-run.Exited():
			return p.ended(nil)
		case <-run.Flooded():
			return failed(Flooded, nil, floodWords)
		case <-end.C:
			// A machine that has no time for the program is not its fault.
			if left := wait + run.Starved() - time.Since(began); left > 0 && time.Since(began) < readyMost {
				end.Reset(max(left, readyPause))
				continue
			}
			return failed(NotListening, nil, fmt.Sprintf("nothing listens on %s %s after %v; the port is in the environment variable PORT", p.stage.Transport, p.address(), wait))
		case <-time.After(readyPause):
		}
	}
}

const floodWords = "it has written more than 1 MiB to its output"

// ended says how the program ended by itself.
func (p *program) ended(s *script.Step) *Failure {
	p.run.Settle()
	return failed(Exited, s, fmt.Sprintf("the program has ended by itself (%s); it should run until it is stopped", p.run.Status()))
}

// listens tries whether the program is ready.
func (p *program) listens(ctx context.Context) bool {
	if p.stage.Transport == script.UDP || linked(p.stage) {
		return listening(string(p.stage.Transport), p.port)
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", p.address())
	if err != nil {
		return false
	}
	if tc := c.(*net.TCPConn); selfConnected(tc) {
		tc.Close()
		return false
	} else {
		p.spare = tc
	}
	return true
}

// selfConnected reports whether a connection leads to itself, as one to a port
// that nobody listens on may (RFC 9293, section 3.5: simultaneous open).
func selfConnected(c *net.TCPConn) bool { return c.LocalAddr().String() == c.RemoteAddr().String() }

// kill ends the process and all that it has started.
func (p *program) kill() error {
	if p.spare != nil {
		p.spare.Close()
		p.spare = nil
	}
	if p.run == nil {
		return nil
	}
	left, err := p.run.End()
	p.left = append(p.left, left...)
	p.run = nil
	return err
}

// end ends the program for good, and returns its output.
func (p *program) end() (output []byte, err error) {
	run := p.run
	err = p.kill()
	if run != nil {
		output = run.Output()
	}
	// A folder that cannot be removed is the temporary folder's, and small.
	os.RemoveAll(p.data)
	p.hold.Close()
	return output, err
}
