package kms

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// sameRoot reports whether one opens what the other seals.
func sameRoot(a, b *RootKey) bool {
	_, err := b.open(a.newVersion("k", 1), "k", 1)
	return err == nil
}

func TestParseRootKey(t *testing.T) {
	raw := bytes.Repeat([]byte{0xfb, 0xff}, 16)
	want := newRootKey(bytes.Clone(raw))
	for _, text := range []string{
		hex.EncodeToString(raw), "  " + hex.EncodeToString(raw) + "\n", base64.StdEncoding.EncodeToString(raw),
		base64.RawStdEncoding.EncodeToString(raw), base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	} {
		got, err := ParseRootKey(text)
		require.NoError(t, err)
		require.True(t, sameRoot(want, got))
	}
	for _, text := range []string{
		"", "abc", hex.EncodeToString(raw[:31]), hex.EncodeToString(raw) + "00", base64.StdEncoding.EncodeToString(raw[:16]),
		hex.EncodeToString(raw)[:63] + "g", base64.StdEncoding.EncodeToString(raw)[:20] + "\n" + base64.StdEncoding.EncodeToString(raw)[20:],
	} {
		_, err := ParseRootKey(text)
		require.Equal(t, errs.Invalid, errs.KindOf(err), "%q", text)
	}
}

func TestLoadRootKey(t *testing.T) {
	dir := t.TempDir()
	text := hex.EncodeToString(bytes.Repeat([]byte{7}, 32))
	write := func(name, text string, mode os.FileMode) string {
		name = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(name, []byte(text), mode))
		require.NoError(t, os.Chmod(name, mode))
		return name
	}
	got, err := LoadRootKey(write("good", text+"\n", 0o600))
	require.NoError(t, err)
	require.True(t, sameRoot(newRootKey(bytes.Repeat([]byte{7}, 32)), got))
	for want, name := range map[string]string{
		"chmod 600":     write("open", text, 0o640),
		"not a regular": dir,
		"no such file":  filepath.Join(dir, "none"),
		"64 hex digits": write("bad", "x", 0o600),
	} {
		_, err := LoadRootKey(name)
		require.Equal(t, errs.Invalid, errs.KindOf(err))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), text)
	}
}

func TestDeriveRootKey(t *testing.T) {
	secret := bytes.Repeat([]byte{1}, 32)
	a := DeriveRootKey(secret)
	require.Equal(t, bytes.Repeat([]byte{1}, 32), secret, "the secret is the caller's")
	require.True(t, sameRoot(a, DeriveRootKey(secret)))
	require.False(t, sameRoot(a, DeriveRootKey(bytes.Repeat([]byte{2}, 32))))
	require.False(t, sameRoot(a, newRootKey(bytes.Clone(secret))), "the cluster key itself is not the root key")
	require.Panics(t, func() { DeriveRootKey(secret[:31]) })
}

func TestRootKeyIsNotPrinted(t *testing.T) {
	r := testRoot('A')
	for _, v := range []any{r, *r, struct{ R *RootKey }{r}, struct{ R RootKey }{*r}, Config{Root: r}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			got := fmt.Sprintf(verb, v)
			for _, secret := range []string{"ABCD", "414243", "65 66", "0x41"} {
				require.NotContains(t, got, secret, "%s of %T", verb, v)
			}
		}
	}
	text, err := json.Marshal(map[string]any{"p": r, "v": *r})
	require.NoError(t, err)
	require.JSONEq(t, `{"p":"kms.RootKey(redacted)","v":"kms.RootKey(redacted)"}`, string(text))
}
