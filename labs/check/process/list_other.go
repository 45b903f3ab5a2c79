//go:build unix && !linux && !darwin

package process

import (
	"syscall"
	"time"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// processes cannot list what runs here.
func processes() (list []entry, ok bool) { return nil, false }

func (e entry) marked(string) bool { return false }
func (e entry) command() string    { return e.name }

func (e entry) starved() time.Duration { return 0 }
