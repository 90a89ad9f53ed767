package policy_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/policy"
)

func TestRefuses(t *testing.T) {
	const identity, resource, trust = policy.Identity, policy.Resource, policy.Trust
	// one returns a policy with a good statement, to which more is added.
	one := func(more string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"` + more + `}]}`
	}
	bucket := func(more string) string {
		return `{"Statement":[{"Sid":"x y","Effect":"Allow"` + more + `}]}`
	}
	if_ := func(condition string) string { return one(`,"Condition":` + condition) }
	for _, c := range []struct {
		document string
		kind     policy.Kind
		reason   string // Part of the error's text.
	}{
		{``, identity, "the JSON ends too early"},
		{`{"Statement"`, identity, "the JSON ends too early"},
		{`{"Statement":[{"Effect":"Allow",}]}`, identity, "not JSON near byte"},
		{`[]`, identity, "the document is a list, not an object"},
		{`"*"`, identity, "the document is a string, not an object"},
		{one(``) + `x`, identity, "something follows the policy"},
		{one(``) + `{}`, identity, "something follows the policy"},
		{"{\"Id\":\"\xff\"}", identity, "not UTF-8"},
		{`{"Id":"a","Id":"b"}`, identity, `"Id" occurs twice`},
		{one(`,"Effect":"Deny"`), identity, `"Effect" occurs twice`},
		{if_(`[[[[[[1]]]]]]`), identity, "nests deeper than 6 levels"},
		{strings.Repeat("[", 5000), identity, "nests deeper than 6 levels"},
		{strings.Repeat(" ", policy.MaxIdentityPolicyBytes) + one(``), identity, "at most 6144 are allowed"},
		{strings.Repeat(" ", policy.MaxBucketPolicyBytes) + one(``), resource, "at most 20480 are allowed"},
		{strings.Repeat(" ", policy.MaxTrustPolicyBytes) + one(``), trust, "at most 4096 are allowed"},

		{`{}`, identity, "Statement: it is missing"},
		{`{"Statement":[]}`, identity, "Statement: there are 0 statements: give 1 to 256"},
		{`{"Statement":[` + strings.Repeat(`{},`, 256) + `{}]}`, identity, "there are 257 statements"},
		{`{"Statement":["x"]}`, identity, "Statement 1: it is a string, not an object"},
		{`{"Statement":null}`, identity, "Statement 1: it is null, not an object"},
		{`{"Version":"2020-01-01","Statement":[]}`, identity, `Version: "2020-01-01" is not a version: use "2012-10-17" or "2008-10-17"`},
		{`{"Version":2012,"Statement":[]}`, identity, "Version: it is a number or boolean, not a string"},
		{`{"Id":[],"Statement":[]}`, identity, "Id: it is a list, not a string"},
		{`{"version":"2012-10-17","Statement":[]}`, identity, `no element "version" here: use Version, Id, Statement`},
		{one(`,"Principal":"*"`), identity, `Statement 1: there is no element "Principal" here: use Sid, Effect, Action`},
		{one(`,"Principal":"*"`), trust, `Statement 1: there is no element "Resource" here: use Sid, Effect, Principal, Action, Condition`},
		{one(``), resource, "Principal: it is missing"},
		{`{"Statement":[{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Deny","Action":"s3:*","Resource":"*"}]}`, identity, `Statement 2 (Sid "a"): Sid: an earlier statement has the same`},
		{one(`,"Sid":"` + strings.Repeat("s", 2049) + `"`), identity, "Sid: it is longer than 2048 bytes"},

		{`{"Statement":{"Effect":"allow","Action":"s3:*","Resource":"*"}}`, identity, `Effect: "allow" is not an effect: use "Allow" or "Deny"`},
		{`{"Statement":{"Action":"s3:*","Resource":"*"}}`, identity, `Effect: "" is not an effect`},
		{`{"Statement":{"Effect":["Deny"],"Action":"s3:*","Resource":"*"}}`, identity, "Effect: it is a list"},
		{`{"Statement":{"Effect":"Allow","Resource":"*"}}`, identity, "Action: it is missing"},
		{one(`,"NotAction":"s3:*"`), identity, "NotAction: Action is there too: use one of them"},
		{`{"Statement":{"Effect":"Allow","Action":[],"Resource":"*"}}`, identity, "Action: the list is empty"},
		{`{"Statement":{"Effect":"Allow","Action":[1],"Resource":"*"}}`, identity, "Action: a value is a number or boolean: use strings"},
		{`{"Statement":{"Effect":"Allow","Action":"s3:GetObjekt","Resource":"*"}}`, identity, `Action: "s3:GetObjekt" is no action that is known: use one such as s3:GetObject, or s3:*`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:Frob*","Resource":"*"}}`, identity, `"s3:Frob*" is no action that is known`},
		{`{"Statement":{"Effect":"Allow","Action":"admin:a b","Resource":"*"}}`, identity, `"admin:a b" is no action that is known: use one such as admin:ListAccounts`},
		{`{"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}`, identity, `"ec2:*" is no action: use SERVICE:NAME, where SERVICE is one of s3, sts, kms, admin`},
		{`{"Statement":{"Effect":"Allow","NotAction":"","Resource":"*"}}`, identity, `NotAction: "" is no action`},
		{`{"Statement":{"Effect":"Allow","Principal":"*","Action":"*"}}`, trust, `"*" is no action: use SERVICE:NAME, where SERVICE is one of sts`},
		{bucket(`,"Principal":"*","Action":"kms:Decrypt","Resource":"*"`), resource, `Statement 1 (Sid "x y"): Action: "kms:Decrypt" is no action: use SERVICE:NAME, where SERVICE is one of s3`},

		{`{"Statement":{"Effect":"Allow","Action":"s3:*"}}`, identity, "Resource: it is missing"},
		{one(`,"NotResource":"*"`), identity, "NotResource: Resource is there too"},
		{`{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"b/*"}}`, identity, `Resource: "b/*" is no resource: use arn:aws:s3:::BUCKET/KEY`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::"}}`, identity, `"arn:aws:s3:::" is no resource`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:r:1111:b"}}`, identity, `is no resource`},
		{`{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:ec2:r:1111:x"}}`, identity, `is no resource`},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:nobody}"}}`, identity, "no variable is called ${aws:nobody}"},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${s3:RequestObjectTagKeys}"}}`, identity, "no variable is called"},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username"}}`, identity, `without its "}"`},
		{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username, x}"}}`, identity, "has to be in single quotes"},
		{bucket(`,"Principal":"*","Action":"s3:*","Resource":"arn:aws:kms:r:1111:key/1"`), resource, "is no resource of a bucket"},

		{bucket(`,"Principal":"*","NotPrincipal":"*","Action":"s3:*","Resource":"*"`), resource, "NotPrincipal: Principal is there too"},
		{bucket(`,"Principal":"1111","Action":"s3:*","Resource":"*"`), resource, `Principal: it is neither "*" nor an object of AWS, CanonicalUser, Federated, Service`},
		{bucket(`,"Principal":{},"Action":"s3:*","Resource":"*"`), resource, `Principal: it is neither`},
		{bucket(`,"Principal":{"aws":"1111"},"Action":"s3:*","Resource":"*"`), resource, `there is no kind of principal "aws": use AWS, CanonicalUser`},
		{bucket(`,"Principal":{"AWS":[]},"Action":"s3:*","Resource":"*"`), resource, `Principal: AWS: the list is empty`},
		{bucket(`,"Principal":{"AWS":""},"Action":"s3:*","Resource":"*"`), resource, `Principal: AWS has an empty value`},
		{bucket(`,"Principal":{"AWS":"11 11"},"Action":"s3:*","Resource":"*"`), resource, `"11 11" is not an account`},
		{bucket(`,"Principal":{"CanonicalUser":"*"},"Action":"s3:*","Resource":"*"`), resource, `"*" is not an account`},
		{bucket(`,"Principal":{"Service":"*"},"Action":"s3:*","Resource":"*"`), resource, `"*" has a wildcard: name one Service`},
		{bucket(`,"NotPrincipal":{"AWS":"arn:aws:iam::1111:user/a*"},"Action":"s3:*","Resource":"*"`), resource, `NotPrincipal: "arn:aws:iam::1111:user/a*" names nobody`},
		{bucket(`,"Principal":{"AWS":"arn:aws:iam::1111:group/g"},"Action":"s3:*","Resource":"*"`), resource, "names nobody"},
		{bucket(`,"Principal":{"AWS":"arn:aws:iam::*:root"},"Action":"s3:*","Resource":"*"`), resource, "names nobody"},
		{bucket(`,"Principal":{"AWS":"arn:aws:iam::1111:user/"},"Action":"s3:*","Resource":"*"`), resource, "names nobody"},
		{bucket(`,"Principal":{"AWS":"arn:aws:sts::1111:assumed-role/r/*"},"Action":"s3:*","Resource":"*"`), resource, "names nobody"},
		{bucket(`,"Principal":{"AWS":"arn:aws:sts::1111:assumed-role/r"},"Action":"s3:*","Resource":"*"`), resource, "names nobody"},

		{if_(`"x"`), identity, "Condition: it is a string, not an object of operators"},
		{if_(`{"StringEquals":"x"}`), identity, "Condition: StringEquals: it is not an object of condition keys"},
		{if_(`{"StringEquals":{}}`), identity, "Condition: StringEquals: it is not an object of condition keys"},
		{if_(`{"StringEquels":{"s3:prefix":"a"}}`), identity, `Condition: there is no operator "StringEquels": use ArnEquals, ArnLike`},
		{if_(`{"NullIfExists":{"s3:prefix":"true"}}`), identity, `there is no operator "NullIfExists"`},
		{if_(`{"ForAllValues:Null":{"s3:prefix":"true"}}`), identity, `there is no operator "ForAllValues:Null"`},
		{if_(`{"StringEquals":{"s3:prefixes":"a"}}`), identity, `Condition: StringEquals: there is no condition key "s3:prefixes": use aws:CurrentTime`},
		{if_(`{"StringEquals":{"s3:ExistingObjectTag/":"a"}}`), identity, `there is no condition key`},
		{if_(`{"StringEquals":{"s3:prefix":"a","s3:Prefix":"b"}}`), identity, "s3:prefix occurs twice"},
		{if_(`{"StringEquals":{"s3:prefix":[]}}`), identity, "Condition: StringEquals: s3:prefix: the list is empty"},
		{if_(`{"StringEquals":{"s3:prefix":{}}}`), identity, "a value is an object"},
		{if_(`{"StringEquals":{"s3:prefix":null}}`), identity, "a value is null"},
		{if_(`{"Null":{"s3:prefix":["true","false"]}}`), identity, "Null takes one value"},
		{if_(`{"Null":{"s3:prefix":"maybe"}}`), identity, `"maybe" is not true or false`},
		{if_(`{"Bool":{"aws:SecureTransport":"yes"}}`), identity, `"yes" is not true or false`},
		{if_(`{"NumericEquals":{"s3:max-keys":"many"}}`), identity, `"many" is not a decimal number`},
		{if_(`{"NumericEquals":{"s3:max-keys":"1e999"}}`), identity, `"1e999" is not a decimal number`},
		{if_(`{"NumericEquals":{"s3:max-keys":"NaN"}}`), identity, `"NaN" is not a decimal number`},
		{if_(`{"DateEquals":{"aws:CurrentTime":"31.1.2026"}}`), identity, `"31.1.2026" is not a date such as`},
		{if_(`{"DateEquals":{"aws:CurrentTime":"99999999999999"}}`), identity, `is not a date`},
		{if_(`{"DateEquals":{"aws:CurrentTime":"99999999999999999999"}}`), identity, `is not a date`},
		{if_(`{"BinaryEquals":{"s3:prefix":"?"}}`), identity, `"?" is not base64`},
		{if_(`{"IpAddress":{"aws:SourceIp":"192.0.2.0/33"}}`), identity, `"192.0.2.0/33" is not an address or a range such as`},
		{if_(`{"IpAddress":{"aws:SourceIp":"fe80::1%eth0"}}`), identity, `is not an address`},
		{if_(`{"ArnLike":{"aws:PrincipalArn":"alice"}}`), identity, `"alice" is not an ARN`},
		{if_(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::1:${x}"}}`), identity, `no variable is called ${x}`},
		{if_(`{"StringLike":{"s3:prefix":"${aws:username"}}`), identity, `without its "}"`},
	} {
		_, err := policy.Parse([]byte(c.document), c.kind)
		require.ErrorContains(t, err, c.reason, c.document)
		require.True(t, errs.Is(err, errs.Invalid))
		var bad *policy.Error
		require.True(t, errors.As(err, &bad))
		require.Contains(t, bad.Error(), c.reason)
	}
}

func TestBoundsOfLists(t *testing.T) {
	list := func(n int) string {
		return `["s3:*"` + strings.Repeat(`,"s3:*"`, n-1) + `]`
	}
	document := func(n int) []byte {
		return []byte(`{"Statement":{"Effect":"Allow","Principal":"*","Resource":"*","Action":` + list(n) + `}}`)
	}
	_, err := policy.Parse(document(policy.MaxValues), policy.Resource)
	require.NoError(t, err)
	_, err = policy.Parse(document(policy.MaxValues+1), policy.Resource)
	require.ErrorContains(t, err, "it has 513 values, at most 512 are allowed")

	tags := func(n int) []byte {
		var keys []string
		for i := range n {
			keys = append(keys, fmt.Sprintf(`"s3:RequestObjectTag/%d":"x"`, i))
		}
		return []byte(under(`{"StringEquals":{` + strings.Join(keys, ",") + `}}`))
	}
	_, err = policy.Parse(tags(policy.MaxConditions), policy.Identity)
	require.NoError(t, err)
	_, err = policy.Parse(tags(policy.MaxConditions+1), policy.Identity)
	require.ErrorContains(t, err, "it has 65 keys, at most 64 are allowed")
	_, err = policy.Parse([]byte(under(`{"StringEquals":{"s3:prefix":"`+strings.Repeat("x", policy.MaxValueBytes+1)+`"}}`)), policy.Identity)
	require.ErrorContains(t, err, "a value is longer than 2048 bytes")
}

func TestParseBucket(t *testing.T) {
	for resource, want := range map[string]bool{
		"*":                                true,
		"arn:aws:s3:::b-1":                 true,
		"arn:aws:s3:::b-1/*":               true,
		"arn:aws:s3:::b-1/k":               true,
		"arn:aws:s3:::b-1/":                true,
		"arn:aws:s3:::b-1*":                true,
		"arn:aws:s3:::*":                   true,
		"arn:aws:s3:::*/*":                 true,
		"arn:aws:s3:::?-?/k":               true,
		"arn:aws:s3:::b*x*/k":              true, // It matches b-1/x/k.
		"arn:aws:s3:::b-?":                 true,
		"arn:aws:s3:::b-":                  false,
		"arn:aws:s3:::b-10":                false,
		"arn:aws:s3:::b-1?":                true, // The '?' may match the slash.
		"arn:aws:s3:::b-1??":               true,
		"arn:aws:s3:::c*":                  false,
		"arn:aws:s3:::c/b-1/*":             false,
		"arn:aws:s3:::B-1/*":               false,
		"arn:aws:s3:::b-??/k":              true, // b-1//k, of the key "/k".
		"arn:aws:s3:::${aws:username}/k":   true,
		"arn:aws:s3:::b-1/${aws:username}": true,
		"arn:aws:s3:::c/${aws:username}":   false,
	} {
		for _, element := range []string{"Resource", "NotResource"} {
			document := statements(`{"Effect":"Allow","Principal":"*","Action":"s3:*","` + element + `":"` + resource + `"}`)
			p, err := policy.ParseBucket([]byte(document), "b-1")
			if want {
				require.NoError(t, err, resource)
				require.Equal(t, policy.Resource, p.Kind())
				continue
			}
			require.ErrorContains(t, err, element+`: "`+resource+`" is outside the bucket: use "arn:aws:s3:::b-1", "arn:aws:s3:::b-1/*"`)
			require.True(t, errs.Is(err, errs.Invalid))
		}
	}
	_, err := policy.ParseBucket([]byte(`{`), "b-1")
	require.ErrorContains(t, err, "the JSON ends too early")
}

func TestMarshal(t *testing.T) {
	p := parse(t, `{"Statement": {"Condition": {"StringNotEquals": {"aws:useragent": "<x>", "S3:PREFIX": ["b", "a"]},
		"NumericLessThan": {"s3:max-keys": 10}, "Bool": {"aws:securetransport": true}},
		"NotResource": ["arn:aws:s3:::b/*"], "NotAction": ["s3:getObject", "S3:Put*"],
		"NotPrincipal": {"Service": "s", "AWS": ["1111", "*"], "CanonicalUser": ["2222"]}, "Effect": "Deny", "Sid": "one two"},
		"Id": "i", "Version": "2012-10-17"}`, policy.Resource)
	want := `{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"one two","Effect":"Deny",` +
		`"NotPrincipal":{"AWS":["1111","*"],"CanonicalUser":"2222","Service":"s"},"NotAction":["s3:getObject","S3:Put*"],` +
		`"NotResource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"true"},"NumericLessThan":{"s3:max-keys":"10"},` +
		`"StringNotEquals":{"aws:UserAgent":"<x>","s3:prefix":["b","a"]}}}]}`
	require.Equal(t, want, string(p.Marshal()))
	require.Equal(t, p, parse(t, want, policy.Resource))

	star := `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]}`
	require.Equal(t, star, string(parse(t, star, policy.Trust).Marshal()))
}

// Each known action can be named, and each kind of resource.
func TestAccepts(t *testing.T) {
	for _, action := range []string{"*", "s3:*", "s3:GetObject", "S3:listbucket", "s3:HeadBucket", "s3:?etObject", "kms:Decrypt", "kms:*", "sts:GetSessionToken", "admin:*", "admin:AddUser"} {
		parse(t, `{"Statement":{"Effect":"Allow","Action":"`+action+`","Resource":["*","arn:aws:kms:*:*:key/*","arn:aws:iam::1111:role/x"]}}`, policy.Identity)
	}
}
