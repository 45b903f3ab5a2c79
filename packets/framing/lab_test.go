package framing_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wirelab/internal/pcapng"
	"wirelab/internal/sim"
	"wirelab/labs"
	"wirelab/labs/image/imagetest"
	"wirelab/labs/scenario"
	"wirelab/packets"
	"wirelab/packets/framing"
)

// tool returns a program's path, or skips the test; where tools are wanted, it
// fails.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// arrived writes the packets of a lab that reached a host as a capture of one
// place, which a program that knows nothing of labs can read.
func arrived(t *testing.T, pcap []byte) string {
	t.Helper()
	r, err := packets.NewReader(bytes.NewReader(pcap))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := pcapng.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Describe(pcapng.Interface{Name: "all"}); err != nil {
		t.Fatal(err)
	}
	for {
		var p packets.Packet
		if err := r.Read(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Direction != packets.In || strings.HasPrefix(r.Interfaces()[p.Interface].Name, "link") || p.Comment != "" {
			continue
		}
		if err := w.Write(&pcapng.Packet{Time: p.Time, Data: p.Data}); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "arrived.pcapng")
	if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// follow returns what tshark makes of stream n: the bytes of both ends, by their
// addresses; nil if there is no such stream.
func follow(t *testing.T, tshark, file string, n int) map[string][]byte {
	t.Helper()
	out, err := exec.Command(tshark, "-n", "-r", file, "-q", "-z", fmt.Sprintf("follow,tcp,raw,%d", n)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var nodes [2]string
	got := make(map[string][]byte)
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		line := lines.Text()
		if s, ok := strings.CutPrefix(line, "Node 0: "); ok {
			nodes[0] = s
			continue
		}
		if s, ok := strings.CutPrefix(line, "Node 1: "); ok {
			nodes[1] = s
			continue
		}
		s, second := strings.CutPrefix(line, "\t")
		b, err := hex.DecodeString(s)
		if err != nil || len(b) == 0 || nodes[1] == "" {
			continue
		}
		from := nodes[0]
		if second {
			from = nodes[1]
		}
		got[from] = append(got[from], b...)
	}
	if nodes[0] == ":0" || nodes[0] == "" {
		return nil
	}
	return got
}

// messages returns all that a Tracker finds in a capture.
func messages(t *testing.T, pcap []byte) (all []framing.Message, hosts map[netip.Addr]string) {
	t.Helper()
	r, err := packets.NewReader(bytes.NewReader(pcap))
	if err != nil {
		t.Fatal(err)
	}
	hosts = make(map[netip.Addr]string)
	tr := framing.Tracker{Interfaces: r.Interfaces}
	var (
		p packets.Packet
		h packets.Headers
	)
	for {
		if err := r.Read(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		h.Decode(&p)
		if name := r.Interfaces()[p.Interface].Name; p.Direction == packets.In && !strings.HasPrefix(name, "link") && !strings.HasPrefix(name, "server") {
			hosts[h.Dst] = name
		}
		all = append(all, tr.Add(&p, &h)...)
	}
	return append(all, tr.End()...), hosts
}

var ailments = []string{
	"loss 2%", "loss 10%", "loss 25%", "duplicate 10%", "delay 20ms reorder 20%", "corrupt 3%",
	"rate 2mbit", "delay 10ms 9ms", "delay 40ms loss 5%", "drop data 2 drop data 3", "",
}

// Over many seeds of the emulated network the streams are byte for byte tshark's,
// and each frame is whole at the instant at which the chat's program was handed
// the message in it: no earlier, for it may have waited behind a hole.
func TestLab(t *testing.T) {
	if imagetest.Raced {
		t.Skip("the race detector does not see into the guest")
	}
	tshark := tool(t, "tshark")
	e, err := labs.Open(t.Context(), imagetest.Guest(t), sim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var frames, cut, late, blocked, streams, handed int
	for seed := range uint64(11) {
		r := rand.New(rand.NewPCG(seed, 9))
		link := func() string { return ailments[r.IntN(len(ailments))] }
		s := &scenario.Scenario{Seed: seed, Server: scenario.Server{Data: true}, Packets: true, Quiet: scenario.Duration(20 * time.Second)}
		for i, name := range []string{"ana", "bo"} {
			m := scenario.Member{Name: name, Transport: scenario.TCP, Up: link(), Down: link()}
			if i == 0 {
				m.Messages, m.Size, m.Rate = 15, 50<<r.IntN(7), float64(int(10)<<r.IntN(5))
			}
			s.Members = append(s.Members, m)
			s.Record = append(s.Record, name)
		}
		var pcap bytes.Buffer
		delivered := make(map[string]time.Duration)
		_, err := e.Play(t.Context(), s, labs.Output{Packets: &pcap, Event: func(e *scenario.Event) error {
			if e.Kind == scenario.EventDeliver && e.N > 0 {
				delivered[e.Host+" "+scenario.Tag(e.From, e.N)] = e.T
			}
			return nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		all, hosts := messages(t, pcap.Bytes())
		got := make(map[string][]byte)
		ports := make(map[string]bool)
		for _, m := range all {
			from, to := m.Flow.Ends(m.Dir)
			if m.Err != "" && !strings.HasPrefix(m.Err, "it waits") {
				t.Errorf("seed %d: frame %d–%d of %v: %s", seed, m.Start, m.End, from, m.Err)
			}
			got[from.String()+" "+to.String()] = append(got[from.String()+" "+to.String()], m.Bytes...)
			ports[m.Flow.Client.String()] = true
			frames++
			if m.Segments() > 1 {
				cut++
			}
			if m.Hole != nil {
				late++
				if !m.Own {
					blocked++
				}
				if m.Waited < 0 || !m.Own && m.Waited == 0 && m.Hole.OpenedBy == 0 {
					t.Errorf("seed %d: frame %d–%d waited %v for %+v", seed, m.Start, m.End, m.Waited, m.Hole)
				}
			}
			host := hosts[to.Addr()]
			if i := bytes.Index(m.Bytes, []byte("ana#")); i >= 0 && host != "" && m.Kind == "event" {
				key := host + " " + string(m.Bytes[i:i+10])
				when, ok := delivered[key]
				if !ok {
					continue // the end came before the program was handed it
				}
				handed++
				if d := when - labs.Since(m.Complete); d != 0 {
					t.Errorf("seed %d: %s was handed over %v after its frame was whole (#%d, waited %v)", seed, key, d, m.Number, m.Waited)
				}
				delete(delivered, key)
			}
		}
		for key := range delivered {
			t.Errorf("seed %d: no frame for what was delivered: %s", seed, key)
		}
		file := arrived(t, pcap.Bytes())
		for n := range len(ports) {
			want := follow(t, tshark, file, n)
			for from, b := range want {
				streams++
				found := false
				for key, g := range got {
					if strings.HasPrefix(key, from+" ") && bytes.Equal(g, b) {
						found = true
					}
				}
				if !found {
					t.Errorf("seed %d: tshark's stream %d from %s has %d bytes, ours differs", seed, n, from, len(b))
				}
			}
		}
	}
	t.Logf("%d frames, %d cut, %d late, %d of them blocked; %d handed over; %d streams", frames, cut, late, blocked, handed, streams)
	if cut == 0 || late == 0 || blocked == 0 || streams < 22 || handed < 100 {
		t.Error("little was compared")
	}
}
