package errs

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// The numbers cross the wire: this table only ever grows.
func TestKindNumbersArePinned(t *testing.T) {
	for n, k := range []Kind{Internal, Invalid, Denied, NotFound, Exists, Precondition,
		Corrupt, Unavailable, Overloaded, NoSpace, Canceled, Unknown, Expired} {
		require.Equal(t, n, int(k))
		require.NotContains(t, k.String(), "kind(")
	}
	require.Equal(t, "kind(99)", Kind(99).String())
}

func TestKindOf(t *testing.T) {
	cause := errors.New("disk on fire")
	inner := New("drive.Open", Corrupt, cause)
	for _, c := range []struct {
		err  error
		want Kind
	}{
		{cause, Internal},
		{inner, Corrupt},
		{fmt.Errorf("reading: %w", inner), Corrupt},
		{Wrap("stripe.Read", inner), Corrupt},
		{New("stripe.Read", Unavailable, inner), Unavailable}, // The outermost decides.
		{context.Canceled, Canceled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), Canceled},
		{New("op", NotFound, context.Canceled), NotFound},
	} {
		require.Equal(t, c.want, KindOf(c.err), "%v", c.err)
		require.True(t, Is(c.err, c.want))
	}
	require.ErrorIs(t, Wrap("a", inner), cause)
	require.False(t, Is(nil, Internal))
	require.NoError(t, Wrap("a", nil))
	require.Equal(t, "drive.Open: corrupt: disk on fire", inner.Error())
	require.Equal(t, "op: denied", New("op", Denied, nil).Error())
	require.Equal(t, "op: invalid: n = 3", Newf("op", Invalid, "n = %d", 3).Error())
}

func TestSentence(t *testing.T) {
	cause := errors.New("disk on fire")
	inner := New("drive.Open", Corrupt, cause)
	for _, c := range []struct {
		err  error
		want string
	}{
		{cause, "disk on fire"},
		{inner, "disk on fire"},
		{Wrap("node.Open", inner), "disk on fire"},
		{New("op", Denied, nil), "op: denied"},
		{fmt.Errorf("drive 2: %w", inner), "drive 2: disk on fire"},
	} {
		require.Equal(t, c.want, Sentence(c.err))
	}
}
