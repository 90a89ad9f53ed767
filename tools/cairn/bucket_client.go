package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// bucketClient is the S3 API of a target, as commands of buckets call it.
type bucketClient struct {
	*s3.Client
	raw *s3Client // For what is not S3's: quotas.
}

// bucketRegion is the region in the signatures. Every node takes any.
const bucketRegion = "us-east-1"

// buckets returns the S3 API of the target.
func (t *target) buckets() (*bucketClient, error) {
	raw, err := t.s3(1)
	if err != nil {
		return nil, err
	}
	hc, err := t.httpClient()
	if err != nil {
		return nil, err
	}
	hc.Timeout = 0 // A body takes as long as it takes; a command has its own limit.
	keys := aws.Credentials{AccessKeyID: t.AccessKey, SecretAccessKey: t.SecretKey}
	sdk := s3.New(s3.Options{BaseEndpoint: aws.String(t.Endpoint), Region: bucketRegion, UsePathStyle: true,
		HTTPClient:  hc,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil })})
	return &bucketClient{sdk, raw}, nil
}

// bucketFailure gives a failed call of the S3 API its exit status.
func (t *target) bucketFailure(err error) error {
	var old *s3Error
	var answered *awshttp.ResponseError
	var told smithy.APIError
	switch {
	case errors.As(err, &old):
		return t.s3Failure(err)
	case !errors.As(err, &answered) || answered.HTTPStatusCode() >= http.StatusInternalServerError || !errors.As(err,
		&told):
		return &statusError{exitUnavailable, fmt.Errorf("%s: %w", t.Endpoint, err)}
	case answered.HTTPStatusCode() == http.StatusNotFound:
		return &statusError{exitNotFound, fmt.Errorf("%s: %s", told.ErrorCode(), told.ErrorMessage())}
	}
	return &statusError{exitError, fmt.Errorf("%s: %s", told.ErrorCode(), told.ErrorMessage())}
}

// printPlain writes a value as JSON, with the names of its fields as they are in Go, which for types
// of the SDK are the names that the aws command line has. Fields that are not set are left out.
func printPlain(out io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return err
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(pruned(tree))
}

// pruned returns JSON without members that are null, empty texts or empty objects.
func pruned(tree any) any {
	switch v := tree.(type) {
	case map[string]any:
		for name, member := range v {
			member = pruned(member)
			if inner, ok := member.(map[string]any); member == nil || member == "" || ok && len(inner) == 0 {
				delete(v, name)
				continue
			}
			v[name] = member
		}
	case []any:
		for i := range v {
			v[i] = pruned(v[i])
		}
	}
	return tree
}
