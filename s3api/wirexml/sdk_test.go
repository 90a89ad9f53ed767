package wirexml_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// wire is a transport that keeps what the SDK sends and answers with a document.
type wire struct {
	sent   []byte
	answer []byte
}

// Do implements s3.HTTPClient.
func (w *wire) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		w.sent, _ = io.ReadAll(r.Body)
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/xml"}},
		Body: io.NopCloser(bytes.NewReader(w.answer)), Request: r}, nil
}

func (w *wire) client() *s3.Client {
	return s3.New(s3.Options{Region: "us-east-1", HTTPClient: w, UsePathStyle: true, BaseEndpoint: aws.String("http://localhost"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		})})
}

// styles are the styles in which a document must be readable.
var styles = []wirexml.Style{
	{Namespace: wirexml.Namespace},
	{Namespace: wirexml.OBSNamespace("obs.example.com"), Standalone: true},
}

// TestConfigurationsWithSDK: we read what the SDK writes, and from what we write the SDK reads the
// same again, in every style.
func TestConfigurationsWithSDK(t *testing.T) {
	bucket, ctx := aws.String("bkt"), t.Context()
	for _, style := range styles {
		w := &wire{}
		c := w.client()

		for _, status := range []types.BucketVersioningStatus{"Enabled", "Suspended"} {
			_, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: bucket,
				VersioningConfiguration: &types.VersioningConfiguration{Status: status, MFADelete: types.MFADeleteDisabled}})
			require.NoError(t, err)
			state, err := wirexml.ParseVersioning(w.sent)
			require.NoError(t, err, string(w.sent))
			w.answer = style.Marshal(&wirexml.Versioning{State: state})
			got, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket})
			require.NoError(t, err)
			require.Equal(t, status, got.Status)
		}
		w.answer = style.Marshal(&wirexml.Versioning{})
		never, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: bucket})
		require.NoError(t, err)
		require.Empty(t, never.Status)

		for _, want := range encryptions {
			_, err := c.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: bucket, ServerSideEncryptionConfiguration: want})
			require.NoError(t, err)
			d, err := wirexml.ParseBucketEncryption(w.sent)
			require.NoError(t, err, string(w.sent))
			w.answer = style.Marshal(d)
			got, err := c.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: bucket})
			require.NoError(t, err)
			require.Equal(t, want, got.ServerSideEncryptionConfiguration)
		}

		for _, payer := range types.Payer("").Values() {
			_, err := c.PutBucketRequestPayment(ctx, &s3.PutBucketRequestPaymentInput{Bucket: bucket,
				RequestPaymentConfiguration: &types.RequestPaymentConfiguration{Payer: payer}})
			require.NoError(t, err)
			d, err := wirexml.ParseRequestPayment(w.sent)
			require.NoError(t, err, string(w.sent))
			w.answer = style.Marshal(d)
			got, err := c.GetBucketRequestPayment(ctx, &s3.GetBucketRequestPaymentInput{Bucket: bucket})
			require.NoError(t, err)
			require.Equal(t, payer, got.Payer)
		}

		block := &types.PublicAccessBlockConfiguration{BlockPublicAcls: aws.Bool(true), IgnorePublicAcls: aws.Bool(false),
			BlockPublicPolicy: aws.Bool(true), RestrictPublicBuckets: aws.Bool(false)}
		_, err = c.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: bucket, PublicAccessBlockConfiguration: block})
		require.NoError(t, err)
		access, err := wirexml.ParsePublicAccessBlock(w.sent)
		require.NoError(t, err, string(w.sent))
		w.answer = style.Marshal(access)
		gotBlock, err := c.GetPublicAccessBlock(ctx, &s3.GetPublicAccessBlockInput{Bucket: bucket})
		require.NoError(t, err)
		require.Equal(t, block, gotBlock.PublicAccessBlockConfiguration)

		for _, ownership := range types.ObjectOwnership("").Values() {
			want := &types.OwnershipControls{Rules: []types.OwnershipControlsRule{{ObjectOwnership: ownership}}}
			_, err := c.PutBucketOwnershipControls(ctx, &s3.PutBucketOwnershipControlsInput{Bucket: bucket, OwnershipControls: want})
			require.NoError(t, err)
			d, err := wirexml.ParseOwnershipControls(w.sent)
			require.NoError(t, err, string(w.sent))
			w.answer = style.Marshal(d)
			got, err := c.GetBucketOwnershipControls(ctx, &s3.GetBucketOwnershipControlsInput{Bucket: bucket})
			require.NoError(t, err)
			require.Equal(t, want, got.OwnershipControls)
		}

		tags := []types.Tag{{Key: aws.String(" a&b"), Value: aws.String("")}, {Key: aws.String("k"), Value: aws.String("ü v ")}}
		_, err = c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: bucket, Key: aws.String("k"), Tagging: &types.Tagging{TagSet: tags}})
		require.NoError(t, err)
		pairs, err := wirexml.ParseTagging(w.sent, wirexml.MaxObjectTags)
		require.NoError(t, err, string(w.sent))
		w.answer = style.Marshal(&wirexml.Tagging{Tags: pairs})
		gotTags, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: bucket, Key: aws.String("k")})
		require.NoError(t, err)
		require.Equal(t, tags, gotTags.TagSet)

		_, err = c.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket,
			LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: lifecycleRules}})
		require.NoError(t, err)
		lifecycle, err := wirexml.ParseLifecycle(w.sent)
		require.NoError(t, err, string(w.sent))
		w.answer = style.Marshal(lifecycle)
		again, err := wirexml.ParseLifecycle(w.answer)
		require.NoError(t, err)
		require.Equal(t, lifecycle, again)
		gotRules, err := c.GetBucketLifecycleConfiguration(ctx, &s3.GetBucketLifecycleConfigurationInput{Bucket: bucket})
		require.NoError(t, err)
		require.Equal(t, lifecycleRules, gotRules.Rules)

		_, err = c.RestoreObject(ctx, &s3.RestoreObjectInput{Bucket: bucket, Key: aws.String("k"), RestoreRequest: &types.RestoreRequest{
			Days: aws.Int32(3), GlacierJobParameters: &types.GlacierJobParameters{Tier: types.TierBulk}, Description: aws.String("d")}})
		require.NoError(t, err)
		restore, err := wirexml.ParseRestoreRequest(w.sent)
		require.NoError(t, err, string(w.sent))
		require.Equal(t, &wirexml.RestoreRequest{Days: 3, Tier: "Bulk"}, restore)
	}
}

var encryptions = []*types.ServerSideEncryptionConfiguration{
	{Rules: []types.ServerSideEncryptionRule{{BucketKeyEnabled: aws.Bool(false),
		ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256}}}},
	{Rules: []types.ServerSideEncryptionRule{{BucketKeyEnabled: aws.Bool(true),
		ApplyServerSideEncryptionByDefault: &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAwsKms, KMSMasterKeyID: aws.String("r:d:key/i")},
		BlockedEncryptionTypes:             &types.BlockedEncryptionTypes{EncryptionType: []types.EncryptionType{types.EncryptionTypeSseC}}}}},
}

var lifecycleRules = []types.LifecycleRule{
	{ID: aws.String("all & everything"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{And: &types.LifecycleRuleAndOperator{
		Prefix: aws.String("logs/"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}, {Key: aws.String("c"), Value: aws.String("")}},
		ObjectSizeGreaterThan: aws.Int64(100), ObjectSizeLessThan: aws.Int64(1 << 40)}},
		Expiration: &types.LifecycleExpiration{Days: aws.Int32(400)},
		Transitions: []types.Transition{{Days: aws.Int32(0), StorageClass: types.TransitionStorageClassStandardIa},
			{Date: aws.Time(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)), StorageClass: types.TransitionStorageClassGlacier}},
		NoncurrentVersionExpiration:    &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(9), NewerNoncurrentVersions: aws.Int32(2)},
		NoncurrentVersionTransitions:   []types.NoncurrentVersionTransition{{NoncurrentDays: aws.Int32(3), StorageClass: types.TransitionStorageClassGlacier}},
		AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(7)}},
	{Status: types.ExpirationStatusDisabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")},
		Expiration: &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}},
	{Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Tag: &types.Tag{Key: aws.String("k"), Value: aws.String("v")}},
		Expiration: &types.LifecycleExpiration{Date: aws.Time(time.Date(2030, 5, 6, 0, 0, 0, 0, time.UTC))}},
	{Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{ObjectSizeLessThan: aws.Int64(5)},
		NoncurrentVersionExpiration: &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(1)}},
	{Status: types.ExpirationStatusEnabled, Prefix: aws.String("old/"), AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{DaysAfterInitiation: aws.Int32(1)}},
}

func TestListVersionsWithSDK(t *testing.T) {
	d := documents()["ListVersions"]
	for _, style := range styles {
		w := &wire{answer: style.Marshal(d)}
		got, err := w.client().ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("bucket")})
		require.NoError(t, err)
		require.Len(t, got.Versions, 2)
		require.Equal(t, types.ObjectVersion{Key: aws.String("a b/k & l"), VersionId: aws.String("v2"), IsLatest: aws.Bool(false), ETag: aws.String(`"etag-2"`),
			Size: aws.Int64(5), LastModified: aws.Time(time.UnixMilli(when).UTC()), StorageClass: types.ObjectVersionStorageClassStandard,
			ChecksumAlgorithm: []types.ChecksumAlgorithm{"SHA256"}, ChecksumType: types.ChecksumTypeComposite,
			Owner: &types.Owner{ID: aws.String("owner-id"), DisplayName: aws.String("Owner & Co")}}, got.Versions[0])
		require.Equal(t, "null", *got.Versions[1].VersionId)
		require.Equal(t, "other", *got.Versions[1].Owner.ID)
		require.EqualValues(t, "GLACIER", got.Versions[1].StorageClass)
		require.Len(t, got.DeleteMarkers, 1)
		require.Equal(t, "m1", *got.DeleteMarkers[0].VersionId)
		require.True(t, *got.DeleteMarkers[0].IsLatest)
		require.Equal(t, "a b/sub/", *got.CommonPrefixes[0].Prefix)
		require.Equal(t, "nk", *got.NextKeyMarker)
		require.Equal(t, "nv", *got.NextVersionIdMarker)
		require.True(t, *got.IsTruncated)
	}
}

// TestLocationWithSDK: clients that sign with V4 read the location in AWS's form, whatever the
// namespace is.
func TestLocationWithSDK(t *testing.T) {
	for _, style := range styles {
		w := &wire{answer: style.Marshal(&wirexml.Location{Region: "eu-de"})}
		got, err := w.client().GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: aws.String("b")})
		require.NoError(t, err)
		require.EqualValues(t, "eu-de", got.LocationConstraint)
	}
	const ns = "http://obs.example.com/doc/2015-06-30/"
	require.Equal(t, `<CreateBucketConfiguration xmlns="`+ns+`"><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>`,
		string((&wirexml.Location{Region: "us-east-1", Form: wirexml.LocationOBS}).AppendXML(nil, ns)))
	require.Equal(t, `<Location xmlns="`+ns+`">us-east-1</Location>`,
		string((&wirexml.Location{Region: "us-east-1", Form: wirexml.LocationOBSNative}).AppendXML(nil, ns)))
}

var versionEntries = []*metapb.VersionEntry{
	{Key: "a b/k & l", Latest: true, Version: &metapb.Version{VersionId: "m1", DeleteMarker: true, ModifiedMs: when, Owner: "owner-id"}},
	{Key: "a b/k & l", Version: &metapb.Version{VersionId: "v2", Etag: "etag-2", Size: 5, ModifiedMs: when, Owner: "owner-id",
		Checksums: []*metapb.Checksum{{Algorithm: "SHA256", Composite: true}}}},
	{Key: "a b/k & l", Version: &metapb.Version{Etag: "etag", Owner: "other", Attributes: &metapb.Attributes{StorageClass: "GLACIER"}}},
	{Key: "a b/sub/", Prefix: true},
}
