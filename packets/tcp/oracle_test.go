package tcp_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"wirelab/packets"
	"wirelab/packets/tcp"
)

// tool returns the path of a program, or skips, or fails if the tools must be
// there.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		missing(t, err.Error())
	}
	return path
}

func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// version is what tshark says of itself; asking takes long.
var version = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("tshark", "--version").Output()
	line, _, _ := strings.Cut(string(out), "\n")
	return line, err
})

// tshark returns the path of tshark 4.0: other versions decide otherwise.
func tshark(t testing.TB) string {
	t.Helper()
	path := tool(t, "tshark")
	line, err := version()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(line, " 4.0.") {
		missing(t, line+": want 4.0")
	}
	return path
}

// A verdict is what tshark says of a packet.
type verdict struct {
	stream   string
	seq, ack string
	number   string // of the duplicate ACK
	initial  string // RTT, seconds
	rtt      string
	inFlight string
	flags    tcp.Flags
}

// oracle returns tshark's verdicts by frame number, for each TCP packet.
func oracle(t testing.TB, file string) map[int]verdict {
	t.Helper()
	args := []string{"-n", "-r", file, "-Y", "tcp", "-T", "fields", "-E", "separator=|"}
	columns := []string{"frame.number", "tcp.stream", "tcp.seq", "tcp.ack", "tcp.analysis.duplicate_ack_num",
		"tcp.analysis.initial_rtt", "tcp.analysis.ack_rtt", "tcp.analysis.bytes_in_flight"}
	fixed := len(columns)
	for _, name := range tcp.Names() {
		columns = append(columns, "tcp.analysis."+name)
	}
	for _, c := range columns {
		args = append(args, "-e", c)
	}
	cmd := exec.Command(tshark(t), args...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := map[int]verdict{}
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		cell := strings.Split(lines.Text(), "|")
		number, err := strconv.Atoi(cell[0])
		if err != nil || len(cell) != len(columns) {
			t.Fatalf("tshark prints %q", lines.Text())
		}
		v := verdict{cell[1], cell[2], cell[3], cell[4], cell[5], cell[6], cell[7], 0}
		for i, set := range cell[fixed:] {
			if set != "" {
				v.flags |= 1 << i
			}
		}
		all[number] = v
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, complaint.String())
	}
	return all
}

// A tally is what was compared.
type tally struct {
	packets, conversations, rtts int
	inFlight, flying             int // segments whose bytes in flight agree, of those of which tshark tells them
	flags                        [15]int
}

func (a *tally) add(b tally) {
	a.packets += b.packets
	a.conversations += b.conversations
	a.rtts += b.rtts
	a.inFlight += b.inFlight
	a.flying += b.flying
	for i, n := range b.flags {
		a.flags[i] += n
	}
}

func (a *tally) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d packets, %d conversations, %d round trips, in flight the same %d of %d times",
		a.packets, a.conversations, a.rtts, a.inFlight, a.flying)
	for i, name := range tcp.Names() {
		fmt.Fprintf(&s, ", %d %s", a.flags[i], name)
	}
	return s.String()
}

// pair is a conversation's key: the lower endpoint first.
type pair struct{ a, b netip.AddrPort }

// read gives each TCP packet of a capture to see, with its conversation's key and
// who of the two sent it.
func read(t testing.TB, file string, see func(p *packets.Packet, k pair, dir int, s *tcp.Segment)) {
	t.Helper()
	r, err := packets.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p packets.Packet
	var h packets.Headers
	for {
		if err := r.Read(&p); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			return
		}
		h.Decode(&p)
		if !h.TCP || h.IsFragment() {
			continue
		}
		k := pair{netip.AddrPortFrom(h.Src, h.SrcPort), netip.AddrPortFrom(h.Dst, h.DstPort)}
		dir := 0
		if k.a.Compare(k.b) > 0 {
			k.a, k.b, dir = k.b, k.a, 1
		}
		// An IP length that is more than the frame's counts as the frame's.
		header := h.Transport + int(p.Data[h.Transport+12]>>4)*4
		see(&p, k, dir, &tcp.Segment{
			Time: p.Time.UnixNano(), Seq: h.Seq, Ack: h.Ack, Len: min(h.PayloadLen, p.Length-header),
			Window: h.Window, Control: h.Control, Scale: h.Options.Scale, Cut: !h.Options.Received,
		})
	}
}

// compare analyses a capture and compares each packet with tshark. The round trips
// are compared if the traffic is orderly: tshark samples an acknowledgement
// without the ACK bit, too. It prints no round trip of zero.
func compare(t testing.TB, file string, orderly bool) tally {
	t.Helper()
	type stream struct {
		tcp.Conversation
		id int
	}
	want := oracle(t, file)
	all := map[pair]*stream{}
	var sum tally
	bad := 0
	read(t, file, func(p *packets.Packet, k pair, dir int, s *tcp.Segment) {
		c := all[k]
		if c == nil {
			c = &stream{id: sum.conversations}
			sum.conversations++
			all[k] = c
		}
		r := c.Add(dir, s)
		if r.New {
			c.id = sum.conversations
			sum.conversations++
		}
		sum.packets++
		v, ok := want[p.Number]
		delete(want, p.Number)
		if bad++; bad > 10 {
			return
		}
		complain := func(what string, got, want any) {
			t.Errorf("%s: packet %d, stream %s: %s = %v, tshark says %v (%+v)", file, p.Number, v.stream, what, got, want, *s)
		}
		switch {
		case !ok:
			complain("TCP", true, false)
		case r.Flags != v.flags:
			complain("flags", r.Flags, v.flags)
		case strconv.Itoa(c.id) != v.stream:
			complain("stream", c.id, v.stream)
		case fmt.Sprint(r.RelSeq) != v.seq:
			complain("relative seq", r.RelSeq, v.seq)
		case s.Control&tcp.ACK != 0 && fmt.Sprint(r.RelAck) != v.ack:
			complain("relative ack", r.RelAck, v.ack)
		case r.Flags.Has(tcp.DuplicateAck) && fmt.Sprint(r.Number) != v.number:
			complain("number of the duplicate ACK", r.Number, v.number)
		case r.InitialRTT > 0 && v.initial != "" && seconds(t, v.initial) != r.InitialRTT.Nanoseconds():
			complain("initial RTT", r.InitialRTT, v.initial)
		case orderly && r.RTT > 0 && !s.Cut && (v.rtt == "" || seconds(t, v.rtt) != r.RTT.Nanoseconds()):
			complain("RTT", r.RTT, v.rtt)
		default:
			bad--
		}
		if r.RTT >= 0 {
			sum.rtts++
		}
		if v.inFlight != "" {
			sum.flying++
			if v.inFlight == fmt.Sprint(r.InFlight) {
				sum.inFlight++
			}
		}
		for i := range sum.flags {
			if v.flags&(1<<i) != 0 {
				sum.flags[i]++
			}
		}
	})
	for n, v := range want { // a damaged header, or the first of fragments
		if v.flags != 0 {
			t.Errorf("%s: packet %d is not TCP for us, tshark says %v", file, n, v.flags)
		}
	}
	return sum
}

// seconds returns a decimal number of seconds in nanoseconds.
func seconds(t testing.TB, s string) int64 {
	t.Helper()
	whole, part, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	n, err := strconv.ParseInt(whole+(part + "000000000")[:9], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(s, "-") {
		n = -n
	}
	return n
}
