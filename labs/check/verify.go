package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"wirelab/labs/check/script"
)

// A Role is what a program of a lab is there for.
type Role string

// The roles.
const (
	Reference Role = "reference" // passes every stage
	Wrong     Role = "wrong"     // fails where it says, for the reason that it says
	Starter   Role = "starter"   // fails at the first stage, since it is unfinished
)

// A Program is source code that comes with a lab.
type Program struct {
	Role   Role
	Name   string // of a wrong one: what is wrong
	File   string // main.go, main.py
	Source string
	Line   int // of the source's first line in the lab's file

	// Of a wrong one: the title of the stage that must fail, and words of what
	// the checker must say.
	FailsAt   string
	FailsWith string
}

func (p *Program) String() string {
	if p.Name == "" {
		return string(p.Role) + " " + p.File
	}
	return fmt.Sprintf("%s %s/%s", p.Role, p.Name, p.File)
}

// A Lab is what Verify proves.
type Lab struct {
	Name     string
	Stages   []*script.Stage
	Programs []Program
}

// A Proof is what one program of a lab came to.
type Proof struct {
	Program *Program
	Wrong   string  // what is not as it has to be; empty: all is well
	Once    string  // what was not as it has to be at the first of three checks, and was at the others
	Skipped string  // why it was not run: a tool that is missing
	Result  *Result // nil: skipped, or not built
}

// VerifyOptions are how a lab is verified.
type VerifyOptions struct {
	Seed     uint64
	Parallel int  // programs that run at a time; if zero, four for each processor: they wait most of the time
	Tools    bool // a missing tool is wrong, not skipped

	Done func(Proof) // if not nil, told of each; from one goroutine at a time
}

// Verify runs every program that comes with a lab: references have to pass,
// wrong ones and starters have to fail where they should and with the words that
// they should. The proofs are in the order of the programs; the error is that of
// ctx.
func Verify(ctx context.Context, lab *Lab, o VerifyOptions) ([]Proof, error) {
	proofs := make([]Proof, len(lab.Programs))
	o.Parallel = cmp.Or(max(o.Parallel, 0), 4*runtime.NumCPU())
	v := verifier{lab: lab, o: o, slots: make(chan struct{}, o.Parallel),
		python: sync.OnceValues(func() ([]string, error) { return interpreter(ctx) })}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		next = make(chan int)
	)
	for range o.Parallel {
		wg.Go(func() {
			for i := range next {
				p := v.prove(ctx, &lab.Programs[i])
				mu.Lock()
				proofs[i] = p
				if o.Done != nil && ctx.Err() == nil {
					o.Done(p)
				}
				mu.Unlock()
			}
		})
	}
	for i := range lab.Programs {
		next <- i
	}
	close(next)
	wg.Wait()
	return proofs, ctx.Err()
}

// A verifier is what the proofs of one lab share.
type verifier struct {
	lab    *Lab
	o      VerifyOptions
	python func() ([]string, error) // how to call it
	slots  chan struct{}            // one for each program that runs
}

// verifyTries is how often a program is checked that could not be judged, or was
// not as it has to be.
const verifyTries = 3

// prove runs one program.
func (v *verifier) prove(ctx context.Context, p *Program) Proof {
	proof := Proof{Program: p}
	if ctx.Err() != nil {
		return proof
	}
	dir, err := os.MkdirTemp("", "wirelab-verify-")
	if err != nil {
		proof.Wrong = err.Error()
		return proof
	}
	defer os.RemoveAll(dir)
	args, err := v.build(ctx, dir, p)
	var missing *exec.Error
	switch {
	case errors.As(err, &missing) && !v.o.Tools:
		proof.Skipped = missing.Name + " is not there"
		return proof
	case err != nil:
		proof.Wrong = err.Error()
		return proof
	}
	// The verdicts are about real time, on a machine that others use, too. What is
	// wrong with a lab is wrong each time: what is not as it has to be is checked
	// twice more, and has to be right both times.
	for range verifyTries {
		proof.Result, err = Check(ctx, Config{Lab: v.lab.Name, Stages: v.lab.Stages, Args: args, Dir: dir, Seed: v.o.Seed, slots: v.slots})
		if err != nil {
			proof.Wrong = err.Error()
			return proof
		}
		if proof.Result.Kind() == Unjudged {
			proof.Wrong = disagrees(p, proof.Result)
			continue
		}
		wrong := disagrees(p, proof.Result)
		if proof.Wrong = wrong; wrong == "" && proof.Once == "" {
			return proof
		}
		if wrong != "" && proof.Once != "" {
			return proof
		}
		proof.Once = cmp.Or(proof.Once, wrong)
	}
	return proof
}

// disagrees says in what a result is not what it has to be.
func disagrees(p *Program, r *Result) string {
	s, f := r.Failure()
	said := "it passes"
	if f != nil {
		said = fmt.Sprintf("stage %d, %s: %v", s.Number, s.Title, f)
	}
	if r.Kind() == Unjudged {
		return said
	}
	switch p.Role {
	case Reference:
		if f != nil {
			return "has to pass; " + said
		}
	case Starter:
		switch {
		case f == nil || s != &r.Stages[0]:
			return "has to fail at the first stage; " + said
		case f.Kind == NotStarted, f.Kind == NotListening, f.Kind == Exited, f.Kind == Flooded, f.Kind == LeftChildren:
			return "has to run and to listen, and to fail since it is unfinished; " + said
		}
	case Wrong:
		if f == nil || s.Title != p.FailsAt || !strings.Contains(f.words(), p.FailsWith) {
			return fmt.Sprintf("has to fail at %q with %q; %s", p.FailsAt, p.FailsWith, said)
		}
	}
	return ""
}

// build writes a program to a folder, and returns how to call it.
func (v *verifier) build(ctx context.Context, dir string, p *Program) ([]string, error) {
	path := filepath.Join(dir, filepath.Base(p.File))
	if err := os.WriteFile(path, []byte(p.Source), 0o644); err != nil {
		return nil, err
	}
	switch filepath.Ext(p.File) {
	case ".py":
		args, err := v.python()
		if err != nil {
			return nil, err
		}
		return append(slices.Clip(args), path), nil
	case ".go":
	default:
		return nil, fmt.Errorf("%s: want a name that ends in .go or .py", p.File)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module program\n\ngo 1.22\n"), 0o644); err != nil {
		return nil, err
	}
	v.slots <- struct{}{}
	defer func() { <-v.slots }()
	exe := filepath.Join(dir, "program.exe") // Windows needs the ending, others do not mind
	cmd := exec.CommandContext(ctx, "go", "build", "-o", exe, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GO111MODULE=on", "GOTOOLCHAIN=local", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return []string{exe}, nil
}

// interpreter returns how to call Python.
func interpreter(ctx context.Context) ([]string, error) {
	name := "python3"
	if runtime.GOOS == "windows" {
		name = "python"
	}
	exe, err := exec.LookPath(name)
	if err != nil {
		return nil, err
	}
	return direct(ctx, []string{exe}, ""), nil
}
