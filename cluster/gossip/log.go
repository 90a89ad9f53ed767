package gossip

import (
	"fmt"
	"log"
	"strings"
	"sync"
	"time"
)

// What memberlist v0.7.0 writes and offers no other way to learn. Tests fail when a
// new version words it otherwise.
const (
	logSuspectPrefix = "Suspect "
	logSuspectSuffix = " has failed, no acks received"
	logStreamPrefix  = "Was able to connect to "
	logStreamSuffix  = " over TCP but UDP probes failed, network may be misconfigured"
	logOtherKey      = "no installed keys could decrypt the message"
	logNoKey         = "encryption is configured but remote state is not encrypted"
	logOtherLabel    = "with unacceptable label"
)

// wrongKeyEvery is how often at most a wrong key is reported.
const wrongKeyEvery = time.Minute

// logReader takes memberlist's log apart: some lines are events.
type logReader struct {
	members *members
	events  Events

	mu       sync.Mutex
	wrongKey time.Time // When it was reported last.
}

func newLogger(m *members, events Events) *log.Logger {
	return log.New(&logReader{members: m, events: events}, "", 0)
}

// Write takes one line; package log calls it for each message.
func (r *logReader) Write(p []byte) (int, error) {
	level, text := splitLevel(strings.TrimSpace(string(p)))
	if name, ok := between(text, logSuspectPrefix, logSuspectSuffix); ok {
		r.members.mark(name, Suspect)
	}
	if name, ok := between(text, logStreamPrefix, logStreamSuffix); ok {
		r.members.mark(name, Alive)
	}
	if strings.Contains(text, logOtherKey) || strings.Contains(text, logNoKey) || strings.Contains(text, logOtherLabel) {
		r.reportWrongKey(text)
		return len(p), nil
	}
	if r.events.Log != nil {
		r.events.Log(level, text)
	}
	return len(p), nil
}

func (r *logReader) reportWrongKey(text string) {
	if r.events.WrongKey == nil {
		return
	}
	r.mu.Lock()
	due := r.wrongKey.IsZero() || time.Since(r.wrongKey) >= wrongKeyEvery
	if due {
		r.wrongKey = time.Now()
	}
	r.mu.Unlock()
	if due {
		r.events.WrongKey(fmt.Sprintf("a peer was refused: it does not gossip with this cluster's key; "+
			"give all nodes the same cluster key file (%s)", text))
	}
}

func splitLevel(line string) (level, text string) {
	level, text = "INFO", line
	if l, rest, ok := strings.Cut(strings.TrimPrefix(line, "["), "] "); ok && strings.HasPrefix(line, "[") {
		level, text = l, rest
	}
	return level, strings.TrimPrefix(text, "memberlist: ")
}

func between(s, prefix, suffix string) (string, bool) {
	s, ok := strings.CutPrefix(s, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, suffix)
}
