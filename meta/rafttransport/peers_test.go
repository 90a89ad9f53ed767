package rafttransport

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/files"
)

// TestPeersAreStoredAgain: notes that could not be written are written the next time, though
// nothing was noted since.
func TestPeersAreStoredAgain(t *testing.T) {
	mem := vfs.NewMem()
	fails := true
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if fails && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return errorfs.ErrInjected
		}
		return nil
	}))
	p := OpenPeers(fs, "", nil)
	p.Applied("2", 15)
	require.ErrorIs(t, p.Store(fs, ""), errorfs.ErrInjected)
	fails = false
	require.NoError(t, p.Store(fs, ""))
	require.Equal(t, uint64(15), OpenPeers(mem, "", nil).Known("2"))
	require.Error(t, p.check("2", 14), "nobody needs to be told")
}

// TestPeersOfAnotherForm: a file that says something else, or only in part what it should,
// says nothing, and what is learned is noted as ever.
func TestPeersOfAnotherForm(t *testing.T) {
	for _, body := range []string{`{"2":15,"3":"x"}`, `{"2":-1}`, `{"2":15`, `[15]`, `null`, ``} {
		fs := vfs.NewMem()
		require.NoError(t, files.Replace(fs, "", peersName, files.WithSum([]byte(body))))
		p := OpenPeers(fs, "", nil)
		require.Zero(t, p.Known("2"), body)
		p.Applied("2", 15)
		require.Equal(t, uint64(15), p.Known("2"), body)
	}
}

// TestShortLogIsToldOnce: a log that is too short is told once for each length, and again
// where it was whole in between.
func TestShortLogIsToldOnce(t *testing.T) {
	var told []uint64
	p := OpenPeers(vfs.NewMem(), "", func(_ raft.ServerID, _, shown uint64) { told = append(told, shown) })
	p.Applied("2", 15)
	for _, last := range []uint64{14, 14, 13, 13, 15, 13, 16, 13, 13} {
		require.Equal(t, last < 15, p.check("2", last) != nil, "%d", last)
	}
	require.Equal(t, []uint64{14, 13, 13, 13}, told)
}

// TestStandingOf: a field that does not say where a log ends says nothing.
func TestStandingOf(t *testing.T) {
	whole := appendStanding(15)
	last, told := standingOf(whole)
	require.True(t, told)
	require.Equal(t, uint64(15), last)
	for n := range whole {
		_, told := standingOf(whole[:n])
		require.False(t, told, "%d bytes", n)
	}
	for _, other := range [][]byte{append(whole, 0), []byte("127.0.0.1:70"), []byte("not 12345678")} {
		_, told := standingOf(other)
		require.False(t, told, "%q", other)
	}
}
