package packets

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// lookAt says what a file that is no capture looks like, from its first bytes.
func lookAt(b []byte) *NotCapture {
	if len(b) == 0 {
		return &NotCapture{Looks: "an empty file"}
	}
	for _, k := range []struct{ magic, looks, hint string }{
		{"\x28\xb5\x2f\xfd", "a file compressed by zstd", "decompress it first: zstd -d FILE"},
		{"\xfd7zXZ\x00", "a file compressed by xz", "decompress it first: xz -d FILE"},
		{"BZh", "a file compressed by bzip2", "decompress it first: bunzip2 FILE"},
		{"PK\x03\x04", "a zip archive", "unpack it first"},
		{"\x89PNG", "a PNG picture", ""},
		{"\xff\xd8\xff", "a JPEG picture", ""},
		{"%PDF", "a PDF document", ""},
		{"\x7fELF", "a program", ""},
		{"MZ", "a Windows program", ""},
		{"snoop\x00", "a snoop capture", "convert it: editcap -F pcapng FILE OUT"},
		{"RTSS", "a Network Monitor capture", "convert it: editcap -F pcapng FILE OUT"},
		{"GMBU", "a Network Monitor capture", "convert it: editcap -F pcapng FILE OUT"},
		{"\x34\xcd\xb2\xa1", "a pcap file of a modified format", "convert it: editcap -F pcapng FILE OUT"},
		{"\xa1\xb2\xcd\x34", "a pcap file of a modified format", "convert it: editcap -F pcapng FILE OUT"},
		{"SQLite format 3", "a database", ""},
	} {
		if strings.HasPrefix(string(b), k.magic) {
			return &NotCapture{Looks: k.looks, Hint: k.hint}
		}
	}
	trimmed := bytes.TrimSpace(b)
	switch {
	case bytes.HasPrefix(trimmed, []byte("{")) || bytes.HasPrefix(trimmed, []byte("[")):
		return &NotCapture{Looks: "JSON", Hint: "a capture is what `wirelab compare --pcap DIR` or `wirelab link --record FILE` writes"}
	case bytes.HasPrefix(trimmed, []byte("<")):
		return &NotCapture{Looks: "HTML or XML"}
	case isText(b):
		return &NotCapture{Looks: "text", Hint: "a hex dump becomes a capture by: text2pcap FILE OUT"}
	case len(b) < 24:
		return &NotCapture{Looks: "the beginning of something: it is too short"}
	}
	return &NotCapture{Looks: "nothing that is known here", Hint: "pcap and pcapng are read, also compressed by gzip"}
}

// isText reports whether b has only characters that texts have.
func isText(b []byte) bool {
	for i := 0; i < len(b); {
		c, n := utf8.DecodeRune(b[i:])
		if c == utf8.RuneError && n == 1 {
			return len(b)-i < utf8.UTFMax && !utf8.FullRune(b[i:]) // cut at the end
		}
		if c < ' ' && c != '\n' && c != '\r' && c != '\t' || c == 0x7f {
			return false
		}
		i += n
	}
	return true
}
