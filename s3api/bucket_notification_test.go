package s3api

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/iam"
)

const testTarget = "arn:cairn:sqs:us-east-1:t:webhook"

func withTarget(c *Config) {
	c.KnownTarget = func(_ context.Context, arn, _ string) bool { return arn == testTarget }
}

// waiting returns the events that wait for the test's target.
func (w *world) waiting() []*metapb.Event {
	w.t.Helper()
	a, err := w.meta.Read(w.t.Context(), &metapb.Query{Op: &metapb.Query_Events{Events: &metapb.ListEvents{Target: testTarget}}})
	require.NoError(w.t, err)
	return a.Events.Events
}

// A client sets rules, reads them back, and what it does then is queued with what it
// did: nothing else, and nothing without rules.
func TestNotifications(t *testing.T) {
	w := newWorld(t, withTarget)
	p, c := bucketOf(w)
	got, err := c.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: aws.String("bkt")})
	require.NoError(t, err)
	require.Empty(t, got.QueueConfigurations)
	w.ok(p, "PUT", "/bkt/in/before", "x")
	require.Empty(t, w.waiting())

	filter := &types.NotificationConfigurationFilter{Key: &types.S3KeyFilter{FilterRules: []types.FilterRule{
		{Name: "prefix", Value: aws.String("in/")}, {Name: "suffix", Value: aws.String("x")}}}}
	config := &types.NotificationConfiguration{
		QueueConfigurations:          []types.QueueConfiguration{{Id: aws.String("q"), QueueArn: aws.String(testTarget), Events: []types.Event{"s3:ObjectCreated:*", "s3:ObjectAcl:Put"}, Filter: filter}},
		TopicConfigurations:          []types.TopicConfiguration{{Id: aws.String("t"), TopicArn: aws.String(testTarget), Events: []types.Event{"s3:ObjectRemoved:*"}}},
		LambdaFunctionConfigurations: []types.LambdaFunctionConfiguration{{Id: aws.String("f"), LambdaFunctionArn: aws.String(testTarget), Events: []types.Event{"s3:LifecycleTransition"}}},
	}
	_, err = c.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{Bucket: aws.String("bkt"), NotificationConfiguration: config})
	require.NoError(t, err)
	got, err = c.GetBucketNotificationConfiguration(t.Context(), &s3.GetBucketNotificationConfigurationInput{Bucket: aws.String("bkt")})
	require.NoError(t, err)
	require.Equal(t, config.QueueConfigurations, got.QueueConfigurations)
	require.Equal(t, config.TopicConfigurations, got.TopicConfigurations)
	require.Equal(t, config.LambdaFunctionConfigurations, got.LambdaFunctionConfigurations)

	r := w.ok(p, "PUT", "/bkt/in/x", "body")
	w.ok(p, "PUT", "/bkt/in/other", "y")
	w.ok(p, "PUT", "/bkt/in/copyx", "", "X-Amz-Copy-Source: bkt/in/x")
	w.ok(p, "PUT", "/bkt/in/x?acl", "", "X-Amz-Acl: public-read")
	w.ok(p, "DELETE", "/bkt/in/other", "")
	w.ok(p, "DELETE", "/bkt/in/none", "")
	events := w.waiting()
	var seen []string
	for _, e := range events {
		seen = append(seen, e.Kind.String()+" "+e.Key+" "+e.Rule)
	}
	require.Equal(t, []string{"EVENT_TEST  f", "EVENT_PUT in/x q", "EVENT_COPY in/copyx q", "EVENT_ACL_PUT in/x q", "EVENT_DELETE in/other t"}, seen)
	put := events[1]
	require.Equal(t, &metapb.Origin{Principal: p.account, SourceIp: "127.0.0.1", RequestId: r.Header.Get("X-Amz-Request-Id")}, put.Origin)
	require.EqualValues(t, 4, put.Size)
	require.NotEmpty(t, put.Etag)

	_, err = c.PutBucketNotificationConfiguration(t.Context(), &s3.PutBucketNotificationConfigurationInput{Bucket: aws.String("bkt"), NotificationConfiguration: &types.NotificationConfiguration{}})
	require.NoError(t, err)
	w.ok(p, "PUT", "/bkt/in/x", "body")
	require.Len(t, w.waiting(), len(events), "there are no rules any more")
}

// What is refused leaves the rules as they were.
func TestNotificationRefusals(t *testing.T) {
	w := newWorld(t, withTarget)
	p, _ := bucketOf(w)
	doc := func(inner string) string {
		return "<NotificationConfiguration>" + inner + "</NotificationConfiguration>"
	}
	queue := func(inner string) string { return doc("<QueueConfiguration>" + inner + "</QueueConfiguration>") }
	good := "<Queue>" + testTarget + "</Queue><Event>s3:ObjectCreated:Put</Event>"
	key := func(rules string) string { return "<Filter><S3Key>" + rules + "</S3Key></Filter>" }
	prefix := "<FilterRule><Name>Prefix</Name><Value>a</Value></FilterRule>"
	w.ok(p, "PUT", "/bkt?notification", queue("<Id>kept</Id>"+good))
	for body, code := range map[string]string{
		queue("<Queue>arn:other</Queue><Event>s3:ObjectCreated:Put</Event>"):             "InvalidArgument",
		queue("<Queue>" + testTarget + "</Queue><Event>s3:Nothing</Event>"):              "InvalidArgument",
		queue("<Queue>" + testTarget + "</Queue>"):                                       "MalformedXML",
		queue("<Event>s3:ObjectCreated:Put</Event>"):                                     "MalformedXML",
		queue(good + key(prefix+prefix)):                                                 "InvalidArgument",
		queue(good + key("<FilterRule><Name>infix</Name><Value>a</Value></FilterRule>")): "InvalidArgument",
		queue(good + "<Color>red</Color>"):                                               "MalformedXML",
		doc("<EventBridgeConfiguration/>"):                                               "NotImplemented",
		doc("<QueueConfiguration>" + good + "</QueueConfiguration><QueueConfiguration>" + good + key(prefix) + "</QueueConfiguration>"): "InvalidArgument",
	} {
		w.refused(code, p, "PUT", "/bkt?notification", body)
		require.Contains(t, w.ok(p, "GET", "/bkt?notification", "").body, "<Id>kept</Id>", body)
	}
}

// A target that is another account's is no target for a bucket, whoever asks.
func TestNotificationTargetsOfAccounts(t *testing.T) {
	var asked []string
	w := newWorld(t, func(c *Config) {
		c.KnownTarget = func(_ context.Context, arn, account string) bool {
			asked = append(asked, account)
			return account == iam.RootAccount
		}
	})
	tenant := w.account("tenant")
	w.ok(tenant, "PUT", "/theirs", "")
	w.ok(w.root, "PUT", "/ours", "")
	document := `<NotificationConfiguration><QueueConfiguration><Queue>` + testTarget + `</Queue><Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>`
	w.refused("InvalidArgument", tenant, "PUT", "/theirs?notification", document)
	w.refused("InvalidArgument", w.root, "PUT", "/theirs?notification", document)
	w.ok(w.root, "PUT", "/ours?notification", document)
	require.Equal(t, []string{tenant.account, tenant.account, iam.RootAccount}, asked)
}
