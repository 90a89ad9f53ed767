package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/policy"
)

// FuzzParse checks that a document is either refused with an error for its author, or is a policy
// that its canonical form gives back and that can be evaluated.
func FuzzParse(f *testing.F) {
	for _, document := range []string{
		under(`{"StringNotEquals":{"aws:useragent":"<x>"},"ForAnyValue:NumericLessThanIfExists":{"s3:max-keys":[10,"2"]}}`),
		under(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/${aws:username, 'x}'}"},"IpAddress":{"aws:SourceIp":"::ffff:1.2.3.0/120"}}`),
		under(`{"DateLessThan":{"aws:CurrentTime":"2026-01-31"},"Null":{"s3:prefix":true},"BinaryEquals":{"s3:prefix":"aGk="}}`),
		`{"Id":"i","Statement":[{"Sid":"s","Effect":"Deny","NotPrincipal":{"AWS":["1111","arn:aws:iam::1:user/*"]},"NotAction":"s3:Get*","NotResource":"arn:aws:s3:::b/*"}]}`,
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}`,
	} {
		for kind := policy.Identity; kind <= policy.Trust; kind++ {
			f.Add([]byte(document), uint8(kind))
		}
	}
	f.Fuzz(func(t *testing.T, document []byte, k uint8) {
		kind := policy.Kind(k % 3)
		p, err := policy.Parse(document, kind)
		if err != nil {
			require.True(t, errs.Is(err, errs.Invalid))
			require.NotEmpty(t, err.Error())
			return
		}
		policy.IsPublic(p)
		for _, who := range []policy.Principal{alice, anonymous} {
			r := get(facts{policy.KeyPrefix: {"a", "b"}, policy.KeyMaxKeys: {"1"}})
			r.Principal = who
			policy.Evaluate(p, r)
		}
		canonical := p.Marshal()
		if len(canonical) > policy.MaxTrustPolicyBytes {
			return // Escapes and defaults may make it longer than Parse accepts.
		}
		again, err := policy.Parse(canonical, kind)
		require.NoError(t, err, "%s", canonical)
		require.Equal(t, p, again)
	})
}
