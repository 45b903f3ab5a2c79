//go:build unix

package check

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func session(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// running reports whether pid runs; one that is dead and not buried yet does not.
func running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil && bytes.Contains(b, []byte(") Z ")) {
		return false
	}
	return syscall.Kill(pid, 0) == nil
}
