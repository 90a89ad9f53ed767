package wirexml_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// refusal is a transport that answers with an error of the table.
type refusal struct{ code s3err.Code }

// Do implements s3.HTTPClient.
func (f refusal) Do(r *http.Request) (*http.Response, error) {
	status, body := wirexml.Render(f.code.Err(), "/bucket/key", "request-1", "host-1")
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/xml"}},
		Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

func (f refusal) client() *s3.Client {
	return s3.New(s3.Options{Region: "us-east-1", HTTPClient: f, UsePathStyle: true, BaseEndpoint: aws.String("http://localhost"), RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, nil
		})})
}

// is reports whether an error is one of the SDK's classes.
func is[T error](err error) bool {
	var class T
	return errors.As(err, &class)
}

// classes are the codes for which the SDK has a class, each with a call that returns it.
var classes = map[s3err.Code]struct {
	call func(context.Context, *s3.Client) error
	is   func(error) bool
}{
	"NoSuchKey":               {getObject, is[*types.NoSuchKey]},
	"InvalidObjectState":      {getObject, is[*types.InvalidObjectState]},
	"NoSuchUpload":            {abortUpload, is[*types.NoSuchUpload]},
	"NoSuchBucket":            {listObjects, is[*types.NoSuchBucket]},
	"BucketAlreadyExists":     {createBucket, is[*types.BucketAlreadyExists]},
	"BucketAlreadyOwnedByYou": {createBucket, is[*types.BucketAlreadyOwnedByYou]},
}

func getObject(ctx context.Context, c *s3.Client) error {
	_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
	return err
}

func abortUpload(ctx context.Context, c *s3.Client) error {
	_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String("bucket"), Key: aws.String("key"), UploadId: aws.String("u")})
	return err
}

func listObjects(ctx context.Context, c *s3.Client) error {
	_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("bucket")})
	return err
}

func createBucket(ctx context.Context, c *s3.Client) error {
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("bucket")})
	return err
}

// Every error of the table reaches a user of aws-sdk-go-v2 with its code and message, and in the
// SDK's class for it.
func TestErrorsWithSDK(t *testing.T) {
	for code, row := range s3err.Table {
		if row.Status < http.StatusBadRequest {
			continue // An answer without a document.
		}
		var api smithy.APIError
		require.ErrorAs(t, getObject(t.Context(), refusal{code}.client()), &api, code)
		require.Equal(t, string(code), api.ErrorCode())
		require.Equal(t, code.Err().Text(), api.ErrorMessage(), code)
	}
	for code, class := range classes {
		require.Contains(t, s3err.Table, code)
		err := class.call(t.Context(), refusal{code}.client())
		require.True(t, class.is(err), "%s is a %T", code, err)
	}
}
