package bucket

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// metadata is metadata of one replica: the state machine without Raft.
type metadata struct {
	t     testing.TB
	state *state.State
	index atomic.Uint64
	mu    sync.Mutex // Held while a command is applied.
}

var testSession = []byte("0123456789abcdef")

func newMetadata(t testing.TB) *metadata {
	t.Helper()
	st, err := state.Open(state.Options{FS: vfs.NewMem(), Dir: "meta", CacheBytes: 1 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	c := &metadata{t: t, state: st}
	_, err = c.Propose(t.Context(), &metapb.Command{Op: &metapb.Command_OpenSession{
		OpenSession: &metapb.OpenSession{Node: 1, Session: testSession}}})
	require.NoError(t, err)
	return c
}

// Propose implements meta.Client.
func (c *metadata) Propose(_ context.Context, cmd *metapb.Command) (*metapb.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	index := c.index.Add(1)
	cmd = proto.CloneOf(cmd)
	cmd.Session, cmd.Seq, cmd.Floor = testSession, index, index
	b, err := proto.Marshal(cmd)
	if err != nil {
		return nil, err
	}
	results, err := c.state.Apply([]state.Entry{{Index: index, Term: 1, Command: b}})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

// Read implements meta.Client.
func (c *metadata) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	return c.state.Query(q)
}
