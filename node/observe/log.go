package observe

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Log is a node's log. Its level can be changed while the node runs, and its newest lines are kept
// in memory. It is safe for concurrent use.
type Log struct {
	*slog.Logger

	level  slog.LevelVar
	newest newest

	mu         sync.Mutex
	configured slog.Level
	fallback   *time.Timer // Sets the configured level again; nil: the level stays as it is.
	until      time.Time
}

// NewLog returns a log with this level (debug, info, warn, error) and format (text, json). The
// caller must call Close.
func NewLog(w io.Writer, level, format string) (*Log, error) {
	l := &Log{newest: newest{max: newestLines}}
	if err := l.configured.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q: %w", level, err)
	}
	l.level.Set(l.configured)
	opts := &slog.HandlerOptions{Level: &l.level}
	out := io.MultiWriter(w, &l.newest)
	if format == "json" {
		l.Logger = slog.New(slog.NewJSONHandler(out, opts))
	} else {
		l.Logger = slog.New(slog.NewTextHandler(out, opts))
	}
	return l, nil
}

// levels are the names of levels.
var levels = []string{"debug", "info", "warn", "error"}

// SetLevel changes the level; an empty one means that of the settings. If d is not 0, the level of
// the settings comes back after d. Errors: Invalid.
func (l *Log) SetLevel(level string, d time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	to := l.configured
	if level != "" {
		if err := to.UnmarshalText([]byte(level)); err != nil || !slices.Contains(levels, level) {
			return errs.Newf("observe.SetLevel", errs.Invalid, "%q is no log level: debug, info, warn or error", level)
		}
	}
	l.stopLocked()
	l.level.Set(to)
	if d > 0 && to != l.configured {
		l.until = time.Now().Add(d)
		l.fallback = time.AfterFunc(d, func() { _ = l.SetLevel("", 0) })
	}
	return nil
}

// Configure changes the level of the settings. A level that SetLevel has set stays as it is. Errors: Invalid.
func (l *Log) Configure(level string) error {
	var to slog.Level
	if err := to.UnmarshalText([]byte(level)); err != nil || !slices.Contains(levels, level) {
		return errs.Newf("observe.Configure", errs.Invalid, "%q is no log level: debug, info, warn or error", level)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.level.Level() == l.configured {
		l.level.Set(to)
	}
	l.configured = to
	return nil
}

// Level returns the level, that of the settings, and when the latter comes back; zero if it does
// not.
func (l *Log) Level() (now, configured string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return levelName(l.level.Level()), levelName(l.configured), l.until
}

// Newest returns the newest lines, at most max of them, oldest first.
func (l *Log) Newest(max int) []string { return l.newest.lines(max) }

// Close stops the timer that would change the level.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopLocked()
}

func (l *Log) stopLocked() {
	if l.fallback != nil {
		l.fallback.Stop()
		l.fallback, l.until = nil, time.Time{}
	}
}

func levelName(l slog.Level) string { return strings.ToLower(l.String()) }

// Limits of the lines in memory.
const (
	newestLines    = 2000
	newestMaxBytes = 2 << 10 // Of a line; what is longer is cut off.
)

// newest is a ring of lines. Each Write is one line, because slog's handlers write so.
type newest struct {
	max int

	mu   sync.Mutex
	ring []string
	next int // Where the next line goes once the ring is full.
}

// Write implements io.Writer.
func (n *newest) Write(p []byte) (int, error) {
	line := strings.TrimRight(string(p[:min(len(p), newestMaxBytes)]), "\n")
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.ring) < n.max {
		n.ring = append(n.ring, line)
		return len(p), nil
	}
	n.ring[n.next] = line
	n.next = (n.next + 1) % n.max
	return len(p), nil
}

func (n *newest) lines(max int) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := append(append([]string(nil), n.ring[n.next:]...), n.ring[:n.next]...)
	return all[len(all)-min(max, len(all)):]
}
