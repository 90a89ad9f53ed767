package policy_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/s3api/policy"
)

// someOf draws one of the choices, or a list of one to three.
func someOf(t *rapid.T, choices []string, label string) any {
	list := rapid.SliceOfN(rapid.SampledFrom(choices), 1, 3).Draw(t, label)
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// drawConditions draws the conditions of a statement.
func drawConditions(t *rapid.T, least, most int) object {
	kinds := []struct {
		operators, keys, values []string
	}{
		{[]string{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringLike", "StringNotLike"},
			[]string{policy.KeyRequestTagKeys, policy.KeyRequestTagKeys, policy.KeyPrefix, policy.KeyUsername, policy.ExistingTagPrefix + "t"},
			[]string{"a", "A", "b", "", "a*", "?", "*", "${aws:username}", "${s3:prefix}*", "${*}", "${aws:username}${$}"}},
		{[]string{"NumericNotEquals", "NumericLessThan", "NumericGreaterThanEquals"}, []string{policy.KeyMaxKeys}, []string{"1", "2", "3"}},
		{[]string{"IpAddress", "NotIpAddress"}, []string{policy.KeySourceIP}, []string{"192.0.2.0/31", "192.0.2.2/32", "0.0.0.0/0"}},
		{[]string{"Null"}, []string{policy.KeyPrefix, policy.KeyUsername, policy.KeyRequestTagKeys}, []string{"true", "false"}},
	}
	conditions := object{}
	for range rapid.IntRange(least, most).Draw(t, "conditions") {
		kind := kinds[max(0, rapid.IntRange(-2, len(kinds)-1).Draw(t, "kind"))] // Texts come most often.
		name := rapid.SampledFrom(kind.operators).Draw(t, "operator")
		values := any(rapid.SampledFrom(kind.values).Draw(t, "value"))
		if name != "Null" {
			name = rapid.SampledFrom([]string{"", "ForAllValues:", "ForAnyValue:"}).Draw(t, "quantifier") + name +
				rapid.SampledFrom([]string{"", "", "IfExists"}).Draw(t, "suffix")
			values = someOf(t, kind.values, "values")
		}
		conditions[name] = object{rapid.SampledFrom(kind.keys).Draw(t, "key"): values}
	}
	return conditions
}

func drawStatement(t *rapid.T) object {
	s := object{
		"Effect":    rapid.SampledFrom([]string{"Allow", "Allow", "Deny"}).Draw(t, "effect"),
		"Condition": drawConditions(t, 0, 2),
	}
	not := func(element string) string {
		return rapid.SampledFrom([]string{"", "", "Not"}).Draw(t, "not") + element
	}
	s[not("Action")] = someOf(t, []string{"*", "s3:*", "s3:GetObject", "S3:getobject", "s3:Get*", "s3:PutObject", "s3:?utObject"}, "action")
	s[not("Resource")] = someOf(t, []string{"*", "*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a?", "arn:aws:s3:::b/*b", "arn:aws:s3:::b/${aws:username}", "arn:aws:s3:::*a*${s3:prefix}"}, "resource")
	s[not("Principal")] = object{"AWS": someOf(t, []string{
		"*", "*", "1111", "2222", "arn:aws:iam::1111:root", "arn:aws:iam::1111:user/alice", "arn:aws:iam::1111:role/reader", "arn:aws:sts::1111:assumed-role/reader/s1"}, "principal")}
	return s
}

func drawRequest(t *rapid.T) (*policy.Request, facts) {
	f := facts{}
	set := func(key string, most int, choices ...string) {
		if values := rapid.SliceOfN(rapid.SampledFrom(choices), 0, most).Draw(t, key); len(values) > 0 || rapid.Bool().Draw(t, "empty") {
			f[key] = values
		}
	}
	set(policy.KeyPrefix, 1, "a", "ab", "b", "", "*", "alice")
	set(policy.ExistingTagPrefix+"t", 1, "a", "A", "alice$")
	set(policy.KeyRequestTagKeys, 3, "a", "b", "A")
	set(policy.KeyMaxKeys, 1, "1", "2", "3")
	set(policy.KeySourceIP, 1, "192.0.2.0", "192.0.2.1", "192.0.2.2")
	return &policy.Request{
		Action:     rapid.SampledFrom([]string{"s3:GetObject", "s3:PutObject", "s3:GetObjectAcl"}).Draw(t, "action"),
		Resource:   policy.ObjectARN("b", rapid.SampledFrom([]string{"a", "ab", "alice", "bab", "*", "aé"}).Draw(t, "key")),
		Principal:  rapid.SampledFrom([]policy.Principal{root, alice, bob, session, carol, anonymous}).Draw(t, "who"),
		Conditions: f.conditions,
	}, f
}

// Evaluate agrees with the naive evaluator, also about the canonical document.
func TestEvaluateProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []any
		for range rapid.IntRange(1, 3).Draw(t, "statements") {
			list = append(list, drawStatement(t))
		}
		document, err := json.Marshal(object{"Version": policy.Version2012, "Statement": list})
		if err != nil {
			t.Fatal(err)
		}
		p, err := policy.Parse(document, policy.Resource)
		if err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		canonical, err := policy.Parse(p.Marshal(), policy.Resource)
		if err != nil {
			t.Fatalf("%s: %v", p.Marshal(), err)
		}
		for range 8 {
			r, f := drawRequest(t)
			o := &oracle{request: r, who: r.Principal, facts: f}
			want := o.evaluate(string(document))
			if got := policy.Evaluate(p, r); got != want {
				t.Fatalf("%s\n%+v %v: %v, not %v", document, r, f, got, want)
			}
			if got := policy.Evaluate(canonical, r); got != want {
				t.Fatalf("canonical %s: %v, not %v", p.Marshal(), got, want)
			}
		}
	})
}

// The same for one condition that decides alone.
func TestConditionProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		effect := rapid.SampledFrom([]string{"Allow", "Deny"}).Draw(t, "effect")
		document, err := json.Marshal(object{"Version": policy.Version2012, "Statement": object{
			"Effect": effect, "Action": "*", "Resource": "*", "Condition": drawConditions(t, 1, 1)}})
		if err != nil {
			t.Fatal(err)
		}
		p, err := policy.Parse(document, policy.Identity)
		if err != nil {
			t.Fatalf("%s: %v", document, err)
		}
		for range 32 {
			r, f := drawRequest(t)
			o := &oracle{request: r, who: r.Principal, facts: f}
			if got, want := policy.Evaluate(p, r), o.evaluate(string(document)); got != want {
				t.Fatalf("%s\n%+v %v: %v, not %v", document, r, f, got, want)
			}
		}
	})
}
