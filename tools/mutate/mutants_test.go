package main

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sample = `package p

func (t *T) f(a, b int) (int, error) {
	if a < b && b > 0 {
		t.n++
		t.g(a)
	}
	x := 1
	x = a + 2
	for {
		break
	}
	if _, err := t.h(); err != nil {
		return 0, err
	}
	return x, nil
}
`

func TestMutantsOf(t *testing.T) {
	found, err := mutantsOf("p.go", []byte(sample))
	require.NoError(t, err)
	got := make(map[string]int)
	for _, m := range found {
		require.Equal(t, "T.f", m.function)
		why, _, _ := strings.Cut(m.why, " in ") // Of a number: the line.
		if !strings.HasPrefix(m.why, "number") {
			why = m.why
		}
		got[why]++
		// What comes out is still a file of Go.
		broken := sample[:m.from] + m.new + sample[m.to:]
		_, err := parser.ParseFile(token.NewFileSet(), "p.go", broken, 0)
		require.NoError(t, err, "%s", m)
		require.NotEqual(t, sample, broken)
	}
	require.Equal(t, map[string]int{
		"condition is never true":         2,
		"condition is always true":        1, // Not of the check of an error.
		"< becomes <= in a < b":           1,
		"> becomes >= in b > 0":           1,
		"&& becomes || in a < b && b > 0": 1,
		"+ becomes - in a + 2":            1,
		"!= becomes == in err != nil":     1,
		"statement is left out":           4, // t.n++, t.g(a), x = a + 2, break.
		"number is one more":              3, // 0, 1, 2; not what is returned beside an error.
	}, got)
}

// A test that ends in another case has looked at the values of a case, too.
func TestReaching(t *testing.T) {
	const source = `package p

func f(n int) int {
	switch {
	case n < 0:
		return 1
	case n > 9:
		return 2
	}
	return 3
}
`
	found, err := mutantsOf("p.go", []byte(source))
	require.NoError(t, err)
	p := profile{
		Blocks: []string{"p.go:3.19,4.9", "p.go:5.13,6.11", "p.go:7.13,8.11", "p.go:10.2,10.10", "p.go:13.1,13.9"},
		Tests: []testProfile{
			{Name: "Less", Reaches: []int{0, 1}}, {Name: "More", Reaches: []int{0, 2}},
			{Name: "None", Reaches: []int{0, 3}}, {Name: "Other", Reaches: []int{4}},
		},
	}
	reaching := func(why string) (names []string) {
		for _, m := range found {
			if strings.HasPrefix(m.why, why) {
				for _, t := range p.reaching(m) {
					names = append(names, t.Name)
				}
			}
		}
		return names
	}
	require.Equal(t, []string{"Less", "More", "None"}, reaching("< becomes <="))
	require.Equal(t, []string{"More"}, reaching("number is one more in return 2"))
}

func TestChosen(t *testing.T) {
	require.Equal(t, suites, chosen(""))
	got := chosen("meta/state/move.go,cluster/rpc/,node/upkeep")
	require.Equal(t, []suite{
		{"meta/state/move.go", nil, suites[0].tests},
		{"cluster/rpc", nil, []string{"cluster/rpc"}},
		suites[9],
	}, got)
}

// If a room is tested by the room that it serves, the tests of both are its own.
func TestOwn(t *testing.T) {
	for in, want := range map[string][]string{
		"meta/record":            {"meta/state", "meta/record"},
		"meta/record/fields.go":  {"meta/state", "meta/record"},
		"meta/snapshot":          {"meta/snapshot"},
		"meta/state/move.go":     {"meta/state"},
		"cluster/rpc":            {"cluster/rpc"},
		"node/upkeep/garbage.go": {"node/upkeep"},
	} {
		require.Equal(t, want, chosen(in)[0].own(), in)
	}
}
