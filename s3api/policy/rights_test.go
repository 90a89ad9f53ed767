package policy_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/s3api/policy"
)

func rightsOf(t testing.TB, who *policy.Principal, documents ...string) *policy.Rights {
	r := policy.NewRights(who)
	for _, d := range documents {
		r.Add(parse(t, d, policy.Identity))
	}
	return r
}

func statementOf(effect, rest string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `",` + rest + `}]}`
}

// Rights that cover others and rights that do not, in the words of an administrator.
func TestRightsCover(t *testing.T) {
	const (
		all      = `"Action":"*","Resource":"*"`
		allOfS3  = `"Action":"s3:*","Resource":"*"`
		reading  = `"Action":["s3:Get*","s3:List*"],"Resource":"*"`
		oneGet   = `"Action":"S3:GetObject","Resource":"arn:aws:s3:::b/x/*"`
		inBucket = `"Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]`
		ownHome  = `"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/home/${aws:username}/*"`
		homes    = `"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/home/*"`
		fromHere = `"Action":"s3:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`
		getHere  = `"Action":"s3:GetObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"},"Bool":{"aws:SecureTransport":"true"}}`
		forAlice = `"Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:username":"alice"}}`
		forBob   = `"Action":"s3:*","Resource":"*","Condition":{"StringEquals":{"aws:username":"bob"}}`
		butAdmin = `"NotAction":"admin:*","Resource":"*"`
		notX     = `"Action":"s3:*","NotResource":"arn:aws:s3:::b/x/*"`
		prefixed = `"Action":"s3:ListBucket","Resource":"arn:aws:s3:::b/${s3:prefix}"`
	)
	allow := func(s string) string { return statementOf("Allow", s) }
	deny := func(s string) string { return statementOf("Deny", s) }
	type docs []string
	for _, c := range []struct {
		what       string
		alice, bob docs
		covers     bool
	}{
		{"nothing by nothing", nil, nil, true},
		{"something by nothing", nil, docs{allow(oneGet)}, false},
		{"nothing by something", docs{allow(oneGet)}, nil, true},
		{"anything by everything", docs{allow(all)}, docs{allow(reading), allow(ownHome), allow(notX), allow(prefixed)}, true},
		{"everything by all of S3", docs{allow(allOfS3)}, docs{allow(all)}, false},
		{"one get by reading", docs{allow(reading)}, docs{allow(oneGet)}, true},
		{"one get by the bucket", docs{allow(inBucket)}, docs{allow(oneGet)}, true},
		{"reading by the bucket", docs{allow(inBucket)}, docs{allow(reading)}, false},
		{"the bucket by one get", docs{allow(oneGet)}, docs{allow(inBucket)}, false},
		{"a part by each of two", docs{allow(oneGet), allow(`"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/x/*"`)},
			docs{allow(`"Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::b/x/y"`)}, true},
		{"the same words of another", docs{allow(ownHome)}, docs{allow(ownHome)}, false},
		{"a home by all homes", docs{allow(homes)}, docs{allow(ownHome)}, true},
		{"with more conditions", docs{allow(fromHere)}, docs{allow(getHere)}, true},
		{"without the condition", docs{allow(fromHere)}, docs{allow(oneGet)}, false},
		{"for somebody else", docs{allow(forBob)}, docs{allow(forBob)}, false},
		{"for alice", docs{allow(forAlice)}, docs{allow(oneGet)}, true},
		{"all but some actions", docs{allow(butAdmin)}, docs{allow(allOfS3)}, true},
		{"all but some actions, with those", docs{allow(butAdmin)}, docs{allow(all)}, false},
		{"all but one prefix", docs{allow(notX)}, docs{allow(`"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/y*"`)}, true},
		{"all but one prefix, with it", docs{allow(notX)}, docs{allow(oneGet)}, false},
		{"what the request says", docs{allow(prefixed)}, docs{allow(prefixed)}, false},
		{"what is denied", docs{allow(all), deny(oneGet)}, docs{allow(reading)}, false},
		{"what is denied both", docs{allow(all), deny(oneGet)}, docs{allow(reading), deny(inBucket)}, true},
		{"beside what is denied", docs{allow(all), deny(oneGet)}, docs{allow(`"Action":"s3:PutObject","Resource":"*"`)}, true},
		{"denied the other alone", docs{allow(all), deny(forBob)}, docs{allow(reading)}, true},
		{"denied alice alone", docs{allow(all), deny(forAlice)}, docs{allow(reading)}, false},
	} {
		require.Equal(t, c.covers, rightsOf(t, &alice, c.alice...).Covers(rightsOf(t, &bob, c.bob...)), c.what)
	}
	denied := policy.NewRights(&bob)
	denied.Add(parse(t, allow(all), policy.Identity))
	denied.DenyAll()
	require.False(t, rightsOf(t, &alice, allow(all), deny(all)).Covers(rightsOf(t, &bob, allow(all))))
	require.True(t, rightsOf(t, &alice, allow(all), deny(all)).Covers(denied))
	own := rightsOf(t, &alice, allow(ownHome), allow(prefixed), deny(fromHere))
	require.True(t, own.Covers(own), "whoever it is may do what it may do")
	anybody := rightsOf(t, nil, allow(ownHome))
	require.False(t, rightsOf(t, &alice, allow(ownHome)).Covers(anybody))
	require.True(t, rightsOf(t, &alice, allow(homes)).Covers(anybody))
}

// TestRightsCoverProperty: if rights cover others, whoever has them may do everything that the
// others may do.
func TestRightsCoverProperty(t *testing.T) {
	covered := 0
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(label string) []object {
			var statements []object
			for range rapid.IntRange(1, 2).Draw(rt, label) {
				s := drawStatement(rt)
				delete(s, "Principal")
				delete(s, "NotPrincipal")
				statements = append(statements, s)
			}
			return statements
		}
		document := func(statements []object) *policy.Policy {
			b, err := json.Marshal(object{"Version": "2012-10-17", "Statement": statements})
			require.NoError(rt, err)
			return parse(t, string(b), policy.Identity)
		}
		callers := []policy.Principal{alice, bob, session}
		mine := rapid.SampledFrom(callers).Draw(rt, "mine")
		theirs := rapid.SampledFrom(callers).Draw(rt, "theirs")
		// Two rights that are drawn independently rarely cover each other. So every other time the
		// larger one is also given what the smaller one has.
		smaller, larger := draw("b"), draw("a")
		if rapid.Bool().Draw(rt, "inside") {
			larger = append(larger, smaller...)
		}
		a, b := document(larger), document(smaller)
		ra, rb := policy.NewRights(&mine), policy.NewRights(&theirs)
		ra.Add(a)
		rb.Add(b)
		if !ra.Covers(rb) {
			return
		}
		for range 30 {
			r, _ := drawRequest(rt)
			r.Principal = theirs
			if policy.Evaluate(b, r) != policy.Allow {
				continue
			}
			covered++
			r.Principal = mine
			if policy.Evaluate(a, r) != policy.Allow {
				rt.Fatalf("%s covers %s, but for %+v", a.Marshal(), b.Marshal(), r)
			}
		}
	})
	require.Positive(t, covered, "nothing was compared")
}

// What the policy of a bucket or the trust of a role says of only one of two callers.
func TestRightsShared(t *testing.T) {
	const head = `{"Version":"2012-10-17","Statement":[{"Resource":"arn:aws:s3:::b/*","Action":"s3:GetObject",`
	for _, c := range []struct {
		what, rest string
		more       bool
	}{
		{"everybody", `"Effect":"Allow","Principal":"*"}]}`, false},
		{"the account, which has to allow it too", `"Effect":"Allow","Principal":{"AWS":"1111"}}]}`, false},
		{"bob", `"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1111:user/bob"}}]}`, true},
		{"alice", `"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1111:user/alice"}}]}`, false},
		{"every user", `"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1111:user/*"}}]}`, false},
		{"bob by a condition", `"Effect":"Allow","Principal":"*","Condition":{"StringLike":{"aws:userid":"AIDBOB"}}}]}`, true},
		{"all but bob denied", `"Effect":"Deny","Principal":"*","Condition":{"StringNotEquals":{"aws:username":"bob"}}}]}`, true},
		{"bob denied", `"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::1111:user/bob"}}]}`, false},
	} {
		p := parse(t, head+c.rest, policy.Resource)
		a := rightsOf(t, &alice, statementOf("Allow", `"Action":"s3:PutObject","Resource":"*"`))
		if c.what == "all but bob denied" {
			a = rightsOf(t, &alice, statementOf("Allow", `"Action":"s3:*","Resource":"*"`))
		}
		b := rightsOf(t, &bob, statementOf("Allow", `"Action":"s3:PutObject","Resource":"*"`))
		if c.what == "all but bob denied" {
			b = rightsOf(t, &bob, statementOf("Allow", `"Action":"s3:*","Resource":"*"`))
		}
		require.True(t, a.Covers(b))
		b.AddShared(p, a, false)
		require.Equal(t, !c.more, a.Covers(b), c.what)
	}
}
