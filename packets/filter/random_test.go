package filter

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// A writer writes random expressions.
type writer struct {
	*rand.Rand
	ether bool
}

func (w writer) pick(from ...string) string { return from[w.IntN(len(from))] }

func (w writer) expr(depth int) string {
	if depth == 0 || w.IntN(4) == 0 {
		return w.primitive()
	}
	switch w.IntN(6) {
	case 0:
		return w.pick("not ", "! ", "!") + "(" + w.expr(depth-1) + ")"
	case 1:
		return "(" + w.expr(depth-1) + ")"
	case 2:
		return "not " + w.primitive()
	}
	return w.expr(depth-1) + w.pick(" and ", " or ", " && ", " || ") + w.expr(depth-1)
}

func (w writer) primitive() string {
	dir := w.pick("", "", "src ", "dst ", "src or dst ", "src and dst ", "dst or src ", "dst and src ")
	host4 := []string{"10.0.0.1", "10.1.2.3", "192.168.1.20", "224.0.0.251", "0.0.0.5"}
	host6 := []string{"2001:db8::1", "2001:db8:0:1::2", "fe80::1", "ff02::fb", "::1"}
	port := []string{"80", "443", "53", "85", "90", "9000", "0", "65535", "http", "domain"}
	list := func(from []string) string {
		switch w.IntN(5) {
		case 0:
			return w.pick(from...) + w.pick(" or ", " and ", " or not ", " and not ") + w.pick(from...)
		case 1:
			return "(" + w.pick(from...) + w.pick(" or ", " and ") + w.pick(from...) + ")"
		}
		return w.pick(from...)
	}
	n := 10
	if w.ether {
		n = 13
	}
	switch w.IntN(n) {
	case 0:
		return w.pick("ip", "ip6", "arp", "rarp", "tcp", "udp", "icmp", "icmp6", "sctp", "ip multicast", "ip6 multicast")
	case 1:
		return w.pick("", "", "ip ", "arp ", "rarp ") + dir + "host " + list(host4)
	case 2:
		return w.pick("", "ip6 ") + dir + "host " + list(host6)
	case 3:
		return w.pick("", "ip ", "arp ") + dir + "net " + w.pick("10", "10.1", "10.1.2", "192.168.0.0/16", "0.0.0.0/1", "128.0.0.0/2", "10.0.0.0/8", "224.0.0.0 mask 240.0.0.0", "0.0.0.0/0")
	case 4:
		return w.pick("", "ip6 ") + dir + "net " + w.pick("2001:db8::/32", "2001:db8::/64", "fe80::/10", "ff00::/8", "::/0", "2001:db8:0:1::/64", "8000::/1")
	case 5:
		return w.pick("", "tcp ", "udp ", "sctp ") + dir + "port " + list(port[:8])
	case 6:
		return w.pick("", "tcp ") + dir + "port " + list(port)
	case 7:
		return w.pick("", "tcp ", "udp ") + dir + "portrange " + w.pick("80-90", "0-100", "443-9000", "60-50")
	case 8:
		return w.pick("", "ip ", "ip6 ") + "proto " + w.pick("6", "17", "1", "58", "44", "132", "0")
	case 9:
		return w.calculation(3) + w.pick(" = ", " != ", " < ", " > ", " <= ", " >= ", " == ") + w.calculation(1)
	case 10:
		return "ether " + w.pick("", "src ", "dst ", "src or dst ", "src and dst ") + "host " + w.pick("02:00:00:00:00:01", "02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff")
	case 11:
		return w.pick("vlan", "vlan 3", "vlan 7", "vlan 1")
	}
	return w.pick("broadcast", "multicast", "ether proto 0x0800", "ether proto 0x8100", "ether multicast")
}

func (w writer) calculation(depth int) string {
	if depth > 0 && w.IntN(2) == 0 {
		left := w.calculation(depth - 1)
		switch w.IntN(4) {
		case 0:
			return "((" + left + ")" + w.pick(" % ", " / ") + fmt.Sprint(1+w.IntN(9)) + ")"
		case 1:
			return "((" + left + ")" + w.pick(" << ", " >> ") + fmt.Sprint(w.IntN(9)) + ")"
		case 2:
			return left + w.pick(" + ", " - ", " * ", " & ", " | ", " / ") + w.calculation(depth-1)
		}
		return "((" + left + ")" + w.pick(" ^ ", " % ", " & ", " | ") + "(" + w.calculation(depth-1) + "))"
	}
	switch w.IntN(4) {
	case 0:
		return fmt.Sprint(w.IntN(300))
	case 1:
		return "len"
	}
	at := w.pick("0", "1", "2", "6", "8", "9", "12", "13", "16", "ip[0] & 0xf", "len - 40", "udp[5]", "(len & 7) + 3")
	return w.pick("ip", "ip6", "tcp", "udp", "icmp", "icmp6", "arp", "sctp") + "[" + at + w.pick("", "", ":1", ":2", ":4") + "]"
}

// Random expressions take the packets that tcpdump takes. What we refuse (a
// constant division by zero, say) must be refused by an *Error.
func TestRandomExpressions(t *testing.T) {
	needTcpdump(t)
	const seed = 4
	n := 60
	if testing.Short() {
		n = 12
	}
	for _, link := range links {
		t.Run(fmt.Sprint(link), func(t *testing.T) {
			t.Parallel()
			d := write(t, link)
			w := writer{Rand: rand.New(rand.NewPCG(seed, uint64(link))), ether: link == 1}
			refused := 0
			for range n {
				expr := w.expr(3)
				f, err := Compile(expr, link)
				if err != nil {
					if !strings.Contains(err.Error(), "division by zero") {
						t.Errorf("seed %d: Compile(%q, %d): %v", seed, expr, link, err)
					}
					refused++
					continue
				}
				d.agree(t, expr, f, "-O")
				d.machine(t, f)
			}
			if refused > n/10 {
				t.Errorf("%d of %d expressions were refused", refused, n)
			}
		})
	}
}

// Compile never panics, and what it compiles is a program that runs.
func FuzzCompile(f *testing.F) {
	for _, e := range listed() {
		f.Add(e.expr, uint16(1))
	}
	for _, e := range refusals {
		f.Add(e.expr, uint16(101))
	}
	sets := map[uint16][]sample{}
	for _, link := range links {
		sets[link] = samples(link)
	}
	f.Fuzz(func(t *testing.T, expr string, link uint16) {
		program, err := Compile(expr, link)
		if err != nil {
			if program != nil || err.Error() == "" {
				t.Errorf("Compile(%q) = %v, %v", expr, program, err)
			}
			return
		}
		d := dump{link: link, samples: sets[link]}
		if len(d.samples) > 40 {
			d.samples = d.samples[:40]
		}
		d.machine(t, program)
	})
}
