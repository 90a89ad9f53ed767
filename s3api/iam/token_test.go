package iam

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// TestTokensAreBound: tokens that were changed, or belong to another session, are refused.
func TestTokensAreBound(t *testing.T) {
	w := newWorld(t)
	_, key := w.account("acme")
	caller := w.identity(key.ID, "")
	a, err := w.sts.SessionToken(t.Context(), caller, 0)
	require.NoError(t, err)
	b, err := w.sts.SessionToken(t.Context(), caller, 0)
	require.NoError(t, err)
	require.NotEqual(t, a.AccessKey, b.AccessKey)
	require.NotEqual(t, a.Secret, b.Secret)
	w.identity(a.AccessKey, a.Token)
	w.refused(errs.Denied, a.AccessKey, b.Token)
	w.refused(errs.NotFound, a.AccessKey, "")
	w.refused(errs.Denied, a.AccessKey, a.Token+"A")
	w.refused(errs.Denied, a.AccessKey, a.Token[:len(a.Token)-4])
	w.refused(errs.Denied, a.AccessKey, strings.Repeat("A", MaxTokenBytes+1))
	w.refused(errs.Denied, a.AccessKey, "not base64!")
	sealed, err := base64.RawURLEncoding.DecodeString(a.Token)
	require.NoError(t, err)
	for i := range sealed {
		sealed[i] ^= 0x10
		w.refused(errs.Denied, a.AccessKey, base64.RawURLEncoding.EncodeToString(sealed))
		sealed[i] ^= 0x10
	}
	// Sealed under our key, but in a form that this version does not know.
	odd := base64.RawURLEncoding.EncodeToString(w.keys.secret.seal(tokenLabel, a.AccessKey, []byte("[]")))
	w.refused(errs.Denied, a.AccessKey, odd)
}

// TestGoldenToken opens a token and a secret that were sealed when the format was made: nodes of
// different versions must agree on it.
func TestGoldenToken(t *testing.T) {
	k := &secretKey{testKey}
	got, err := k.openToken("ASIAGOLDEN", goldenToken)
	require.NoError(t, err)
	require.Equal(t, &token{Secret: "session-secret", Issued: 1700000000, Expires: 1700003600, Parent: "AKIAPARENT", ParentSum: []byte{1, 2, 3},
		Role: &roleToken{Account: "acme", Name: "reader", Created: 1690000000123, Session: "s1", Policy: []byte(mayAssume)}}, got)
	sealed, err := base64.RawURLEncoding.DecodeString(goldenSecret)
	require.NoError(t, err)
	secret, err := k.open(keyLabel, "AKIAGOLDEN", sealed)
	require.NoError(t, err)
	require.Equal(t, "golden-secret", string(secret))
}

const (
	goldenToken  = "AXeyvYQFb7rWgJA5sT27nnvo7VF7g6WFhJ74VtDtQcWx1-A245DOMWU1-H0cUCLZYIWaUjX_j8UsgohR-tvZCTO9D1ObyLKdweYTRAxAvWMWKLyT2t0nI0ABzjxOzR50tnKnerUymzK9GfRgohc12sbYX2px94i9oX31DP_MH_eMlVo3jxYoiUkRl0rqDuF8u_zYC-RaOQxwTvF5doAZxwSWrZ1ZnmHpWgNfD7DUZtUhlDDaxx4cEs4cH9K61hAX5GqVPASfp1vKNa9MCENjGSxlmzEJlDd-iPUmzEik2mNGxB_Et0UNEXkrCjhKa9byK8ed5V5kIaTVBmtG5kb_ajgg2aXbDBZgOGXXjrCzRQjseac"
	goldenSecret = "AeMSj0Oyd6HStU1_1seyjfxU9FnWH0I03N9x3I3cz1qhjL7zuIRfNUb62AjaMg"
)
