package check

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// pupil is a program under check, by its name; each has one fault, most in the
// first connection.
func pupil(name string, args []string) {
	addr := "127.0.0.1:" + os.Getenv("PORT")
	switch name {
	case "exits":
		fmt.Println("cannot go on")
		os.Exit(3)
	case "deaf", "sleep":
		time.Sleep(time.Hour)
	case "floods":
		for line := bytes.Repeat([]byte("x"), 1000); ; {
			os.Stdout.Write(append(line, '\n'))
		}
	case "daemon": // its child serves, it ends
		if os.Getenv("CHILD") == "" {
			child("daemon")
			time.Sleep(100 * time.Millisecond)
			os.Exit(0)
		}
	case "child": // in its group: that is its right
		child("sleep")
	case "stray": // a session of its own
		child("sleep", session)
	case "orphan": // the same, and its parent is gone
		if os.Getenv("CHILD") == "" {
			cmd := child("orphan", session)
			cmd.Wait()
		} else {
			child("sleep")
			os.Exit(0)
		}
	case "stubborn":
		signal.Ignore(syscall.SIGTERM, os.Interrupt, syscall.SIGHUP)
	case "arq":
		arqProgram(addr, args[0], args[1])
		return
	case "udp-echo", "udp-other-port", "udp-cuts":
		udpProgram(addr, name)
		return
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for n := 0; ; n++ {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		if name == "one-client" && n == 0 {
			l.Close()
			serve(name, c.(*net.TCPConn))
			time.Sleep(time.Hour)
		}
		go serve(name, c.(*net.TCPConn))
	}
}

// parent is who started this program.
var parent = os.Getppid()

// serve echoes, with the fault of a name.
func serve(name string, c *net.TCPConn) {
	defer c.Close()
	if name == "greets" {
		c.Write([]byte("hello\n"))
	}
	var buf [4096]byte
	for {
		n, err := c.Read(buf[:])
		b := buf[:n]
		switch {
		case err != nil && name == "open":
			time.Sleep(time.Hour)
		case err != nil:
			return
		case name == "silent":
			continue
		case name == "halts" && bytes.Contains(b, []byte("halt")):
			time.Sleep(time.Hour)
		case name == "capitals":
			b = bytes.ToUpper(b)
		case name == "late":
			time.Sleep(300 * time.Millisecond)
		case name == "daemon":
			// It answers when the one that started it has ended, which Windows
			// does not tell.
			for n := 0; os.Getppid() == parent && n < 1000; n++ {
				time.Sleep(time.Millisecond)
			}
		case name == "hangs-up":
			return
		case name == "resets":
			c.SetLinger(0)
			return
		case name == "crashes":
			fmt.Println("panic: what now\nsecond line")
			os.Exit(2)
		case name == "talks":
			b = append(b, "and more\n"...)
		case name == "short":
			b = b[:max(0, len(b)-2)]
		case name == "store":
			stored(c, string(b))
			continue
		}
		c.Write(b)
	}
}

// stored keeps what "put" says in the folder DATA.
func stored(c net.Conn, line string) {
	file := os.Getenv("DATA") + "/kept"
	if text, ok := strings.CutPrefix(line, "put "); ok {
		os.WriteFile(file, []byte(text), 0o600)
		fmt.Fprintf(c, "OK %d\n", 10+len(text))
		return
	}
	b, _ := os.ReadFile(file)
	c.Write(append([]byte("kept "), b...))
}

func udpProgram(addr, name string) {
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	other, _ := net.ListenPacket("udp", "127.0.0.1:0")
	for buf := make([]byte, 65535); ; {
		n, from, err := c.ReadFrom(buf)
		switch {
		case err != nil:
			continue
		case name == "udp-other-port":
			other.WriteTo(buf[:n], from)
		case name == "udp-cuts":
			c.WriteTo(buf[:min(n, 10)], from)
		default:
			c.WriteTo(buf[:n], from)
		}
	}
}

// child starts this binary as another program, and notes its number in the file
// child.
func child(name string, change ...func(*exec.Cmd)) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "program", name)
	cmd.Env = append(os.Environ(), "CHILD=1")
	for _, fn := range change {
		fn(cmd)
	}
	if err := cmd.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	f, _ := os.OpenFile("child", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	fmt.Fprintln(f, cmd.Process.Pid)
	f.Close()
	return cmd
}
