package policy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/policy"
)

func TestConditions(t *testing.T) {
	const arn = "arn:aws:iam::1111:user/alice"
	prefix := func(values ...string) facts { return facts{policy.KeyPrefix: values} }
	tags := func(values ...string) facts { return facts{policy.KeyRequestTagKeys: values} }
	keys := func(n string) facts { return facts{policy.KeyMaxKeys: {n}} }
	now := func(at string) facts { return facts{policy.KeyCurrentTime: {at}} }
	from := func(address string) facts { return facts{policy.KeySourceIP: {address}} }
	for _, c := range []struct {
		condition string
		facts     facts
		want      bool
	}{
		{`{}`, nil, true},
		{`{"StringEquals":{"s3:prefix":["a","b"]}}`, prefix("b"), true},
		{`{"StringEquals":{"s3:prefix":"a"}}`, prefix("A"), false},
		{`{"StringEquals":{"s3:prefix":"a*"}}`, prefix("ab"), false},
		{`{"StringEquals":{"s3:prefix":""}}`, prefix(""), true},
		{`{"StringEquals":{"s3:prefix":""}}`, prefix(), false}, // No value is no key.
		{`{"StringEquals":{"s3:prefix":""}}`, nil, false},
		{`{"StringEquals":{"S3:PREFIX":"a"}}`, prefix("a"), true},
		{`{"StringNotEquals":{"s3:prefix":["a","b"]}}`, prefix("c"), true},
		{`{"StringNotEquals":{"s3:prefix":["a","b"]}}`, prefix("b"), false},
		{`{"StringNotEquals":{"s3:prefix":"a"}}`, nil, true},
		{`{"StringNotEqualsIfExists":{"s3:prefix":"a"}}`, prefix("a"), false},
		{`{"StringEqualsIgnoreCase":{"s3:prefix":"aBc"}}`, prefix("AbC"), true},
		{`{"StringNotEqualsIgnoreCase":{"s3:prefix":"aBc"}}`, prefix("AbC"), false},
		{`{"StringLike":{"s3:prefix":"home/*/x?"}}`, prefix("home/a/b/xy"), true},
		{`{"StringLike":{"s3:prefix":"home/*"}}`, prefix("homes/"), false},
		{`{"StringLike":{"s3:prefix":"*"}}`, prefix(""), true},
		{`{"StringLike":{"s3:prefix":"*"}}`, nil, false},
		{`{"StringNotLike":{"s3:prefix":"home/*"}}`, prefix("x"), true},
		{`{"StringNotLike":{"s3:prefix":"home/*"}}`, prefix("home/x"), false},
		{`{"StringLikeIfExists":{"aws:Referer":"https://example.com/*"}}`, nil, true},
		{`{"StringLikeIfExists":{"aws:Referer":"https://example.com/*"}}`, facts{policy.KeyReferer: {"https://example.org/"}}, false},
		{`{"StringEquals":{"s3:ExistingObjectTag/Team":"red"}}`, facts{policy.ExistingTagPrefix + "Team": {"red"}}, true},
		{`{"StringEquals":{"S3:existingobjecttag/Team":"red"}}`, facts{policy.ExistingTagPrefix + "team": {"red"}}, false}, // Tags have a case.
		{`{"StringEquals":{"s3:RequestObjectTag/a/b":"red"}}`, facts{policy.RequestTagPrefix + "a/b": {"red"}}, true},
		// Several keys and several operators: all have to hold.
		{`{"StringEquals":{"s3:prefix":"a","s3:delimiter":"/"}}`, prefix("a"), false},
		{`{"StringEquals":{"s3:prefix":"a"},"NumericLessThan":{"s3:max-keys":5}}`, prefix("a"), false},
		{`{"StringEquals":{"s3:prefix":"a"},"NumericLessThanIfExists":{"s3:max-keys":5}}`, prefix("a"), true},

		{`{"NumericEquals":{"s3:max-keys":"10"}}`, keys("10.0"), true},
		{`{"NumericEquals":{"s3:max-keys":[1,10]}}`, keys("ten"), false},
		{`{"NumericEquals":{"s3:max-keys":10}}`, keys("0x0a"), false},
		{`{"NumericNotEquals":{"s3:max-keys":10}}`, keys("11"), true},
		{`{"NumericNotEquals":{"s3:max-keys":10}}`, keys("10"), false},
		{`{"NumericLessThan":{"s3:max-keys":10}}`, keys("10"), false},
		{`{"NumericLessThan":{"s3:max-keys":10}}`, keys("9"), true},
		{`{"NumericLessThanEquals":{"s3:max-keys":10}}`, keys("10"), true},
		{`{"NumericGreaterThan":{"s3:max-keys":-1.5}}`, keys("-1"), true},
		{`{"NumericGreaterThan":{"s3:max-keys":10}}`, keys("10"), false},
		{`{"NumericGreaterThanEquals":{"s3:max-keys":10}}`, keys("10"), true},

		{`{"DateEquals":{"aws:CurrentTime":"2026-01-31"}}`, now("2026-01-31T00:00:00Z"), true},
		{`{"DateNotEquals":{"aws:CurrentTime":"2026-01-31"}}`, now("2026-01-31T00:00:01Z"), true},
		{`{"DateLessThan":{"aws:CurrentTime":"2026-01-31T12:00:00+01:00"}}`, now("2026-01-31T11:00:00Z"), false},
		{`{"DateLessThan":{"aws:CurrentTime":"2026-01-31T12:00:00+01:00"}}`, now("2026-01-31T10:59:59.999Z"), true},
		{`{"DateLessThanEquals":{"aws:CurrentTime":"2026-01-31T11:00Z"}}`, now("2026-01-31T11:00:00Z"), true},
		{`{"DateGreaterThan":{"aws:CurrentTime":"2026-01"}}`, now("2026-01-31T11:00:00Z"), true},
		{`{"DateGreaterThanEquals":{"aws:EpochTime":"1970-01-01T00:01:00Z"}}`, facts{policy.KeyEpochTime: {"60"}}, true},
		{`{"DateGreaterThan":{"aws:EpochTime":1600000000}}`, facts{policy.KeyEpochTime: {"1600000000"}}, false},
		{`{"DateLessThan":{"aws:TokenIssueTime":"2026-01-31"}}`, nil, false},
		{`{"DateLessThan":{"aws:CurrentTime":"2026-01-31"}}`, now("never"), false},

		{`{"Bool":{"aws:SecureTransport":"TRUE"}}`, facts{policy.KeySecureTransport: {"true"}}, true},
		{`{"Bool":{"aws:SecureTransport":true}}`, facts{policy.KeySecureTransport: {"false"}}, false},
		{`{"Bool":{"aws:SecureTransport":"false"}}`, nil, false},
		{`{"BoolIfExists":{"aws:SecureTransport":"false"}}`, nil, true},
		{`{"BinaryEquals":{"s3:prefix":"aGk="}}`, prefix("aGk="), true},
		{`{"BinaryEquals":{"s3:prefix":"aGk="}}`, prefix("hi"), false},

		{`{"IpAddress":{"aws:SourceIp":"192.0.2.77/24"}}`, from("192.0.2.1"), true},
		{`{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, from("192.0.3.1"), false},
		{`{"IpAddress":{"aws:SourceIp":["198.51.100.7","2001:db8::/32"]}}`, from("2001:db8::1"), true},
		{`{"IpAddress":{"aws:SourceIp":"198.51.100.7"}}`, from("::ffff:198.51.100.7"), true},
		{`{"IpAddress":{"aws:SourceIp":"::ffff:198.51.100.0/120"}}`, from("198.51.100.7"), true},
		{`{"IpAddress":{"aws:SourceIp":"fe80::/10"}}`, from("fe80::1%eth0"), true},
		{`{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, from("2001:db8::1"), false},
		{`{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, from("elsewhere"), false},
		{`{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, from("192.0.2.1"), false},
		{`{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, from("192.0.3.1"), true},
		{`{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, nil, true},

		{`{"ArnEquals":{"aws:PrincipalArn":"` + arn + `"}}`, nil, true},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/al?ce"}}`, nil, true},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}}`, nil, false},
		{`{"ArnLike":{"aws:PrincipalArn":"arn:*:*:*:*:user/*"}}`, nil, true},
		{`{"ArnLike":{"s3:prefix":"arn:*:b:c:d:e"}}`, prefix("arn:x:y:b:c:d:e"), false}, // A star matches no colon,
		{`{"ArnLike":{"s3:prefix":"arn:a:b:c:d:*"}}`, prefix("arn:a:b:c:d:e:f"), true},  // except in the last part.
		{`{"ArnLike":{"s3:prefix":"arn:a:b:c:d:*"}}`, prefix("arn:a:b"), false},
		{`{"ArnNotEquals":{"aws:PrincipalArn":"` + arn + `"}}`, nil, false},
		{`{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::2222:*"}}`, nil, true},

		{`{"Null":{"s3:prefix":"true"}}`, nil, true},
		{`{"Null":{"s3:prefix":"true"}}`, prefix("a"), false},
		{`{"Null":{"s3:prefix":false}}`, prefix(""), true},
		{`{"Null":{"s3:prefix":false}}`, prefix(), false},

		{`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, tags("a", "b", "a"), true},
		{`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, tags("a", "c"), false},
		{`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, nil, true},
		{`{"ForAllValues:StringNotEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, tags("c", "d"), true},
		{`{"ForAllValues:StringNotEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, tags("c", "a"), false},
		{`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, tags("c", "b"), true},
		{`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, tags("c"), false},
		{`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, nil, false},
		{`{"ForAnyValue:StringEqualsIfExists":{"s3:RequestObjectTagKeys":"a"}}`, nil, true},
		{`{"ForAnyValue:StringNotEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, tags("a", "c"), true},
		{`{"ForAnyValue:StringNotEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`, tags("a", "b"), false},
		{`{"ForAnyValue:StringNotEquals":{"s3:RequestObjectTagKeys":"a"}}`, nil, false},
		{`{"StringEquals":{"s3:RequestObjectTagKeys":"a"}}`, tags("a", "c"), true},
		{`{"StringNotEquals":{"s3:RequestObjectTagKeys":"a"}}`, tags("a", "c"), false},
	} {
		want := policy.None
		if c.want {
			want = policy.Allow
		}
		p := parse(t, under(c.condition), policy.Identity)
		require.Equal(t, want, policy.Evaluate(p, get(c.facts)), "%s %v", c.condition, c.facts)
	}
}

// A request without facts has no keys but the caller's.
func TestNoConditions(t *testing.T) {
	r := &policy.Request{Action: "s3:GetObject", Resource: policy.ObjectARN("b", "k"), Principal: alice}
	require.Equal(t, policy.None, policy.Evaluate(parse(t, under(`{"StringEquals":{"s3:prefix":""}}`), policy.Identity), r))
	require.Equal(t, policy.Allow, policy.Evaluate(parse(t, under(`{"StringEquals":{"aws:username":"alice"}}`), policy.Identity), r))
}

func TestIsPublic(t *testing.T) {
	for _, c := range []struct {
		principal, condition string
		want                 bool
	}{
		{`"Principal":"*"`, `{}`, true},
		{`"Principal":{"AWS":["1111","*"]}`, `{}`, true},
		{`"NotPrincipal":{"AWS":"1111"}`, `{}`, true},
		{`"Principal":{"AWS":"1111"}`, `{}`, false},
		{`"Principal":{"AWS":"arn:aws:iam::1111:user/*"}`, `{}`, false},
		{`"Principal":{"Service":"logging.s3.amazonaws.com"}`, `{}`, false},
		{`"Principal":"*"`, `{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, false},
		{`"Principal":"*"`, `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}`, false},
		{`"Principal":"*"`, `{"IpAddress":{"aws:SourceIp":["192.0.2.0/24","0.0.0.0/1"]}}`, true},
		{`"Principal":"*"`, `{"IpAddress":{"aws:SourceIp":"2000::/3"}}`, true},
		{`"Principal":"*"`, `{"IpAddressIfExists":{"aws:SourceIp":"192.0.2.0/24"}}`, true},
		{`"Principal":"*"`, `{"NotIpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`, true},
		{`"Principal":"*"`, `{"StringLike":{"aws:SourceIp":"192.0.2.1"}}`, true},
		{`"Principal":"*"`, `{"StringEquals":{"aws:PrincipalAccount":"1111"}}`, false},
		{`"Principal":"*"`, `{"ForAnyValue:StringEquals":{"aws:PrincipalAccount":"1111"}}`, false},
		{`"Principal":"*"`, `{"ForAllValues:StringEquals":{"aws:PrincipalAccount":"1111"}}`, true},
		{`"Principal":"*"`, `{"StringLike":{"aws:PrincipalAccount":"11*"}}`, true},
		{`"Principal":"*"`, `{"StringEquals":{"aws:userid":"${aws:userid}"}}`, true},
		{`"Principal":"*"`, `{"StringLike":{"aws:userid":"AROREADER:*"}}`, true},
		{`"Principal":"*"`, `{"StringEquals":{"aws:userid":"AIDALICE"}}`, false},
		{`"Principal":"*"`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::1111:user/alice"}}`, false},
		{`"Principal":"*"`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/alice"}}`, true},
		{`"Principal":"*"`, `{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::1111:user/alic?"}}`, true},
		{`"Principal":"*"`, `{"StringEquals":{"aws:username":"alice"}}`, true}, // Of any account.
		{`"Principal":"*"`, `{"StringEquals":{"s3:prefix":"a"}}`, true},
		{`"Principal":"*"`, `{"Null":{"aws:PrincipalAccount":"false"}}`, true},
		{`"Principal":"*"`, `{"StringEquals":{"s3:x-amz-server-side-encryption-aws-kms-key-id":"k"}}`, false},
		{`"Principal":"*"`, `{"StringEquals":{"s3:prefix":"a"},"IpAddress":{"aws:SourceIp":"192.0.2.1"}}`, false},
	} {
		document := `{"Effect":"%","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*",` + c.principal + `,"Condition":` + c.condition + `}`
		allow := strings.Replace(document, "%", "Allow", 1)
		p := parse(t, `{"Version":"2012-10-17","Statement":`+allow+`}`, policy.Resource)
		require.Equal(t, c.want, policy.IsPublic(p), allow)

		deny := strings.Replace(document, "%", "Deny", 1)
		require.False(t, policy.IsPublic(parse(t, `{"Version":"2012-10-17","Statement":`+deny+`}`, policy.Resource)))
		private := `{"Effect":"Allow","Principal":{"AWS":"1111"},"Action":"s3:*","Resource":"*"}`
		p = parse(t, statements(private+","+deny+","+allow), policy.Resource)
		require.Equal(t, c.want, policy.IsPublic(p), "one public statement of three")
	}
	require.False(t, policy.IsPublic(parse(t, under(`{}`), policy.Identity)))
}
