package policy

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// awsKeys are the condition keys that AWS documents for S3 in its service authorization
// reference (as of October 2026; keys are the same in any case), and the global ones of
// requests to S3; true: Cairn knows them.
var awsKeys = map[string]bool{
	"s3:authType": true, "s3:delimiter": true, "s3:ExistingObjectTag/<key>": true, "s3:LocationConstraint": true, "s3:max-keys": true,
	"s3:object-lock-legal-hold": true, "s3:object-lock-mode": true, "s3:object-lock-remaining-retention-days": true,
	"s3:object-lock-retain-until-date": true, "s3:prefix": true, "s3:RequestObjectTag/<key>": true, "s3:RequestObjectTagKeys": true,
	"s3:ResourceAccount": true, "s3:signatureAge": true, "s3:signatureversion": true, "s3:TlsVersion": true, "s3:VersionId": true,
	"s3:x-amz-acl": true, "s3:x-amz-content-sha256": true, "s3:x-amz-copy-source": true, "s3:x-amz-grant-full-control": true,
	"s3:x-amz-grant-read": true, "s3:x-amz-grant-read-acp": true, "s3:x-amz-grant-write": true, "s3:x-amz-grant-write-acp": true,
	"s3:x-amz-metadata-directive": true, "s3:x-amz-server-side-encryption": true,
	"s3:x-amz-server-side-encryption-aws-kms-key-id": true, "s3:x-amz-server-side-encryption-customer-algorithm": true,
	"s3:x-amz-storage-class": true,
	"aws:CurrentTime":        true, "aws:EpochTime": true, "aws:MultiFactorAuthAge": true, "aws:PrincipalAccount": true, "aws:PrincipalArn": true,
	"aws:PrincipalType": true, "aws:Referer": true, "aws:SecureTransport": true, "aws:SourceAccount": true, "aws:SourceArn": true,
	"aws:SourceIp": true, "aws:TokenIssueTime": true, "aws:UserAgent": true, "aws:userid": true, "aws:username": true,

	// These belong to features that Cairn does not have, or nobody checks them. A policy that names
	// one is refused, because it would promise something that does not hold.
	"s3:AccessPointTag/<key>": false, "s3:annotation-prefix": false, "s3:deliverySourceArn": false, "s3:destinationRegion": false,
	"s3:logType": false, "s3:max-annotation-results": false, "s3:object-lock-event-hold": false,
	"s3:object-lock-event-hold-duration-days": false, "s3:resourceArnBeingAuthorized": false, "s3:x-amz-bucket-namespace": false,
	"s3:x-amz-object-annotation-directive": false, "s3:x-amz-object-if-match": false,
	"s3:AccessGrantsInstanceArn": false, "s3:AccessPointNetworkOrigin": false, "s3:BucketTag/<key>": false,
	"s3:DataAccessPointAccount": false, "s3:DataAccessPointArn": false, "s3:ExistingJobOperation": false, "s3:ExistingJobPriority": false,
	"s3:if-match": true, "s3:if-none-match": true, "s3:InventoryAccessibleOptionalFields": false, "s3:isReplicationPauseRequest": false,
	"s3:JobSuspendedCause": false, "s3:ObjectCreationOperation": true, "s3:RequestJobOperation": false, "s3:RequestJobPriority": false,
	"s3:x-amz-object-ownership": true, "s3:x-amz-website-redirect-location": true,
	"aws:CalledVia": false, "aws:FederatedProvider": false, "aws:MultiFactorAuthPresent": false, "aws:PrincipalIsAWSService": false,
	"aws:PrincipalOrgID": false, "aws:PrincipalOrgPaths": false, "aws:PrincipalServiceName": false, "aws:PrincipalTag/<key>": false,
	"aws:RequestedRegion": false, "aws:RequestTag/<key>": false, "aws:ResourceAccount": false, "aws:ResourceOrgID": false,
	"aws:ResourceTag/<key>": false, "aws:SourceOrgID": false, "aws:SourceVpc": false, "aws:SourceVpce": false, "aws:TagKeys": false,
	"aws:ViaAWSService": false, "aws:VpcSourceIp": false,
}

// TestKeysAreThoseOfAWS: each documented key is either known, in the spelling of AWS, or refused,
// and no other key is known.
func TestKeysAreThoseOfAWS(t *testing.T) {
	known := map[string]bool{ExistingTagPrefix + "<key>": true, RequestTagPrefix + "<key>": true}
	for _, key := range conditionKeys {
		known[key] = true
	}
	for key, want := range awsKeys {
		require.Equal(t, want, known[key], key)
		got, ok := canonicalKey(strings.ToUpper(strings.TrimSuffix(key, "<key>")) + map[bool]string{true: "<key>"}[strings.HasSuffix(key, "<key>")])
		require.Equal(t, want, ok, "%s in other case", key)
		if want {
			require.Equal(t, key, got)
		}
		document := `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Null":{"` + key + `":"false"}}}]}`
		_, err := Parse([]byte(document), Identity)
		require.Equal(t, want, err == nil, "%s in a document: %v", key, err)
	}
	for key := range known {
		require.True(t, awsKeys[key], "%s is not AWS's", key)
	}
}

// TestKeysAreDocumented: the table of docs/access.md has each key, and no other.
func TestKeysAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/access.md")
	require.NoError(t, err)
	_, table, ok := strings.Cut(string(doc), "| condition key | value |\n| --- | --- |\n")
	require.True(t, ok)
	table, _, _ = strings.Cut(table, "\n\n")
	var told []string
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(line, "|")
		require.Len(t, cells, 4, line)
		for i, word := range strings.Split(cells[1], "`") {
			if i%2 == 1 {
				told = append(told, word)
			}
		}
	}
	want := append(slices.Clone(conditionKeys[:]), ExistingTagPrefix+"KEY", RequestTagPrefix+"KEY")
	slices.Sort(told)
	slices.Sort(want)
	require.Equal(t, want, told)
}
