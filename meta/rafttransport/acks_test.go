package rafttransport

import (
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// An answer counts from the moment on that its request was sent at, not from that on which it came at.
func TestOldAnswersDoNotConfirm(t *testing.T) {
	a := newAcks()
	sent := a.now() // A heartbeat leaves,
	since := a.tick()
	a.add("b", 3, sent) // and its answer arrives after the read.
	done := make(chan struct{})
	close(done)
	require.False(t, a.wait(done, []raft.ServerID{"b"}, 1, 3, since))
	a.add("b", 2, a.now()) // An answer of an older term counts for nothing.
	require.False(t, a.wait(done, []raft.ServerID{"b"}, 1, 3, since))
	a.add("b", 3, a.now())
	require.True(t, a.wait(done, []raft.ServerID{"b"}, 1, 3, since))
	require.False(t, a.wait(done, []raft.ServerID{"b", "c"}, 2, 3, since))
}
