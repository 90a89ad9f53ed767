package shardtest

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) shard.Store { return NewMemory() })
}

func TestFaultyWithoutFaults(t *testing.T) {
	Run(t, func(*testing.T) shard.Store { return NewFaulty(NewMemory()) })
}

func TestFaulty(t *testing.T) {
	broken := errors.New("broken")
	m := NewMemory()
	f := NewFaulty(m)
	h := Header(1, 1, 0, 1, 0, 0)

	f.FailAt(CallCommit, 0, broken)
	require.ErrorIs(t, Put(t.Context(), f, h, Frames(h, 1)), broken)
	require.Zero(t, m.Len())
	require.NoError(t, Put(t.Context(), f, h, Frames(h, 1)))

	f.Set(func(c Call, _ int, _ shard.ID) Fault { return Fault{Err: broken, After: c == CallDelete} })
	require.ErrorIs(t, f.Delete(t.Context(), []shard.ID{h.ID}), broken)
	require.Zero(t, m.Len())
	f.Heal()
	require.NoError(t, Put(t.Context(), f, h, Frames(h, 1)))

	f.Set(func(c Call, n int, _ shard.ID) Fault { return Fault{Corrupt: c == CallRead} })
	b, err := Get(t.Context(), f, h)
	require.NoError(t, err)
	require.Equal(t, 0, CheckFrames(h, b))

	f.HangOn(CallOpen)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Get(ctx, f, h)
	require.ErrorIs(t, err, context.Canceled)
	f.Heal()
	b, err = Get(t.Context(), f, h)
	require.NoError(t, err)
	require.Equal(t, -1, CheckFrames(h, b))
}
