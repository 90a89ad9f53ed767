package rafttransport

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
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
