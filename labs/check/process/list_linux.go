package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// processes lists what runs on this machine, from /proc; ok is false without it.
func processes() (list []entry, ok bool) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, false
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		// pid (comm) state ppid pgrp …; the name may hold brackets and blanks.
		i, j := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
		if i < 0 || j < i {
			continue
		}
		f := strings.Fields(string(b[j+1:]))
		if len(f) < 20 {
			continue
		}
		e := entry{pid: pid, name: string(b[i+1 : j]), dead: f[0] == "Z" || f[0] == "X"}
		e.started, _ = strconv.ParseUint(f[19], 10, 64)
		e.parent, _ = strconv.Atoi(f[1])
		e.group, _ = strconv.Atoi(f[2])
		list = append(list, e)
	}
	return list, len(list) > 0
}

// marked reports whether id, KEY=VALUE, is in the environment.
func (e entry) marked(id string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", e.pid))
	return err == nil && bytes.Contains(b, []byte(id))
}

// command returns how the process was called.
func (e entry) command() string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", e.pid))
	if err != nil || len(b) == 0 {
		return e.name
	}
	return strings.TrimSpace(string(bytes.ReplaceAll(b, []byte{0}, []byte{' '})))
}

// starved returns how long the threads of a process have waited for a processor.
func (e entry) starved() time.Duration {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", e.pid))
	if err != nil {
		return 0
	}
	var sum time.Duration
	for _, task := range tasks {
		// On a processor, waiting for one, time slices: nanoseconds (sched-stats).
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", e.pid, task.Name()))
		if f := strings.Fields(string(b)); err == nil && len(f) == 3 {
			ns, _ := strconv.ParseInt(f[1], 10, 64)
			sum = max(sum, time.Duration(ns))
		}
	}
	return sum
}
