package policy

import "strings"

// The condition keys. In documents their case does not matter, except that of the tag's key after
// ExistingTagPrefix and RequestTagPrefix.
const (
	KeyCurrentTime      = "aws:CurrentTime" // RFC 3339.
	KeyEpochTime        = "aws:EpochTime"   // Seconds since 1970.
	KeySecureTransport  = "aws:SecureTransport"
	KeySourceIP         = "aws:SourceIp"
	KeyUserAgent        = "aws:UserAgent"
	KeyReferer          = "aws:Referer"
	KeyUsername         = "aws:username"
	KeyUserID           = "aws:userid"
	KeyPrincipalAccount = "aws:PrincipalAccount"
	KeyPrincipalType    = "aws:PrincipalType" // Anonymous, Account, User, AssumedRole, FederatedUser or Service.
	KeyPrincipalARN     = "aws:PrincipalArn"  // For a session of a role, that of the role.
	KeyTokenIssueTime   = "aws:TokenIssueTime"
	KeyMFAAge           = "aws:MultiFactorAuthAge" // Seconds; only with a second factor.
	KeySourceARN        = "aws:SourceArn"          // This and the next: of the resource that a service acts for.
	KeySourceAccount    = "aws:SourceAccount"

	KeyPrefix    = "s3:prefix" // This and the next two: of a request that lists.
	KeyDelimiter = "s3:delimiter"
	KeyMaxKeys   = "s3:max-keys"

	KeyACL               = "s3:x-amz-acl"
	KeyGrantRead         = "s3:x-amz-grant-read"
	KeyGrantWrite        = "s3:x-amz-grant-write"
	KeyGrantReadACP      = "s3:x-amz-grant-read-acp"
	KeyGrantWriteACP     = "s3:x-amz-grant-write-acp"
	KeyGrantFullControl  = "s3:x-amz-grant-full-control"
	KeyCopySource        = "s3:x-amz-copy-source" // "bucket/key", decoded, without a version; see sourceOperand.
	KeyMetadataDirective = "s3:x-amz-metadata-directive"
	KeyVersionID         = "s3:VersionId"
	KeySSE               = "s3:x-amz-server-side-encryption"
	KeySSEKMSKeyID       = "s3:x-amz-server-side-encryption-aws-kms-key-id"
	KeySSECustomer       = "s3:x-amz-server-side-encryption-customer-algorithm"
	KeyStorageClass      = "s3:x-amz-storage-class"
	KeyContentSHA256     = "s3:x-amz-content-sha256"
	KeyRedirect          = "s3:x-amz-website-redirect-location"
	KeyOwnership         = "s3:x-amz-object-ownership" // The ownership that the request gives the bucket.

	KeyIfMatch     = "s3:if-match" // This and the next: preconditions of a request that changes an object.
	KeyIfNoneMatch = "s3:if-none-match"
	KeyCreates     = "s3:ObjectCreationOperation" // Whether s3:PutObject makes an object; a part makes none.

	KeySignatureVersion = "s3:signatureversion" // "AWS" (V2) or "AWS4-HMAC-SHA256".
	KeyAuthType         = "s3:authType"         // "REST-HEADER", "REST-QUERY-STRING" or "POST".
	KeySignatureAge     = "s3:signatureAge"     // Milliseconds.
	KeyTLSVersion       = "s3:TlsVersion"       // "1.2" or "1.3".

	KeyRequestTagKeys  = "s3:RequestObjectTagKeys" // The only key with several values.
	KeyLockMode        = "s3:object-lock-mode"
	KeyLockUntil       = "s3:object-lock-retain-until-date"
	KeyLockDays        = "s3:object-lock-remaining-retention-days"
	KeyLockLegalHold   = "s3:object-lock-legal-hold"
	KeyLocation        = "s3:LocationConstraint"
	KeyResourceAccount = "s3:ResourceAccount" // Id of the account that owns the bucket.

	ExistingTagPrefix = "s3:ExistingObjectTag/" // A tag of the object; the tag's key follows the prefix.
	RequestTagPrefix  = "s3:RequestObjectTag/"  // A tag in the request; the tag's key follows the prefix.
)

// conditionKeys are all keys but those that begin with one of the two prefixes.
var conditionKeys = [...]string{
	KeyCurrentTime, KeyEpochTime, KeySecureTransport, KeySourceIP, KeyUserAgent, KeyReferer,
	KeyUsername, KeyUserID, KeyPrincipalAccount, KeyPrincipalType, KeyPrincipalARN,
	KeyTokenIssueTime, KeyMFAAge, KeySourceARN, KeySourceAccount,
	KeyPrefix, KeyDelimiter, KeyMaxKeys,
	KeyACL, KeyGrantRead, KeyGrantWrite, KeyGrantReadACP, KeyGrantWriteACP, KeyGrantFullControl,
	KeyCopySource, KeyMetadataDirective, KeyVersionID,
	KeySSE, KeySSEKMSKeyID, KeySSECustomer, KeyStorageClass, KeyContentSHA256, KeyRedirect, KeyOwnership,
	KeyIfMatch, KeyIfNoneMatch, KeyCreates,
	KeySignatureVersion, KeyAuthType, KeySignatureAge, KeyTLSVersion,
	KeyRequestTagKeys, KeyLockMode, KeyLockUntil, KeyLockDays, KeyLockLegalHold,
	KeyLocation, KeyResourceAccount,
}

// CanonicalKey returns a condition key in the spelling of the constants, and whether there is such a
// key.
func CanonicalKey(name string) (string, bool) { return canonicalKey(name) }

// canonicalKey returns a condition key in the spelling of the constants, and whether there is such
// a key.
func canonicalKey(name string) (string, bool) {
	for _, prefix := range [...]string{ExistingTagPrefix, RequestTagPrefix} {
		if n := len(prefix); len(name) > n && strings.EqualFold(name[:n], prefix) {
			return prefix + name[n:], true
		}
	}
	for _, key := range conditionKeys {
		if strings.EqualFold(key, name) {
			return key, true
		}
	}
	return name, isClaim(name)
}
