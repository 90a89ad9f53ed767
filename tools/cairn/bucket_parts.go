package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/spf13/cobra"
)

// bucketParts returns the parts of a bucket's configuration that have commands.
func bucketParts() []part {
	return []part{quotaPart(), versioningPart(), lockPart(), bucketPolicyPart(), lifecyclePart(), corsPart(),
		eventsPart(), encryptionPart(), websitePart(), logPart(), tagPart()}
}

func versioningPart() part {
	return part{
		name: "versioning", short: "the versioning", takes: "on|suspended",
		long:    "A bucket that keeps versions can only be suspended, never go back to none.",
		example: "  cairn bucket versioning set reports on",
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &types.VersioningConfiguration{Status: out.Status}, nil
		},
		show: func(w io.Writer, document any) {
			status := strings.ToLower(string(document.(*types.VersioningConfiguration).Status))
			if status == "" {
				status = "off"
			}
			row(w, "versioning", status)
		},
		build: func(_ context.Context, _ *bucketClient, args []string) (any, error) {
			switch args[1] {
			case "on":
				return &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}, nil
			case "suspended":
				return &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}, nil
			}
			return nil, &statusError{exitUsage, fmt.Errorf("%q: on or suspended", args[1])}
		},
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &bucket,
				VersioningConfiguration: document.(*types.VersioningConfiguration)})
			return err
		},
	}
}

func lockPart() part {
	var mode string
	var days, years int32
	var none bool
	return part{
		name: "lock", short: "the object lock",
		long: "With --mode, new objects are kept for so many --days or --years; with --none only those\n" +
			"whose writers say so. The bucket keeps versions from then on, and the lock stays.",
		example: "  cairn bucket lock set archive --mode governance --days 30",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&mode, "mode", "", "governance or compliance (default: none)")
			cmd.Flags().Int32Var(&days, "days", 0, "keep new objects for so many days")
			cmd.Flags().Int32Var(&years, "years", 0, "keep new objects for so many years")
			cmd.Flags().BoolVar(&none, "none", false, "keep new objects only if their writers say so")
		},
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return out.ObjectLockConfiguration, nil
		},
		build: func(context.Context, *bucketClient, []string) (any, error) {
			lock := &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}
			switch {
			case none && mode == "" && days == 0 && years == 0:
				return lock, nil
			case mode == "" && days == 0 && years == 0 && !none:
				return nil, nil
			case none || (mode != "governance" && mode != "compliance") || (days > 0) == (years > 0):
				return nil, &statusError{exitUsage,
					errors.New("give --mode governance|compliance with --days or --years, or --none")}
			}
			keep := &types.DefaultRetention{Mode: types.ObjectLockRetentionMode(strings.ToUpper(mode))}
			if days > 0 {
				keep.Days = &days
			} else {
				keep.Years = &years
			}
			lock.Rule = &types.ObjectLockRule{DefaultRetention: keep}
			return lock, nil
		},
		read: readAs[types.ObjectLockConfiguration],
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{Bucket: &bucket,
				ObjectLockConfiguration: document.(*types.ObjectLockConfiguration)})
			return err
		},
	}
}

func bucketPolicyPart() part {
	return part{
		name: "policy", short: "the policy", example: "  cairn bucket policy set reports --file policy.json",
		long: "`cairn policy simulate` tells who may do what by it.",
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return documentText(aws.ToString(out.Policy)), nil
		},
		read: func(text []byte) (any, error) { return documentText(text), nil },
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: &bucket,
				Policy: aws.String(string(document.(documentText)))})
			return err
		},
		clear: func(ctx context.Context, c *bucketClient, bucket string) error {
			_, err := c.DeleteBucketPolicy(ctx, &s3.DeleteBucketPolicyInput{Bucket: &bucket})
			return err
		},
	}
}

// documentText is a document of JSON that is sent and shown as it is.
type documentText string

// MarshalJSON implements json.Marshaler.
func (d documentText) MarshalJSON() ([]byte, error) { return []byte(d), nil }

func corsPart() part {
	r := types.CORSRule{}
	var age int32
	return part{
		name: "cors", short: "the CORS rules", long: "They say which web pages of other origins may use the bucket.",
		example: "  cairn bucket cors set www --origin https://example.com --method GET --method PUT --header '*'",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringArrayVar(&r.AllowedOrigins, "origin", nil, "an origin that may; may be repeated (default: none)")
			cmd.Flags().StringArrayVar(&r.AllowedMethods, "method", nil, "a method; may be repeated (default: GET)")
			cmd.Flags().StringArrayVar(&r.AllowedHeaders, "header", nil,
				"a header that requests may have; may be repeated (default: none)")
			cmd.Flags().StringArrayVar(&r.ExposeHeaders, "expose", nil,
				"a header that pages may read; may be repeated (default: none)")
			cmd.Flags().Int32Var(&age, "max-age", 0, "for how many seconds browsers may remember the answer")
		},
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &types.CORSConfiguration{CORSRules: out.CORSRules}, nil
		},
		build: func(context.Context, *bucketClient, []string) (any, error) {
			if len(r.AllowedOrigins) == 0 {
				return nil, nil
			}
			if len(r.AllowedMethods) == 0 {
				r.AllowedMethods = []string{"GET"}
			}
			if age > 0 {
				r.MaxAgeSeconds = &age
			}
			return &types.CORSConfiguration{CORSRules: []types.CORSRule{r}}, nil
		},
		read: readAs[types.CORSConfiguration],
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: &bucket,
				CORSConfiguration: document.(*types.CORSConfiguration)})
			return err
		},
		clear: func(ctx context.Context, c *bucketClient, bucket string) error {
			_, err := c.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &bucket})
			return err
		},
	}
}

func eventsPart() part {
	var target, prefix, suffix string
	var on []string
	return part{
		name: "events", short: "the event notifications",
		long:    "A target is made by `cairn event-target`, which shows its ARN.",
		example: "  cairn bucket events set in --target arn:cairn:sqs:us-east-1:hook:webhook --on 's3:ObjectCreated:*'",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&target, "target", "", "ARN of the target (default: none)")
			cmd.Flags().StringArrayVar(&on, "on", nil, "an event; may be repeated (default: s3:ObjectCreated:*)")
			cmd.Flags().StringVar(&prefix, "prefix", "", "only of keys that begin with it (default: all)")
			cmd.Flags().StringVar(&suffix, "suffix", "", "only of keys that end with it (default: all)")
		},
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetBucketNotificationConfiguration(ctx, &s3.GetBucketNotificationConfigurationInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &types.NotificationConfiguration{QueueConfigurations: out.QueueConfigurations,
				TopicConfigurations: out.TopicConfigurations, LambdaFunctionConfigurations: out.LambdaFunctionConfigurations}, nil
		},
		build: func(context.Context, *bucketClient, []string) (any, error) {
			if target == "" {
				return nil, nil
			}
			q := types.QueueConfiguration{QueueArn: &target}
			if len(on) == 0 {
				on = []string{"s3:ObjectCreated:*"}
			}
			for _, e := range on {
				q.Events = append(q.Events, types.Event(e))
			}
			f := &types.S3KeyFilter{}
			for _, rule := range []types.FilterRule{{Name: types.FilterRuleNamePrefix, Value: &prefix},
				{Name: types.FilterRuleNameSuffix, Value: &suffix}} {
				if *rule.Value != "" {
					f.FilterRules = append(f.FilterRules, rule)
					q.Filter = &types.NotificationConfigurationFilter{Key: f}
				}
			}
			return &types.NotificationConfiguration{QueueConfigurations: []types.QueueConfiguration{q}}, nil
		},
		read: readAs[types.NotificationConfiguration],
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket,
				NotificationConfiguration: document.(*types.NotificationConfiguration)})
			return err
		},
		clear: func(ctx context.Context, c *bucketClient, bucket string) error {
			_, err := c.PutBucketNotificationConfiguration(ctx, &s3.PutBucketNotificationConfigurationInput{Bucket: &bucket,
				NotificationConfiguration: &types.NotificationConfiguration{}})
			return err
		},
	}
}

// encryptionS3 is how set says that new objects are encrypted under keys of the cluster.
const encryptionS3 = "sse-s3"

func encryptionPart() part {
	return part{
		name: "encryption", short: "the encryption of new objects", takes: "[sse-s3|KEY]",
		long:    "KEY is the ARN, the id or the alias of a master key (see `cairn kms`).",
		example: "  cairn bucket encryption set reports sse-s3\n  cairn bucket encryption set payroll alias/payroll",
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetBucketEncryption(ctx, &s3.GetBucketEncryptionInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return out.ServerSideEncryptionConfiguration, nil
		},
		build: func(_ context.Context, _ *bucketClient, args []string) (any, error) {
			key := argument(args, 1)
			if key == "" {
				return nil, nil
			}
			by := &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAes256}
			if key != encryptionS3 {
				by = &types.ServerSideEncryptionByDefault{SSEAlgorithm: types.ServerSideEncryptionAwsKms, KMSMasterKeyID: &key}
			}
			return &types.ServerSideEncryptionConfiguration{
				Rules: []types.ServerSideEncryptionRule{{ApplyServerSideEncryptionByDefault: by}}}, nil
		},
		read: readAs[types.ServerSideEncryptionConfiguration],
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutBucketEncryption(ctx, &s3.PutBucketEncryptionInput{Bucket: &bucket,
				ServerSideEncryptionConfiguration: document.(*types.ServerSideEncryptionConfiguration)})
			return err
		},
		clear: func(ctx context.Context, c *bucketClient, bucket string) error {
			_, err := c.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: &bucket})
			return err
		},
	}
}

func websitePart() part {
	var index, wrong, redirect string
	return part{
		name: "website", short: "the website",
		example: "  cairn bucket website set www --index index.html --error 404.html",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&index, "index", "", "the page of a directory (default: none)")
			cmd.Flags().StringVar(&wrong, "error", "", "key of the page for what is not there (default: none)")
			cmd.Flags().StringVar(&redirect, "redirect", "", "host that all requests are sent to (default: none)")
		},
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &types.WebsiteConfiguration{IndexDocument: out.IndexDocument, ErrorDocument: out.ErrorDocument,
				RedirectAllRequestsTo: out.RedirectAllRequestsTo, RoutingRules: out.RoutingRules}, nil
		},
		build: func(context.Context, *bucketClient, []string) (any, error) {
			site := &types.WebsiteConfiguration{}
			switch {
			case index == "" && wrong == "" && redirect == "":
				return nil, nil
			case redirect != "" && index+wrong != "", redirect == "" && index == "":
				return nil, &statusError{exitUsage, errors.New("give --index, with --error if you like, or --redirect")}
			case redirect != "":
				site.RedirectAllRequestsTo = &types.RedirectAllRequestsTo{HostName: &redirect}
				return site, nil
			}
			site.IndexDocument = &types.IndexDocument{Suffix: &index}
			if wrong != "" {
				site.ErrorDocument = &types.ErrorDocument{Key: &wrong}
			}
			return site, nil
		},
		read: readAs[types.WebsiteConfiguration],
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutBucketWebsite(ctx, &s3.PutBucketWebsiteInput{Bucket: &bucket,
				WebsiteConfiguration: document.(*types.WebsiteConfiguration)})
			return err
		},
		clear: func(ctx context.Context, c *bucketClient, bucket string) error {
			_, err := c.DeleteBucketWebsite(ctx, &s3.DeleteBucketWebsiteInput{Bucket: &bucket})
			return err
		},
	}
}

func logPart() part {
	var prefix string
	return part{
		name: "log", short: "the access log", takes: "[TARGET]",
		long: "TARGET is the bucket that the log is written to. Its policy must let the service\n" +
			"logging.s3.amazonaws.com do s3:PutObject.",
		example: "  cairn bucket log set reports logs --prefix reports/",
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&prefix, "prefix", "", "the keys of the log begin with it (default: none)")
		},
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetBucketLogging(ctx, &s3.GetBucketLoggingInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &types.BucketLoggingStatus{LoggingEnabled: out.LoggingEnabled}, nil
		},
		build: func(_ context.Context, _ *bucketClient, args []string) (any, error) {
			to := argument(args, 1)
			if to == "" {
				return nil, nil
			}
			return &types.BucketLoggingStatus{LoggingEnabled: &types.LoggingEnabled{TargetBucket: &to, TargetPrefix: &prefix}},
				nil
		},
		read: readAs[types.BucketLoggingStatus],
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutBucketLogging(ctx, &s3.PutBucketLoggingInput{Bucket: &bucket,
				BucketLoggingStatus: document.(*types.BucketLoggingStatus)})
			return err
		},
		clear: func(ctx context.Context, c *bucketClient, bucket string) error {
			_, err := c.PutBucketLogging(ctx, &s3.PutBucketLoggingInput{Bucket: &bucket,
				BucketLoggingStatus: &types.BucketLoggingStatus{}})
			return err
		},
	}
}

func tagPart() part {
	return part{
		name: "tag", short: "the tags", takes: "[KEY=VALUE...]",
		example: "  cairn bucket tag set reports team=finance stage=live",
		get: func(ctx context.Context, c *bucketClient, bucket string) (any, error) {
			out, err := c.GetBucketTagging(ctx, &s3.GetBucketTaggingInput{Bucket: &bucket})
			if err != nil {
				return nil, err
			}
			return &types.Tagging{TagSet: out.TagSet}, nil
		},
		show: func(w io.Writer, document any) {
			row(w, "TAG", "VALUE")
			for _, t := range document.(*types.Tagging).TagSet {
				row(w, aws.ToString(t.Key), aws.ToString(t.Value))
			}
		},
		build: func(_ context.Context, _ *bucketClient, args []string) (any, error) {
			if len(args) < 2 {
				return nil, nil
			}
			out := &types.Tagging{}
			for _, text := range args[1:] {
				key, value, ok := strings.Cut(text, "=")
				if !ok || key == "" {
					return nil, &statusError{exitUsage, fmt.Errorf("%q is not KEY=VALUE", text)}
				}
				out.TagSet = append(out.TagSet, types.Tag{Key: &key, Value: &value})
			}
			return out, nil
		},
		read: readAs[types.Tagging],
		put: func(ctx context.Context, c *bucketClient, bucket string, document any) error {
			_, err := c.PutBucketTagging(ctx, &s3.PutBucketTaggingInput{Bucket: &bucket, Tagging: document.(*types.Tagging)})
			return err
		},
		clear: func(ctx context.Context, c *bucketClient, bucket string) error {
			_, err := c.DeleteBucketTagging(ctx, &s3.DeleteBucketTaggingInput{Bucket: &bucket})
			return err
		},
	}
}
