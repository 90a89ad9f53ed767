package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The ledger tells if a cluster has lost or invented versions.
func TestLedger(t *testing.T) {
	l := newLedger()
	for _, v := range []string{"a", "b", "c"} {
		l.tries(v)
	}
	one, two := "v1", "v2"
	l.made(&one, "a")
	l.made(&two, "")
	l.made(nil, "b")

	require.Empty(t, l.contradicts("v1", "a"))
	require.Empty(t, l.contradicts("v3", "c"), "written, its outcome not told")
	require.Len(t, l.contradicts("v1", "c"), 1, "another value than acknowledged")
	require.Len(t, l.contradicts("v4", "x"), 1, "a value that nobody wrote")

	whole := map[string]bool{"v1": true, "v2": true}
	require.Empty(t, l.lost(whole, map[string]string{"a": "v1", "b": "v3"}))
	require.Len(t, l.lost(whole, map[string]string{"a": "v1"}), 1, "a value without a version")
	require.Len(t, l.lost(map[string]bool{"v1": true}, map[string]string{"a": "v1", "b": "v3"}), 1, "a lost delete marker")

	l.ended("")
	before := l.counts()
	l.ended("timeout")
	l.ended("")
	require.Equal(t, 1, l.counts().minus(before).failed)
	require.Equal(t, 1, l.counts().minus(before).answered)
	require.Equal(t, 3, l.counts().versions)
}
