package filter

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// refusals are expressions that are refused, the column, the word, and part of
// what is said.
var refusals = []struct {
	expr   string
	column int
	word   string
	why    string
}{
	{"tcp prot 80", 5, "prot", "want and, or, or the end"},
	{"80", 1, "80", "a number wants port"},
	{"10.0.0.1", 1, "10.0.0.1", "wants host"},
	{"host example.org", 6, "example.org", "names are not looked up"},
	{"host 10.1", 6, "10.1", "an address in numbers"},
	{"host 10.0.0.0/8", 14, "/", "wants net"},
	{"host 02:00:00:00:00:01", 6, "02:00:00:00:00:01", "wants ether"},
	{"host fe80::1%eth0", 13, "%", "want and"},
	{"net 10.0.0.1/8", 5, "10.0.0.1", "10.0.0.0"},
	{"net 10/8", 8, "8", "dots"},
	{"net 2001:db8::1/32", 5, "2001:db8::1", "2001:db8::/32"},
	{"net 10.0.0.0/33", 14, "33", "0 to 32"},
	{"net 300.0.0.0/8", 5, "300.0.0.0", "a network"},
	{"port 65536", 6, "65536", "65535"},
	{"port 80-90", 6, "80-90", "portrange"},
	{"port nosuch", 6, "nosuch", "names known"},
	{"udp port http", 10, "http", "no service of udp"},
	{"ip port 80", 1, "ip", "does not go with port"},
	{"tcp host 10.0.0.1", 1, "tcp", "does not go with host"},
	{"ip6 host 10.0.0.1", 10, "10.0.0.1", "IPv4 behind ip6"},
	{"ip host ::1", 9, "::1", "IPv6 behind ip"},
	{"arp port 80", 1, "arp", "does not go"},
	{"proto 256", 7, "256", "0 to 255"},
	{"src proto 6", 5, "proto", "no direction"},
	{"tcp or 443", 8, "443", "comparison behind"},
	{"tcp port 80 or tcp or 443", 23, "443", "comparison behind"},
	{"(port 80) or 443", 14, "443", "comparison behind"},
	{"tcp port", 9, "", "a port"},
	{"tcp and", 8, "", "a condition"},
	{"and tcp", 1, "and", "not known"},
	{"(tcp", 5, "", "want and, or, or )"},
	{"tcp)", 4, ")", "want and, or, or the end"},
	{"port (80 or tcp)", 13, "tcp", "a port"},
	{"tcp[13", 7, "", "]"},
	{"tcp[13] & tcp-foo != 0", 11, "tcp-foo", "want a number"},
	{"(tcp[13] & tcp-foo) != 0", 12, "tcp-foo", "want a number"},
	{"tcp[13:3] = 1", 8, "3", "1, 2 or 4"},
	{"tcp[70000] = 1", 5, "70000", "65535"},
	{"tcp[- 1] = 1", 5, "-", "0 to 65535"},
	{"tcp[13] 2", 9, "2", "a comparison"},
	{"len / 0 = 1", 5, "/", "zero"},
	{"len << 32 = 1", 5, "<<", "at most 31"},
	{"len << ip[0] = 1", 5, "<<", "want a number"},
	{"len % 4 + 1 = 2", 5, "%", "parentheses"},
	{"len-1 = 2", 1, "len-1", "not known"},
	{"len = 2-1", 7, "2-1", "blanks"},
	{"len = 99999999999", 7, "99999999999", "0 to 4294967295"},
	{"len = 0x", 7, "0x", "not a number"},
	{"less x", 6, "x", "a number"},
	{"ether host 10.0.0.1", 12, "10.0.0.1", "Ethernet address"},
	{"ether proto 5", 13, "5", "0x600"},
	{"ether", 6, "", "behind ether"},
	{"ip broadcast", 4, "broadcast", "mask is not known"},
	{"vlan 4096", 6, "4096", "4095"},
	{"gateway 10.0.0.1", 1, "gateway", "not of the part"},
	{"igmp", 1, "igmp", "not of the part"},
	{"inbound", 1, "inbound", "not of the part"},
	{"tcp ; udp", 5, ";", "not a character"},
	{"tcp port 80 ä", 13, "ä", "not a character"},
	{"äö", 1, "ä", "not a character"},
	{`\`, 1, `\`, "name of a protocol"},
	{`\tcp`, 1, "tcp", "not known"},
}

// What is not in the subset is refused by name and column, and never ignored.
func TestRefusals(t *testing.T) {
	for _, tt := range refusals {
		_, err := Compile(tt.expr, 1)
		var e *Error
		if !errors.As(err, &e) || e.Column != tt.column || e.Word != tt.word || !strings.Contains(e.Why, tt.why) {
			t.Errorf("Compile(%q) = %v, want column %d, %q: … %s …", tt.expr, err, tt.column, tt.word, tt.why)
		}
	}
	for _, expr := range []string{"ether host 02:00:00:00:00:01", "vlan", "broadcast", "multicast", "ether[0] = 1"} {
		if _, err := Compile(expr, 101); err == nil || !strings.Contains(err.Error(), "no Ethernet on this link") {
			t.Errorf("Compile(%q, 101) = %v, want that there is no Ethernet", expr, err)
		}
	}
	if _, err := Compile("tcp", 105); err == nil {
		t.Error("Compile for link type 105 gives no error")
	}
}

// Expressions that are too long or too deep are refused, and those just below are
// compiled with jumps of any length.
func TestLimits(t *testing.T) {
	ports := func(n int) string {
		s := "tcp port 1"
		for i := range n - 1 {
			s += fmt.Sprint(" or ", i+2)
		}
		return s
	}
	for _, link := range links {
		d := &dump{link: link, samples: samples(link)}
		// Jumps that are long where they hold, and where they do not.
		for _, pair := range [][2]string{
			{ports(120), "tcp portrange 1-120"},
			{"ip and not (" + ports(120) + ")", "ip and not tcp portrange 1-120"},
			{"ip" + strings.Repeat(" and ip[8] > 20", 120) + " or udp", "ip and ip[8] > 20 or udp"},
			{strings.Repeat("ip[8] = 58 and (ip[9] = 6 or ip[9] = 17) or ", 60) + "arp", "ip[8] = 58 and (ip[9] = 6 or ip[9] = 17) or arp"},
		} {
			long, err := Compile(pair[0], link)
			if err != nil {
				t.Fatal(err)
			}
			if len(long.Instructions()) < 300 {
				t.Errorf("%.40q has only %d instructions", pair[0], len(long.Instructions()))
			}
			d.machine(t, long)
			short, err := Compile(pair[1], link)
			if err != nil {
				t.Fatal(err)
			}
			a, b := d.ours(long), d.ours(short)
			for i := range a {
				if s := d.samples[i]; a[i] != b[i] && len(s.data) == s.length {
					t.Errorf("link %d: %.40q and %q differ on % x", link, pair[0], pair[1], s.data)
				}
			}
		}
	}
	for _, expr := range []string{ // all are true
		"100 = 1" + strings.Repeat(" + (1", 99) + strings.Repeat(")", 99),
		"len * 100 = len" + strings.Repeat(" + len", 99),
		"len * 100 = len" + strings.Repeat(" + (len", 99) + strings.Repeat(")", 99),
		"len * 8 = ((len + len) + (len + len)) + ((len + len) + (len + len))",
	} {
		if f, err := Compile(expr, 101); err != nil || !f.Match(nil, 7) {
			t.Errorf("Compile(%.40q…) takes no packet: %v", expr, err)
		}
	}
	for _, expr := range []string{
		ports(1000), "len = len" + strings.Repeat("+len", 4000), "len = len" + strings.Repeat(" +1", 5000), strings.Repeat("(", 300) + "tcp" + strings.Repeat(")", 300), strings.Repeat("not ", 300) + "tcp",
		"len = " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300), strings.Repeat("tcp or ", 4000) + "tcp",
		"port " + strings.Repeat("not ", 300) + "80", strings.Repeat("ip[", 300) + "0" + strings.Repeat("]", 300) + " = 1",
	} {
		if _, err := Compile(expr, 1); err == nil {
			t.Errorf("Compile(%.40q…), of %d bytes, gives no error", expr, len(expr))
		}
	}
}

// An empty expression takes all; Match allocates nothing.
func TestMatch(t *testing.T) {
	f, err := Compile(" ", 1)
	if err != nil || !f.Match(nil, 0) {
		t.Errorf("an empty expression takes not all: %v", err)
	}
	f, err = Compile("tcp port 80 and len > 100", 101)
	if err != nil {
		t.Fatal(err)
	}
	b := ipv4(6, "10.0.0.1", "10.0.0.2", 0, 2, segment(5000, 80, 2, ""))
	if f.Match(b, 100) || !f.Match(b, 101) {
		t.Error("len is not the length on the wire")
	}
	if n := testing.AllocsPerRun(100, func() { f.Match(b, 101) }); n != 0 {
		t.Errorf("Match allocates %v times, want 0", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	for _, expr := range []string{"tcp port 80", "port 80", "host 10.0.0.9 and udp", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0"} {
		f, err := Compile(expr, 101)
		if err != nil {
			b.Fatal(err)
		}
		packet := ipv4(6, "10.0.0.1", "10.0.0.2", 0, 0, segment(5000, 81, 16, "hello"))
		b.Run(expr, func(b *testing.B) {
			for b.Loop() {
				f.Match(packet, len(packet))
			}
		})
	}
}

func ExampleCompile() {
	f, err := Compile("tcp port 80 or 443", 101)
	if err != nil {
		panic(err)
	}
	packet := ipv4(6, "10.0.0.1", "10.0.0.2", 0, 0, segment(50000, 443, 2, ""))
	fmt.Println(f.Match(packet, len(packet)))
	_, err = Compile("tcp prot 80", 101)
	fmt.Println(err)
	// Output:
	// true
	// filter: column 5, "prot": want and, or, or the end
}
