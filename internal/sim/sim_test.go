package sim

import (
	"bytes"
	"testing"
)

func TestX(t *testing.T) {
	p := program(t)
	for _, a := range []string{"hour", "begin", "timers", "chance", "ticks", "echo", "files", "exit", "panic", "overflow", "deadlock", "forever", "wait", "hoard", "write", "chatter"} {
		var out bytes.Buffer
		r, err := p.Run(t.Context(), Config{Args: []string{a}, Stdout: &limited{w: &out, left: 3000}})
		b := out.Bytes()
		t.Logf("%s: %.300s\n%+v\n%v\n", a, b, r, err)
	}
}
