package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/cairnstore/cairn/meta/check"
	"github.com/cairnstore/cairn/meta/metapb"
)

// TestTranscripts plays the scripts of testdata/transcripts: commands as text, and below
// each what Apply answered and which records it changed, as Dump shows them. Renew them
// with -rewrite and read the difference.
//
//	cluster volumes=1 slots=3      begins anew: a node, its drives, volumes of 2+1, leases
//	apply [seq=N] [time=MS]        a command as prototext; seq repeats one that was proposed
//	query                          a query as prototext, and its answer
//	restart [crash]                closes and opens the state; or loses power, and replays the log
//	check                          whether the records agree with each other
//
// Records of Applied, of sessions and of results change with each command and are left out.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/transcripts", func(t *testing.T, path string) {
		s := &script{t: t}
		defer func() { s.m.close() }()
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	t    *testing.T
	m    *machine
	c    *client
	last string // Dump after the last command.
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "cluster":
		return s.cluster(d)
	case "apply":
		return s.apply(d)
	case "query":
		var q metapb.Query
		if err := prototext.Unmarshal([]byte(d.Input), &q); err != nil {
			d.Fatalf(t, "%v", err)
		}
		return strings.TrimSpace(check.Format(s.m.query(&q).ProtoReflect())) + "\n"
	case "restart":
		if d.HasArg("crash") {
			s.m.crash(1, 0)
			s.m.catchUp()
		} else {
			s.m.close()
			s.m.open()
		}
		return s.changes()
	case "check":
		require.NoError(t, s.m.s.Check())
		return "ok\n"
	}
	d.Fatalf(t, "unknown command %q", d.Cmd)
	return ""
}

func (s *script) cluster(d *datadriven.TestData) string {
	volumes := 1
	d.MaybeScanArgs(s.t, "volumes", &volumes)
	if s.m != nil {
		s.m.close()
	}
	s.m = newMachine(s.t, nil)
	s.c = newClient(s.t, s.m, volumes, 2, 1)
	s.last = ""
	return s.changes()
}

func (s *script) apply(d *datadriven.TestData) string {
	cmd := new(metapb.Command)
	if err := prototext.Unmarshal([]byte(d.Input), cmd); err != nil {
		d.Fatalf(s.t, "%v", err)
	}
	if d.HasArg("time") {
		d.ScanArgs(s.t, "time", &cmd.TimeMs)
	}
	s.c.stamp(cmd)
	if d.HasArg("seq") {
		d.ScanArgs(s.t, "seq", &cmd.Seq)
		cmd.Floor = 1
	}
	r := s.m.apply(cmd)
	r.Index, r.ConfigRevision = 0, 0
	answer := strings.TrimSpace(check.Format(r.ProtoReflect()))
	if answer == "" {
		answer = "ok"
	}
	return fmt.Sprintf("seq %d: %s\n%s", cmd.Seq, answer, s.changes())
}

// changes returns the records that went (-) and came (+) since it was called last.
func (s *script) changes() string {
	now := s.m.dump()
	before, after := recordsOf(s.last), recordsOf(now)
	s.last = now
	var b strings.Builder
	for _, line := range before {
		if !slices.Contains(after, line) {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			fmt.Fprintf(&b, "+ %s\n", line)
		}
	}
	if b.Len() == 0 {
		return "no record changed\n"
	}
	return b.String()
}

func recordsOf(dump string) []string {
	return slices.DeleteFunc(strings.Split(strings.TrimSpace(dump), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "a:") || strings.HasPrefix(line, "s ") || strings.HasPrefix(line, "t ")
	})
}
