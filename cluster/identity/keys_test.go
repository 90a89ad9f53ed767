package identity

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
)

func TestParseKeys(t *testing.T) {
	a, b := testKey(t, keyText), testKey(t, otherText)
	for _, c := range []struct {
		what, text, refused string
		want                Keys
	}{
		{what: "one", text: keyText + "\n", want: OneKey(a)},
		{what: "comments", text: "# of 2026\n\n" + keyText, want: OneKey(a)},
		{what: "both accepted", text: keyText + "\n" + otherText + "\nseal " + keyText, want: Keys{Sign: a, Accept: []Key{a, b}, Seal: a}},
		{what: "the new one signs", text: otherText + "\n" + keyText + "\nseal " + keyText, want: Keys{Sign: b, Accept: []Key{b, a}, Seal: a}},
		{what: "the old one only seals", text: otherText + "\nseal " + keyText, want: Keys{Sign: b, Accept: []Key{b}, Seal: a}},
		{what: "no seal", text: keyText + "\n" + otherText, refused: "seal KEY"},
		{what: "two seals", text: keyText + "\nseal " + otherText + "\nseal " + keyText, refused: "under one key"},
		{what: "three", text: keyText + "\n" + keyText + "\n" + otherText + "\nseal " + keyText, refused: "at most 2"},
		{what: "none", text: "# nothing\n", refused: "the cluster key is empty"},
		{what: "only a seal", text: "seal " + keyText, refused: "the cluster key is empty"},
		{what: "no key", text: keyText + "\nxyz\n", refused: "neither 64 hex digits"},
	} {
		got, err := ParseKeys(c.text)
		if c.refused != "" {
			require.ErrorContains(t, err, c.refused, c.what)
			require.NotContains(t, err.Error(), keyText)
			continue
		}
		require.NoError(t, err, c.what)
		require.Equal(t, c.want, got, c.what)
	}
}

// TestRotation has nodes one step apart shake hands, both ways, and nodes two steps
// apart refuse each other where the old key is not accepted any more.
func TestRotation(t *testing.T) {
	a, b := testKey(t, keyText), testKey(t, otherText)
	steps := []Keys{OneKey(a), {Sign: a, Accept: []Key{a, b}, Seal: a}, {Sign: b, Accept: []Key{b, a}, Seal: a}, {Sign: b, Accept: []Key{b}, Seal: a}}
	ids := make([]*Identity, len(steps))
	for i, k := range steps {
		var err error
		ids[i], err = NewRotating(k, cluster.NodeID(i+1), CertLife)
		require.NoError(t, err)
		require.Equal(t, ids[0].Secret("x"), ids[i].Secret("x"), "what is sealed stays readable")
	}
	for i := range ids {
		for j := range ids {
			_, _, serverErr, clientErr := shake(ids[i].ServerTLS(), ids[j].ClientTLS())
			if i-j <= 1 && j-i <= 1 {
				require.NoError(t, serverErr, "%d and %d", i, j)
				require.NoError(t, clientErr, "%d and %d", i, j)
			} else if i+j == 3 { // The first and the last.
				require.Error(t, serverErr, "%d and %d", i, j)
			}
		}
	}
}
