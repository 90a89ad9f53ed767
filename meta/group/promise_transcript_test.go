package group

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
)

// promisingNode is the node of the scripts.
const promisingNode = cluster.NodeID(1)

// TestPromiseTranscripts plays the scripts of testdata/promises: what node 1 finds of its
// metadata and of what it promised, as which server it takes part, and what it promises
// then. Renew them with -rewrite and read the difference.
//
//	start      what it finds, a line each; what is not named is not there:
//	             own PROMISE      beside the metadata
//	             drives PROMISE   on the drives
//	             log last=N term=N era=N [cut]   cut: it has lost its end
//	             joined           it belonged to a cluster before
//	           PROMISE is number=N server=ID era=N term=N index=N [disowned]
//	newer      two lines of PROMISE: which of them is believed
func TestPromiseTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata/promises", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "start":
				return startedWith(t, strings.Split(d.Input, "\n"))
			case "newer":
				lines := strings.Split(d.Input, "\n")
				a, b := scriptPromise(t, lines[0]), scriptPromise(t, lines[1])
				require.False(t, a.newer(b) && b.newer(a))
				switch {
				case a.newer(b):
					return "the first\n"
				case b.newer(a):
					return "the second\n"
				}
				return "they are equal\n"
			}
			d.Fatalf(t, "unknown command %q", d.Cmd)
			return ""
		})
	})
}

func startedWith(t *testing.T, lines []string) string {
	f := found{empty: true}
	for _, line := range lines {
		what, rest, _ := strings.Cut(line, " ")
		switch what {
		case "":
		case "own":
			f.own, f.hasOwn = scriptPromise(t, rest), true
		case "drives":
			f.said, f.hasSaid = scriptPromise(t, rest), true
		case "joined":
			f.joined = true
		case "log":
			f.last, f.term, f.era = scriptNumber(t, rest, "last"), scriptNumber(t, rest, "term"), scriptNumber(t, rest, "era")
			f.empty = f.last == 0
			if strings.Contains(rest, "cut") {
				f.cut = errors.New("the log ends in the middle of an entry")
			}
		default:
			require.Fail(t, line)
		}
	}
	p := f.promise(promisingNode)
	var b strings.Builder
	server := p.Server
	if own := f.own.Server; incarnationOf(raft.ServerID(server)) != "" && server != own && server != f.said.Server {
		require.Equal(t, promisingNode, parseServerID(raft.ServerID(server)))
		server = "of a new incarnation" // It has a random name.
	}
	fmt.Fprintf(&b, "server %s, number %d; era %d, term %d, index %d\n", server, p.Number, p.Era, p.Term, p.Index)
	if p.Forgot != "" {
		fmt.Fprintf(&b, "this node's metadata %s\n", p.Forgot)
	}
	return b.String()
}

func scriptPromise(t *testing.T, line string) Promise {
	p := Promise{Number: scriptNumber(t, line, "number"), Era: scriptNumber(t, line, "era"),
		Term: scriptNumber(t, line, "term"), Index: scriptNumber(t, line, "index")}
	for _, w := range strings.Fields(line) {
		if id, ok := strings.CutPrefix(w, "server="); ok {
			p.Server = id
		}
		if w == "disowned" {
			p.Disowned = "disagreed with those of 2 of 3 voters"
		}
	}
	return p
}

// scriptNumber returns what stands behind key=; 0: nothing does.
func scriptNumber(t *testing.T, line, key string) (n uint64) {
	for _, w := range strings.Fields(line) {
		if text, ok := strings.CutPrefix(w, key+"="); ok {
			_, err := fmt.Sscan(text, &n)
			require.NoError(t, err, line)
		}
	}
	return n
}
