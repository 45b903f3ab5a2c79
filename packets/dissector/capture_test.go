package dissector_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"wirelab/internal/pcapng"
	"wirelab/internal/wire"
	"wirelab/internal/wire/wiretest"
	"wirelab/packets/dissector"
)

// A capture is a file in the making: IPv4 between two hosts, a packet each
// millisecond.
type capture struct {
	t    *testing.T
	b    bytes.Buffer
	w    *pcapng.Writer
	n    int
	last time.Time
}

func newCapture(t *testing.T) *capture {
	c := &capture{t: t, last: time.Unix(1_800_000_000, 0)}
	var err error
	if c.w, err = pcapng.NewWriter(&c.b); err != nil {
		t.Fatal(err)
	}
	if _, err := c.w.Describe(pcapng.Interface{Name: "all"}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *capture) write(data []byte, length int) int {
	c.t.Helper()
	c.last = c.last.Add(time.Millisecond)
	if err := c.w.Write(&pcapng.Packet{Time: c.last, Data: data, Length: length}); err != nil {
		c.t.Fatal(err)
	}
	c.n++
	return c.n
}

func ipv4(protocol byte, body []byte) []byte {
	b := make([]byte, 20, 20+len(body))
	b[0], b[8], b[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(body)))
	copy(b[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	return append(b, body...)
}

func datagram(src, dst uint16, payload []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	return ipv4(17, append(append(b, 0, 0), payload...))
}

// udp adds a datagram and returns the packet's number.
func (c *capture) udp(src, dst uint16, payload []byte) int {
	return c.write(datagram(src, dst, payload), 0)
}

// tcp adds a segment whose first byte is at of the stream.
func (c *capture) tcp(src, dst uint16, at int, payload []byte) int {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint32(b, 1000+uint32(at))
	b = append(b, 0, 0, 0, 1, 5<<4, 0x18, 0xff, 0xff, 0, 0, 0, 0)
	return c.write(ipv4(6, append(b, payload...)), 0)
}

// stream adds b, cut at the places.
func (c *capture) stream(src, dst uint16, b []byte, cuts ...int) {
	at := 0
	for _, end := range append(cuts, len(b)) {
		c.tcp(src, dst, at, b[at:end])
		at = end
	}
}

// A node is a protocol or field of tshark's tree.
type node struct {
	Name  string `xml:"name,attr"`
	Pos   int    `xml:"pos,attr"`
	Size  int    `xml:"size,attr"`
	Show  string `xml:"show,attr"`
	Value string `xml:"value,attr"`
	Sub   []node `xml:"field"`
}

// A layer is one wirelab tree, flat, and the packet it stands in.
type layer struct {
	packet, stream, port int
	pos                  int
	fields               []node
}

func (l *layer) all(name string) (found []node) {
	for _, f := range l.fields {
		if f.Name == name {
			found = append(found, f)
		}
	}
	return found
}

// tshark returns the program, of the version whose output the tests know.
func tshark(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("tshark")
	if err == nil {
		var out []byte
		out, err = exec.Command(path, "--version").Output()
		if err == nil && !bytes.Contains(out, []byte(" 4.0.")) {
			err = fmt.Errorf("want tshark 4.0, have %.40q", out)
		}
	}
	if err != nil {
		if os.Getenv("WIRELAB_TEST_TOOLS") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// run has tshark read the capture with our dissector, and fails at any error in
// Lua.
func run(t *testing.T, pcap []byte, args ...string) []byte {
	t.Helper()
	path := tshark(t)
	dir := t.TempDir()
	var lua bytes.Buffer
	if err := dissector.Write(&lua, dissector.Config{}); err != nil {
		t.Fatal(err)
	}
	script, file := filepath.Join(dir, "wirelab.lua"), filepath.Join(dir, "test.pcapng")
	if err := os.WriteFile(script, lua.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, pcap, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, append([]string{"-n", "-X", "lua_script:" + script, "-r", file}, args...)...)
	// Its own settings, not those of whoever runs the test.
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "TZ=UTC")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark: %v\n%s", err, &stderr)
	}
	for _, line := range strings.Split(stderr.String(), "\n") {
		if line != "" && !strings.HasPrefix(line, "Running as user") {
			t.Fatalf("tshark says: %s", &stderr)
		}
	}
	if i := bytes.Index(out, []byte("Lua Error")); i >= 0 {
		t.Fatalf("in the tree: %.300s", out[i:])
	}
	return out
}

// layers returns the wirelab trees that tshark shows, in order.
func layers(t *testing.T, pcap []byte, args ...string) (all []layer) {
	t.Helper()
	out := run(t, pcap, append([]string{"-T", "pdml"}, args...)...)
	var doc struct {
		Packets []struct {
			Protocols []node `xml:"proto"`
		} `xml:"packet"`
	}
	if err := xml.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	for i, p := range doc.Packets {
		at := layer{packet: i + 1, stream: -1}
		for _, proto := range p.Protocols {
			for _, f := range flat(nil, proto.Sub) {
				switch n, _ := strconv.Atoi(f.Show); f.Name {
				case "tcp.stream", "udp.stream":
					at.stream = n
				case "tcp.srcport", "udp.srcport":
					at.port = n
				}
			}
			if proto.Name == "wirelab" {
				l := at
				l.pos, l.fields = proto.Pos, flat(nil, proto.Sub)
				all = append(all, l)
			}
		}
	}
	return all
}

func flat(dst, nodes []node) []node {
	for _, n := range nodes {
		dst = flat(append(dst, n), n.Sub)
	}
	return dst
}

// abbreviations are the names that the dissector has for those of package wire.
var abbreviations = map[string]string{
	"frame length": "length", "envelope version": "version", "envelope kind": "kind", "envelope flags": "flags",
	"envelope namespace length": "namespace.length", "envelope room length": "room.length", "envelope sender length": "sender.length", "envelope event length": "event.length",
	"envelope seq": "seq", "envelope prev": "prev", "envelope id": "id", "envelope time": "time.us",
	"envelope namespace": "namespace", "envelope room": "room", "envelope sender": "sender", "envelope event": "event", "envelope arguments": "args",
	"datagram magic": "udp.magic", "datagram version": "udp.version", "datagram type": "udp.type", "datagram flags": "udp.flags",
	"datagram session": "udp.session", "datagram number": "udp.number", "datagram reliable": "udp.reliable", "datagram ack": "udp.ack", "datagram ackbits": "udp.ackbits", "datagram MAC": "udp.mac",
	"fragment fragment of": "udp.fragment.of", "fragment fragment index": "udp.fragment.index", "fragment fragment count": "udp.fragment.count", "fragment part": "udp.fragment.part",
	"handshake nonce": "udp.nonce", "handshake padding": "udp.padding",
	"handshake cookie stamp": "udp.cookie.stamp", "handshake server nonce": "udp.cookie.nonce", "handshake cookie proof": "udp.cookie.proof",
}

// tell is a field as a line: name, place, bytes, and the number where it is one.
func tell(name string, off, size int, value, show string) string {
	return fmt.Sprintf("%s %d+%d %s %s", name, off, size, value, show)
}

// want is what our own decoder says, as lines.
func want(t *testing.T, b []byte, fields []wire.Field) (lines []string) {
	t.Helper()
	malformed := false
	for _, f := range fields {
		raw := b[f.Off : f.Off+f.Len]
		if f.Name == wire.Malformed {
			malformed = true
			continue
		}
		name := abbreviations[f.Group+" "+f.Name]
		if f.Name == wire.Rest {
			name = "rest"
		}
		if name == "" {
			t.Fatalf("no abbreviation for %+v", f)
		}
		var n uint64
		for _, c := range raw {
			n = n<<8 | uint64(c)
		}
		show := ""
		switch name {
		case "args":
			if binaryFlag(fields, b) {
				name = "args.bytes"
			}
		case "time.us":
			show = strconv.FormatInt(int64(n), 10)
		case "flags", "udp.magic", "udp.flags", "id", "udp.session", "udp.ackbits", "udp.cookie.stamp":
			show = fmt.Sprintf("0x%0*x", 2*f.Len, n)
		case "namespace", "room", "sender", "event":
			if f.Value == `"`+string(raw)+`"` { // nothing that is not printable
				show = string(raw)
			}
		case "rest", "udp.mac", "udp.nonce", "udp.padding", "udp.fragment.part", "udp.cookie.nonce", "udp.cookie.proof":
		default:
			show = strconv.FormatUint(n, 10)
		}
		lines = append(lines, tell(name, f.Off, f.Len, hex.EncodeToString(raw), show))
		switch {
		case name == "flags":
			lines = append(lines, bits("flags.", f, n, 16, func(v uint64) string { return wire.Flags(v).String() })...)
		case name == "udp.flags":
			lines = append(lines, bits("udp.flags.", f, n, 8, func(v uint64) string { return wire.DatagramFlags(v).String() })...)
		case name == "time.us" && int64(n) > 0 && int64(n) < 253402300800e6:
			lines = append(lines, tell("time", f.Off, f.Len, hex.EncodeToString(raw), time.UnixMicro(int64(n)).UTC().Format("Jan _2, 2006 15:04:05.000000000 UTC")))
		}
	}
	if malformed {
		lines = append(lines, "malformed")
	}
	return lines
}

func bits(prefix string, f wire.Field, n uint64, size int, name func(uint64) string) (lines []string) {
	for i := range size {
		if s := name(1 << i); !strings.HasPrefix(s, "0x") {
			lines = append(lines, tell(prefix+s, f.Off, f.Len, "", strconv.FormatUint(n>>i&1, 10)))
		}
	}
	return lines
}

func binaryFlag(fields []wire.Field, b []byte) bool {
	for _, f := range fields {
		if f.Group == wire.GroupEnvelope && f.Name == "flags" {
			return wire.Flags(binary.BigEndian.Uint16(b[f.Off:]))&wire.FlagBinary != 0
		}
	}
	return false
}

// lines is what tshark says, in the same way.
func (l *layer) lines() (lines []string) {
	malformed := false
	for _, f := range l.fields {
		name, ours := strings.CutPrefix(f.Name, "wirelab.")
		switch {
		case name == "malformed" || name == "cut":
			malformed = true
			continue
		case !ours || name == "udp.fragment.in" || name == "udp.fragment.from":
			continue
		}
		value, show := f.Value, f.Show
		switch {
		case strings.HasPrefix(name, "flags.") || strings.HasPrefix(name, "udp.flags."):
			value = ""
		case slices.Contains([]string{"rest", "args", "args.bytes", "udp.mac", "udp.nonce", "udp.padding", "udp.fragment.part", "udp.cookie.nonce", "udp.cookie.proof"}, name):
			show = ""
		case slices.Contains([]string{"namespace", "room", "sender", "event"}, name):
			if raw, err := hex.DecodeString(value); err != nil || strconv.Quote(string(raw)) != `"`+string(raw)+`"` {
				show = ""
			}
		}
		lines = append(lines, tell(name, f.Pos-l.pos, f.Size, value, show))
	}
	if malformed {
		lines = append(lines, "malformed")
	}
	return lines
}

// vectors returns the examples below a folder of package wire's, by name.
func vectors(t *testing.T, folder string) (names []string, all map[string][]byte) {
	t.Helper()
	archive, err := txtar.ParseFile("../../internal/wire/testdata/vectors.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all = make(map[string][]byte)
	for _, f := range archive.Files {
		if name, ok := strings.CutSuffix(f.Name, ".hex"); ok && strings.HasPrefix(name, folder) {
			names = append(names, name)
			all[name] = wiretest.Bytes(t, string(f.Data))
		}
	}
	return names, all
}
