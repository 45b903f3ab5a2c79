package repl

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"wirelab/internal/client"
)

// textEvent is the name of the events that chat lines are.
const textEvent = "msg"

// Incoming returns the item for an event that arrived.
func Incoming(e client.Event) Item {
	it := Item{Kind: Message, Time: e.Time, Event: &e, Place: Place{e.Namespace, e.Room}}
	if it.Time.IsZero() {
		it.Time = time.Now()
	}
	if e.Direct {
		it.Place.Room = "@" + e.Sender
	}
	if text, ok := notice(&e); ok {
		it.Kind, it.Text = Notice, text
	}
	return it
}

// notice returns the words for an event of the server itself about who comes
// and goes: volatile, and without a sender, so that no member can make one.
func notice(e *client.Event) (string, bool) {
	if e.Sender != "" || !e.Volatile || e.Direct {
		return "", false
	}
	var name, a, b string
	if e.Decode(&name, &a, &b) != nil {
		return "", false
	}
	switch e.Event {
	case "member_joined":
		return name + " joined" + by(a, b), true
	case "member_back":
		return name + " is back" + by(a, b), true
	case "member_left":
		if a == "" || a == "left" {
			return name + " left", true
		}
		return name + " left: " + a, true
	case "member_away":
		return name + " is away" + because(a), true
	case "member_renamed":
		return name + " is now " + a, true
	}
	return "", false
}

func by(transport, mode string) string {
	if transport == "" {
		return ""
	}
	return " over " + Link(transport, mode)
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// Link names a transport and its mode: "tcp", "udp/queue".
func Link(transport, mode string) string {
	if mode == "" {
		return transport
	}
	return transport + "/" + mode
}

// Body returns what an event says: the text of a chat line, with plain set, or
// the event's name and arguments.
func Body(e *client.Event) (text string, plain bool) {
	if e.Binary {
		shown, more := e.Args, ""
		if len(shown) > 64 {
			shown, more = shown[:64], "…"
		}
		return fmt.Sprintf("%s: %d raw bytes: %s%s", eventName(e.Event), len(e.Args), hex.EncodeToString(shown), more), false
	}
	if e.Event == textEvent {
		var args []json.RawMessage
		if json.Unmarshal(e.Args, &args) == nil && len(args) == 1 && json.Unmarshal(args[0], &text) == nil {
			return text, true
		}
	}
	return eventName(e.Event) + " " + string(e.Args), false
}

var plainWord = regexp.MustCompile(`^[\pL\pN_.-]+$`)

// eventName returns the name of an event, quoted if it could be mistaken for
// something else.
func eventName(name string) string {
	if plainWord.MatchString(name) {
		return name
	}
	return fmt.Sprintf("%q", name)
}

// Told returns the items for a change of the connection or of a room's cursor.
func Told(st client.Status) []Item {
	it := Item{Kind: Status, Time: st.Time, Status: &st, Place: Place{st.Namespace, st.Room}}
	if Private(st.Room) {
		if st.Kind == client.StatusRoom && st.Missed == 0 {
			return nil
		}
		it.Place.Room = ""
	}
	switch st.Kind {
	case client.StatusConnecting:
		it.Text = "connecting"
		if st.Attempt > 1 {
			it.Text = fmt.Sprintf("connecting, attempt %d", st.Attempt)
		}
	case client.StatusConnected:
		it.Text = connected(&st)
	case client.StatusDisconnected:
		it.Text = "connection lost"
		if st.Attempt > 0 {
			it.Text = "no connection" // there was none to lose
		}
		if st.Err != nil {
			it.Text += ": " + strings.TrimPrefix(st.Err.Error(), "connection lost: ")
		}
		if st.Retry >= 0 {
			it.Text += "; next attempt in " + round(st.Retry)
		}
	case client.StatusOffline:
		it.Text = "offline, until /online"
		if st.Retry > 0 {
			it.Text = "offline for " + round(st.Retry)
		}
	case client.StatusRefused, client.StatusNotice:
		it = failure(it.Place, st.Err)
		it.Status = &st
		var r *client.Refusal
		if st.Kind == client.StatusNotice && errors.As(st.Err, &r) && (r.Code == "bad_session" || r.Code == "bad_secret") {
			it.Hint = "a new session begins by itself"
		}
	case client.StatusClosed:
		it.Text = "closed"
	case client.StatusRoom:
		if st.Missed == 0 {
			it.Text = fmt.Sprintf("at %d, nothing missed", st.Cursor.Seq)
			break
		}
		what := "message"
		if strings.HasPrefix(st.Room, "@") {
			what = "direct message"
		}
		it.Text = count(st.Missed, what) + " waited for you"
		if st.Redelivered > st.Cursor.Seq {
			it.Text += "; those that may have been here before are marked ↻"
		}
	case client.StatusLeft:
		it.Text = "no longer in the room"
		if st.Err != nil {
			it.Text += ": " + st.Err.Error()
		}
	case client.StatusLost:
		it.Kind, it.Text = Loss, lost(&st)
	default:
		it.Text = st.Kind.String()
	}
	return []Item{it}
}

// Private reports whether a room is none that members share: the namespace
// itself, or one where direct messages come from.
func Private(room string) bool { return room == "" || room[0] == '@' || room[0] == '#' }

func connected(st *client.Status) string {
	text := "connected as " + st.Name + by(st.Link.Transport, st.Link.Mode)
	if st.Server != "" {
		text += " to " + st.Server
	}
	switch {
	case st.Resumed:
		text += "; the session goes on"
	case st.Session == "":
		text += "; no session: what passes while you are away is gone"
	}
	return text
}

// reasons says a loss's reason in a few words.
var reasons = map[string]string{
	client.LostEpoch:    "the room began anew",
	client.LostExpired:  "older than the server keeps",
	client.LostOverflow: "more than the server keeps",
	client.LostLeft:     "sent while away, without a session",
	client.LostDamaged:  "the server could not read its store",
	client.LostGap:      "did not arrive",
}

func lost(st *client.Status) string {
	what := "message"
	switch {
	case st.Room == "":
		what = "message to everybody"
	case Private(st.Room):
		what = "direct message"
	}
	why := reasons[st.Reason]
	switch {
	case st.Lost == 0:
		return strings.Replace(what, "message", "messages", 1) + " may be lost: " + st.Reason + " (" + why + "), how many is not known"
	case st.Lost > 1:
		what = strings.Replace(what, "message", "messages", 1)
	}
	text := fmt.Sprintf("%d %s lost: %s", st.Lost, what, st.Reason)
	if why != "" {
		text += " (" + why + ")"
	}
	return text
}

// failure returns the item for an error.
func failure(at Place, err error) Item {
	it := Item{Kind: Failure, Time: time.Now(), Place: at, Err: err}
	if err == nil {
		it.Text = "failed"
		return it
	}
	it.Text = err.Error()
	var r *client.Refusal
	switch {
	case errors.As(err, &r):
		it.Hint = r.Hint
		if it.Hint == "" && r.RetryAfter > 0 {
			it.Hint = "try again in " + round(r.RetryAfter)
		}
	case errors.Is(err, client.ErrOffline):
		it.Hint = "/online connects; /stats shows the connection"
	case errors.Is(err, client.ErrFull):
		it.Hint = "wait until some are acknowledged; /stats shows how many wait"
	}
	return it
}

func count(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// round writes a duration as people do, with the digits that count.
func round(d time.Duration) string {
	if d >= 995*time.Millisecond && d < 10*time.Second {
		d = d.Round(100 * time.Millisecond) // 999.8 ms is a second
	}
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case d >= time.Minute:
		s := d.Round(time.Second).String()
		if strings.HasSuffix(s, "m0s") {
			s = strings.TrimSuffix(s, "0s")
		}
		return s
	case d >= 10*time.Second || d%time.Second == 0 && d > 0:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	case ms >= 1:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}
