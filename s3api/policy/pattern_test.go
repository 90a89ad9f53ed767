package policy

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// slowMatch matches as wildcards are defined, by dynamic programming over code points.
func slowMatch(pattern, text string) bool {
	t := []rune(text)
	row := make([]bool, len(t)+1) // Does the pattern so far match text[:j]?
	row[0] = true
	for _, c := range pattern {
		next := make([]bool, len(t)+1)
		for j := range next {
			switch {
			case c == '*':
				next[j] = row[j] || j > 0 && next[j-1]
			case j > 0:
				next[j] = row[j-1] && (c == '?' || c == t[j-1])
			}
		}
		row = next
	}
	return row[len(t)]
}

func compileWild(t testing.TB, text string) pattern {
	p, err := syntax{wildcards: true}.compile(text)
	require.NoError(t, err)
	return p
}

func TestPatternProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("abé/")), 0, 24, -1).Draw(t, "text")
		wild := rapid.StringOfN(rapid.SampledFrom([]rune("abé/**??")), 0, 12, -1).Draw(t, "pattern")
		p, err := syntax{wildcards: true}.compile(wild)
		if err != nil || p.match(text) != slowMatch(wild, text) {
			t.Fatalf("%q on %q: %v %v", wild, text, p.match(text), err)
		}
		p, err = syntax{wildcards: true, fold: true}.compile(wild)
		if err != nil || p.match(strings.ToUpper("x"+text)) != slowMatch(wild, "x"+text) && !strings.Contains(text+wild, "é") {
			t.Fatalf("%q on %q, any case: %v", wild, text, err)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"a*b?c", "aXXbYc"}, {"*", ""}, {"", ""}, {"**a**", "a"}, {"?*?", "é"}, {"*ab*ab", "ababab"}, {"a?", "aé"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, wild, text string) {
		if len(wild) > 200 || len(text) > 400 || !utf8.ValidString(wild) || !utf8.ValidString(text) {
			return // Documents and keys are UTF-8.
		}
		p := compileWild(t, wild)
		require.Equal(t, slowMatch(wild, text), p.match(text), "%q on %q", wild, text)
	})
}

// A matcher that goes back over stars would not finish.
func TestPatternDoesNotBacktrack(t *testing.T) {
	for _, segment := range []string{"a", "aa", "a?", "?a"} {
		p := compileWild(t, strings.Repeat("*"+segment, 500)+"b")
		require.False(t, p.match(strings.Repeat("a", 1024)))
	}
}

// Whatever a pattern reaches, it matches, or it matches something that begins with it.
func TestReachesProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wild := rapid.StringOfN(rapid.SampledFrom([]rune("ab/*?")), 0, 8, -1).Draw(t, "pattern")
		name := rapid.StringOfN(rapid.SampledFrom([]rune("ab")), 1, 4, -1).Draw(t, "name")
		p, err := syntax{wildcards: true}.compile(wild)
		if err != nil {
			t.Fatal(err)
		}
		// What the pattern asks for behind the slash is at most as long as itself with empty stars.
		want := slowMatch(wild, name)
		for i := range len(wild) + 1 {
			want = want || slowMatch(wild, name+"/"+strings.NewReplacer("*", "", "?", "a").Replace(wild[i:]))
		}
		if p.reaches(name) != want {
			t.Fatalf("%q reaches %q: %v", wild, name, p.reaches(name))
		}
	})
}

// The spelling of the constants is the one by which keys are looked up.
func TestCanonicalKeys(t *testing.T) {
	for _, key := range conditionKeys {
		got, ok := canonicalKey(strings.ToUpper(key))
		require.True(t, ok)
		require.Equal(t, key, got)
	}
	require.Len(t, conditionKeys, 48)
}
