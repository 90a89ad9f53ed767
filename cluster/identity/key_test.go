package identity

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

// keyText is a key whose base64 differs between the alphabets.
var keyText = strings.Repeat("fbef", 16)

func testKey(t testing.TB, text string) Key {
	t.Helper()
	key, err := ParseKey(text)
	require.NoError(t, err)
	return key
}

func TestParseKeyForms(t *testing.T) {
	raw, err := hex.DecodeString(keyText)
	require.NoError(t, err)
	want := testKey(t, keyText)
	require.Equal(t, raw, want.b[:])
	for _, text := range []string{
		strings.ToUpper(keyText), "  " + keyText + "\r\n",
		base64.StdEncoding.EncodeToString(raw) + "\n", base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), "\t" + base64.RawURLEncoding.EncodeToString(raw),
	} {
		require.Equal(t, want, testKey(t, text), "%q", text)
	}
}

func TestParseKeySentences(t *testing.T) {
	const made = "; `cairn key new` makes one"
	short := base64.StdEncoding.EncodeToString(make([]byte, 31))
	for text, want := range map[string]string{
		"":                                 "the cluster key is empty" + made,
		" \n":                              "the cluster key is empty" + made,
		short:                              "the cluster key is too short: 31 bytes, not 32" + made,
		"abcd":                             "the cluster key is too short: 2 bytes, not 32" + made,
		"hello":                            "the cluster key is neither 64 hex digits nor base64 of 32 bytes" + made,
		keyText[:32] + "\n" + keyText[32:]: "the cluster key is neither 64 hex digits nor base64 of 32 bytes" + made,
		keyText[:63]:                       "the cluster key is neither 64 hex digits nor base64 of 32 bytes" + made,
		keyText + "00":                     "the cluster key is too long: 33 bytes, not 32" + made,
		"sécret":                           "the cluster key is neither 64 hex digits nor base64 of 32 bytes" + made,
	} {
		_, err := ParseKey(text)
		require.True(t, errs.Is(err, errs.Invalid))
		require.EqualError(t, err, "identity.ParseKey: invalid: "+want, "%q", text)
	}
}

func TestNewKeyText(t *testing.T) {
	a, err := NewKeyText()
	require.NoError(t, err)
	b, err := NewKeyText()
	require.NoError(t, err)
	require.NotEqual(t, a, b)
	require.Len(t, a, 64)
	testKey(t, a)
}

func TestKeyNeverPrints(t *testing.T) {
	key := testKey(t, keyText)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%t"} {
		for _, value := range []any{key, &key, struct{ K Key }{key}, []Key{key}} {
			got := fmt.Sprintf(verb, value)
			require.NotContains(t, strings.ToLower(got), "fbef", verb)
			require.NotContains(t, got, "251", verb)
		}
	}
	//lint:ignore SA9005 That nothing comes out is the point.
	text, err := json.Marshal(key)
	require.NoError(t, err)
	require.Equal(t, "{}", string(text))
}

func TestLoadKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "cluster.key")
	require.NoError(t, os.WriteFile(file, []byte(keyText+"\n"), 0o600))
	key, err := LoadKeyFile(file)
	require.NoError(t, err)
	require.Equal(t, OneKey(testKey(t, keyText)), key)

	for _, mode := range []os.FileMode{0o644, 0o640, 0o602, 0o601} {
		require.NoError(t, os.Chmod(file, mode))
		_, err = LoadKeyFile(file)
		require.True(t, errs.Is(err, errs.Invalid))
		require.ErrorContains(t, err, "run: chmod 600 "+file)
		require.ErrorContains(t, err, fmt.Sprintf("mode %04o", mode))
	}
	require.NoError(t, os.Chmod(file, 0o400))
	_, err = LoadKeyFile(file)
	require.NoError(t, err)

	_, err = LoadKeyFile(file + "x")
	require.ErrorContains(t, err, "no such file")
	_, err = LoadKeyFile(filepath.Dir(file))
	require.ErrorContains(t, err, "not a regular file")
	bad := file + ".bad"
	require.NoError(t, os.WriteFile(bad, []byte("deadbeef"), 0o600))
	_, err = LoadKeyFile(bad)
	require.ErrorContains(t, err, bad)
	require.NotContains(t, err.Error(), "deadbeef")
}

func FuzzParseKey(f *testing.F) {
	f.Add(keyText)
	f.Add("+/+/-_==")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := ParseKey(text)
		if err != nil {
			if len(text) > 8 {
				require.NotContains(t, err.Error(), text)
			}
			return
		}
		again, err := ParseKey(hex.EncodeToString(key.b[:]))
		require.NoError(t, err)
		require.Equal(t, key, again)
	})
}
