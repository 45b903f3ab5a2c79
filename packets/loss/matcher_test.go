package loss

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/google/go-cmp/cmp"
	"github.com/muesli/termenv"

	"wirelab/internal/style"
	"wirelab/internal/wire"
	"wirelab/labs/scenario"
	"wirelab/packets"
	"wirelab/packets/tcp"
)

var update = flag.Bool("update", false, "write the golden files")

// lab is a chat over a link that does everything, the same in every run.
func lab() *scenario.Scenario {
	return &scenario.Scenario{
		Seed: 3, Server: scenario.Server{Data: true}, Packets: true, Quiet: scenario.Duration(5 * time.Second), Record: []string{"ana", "bo"},
		Members: []scenario.Member{
			{Name: "ana", Transport: scenario.TCP, Up: "delay 20ms loss 10%", Down: "delay 20ms reorder 20%", Messages: 40, Size: 700, Rate: 200},
			{Name: "bo", Transport: scenario.UDPARQ, Up: "delay 20ms loss 10%", Down: "delay 5ms duplicate 5% corrupt 5% loss 5%"},
		},
	}
}

// The text is as it was looked at.
func TestText(t *testing.T) {
	file := play(t, engine(t), lab())
	plain := style.PaletteOf(lipgloss.NewRenderer(io.Discard, termenv.WithTTY(false)))
	report := one(t, file, &Analysis{})
	halves, _ := split(t, file, 0, time.Hour)
	pair := two(t, halves, &Analysis{}, nil, false)
	for _, width := range []int{80, 200} {
		for name, r := range map[string]*Report{"lab": report, "pair": pair} {
			var b bytes.Buffer
			if err := r.Text(&b, width, plain, Choice{}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > width {
					t.Errorf("%d columns, want %d: %s", n, width, line)
				}
			}
			golden := filepath.Join("testdata", fmt.Sprintf("%s.%d.txt", name, width))
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("%s:\n%s", golden, diff)
			}
		}
	}
}

// The chat's own numbers tell of every loss but the last, at the place where the
// datagrams arrive: what was sent and did not arrive, each counted once.
func TestChatNumbersTellLosses(t *testing.T) {
	e := engine(t)
	gaps := int64(0)
	for _, down := range []string{"delay 5ms loss 20%", "delay 20ms reorder 30% loss 5%", "delay 5ms duplicate 20% loss 10%"} {
		s := lab()
		s.Members[1].Down = down
		file := play(t, e, s)
		all, _ := read(t, file)
		sent, came := map[[2]uint64]bool{}, map[[2]uint64]int{}
		for _, p := range all {
			var h packets.Headers
			h.Decode(&p)
			d, _, err := wire.DecodeHeader(h.Payload)
			if err != nil || !h.UDP || h.SrcPort != 9000 || d.Number == 0 {
				continue
			}
			k := [2]uint64{d.Session, d.Number}
			switch {
			case p.Interface == 5 && p.Direction == packets.Out:
				sent[k] = true
			case p.Interface == 3 && p.Direction == packets.In:
				came[k]++
			}
		}
		highest := map[uint64]uint64{}
		for k := range came {
			highest[k[0]] = max(highest[k[0]], k[1])
		}
		want, twice := int64(0), int64(0)
		for k := range sent {
			if came[k] == 0 && k[1] < highest[k[0]] {
				want++
			}
		}
		for _, n := range came {
			twice += int64(n - 1)
		}
		var got, gotTwice int64
		for _, f := range one(t, file, &Analysis{}).Captures[0].Tracker.Flows() {
			if n := f.Sides[1].Chat; n != nil && f.Interface == 3 {
				got += n.Gaps
				gotTwice += n.Twice
			}
		}
		if got != want || gotTwice != twice {
			t.Errorf("%s: %d gaps, %d twice, want %d and %d", down, got, gotTwice, want, twice)
		}
		gaps += got
	}
	if gaps < 5 {
		t.Errorf("%d gaps: little was compared", gaps)
	}
}

// A capture that is cut is analysed as far as it goes.
func TestTruncated(t *testing.T) {
	file := play(t, engine(t), lab())
	r := one(t, file[:len(file)/2], &Analysis{})
	var cut *packets.Truncated
	if c := r.Captures[0]; !errors.As(c.Err, &cut) || c.Packets < 50 || len(r.Ways) == 0 {
		t.Errorf("%v after %d packets", c.Err, c.Packets)
	}
}

// datagram returns an IPv4 packet with a UDP datagram without checksum.
func datagram(from, to byte, id uint16, payload string) []byte {
	b := make([]byte, 28+len(payload))
	b[0], b[8], b[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[4:], id)
	copy(b[12:], []byte{10, 0, 0, from, 10, 0, 0, to})
	binary.BigEndian.PutUint16(b[10:], ^ones(0, b[:20]))
	binary.BigEndian.PutUint16(b[20:], 4000)
	binary.BigEndian.PutUint16(b[22:], 5000)
	binary.BigEndian.PutUint16(b[24:], uint16(8+len(payload)))
	copy(b[28:], payload)
	return b
}

// A stage feeds a Matcher by hand.
type stage struct {
	m    *Matcher
	n    int
	says []string
}

func newStage(c Config) *stage {
	s := &stage{}
	s.m = NewMatcher(c, func(p *Passage) {
		s.says = append(s.says, fmt.Sprintf("%d>%d %s +%d %v", p.SentNumber, p.ReceivedNumber, p.Fate, p.Copies, p.Arrived.Sub(p.Sent)))
	})
	return s
}

func (s *stage) see(role Role, dir int, ms int, data []byte, comment string) {
	s.n++
	p := packets.Packet{Number: s.n, Link: packets.LinkRaw, Data: data, Length: len(data), Comment: comment}
	var h packets.Headers
	h.Decode(&p)
	s.m.Add(&Sighting{Role: role, Dir: dir, Number: s.n, Time: time.Unix(100, int64(ms)*1e6), Packet: &p, Headers: &h})
}

func TestMatcher(t *testing.T) {
	back := func(s *stage, ms int) { // something to show that the far end is there
		d := datagram(2, 1, uint16(9000+ms), "back")
		s.see(Left, 1, ms, d, "")
		s.see(Arrived, 1, ms+1, d, "")
	}
	for _, tt := range []struct {
		name string
		do   func(s *stage)
		want []string
	}{
		{"lost between two that arrive", func(s *stage) {
			for i, ms := range []int{0, 10, 20} {
				d := datagram(1, 2, uint16(i), "x")
				s.see(Left, 0, ms, d, "")
				if i != 1 {
					s.see(Arrived, 0, ms+5, d, "")
				}
			}
		}, []string{"1>2 arrived +0 5ms", "3>0 lost +0 n", "4>5 arrived +0 5ms"}},
		{"doubled", func(s *stage) {
			d := datagram(1, 2, 1, "x")
			s.see(Left, 0, 0, d, "")
			s.see(Arrived, 0, 5, d, "")
			s.see(Arrived, 0, 6, d, "")
		}, []string{"1>2 arrived +1 5ms"}},
		{"alike, the first lost: the times tell", func(s *stage) {
			probe := datagram(1, 2, 7, "probe")
			s.see(Left, 0, 0, probe, "")
			s.see(Arrived, 0, 5, probe, "")
			d := datagram(1, 2, 1, "x")
			s.see(Left, 0, 10, d, "")
			s.see(Left, 0, 100, d, "")
			s.see(Arrived, 0, 106, d, "")
			back(s, 200)
		}, []string{"1>2 arrived +0 5ms", "3>0 lost +0 n", "4>5 arrived +0 6ms", "6>7 arrived +0 1ms"}},
		{"arrives before it leaves", func(s *stage) {
			d := datagram(1, 2, 1, "x")
			s.see(Arrived, 0, 5, d, "")
			s.see(Left, 0, 6, d, "")
		}, []string{"2>1 arrived +0 -1ms"}},
		{"a changed bit", func(s *stage) {
			d := datagram(1, 2, 1, "hello")
			bad := bytes.Clone(d)
			bad[15] ^= 4 // the source's address
			s.see(Left, 0, 0, d, "")
			s.see(Arrived, 0, 5, bad, "")
		}, []string{"1>2 arrived +0 5ms"}},
		{"too late", func(s *stage) {
			d := datagram(1, 2, 1, "x")
			s.see(Left, 0, 0, d, "")
			back(s, 5)
			back(s, 20_000)
			s.see(Arrived, 0, 20_001, d, "")
		}, []string{"1>0 lost +0 n", "2>3 arrived +0 1ms", "4>5 arrived +0 1ms", "0>6 not seen to leave +0 n"}},
	} {
		s := newStage(Config{})
		tt.do(s)
		s.m.Flush()
		for i := range s.says { // a lost one has no delay
			if strings.Contains(s.says[i], "lost") || strings.Contains(s.says[i], "not seen") {
				s.says[i] = s.says[i][:strings.LastIndex(s.says[i], " ")] + " n"
			}
		}
		if diff := cmp.Diff(tt.want, s.says); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", tt.name, diff)
		}
	}
}

// What the judge finds, by hand.
func TestJudge(t *testing.T) {
	const ms = int64(1e6)
	passage := func(n int, seq uint32, size int, fate Fate, flags, arrived tcp.Flags) *Passage {
		p := &Passage{SentNumber: n, Fate: fate, Lost: fate == Lost, Flags: flags, ArrivedFlags: arrived, SentFlow: 1, Sent: time.Unix(0, int64(n)*ms)}
		p.TCP, p.Seq, p.Len, p.Control = true, seq, size, packets.ACK
		if fate == Came {
			p.ReceivedNumber, p.Arrived = 1000+n, time.Unix(0, int64(n)*ms+20*ms)
		}
		return p
	}
	late := passage(1, 1, 10, Came, 0, tcp.Retransmission)
	late.Arrived = time.Unix(0, 100*ms)
	copied := passage(1, 1, 10, Came, 0, 0)
	copied.Copies, copied.CopyNumber, copied.CopyFlags = 1, 9, tcp.Retransmission
	for _, tt := range []struct {
		name string
		in   []*Passage
		want string
	}{
		{"a loss that shows", []*Passage{passage(1, 1, 10, Lost, 0, 0), passage(2, 1, 10, Came, tcp.Retransmission, 0)}, ""},
		{"sent again, called out of order", []*Passage{passage(1, 1, 10, Lost, 0, 0), passage(2, 11, 10, Came, 0, 0), passage(3, 1, 10, Came, tcp.OutOfOrder, tcp.OutOfOrder)},
			"1 loss_as_out_of_order 3; 3 sent_again_not_out_of_order 0; 1003 arrived_again_not_out_of_order 0; "},
		{"needless", []*Passage{passage(1, 1, 10, Came, 0, 0), passage(2, 1, 10, Came, tcp.Retransmission|tcp.SpuriousRetransmission, 0)}, "2 needless_retransmission 0; "},
		{"never sent again", []*Passage{passage(1, 1, 10, Lost, 0, 0)}, "1 loss_never_resent 0; "},
		{"no flag", []*Passage{passage(1, 1, 10, Lost, 0, 0), passage(2, 1, 10, Came, 0, 0)}, "1 loss_without_flag 2; "},
		{"an acknowledgement", []*Passage{passage(1, 1, 0, Lost, 0, 0)}, "1 loss_without_data 0; "},
		{"overtaken", []*Passage{late, passage(2, 11, 10, Came, 0, tcp.LostSegment)}, "1001 overtaken_not_retransmission 0; 1002 late_not_lost 0; "},
		{"a copy", []*Passage{copied}, "9 copy_not_retransmission 0; "},
		{"the capture's gap", []*Passage{passage(1, 1, 10, Came, tcp.LostSegment, 0)}, "1 nothing_lost 0; "},
		{"rightly lost", []*Passage{passage(1, 1, 10, Lost, 0, 0), passage(2, 11, 10, Came, 0, tcp.LostSegment), passage(3, 1, 10, Came, tcp.FastRetransmission|tcp.Retransmission, tcp.Retransmission)}, ""},
	} {
		got := ""
		j := Judge{Say: func(_ *Passage, v Verdict) { got += fmt.Sprintf("%d %v %d; ", v.Number, v.Finding, v.Other) }}
		for _, p := range tt.in {
			j.Add(p)
		}
		j.Flush()
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzMatcher: any sightings. Each packet that left is told once, and no more are
// held than allowed.
func FuzzMatcher(f *testing.F) {
	f.Add([]byte{1, 0, 0, 3, 0, 0, 1, 1, 1, 2, 1, 1, 3, 1, 1}, false)
	f.Add([]byte{1, 0, 0, 2, 0, 0, 3, 0, 0, 3, 0, 0, 1, 200, 0}, true)
	f.Fuzz(func(t *testing.T, b []byte, link bool) {
		left, told, arrived, came := 0, map[int]int{}, 0, 0
		m := NewMatcher(Config{Link: link, Packets: 8, Window: 3 * time.Second}, func(p *Passage) {
			if p.SentNumber != 0 {
				told[p.SentNumber]++
			}
			if p.ReceivedNumber != 0 {
				came++
			}
			came += p.Copies
		})
		j := Judge{}
		emit := m.Emit
		m.Emit = func(p *Passage) { emit(p); j.Add(p) }
		comments := []string{"", "lost: random", "duplicated", "bit 170 flipped", "duplicated, bit 3 flipped"}
		for i := 0; i+2 < len(b) && i < 3000; i += 3 {
			role := Role(b[i] & 3)
			if role == Passed && !link {
				role = Left
			}
			d := datagram(1+b[i+1]&1, 2-b[i+1]&1, uint16(b[i+1]>>6), string(b[i+1:i+1+int(b[i+1]>>5&1)]))
			if b[i]&0x80 != 0 {
				d[int(b[i+2])%len(d)] ^= 1
			}
			p := packets.Packet{Number: i + 1, Link: packets.LinkRaw, Data: d, Length: len(d), Comment: comments[int(b[i]>>2&31)%len(comments)]}
			var h packets.Headers
			h.Decode(&p)
			s := Sighting{Role: role, Dir: int(b[i+1] >> 1 & 1), Number: i + 1, Time: time.Unix(int64(b[i+2]), 0), Packet: &p, Headers: &h}
			if role == Passed && b[i+1]&4 != 0 {
				s.Dir = -1
			}
			m.Add(&s)
			switch role {
			case Left:
				left++
			case Arrived:
				arrived++
			}
			if n := m.tail - m.head; n > 8 || len(m.chains) > 8 || len(m.flips) > 8 {
				t.Fatalf("%d packets, %d chains, %d changed are held", n, len(m.chains), len(m.flips))
			}
		}
		m.Flush()
		j.Flush()
		for n, times := range told {
			if times != 1 {
				t.Errorf("packet %d was told %d times", n, times)
			}
		}
		if !link && len(told) != left || came != arrived || len(m.chains) != 0 {
			t.Errorf("%d of %d that left, %d of %d that arrived, %d chains", len(told), left, came, arrived, len(m.chains))
		}
	})
}
