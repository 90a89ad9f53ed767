package observe

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// TestLeadLost: what only the node that leads tells of the whole cluster is told by no other: it would
// be what the cluster was when that node ceased to lead.
func TestLeadLost(t *testing.T) {
	o := New(slog.New(slog.DiscardHandler))
	up := o.Upkeep()
	ofTheLeader := func() (names []string) {
		families, err := o.registry.Gather()
		require.NoError(t, err)
		for _, f := range families {
			if strings.HasSuffix(f.GetHelp(), "; on the node that leads.") {
				names = append(names, f.GetName())
			}
		}
		return names
	}
	require.Empty(t, ofTheLeader())
	up.SlotsLeft(1, 2, 3, 4)
	up.Tolerance(meta.Tolerance{})
	up.EventQueues([]*metapb.EventQueue{{Target: "t", Length: 1, OldestMs: 1}})
	told := ofTheLeader()
	for name, m := range describe(t) {
		if strings.HasSuffix(m.help, "; on the node that leads.") {
			require.Contains(t, told, name, "this test does not set it")
		}
	}
	up.LeadLost()
	require.Empty(t, ofTheLeader())
}
