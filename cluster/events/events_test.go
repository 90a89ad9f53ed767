package events

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type inner struct {
	Ended func(took time.Duration, err error)
}

type told struct {
	Began func()
	Named func(names ...string)
	Inner inner
	Count int
}

// TestFilled: what is nil can be called and does nothing; what is set stays.
func TestFilled(t *testing.T) {
	began := 0
	e := Filled(told{Began: func() { began++ }, Count: 7})
	e.Began()
	e.Named("a", "b")
	e.Inner.Ended(time.Second, nil)
	require.Equal(t, 1, began)
	require.Equal(t, 7, e.Count)

	var zero told
	Filled(zero).Began()
	require.Nil(t, zero.Began, "the caller's is left alone")
}
