package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/cost"
)

// stepsBound is how many steps a match may take: for each character of the text one for each word,
// also an incomplete one, of the longest segment, and one for each character of the pattern.
func stepsBound(p *pattern, text string) int {
	words := 1
	for _, f := range p.finders {
		if f != nil {
			words = max(words, len(f.any))
		}
	}
	return len(text)*(words+1) + len(p.text)
}

func checkSteps(t require.TestingT, wild, text string) {
	p, err := syntax{wildcards: true}.compile(wild)
	require.NoError(t, err)
	m := matcher{p: &p}
	m.match(text)
	require.LessOrEqual(t, m.steps, stepsBound(&p, text), "%q on %d bytes", wild[:min(len(wild), 60)], len(text))
}

// The nastiest patterns and the longest text that is looked at. A search that starts anew at each
// place takes a thousand times the bound.
func TestMatchIsBounded(t *testing.T) {
	text := strings.Repeat("a", MaxFactBytes)
	for _, wild := range []string{
		"*" + strings.Repeat("?", 2000) + "b*",
		"*" + strings.Repeat("a?", 1000) + "b*",
		"*a" + strings.Repeat("?", 2000) + "b*",
		"*" + strings.Repeat("a", 2000) + "b*",
		"*" + strings.Repeat("aaaaaaa?", 250) + "b*",
		strings.Repeat("*a?", 680) + "*b",
		strings.Repeat("*?", 1000) + "*b*",
		strings.Repeat("?*", 1000) + "b",
	} {
		checkSteps(t, wild, text)
		checkSteps(t, wild, text+"b")
	}
}

func TestMatchIsBoundedProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		unit := rapid.StringOfN(rapid.SampledFrom([]rune("ab??*é")), 1, 12, -1).Draw(t, "unit")
		wild := strings.Repeat(unit, rapid.IntRange(1, 60).Draw(t, "times")) + rapid.SampledFrom([]string{"", "b", "*", "b*"}).Draw(t, "end")
		text := strings.Repeat(rapid.StringOfN(rapid.SampledFrom([]rune("abé")), 1, 6, -1).Draw(t, "text"), rapid.IntRange(1, 400).Draw(t, "repeat"))
		checkSteps(t, wild, text)
		p, err := syntax{wildcards: true}.compile(wild)
		require.NoError(t, err)
		require.Equal(t, slowMatch(wild, text), p.match(text))
	})
}

// A segment of more places than a word has bits is found across words.
func TestLongSegments(t *testing.T) {
	for _, n := range []int{1, 62, 63, 64, 65, 127, 128, 129, 600} {
		p := compileWild(t, "*x"+strings.Repeat("a?", n)+"y*")
		require.True(t, p.match("xx"+strings.Repeat("aé", n)+"yz"), n)
		require.False(t, p.match("x"+strings.Repeat("aé", n)+"ay"), n)
		require.False(t, p.match("x"+strings.Repeat("aé", n-1)+"bby"), n)
	}
}

// A byte that is not UTF-8 equals neither U+FFFD nor another such byte.
func TestMatchInvalidBytes(t *testing.T) {
	p := compileWild(t, "*\ufffd?x*")
	require.True(t, p.match("\ufffd-x"))
	require.False(t, p.match("\xff-x"))
}

// A value that is longer than a fact may be meets the conditions of a Deny and none of an Allow,
// whatever the operator, so that nobody evades a Deny by length.
func TestOverlongFacts(t *testing.T) {
	long := strings.Repeat("x", MaxFactBytes+1)
	for _, condition := range []string{
		`{"StringLike":{"aws:Referer":"*evil*"}}`, `{"StringNotLike":{"aws:Referer":"*good*"}}`, `{"StringEquals":{"aws:Referer":"a"}}`,
		`{"StringNotEquals":{"aws:Referer":"a"}}`, `{"StringNotEqualsIfExists":{"aws:Referer":"a"}}`, `{"ForAllValues:StringLike":{"aws:Referer":"x*"}}`,
		`{"ForAnyValue:StringNotLike":{"aws:Referer":"x*"}}`, `{"NumericLessThan":{"aws:Referer":5}}`, `{"StringEquals":{"aws:UserAgent":"${aws:Referer}"}}`,
		`{"StringNotEquals":{"aws:UserAgent":"${aws:Referer}"}}`, `{"ArnNotLike":{"aws:Referer":"arn:aws:s3:::b/*"}}`,
	} {
		for effect, want := range map[string]Effect{"Allow": None, "Deny": Deny} {
			document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":"s3:*","Resource":"*","Condition":%s}}`, effect, condition)
			p, err := Parse([]byte(document), Identity)
			require.NoError(t, err, document)
			facts := map[string][]string{KeyReferer: {long}, KeyUserAgent: {"ua"}}
			r := &Request{Action: "s3:GetObject", Resource: ObjectARN("b", "k"), Conditions: func(key string) ([]string, bool) { v, ok := facts[key]; return v, ok }}
			require.Equal(t, want, Evaluate(p, r), document)
		}
	}
	for effect, want := range map[string]Effect{"Allow": None, "Deny": Deny} {
		for _, element := range []string{"Resource", "NotResource"} {
			document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":"s3:*",%q:"arn:aws:s3:::b/${aws:Referer}"}}`, effect, element)
			p, err := Parse([]byte(document), Identity)
			require.NoError(t, err)
			r := &Request{Action: "s3:GetObject", Resource: ObjectARN("b", "k"), Conditions: func(string) ([]string, bool) { return []string{long}, true }}
			require.Equal(t, want, Evaluate(p, r), document)
		}
	}
}

// With a memo, a condition about the request is evaluated once, and a condition about the object
// each time.
func TestMemo(t *testing.T) {
	document := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*",
		"Condition":{"StringLike":{"aws:Referer":"*a*"},"StringEquals":{"s3:VersionId":"v1","aws:UserAgent":"${s3:VersionId}"}}}}`
	p, err := Parse([]byte(document), Identity)
	require.NoError(t, err)
	asked := make(map[string]int)
	version := "v1"
	r := &Request{Action: "s3:DeleteObject", Memo: NewMemo(), Conditions: func(key string) ([]string, bool) {
		asked[key]++
		switch key {
		case KeyReferer:
			return []string{"xax"}, true
		case KeyUserAgent:
			return []string{"v1"}, true
		}
		return []string{version}, true
	}}
	for i := range 10 {
		r.Resource = ObjectARN("b", fmt.Sprint(i))
		require.Equal(t, Allow, Evaluate(p, r))
	}
	require.Equal(t, 1, asked[KeyReferer])
	require.Equal(t, 10, asked[KeyUserAgent])
	version = "v2"
	require.Equal(t, None, Evaluate(p, r))
}

func BenchmarkNastyMatch(b *testing.B) {
	text := strings.Repeat("a", MaxFactBytes)
	for _, wild := range []string{"*" + strings.Repeat("a?", 1000) + "b*", "*a?b*"} {
		b.Run(wild[:min(8, len(wild))], func(b *testing.B) {
			p := compileWild(b, wild)
			b.ReportAllocs()
			for b.Loop() {
				p.match(text)
			}
		})
	}
}

// parsedPerByte bounds how many bytes a byte of a policy may take when it is parsed. The shortest
// pattern with a finder of its own has eight bytes.
const parsedPerByte = 400

// FuzzCost: neither to parse a policy nor to evaluate it costs more than a bound for each byte,
// whatever is repeated in it and in the facts.
func FuzzCost(f *testing.F) {
	f.Add("*", "a?", "b*", "a", uint16(900))
	f.Add("", "*?", "b", "ab", uint16(900))
	f.Add("${aws:Referer}", "${aws:username, 'x'}?", "*", "é", uint16(80))
	f.Fuzz(func(t *testing.T, head, unit, tail, fact string, times uint16) {
		value := string(cost.Repeat([]byte(head), []byte(unit), []byte(tail), times%1024))
		document, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": map[string]any{
			"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": map[string]any{"StringLike": map[string]any{"aws:UserAgent": []string{value, value + "x"}}}}})
		require.NoError(t, err)
		var p *Policy
		cost.Allocated(t, len(document), parsedPerByte, func() { p, _ = Parse(document, Identity) })
		if p == nil {
			return
		}
		fact = string(cost.Repeat(nil, []byte(fact), nil, 9000))
		fact = fact[:min(len(fact), MaxFactBytes)]
		r := &Request{Action: "s3:GetObject", Resource: ObjectARN("b", "k"), Conditions: func(string) ([]string, bool) { return []string{fact}, true }}
		cost.Allocated(t, len(document)+len(fact), parsedPerByte, func() { Evaluate(p, r) })
		for _, o := range p.statements[0].conditions[0].operands {
			m := matcher{p: &o.pattern}
			if !o.pattern.variables {
				m.match(fact)
				require.LessOrEqual(t, m.steps, stepsBound(&o.pattern, fact))
			}
		}
	})
}
