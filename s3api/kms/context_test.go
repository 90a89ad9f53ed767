package kms

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
)

func TestParseContext(t *testing.T) {
	header := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for text, want := range map[string]string{
		`{"b":"2","a":"1"}`:                 `{"a":"1","b":"2"}`,
		" {\n\"a\" :\t\"1\" } ":             `{"a":"1"}`,
		`{"a":"<&>","é":"\u00e9\n"}`:        `{"a":"<&>","é":"é\n"}`,
		`{"aws:s3:arn":"arn:aws:s3:::b/k"}`: `{"aws:s3:arn":"arn:aws:s3:::b/k"}`,
		`{"":""}`:                           `{"":""}`,
		`{"Z":"1","a":"2","A":"3"}`:         `{"A":"3","Z":"1","a":"2"}`,
	} {
		got, err := ParseContext(header(text))
		require.NoError(t, err, text)
		require.Equal(t, want, string(got))
		again, err := ParseContext(base64.StdEncoding.EncodeToString(got))
		require.NoError(t, err)
		require.Equal(t, got, again, "canonical is canonical")
	}
	for _, none := range []string{"", header("{}"), header(" { } ")} {
		got, err := ParseContext(none)
		require.NoError(t, err)
		require.Nil(t, got)
	}
	for name, h := range map[string]string{
		"not base64":       "{}",
		"line break":       header(`{"a":"1"}`)[:4] + "\n" + header(`{"a":"1"}`)[4:] + "!",
		"no padding":       strings.TrimRight(header(`{"a":"1"}`), "=") + "*",
		"array":            header(`["a"]`),
		"number":           header(`{"a":1}`),
		"nested":           header(`{"a":{"b":"c"}}`),
		"null":             header(`{"a":null}`),
		"null alone":       header(`null`),
		"bool":             header(`{"a":true}`),
		"a name twice":     header(`{"a":"1","a":"1"}`),
		"same name spelt":  header(`{"a":"1","\u0061":"2"}`),
		"cut off":          header(`{"a":"1"`),
		"no value":         header(`{"a":}`),
		"trailing":         header(`{"a":"1"}x`),
		"two objects":      header(`{"a":"1"}{}`),
		"not UTF-8":        header("{\"a\":\"\xff\"}"),
		"too long":         header(`{"a":"` + strings.Repeat("x", ContextMaxBytes) + `"}`),
		"long when stored": header(`{"a":"` + strings.Repeat("\u2028", 1900) + `"}`),
	} {
		_, err := ParseContext(h)
		require.Equal(t, errs.Invalid, errs.KindOf(err), name)
		require.ErrorContains(t, err, "encryption context", name)
	}
}

func FuzzParseContext(f *testing.F) {
	f.Add(`{"a":"1"}`)
	f.Add(`{"a":"1","b":"\ud800"}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseContext(base64.StdEncoding.EncodeToString([]byte(text)))
		if err != nil || got == nil {
			return
		}
		var mine, theirs map[string]string
		if json.Unmarshal(got, &mine) != nil || json.Unmarshal([]byte(text), &theirs) != nil {
			t.Fatalf("%q became %q", text, got)
		}
		require.Equal(t, theirs, mine)
	})
}
