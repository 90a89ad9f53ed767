package s3api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMotto(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	require.Contains(t, w.ok(owner, "GET", "/bkt?motto", "").body, "<Text>A stone upon a stone: bkt</Text>")
	w.refused("NotImplemented", owner, "PUT", "/bkt?motto", "")
}
