package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/policy"
)

const benchDocument = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}},
	{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}},
	{"Effect":"Allow","Principal":{"AWS":["2222","arn:aws:iam::1111:user/alice"]},"Action":["s3:GetObject","s3:GetObjectVersion"],"Resource":"arn:aws:s3:::b/data/*/part-?.bin",
	 "Condition":{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","192.0.2.0/24"]},"NumericLessThanIfExists":{"s3:signatureAge":600000},"DateLessThan":{"aws:CurrentTime":"2030-01-01T00:00:00Z"}}}]}`

func benchRequest() *policy.Request {
	values := facts{policy.KeySecureTransport: {"true"}, policy.KeySourceIP: {"192.0.2.9"}, policy.KeyCurrentTime: {"2026-01-31T12:00:00Z"}}
	return &policy.Request{Action: "s3:GetObject", Resource: policy.ObjectARN("b", "data/2026/01/part-7.bin"), Principal: alice, Conditions: values.conditions}
}

func TestEvaluateDoesNotAllocate(t *testing.T) {
	p, r := parse(t, benchDocument, policy.Resource), benchRequest()
	require.Equal(t, policy.Allow, policy.Evaluate(p, r))
	require.Zero(t, testing.AllocsPerRun(100, func() { policy.Evaluate(p, r) }))
}

func BenchmarkEvaluate(b *testing.B) {
	p, r := parse(b, benchDocument, policy.Resource), benchRequest()
	b.ReportAllocs()
	for b.Loop() {
		policy.Evaluate(p, r)
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		parse(b, benchDocument, policy.Resource)
	}
}
