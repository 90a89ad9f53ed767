package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// screen shows one text after another: in place on a terminal, one below the other
// elsewhere.
type screen struct {
	out   io.Writer
	tty   *os.File // Nil: it is no terminal.
	shown bool
}

// What terminals understand (ECMA-48 and xterm).
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // Another buffer, without cursor.
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	goHome      = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

func newScreen(out io.Writer) *screen {
	s := &screen{out: out}
	if f, ok := out.(*os.File); ok && isTerminalFile(f) {
		s.tty = f
	}
	return s
}

// show shows a text in place of the one before.
func (s *screen) show(text string) error {
	var b strings.Builder
	switch {
	case s.tty == nil && s.shown:
		b.WriteString("\n" + text)
	case s.tty == nil:
		b.WriteString(text)
	default:
		if !s.shown {
			b.WriteString(enterScreen)
		}
		width, height := terminalSize(s.tty)
		b.WriteString(goHome)
		for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			if i == height {
				break
			}
			if i > 0 {
				b.WriteString("\r\n")
			}
			b.WriteString(cut(line, width) + clearLine)
		}
		b.WriteString(clearBelow)
	}
	s.shown = true
	_, err := io.WriteString(s.out, b.String())
	return err
}

// close leaves the terminal as it was.
func (s *screen) close() {
	if s.tty != nil && s.shown {
		_, _ = io.WriteString(s.out, leaveScreen)
	}
}

// cut returns as much of a line as is width characters wide.
func cut(line string, width int) string {
	runes := []rune(line)
	return string(runes[:min(len(runes), width)])
}

// Size of a terminal that does not tell its own.
const (
	usualWidth  = 80
	usualHeight = 24
)

func terminalSize(f *os.File) (width, height int) {
	w, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || w.Col == 0 || w.Row == 0 {
		return usualWidth, usualHeight
	}
	return int(w.Col), int(w.Row)
}

// every calls draw again and again until ctx ends, and shows what it writes. If draw fails the
// first time, every ends. A later failure is shown, and returned when ctx ends: a node that
// restarts does not end the watching.
func every(ctx context.Context, out io.Writer, pause time.Duration, draw func(context.Context, io.Writer) error) error {
	s := newScreen(out)
	defer s.close()
	var last error
	for {
		var b bytes.Buffer
		err := draw(ctx, &b)
		switch {
		case ctx.Err() != nil:
			return last
		case err != nil && !s.shown:
			return err
		case err != nil:
			fmt.Fprintf(&b, "%s  %v\n", time.Now().Format(time.TimeOnly), err)
		}
		last = err
		if err := s.show(b.String()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return last
		case <-time.After(pause):
		}
	}
}

// barWidth is that of bars in tables.
const barWidth = 20

// bar draws a share of a whole, as [####----].
func bar(part, whole uint64) string {
	filled := 0
	if whole > 0 {
		filled = int(float64(barWidth)*float64(min(part, whole))/float64(whole) + 0.5)
	}
	return "[" + strings.Repeat("#", filled) + strings.Repeat("-", barWidth-filled) + "]"
}

// percent returns a share in percent; empty where there is no whole.
func percent(part, whole uint64) string {
	if whole == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f%%", 100*float64(part)/float64(whole))
}

// span returns a duration as people say it, in its two greatest units.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	days, hours, minutes, seconds := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60, int(d/time.Second)%60
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, hours)
	case hours > 0:
		return fmt.Sprintf("%dh%dm", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%dm%ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}
