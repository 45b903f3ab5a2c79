package repl

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"wirelab/internal/client"
	"wirelab/internal/style"
	"wirelab/internal/wire"
)

// The lines that Plain writes with Options.JSON. Their field names are part of
// the program's interface.
type (
	eventLine struct {
		Event       string          `json:"event"`
		Namespace   string          `json:"namespace"`
		Room        string          `json:"room"`
		Sender      string          `json:"sender"`
		Seq         uint64          `json:"seq"`
		ID          string          `json:"id"`
		Time        time.Time       `json:"time"`
		Args        json.RawMessage `json:"args,omitempty"`
		Bytes       []byte          `json:"bytes,omitempty"` // raw, in base64, instead of args
		Own         bool            `json:"own"`
		Redelivered bool            `json:"redelivered"`
		Direct      bool            `json:"direct"`
		Volatile    bool            `json:"volatile"`
		History     bool            `json:"history,omitempty"`
	}
	ackLine struct {
		Ack       string `json:"ack"` // the emit's id
		OK        bool   `json:"ok"`
		Namespace string `json:"namespace"`
		Room      string `json:"room"`
		Seq       uint64 `json:"seq,omitempty"`
		Error     string `json:"error,omitempty"`
		Code      string `json:"code,omitempty"`
	}
	statusLine struct {
		Status      string  `json:"status"`
		Namespace   string  `json:"namespace,omitempty"`
		Room        string  `json:"room,omitempty"`
		Text        string  `json:"text"`
		Name        string  `json:"name,omitempty"`
		Session     string  `json:"session,omitempty"`
		Socket      string  `json:"socket,omitempty"`
		Server      string  `json:"server,omitempty"`
		Transport   string  `json:"transport,omitempty"`
		Mode        string  `json:"mode,omitempty"`
		Local       string  `json:"local,omitempty"`
		Remote      string  `json:"remote,omitempty"`
		Resumed     *bool   `json:"resumed,omitempty"`
		Attempt     int     `json:"attempt,omitempty"`
		RetryMS     *int64  `json:"retry_ms,omitempty"`
		Seq         *uint64 `json:"seq,omitempty"`
		Head        *uint64 `json:"head,omitempty"`
		Missed      *uint64 `json:"missed,omitempty"`
		Recovered   *bool   `json:"recovered,omitempty"`
		Redelivered uint64  `json:"redelivered,omitempty"`
		Lost        *uint64 `json:"lost,omitempty"`
		Reason      string  `json:"reason,omitempty"`
		Error       string  `json:"error,omitempty"`
		Code        string  `json:"code,omitempty"`
	}
	answerLine struct {
		Answer string          `json:"answer"`
		Result json.RawMessage `json:"result"`
	}
	infoLine struct {
		Info string `json:"info"`
	}
	errorLine struct {
		Error string `json:"error"`
		Code  string `json:"code,omitempty"`
		Hint  string `json:"hint,omitempty"`
	}
)

// statsResult is the answer to /stats.
type statsResult struct {
	Online      bool         `json:"online"`
	Name        string       `json:"name"`
	Server      string       `json:"server"`
	Socket      string       `json:"socket"`
	Session     string       `json:"session"`
	Transport   string       `json:"transport"`
	Mode        string       `json:"mode"`
	Local       string       `json:"local"`
	Remote      string       `json:"remote"`
	RTT         int64        `json:"rtt_us"`
	Connects    uint64       `json:"connects"`
	Sent        uint64       `json:"sent"`
	Retries     uint64       `json:"retries"`
	Retransmits uint64       `json:"retransmits"`
	Waiting     int          `json:"waiting"`
	Acks        uint64       `json:"acks"`
	PendingAcks int          `json:"pending_acks"`
	LateAcks    uint64       `json:"late_acks"`
	AckTimeouts uint64       `json:"ack_timeouts"`
	Received    uint64       `json:"received"`
	Duplicates  uint64       `json:"duplicates"`
	Redelivered uint64       `json:"redelivered"`
	Late        uint64       `json:"late"`
	Lost        uint64       `json:"lost"`
	SendLost    uint64       `json:"send_lost"`
	Dropped     uint64       `json:"volatile_dropped"`
	Rooms       []roomResult `json:"rooms"`
}

type roomResult struct {
	Namespace string `json:"namespace"`
	Room      string `json:"room"`
	Epoch     string `json:"epoch"`
	Received  uint64 `json:"received"`
	Handled   uint64 `json:"handled"`
	Consumed  uint64 `json:"consumed"`
	Head      uint64 `json:"head"`
	Lost      uint64 `json:"lost"`
}

func statsOf(st *client.Stats) statsResult {
	r := statsResult{
		Online: st.Online, Name: st.Name, Server: st.Server, Socket: st.Socket, Session: st.Session,
		Transport: st.Link.Transport, Mode: st.Link.Mode, Local: st.Link.Local, Remote: st.Link.Remote, RTT: cmp.Or(st.RTT, st.Link.RTT).Microseconds(),
		Connects: st.Connects, Sent: st.Sent, Retries: st.Retries, Retransmits: st.Link.Retransmits, Waiting: st.Waiting,
		Acks: st.Acks, PendingAcks: st.PendingAcks, LateAcks: st.LateAcks, AckTimeouts: st.AckTimeouts,
		Received: st.Received, Duplicates: st.Duplicates, Redelivered: st.Redelivered, Late: st.Late, Lost: st.Lost,
		SendLost: st.SendLost, Dropped: st.VolatileDropped, Rooms: []roomResult{},
	}
	for _, room := range st.Rooms {
		r.Rooms = append(r.Rooms, roomResult{
			Namespace: room.Namespace, Room: room.Room, Epoch: wire.Hex16(room.Epoch),
			Received: room.Received, Handled: room.Handled, Consumed: room.Consumed, Head: room.Head, Lost: room.Lost,
		})
	}
	return r
}

// JSON returns the item as one line of JSON without the line break, nil if
// there is nothing to say. It is ASCII wherever a terminal could misread it.
func (it *Item) JSON() []byte {
	var line any
	switch it.Kind {
	case Message, Notice:
		if it.State == Waiting || it.State == Sent {
			return nil // it is shown when it comes back
		}
		e := it.Event
		l := eventLine{
			Event: e.Event, Namespace: e.Namespace, Room: e.Room, Sender: e.Sender, Seq: e.Seq, ID: wire.Hex16(e.ID), Time: it.Time.UTC(),
			Own: e.Own, Redelivered: e.Redelivered, Direct: e.Direct, Volatile: e.Volatile, History: it.Past,
		}
		switch {
		case e.Binary || len(e.Args) > 0 && !json.Valid(e.Args):
			l.Bytes = e.Args
		case len(e.Args) > 0:
			l.Args = e.Args
		}
		line = l
	case Receipt:
		l := ackLine{Ack: wire.Hex16(it.ID), OK: it.State == Acked, Namespace: it.Place.Namespace, Room: it.Place.Room, Seq: it.Event.Seq, Code: code(it.Err)}
		if it.Err != nil {
			l.Error = it.Text
		}
		line = l
	case Status, Loss:
		line = status(it)
	case Listing:
		if it.Answer == nil {
			return nil
		}
		line = answerLine{it.Answer.Command, it.Answer.Result}
	case Info:
		line = infoLine{it.Text}
	case Failure:
		if it.Status != nil {
			line = status(it)
			break
		}
		line = errorLine{it.Text, code(it.Err), it.Hint}
	default:
		return nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return fmt.Appendf(nil, `{"error":%q}`, "a line that cannot be written: "+err.Error())
	}
	return escape(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func status(it *Item) statusLine {
	st := it.Status
	l := statusLine{Status: st.Kind.String(), Namespace: st.Namespace, Room: st.Room, Text: it.Text, Code: code(st.Err), Attempt: st.Attempt}
	if st.Err != nil {
		l.Error = st.Err.Error()
	}
	retry := st.Retry.Milliseconds()
	switch st.Kind {
	case client.StatusConnected:
		l.Name, l.Session, l.Socket, l.Server, l.Resumed = st.Name, st.Session, st.Socket, st.Server, &st.Resumed
		l.Transport, l.Mode, l.Local, l.Remote = st.Link.Transport, st.Link.Mode, st.Link.Local, st.Link.Remote
	case client.StatusDisconnected, client.StatusOffline:
		l.RetryMS = &retry
	case client.StatusRoom:
		l.Seq, l.Head, l.Missed, l.Recovered, l.Redelivered = &st.Cursor.Seq, &st.Head, &st.Missed, &st.Recovered, st.Redelivered
	case client.StatusLost:
		l.Lost, l.Reason = &st.Lost, st.Reason
	}
	return l
}

func code(err error) string {
	var r *client.Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

// escape writes the characters of a JSON text that a terminal would obey or
// hide as \u escapes: the same text to a JSON reader.
func escape(b []byte) []byte {
	i := bytes.IndexFunc(b, func(r rune) bool { return r >= 0x7f })
	if i < 0 {
		return b
	}
	out := append([]byte(nil), b[:i]...)
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r != utf8.RuneError && r != 0x7f && (r < 0x80 || harmless(b[i:i+n])) {
			out = append(out, b[i:i+n]...)
		} else if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += n
	}
	return out
}

// harmless reports whether a terminal shows the character as it is, whatever
// stands beside it.
func harmless(char []byte) bool { return style.Visible(string(char)) == string(char) }
