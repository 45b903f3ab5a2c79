//go:build unix

package check

import (
	"os/exec"
	"syscall"
)

func session(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func running(pid int) bool { return syscall.Kill(pid, 0) == nil }
