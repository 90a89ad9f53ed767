package policy

import (
	"fmt"
	"slices"
	"strings"
)

// services returns the services whose actions a kind of policy may name.
func services(kind Kind) []string {
	switch kind {
	case Resource:
		return []string{"s3"}
	case Trust:
		return []string{"sts"}
	}
	return []string{"s3", "sts", "kms", "admin"}
}

// actions returns the patterns of Action, or those of NotAction and negated.
func (c *compiler) actions(n node) (actions []pattern, negated bool, bad *Error) {
	element, value, negated, bad := c.either(n, "Action")
	if bad != nil {
		return nil, false, bad
	}
	values, bad := c.list(element, value, false)
	if bad != nil {
		return nil, false, bad
	}
	for _, text := range values {
		p, err := c.action(text)
		if err != nil {
			return nil, false, c.fail(element, "%v", err)
		}
		actions = append(actions, p)
	}
	return actions, negated, nil
}

// action returns the pattern of an action. It must match an action that is known: a misspelled one
// would silently have no effect. The names of actions of the admin API are not known here, so any
// name of letters is taken.
func (c *compiler) action(text string) (pattern, error) {
	p, err := syntax{wildcards: true, fold: true}.compile(text)
	if err != nil || text == "*" && c.kind != Trust {
		return p, err
	}
	service, name, found := strings.Cut(strings.ToLower(text), ":")
	allowed := services(c.kind)
	if !found || !slices.Contains(allowed, service) {
		return p, fmt.Errorf("%q is no action: use SERVICE:NAME, where SERVICE is one of %s", text, strings.Join(allowed, ", "))
	}
	var known []string
	switch service {
	case "s3":
		known = s3Actions[:]
	case "sts":
		known = stsActions[:]
	case "kms":
		known = kmsActions[:]
	case "admin":
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz*?") == "" && name != "" {
			return p, nil
		}
	}
	bare, err := syntax{wildcards: true, fold: true}.compile(name)
	if err != nil || !slices.ContainsFunc(known, bare.match) {
		return p, fmt.Errorf("%q is no action that is known: use one such as %s, or %s:*", text, example(service), service)
	}
	return p, nil
}

// S3Action returns an action of S3 in its usual spelling, as in s3:GetObject, and whether there is
// such an action. Case does not matter.
func S3Action(name string) (string, bool) {
	service, action, _ := strings.Cut(name, ":")
	if !strings.EqualFold(service, "s3") {
		return "", false
	}
	for _, known := range s3Actions {
		if strings.EqualFold(known, action) {
			return "s3:" + known, true
		}
	}
	return "", false
}

func example(service string) string {
	return map[string]string{"s3": "s3:GetObject", "sts": "sts:AssumeRole", "kms": "kms:Decrypt", "admin": "admin:ListAccounts"}[service]
}

// stsActions and kmsActions are the actions of these services that policies for object storage
// name.
var (
	stsActions = [...]string{
		"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetAccessKeyInfo",
		"GetCallerIdentity", "GetFederationToken", "GetSessionToken", "SetSourceIdentity", "TagSession",
	}
	kmsActions = [...]string{
		"CancelKeyDeletion", "CreateAlias", "CreateKey", "Decrypt", "DeleteAlias", "DescribeKey",
		"DisableKey", "DisableKeyRotation", "EnableKey", "EnableKeyRotation", "Encrypt",
		"GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GetKeyPolicy", "GetKeyRotationStatus",
		"ListAliases", "ListKeys", "PutKeyPolicy", "ReEncryptFrom", "ReEncryptTo", "RotateKeyOnDemand",
		"ScheduleKeyDeletion", "UpdateAlias", "UpdateKeyDescription",
	}
)

// s3Actions are the actions of buckets and objects: first those in AWS's service authorization
// reference, then those that only OBS has.
var s3Actions = [...]string{
	"AbortMultipartUpload", "BypassGovernanceRetention", "CreateBucket", "DeleteBucket",
	"DeleteBucketOwnershipControls", "DeleteBucketPolicy", "DeleteBucketWebsite", "DeleteObject",
	"DeleteObjectTagging", "DeleteObjectVersion", "DeleteObjectVersionTagging",
	"GetAccelerateConfiguration", "GetAccountPublicAccessBlock", "GetAnalyticsConfiguration",
	"GetBucketAbac", "GetBucketAcl", "GetBucketCORS", "GetBucketLocation", "GetBucketLogging",
	"GetBucketMetadataTableConfiguration", "GetBucketNotification",
	"GetBucketObjectLockConfiguration", "GetBucketOwnershipControls", "GetBucketPolicy",
	"GetBucketPolicyStatus", "GetBucketPublicAccessBlock", "GetBucketRequestPayment",
	"GetBucketTagging", "GetBucketVersioning", "GetBucketWebsite", "GetEncryptionConfiguration",
	"GetIntelligentTieringConfiguration", "GetInventoryConfiguration", "GetLifecycleConfiguration",
	"GetMetricsConfiguration", "GetObject", "GetObjectAcl", "GetObjectAttributes",
	"GetObjectLegalHold", "GetObjectRetention", "GetObjectTagging", "GetObjectTorrent",
	"GetObjectVersion", "GetObjectVersionAcl", "GetObjectVersionAttributes",
	"GetObjectVersionForReplication", "GetObjectVersionTagging", "GetObjectVersionTorrent",
	"GetReplicationConfiguration", "InitiateReplication", "ListAllMyBuckets", "ListBucket",
	"ListBucketMultipartUploads", "ListBucketVersions", "ListMultipartUploadParts",
	"ObjectOwnerOverrideToBucketOwner", "PutAccelerateConfiguration",
	"PutAccountPublicAccessBlock", "PutAnalyticsConfiguration", "PutBucketAbac", "PutBucketAcl",
	"PutBucketCORS", "PutBucketLogging", "PutBucketNotification",
	"PutBucketObjectLockConfiguration", "PutBucketOwnershipControls", "PutBucketPolicy",
	"PutBucketPublicAccessBlock", "PutBucketRequestPayment", "PutBucketTagging",
	"PutBucketVersioning", "PutBucketWebsite", "PutEncryptionConfiguration",
	"PutIntelligentTieringConfiguration", "PutInventoryConfiguration",
	"PutLifecycleConfiguration", "PutMetricsConfiguration", "PutObject", "PutObjectAcl",
	"PutObjectLegalHold", "PutObjectRetention", "PutObjectTagging", "PutObjectVersionAcl",
	"PutObjectVersionTagging", "PutReplicationConfiguration", "RenameObject", "ReplicateDelete",
	"ReplicateObject", "ReplicateTags", "RestoreObject", "UpdateObjectEncryption",

	"AppendObject", "DeleteBucketCustomDomainConfiguration", "DeleteBucketInventoryConfiguration",
	"DeleteBucketTagging", "DeleteDirectColdAccessConfiguration", "GetBucketCustomDomainConfiguration",
	"GetBucketInventoryConfiguration", "GetBucketQuota", "GetBucketStorage",
	"GetBucketStorageClass", "GetBucketStoragePolicy", "GetDirectColdAccessConfiguration",
	"HeadBucket", "HeadObject", "ListMultipartUploads", "ListObjects", "ModifyObjectMetaData",
	"PutBucketCustomDomainConfiguration", "PutBucketInventoryConfiguration", "PutBucketQuota",
	"PutBucketStorageClass", "PutBucketStoragePolicy", "PutDirectColdAccessConfiguration",
}
