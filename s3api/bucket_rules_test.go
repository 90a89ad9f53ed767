package s3api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
)

// TestBucketTagging: tags come back sorted, are replaced as a whole, and go.
func TestBucketTagging(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	w.refused("NoSuchTagSet", owner, "GET", "/bkt?tagging", "")
	const doc = "<Tagging><TagSet><Tag><Key>team</Key><Value>a&amp;b</Value></Tag><Tag><Key>cost</Key><Value/></Tag></TagSet></Tagging>"
	require.Equal(t, 204, w.ok(owner, "PUT", "/bkt?tagging", doc, summed(doc)).StatusCode)
	got := w.ok(owner, "GET", "/", "", "Host: bkt."+worldDomain) // Virtual host, without the sub-resource: a list.
	require.Contains(t, got.body, "ListBucketResult")
	got = w.ok(owner, "GET", "/?tagging", "", "Host: bkt."+worldDomain)
	require.Contains(t, got.body, "<TagSet><Tag><Key>cost</Key><Value></Value></Tag><Tag><Key>team</Key><Value>a&amp;b</Value></Tag></TagSet>")

	w.refused("InvalidRequest", owner, "PUT", "/bkt?tagging", doc) // Without a sum.
	w.refused("BadDigest", owner, "PUT", "/bkt?tagging", doc, summed(doc+" "))
	many := "<Tagging><TagSet>"
	for i := range 51 {
		many += "<Tag><Key>k" + itoa(i) + "</Key><Value/></Tag>"
	}
	many += "</TagSet></Tagging>"
	require.Contains(t, w.as(owner, "PUT", "/bkt?tagging", many, summed(many)).code(), "InvalidTag")
	require.Contains(t, w.ok(owner, "GET", "/bkt?tagging", "").body, "<Key>team</Key>", "refused ones change nothing")
	w.ok(owner, "DELETE", "/bkt?tagging", "")
	w.refused("NoSuchTagSet", owner, "GET", "/bkt?tagging", "")
}

// TestDocumentSums: a sum that comes with a document of configuration is verified, of
// every one of them.
func TestDocumentSums(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	fill := strings.NewReplacer("{b}", "bkt")
	n := 0
	for _, row := range rightsTable {
		method, path := cut(fill.Replace(row.request))
		if method != "PUT" || !strings.HasPrefix(path, "/bkt?") || row.body == "" || strings.Contains(row.body, "{") {
			continue
		}
		n++
		w.refused("BadDigest", owner, method, path, row.body, summed("another"))
		w.refused("InvalidDigest", owner, method, path, row.body, "Content-MD5: x")
		w.refused("BadDigest", owner, method, path, row.body, "X-Amz-Checksum-Crc32: AAAAAA==")
		if strings.HasSuffix(path, "?object-lock") {
			w.ok(owner, "PUT", "/bkt?versioning", versioningDocument("Enabled"))
		}
		w.ok(owner, method, path, row.body, summed(row.body))
	}
	require.Greater(t, n, 6)
}

// TestBucketStorageClass: the class of what is written without one.
func TestBucketStorageClass(t *testing.T) {
	w := newWorld(t)
	owner := w.account("owner")
	w.ok(owner, "PUT", "/bkt", "")
	require.Contains(t, w.ok(owner, "GET", "/bkt?storageClass", "").body, "STANDARD")
	w.ok(owner, "PUT", "/bkt?storageClass", "<StorageClass>STANDARD_IA</StorageClass>")
	require.Contains(t, w.ok(owner, "GET", "/bkt?storageClass", "").body, "STANDARD_IA")
	w.ok(owner, "PUT", "/bkt/k", "x")
	require.Equal(t, "STANDARD_IA", w.ok(owner, "HEAD", "/bkt/k", "").Header.Get("X-Amz-Storage-Class"))
	w.refused("InvalidDefaultStorageClass", owner, "PUT", "/bkt?storageClass", "<StorageClass>FAST</StorageClass>")
}

const publicPolicy = `{"Effect":"Allow","Principal":"*","Action":["s3:GetObject","s3:ListBucket"],"Resource":["arn:aws:s3:::bkt","arn:aws:s3:::bkt/*"]}`

// TestPublicAccessBlock is what each of the four switches does, by itself.
func TestPublicAccessBlock(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	w.ok(owner, "PUT", "/bkt", "")
	w.ok(owner, "PUT", "/bkt/k", "x", "X-Amz-Acl: public-read")
	block := func(on ...string) { w.ok(owner, "PUT", "/bkt?publicAccessBlock", blockText(on...)) }
	w.refused("NoSuchPublicAccessBlockConfiguration", owner, "GET", "/bkt?publicAccessBlock", "")
	w.ok(nil, "GET", "/bkt/k", "")

	block("BlockPublicAcls")
	require.Contains(t, w.ok(owner, "GET", "/bkt?publicAccessBlock", "").body,
		"<BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>false</IgnorePublicAcls>")
	for _, acl := range []string{"X-Amz-Acl: public-read", "X-Amz-Acl: authenticated-read", `X-Amz-Grant-Read: uri="` + everybody + `"`} {
		w.refused("AccessDenied", owner, "PUT", "/bkt/new", "x", acl)
		w.refused("AccessDenied", owner, "PUT", "/bkt/new", "", acl, "X-Amz-Copy-Source: bkt/k")
		w.refused("AccessDenied", owner, "POST", "/bkt/new?uploads", "", acl)
		w.refused("AccessDenied", owner, "PUT", "/bkt?acl", "", acl)
		w.refused("AccessDenied", owner, "PUT", "/bkt/k?acl", "", acl)
	}
	w.refused("AccessDenied", owner, "PUT", "/bkt?acl", aclText(owner.account, everybody+" READ"))
	w.ok(owner, "PUT", "/bkt?acl", aclText(owner.account, other.account+" READ"))
	w.ok(nil, "GET", "/bkt/k", "") // What is public stays so.

	block("IgnorePublicAcls")
	w.refused("AccessDenied", nil, "GET", "/bkt/k", "")
	w.refused("AccessDenied", other, "GET", "/bkt/k", "")
	w.ok(other, "GET", "/bkt", "") // A grant to one that it names counts.
	w.ok(owner, "PUT", "/bkt?acl", "", "X-Amz-Acl: public-read")
	w.refused("AccessDenied", nil, "GET", "/bkt", "")

	block("BlockPublicPolicy")
	w.refused("AccessDenied", owner, "PUT", "/bkt?policy", statements(publicPolicy))
	w.ok(owner, "PUT", "/bkt?policy", statements(strings.Replace(publicPolicy, `"Principal":"*"`, `"Principal":{"AWS":"`+other.account+`"}`, 1)))
	require.Contains(t, w.ok(owner, "GET", "/bkt?policyStatus", "").body, "<IsPublic>false</IsPublic>")

	block("RestrictPublicBuckets")
	w.ok(owner, "PUT", "/bkt?acl", "", "X-Amz-Acl: private")
	w.ok(owner, "PUT", "/bkt/k", "x")
	w.ok(other, "GET", "/bkt/k", "") // The policy is not public.
	w.ok(owner, "PUT", "/bkt?policy", statements(publicPolicy))
	require.Contains(t, w.ok(owner, "GET", "/bkt?policyStatus", "").body, "<IsPublic>true</IsPublic>")
	w.refused("AccessDenied", other, "GET", "/bkt/k", "")
	w.refused("AccessDenied", nil, "GET", "/bkt/k", "")
	w.ok(w.user(owner, "plain"), "GET", "/bkt/k", "") // Of the owner's account: the policy counts.
	w.ok(owner, "DELETE", "/bkt?publicAccessBlock", "")
	w.ok(nil, "GET", "/bkt/k", "")
}

// TestOwnership: who owns what others write, and which ACLs a bucket takes.
func TestOwnership(t *testing.T) {
	w := newWorld(t)
	owner, other := w.account("owner"), w.account("other")
	w.ok(owner, "PUT", "/bkt", "")
	w.refused("OwnershipControlsNotFoundError", owner, "GET", "/bkt?ownershipControls", "")
	w.ok(owner, "PUT", "/bkt?acl", aclText(owner.account, other.account+" WRITE"))
	w.ok(other, "PUT", "/bkt/before", "x")
	w.refused("AccessDenied", owner, "GET", "/bkt/before", "")

	w.ok(owner, "PUT", "/bkt?ownershipControls", ownershipText("BucketOwnerPreferred"))
	w.ok(other, "PUT", "/bkt/theirs", "x")
	w.refused("AccessDenied", owner, "GET", "/bkt/theirs", "")
	w.ok(other, "PUT", "/bkt/given", "x", "X-Amz-Acl: bucket-owner-full-control")
	w.ok(owner, "GET", "/bkt/given", "")
	w.refused("AccessDenied", other, "GET", "/bkt/given", "")
	require.Equal(t, []string{owner.account + " FULL_CONTROL"}, grantsOf(w.ok(owner, "GET", "/bkt/given?acl", "").body))

	w.refused("InvalidBucketAclWithObjectOwnership", owner, "PUT", "/bkt?ownershipControls", ownershipText("BucketOwnerEnforced"))
	w.ok(owner, "PUT", "/bkt?acl", "", "X-Amz-Acl: private")
	w.ok(owner, "PUT", "/bkt?policy", statements(`{"Effect":"Allow","Principal":{"AWS":"`+other.account+`"},"Action":"s3:*","Resource":"arn:aws:s3:::bkt/*"}`))
	w.ok(owner, "PUT", "/bkt?ownershipControls", ownershipText("BucketOwnerEnforced"))
	require.Contains(t, w.ok(owner, "GET", "/bkt?ownershipControls", "").body, "BucketOwnerEnforced")
	w.ok(owner, "GET", "/bkt/before", "") // All of it is the owner's now.
	w.ok(other, "PUT", "/bkt/new", "x")
	w.ok(owner, "GET", "/bkt/new", "")
	require.Contains(t, w.ok(owner, "GET", "/bkt/new?acl", "").body, "<Owner><ID>"+owner.account)
	// What says that all is the owner's is taken from its own account.
	for _, acl := range []string{"X-Amz-Acl: private", "X-Amz-Acl: bucket-owner-full-control", "X-Amz-Acl: bucket-owner-read", "X-Amz-Grant-Full-Control: id=" + owner.account} {
		w.ok(owner, "PUT", "/bkt/k", "x", acl)
		w.ok(owner, "POST", "/bkt/k?uploads", "", acl)
		w.ok(owner, "PUT", "/bkt/k", "", acl, "X-Amz-Copy-Source: bkt/new")
		w.ok(owner, "PUT", "/bkt?acl", "", acl)
		w.ok(owner, "PUT", "/bkt/new?acl", "", acl)
	}
	w.refused("AccessControlListNotSupported", other, "PUT", "/bkt/k", "x", "X-Amz-Acl: private")
	for _, acl := range []string{"X-Amz-Acl: public-read", "X-Amz-Grant-Read: id=" + other.account} {
		w.refused("AccessControlListNotSupported", owner, "PUT", "/bkt/k", "x", acl)
		w.refused("AccessControlListNotSupported", owner, "POST", "/bkt/k?uploads", "", acl)
		w.refused("AccessControlListNotSupported", owner, "PUT", "/bkt/k", "", acl, "X-Amz-Copy-Source: bkt/new")
		w.refused("AccessControlListNotSupported", owner, "PUT", "/bkt?acl", "", acl)
		w.refused("AccessControlListNotSupported", owner, "PUT", "/bkt/new?acl", "", acl)
	}
	w.refused("AccessControlListNotSupported", owner, "PUT", "/bkt?acl", aclText(owner.account, other.account+" READ"))
	w.ok(owner, "PUT", "/bkt?acl", aclText(owner.account, owner.account+" FULL_CONTROL"))
	w.ok(other, "PUT", "/bkt/full", "x", "X-Amz-Acl: bucket-owner-full-control")

	w.ok(owner, "DELETE", "/bkt?ownershipControls", "")
	w.refused("OwnershipControlsNotFoundError", owner, "GET", "/bkt?ownershipControls", "")
	w.refused("AccessDenied", owner, "GET", "/bkt/before", "")
}

// TestNewBucketRules: what a bucket begins with under each profile, and what its maker
// asks for instead.
func TestNewBucketRules(t *testing.T) {
	aws := newWorld(t, withProfile(t, profile.AWS, nil))
	owner := aws.account("owner")
	aws.ok(owner, "PUT", "/bkt", "")
	require.Contains(t, aws.ok(owner, "GET", "/bkt?ownershipControls", "").body, "BucketOwnerEnforced")
	require.Equal(t, 4, strings.Count(aws.ok(owner, "GET", "/bkt?publicAccessBlock", "").body, ">true<"))
	aws.refused("AccessControlListNotSupported", owner, "PUT", "/bkt/k", "x", "X-Amz-Acl: public-read")
	aws.ok(owner, "PUT", "/bkt/k", "x", "X-Amz-Acl: private")
	aws.ok(owner, "PUT", "/private", "", "X-Amz-Acl: private")
	aws.refused("InvalidBucketAclWithObjectOwnership", owner, "PUT", "/acl", "", "X-Amz-Acl: public-read")
	aws.ok(owner, "PUT", "/writer", "", "X-Amz-Object-Ownership: ObjectWriter")
	require.Contains(t, aws.ok(owner, "GET", "/writer?ownershipControls", "").body, "ObjectWriter")
	aws.refused("AccessDenied", owner, "PUT", "/public", "", "X-Amz-Object-Ownership: ObjectWriter", "X-Amz-Acl: public-read")
	aws.refused("InvalidArgument", owner, "PUT", "/bad", "", "X-Amz-Object-Ownership: Mine")

	obs := newWorld(t)
	owner = obs.account("owner")
	obs.ok(owner, "PUT", "/bkt", "")
	obs.refused("OwnershipControlsNotFoundError", owner, "GET", "/bkt?ownershipControls", "")
	obs.ok(owner, "PUT", "/enforced", "", "X-Amz-Object-Ownership: BucketOwnerEnforced")
	require.Contains(t, obs.ok(owner, "GET", "/enforced?ownershipControls", "").body, "BucketOwnerEnforced")
}
