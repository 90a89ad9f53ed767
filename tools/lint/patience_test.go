package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHasty(t *testing.T) {
	root := t.TempDir()
	text := `package a

func Test() {
	require.Eventually(t, ok, time.Minute, time.Millisecond)
	assert.EventuallyWithT(t, func(*assert.CollectT) {}, 20*time.Second, tick, "why")
	require.Eventually(t, ok, 5*time.Minute, time.Second)
	require.Eventually(t, ok, patience, time.Second)
	clock.Wait(t, ok, time.Second, time.Second)
}
`
	require.NoError(t, os.WriteFile(filepath.Join(root, "a_test.go"), []byte(text), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "a.go"), []byte(text), 0o644)) // It is not a test.
	breaches, err := hasty(root)
	require.NoError(t, err)
	require.Len(t, breaches, 2)
	require.True(t, strings.HasSuffix(strings.SplitN(breaches[0], ": ", 2)[0], "a_test.go:4"), breaches[0])
	require.Contains(t, breaches[0], "gives up after 1m0s")
	require.Contains(t, breaches[1], "a_test.go:5: gives up after 20s")
}
