package show

import (
	"encoding/hex"
	"encoding/json"
	"time"

	"wirelab/packets"
	"wirelab/packets/layer"
)

// The shapes of JSON; packets/JSON.md tells them.

type jsonPacket struct {
	Number      int         `json:"number"`
	Time        time.Time   `json:"time"`
	Since       int64       `json:"since_ns"`
	Interface   string      `json:"interface"`
	Direction   string      `json:"direction"`
	Link        string      `json:"link"`
	Length      int         `json:"length"`
	Captured    int         `json:"captured"`
	Source      string      `json:"source"`
	SourcePort  uint16      `json:"source_port"`
	Destination string      `json:"destination"`
	DestPort    uint16      `json:"destination_port"`
	Flow        int         `json:"flow"`
	Protocol    string      `json:"protocol"`
	Info        string      `json:"info"`
	TCP         *jsonTCP    `json:"tcp"`
	Comment     string      `json:"comment"`
	Drops       uint64      `json:"drops"`
	Problem     string      `json:"problem"`
	Layers      []jsonLayer `json:"layers,omitempty"`
	Data        *string     `json:"data,omitempty"`
}

type jsonTCP struct {
	Flags    []string `json:"flags"`
	Control  string   `json:"control"`
	Seq      uint32   `json:"relative_seq"`
	Ack      *uint32  `json:"relative_ack"`
	Window   uint32   `json:"window"`
	Payload  int      `json:"payload_bytes"`
	InFlight uint32   `json:"in_flight_bytes"`
	RTT      *int64   `json:"rtt_ns"`
}

type jsonLayer struct {
	Name    string      `json:"name"`
	Abbrev  string      `json:"abbrev"`
	OSI     int         `json:"osi"`
	TCPIP   string      `json:"tcpip"`
	Off     int         `json:"offset"`
	Header  int         `json:"header_bytes"`
	Length  int         `json:"length"`
	Summary string      `json:"summary"`
	Fields  []jsonField `json:"fields"`
}

type jsonField struct {
	Name     string      `json:"name"`
	Value    string      `json:"value"`
	Off      int         `json:"offset"`
	Length   int         `json:"length"`
	Bits     string      `json:"bits,omitempty"`
	Note     string      `json:"note,omitempty"`
	Children []jsonField `json:"children,omitempty"`
}

// AppendJSON appends e as one JSON object and a line break. layers and data are
// left out if nil.
func AppendJSON(dst []byte, e *Entry, layers []layer.Layer, data []byte) ([]byte, error) {
	p := jsonPacket{
		Number: e.Number, Time: e.Time, Since: int64(e.Since), Interface: e.Interface, Direction: e.Direction.String(),
		Link: e.Link.String(), Length: e.Length, Captured: e.Kept, Source: e.Source, SourcePort: e.SrcPort,
		Destination: e.Destination, DestPort: e.DstPort, Flow: e.Flow, Protocol: e.Protocol, Info: e.Info,
		Comment: e.Comment, Drops: e.Drops, Problem: e.Problem, Layers: jsonLayers(layers),
	}
	if s := e.Segment; s != nil {
		p.TCP = &jsonTCP{Flags: s.Flags.Names(), Control: layer.Control(s.Control), Seq: s.RelSeq, Window: s.Window,
			Payload: s.Len, InFlight: s.InFlight}
		if p.TCP.Flags == nil {
			p.TCP.Flags = []string{}
		}
		if s.Control&packets.ACK != 0 {
			p.TCP.Ack = &s.RelAck
		}
		if s.RTT >= 0 {
			ns := int64(s.RTT)
			p.TCP.RTT = &ns
		}
	}
	if data != nil {
		s := hex.EncodeToString(data)
		p.Data = &s
	}
	b, err := json.Marshal(&p)
	if err != nil {
		return dst, err
	}
	return append(append(dst, b...), '\n'), nil
}

func jsonLayers(layers []layer.Layer) []jsonLayer {
	var all []jsonLayer
	for _, l := range layers {
		all = append(all, jsonLayer{l.Name, l.Abbrev, l.OSI, l.TCPIP, l.Off, l.HeaderLen, l.Len, l.Summary, jsonFields(l.Fields)})
	}
	return all
}

func jsonFields(fields []layer.Field) []jsonField {
	all := make([]jsonField, 0, len(fields))
	for _, f := range fields {
		j := jsonField{Name: f.Name, Value: f.Value, Off: f.Off, Length: f.Len, Bits: f.Bits, Note: f.Note}
		if len(f.Children) > 0 {
			j.Children = jsonFields(f.Children)
		}
		all = append(all, j)
	}
	return all
}
