package s3api

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/huaweicloud/huaweicloud-sdk-go-obs/obs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/accesslog"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// logged is a node whose access logs are kept in memory until they are delivered.
type logged struct {
	*world
	write accesslog.Write

	mu    sync.Mutex
	lines map[accesslog.Stream]string
	added chan struct{} // One for each line.
}

func newLogged(t *testing.T, options ...func(*Config)) *logged {
	l := &logged{lines: map[accesslog.Stream]string{}, added: make(chan struct{}, 1000)}
	var cfg Config
	options = append(options, func(c *Config) { c.AccessLog = l.add }, func(c *Config) { cfg = *c })
	l.world = newWorld(t, options...)
	cfg.Objects = l.objects
	l.write = LogWriter(cfg)
	return l
}

func (l *logged) add(s accesslog.Stream, line []byte) {
	l.mu.Lock()
	l.lines[s] += string(line)
	l.mu.Unlock()
	l.added <- struct{}{}
}

// take waits for n lines and returns all that came, by bucket.
func (l *logged) take(n int) map[string][]string {
	l.t.Helper()
	for range n {
		select {
		case <-l.added:
		case <-time.After(5 * time.Minute):
			require.Fail(l.t, "a request was not logged")
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string][]string{}
	for s, text := range l.lines {
		out[s.Bucket] = append(out[s.Bucket], strings.Split(strings.TrimSuffix(text, "\n"), "\n")...)
	}
	clear(l.lines)
	return out
}

// stream returns the stream of the only bucket that was logged.
func (l *logged) stream() (s accesslog.Stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s = range l.lines {
	}
	return s
}

// logFields splits a line as readers of such logs do.
func logFields(line string) []string {
	return regexp.MustCompile(`"[^"]*"|\[[^\]]*\]|[^ "\[\]]+`).FindAllString(line, -1)
}

// Places of some fields.
const (
	fieldRequester = 4
	fieldOperation = 6
	fieldKey       = 7
	fieldRequest   = 8
	fieldStatus    = 9
	fieldCode      = 10
	fieldSent      = 11
	fieldSize      = 12
	fieldNode      = 18
	fieldSigned    = 19
	fieldHow       = 21
	fieldHost      = 22
	fieldByACL     = 25
	fieldsOfLine   = 26 // The time is one, in brackets.
)

func loggingText(target, more string) string {
	return "<BucketLoggingStatus><LoggingEnabled><TargetBucket>" + target + "</TargetBucket>" + more + "</LoggingEnabled></BucketLoggingStatus>"
}

// allowsLogs is a policy that lets logs of bucket into a target.
func allowsLogs(bucket, account, target string) string {
	return statements(`{"Effect":"Allow","Principal":{"Service":"logging.s3.amazonaws.com"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::` + target + `/logs/*",` +
		`"Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::` + bucket + `"},"StringEquals":{"aws:SourceAccount":"` + account + `"}}}`)
}

const (
	logGroup  = "http://acs.amazonaws.com/groups/s3/LogDelivery"
	logPrefix = "<TargetPrefix>logs/</TargetPrefix>"
)

// TestBucketLogging: where logs may go, and what is refused with which code.
func TestBucketLogging(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	w.ok(owner, "PUT", "/bkt", "")
	require.Contains(t, w.ok(owner, "GET", "/bkt?logging", "").body, "<BucketLoggingStatus xmlns=")
	w.ok(owner, "PUT", "/by-group", "", "X-Amz-Acl: log-delivery-write")
	w.ok(owner, "PUT", "/no-acp", "", "X-Amz-Grant-Write: uri=\""+logGroup+"\"")
	w.ok(owner, "PUT", "/by-policy", "")
	w.ok(owner, "PUT", "/by-policy?policy", allowsLogs("bkt", owner.account, "by-policy"))
	w.ok(owner, "PUT", "/for-another", "")
	w.ok(owner, "PUT", "/for-another?policy", allowsLogs("another", owner.account, "for-another"))
	w.ok(owner, "PUT", "/denied", "", "X-Amz-Acl: log-delivery-write")
	w.ok(owner, "PUT", "/denied?policy", statements(`{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::denied/*"}`))
	w.ok(owner, "PUT", "/enforced", "", "X-Amz-Object-Ownership: BucketOwnerEnforced")
	w.ok(owner, "PUT", "/enforced?policy", allowsLogs("bkt", owner.account, "enforced"))
	w.ok(owner, "PUT", "/was-granted", "", "X-Amz-Object-Ownership: BucketOwnerEnforced")
	w.ok(owner, "PUT", "/private", "")
	w.ok(owner, "PUT", "/locked", "", "X-Amz-Acl: log-delivery-write", "X-Amz-Bucket-Object-Lock-Enabled: true")
	w.ok(owner, "PUT", "/retained", "", "X-Amz-Acl: log-delivery-write", "X-Amz-Bucket-Object-Lock-Enabled: true")
	w.ok(owner, "PUT", "/retained?object-lock", "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>"+
		"<Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention></Rule></ObjectLockConfiguration>")
	w.ok(owner, "PUT", "/paid", "", "X-Amz-Acl: log-delivery-write")
	w.ok(owner, "PUT", "/paid?requestPayment", "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>")
	w.ok(owner, "PUT", "/blocks", "", "X-Amz-Acl: log-delivery-write")
	w.ok(owner, "PUT", "/blocks?publicAccessBlock", blockText("BlockPublicAcls"))
	w.ok(other, "PUT", "/of-other", "", "X-Amz-Acl: log-delivery-write")

	grant := func(grantee, permission string) string {
		return "<TargetGrants><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\">" + grantee +
			"</Grantee><Permission>" + permission + "</Permission></Grant></TargetGrants>"
	}
	toOther := grant("<ID>"+other.account+"</ID>", "READ")
	const bad = "InvalidTargetBucketForLogging"
	for _, c := range []struct{ target, more, code string }{
		{"by-group", "", ""},
		{"by-group", logPrefix + toOther, ""},
		{"bkt", "", bad}, // It does not let them in.
		{"no-acp", "", bad},
		{"by-policy", logPrefix, ""},
		{"by-policy", "<TargetPrefix>elsewhere/</TargetPrefix>", bad},
		{"by-policy", "<TargetPrefix>logs/</TargetPrefix><TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix></TargetObjectKeyFormat>", ""},
		{"for-another", logPrefix, bad},
		{"denied", "", bad},
		{"enforced", logPrefix, ""},
		{"enforced", logPrefix + toOther, "AccessControlListNotSupported"},
		{"was-granted", logPrefix, bad},
		{"private", "", bad},
		{"locked", "", ""},
		{"retained", "", bad},
		{"paid", "", bad},
		{"blocks", "", ""},
		{"blocks", grant("<URI>"+everybody+"</URI>", "READ"), "AccessDenied"},
		{"of-other", "", bad},
		{"no-such-bucket", "", bad},
		{"by-group", grant("<ID>"+other.account+"</ID>", "READ_ACP"), "MalformedLoggingStatus"},
		{"", "", "MalformedLoggingStatus"},
	} {
		doc := loggingText(c.target, c.more)
		if c.code != "" {
			w.refused(c.code, owner, "PUT", "/bkt?logging", doc)
			continue
		}
		w.ok(owner, "PUT", "/bkt?logging", doc)
		got := w.ok(owner, "GET", "/bkt?logging", "").body
		require.Contains(t, got, "<TargetBucket>"+c.target+"</TargetBucket>", doc)
		require.Equal(t, strings.Contains(doc, "<Grant>"), strings.Contains(got, "<ID>"+other.account+"</ID>"), got)
		require.Equal(t, strings.Contains(doc, "EventTime"), strings.Contains(got, "<PartitionDateSource>EventTime</PartitionDateSource>"), got)
	}
	w.ok(owner, "PUT", "/bkt?logging", "<BucketLoggingStatus/>")
	require.NotContains(t, w.ok(owner, "GET", "/bkt?logging", "").body, "LoggingEnabled")

	aws := newWorld(t, withProfile(t, profile.AWS, map[string]string{"new-bucket-ownership": "ObjectWriter", "new-bucket-block-public": "off"}))
	owner = aws.account("owner")
	aws.ok(owner, "PUT", "/bkt", "", "X-Amz-Grant-Write: uri=\""+logGroup+"\"")
	aws.ok(owner, "PUT", "/bkt?logging", loggingText("bkt", "")) // To itself, and WRITE is enough.
	aws.refused("MalformedXML", owner, "PUT", "/bkt?logging", loggingText("", ""))
	aws = newWorld(t, withProfile(t, profile.AWS, nil)) // ACLs count for nothing, and what is public is blocked.
	owner = aws.account("owner")
	aws.ok(owner, "PUT", "/bkt", "")
	aws.ok(owner, "PUT", "/target", "")
	aws.refused("InvalidTargetBucketForLogging", owner, "PUT", "/bkt?logging", loggingText("target", logPrefix))
	aws.ok(owner, "PUT", "/target?policy", allowsLogs("bkt", owner.account, "target"))
	aws.ok(owner, "PUT", "/bkt?logging", loggingText("target", logPrefix))
}

// TestAgency: a role that trusts log delivery, and may write to the target, delivers.
func TestAgency(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/target", "")
	role := func(name, trust, allows string) {
		_, err := w.admin.AddRole(t.Context(), iam.RoleSpec{Account: owner.account, Name: name, Trust: statements(`{"Effect":"Allow","Principal":` + trust + `,"Action":"sts:AssumeRole"}`)})
		require.NoError(t, err)
		require.NoError(t, w.admin.AddPolicy(t.Context(), owner.account, name+"s", statements(`{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::`+allows+`/*"}`)))
		require.NoError(t, w.admin.AttachPolicy(t.Context(), owner.account, iam.Holder{Kind: iam.HolderRole, Name: name}, name+"s"))
	}
	const service = `{"Service":"logging.s3.amazonaws.com"}`
	role("good", service, "target")
	role("elsewhere", service, "another")
	role("untrusting", `{"AWS":"`+owner.account+`"}`, "target")
	set := func(agency string) reply {
		return w.asOBS(owner, "PUT", "/bkt?logging", "<BucketLoggingStatus><Agency>"+agency+"</Agency><LoggingEnabled><TargetBucket>target</TargetBucket></LoggingEnabled></BucketLoggingStatus>")
	}
	for _, agency := range []string{"elsewhere", "untrusting", "none", ""} {
		require.Equal(t, "InvalidTargetBucketForLogging", set(agency).code(), agency)
	}
	require.Equal(t, 200, set("good").StatusCode)
	require.Contains(t, w.asOBS(owner, "GET", "/bkt?logging", "").body, "<Agency>good</Agency><LoggingEnabled><TargetBucket>target</TargetBucket>")
}

// TestLoggingSDKs: what clients of both books set comes back to them.
func TestLoggingSDKs(t *testing.T) {
	w := newWorld(t)
	p, c := bucketOf(w)
	w.ok(p, "PUT", "/target", "", "X-Amz-Acl: log-delivery-write")
	want := &types.LoggingEnabled{TargetBucket: aws.String("target"), TargetPrefix: aws.String("a&b/"),
		TargetGrants:          []types.TargetGrant{{Grantee: &types.Grantee{Type: types.TypeGroup, URI: aws.String(everybody)}, Permission: types.BucketLogsPermissionRead}},
		TargetObjectKeyFormat: &types.TargetObjectKeyFormat{PartitionedPrefix: &types.PartitionedPrefix{PartitionDateSource: types.PartitionDateSourceDeliveryTime}}}
	_, err := c.PutBucketLogging(t.Context(), &s3.PutBucketLoggingInput{Bucket: aws.String("bkt"), BucketLoggingStatus: &types.BucketLoggingStatus{LoggingEnabled: want}})
	require.NoError(t, err)
	got, err := c.GetBucketLogging(t.Context(), &s3.GetBucketLoggingInput{Bucket: aws.String("bkt")})
	require.NoError(t, err)
	require.Equal(t, want, got.LoggingEnabled)
	want.TargetObjectKeyFormat = &types.TargetObjectKeyFormat{SimplePrefix: &types.SimplePrefix{}}
	_, err = c.PutBucketLogging(t.Context(), &s3.PutBucketLoggingInput{Bucket: aws.String("bkt"), BucketLoggingStatus: &types.BucketLoggingStatus{LoggingEnabled: want}})
	require.NoError(t, err)
	got, err = c.GetBucketLogging(t.Context(), &s3.GetBucketLoggingInput{Bucket: aws.String("bkt")})
	require.NoError(t, err)
	require.Equal(t, want, got.LoggingEnabled)

	for _, signature := range []obs.SignatureType{obs.SignatureObs, obs.SignatureV2, obs.SignatureV4} {
		o, err := obs.New(p.accessKey, p.secret, w.server.URL, obs.WithSignature(signature), obs.WithPathStyle(true), obs.WithRegion("us-east-1"),
			obs.WithHttpClient(&http.Client{Transport: w.client.Transport}), obs.WithMaxRetryCount(0))
		require.NoError(t, err)
		in := &obs.SetBucketLoggingConfigurationInput{Bucket: "bkt"}
		in.TargetBucket, in.TargetPrefix = "target", "obs/"
		in.TargetGrants = []obs.Grant{{Grantee: obs.Grantee{Type: obs.GranteeUser, ID: p.account}, Permission: obs.PermissionRead}}
		_, err = o.SetBucketLoggingConfiguration(in)
		require.NoError(t, err, signature)
		out, err := o.GetBucketLoggingConfiguration("bkt")
		require.NoError(t, err)
		require.Equal(t, "target", out.TargetBucket)
		require.Equal(t, "obs/", out.TargetPrefix)
		require.Len(t, out.TargetGrants, 1)
		require.Equal(t, p.account, out.TargetGrants[0].Grantee.ID)
		_, err = o.SetBucketLoggingConfiguration(&obs.SetBucketLoggingConfigurationInput{Bucket: "bkt"})
		require.NoError(t, err)
		out, err = o.GetBucketLoggingConfiguration("bkt")
		require.NoError(t, err)
		require.Empty(t, out.TargetBucket)
	}
}

// newLoggedBucket is a node with a bucket whose requests are logged to "target".
func newLoggedBucket(t *testing.T, more string, options ...func(*Config)) (*logged, *person) {
	w := newLogged(t, options...)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/target", "", "X-Amz-Acl: log-delivery-write")
	w.ok(owner, "PUT", "/bkt?logging", loggingText("target", more))
	w.ok(owner, "HEAD", "/bkt", "")
	w.take(1)
	return w, owner
}

// TestAccessLog: each request to the bucket is a line, also one that fails, and says
// what happened.
func TestAccessLog(t *testing.T) {
	w, owner := newLoggedBucket(t, "", func(c *Config) { c.WebsiteDomains = []string{siteDomain} })
	alice := w.user(owner, "alice", "readwrite")
	w.ok(owner, "PUT", "/copies", "")
	version := func(r reply) reply { require.NotZero(t, r.StatusCode); return r }
	for _, c := range []struct {
		name string
		do   func() reply
		want map[int]string
	}{
		{"a put", func() reply {
			return w.ok(owner, "PUT", "/bkt/a%20b?x-who=me", "hello", "User-Agent: a \"b\"", "Referer: http://r/")
		},
			map[int]string{2: "[", fieldRequester: owner.account, fieldOperation: "REST.PUT.OBJECT", fieldKey: "a%20b", fieldRequest: `"PUT /bkt/a%20b?x-who=me HTTP/1.1"`,
				fieldStatus: "200", fieldCode: "-", fieldSent: "-", fieldSize: "5", 15: `"http://r/"`, 16: `"a %22b%22"`, fieldSigned: "SigV4", fieldHow: "AuthHeader", fieldByACL: "-"}},
		{"a read by a user", func() reply { return w.ok(alice, "GET", "/bkt/a%20b", "", "Range: bytes=1-2") },
			map[int]string{fieldRequester: "arn:aws:iam::" + owner.account + ":user/alice", fieldOperation: "REST.GET.OBJECT", fieldStatus: "206", fieldSent: "2", fieldSize: "5"}},
		{"a head", func() reply { return w.ok(owner, "HEAD", "/bkt/a%20b", "") },
			map[int]string{fieldOperation: "REST.HEAD.OBJECT", fieldStatus: "200", fieldSent: "-", fieldSize: "5"}},
		{"a missing key", func() reply { return version(w.as(owner, "GET", "/bkt/none", "")) },
			map[int]string{fieldOperation: "REST.GET.OBJECT", fieldKey: "none", fieldStatus: "404", fieldCode: "NoSuchKey", fieldSize: "-"}},
		{"a stranger", func() reply { return version(w.as(nil, "GET", "/bkt/a%20b", "")) },
			map[int]string{fieldRequester: "-", fieldStatus: "403", fieldCode: "AccessDenied", fieldSigned: "-", fieldHow: "-"}},
		{"a wrong signature", func() reply {
			return version(w.as(&person{accessKey: owner.accessKey, secret: "wrong"}, "GET", "/bkt/a%20b", ""))
		}, map[int]string{fieldRequester: "-", fieldOperation: "REST.GET.OBJECT", fieldStatus: "403", fieldCode: "AccessDenied"}},
		{"a V2 signature", func() reply { return version(w.asOBS(owner, "GET", "/bkt/none", "")) },
			map[int]string{fieldRequester: owner.account, fieldStatus: "404", fieldSigned: "SigV2", fieldHow: "AuthHeader"}},
		{"what is not implemented", func() reply { return version(w.as(owner, "PUT", "/bkt?replication", "")) },
			map[int]string{fieldOperation: "REST.PUT.BUCKET", fieldKey: "-", fieldStatus: "501", fieldCode: "NotImplemented"}},
		{"a method that is none", func() reply { return version(w.as(owner, "BREW", "/bkt/k", "")) },
			map[int]string{fieldOperation: "REST.BREW.OBJECT", fieldStatus: "405"}},
		{"a look at the logging", func() reply { return w.ok(owner, "GET", "/bkt?logging", "") },
			map[int]string{fieldOperation: "REST.GET.LOGGING_STATUS", fieldRequest: `"GET /bkt?logging= HTTP/1.1"`}},
		{"by the bucket's host name", func() reply { return w.ok(owner, "GET", "/a%20b", "", "Host: bkt."+worldDomain) },
			map[int]string{fieldKey: "a%20b", fieldRequest: `"GET /a%20b HTTP/1.1"`, fieldHost: "bkt." + worldDomain}},
		{"a visitor of the website", func() reply { return version(w.visitBucket("GET", "/x")) },
			map[int]string{fieldOperation: "WEBSITE.GET.OBJECT", fieldKey: "x", fieldStatus: "404", fieldCode: "NoSuchWebsiteConfiguration"}},
		{"a preflight", func() reply {
			return version(w.as(nil, "OPTIONS", "/bkt/x", "", "Origin: http://o", "Access-Control-Request-Method: GET"))
		},
			map[int]string{fieldOperation: "REST.OPTIONS.PREFLIGHT", fieldStatus: "403", 3: "127.0.0.1"}},
		{"an upload", func() reply { return w.ok(owner, "POST", "/bkt/m?uploads", "") }, map[int]string{fieldOperation: "REST.POST.UPLOADS", fieldKey: "m"}},
		{"a copy to elsewhere", func() reply { return w.ok(owner, "PUT", "/copies/secret-name", "", "X-Amz-Copy-Source: bkt/a%20b") },
			map[int]string{fieldOperation: "REST.COPY.OBJECT_GET", fieldKey: "a%20b", fieldRequest: `"-"`, fieldStatus: "200", fieldSize: "5"}},
		{"by ACL", func() reply {
			w.ok(owner, "PUT", "/bkt/a%20b?acl", "", "X-Amz-Acl: public-read")
			w.take(1)
			return w.ok(nil, "GET", "/bkt/a%20b", "")
		}, map[int]string{fieldRequester: "-", fieldStatus: "200", fieldByACL: "Yes"}},
	} {
		r := c.do()
		lines := w.take(1)
		require.Len(t, lines["bkt"], 1, c.name)
		require.Len(t, lines, 1, c.name)
		line := lines["bkt"][0]
		got := logFields(line)
		require.Len(t, got, fieldsOfLine, line)
		require.Equal(t, []string{owner.account, "bkt"}, got[:2])
		require.Equal(t, r.Header.Get("X-Amz-Request-Id")+r.Header.Get("X-Obs-Request-Id"), got[5], c.name)
		require.Equal(t, "node-1", got[fieldNode], "%s: %s", c.name, line)
		for i, want := range c.want {
			if want == "[" {
				require.Regexp(t, `^\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\]$`, got[i])
				continue
			}
			require.Equal(t, want, got[i], "%s, field %d of %s", c.name, i, line)
		}
		require.NotContains(t, line, "secret-name")
	}

	// A copy inside the bucket reads and writes; a deletion of several is a line each too.
	w.ok(owner, "PUT", "/bkt/copy", "", "X-Amz-Copy-Source: bkt/a%20b")
	var operations []string
	for _, line := range w.take(2)["bkt"] {
		operations = append(operations, logFields(line)[fieldOperation])
	}
	require.ElementsMatch(t, []string{"REST.COPY.OBJECT", "REST.COPY.OBJECT_GET"}, operations)
	const doc = "<Delete><Object><Key>copy</Key></Object><Object><Key>none</Key><VersionId>odd</VersionId></Object></Delete>"
	w.ok(owner, "POST", "/bkt?delete", doc, summed(doc))
	deletions := w.take(3)["bkt"]
	require.Equal(t, "REST.POST.MULTI_OBJECT_DELETE", logFields(deletions[0])[fieldOperation])
	require.Equal(t, []string{"BATCH.DELETE.OBJECT", "copy", `"-"`, "204"}, logFields(deletions[1])[fieldOperation:fieldCode])
	require.Equal(t, []string{"BATCH.DELETE.OBJECT", "none"}, logFields(deletions[2])[fieldOperation:fieldRequest])

	// The last one of all tells of its end.
	for _, key := range []string{"a%20b", "m"} {
		w.as(owner, "DELETE", "/bkt/"+key, "")
	}
	w.take(2)
	u := element(w.ok(owner, "GET", "/bkt?uploads", "").body, "UploadId")
	w.ok(owner, "DELETE", "/bkt/m?uploadId="+u, "")
	w.take(2)
	w.ok(owner, "DELETE", "/bkt", "")
	require.Equal(t, "REST.DELETE.BUCKET", logFields(w.take(1)["bkt"][0])[fieldOperation])
	w.refused("NoSuchBucket", owner, "GET", "/bkt", "")
	w.ok(owner, "PUT", "/target/k", "x")
	require.Empty(t, w.take(0), "neither what is gone nor what is not logged")
}

func (l *logged) visitBucket(method, path string) reply {
	return l.send(l.request(method, path, "", "Host: bkt."+siteDomain))
}

// TestAccessLogKeepsSecrets: nothing that lets anybody in is in a line.
func TestAccessLogKeepsSecrets(t *testing.T) {
	w, owner := newLoggedBucket(t, "")
	s := w.session(owner)
	presigned, err := s3.NewPresignClient(s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: aws.String(w.server.URL), UsePathStyle: true,
		Credentials: credentialsOf(s)})).PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bkt"), Key: aws.String("k")})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), "GET", presigned.URL, nil)
	require.NoError(t, err)
	require.Equal(t, "NoSuchKey", w.send(r).code())
	key := strings.Repeat("k", 32)
	w.as(owner, "GET", "/bkt/k?X-Amz-Server-Side-Encryption-Customer-Key="+key, "")
	lines := strings.Join(w.take(2)["bkt"], "\n")
	query := r.URL.Query()
	for _, secret := range []string{query.Get("X-Amz-Signature"), query.Get("X-Amz-Security-Token")[:40], s.secret, owner.secret, key} {
		require.NotEmpty(t, secret)
		require.NotContains(t, lines, secret)
	}
	require.Contains(t, lines, "X-Amz-Signature=REDACTED")
	require.Contains(t, lines, " SigV4 - QueryString ")
}

// TestLogsAreDelivered: lines become an object of the bucket's owner as the target is
// set, and what the target does not let in any more stays out.
func TestLogsAreDelivered(t *testing.T) {
	w, owner := newLoggedBucket(t, logPrefix+"<TargetGrants><Grant><Grantee><URI>"+everybody+"</URI></Grantee><Permission>READ</Permission></Grant></TargetGrants>")
	w.ok(owner, "PUT", "/target?encryption", encryptionDocument("AES256", ""))
	w.ok(owner, "PUT", "/target?storageClass", "<StorageClass>STANDARD_IA</StorageClass>")
	w.ok(owner, "GET", "/bkt", "")
	<-w.added
	s := w.stream()
	require.NoError(t, w.write(t.Context(), s, []byte("a line\n")))
	w.take(0)
	key := element(w.ok(owner, "GET", "/target?prefix=logs/", "").body, "Key")
	require.Regexp(t, `^logs/\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9A-F]{16}$`, key)
	r := w.ok(nil, "GET", "/target/"+key, "")
	require.Equal(t, "a line\n", r.body)
	require.Equal(t, "text/plain", r.Header.Get("Content-Type"))
	require.Equal(t, "AES256", r.Header.Get("X-Amz-Server-Side-Encryption"))
	require.Equal(t, "STANDARD_IA", r.Header.Get("X-Amz-Storage-Class"))
	require.Contains(t, w.ok(owner, "GET", "/target/"+key+"?acl", "").body, "<Owner><ID>"+owner.account+"</ID>")
	require.Empty(t, w.take(0), "a delivery is no request")

	id := w.masterKey(owner, "mine")
	w.ok(owner, "PUT", "/target?encryption", encryptionDocument("aws:kms", id))
	require.NoError(t, w.write(t.Context(), s, []byte("a line\n")))

	refusedNow := func(why string) {
		t.Helper()
		require.ErrorContains(t, w.write(t.Context(), s, []byte("a line\n")), why)
	}
	w.ok(owner, "PUT", "/target?quota", quotaText("1"))
	refusedNow("InsufficientStorageSpace")
	w.ok(owner, "PUT", "/target?quota", quotaText("0"))
	w.ok(owner, "PUT", "/target?acl", "", "X-Amz-Acl: private")
	refusedNow("InvalidTargetBucketForLogging")
	w.ok(owner, "PUT", "/target?policy", allowsLogs("bkt", owner.account, "target"))
	require.NoError(t, w.write(t.Context(), s, []byte("a line\n")))

	list := w.ok(owner, "GET", "/target", "").body
	for _, m := range regexp.MustCompile("<Key>([^<]*)</Key>").FindAllStringSubmatch(list, -1) {
		w.ok(owner, "DELETE", "/target/"+m[1], "")
	}
	w.ok(owner, "DELETE", "/target", "")
	refusedNow("no bucket target")
	other := w.account("other")
	w.ok(other, "PUT", "/target", "", "X-Amz-Acl: log-delivery-write")
	refusedNow("must be the same")
	require.NotContains(t, w.ok(other, "GET", "/target", "").body, "<Key>")
}

// TestRecordOfTLS: a line tells how the connection was encrypted, and how long an answer
// took from the end of the request's body.
func TestRecordOfTLS(t *testing.T) {
	s := New(Config{Access: &Access{}}).(*server)
	r := httptest.NewRequest("PUT", "https://s3.test/bkt/k", strings.NewReader("x"))
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}
	start := time.Now().Add(-time.Second)
	ex := s.newExchange(httptest.NewRecorder(), r)
	ex.done.signature, ex.done.presigned = sigauth.OBS, true
	ex.body.endedAt, ex.answered = start.Add(300*time.Millisecond), start.Add(500*time.Millisecond)
	line := logFields(string(ex.record(start).Append(nil)))
	require.Equal(t, "200", line[14])
	require.Equal(t, []string{"SigV2", "TLS_AES_128_GCM_SHA256", "QueryString", "s3.test", "TLSv1.3"}, line[fieldSigned:24])
	ex.body.endedAt = time.Time{}
	require.Equal(t, "500", logFields(string(ex.record(start).Append(nil)))[14])
	ex.answered = time.Time{}
	require.Equal(t, "-", logFields(string(ex.record(start).Append(nil)))[14])
}

// TestLoggedAs: every operation has its word in the log.
func TestLoggedAs(t *testing.T) {
	for _, op := range operations {
		require.NotEmpty(t, loggedAs[op.name], op.name)
	}
	require.Len(t, loggedAs, len(operations)+1-repeated(), "no word is of no operation")
}

// repeated counts operations of several rows.
func repeated() (n int) {
	seen := map[string]bool{}
	for _, op := range operations {
		if seen[op.name] {
			n++
		}
		seen[op.name] = true
	}
	return n
}
