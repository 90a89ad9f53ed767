package iam

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
)

// TestACLs: each permission of each grantee, on a bucket and on an object in it, gives the actions
// that it stands for and not one more.
func TestACLs(t *testing.T) {
	s := newScene(t)
	bucketActions := map[metapb.Permission][]string{
		metapb.Permission_PERMISSION_READ: {"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads",
			"s3:ListMultipartUploadParts", "s3:GetBucketLocation"},
		metapb.Permission_PERMISSION_WRITE:     {"s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"},
		metapb.Permission_PERMISSION_READ_ACP:  {"s3:GetBucketAcl"},
		metapb.Permission_PERMISSION_WRITE_ACP: {"s3:PutBucketAcl"},
	}
	objectActions := map[metapb.Permission][]string{
		metapb.Permission_PERMISSION_READ:      {"s3:GetObject", "s3:GetObjectVersion"},
		metapb.Permission_PERMISSION_READ_ACP:  {"s3:GetObjectAcl", "s3:GetObjectVersionAcl"},
		metapb.Permission_PERMISSION_WRITE_ACP: {"s3:PutObjectAcl", "s3:PutObjectVersionAcl"},
	}
	others := []string{"s3:DeleteBucket", "s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutBucketVersioning",
		"s3:DeleteObjectVersion", "s3:GetObjectTagging", "s3:RestoreObject", "s3:PutBucketRequestPayment", "s3:PutEncryptionConfiguration"}
	grantees := []struct {
		name  string
		grant *metapb.Grant
		want  string // Of all, with what they may do themselves in their account.
	}{
		{"an account", &metapb.Grant{Account: s.els}, "else else/able"},
		{"nobody known", &metapb.Grant{Account: "gone"}, ""},
		{"a user is no grantee", &metapb.Grant{Account: s.who["else/reader"].UserID}, ""},
		{"all", &metapb.Grant{Group: metapb.GranteeGroup_GRANTEE_ALL_USERS}, "else else/able third anonymous"},
		{"all who are known", &metapb.Grant{Group: metapb.GranteeGroup_GRANTEE_AUTHENTICATED}, "else else/able third"},
		{"the delivery of logs", &metapb.Grant{Group: metapb.GranteeGroup_GRANTEE_LOG_DELIVERY}, ""},
		{"a group of a later version", &metapb.Grant{Group: 77, Account: s.els}, ""},
	}
	s.policy("else", "all", `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	s.addUser("else/able all")
	s.policy("acme", "all", `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	for name := range s.who {
		if name != "acme" && strings.HasPrefix(name, "acme/") || name == "else/reader" || name == "else/writer" {
			delete(s.who, name)
		}
	}
	gives := func(table map[metapb.Permission][]string, p metapb.Permission, action string) bool {
		for of, actions := range table {
			if slices.Contains(actions, action) && (p == of || p == metapb.Permission_PERMISSION_FULL_CONTROL) {
				return true
			}
		}
		return false
	}
	actions := slices.Clone(others)
	for _, table := range []map[metapb.Permission][]string{bucketActions, objectActions} {
		for _, more := range table {
			actions = append(actions, more...)
		}
	}
	for _, g := range grantees {
		for p := range metapb.Permission_name {
			g.grant.Permission = metapb.Permission(p)
			acl := &metapb.Acl{Grants: []*metapb.Grant{g.grant}}
			for _, action := range actions {
				want := "acme "
				if gives(bucketActions, metapb.Permission(p), action) {
					want += g.want
				}
				access := &Access{Action: action, Bucket: s.bucket("", acl), Key: "k"}
				require.Equal(t, expected(want), s.allowed(func(id *Identity) bool {
					access.Identity = id
					return s.z.Allows(access)
				}), "%s: %v of the bucket, %s", g.name, g.grant.Permission, action)

				want = "acme "
				if gives(objectActions, metapb.Permission(p), action) {
					want += g.want
				}
				access = &Access{Action: action, Bucket: s.bucket("", nil), Key: "k"}
				require.Equal(t, expected(want), s.allowed(func(id *Identity) bool {
					access.Identity = id
					return s.z.AllowsObject(access, &metapb.Version{Owner: s.acme, Acl: acl})
				}), "%s: %v of the object, %s", g.name, g.grant.Permission, action)
			}
		}
	}
}

// TestACLNeverUndoesDeny: an ACL undoes no denial, neither by a policy of the caller's nor by one
// of the bucket's.
func TestACLNeverUndoesDeny(t *testing.T) {
	s := newScene(t)
	s.policy("else", "no-reading", `{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"},{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}`)
	s.addUser("else/blind no-reading")
	public := &metapb.Version{Owner: s.acme, Acl: &metapb.Acl{Grants: []*metapb.Grant{
		{Group: metapb.GranteeGroup_GRANTEE_ALL_USERS, Permission: metapb.Permission_PERMISSION_READ}}}}
	may := func(b *bucket.Bucket) func(*Identity) bool {
		return func(id *Identity) bool {
			return s.z.AllowsObject(&Access{Identity: id, Action: "s3:GetObject", Bucket: b, Key: "k"}, public)
		}
	}
	s.requireOnly(t, ownReaders+"else else/reader else/writer third anonymous", may(s.bucket("", nil)))
	s.requireOnly(t, ownReaders+"else else/reader else/writer third", may(s.bucket(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",
		"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"aws:PrincipalType":"Anonymous"}}}]}`, nil)))
}
