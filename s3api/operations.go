package s3api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// handler carries out an operation: parse, call the object service, and say what
// to answer. It never writes to the socket. Beside an error it may return a
// response whose headers go with the error.
type handler func(*server, context.Context, *request) (*response, error)

// operation is a row of the table: an operation of S3, how a request selects it, and which other
// parameters it takes.
type operation struct {
	name   string
	method string
	scope  scope
	// sub has sub-resources, one of which must be in the query; nil: none needs to be.
	sub []string
	// with is a parameter that must be in the query besides; empty: none needs to be.
	with string
	// copy says that the request has an x-amz-copy-source.
	copy bool
	// parameters are further parameters that the operation reads.
	parameters []string
	// fresh says that the answer must be what the bucket is now, so the metadata are asked for it
	// and not what this node remembers.
	fresh  bool
	handle handler
}

var (
	overrideParameters = []string{
		"response-cache-control", "response-content-disposition", "response-content-encoding",
		"response-content-language", "response-content-type", "response-expires",
	}
	readParameters  = append([]string{"versionId", "partNumber"}, overrideParameters...)
	listParameters  = []string{"prefix", "delimiter", "max-keys", "encoding-type"}
	partsParameters = []string{"uploadId", "partNumber"}
)

// operations is the table. The first row that fits counts, so rows with
// sub-resources or a copy source come before those without.
var operations = []operation{
	{name: "ListBuckets", method: http.MethodGet, scope: scopeService, handle: (*server).listBuckets,
		parameters: []string{"max-buckets", "continuation-token", "prefix", "bucket-region"}},

	{name: "GetBucketPolicy", method: http.MethodGet, scope: scopeBucket, sub: []string{"policy"}, handle: (*server).getBucketPolicy},
	{name: "PutBucketPolicy", method: http.MethodPut, scope: scopeBucket, sub: []string{"policy"}, handle: (*server).putBucketPolicy},
	{name: "DeleteBucketPolicy", method: http.MethodDelete, scope: scopeBucket, sub: []string{"policy"}, handle: (*server).deleteBucketPolicy},
	{name: "GetBucketEncryption", method: http.MethodGet, scope: scopeBucket, sub: []string{"encryption"}, handle: (*server).getBucketEncryption},
	{name: "PutBucketEncryption", method: http.MethodPut, scope: scopeBucket, sub: []string{"encryption"}, handle: (*server).putBucketEncryption},
	{name: "DeleteBucketEncryption", method: http.MethodDelete, scope: scopeBucket, sub: []string{"encryption"}, handle: (*server).deleteBucketEncryption},
	{name: "GetBucketLifecycleConfiguration", method: http.MethodGet, scope: scopeBucket, sub: []string{"lifecycle"}, handle: (*server).getBucketLifecycle},
	{name: "PutBucketLifecycleConfiguration", method: http.MethodPut, scope: scopeBucket, sub: []string{"lifecycle"}, handle: (*server).putBucketLifecycle},
	{name: "DeleteBucketLifecycle", method: http.MethodDelete, scope: scopeBucket, sub: []string{"lifecycle"}, handle: (*server).deleteBucketLifecycle},
	{name: "GetBucketNotificationConfiguration", method: http.MethodGet, scope: scopeBucket, sub: []string{"notification"}, handle: (*server).getBucketNotification},
	{name: "PutBucketNotificationConfiguration", method: http.MethodPut, scope: scopeBucket, sub: []string{"notification"}, handle: (*server).putBucketNotification},
	{name: "GetBucketVersioning", method: http.MethodGet, scope: scopeBucket, sub: []string{"versioning"}, fresh: true, handle: (*server).getBucketVersioning},
	{name: "PutBucketVersioning", method: http.MethodPut, scope: scopeBucket, sub: []string{"versioning"}, handle: (*server).putBucketVersioning},
	{name: "GetBucketRequestPayment", method: http.MethodGet, scope: scopeBucket, sub: []string{"requestPayment"}, handle: (*server).getBucketRequestPayment},
	{name: "PutBucketRequestPayment", method: http.MethodPut, scope: scopeBucket, sub: []string{"requestPayment"}, handle: (*server).putBucketRequestPayment},
	{name: "GetBucketAcl", method: http.MethodGet, scope: scopeBucket, sub: []string{"acl"}, handle: (*server).getBucketACL},
	{name: "PutBucketAcl", method: http.MethodPut, scope: scopeBucket, sub: []string{"acl"}, handle: (*server).putBucketACL},
	{name: "GetBucketTagging", method: http.MethodGet, scope: scopeBucket, sub: []string{"tagging"}, handle: (*server).getBucketTagging},
	{name: "PutBucketTagging", method: http.MethodPut, scope: scopeBucket, sub: []string{"tagging"}, handle: (*server).putBucketTagging},
	{name: "DeleteBucketTagging", method: http.MethodDelete, scope: scopeBucket, sub: []string{"tagging"}, handle: (*server).deleteBucketTagging},
	{name: "GetBucketCors", method: http.MethodGet, scope: scopeBucket, sub: []string{"cors"}, handle: (*server).getBucketCORS},
	{name: "PutBucketCors", method: http.MethodPut, scope: scopeBucket, sub: []string{"cors"}, handle: (*server).putBucketCORS},
	{name: "DeleteBucketCors", method: http.MethodDelete, scope: scopeBucket, sub: []string{"cors"}, handle: (*server).deleteBucketCORS},
	{name: "GetBucketQuota", method: http.MethodGet, scope: scopeBucket, sub: []string{"quota"}, handle: (*server).getBucketQuota},
	{name: "SetBucketQuota", method: http.MethodPut, scope: scopeBucket, sub: []string{"quota"}, handle: (*server).putBucketQuota},
	{name: "GetBucketStorageInfo", method: http.MethodGet, scope: scopeBucket, sub: []string{"storageinfo"}, handle: (*server).getBucketStorageInfo},
	{name: "GetBucketWebsite", method: http.MethodGet, scope: scopeBucket, sub: []string{"website"}, handle: (*server).getBucketWebsite},
	{name: "PutBucketWebsite", method: http.MethodPut, scope: scopeBucket, sub: []string{"website"}, handle: (*server).putBucketWebsite},
	{name: "DeleteBucketWebsite", method: http.MethodDelete, scope: scopeBucket, sub: []string{"website"}, handle: (*server).deleteBucketWebsite},
	{name: "GetBucketLogging", method: http.MethodGet, scope: scopeBucket, sub: []string{"logging"}, handle: (*server).getBucketLogging},
	{name: "PutBucketLogging", method: http.MethodPut, scope: scopeBucket, sub: []string{"logging"}, handle: (*server).putBucketLogging},
	{name: "GetPublicAccessBlock", method: http.MethodGet, scope: scopeBucket, sub: []string{"publicAccessBlock"}, handle: (*server).getPublicAccessBlock},
	{name: "PutPublicAccessBlock", method: http.MethodPut, scope: scopeBucket, sub: []string{"publicAccessBlock"}, handle: (*server).putPublicAccessBlock},
	{name: "DeletePublicAccessBlock", method: http.MethodDelete, scope: scopeBucket, sub: []string{"publicAccessBlock"}, handle: (*server).deletePublicAccessBlock},
	{name: "GetBucketPolicyStatus", method: http.MethodGet, scope: scopeBucket, sub: []string{"policyStatus"}, handle: (*server).getBucketPolicyStatus},
	{name: "GetBucketOwnershipControls", method: http.MethodGet, scope: scopeBucket, sub: []string{"ownershipControls"}, handle: (*server).getBucketOwnershipControls},
	{name: "PutBucketOwnershipControls", method: http.MethodPut, scope: scopeBucket, sub: []string{"ownershipControls"}, handle: (*server).putBucketOwnershipControls},
	{name: "DeleteBucketOwnershipControls", method: http.MethodDelete, scope: scopeBucket, sub: []string{"ownershipControls"}, handle: (*server).deleteBucketOwnershipControls},
	{name: "GetBucketReplication", method: http.MethodGet, scope: scopeBucket, sub: []string{"replication"}, handle: (*server).getBucketReplication},
	{name: "GetBucketAccelerateConfiguration", method: http.MethodGet, scope: scopeBucket, sub: []string{"accelerate"}, handle: (*server).getBucketAccelerate},
	{name: "GetBucketAnalyticsConfiguration", method: http.MethodGet, scope: scopeBucket, sub: []string{"analytics"}, with: "id", handle: (*server).getBucketAnalytics},
	{name: "ListBucketAnalyticsConfigurations", method: http.MethodGet, scope: scopeBucket, sub: []string{"analytics"}, handle: (*server).getBucketAnalytics,
		parameters: []string{"continuation-token"}},
	{name: "GetBucketInventoryConfiguration", method: http.MethodGet, scope: scopeBucket, sub: []string{"inventory"}, with: "id", handle: (*server).getBucketInventory},
	{name: "ListBucketInventoryConfigurations", method: http.MethodGet, scope: scopeBucket, sub: []string{"inventory"}, handle: (*server).getBucketInventory,
		parameters: []string{"continuation-token"}},
	{name: "GetBucketMetricsConfiguration", method: http.MethodGet, scope: scopeBucket, sub: []string{"metrics"}, with: "id", handle: (*server).getBucketMetrics},
	{name: "ListBucketMetricsConfigurations", method: http.MethodGet, scope: scopeBucket, sub: []string{"metrics"}, handle: (*server).getBucketMetrics,
		parameters: []string{"continuation-token"}},
	{name: "GetBucketIntelligentTieringConfiguration", method: http.MethodGet, scope: scopeBucket, sub: []string{"intelligent-tiering"}, with: "id",
		handle: (*server).getBucketIntelligentTiering},
	{name: "ListBucketIntelligentTieringConfigurations", method: http.MethodGet, scope: scopeBucket, sub: []string{"intelligent-tiering"},
		handle: (*server).getBucketIntelligentTiering, parameters: []string{"continuation-token"}},
	{name: "GetObjectAcl", method: http.MethodGet, scope: scopeObject, sub: []string{"acl"}, handle: (*server).getObjectACL, parameters: []string{"versionId"}},
	{name: "GetObjectAttributes", method: http.MethodGet, scope: scopeObject, sub: []string{"attributes"}, handle: (*server).getObjectAttributes, parameters: []string{"versionId"}},
	{name: "GetObjectTagging", method: http.MethodGet, scope: scopeObject, sub: []string{"tagging"}, handle: (*server).getObjectTagging, parameters: []string{"versionId"}},
	{name: "PutObjectTagging", method: http.MethodPut, scope: scopeObject, sub: []string{"tagging"}, handle: (*server).putObjectTagging, parameters: []string{"versionId"}},
	{name: "DeleteObjectTagging", method: http.MethodDelete, scope: scopeObject, sub: []string{"tagging"}, handle: (*server).deleteObjectTagging, parameters: []string{"versionId"}},
	{name: "GetObjectRetention", method: http.MethodGet, scope: scopeObject, sub: []string{"retention"}, handle: (*server).getObjectRetention, parameters: []string{"versionId"}},
	{name: "PutObjectRetention", method: http.MethodPut, scope: scopeObject, sub: []string{"retention"}, handle: (*server).putObjectRetention, parameters: []string{"versionId"}},
	{name: "GetObjectLegalHold", method: http.MethodGet, scope: scopeObject, sub: []string{"legal-hold"}, handle: (*server).getObjectLegalHold, parameters: []string{"versionId"}},
	{name: "PutObjectLegalHold", method: http.MethodPut, scope: scopeObject, sub: []string{"legal-hold"}, handle: (*server).putObjectLegalHold, parameters: []string{"versionId"}},
	{name: "GetObjectLockConfiguration", method: http.MethodGet, scope: scopeBucket, sub: []string{"object-lock"}, fresh: true, handle: (*server).getObjectLockConfiguration},
	{name: "PutObjectLockConfiguration", method: http.MethodPut, scope: scopeBucket, sub: []string{"object-lock"}, handle: (*server).putObjectLockConfiguration},
	{name: "PutObjectAcl", method: http.MethodPut, scope: scopeObject, sub: []string{"acl"}, handle: (*server).putObjectACL, parameters: []string{"versionId"}},
	{name: "GetBucketStorageClass", method: http.MethodGet, scope: scopeBucket, sub: []string{"storageClass", "storagePolicy"}, handle: (*server).getBucketStorageClass},
	{name: "PutBucketStorageClass", method: http.MethodPut, scope: scopeBucket, sub: []string{"storageClass", "storagePolicy"}, handle: (*server).putBucketStorageClass},
	{name: "ListObjectVersions", method: http.MethodGet, scope: scopeBucket, sub: []string{"versions"}, handle: (*server).listObjectVersions,
		parameters: append([]string{"key-marker", "version-id-marker"}, listParameters...)},
	{name: "GetBucketLocation", method: http.MethodGet, scope: scopeBucket, sub: []string{"location"}, fresh: true, handle: (*server).getBucketLocation},
	{name: "ListMultipartUploads", method: http.MethodGet, scope: scopeBucket, sub: []string{"uploads"}, handle: (*server).listMultipartUploads,
		parameters: []string{"prefix", "delimiter", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"}},
	{name: "ListObjectsV2", method: http.MethodGet, scope: scopeBucket, sub: []string{"list-type"}, handle: (*server).listObjectsV2,
		parameters: append([]string{"continuation-token", "start-after", "fetch-owner"}, listParameters...)},
	{name: "ListObjects", method: http.MethodGet, scope: scopeBucket, handle: (*server).listObjects,
		parameters: append([]string{"marker"}, listParameters...)},
	{name: "HeadBucket", method: http.MethodHead, scope: scopeBucket, fresh: true, handle: (*server).headBucket},
	{name: "CreateBucket", method: http.MethodPut, scope: scopeBucket, handle: (*server).createBucket},
	{name: "DeleteBucket", method: http.MethodDelete, scope: scopeBucket, handle: (*server).deleteBucket},
	{name: "DeleteObjects", method: http.MethodPost, scope: scopeBucket, sub: []string{"delete"}, handle: (*server).deleteObjects},
	{name: "PostObject", method: http.MethodPost, scope: scopeBucket, handle: (*server).postObject},

	{name: "UploadPartCopy", method: http.MethodPut, scope: scopeObject, sub: partsParameters, copy: true, handle: (*server).uploadPartCopy},
	{name: "UploadPart", method: http.MethodPut, scope: scopeObject, sub: partsParameters, handle: (*server).uploadPart},
	{name: "CopyObject", method: http.MethodPut, scope: scopeObject, copy: true, handle: (*server).copyObject},
	{name: "PutObject", method: http.MethodPut, scope: scopeObject, handle: (*server).putObject},
	{name: "ListParts", method: http.MethodGet, scope: scopeObject, sub: []string{"uploadId"}, handle: (*server).listParts,
		parameters: []string{"max-parts", "part-number-marker", "encoding-type"}},
	{name: "GetObject", method: http.MethodGet, scope: scopeObject, handle: (*server).getObject, parameters: readParameters},
	{name: "HeadObject", method: http.MethodHead, scope: scopeObject, handle: (*server).headObject, parameters: readParameters},
	{name: "AbortMultipartUpload", method: http.MethodDelete, scope: scopeObject, sub: []string{"uploadId"}, handle: (*server).abortMultipartUpload},
	{name: "DeleteObject", method: http.MethodDelete, scope: scopeObject, handle: (*server).deleteObject, parameters: []string{"versionId"}},
	{name: "RestoreObject", method: http.MethodPost, scope: scopeObject, sub: []string{"restore"}, handle: (*server).restoreObject, parameters: []string{"versionId"}},
	{name: "CreateMultipartUpload", method: http.MethodPost, scope: scopeObject, sub: []string{"uploads"}, handle: (*server).createMultipartUpload},
	{name: "CompleteMultipartUpload", method: http.MethodPost, scope: scopeObject, sub: []string{"uploadId"}, handle: (*server).completeMultipartUpload},
}

func (op *operation) takes(parameter string) bool {
	return op.with != "" && parameter == op.with || slices.Contains(op.sub, parameter) || slices.Contains(op.parameters, parameter)
}

func (op *operation) selects(method string, sc scope, q query, copySource bool) bool {
	if op.method != method || op.scope != sc || op.copy && !copySource || op.with != "" && !q.has(op.with) {
		return false
	}
	return op.sub == nil || slices.ContainsFunc(op.sub, q.has)
}

// findOperation returns the row that a request selects.
func findOperation(method string, sc scope, q query, copySource bool) (*operation, error) {
	for i := range operations {
		if op := &operations[i]; op.selects(method, sc, q, copySource) {
			return op, checkQuery(op, q)
		}
	}
	if err := checkQuery(&operation{}, q); err != nil {
		return nil, err // The method may be allowed with a sub-resource that is not implemented.
	}
	return nil, s3err.MethodNotAllowed.Say("",
		s3err.Field{Name: "Method", Value: printable(method)}, s3err.Field{Name: "ResourceType", Value: sc.String()})
}

// allowedMethods lists the methods of a scope, for the Allow header.
func allowedMethods(sc scope) string {
	var methods []string
	for i := range operations {
		if op := &operations[i]; op.scope == sc && !slices.Contains(methods, op.method) {
			methods = append(methods, op.method)
		}
	}
	return strings.Join(methods, ", ")
}
