package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// frameOf returns an event's frame with size bytes of arguments.
func frameOf(t testing.TB, size int) []byte {
	t.Helper()
	b, err := AppendFrame(nil, &Envelope{Kind: KindEvent, Flags: FlagBinary, Event: []byte("chat"), Args: bytes.Repeat([]byte{'x'}, size)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// readAll returns the raw frames of r and the error that ended them.
func readAll(r io.Reader) (frames []string, err error) {
	fr := NewReader(r)
	for {
		_, raw, err := fr.Next()
		if err != nil {
			return frames, err
		}
		frames = append(frames, string(raw))
	}
}

func TestReaderEnds(t *testing.T) {
	frame := frameOf(t, 3)
	broken := errors.New("broken")
	for _, tt := range []struct {
		name   string
		r      io.Reader
		frames int
		is     error
		want   string
	}{
		{"nothing", strings.NewReader(""), 0, io.EOF, "EOF"},
		{"on a boundary", bytes.NewReader(frame), 1, io.EOF, "EOF"},
		{"with the last bytes", iotest.DataErrReader(bytes.NewReader(frame)), 1, io.EOF, "EOF"},
		{"in the length", bytes.NewReader(frame[:3]), 0, io.ErrUnexpectedEOF, "wire: stream ended 3 bytes into a frame: unexpected EOF"},
		{"after the length", bytes.NewReader(frame[:4]), 0, io.ErrUnexpectedEOF, "wire: stream ended 4 bytes into a frame: unexpected EOF"},
		{"in the second", bytes.NewReader(append(frame[:len(frame):len(frame)], frame[:20]...)), 1, io.ErrUnexpectedEOF, "wire: stream ended 20 bytes into a frame: unexpected EOF"},
		{"the reader's own error", io.MultiReader(bytes.NewReader(frame), iotest.ErrReader(broken)), 1, broken, "broken"},
		{"no progress", idle{}, 0, io.ErrNoProgress, "wire: multiple Read calls return no data or error"},
		{"length too small", strings.NewReader("\x00\x00\x00\x27"), 0, ErrSize, "wire: frame length 39, want 40 to 65832: size out of range"},
		{"length too large", strings.NewReader("\x7f\xff\xff\xff"), 0, ErrSize, "wire: frame length 2147483647, want 40 to 65832: size out of range"},
		{"bad envelope", strings.NewReader("\x00\x00\x00\x28\x02" + strings.Repeat("\x00", 39)), 0, ErrVersion, "wire: version 2, want 1: unknown version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frames, err := readAll(tt.r)
			if len(frames) != tt.frames || !errors.Is(err, tt.is) || err.Error() != tt.want {
				t.Errorf("got %d frames and %q, want %d and %q", len(frames), err, tt.frames, tt.want)
			}
		})
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// A late error must come once and after the frames that came with it: a
// deadline that passed may be moved, and the stream goes on.
func TestReaderGoesOnAfterATimeout(t *testing.T) {
	r := NewReader(iotest.TimeoutReader(bytes.NewReader(append(frameOf(t, 600), frameOf(t, 2)...))))
	var got []string
	for {
		_, raw, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			got = append(got, err.Error())
			continue
		}
		got = append(got, fmt.Sprint(len(raw)))
	}
	if want := "[timeout 648 50]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestReaderReturnsLargeFramesWhole(t *testing.T) {
	var stream []byte
	var want []string
	for _, size := range []int{MaxArguments, 0, largeBuffer - 48, largeBuffer - 47, 1, 465, 464, 463, MaxArguments, 5} {
		f := frameOf(t, size)
		stream = append(stream, f...)
		want = append(want, string(f))
	}
	for name, r := range map[string]io.Reader{
		"whole":    bytes.NewReader(stream),
		"halves":   iotest.HalfReader(bytes.NewReader(stream)),
		"data+err": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		got, err := readAll(r)
		if err != io.EOF || len(got) != len(want) {
			t.Fatalf("%s: got %d frames and %v, want %d and EOF", name, len(got), err, len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: frame %d differs", name, i)
			}
		}
	}
}

func TestReaderBuffered(t *testing.T) {
	two := append(frameOf(t, 3), frameOf(t, 4)...)
	r := NewReader(bytes.NewReader(append(two, 0, 0)))
	for i, want := range []bool{true, false} {
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if got := r.Buffered(); got != want {
			t.Errorf("after frame %d: Buffered() = %t, want %t", i+1, got, want)
		}
	}
	r = NewReader(strings.NewReader(string(two[:51]) + "\xff\xff\xff\xff"))
	if _, _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if !r.Buffered() {
		t.Error("Buffered() = false before a frame that will be refused, want true")
	}
}

// A burst hands out its chunks one per Read. Room notes how much room each
// Read got; one past the last chunk is the Read that waits.
type burst struct {
	chunks [][]byte
	room   []int
}

func (b *burst) Read(p []byte) (int, error) {
	b.room = append(b.room, len(p))
	if len(b.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.chunks[0])
	if b.chunks[0] = b.chunks[0][n:]; len(b.chunks[0]) == 0 {
		b.chunks = b.chunks[1:]
	}
	return n, nil
}

func TestReaderIsSmallWhenIdle(t *testing.T) {
	for _, sizes := range [][]int{{5}, {600}, {2000, 3}, {10_000}, {largeBuffer}, {MaxArguments, 1}} {
		var b burst
		for _, size := range sizes {
			b.chunks = append(b.chunks, frameOf(t, size))
		}
		r := NewReader(&b)
		for range sizes {
			if _, _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := r.Next(); err != io.EOF {
			t.Fatal(err)
		}
		if got := b.room[len(b.room)-1]; got != smallBuffer || r.pooled != nil {
			t.Errorf("after frames of %d: waits with a buffer of %d bytes, want %d", sizes, got, smallBuffer)
		}
	}
}

func TestReaderIsLargeWhenBusy(t *testing.T) {
	b := burst{chunks: [][]byte{bytes.Repeat(frameOf(t, 52), 10_000)}}
	r := NewReader(&b)
	for range 10_000 {
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if got, most := len(b.room), 10_000*100/largeBuffer+4; got > most {
		t.Errorf("%d reads for a million bytes, want at most %d", got, most)
	}
}

// A false length must not make us reserve what it says.
func TestReaderGrowsWithWhatCameNotWithWhatWasPromised(t *testing.T) {
	b := burst{chunks: [][]byte{{0, 1, 1, 0}, make([]byte, 100)}}
	if _, _, err := NewReader(&b).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	for _, room := range b.room {
		if room > smallBuffer {
			t.Errorf("a buffer of %d bytes for 104 that came, want at most %d", room, smallBuffer)
		}
	}
}

func TestReaderAllocatesNothingPerFrame(t *testing.T) {
	r := NewReader(&endless{frame: frameOf(t, 52)})
	if n := testing.AllocsPerRun(5000, func() {
		if _, _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("Next allocates %v times, want 0", n)
	}
}

// endless repeats a frame for ever.
type endless struct {
	frame []byte
	at    int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		m := copy(p[n:], e.frame[e.at:])
		n += m
		e.at = (e.at + m) % len(e.frame)
	}
	return n, nil
}

// segments cuts a stream at random.
type segments struct {
	r    io.Reader
	rand *rand.Rand
}

func (s segments) Read(p []byte) (int, error) {
	return s.r.Read(p[:min(len(p), s.rand.IntN(700))])
}

// TCP may cut the stream anywhere: the frames and the error at their end must
// not depend on where.
func FuzzCuttingTheStreamChangesNothing(f *testing.F) {
	good := append(frameOf(f, 3), frameOf(f, 600)...)
	f.Add(good, uint64(1))
	f.Add(good[:80], uint64(2))
	f.Add([]byte("\x00\x00\x00\x27"), uint64(3))
	f.Add(append(good[:51:51], "\x00\x00\x00\x28\x01\x09"...), uint64(4))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		want, wantErr := readAll(bytes.NewReader(stream))
		for name, r := range map[string]io.Reader{
			"bytes":    iotest.OneByteReader(bytes.NewReader(stream)),
			"halves":   iotest.HalfReader(bytes.NewReader(stream)),
			"data+err": iotest.DataErrReader(bytes.NewReader(stream)),
			"random":   segments{bytes.NewReader(stream), rand.New(rand.NewPCG(seed, 0))},
		} {
			got, err := readAll(r)
			if strings.Join(got, "|") != strings.Join(want, "|") || err.Error() != wantErr.Error() {
				t.Errorf("%s: %d frames and %q, whole: %d and %q", name, len(got), err, len(want), wantErr)
			}
		}
		rest := stream
		for i := range want {
			envelope, r, err := SplitFrame(rest)
			if err != nil || string(envelope) != want[i][LengthSize:] {
				t.Fatalf("SplitFrame: frame %d is %q and %v, Reader has %q", i, envelope, err, want[i])
			}
			rest = r
		}
	})
}

func BenchmarkReader(b *testing.B) {
	for _, size := range []int{10, 100, 1000, MaxArguments} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			frame := frameOf(b, size)
			r := NewReader(&endless{frame: frame})
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
