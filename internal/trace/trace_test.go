package trace

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"wirelab/internal/pcapng"
)

var at = time.Unix(0, 0x18869FA51DD5B415).UTC()

// The records of the package comment, byte by byte.
const (
	wantMagic     = "574c545241434532"
	wantEvent     = "00000007" + "01" + "7b2261223a317d" // {"a":1}
	wantInterface = "0000000e" + "02" + "0065" + "0004" + "6c696e6b" + "612077697265"
	wantPacket    = "00000027" + "03" + "18869fa51dd5b415" + "0000" + "02" + "000005dc" +
		"0000000000000003" + "0000000000000009" + "0004" + "6c6f7374" + "4500"
	wantEnd = "00000008" + "04" + "0000000000000003"
)

func TestRecordsAreAsDocumented(t *testing.T) {
	var got bytes.Buffer
	w := NewWriter(&got)
	if err := w.Event([]byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Describe(pcapng.Interface{Name: "link", Description: "a wire"}); n != 0 || err != nil {
		t.Fatalf("Describe = %d, %v, want 0", n, err)
	}
	if err := w.Packet(&pcapng.Packet{Time: at, Direction: pcapng.Out, Length: 1500, Drops: 3, ID: 9, Comment: "lost", Data: []byte{0x45, 0}}); err != nil {
		t.Fatal(err)
	}
	if got.Len() != 0 {
		t.Errorf("%d bytes before Flush, want 0", got.Len())
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if s, want := hex.EncodeToString(got.Bytes()), wantMagic+wantEvent+wantInterface+wantPacket+wantEnd; s != want {
		t.Errorf("stream =\n%s, want\n%s", s, want)
	}
}

func TestWriterRefuses(t *testing.T) {
	var got bytes.Buffer
	w := NewWriter(&got)
	if err := w.Packet(&pcapng.Packet{Time: at}); !errors.Is(err, pcapng.ErrInterface) {
		t.Errorf("Packet before its interface = %v, want %v", err, pcapng.ErrInterface)
	}
	if err := w.Event(make([]byte, MaxBody+1)); err == nil || !strings.Contains(err.Error(), "1048577") {
		t.Errorf("Event of MaxBody+1 bytes = %v, want its size", err)
	}
	if _, err := w.Describe(pcapng.Interface{Name: "\xff"}); err == nil {
		t.Error("Describe of what is not UTF-8 went well")
	}
	if _, err := w.Describe(pcapng.Interface{}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []pcapng.Packet{{Time: at, Interface: 1}, {Time: at, Interface: -1}, {Time: at, Comment: "\xff"}, {Time: at, Data: make([]byte, pcapng.MaxPacket+1)}} {
		if err := w.Packet(&p); err == nil {
			t.Errorf("Packet of interface %d with comment %q and %d bytes went well", p.Interface, p.Comment, len(p.Data))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Event([]byte("{}")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Event after Close = %v, want %v", err, io.ErrClosedPipe)
	}
	r := NewReader(&got)
	if rec, err := r.Next(); err != nil || rec.Kind != Interface {
		t.Errorf("Next = %+v, %v, want the interface and nothing of what was refused", rec, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("Next = %v, want %v", err, io.EOF)
	}
}

func TestErrorOfTheWriterStays(t *testing.T) {
	full := errors.New("full")
	calls := 0
	w := NewWriter(writerFunc(func(p []byte) (int, error) { calls++; return 0, full }))
	if err := w.Event([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	for _, f := range []func() error{w.Flush, w.Flush, func() error { return w.Event([]byte("{}")) }, w.Close, w.Close} {
		if err := f(); !errors.Is(err, full) {
			t.Errorf("error = %v, want %v", err, full)
		}
	}
	if calls != 1 {
		t.Errorf("%d writes, want 1", calls)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWritingAllocatesNothing(t *testing.T) {
	w := NewWriter(io.Discard)
	if _, err := w.Describe(pcapng.Interface{}); err != nil {
		t.Fatal(err)
	}
	p := pcapng.Packet{Time: at, Comment: "lost", Data: make([]byte, 1500)}
	event := []byte(`{"what":"ever"}`)
	if n := testing.AllocsPerRun(1000, func() {
		if err := errors.Join(w.Packet(&p), w.Event(event)); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("a packet and an event allocate %v times, want 0", n)
	}
}

func TestWriterFromManyGoroutines(t *testing.T) {
	var got bytes.Buffer
	w := NewWriter(&got)
	if _, err := w.Describe(pcapng.Interface{}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				if err := w.Event(fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
					t.Error(err)
				}
				if err := w.Packet(&pcapng.Packet{Time: at, Data: make([]byte, i)}); err != nil {
					t.Error(err)
				}
				if i%100 == 0 {
					w.Flush()
				}
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	all, err := readAll(NewReader(&got))
	if len(all) != 1+8*2*500 || err != io.EOF {
		t.Errorf("%d records, %v, want %d", len(all), err, 1+8*2*500)
	}
}

// readAll returns copies of all records, and the error after the last.
func readAll(r *Reader) (all []Record, err error) {
	for {
		rec, err := r.Next()
		if err != nil {
			return all, err
		}
		all = append(all, clone(rec))
	}
}

func clone(rec *Record) Record {
	c := *rec
	c.Event = bytes.Clone(c.Event)
	c.Packet.Data = bytes.Clone(c.Packet.Data)
	return c
}

// random returns a stream with about n records, and those.
func random(t *testing.T, r *rand.Rand, n int) ([]byte, []Record) {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	var want []Record
	interfaces := 0
	for range n {
		switch {
		case interfaces == 0 || r.IntN(50) == 0:
			i := pcapng.Interface{Name: fmt.Sprint("n", r.IntN(100)), Description: strings.Repeat("ä", r.IntN(3)), LinkType: uint16(1 + r.IntN(200))}
			if _, err := w.Describe(i); err != nil {
				t.Fatal(err)
			}
			rec := Record{Kind: Interface, Interface: i}
			rec.Packet.Interface = interfaces
			want = append(want, rec)
			interfaces++
		case r.IntN(2) == 0:
			size := r.IntN(100)
			if r.IntN(100) == 0 {
				size = r.IntN(MaxBody - 20)
			}
			event := fmt.Appendf(nil, `{"n":%d,"s":"%s"}`, r.IntN(100), strings.Repeat("x", size))
			if err := w.Event(event); err != nil {
				t.Fatal(err)
			}
			want = append(want, Record{Kind: Event, Event: event})
		default:
			p := pcapng.Packet{
				Interface: r.IntN(interfaces),
				Time:      time.Unix(0, r.Int64N(math.MaxInt64-2e9)).UTC(),
				Direction: pcapng.Direction(r.IntN(3)),
				Drops:     r.Uint64N(3),
				ID:        r.Uint64N(3),
				Comment:   strings.Repeat("ü", r.IntN(5)),
				Data:      make([]byte, 1+r.IntN(2000)),
			}
			for i := range p.Data {
				p.Data[i] = byte(r.Uint32())
			}
			p.Length = len(p.Data) + r.IntN(2)
			if err := w.Packet(&p); err != nil {
				t.Fatal(err)
			}
			want = append(want, Record{Kind: Packet, Packet: p})
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), want
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	seed := rand.Uint64()
	stream, want := random(t, rand.New(rand.NewPCG(seed, 0)), 500)
	for name, r := range map[string]io.Reader{
		"whole":     bytes.NewReader(stream),
		"by bytes":  iotest.OneByteReader(bytes.NewReader(stream)),
		"with EOF":  iotest.DataErrReader(bytes.NewReader(stream)),
		"by halves": iotest.HalfReader(bytes.NewReader(stream)),
	} {
		if got, err := readAll(NewReader(r)); err != io.EOF || !reflect.DeepEqual(got, want) {
			t.Errorf("seed %d, %s: read %d records, %v, want the %d that were written", seed, name, len(got), err, len(want))
		}
	}
}

func TestReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	r := NewReader(io.MultiReader(strings.NewReader("WLTRACE2"), iotest.ErrReader(broken)))
	for range 2 {
		if _, err := r.Next(); !errors.Is(err, broken) {
			t.Errorf("Next = %v, want %v", err, broken)
		}
	}
	stuck := NewReader(readerFunc(func([]byte) (int, error) { return 0, nil }))
	if _, err := stuck.Next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("Next of a reader that gives nothing = %v, want %v", err, io.ErrNoProgress)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Wherever a stream stops, that is told from its end.
func TestStreamThatWasCutOff(t *testing.T) {
	stream := unhex(t, wantMagic+wantEvent+wantInterface+wantPacket+wantEnd)
	for n := range len(stream) {
		if _, err := readAll(NewReader(bytes.NewReader(stream[:n]))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the first %d of %d bytes: %v, want %v", n, len(stream), err, io.ErrUnexpectedEOF)
		}
		var r Recorder
		if _, err := r.Write(stream[:n]); err != nil {
			t.Errorf("Write of the first %d bytes = %v", n, err)
		}
		if err := r.Close(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Close after %d of %d bytes = %v, want %v", n, len(stream), err, io.ErrUnexpectedEOF)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWhatIsNoStreamIsRefused(t *testing.T) {
	event := func(s string) string {
		return wantMagic + fmt.Sprintf("%08x01%x", len(s), s)
	}
	for _, tt := range []struct {
		name, in string // in hex
		want     string
	}{
		{"no magic", hex.EncodeToString([]byte("panic: x")), "does not begin with WLTRACE2"},
		{"half a magic", hex.EncodeToString([]byte("WLTRICK")), "does not begin with WLTRACE2"},
		{"record too long", wantMagic + "0010000101", "length 1048577, at most 1048576"},
		{"unknown kind", wantMagic + "0000000005", "unknown kind 5"},
		{"kind 0", wantMagic + "0000000000", "unknown kind 0"},
		{"empty event", event(""), "not one JSON object"},
		{"number as event", event("1"), "not one JSON object"},
		{"array as event", event("[]"), "not one JSON object"},
		{"two objects", event("{}{}"), "not one JSON object"},
		{"two lines", event("{\n}"), "not one JSON object"},
		{"half an object", event(`{"a":`), "not one JSON object"},
		{"not UTF-8", event("{\"a\":\"\xff\"}"), "not one JSON object"},
		{"short interface", wantMagic + "00000003" + "02" + "000000", "interface of 3 bytes"},
		{"name too long", wantMagic + "00000005" + "02" + "0065" + "0002" + "61", "name of 2 bytes in 1"},
		{"name not UTF-8", wantMagic + "00000005" + "02" + "0065" + "0001" + "ff", "not UTF-8"},
		{"packet before interface", wantMagic + wantPacket, "interface 0 of 0"},
		{"short packet", wantMagic + wantInterface + "00000020" + "03" + strings.Repeat("00", 32), "packet of 32 bytes"},
		{"comment too long", wantMagic + wantInterface + "00000021" + "03" + strings.Repeat("00", 32) + "01", "comment of 1 bytes in 0"},
		{"direction", wantMagic + wantInterface + "00000021" + "03" + strings.Repeat("00", 10) + "03" + strings.Repeat("00", 22), "direction 3"},
		{"before 1970", wantMagic + wantInterface + "00000021" + "03" + "ffffffffffffffff" + strings.Repeat("00", 25), "outside 1970"},
		{"packet too long", wantMagic + wantInterface + fmt.Sprintf("%08x", 33+pcapng.MaxPacket+1) + "03" + strings.Repeat("00", 33+pcapng.MaxPacket+1), "262145 bytes"},
		{"wrong end", wantMagic + wantEvent + "00000008" + "04" + "0000000000000002", "end after 1 records says 2"},
		{"short end", wantMagic + "00000000" + "04", "end of 0 bytes"},
		{"more after the end", wantMagic + "00000008" + "04" + "0000000000000000" + "00", "after the end"},
	} {
		in := unhex(t, tt.in)
		_, err := readAll(NewReader(bytes.NewReader(in)))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Reader: %v, want %q", tt.name, err, tt.want)
		}
		r := Recorder{}
		_, err = r.Write(in)
		if again := r.Close(); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), tt.want) || again != err {
			t.Errorf("%s: Recorder: %v, then Close %v, want %q", tt.name, err, again, tt.want)
		}
	}
}

// However a stream comes in pieces, the same is read from it, also a hostile one.
func FuzzSegmentationNeverChangesAStream(f *testing.F) {
	for _, s := range []string{wantMagic + wantEvent + wantInterface + wantPacket + wantEnd, wantMagic + wantEnd, ""} {
		b, err := hex.DecodeString(s)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, 3)
	}
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		whole, e1 := readAll(NewReader(bytes.NewReader(b)))
		split, e2 := readAll(NewReader(iotest.OneByteReader(bytes.NewReader(b))))
		if !reflect.DeepEqual(whole, split) || e1.Error() != e2.Error() {
			t.Errorf("whole: %d records, %v; byte by byte: %d, %v", len(whole), e1, len(split), e2)
		}
		var taken []Record
		r := Recorder{Handle: func(rec *Record) error {
			taken = append(taken, clone(rec))
			return nil
		}}
		for rest := b; len(rest) > 0; {
			n := min(max(piece, 1), len(rest))
			if _, err := r.Write(rest[:n]); err != nil {
				break
			}
			rest = rest[n:]
		}
		e3 := r.Close()
		if e1 == io.EOF {
			e1 = nil
		}
		if !reflect.DeepEqual(whole, taken) || fmt.Sprint(e3) != fmt.Sprint(e1) {
			t.Errorf("read: %d records, %v; recorded: %d, %v", len(whole), e1, len(taken), e3)
		}
	})
}
