package transfer

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want, across  bool
	}{
		{"*.jpg", "a.jpg", true, true},
		{"*.jpg", "d/a.jpg", false, true},
		{"**.jpg", "d/e/a.jpg", true, true},
		{"a/*/c", "a/b/c", true, true},
		{"a/*/c", "a/b/b/c", false, true},
		{"a/**/c", "a/b/b/c", true, true},
		{"a/**c*d", "a/c/x/cyd", true, true},
		{"a?c", "a/c", false, true},
		{"a?c", "aéc", true, true},
		{"*", "", true, true},
		{"", "", true, true},
		{"", "a", false, false},
		{"a*b*c", "aXbXbXc", true, true},
		{"a*b*c", "aXbXb", false, false},
		{"[x]", "[x]", true, true},
		{"**", "a/b", true, true},
		{"x*", "", false, false},
	} {
		require.Equal(t, c.want, match([]rune(c.pattern), []rune(c.text), false), "%+v", c)
		require.Equal(t, c.across, match([]rune(c.pattern), []rune(c.text), true), "%+v", c)
	}
}

func TestPartsOf(t *testing.T) {
	for _, c := range []struct{ size, part int64 }{{1, 1000}, {1000, 1000}, {1001, 1000}, {5 << 40, UsualPart},
		{100 << 20, 1000}} {
		part, n := partsOf(c.size, c.part)
		require.LessOrEqual(t, n, partsMax)
		require.GreaterOrEqual(t, int64(n)*part, c.size)
		require.Less(t, int64(n-1)*part, c.size)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]Location{
		"-":                          {Kind: Stream},
		"a/b":                        {Path: "a/b"},
		"s3://b":                     {Kind: Object, Bucket: "b"},
		"s3://b/":                    {Kind: Object, Bucket: "b"},
		"s3://b//k":                  {Kind: Object, Bucket: "b", Key: "/k"},
		"s3://b/a b?c":               {Kind: Object, Bucket: "b", Key: "a b?c"},
		"s3://b/100%25?versionId=v1": {Kind: Object, Bucket: "b", Key: "100%", Version: "v1"},
	} {
		got, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
		if want.Version != "" {
			require.Equal(t, text, got.String())
		}
	}
	for _, text := range []string{"", "s3://", "s3:///k", "s3://b/k?versionId=", "a\x00b", "s3://b/%?versionId=v"} {
		_, err := Parse(text)
		require.Error(t, err, text)
	}
}
