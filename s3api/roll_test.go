package s3api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRoll(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	require.Contains(t, w.ok(owner, "GET", "/bkt?roll", "").body, "<Bucket>bkt</Bucket>")
	w.refused("NoSuchBucket", owner, "GET", "/none?roll", "")
	w.refused("AccessDenied", nil, "GET", "/bkt?roll", "")
}
