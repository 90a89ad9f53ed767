package group

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// logger hands the lines that Raft logs to Events.Log.
type logger struct {
	events Events
	args   []any // What With has added: keys and values in turn.
}

var _ hclog.Logger = (*logger)(nil)

// write makes one line of a message and its keys and values.
func (l *logger) write(level Level, msg string, args []any) {
	var b strings.Builder
	b.WriteString(msg)
	for _, list := range [][]any{l.args, args} {
		for i := 0; i+1 < len(list); i += 2 {
			value := list[i+1]
			if f, ok := value.(hclog.Format); ok && len(f) > 0 {
				format, _ := f[0].(string)
				value = fmt.Sprintf(format, f[1:]...)
			}
			fmt.Fprintf(&b, " %v=%v", list[i], value)
		}
	}
	l.events.Log(level, b.String())
}

// Log implements hclog.Logger.
func (l *logger) Log(level hclog.Level, msg string, args ...any) {
	switch level {
	case hclog.Error:
		l.write(LevelError, msg, args)
	case hclog.Warn:
		l.write(LevelWarn, msg, args)
	case hclog.Info:
		l.write(LevelInfo, msg, args)
	default:
		l.write(LevelDebug, msg, args)
	}
}

// Trace implements hclog.Logger.
func (l *logger) Trace(string, ...any) {}

// Debug implements hclog.Logger.
func (l *logger) Debug(msg string, args ...any) { l.write(LevelDebug, msg, args) }

// Info implements hclog.Logger.
func (l *logger) Info(msg string, args ...any) { l.write(LevelInfo, msg, args) }

// Warn implements hclog.Logger.
func (l *logger) Warn(msg string, args ...any) { l.write(LevelWarn, msg, args) }

// Error implements hclog.Logger. Two things that Raft takes for errors are none: there is
// nothing new for a snapshot, and a connection ends that this node has closed itself.
func (l *logger) Error(msg string, args ...any) {
	expected := func(arg any) bool {
		err, is := arg.(error)
		return is && (errors.Is(err, raft.ErrNothingNewToSnapshot) || errors.Is(err, net.ErrClosed))
	}
	if slices.ContainsFunc(args, expected) {
		l.write(LevelDebug, msg, args)
		return
	}
	l.write(LevelError, msg, args)
}

// IsTrace implements hclog.Logger.
func (l *logger) IsTrace() bool { return false }

// IsDebug implements hclog.Logger.
func (l *logger) IsDebug() bool { return true }

// IsInfo implements hclog.Logger.
func (l *logger) IsInfo() bool { return true }

// IsWarn implements hclog.Logger.
func (l *logger) IsWarn() bool { return true }

// IsError implements hclog.Logger.
func (l *logger) IsError() bool { return true }

// ImpliedArgs implements hclog.Logger.
func (l *logger) ImpliedArgs() []any { return l.args }

// With implements hclog.Logger.
func (l *logger) With(args ...any) hclog.Logger {
	return &logger{events: l.events, args: append(l.args[:len(l.args):len(l.args)], args...)}
}

// Name implements hclog.Logger.
func (l *logger) Name() string { return "raft" }

// Named implements hclog.Logger.
func (l *logger) Named(string) hclog.Logger { return l }

// ResetNamed implements hclog.Logger.
func (l *logger) ResetNamed(string) hclog.Logger { return l }

// SetLevel implements hclog.Logger.
func (l *logger) SetLevel(hclog.Level) {}

// GetLevel implements hclog.Logger.
func (l *logger) GetLevel() hclog.Level { return hclog.Debug }

// StandardLogger implements hclog.Logger.
func (l *logger) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return log.New(io.Discard, "", 0)
}

// StandardWriter implements hclog.Logger.
func (l *logger) StandardWriter(*hclog.StandardLoggerOptions) io.Writer { return io.Discard }
