package group

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
)

// TestClockTranscripts plays the scripts of testdata/clocks: a node whose clock may be
// wrong, and the commands that it asks for or, as the leader, is asked for. Renew them with
// -rewrite and read the difference.
//
//	clock limit=D    begins anew; D is how far clocks may differ
//	do               a line each:
//	                   jump D          the node's clock is set forward, or back
//	                   compared D      it was compared: it is D ahead of most others
//	                   ask             whether the node asks for commands
//	                   lead D|untimed  whether it takes, as the leader, a command of a node whose
//	                                   clock is D ahead of the true time, or one without a time
func TestClockTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/clocks", func(t *testing.T, path string) {
		var c *Clock
		var off time.Duration
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "clock":
				var limit string
				d.ScanArgs(t, "limit", &limit)
				off = 0
				c = NewClock(func() time.Time { return time.Now().Add(off) }, scriptDuration(t, limit))
				return "ok\n"
			case "do":
				var b strings.Builder
				for line := range strings.SplitSeq(d.Input, "\n") {
					what, arg, _ := strings.Cut(line, " ")
					if what == "jump" {
						off += scriptDuration(t, arg)
					}
					fmt.Fprintf(&b, "%s: %s\n", line, withClock(t, c, what, arg))
				}
				return b.String()
			}
			d.Fatalf(t, "unknown command %q", d.Cmd)
			return ""
		})
	})
}

func withClock(t *testing.T, c *Clock, what, arg string) string {
	switch what {
	case "jump":
	case "compared":
		c.Compared(scriptDuration(t, arg))
	case "ask":
		if err := c.Suspect(); err != nil {
			return err.Error()
		}
	case "lead":
		cmd := &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{}}}
		if arg != "untimed" {
			cmd.TimeMs = time.Now().Add(scriptDuration(t, arg)).UnixMilli()
		}
		data, err := proto.Marshal(cmd)
		require.NoError(t, err)
		// The order in which judgeTimes asks.
		if _, timed := timeOf(data); timed {
			if err := c.Check(); err != nil {
				return err.Error()
			}
		}
		if why := c.refuses(data); why != "" {
			return "refused: " + why
		}
	default:
		require.Fail(t, what)
	}
	return "ok"
}

func scriptDuration(t *testing.T, text string) time.Duration {
	d, err := time.ParseDuration(text)
	require.NoError(t, err)
	return d
}
