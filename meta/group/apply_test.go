package group

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/meta/state"
)

// applying is a state of which a test decides what applying entries comes to.
type applying struct {
	stateMachine
	apply func([]state.Entry) ([]*metapb.Result, error)
}

func (s applying) Apply(entries []state.Entry) ([]*metapb.Result, error) { return s.apply(entries) }

// TestApplyThatFails: where entries cannot be applied, or not all of them have a result, the
// process ends with the reason, every command is answered with it, and nothing more is
// applied and no snapshot taken until then: the state lacks entries.
func TestApplyThatFails(t *testing.T) {
	for name, tc := range map[string]struct {
		results int
		err     error
		want    string
	}{
		"it fails":                       {0, errors.New("the disk is gone"), "the disk is gone"},
		"a record is bad":                {0, record.Corrupt("no cluster"), mendIt},
		"a result is missing":            {1, nil, "1 results of 2 entries"},
		"there are more than were asked": {3, nil, "3 results of 2 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			d, err := openDiskOf(vfs.NewMem(), func(fs vfs.FS, dir string) (stateMachine, error) {
				s, err := openFakeState(new(atomic.Int64))(fs, dir)
				return applying{s, func([]state.Entry) ([]*metapb.Result, error) {
					calls++
					return make([]*metapb.Result, tc.results), tc.err
				}}, err
			})
			require.NoError(t, err)
			var fatal []error
			d.fsm.events.Fatal = func(err error) { fatal = append(fatal, err) }
			logs := []*raft.Log{{Index: 1, Term: 1, Type: raft.LogCommand}, {Index: 2, Term: 1, Type: raft.LogCommand}}
			for range 2 {
				for _, r := range d.fsm.ApplyBatch(logs) {
					err, failed := r.(error)
					require.True(t, failed, "%v", r)
					require.ErrorContains(t, err, tc.want)
				}
			}
			require.Equal(t, 1, calls)
			require.Len(t, fatal, 1)
			require.ErrorContains(t, fatal[0], tc.want)
			_, err = d.fsm.Snapshot()
			require.ErrorContains(t, err, tc.want)
			require.NoError(t, d.close())
		})
	}
}
