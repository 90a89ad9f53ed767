package s3api

import (
	"context"
	"crypto/tls"
	"net/http"
	"strings"
	"time"

	"github.com/cairnstore/cairn/s3api/accesslog"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// loggedAs is what S3's access logs call an operation. A name without a dot follows "REST.METHOD.";
// a name with one stands alone.
var loggedAs = map[string]string{
	"ListBuckets": "SERVICE", "CreateBucket": "BUCKET", "DeleteBucket": "BUCKET", "HeadBucket": "BUCKET",
	"ListObjects": "BUCKET", "ListObjectsV2": "BUCKET", "ListObjectVersions": "BUCKETVERSIONS", "GetBucketLocation": "LOCATION",
	"GetBucketPolicy": "BUCKETPOLICY", "PutBucketPolicy": "BUCKETPOLICY", "DeleteBucketPolicy": "BUCKETPOLICY", "GetBucketPolicyStatus": "POLICY_STATUS",
	"GetBucketEncryption": "ENCRYPTION", "PutBucketEncryption": "ENCRYPTION", "DeleteBucketEncryption": "ENCRYPTION",
	"GetBucketLifecycleConfiguration": "LIFECYCLE", "PutBucketLifecycleConfiguration": "LIFECYCLE", "DeleteBucketLifecycle": "LIFECYCLE",
	"GetBucketNotificationConfiguration": "NOTIFICATION", "PutBucketNotificationConfiguration": "NOTIFICATION",
	"GetBucketVersioning": "VERSIONING", "PutBucketVersioning": "VERSIONING",
	"GetBucketRequestPayment": "REQUEST_PAYMENT", "PutBucketRequestPayment": "REQUEST_PAYMENT",
	"GetBucketAcl": "ACL", "PutBucketAcl": "ACL",
	"GetBucketTagging": "TAGGING", "PutBucketTagging": "TAGGING", "DeleteBucketTagging": "TAGGING",
	"GetBucketCors": "CORS", "PutBucketCors": "CORS", "DeleteBucketCors": "CORS",
	"GetBucketQuota": "QUOTA", "SetBucketQuota": "QUOTA", "GetBucketStorageInfo": "STORAGEINFO",
	"GetBucketWebsite": "WEBSITE", "PutBucketWebsite": "WEBSITE", "DeleteBucketWebsite": "WEBSITE",
	"GetBucketLogging": "LOGGING_STATUS", "PutBucketLogging": "LOGGING_STATUS",
	"GetPublicAccessBlock": "PUBLIC_ACCESS_BLOCK", "PutPublicAccessBlock": "PUBLIC_ACCESS_BLOCK", "DeletePublicAccessBlock": "PUBLIC_ACCESS_BLOCK",
	"GetBucketOwnershipControls": "OWNERSHIP_CONTROLS", "PutBucketOwnershipControls": "OWNERSHIP_CONTROLS", "DeleteBucketOwnershipControls": "OWNERSHIP_CONTROLS",
	"GetBucketStorageClass": "STORAGECLASS", "PutBucketStorageClass": "STORAGECLASS",
	"GetBucketReplication": "REPLICATION", "GetBucketAccelerateConfiguration": "ACCELERATE",
	"GetBucketAnalyticsConfiguration": "ANALYTICS", "ListBucketAnalyticsConfigurations": "ANALYTICS",
	"GetBucketInventoryConfiguration": "INVENTORY", "ListBucketInventoryConfigurations": "INVENTORY",
	"GetBucketMetricsConfiguration": "METRICS", "ListBucketMetricsConfigurations": "METRICS",
	"GetBucketIntelligentTieringConfiguration": "INTELLIGENT_TIERING", "ListBucketIntelligentTieringConfigurations": "INTELLIGENT_TIERING",
	"GetObjectLockConfiguration": "OBJECT_LOCK_CONFIGURATION", "PutObjectLockConfiguration": "OBJECT_LOCK_CONFIGURATION",

	"GetObject": "OBJECT", "HeadObject": "OBJECT", "PutObject": "OBJECT", "DeleteObject": "OBJECT", "PostObject": "OBJECT",
	"CopyObject": "REST.COPY.OBJECT", "UploadPartCopy": "REST.COPY.PART", "DeleteObjects": "MULTI_OBJECT_DELETE", "RestoreObject": "RESTORE",
	"GetObjectAcl": "ACL", "PutObjectAcl": "ACL", "GetObjectAttributes": "OBJECT_ATTRIBUTES",
	"GetObjectTagging": "OBJECT_TAGGING", "PutObjectTagging": "OBJECT_TAGGING", "DeleteObjectTagging": "OBJECT_TAGGING",
	"GetObjectRetention": "OBJECT_LOCK_RETENTION", "PutObjectRetention": "OBJECT_LOCK_RETENTION",
	"GetObjectLegalHold": "OBJECT_LOCK_LEGAL_HOLD", "PutObjectLegalHold": "OBJECT_LOCK_LEGAL_HOLD",
	"CreateMultipartUpload": "UPLOADS", "ListMultipartUploads": "UPLOADS", "UploadPart": "PART",
	"ListParts": "UPLOAD", "CompleteMultipartUpload": "UPLOAD", "AbortMultipartUpload": "UPLOAD",
	preflightName: "PREFLIGHT",
}

// sourceLoggedAs is what access logs call the reading of a copy's source.
var sourceLoggedAs = map[string]string{"CopyObject": "REST.COPY.OBJECT_GET", "UploadPartCopy": "REST.COPY.PART_GET"}

// deletionLoggedAs is what they call one deletion of a DeleteObjects.
const deletionLoggedAs = "BATCH.DELETE.OBJECT"

// logLookup bounds how long an answer waits until it is known whether its request is to be logged.
// Only a request that was refused before its bucket was looked up has to wait.
const logLookup = time.Second

// logAccess records the request in the access logs of the buckets that it concerned, if they have
// one.
func (ex *exchange) logAccess(ctx context.Context, start time.Time) {
	if ex.s.cfg.AccessLog == nil {
		return
	}
	t, err := ex.address()
	if ex.done.Bucket != "" {
		t.bucket, t.key, err = ex.done.Bucket, ex.done.Key, nil
	}
	if err != nil || t.bucket == "" {
		return // AWS does not log a request without a bucket either.
	}
	if b := ex.loggedBucket(ctx, t.bucket); b != nil {
		r := ex.record(start)
		r.Key = t.key
		ex.log(b, r)
		for _, o := range ex.done.Objects {
			deleted := *r
			deleted.Operation, deleted.Key, deleted.VersionID, deleted.Code = deletionLoggedAs, o.Key, o.VersionID, string(o.Code)
			deleted.RequestLine, deleted.BytesSent, deleted.Total, deleted.TurnAround = "", 0, accesslog.Unknown, accesslog.Unknown
			deleted.Status = http.StatusNoContent
			if o.Code != "" {
				deleted.Status = (&s3err.Error{Code: o.Code}).Status()
			}
			ex.log(b, &deleted)
		}
	}
	ex.logSource(ctx, start)
}

// logSource records a copy in the log of its source's bucket. It does not say where the copy went,
// which the owner of that bucket has no right to know.
func (ex *exchange) logSource(ctx context.Context, start time.Time) {
	operation := sourceLoggedAs[ex.done.Operation]
	bucket, key, ok := strings.Cut(strings.TrimPrefix(ex.done.CopySource, "/"), "/")
	if operation == "" || !ok {
		return
	}
	b := ex.loggedBucket(ctx, bucket)
	if b == nil {
		return
	}
	r := ex.record(start)
	r.Operation, r.Key, r.RequestLine, r.VersionID, r.BytesSent = operation, key, "", "", 0
	ex.log(b, r)
}

// loggedBucket returns a bucket whose logging is on, and nil for any other. If the request has
// looked the bucket up, that is enough.
func (ex *exchange) loggedBucket(ctx context.Context, name string) *bucket.Bucket {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), logLookup) // The client may have left.
	defer cancel()
	buckets := ex.s.cfg.Access.Buckets
	b, looked := ex.buckets.known(name)
	switch {
	case !looked:
		if b = buckets.Known(name); b == nil {
			b, _ = ex.lookUp(ctx, name, false)
		}
	case b != nil && ex.done.Code == s3err.NoSuchBucket && !ex.buckets.missed():
		b, _ = buckets.Get(ctx, name) // The bucket was deleted after it was looked up.
	}
	if b == nil || b.Logging == nil {
		return nil
	}
	return b
}

func (ex *exchange) log(b *bucket.Bucket, r *accesslog.Record) {
	r.Owner, r.Bucket = b.Owner, b.Name
	s := accesslog.NewStream(b.Name, b.Owner, b.Logging, b.Config[bucket.PartLogging], r.Time)
	ex.s.cfg.AccessLog(s, r.Append(nil))
}

// record returns what is to be recorded of the request, except the bucket and the key.
func (ex *exchange) record(start time.Time) *accesslog.Record {
	d, h := &ex.done, ex.r.Header
	r := &accesslog.Record{Time: start, RemoteIP: d.Source, RequestID: d.ID, Operation: ex.operationLogged(),
		RequestLine: accesslog.RequestLine(ex.r.Method, ex.r.URL, ex.r.Proto), Status: d.Status, BytesSent: d.BytesOut, ObjectSize: d.ObjectSize,
		Total: d.Duration, TurnAround: accesslog.Unknown, Referer: h.Get("Referer"), UserAgent: h.Get("User-Agent"),
		VersionID: d.VersionID, HostID: ex.s.cfg.HostID, Host: ex.r.Host, ByACL: ex.byACL.Load()}
	if r.RemoteIP == "" {
		r.RemoteIP = (&request{r: ex.r, forwarded: ex.s.cfg.Forwarded(ex.r)}).sourceIP()
	}
	if d.Code != "" {
		r.Code = string(ex.style.Tell(&s3err.Error{Code: d.Code}).Code)
	}
	if !ex.answered.IsZero() {
		received := start
		if !ex.body.endedAt.IsZero() && ex.body.endedAt.Before(ex.answered) {
			received = ex.body.endedAt
		}
		r.TurnAround = ex.answered.Sub(received)
	}
	switch {
	case d.Who == nil:
	case d.Who.Root:
		r.Requester = d.Who.Account
	default:
		r.Requester = d.Who.ARN()
	}
	ex.recordSigned(r)
	if state := ex.r.TLS; state != nil {
		r.Cipher = tls.CipherSuiteName(state.CipherSuite)
		r.TLS = "TLSv" + tlsVersion(ex.r)
	}
	return r
}

// recordSigned fills in how the request was authenticated. The format has no word for a form.
func (ex *exchange) recordSigned(r *accesslog.Record) {
	switch ex.done.signature {
	case "":
		return
	case sigauth.V4:
		r.Signature = "SigV4"
	default:
		r.Signature = "SigV2"
	}
	switch {
	case ex.done.Operation == "PostObject":
	case ex.done.presigned:
		r.AuthType = "QueryString"
	default:
		r.AuthType = "AuthHeader"
	}
}

func (ex *exchange) operationLogged() string {
	if ex.website != "" {
		return "WEBSITE." + ex.r.Method + ".OBJECT"
	}
	name := loggedAs[ex.done.Operation]
	if name == "" { // The request is of no operation.
		name = "OBJECT"
		if ex.done.Key == "" {
			name = "BUCKET"
		}
	}
	if strings.Contains(name, ".") {
		return name
	}
	return "REST." + ex.r.Method + "." + name
}
