package trace

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"wirelab/internal/pcapng"
)

// A Writer writes a stream. It keeps up to 64 KiB back until Flush or Close:
// whoever watches live must flush. An error of the writer below is returned by
// every later call. A Writer is safe for concurrent use; records have the order
// of the calls.
type Writer struct {
	mu         sync.Mutex
	w          io.Writer
	buf        []byte
	interfaces int
	records    uint64
	closed     bool
	err        error
}

// NewWriter returns a writer of a stream on w. Nothing is written yet.
func NewWriter(w io.Writer) *Writer {
	buf := make([]byte, 0, bufferSize)
	return &Writer{w: w, buf: append(buf, magic...)}
}

// Event writes one event: a JSON object in UTF-8 without a line feed, as
// json.Marshal makes it. That it is one is checked by who reads.
func (w *Writer) Event(object []byte) error {
	if len(object) > MaxBody {
		return fmt.Errorf("trace: event of %d bytes, at most %d", len(object), MaxBody)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.begin(Event, len(object)); err != nil {
		return err
	}
	w.buf = append(w.buf, object...)
	return nil
}

// Describe declares an interface and returns the number that its packets carry.
func (w *Writer) Describe(i pcapng.Interface) (int, error) {
	if err := i.Check(); err != nil {
		return 0, fmt.Errorf("trace: %w", err)
	}
	if i.LinkType == 0 {
		i.LinkType = pcapng.LinkTypeRaw
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.interfaces == MaxInterfaces {
		return 0, fmt.Errorf("trace: more than %d interfaces", MaxInterfaces)
	}
	if err := w.begin(Interface, 2+2+len(i.Name)+len(i.Description)); err != nil {
		return 0, err
	}
	w.buf = binary.BigEndian.AppendUint16(w.buf, i.LinkType)
	w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(len(i.Name)))
	w.buf = append(w.buf, i.Name...)
	w.buf = append(w.buf, i.Description...)
	w.interfaces++
	return w.interfaces - 1, nil
}

// Packet writes one packet. It keeps nothing of p and allocates nothing. A
// packet that no capture file can hold is refused and leaves the stream whole.
func (w *Writer) Packet(p *pcapng.Packet) error {
	if err := p.Check(); err != nil {
		return fmt.Errorf("trace: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Interface < 0 || p.Interface >= w.interfaces {
		return fmt.Errorf("trace: packet of interface %d of %d: %w", p.Interface, w.interfaces, pcapng.ErrInterface)
	}
	if err := w.begin(Packet, packetFixed+len(p.Comment)+len(p.Data)); err != nil {
		return err
	}
	length := p.Length
	if length == 0 {
		length = len(p.Data)
	}
	w.buf = binary.BigEndian.AppendUint64(w.buf, uint64(p.Time.UnixNano()))
	w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(p.Interface))
	w.buf = append(w.buf, byte(p.Direction))
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(length))
	w.buf = binary.BigEndian.AppendUint64(w.buf, p.Drops)
	w.buf = binary.BigEndian.AppendUint64(w.buf, p.ID)
	w.buf = binary.BigEndian.AppendUint16(w.buf, uint16(len(p.Comment)))
	w.buf = append(w.buf, p.Comment...)
	w.buf = append(w.buf, p.Data...)
	return nil
}

// Flush writes what was kept back.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush()
}

// Close ends the stream and flushes it. It does not close the writer below.
// Records after Close are refused; a second Close does nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.err
	}
	records := w.records
	if err := w.begin(end, 8); err != nil {
		return err
	}
	w.buf = binary.BigEndian.AppendUint64(w.buf, records)
	w.closed = true
	return w.flush()
}

// begin makes room for a record with a body of n bytes, and starts it.
func (w *Writer) begin(kind Kind, n int) error {
	if w.closed {
		return fmt.Errorf("trace: write: %w", io.ErrClosedPipe)
	}
	if w.err == nil && len(w.buf)+frameSize+n > bufferSize {
		w.flush()
	}
	if w.err != nil {
		return w.err
	}
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(n))
	w.buf = append(w.buf, byte(kind))
	w.records++
	return nil
}

func (w *Writer) flush() error {
	if w.err != nil || len(w.buf) == 0 {
		return w.err
	}
	if _, err := w.w.Write(w.buf); err != nil {
		w.err = fmt.Errorf("trace: %w", err)
	}
	w.buf = w.buf[:0]
	return w.err
}
