package framing

import (
	"encoding/json"
	"io"
	"time"

	"wirelab/packets"
)

// The shapes of JSON; packets/JSON.md tells them.
type (
	jsonFrame struct {
		Type     string      `json:"type"` // frame
		Flow     int         `json:"flow"`
		From     string      `json:"from"`
		To       string      `json:"to"`
		Protocol string      `json:"protocol"`
		Framing  string      `json:"framing"`
		Kind     string      `json:"kind"`
		Summary  string      `json:"summary"`
		Start    uint64      `json:"start"`
		End      uint64      `json:"end"`
		Number   int         `json:"number"`
		First    time.Time   `json:"first"`
		Complete time.Time   `json:"complete"`
		Offset   int64       `json:"complete_ns"`
		Waited   int64       `json:"waited_ns"`
		Blocked  bool        `json:"blocked"`
		Hole     *jsonHole   `json:"hole"`
		Pieces   []jsonPiece `json:"pieces"`
		More     int         `json:"pieces_left_out"`
		Missing  uint64      `json:"missing"`
		Error    string      `json:"error"`
		Datagram *jsonUDP    `json:"datagram"`
	}
	jsonPiece struct {
		Number int       `json:"number"`
		Time   time.Time `json:"time"`
		At     uint64    `json:"at"`
		Offset int       `json:"offset"`
		Length int       `json:"length"`
		Again  bool      `json:"again"`
		Fills  bool      `json:"fills"`
		Cut    bool      `json:"cut"`
	}
	jsonHole struct {
		Start    uint64     `json:"start"`
		End      uint64     `json:"end"`
		Opened   time.Time  `json:"opened"`
		OpenedBy int        `json:"opened_by"`
		Filled   *time.Time `json:"filled"`
		FilledBy int        `json:"filled_by"`
		Lost     []int      `json:"lost"`
	}
	jsonUDP struct {
		Number   uint64 `json:"number"`
		Reliable uint64 `json:"reliable"`
		Of       int    `json:"copy_of"`
		Same     bool   `json:"same"`
		IPParts  int    `json:"ip_fragments"`
		Parts    int    `json:"parts"`
	}
	jsonStream struct {
		Type     string `json:"type"` // stream
		Flow     int    `json:"flow"`
		From     string `json:"from"`
		To       string `json:"to"`
		Protocol string `json:"protocol"`
		Framing  string `json:"framing"`
		Because  string `json:"because"`
		Mid      bool   `json:"mid"`
		Frames   int    `json:"frames"`
		Bytes    uint64 `json:"bytes"`
		Segments int    `json:"segments"`
		Cut      int    `json:"cut"`
		Shared   int    `json:"shared"`
		Late     int    `json:"late"`
		Blocked  int    `json:"blocked"`
		Waited   int64  `json:"waited_max_ns"`
		Again    int    `json:"again"`
		Missing  uint64 `json:"missing"`
		Bad      int    `json:"bad"`
	}
	jsonCapture struct {
		Type    string    `json:"type"` // capture
		Begin   time.Time `json:"begin"`
		Packets int       `json:"packets"`
		Flows   int       `json:"flows"`
		Left    int       `json:"flows_ended_early"`
	}
)

func protocol(f *Flow) string {
	if f.Protocol == packets.ProtocolUDP {
		return "udp"
	}
	return "tcp"
}

// JSON reads a capture and writes a line of JSON for each frame as it is
// complete, then one for each stream and one for the capture. Config.Count and
// Each do not count.
func JSON(w io.Writer, r *packets.Reader, cfg Config) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	cfg.Count = 1
	cfg.Each = func(m *Message, begin time.Time) error { return e.Encode(frameJSON(m, begin)) }
	report, err := Read(r, cfg)
	for _, d := range report.Directions {
		from, to := d.Flow.Ends(d.Dir)
		s := jsonStream{
			Type: "stream", Flow: d.Flow.Number, From: from.String(), To: to.String(), Protocol: protocol(d.Flow),
			Frames: d.Frames, Bytes: d.Bytes, Segments: d.Segments, Cut: d.Cut, Shared: d.Shared, Late: d.Late, Blocked: d.Blocked,
			Waited: d.Waited.Nanoseconds(), Again: d.Again, Missing: d.Missing, Bad: d.Bad,
		}
		if stream := d.Flow.Streams[d.Dir]; stream != nil {
			s.Framing, s.Because, s.Mid = stream.Cutting(), stream.Because(), stream.Mid()
		}
		if e := e.Encode(s); e != nil {
			return e
		}
	}
	if e := e.Encode(jsonCapture{"capture", report.Begin, report.Packets, report.Flows, report.Left}); e != nil {
		return e
	}
	return err
}

func frameJSON(m *Message, begin time.Time) jsonFrame {
	from, to := m.Flow.Ends(m.Dir)
	j := jsonFrame{
		Type: "frame", Flow: m.Flow.Number, From: from.String(), To: to.String(), Protocol: protocol(m.Flow),
		Framing: m.Framing, Kind: m.Kind, Summary: m.Summary, Start: m.Start, End: m.End, Number: m.Number,
		First: m.First, Complete: m.Complete, Offset: m.Complete.Sub(begin).Nanoseconds(),
		Waited: m.Waited.Nanoseconds(), Blocked: m.Hole != nil && !m.Own, More: m.More, Missing: m.Missing, Error: m.Err,
		Pieces: make([]jsonPiece, 0, len(m.Pieces)),
	}
	for _, p := range m.Pieces {
		j.Pieces = append(j.Pieces, jsonPiece{p.Number, p.Time, p.At, p.Offset, p.Len, p.Again, p.Fills, p.Cut})
	}
	if h := m.Hole; h != nil {
		k := &jsonHole{Start: h.Start, End: h.End, Opened: h.Opened, OpenedBy: h.OpenedBy, FilledBy: h.FilledBy, Lost: h.Lost}
		if k.Lost == nil {
			k.Lost = []int{}
		}
		if !h.Filled.IsZero() {
			k.Filled = &h.Filled
		}
		j.Hole = k
	}
	if g := m.Datagram; g != nil {
		j.Datagram = &jsonUDP{g.Number, g.Reliable, g.Of, g.Same, g.IPParts, g.Parts}
	}
	return j
}
