package tcp_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The kernel's own TCP, over loopback and between two network namespaces which
// the test makes. A slow egress with a short queue loses packets.
func TestKernel(t *testing.T) {
	tshark(t)
	t.Parallel() // it waits most of the time
	dump := tool(t, "tcpdump")
	ip, tc := tool(t, "ip"), tool(t, "tc")
	if os.Geteuid() != 0 {
		missing(t, "not root: no network namespaces")
	}
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			missing(t, fmt.Sprintf("%s %v: %v: %s", name, args, err, out))
		}
	}
	a, b := fmt.Sprintf("wta%d", os.Getpid()), fmt.Sprintf("wtb%d", os.Getpid())
	for _, ns := range []string{a, b} {
		run(ip, "netns", "add", ns)
		t.Cleanup(func() { exec.Command(ip, "netns", "del", ns).Run() })
		run(ip, "-n", ns, "link", "set", "lo", "up")
	}
	run(ip, "-n", a, "link", "add", "veth0", "type", "veth", "peer", "name", "veth0", "netns", b)
	for i, ns := range []string{a, b} {
		run(ip, "-n", ns, "addr", "add", fmt.Sprintf("192.0.2.%d/24", i+1), "dev", "veth0")
		run(ip, "-n", ns, "addr", "add", fmt.Sprintf("2001:db8::%d/64", i+1), "dev", "veth0", "nodad")
		run(ip, "-n", ns, "link", "set", "veth0", "up")
	}
	dir := t.TempDir()
	record := func(ns, device, name string, args ...string) string {
		file := filepath.Join(dir, name+".pcap")
		capturing(t, append(append([]string{ip, "netns", "exec", ns, dump, "-i", device, "-w", file,
			"-Z", "root", "-B", "16384", "-U", "--time-stamp-precision=nano"}, args...), "tcp"))
		return file
	}
	var files []string
	t.Run("traffic", func(t *testing.T) {
		files = []string{
			record(a, "veth0", "near", "-s", "160"), record(b, "veth0", "far"), record(b, "veth0", "cut", "-s", "60"), record(b, "lo", "loopback"),
		}
		var wg sync.WaitGroup
		for _, way := range [][2]string{{a, "192.0.2.2:4000"}, {a, "[2001:db8::2]:4000"}, {b, "127.0.0.1:4000"}} {
			wg.Go(func() { traffic(t, ip, way[0], b, way[1]) })
		}
		wg.Wait()
		run(ip, "netns", "exec", a, tc, "qdisc", "add", "dev", "veth0", "root", "tbf", "rate", "50mbit", "burst", "10kb", "limit", "30kb")
		traffic(t, ip, a, b, "192.0.2.2:4000")
	})
	for _, file := range files {
		sum := compare(t, file, true)
		t.Logf("%s: %s", filepath.Base(file), sum.String())
		if sum.packets < 500 {
			t.Errorf("%s: only %d packets", file, sum.packets)
		}
	}
}

// capturing runs tcpdump until the test ends.
func capturing(t *testing.T, args []string) {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT} // if the test is killed
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGINT) // ip exec'd it: it has the process
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	})
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if strings.Contains(lines.Text(), "listening on") {
			go io.Copy(io.Discard, pipe)
			return
		}
	}
	t.Fatalf("%v does not listen", args)
}

// traffic lets this test's program serve in namespace b, and call from a.
func traffic(t *testing.T, ip, a, b, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	start := func(ns, role string) (*exec.Cmd, *bufio.Scanner, error) {
		cmd := exec.CommandContext(ctx, ip, "netns", "exec", ns, os.Args[0], "-test.run=^TestPeer$")
		cmd.Env = append(os.Environ(), "WIRELAB_TCP_PEER="+role+" "+addr)
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		pipe, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		return cmd, bufio.NewScanner(pipe), err
	}
	server, said, err := start(b, "server")
	if err != nil {
		t.Error(err)
		return
	}
	for said.Scan() && said.Text() != "ready" {
	}
	client, said, err := start(a, "client")
	if err != nil {
		t.Error(err)
		return
	}
	for said.Scan() {
		if line := said.Text(); strings.HasPrefix(line, "error") {
			t.Error(line)
		}
	}
	if err := client.Wait(); err != nil {
		t.Error(err)
	}
	server.Process.Kill()
	server.Wait()
}

// TestPeer is no test: it is the program that TestKernel starts in a namespace.
func TestPeer(t *testing.T) {
	role, addr, ok := strings.Cut(os.Getenv("WIRELAB_TCP_PEER"), " ")
	if !ok {
		t.Skip("started by TestKernel only")
	}
	if role == "server" {
		serve(addr)
		return
	}
	if err := call(addr); err != nil {
		fmt.Println("error:", err)
	}
}

// serve does what the first byte of each connection asks for, until it is killed.
func serve(addr string) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	fmt.Println("ready")
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			tcp := c.(*net.TCPConn)
			var ask [1]byte
			if _, err := io.ReadFull(c, ask[:]); err != nil {
				return
			}
			switch ask[0] {
			case 'e': // echo, then close after the other side
				io.Copy(c, c)
			case 'h': // read all, then answer: the other side has closed its half
				io.Copy(io.Discard, c)
				c.Write(make([]byte, 50_000))
			case 'r': // reset
				tcp.SetLinger(0)
			case 'z': // read nothing until the window is long full
				<-time.After(1500 * time.Millisecond)
				io.Copy(io.Discard, c)
			case 'k': // let the connection idle
				tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second})
				io.Copy(io.Discard, c)
			}
		}()
	}
}

// call makes connections of each kind.
func call(addr string) error {
	dial := func(ask string) (*net.TCPConn, error) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		tcp := c.(*net.TCPConn)
		_, err = c.Write([]byte(ask))
		return tcp, err
	}
	kinds := []func() error{
		func() error { // many short ones
			for i := range 40 {
				c, err := dial("e")
				if err != nil {
					return err
				}
				c.Write(make([]byte, 1+i*100))
				if i%3 > 0 {
					io.ReadFull(c, make([]byte, 1+i*100))
				}
				if i%5 == 0 {
					c.SetLinger(0)
				}
				c.Close()
			}
			return nil
		},
		func() error { // half-close
			c, err := dial("h")
			if err != nil {
				return err
			}
			c.Write(make([]byte, 1_500_000))
			c.CloseWrite()
			if n, err := io.Copy(io.Discard, c); n != 50_000 {
				return fmt.Errorf("half-close: %d bytes, %v", n, err)
			}
			return c.Close()
		},
		func() error { // two at a time compete
			c, err := dial("e")
			if err != nil {
				return err
			}
			defer c.Close()
			go func() {
				c.Write(make([]byte, 1_000_000))
				c.CloseWrite()
			}()
			_, err = io.Copy(io.Discard, c)
			return err
		},
		func() error {
			for range 5 {
				c, err := dial("rmore")
				if err != nil && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
					return err
				}
				if c != nil {
					c.Read(make([]byte, 1))
					c.Close()
				}
			}
			return nil
		},
		func() error { // one port again and again
			var d net.Dialer
			d.LocalAddr = &net.TCPAddr{Port: 4100 + strings.Count(addr, "[")} // IPv6 at the same time has another
			for range 5 {
				c, err := d.Dial("tcp", addr)
				if err != nil {
					return err
				}
				c.Write([]byte("egood bye"))
				io.ReadFull(c, make([]byte, 8))
				c.(*net.TCPConn).SetLinger(0)
				c.Close()
			}
			return nil
		},
		func() error { // a port that nobody has
			refused := addr[:strings.LastIndex(addr, ":")] + ":4001"
			for range 5 {
				if c, err := net.Dial("tcp", refused); err == nil {
					c.Close()
					return errors.New("a port that nobody has answers")
				}
			}
			return nil
		},
		func() error { // the reader does not read
			c, err := dial("z")
			if err != nil {
				return err
			}
			c.Write(make([]byte, 7_000_000))
			return c.Close()
		},
		func() error { // idle
			c, err := dial("k")
			if err != nil {
				return err
			}
			<-time.After(2200 * time.Millisecond)
			return c.Close()
		},
	}
	var wg sync.WaitGroup
	failed := make([]error, len(kinds))
	for i, kind := range kinds {
		wg.Go(func() { failed[i] = kind() })
	}
	wg.Wait()
	return errors.Join(failed...)
}
