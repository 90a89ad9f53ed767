package s3api

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// bucketOf makes an account with a bucket "bkt" and returns it with a client of the
// AWS SDK.
func bucketOf(w *world) (*person, *s3.Client) {
	p := w.account("acct")
	w.ok(p, "PUT", "/bkt", "")
	return p, s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(w.server.URL), UsePathStyle: true, HTTPClient: w.client, RetryMaxAttempts: 1,
		Credentials: credentialsOf(p),
	})
}

func credentialsOf(p *person) aws.CredentialsProviderFunc {
	return func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: p.accessKey, SecretAccessKey: p.secret, SessionToken: p.token}, nil
	}
}

// summed returns the header that a document has to come with.
func summed(document string) string {
	sum := md5.Sum([]byte(document))
	return "Content-Md5: " + base64.StdEncoding.EncodeToString(sum[:])
}

// A client sets rules, reads them back, and is told of each upload when it is
// aborted.
func TestLifecycle(t *testing.T) {
	w := newWorld(t)
	_, c := bucketOf(w)
	ctx := t.Context()
	_, err := c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String("bkt")})
	require.Equal(t, "NoSuchLifecycleConfiguration", apiCode(err))
	create := func(key string) *s3.CreateMultipartUploadOutput {
		out, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String("bkt"), Key: aws.String(key)})
		require.NoError(t, err)
		return out
	}
	before := create("tmp/x")
	require.Nil(t, before.AbortDate)

	rules := []types.LifecycleRule{
		{ID: aws.String("temporary things"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("tmp/")},
			AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(3)}},
		{Status: types.ExpirationStatusDisabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
			AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)}},
	}
	put := &s3.PutBucketLifecycleConfigurationInput{Bucket: aws.String("bkt"), LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules}}
	_, err = c.PutBucketLifecycleConfiguration(ctx, put)
	require.NoError(t, err)
	got, err := c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String("bkt")})
	require.NoError(t, err)
	require.NotEmpty(t, aws.ToString(got.Rules[1].ID), "a rule without an ID is given one")
	rules[1].ID = got.Rules[1].ID
	require.Equal(t, rules, got.Rules)

	early := time.Now()
	after := create("tmp/y")
	require.Contains(t, []time.Time{midnightAfter(early, 3), midnightAfter(time.Now(), 3)}, after.AbortDate.UTC())
	require.Equal(t, "temporary things", aws.ToString(after.AbortRuleId))
	require.Nil(t, create("other").AbortDate)
	// Rules hold for what was begun before them.
	parts, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: aws.String("bkt"), Key: aws.String("tmp/x"), UploadId: before.UploadId})
	require.NoError(t, err)
	require.NotNil(t, parts.AbortDate)
	require.Equal(t, "temporary things", aws.ToString(parts.AbortRuleId))

	_, err = c.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: aws.String("bkt")})
	require.NoError(t, err)
	_, err = c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String("bkt")})
	require.Equal(t, "NoSuchLifecycleConfiguration", apiCode(err))
	require.Nil(t, create("tmp/z").AbortDate)
}

// midnightAfter is so many days after the midnight UTC that follows t.
func midnightAfter(t time.Time, days int) time.Time {
	const day = 24 * time.Hour
	return t.UTC().Truncate(day).Add(time.Duration(days+1) * day)
}

// A document of every action is answered as it was put, and answers about an object
// tell when it expires.
func TestLifecycleDocument(t *testing.T) {
	w := newWorld(t)
	p, c := bucketOf(w)
	days, class := aws.Int32, types.TransitionStorageClassGlacier
	rules := []types.LifecycleRule{
		{ID: aws.String("a"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{
			Prefix: aws.String("tmp/"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
			ObjectSizeGreaterThan: aws.Int64(0), ObjectSizeLessThan: aws.Int64(1 << 40)}},
			Expiration: &types.LifecycleExpiration{Days: days(9)}, Transitions: []types.Transition{{Days: days(0), StorageClass: types.TransitionStorageClassStandardIa}, {Days: days(3), StorageClass: class}}},
		{ID: aws.String("b"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
			Expiration:                   &types.LifecycleExpiration{Days: days(30)},
			NoncurrentVersionExpiration:  &types.NoncurrentVersionExpiration{NoncurrentDays: days(5), NewerNoncurrentVersions: days(2)},
			NoncurrentVersionTransitions: []types.NoncurrentVersionTransition{{NoncurrentDays: days(1), NewerNoncurrentVersions: days(1), StorageClass: class}}},
		{ID: aws.String("c"), Status: types.ExpirationStatusDisabled, Filter: &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{Prefix: aws.String("x")}},
			Expiration: &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}},
		{ID: aws.String("d"), Status: types.ExpirationStatusDisabled, Filter: &types.LifecycleRuleFilter{ObjectSizeGreaterThan: aws.Int64(0)},
			Expiration: &types.LifecycleExpiration{Date: aws.Time(time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC))}},
	}
	_, err := c.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{Bucket: aws.String("bkt"),
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules}})
	require.NoError(t, err)
	got, err := c.GetBucketLifecycleConfiguration(t.Context(), &s3.GetBucketLifecycleConfigurationInput{Bucket: aws.String("bkt")})
	require.NoError(t, err)
	require.Equal(t, rules, got.Rules)

	before := time.Now()
	want := func(days int) []string {
		var all []string
		for _, at := range []time.Time{before, time.Now()} {
			all = append(all, `expiry-date="`+httpTime(midnightAfter(at, days).UnixMilli())+`", rule-id="b"`)
		}
		return all
	}
	for _, r := range []reply{w.ok(p, "PUT", "/bkt/k", "x"), w.ok(p, "GET", "/bkt/k", ""), w.ok(p, "HEAD", "/bkt/k", ""),
		w.ok(p, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/k")} {
		require.Contains(t, want(30), r.Header.Get("X-Amz-Expiration"))
	}
	w.ok(p, "DELETE", "/bkt?lifecycle", "")
	require.Empty(t, w.ok(p, "GET", "/bkt/k", "").Header.Get("X-Amz-Expiration"))
}

// Rules take rights to set, see and remove.
func TestLifecycleRights(t *testing.T) {
	w := newWorld(t)
	p, _ := bucketOf(w)
	document := "<LifecycleConfiguration>" + abortAfter("r", "", "Enabled", "1") + "</LifecycleConfiguration>"
	allow := func(action string) string {
		return statements(`{"Effect":"Allow","Action":"` + action + `","Resource":"arn:aws:s3:::bkt"}`)
	}
	reader, writer := w.user(p, "reader", allow("s3:GetLifecycleConfiguration")), w.user(p, "writer", allow("s3:PutLifecycleConfiguration"))
	w.refused("AccessDenied", reader, "PUT", "/bkt?lifecycle", document, summed(document))
	w.ok(writer, "PUT", "/bkt?lifecycle", document, summed(document))
	w.refused("AccessDenied", writer, "GET", "/bkt?lifecycle", "")
	w.ok(reader, "GET", "/bkt?lifecycle", "")
	w.refused("AccessDenied", reader, "DELETE", "/bkt?lifecycle", "")
	w.ok(writer, "DELETE", "/bkt?lifecycle", "")
	w.refused("NoSuchLifecycleConfiguration", reader, "GET", "/bkt?lifecycle", "")
}

// What cannot be carried out is refused and leaves the rules as they were.
func TestLifecycleRefusals(t *testing.T) {
	w := newWorld(t)
	p, _ := bucketOf(w)
	put := func(document string) reply { return w.as(p, "PUT", "/bkt?lifecycle", document, summed(document)) }
	const abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
	doc := func(rules ...string) string {
		return "<LifecycleConfiguration>" + strings.Join(rules, "") + "</LifecycleConfiguration>"
	}
	rule := func(scope, actions string) string {
		return "<Rule>" + scope + "<Status>Enabled</Status>" + actions + "</Rule>"
	}
	prefix := func(p string) string { return rule("<Prefix>"+p+"</Prefix>", abort) }
	kept := doc(abortAfter("kept", "k", "Enabled", "5"))
	require.Equal(t, 200, put(kept).StatusCode)
	for _, c := range []struct{ document, code, says string }{
		{"<LifecycleConfiguration/>", "MalformedXML", "at least one Rule"},
		{doc(rule("<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>", abort)), "InvalidRequest", "cannot be specified with Tags"},
		{doc(rule("<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></Filter>", abort)), "InvalidRequest", "ObjectSizeGreaterThan"},
		{doc(rule("<Filter><ObjectSizeLessThan>5</ObjectSizeLessThan></Filter>", abort)), "InvalidRequest", "ObjectSizeLessThan"},
		{doc(rule("<Filter><Prefix>"+strings.Repeat("p", 1025)+"</Prefix></Filter>", abort)), "InvalidRequest", "maximum size of a prefix"},
		{doc(abortAfter("a", "a", "Enabled", "1000001")), "InvalidArgument", "at most 1000000"},
		{doc(abortAfter("same", "a", "Enabled", "1"), abortAfter("same", "b", "Enabled", "1")), "InvalidArgument", "Rule ID must be unique"},
		{doc(prefix("a"), rule("<Filter/>", abort)), "InvalidRequest", "Either all rules"},
		{doc(prefix("x"), prefix("ab"), prefix("a")), "InvalidRequest", "overlapping prefixes 'a' and 'ab'"},
		{doc(prefix("a"), prefix("a")), "InvalidRequest", "overlapping prefixes"},
		{doc(strings.Repeat(prefix(strings.Repeat("p", 1024)), 64)), "MaxMessageLengthExceeded", ""},
		{doc(rule("<Filter><Prefix>"+strings.Repeat("&#62;", 1000)+"</Prefix></Filter>", abort), strings.Repeat(rule("<Filter/>", abort), 400)), "MaxMessageLengthExceeded", ""},
	} {
		r := put(c.document)
		require.Equal(t, c.code, r.code(), c.document)
		require.Contains(t, strings.ReplaceAll(r.body, "&apos;", "'"), c.says, c.document)
		require.Contains(t, w.ok(p, "GET", "/bkt?lifecycle", "").body, "<ID>kept</ID>", c.document)
	}
	w.refused("InvalidRequest", p, "PUT", "/bkt?lifecycle", kept) // A sum has to be there.
	w.refused("BadDigest", p, "PUT", "/bkt?lifecycle", kept, summed(""))
	for _, document := range []string{
		doc(prefix("a"), prefix("b")),
		doc(rule("<Filter/>", abort), rule("<Filter><Prefix>a</Prefix></Filter>", abort)), // Filters may overlap.
	} {
		require.Equal(t, 200, put(document).StatusCode, document)
		require.Equal(t, 2, strings.Count(w.ok(p, "GET", "/bkt?lifecycle", "").body, "<ID>"))
	}
	w.refused("NoSuchBucket", p, "GET", "/none?lifecycle", "")
}

func TestHeaderText(t *testing.T) {
	for in, want := range map[string]string{"a b~": "a b~", "Ü": "%C3%9C", "a\r\nb": "a%0D%0Ab", "": ""} {
		require.Equal(t, want, headerText(in), fmt.Sprintf("%q", in))
	}
}

// abortAfter is a rule as documents have it.
func abortAfter(id, prefix, status, days string) string {
	return "<Rule><ID>" + id + "</ID><Filter><Prefix>" + prefix + "</Prefix></Filter><Status>" + status + "</Status>" +
		"<AbortIncompleteMultipartUpload><DaysAfterInitiation>" + days + "</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"
}
