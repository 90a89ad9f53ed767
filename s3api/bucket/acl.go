package bucket

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// MaxGrants bounds how many grants an ACL may have.
const MaxGrants = 100

// URIs of the groups that an ACL can name.
const (
	uriAllUsers      = "http://acs.amazonaws.com/groups/global/AllUsers"
	uriAuthenticated = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
	uriLogDelivery   = "http://acs.amazonaws.com/groups/s3/LogDelivery"
)

// GroupURI returns the URI of a group; empty if it has none.
func GroupURI(g metapb.GranteeGroup) string {
	switch g {
	case metapb.GranteeGroup_GRANTEE_ALL_USERS:
		return uriAllUsers
	case metapb.GranteeGroup_GRANTEE_AUTHENTICATED:
		return uriAuthenticated
	case metapb.GranteeGroup_GRANTEE_LOG_DELIVERY:
		return uriLogDelivery
	}
	return ""
}

// GroupByURI returns the group with this URI. OBS's one-word names are taken too.
func GroupByURI(uri string) (metapb.GranteeGroup, bool) {
	switch uri {
	case uriAllUsers, "Everyone":
		return metapb.GranteeGroup_GRANTEE_ALL_USERS, true
	case uriAuthenticated:
		return metapb.GranteeGroup_GRANTEE_AUTHENTICATED, true
	case uriLogDelivery, "LogDelivery":
		return metapb.GranteeGroup_GRANTEE_LOG_DELIVERY, true
	}
	return 0, false
}

// AnyGrantees implements wirexml.Grantees for ACLs that are stored: it knows no account by name,
// and accepts every id.
type AnyGrantees struct{}

// URI implements wirexml.Grantees.
func (AnyGrantees) URI(g metapb.GranteeGroup) string { return GroupURI(g) }

// Group implements wirexml.Grantees.
func (AnyGrantees) Group(uri string) (metapb.GranteeGroup, bool) { return GroupByURI(uri) }

// Account implements wirexml.Grantees.
func (AnyGrantees) Account(string) (string, bool) { return "", true }

// CannedACL returns the grants that the name of a canned ACL stands for. The owner's grant is not
// among them, because the owner has full control in any case. owner owns the bucket or object that
// has the ACL, and bucketOwner the bucket. Nil means private. Errors: Invalid.
func CannedACL(name, owner, bucketOwner string) (*metapb.Acl, error) {
	group := func(g metapb.GranteeGroup, permissions ...metapb.Permission) *metapb.Acl {
		acl := &metapb.Acl{}
		for _, p := range permissions {
			acl.Grants = append(acl.Grants, &metapb.Grant{Group: g, Permission: p})
		}
		return acl
	}
	toBucketOwner := func(p metapb.Permission) *metapb.Acl {
		if owner == bucketOwner {
			return nil
		}
		return &metapb.Acl{Grants: []*metapb.Grant{{Account: bucketOwner, Permission: p}}}
	}
	switch name {
	case "", "private":
		return nil, nil
	case "public-read":
		return group(metapb.GranteeGroup_GRANTEE_ALL_USERS, metapb.Permission_PERMISSION_READ), nil
	case "public-read-write":
		return group(metapb.GranteeGroup_GRANTEE_ALL_USERS, metapb.Permission_PERMISSION_READ,
			metapb.Permission_PERMISSION_WRITE), nil
	case "authenticated-read":
		return group(metapb.GranteeGroup_GRANTEE_AUTHENTICATED, metapb.Permission_PERMISSION_READ), nil
	case "log-delivery-write":
		return group(metapb.GranteeGroup_GRANTEE_LOG_DELIVERY, metapb.Permission_PERMISSION_WRITE,
			metapb.Permission_PERMISSION_READ_ACP), nil
	case "bucket-owner-read":
		return toBucketOwner(metapb.Permission_PERMISSION_READ), nil
	case "bucket-owner-full-control":
		return toBucketOwner(metapb.Permission_PERMISSION_FULL_CONTROL), nil
	}
	return nil, errs.Newf("bucket.CannedACL", errs.Invalid, "there is no canned ACL %q", name)
}

// GrantHeaders are the headers x-amz-grant-*, each with the permission that it gives.
var GrantHeaders = []struct {
	Name       string
	Permission metapb.Permission
}{
	{"X-Amz-Grant-Read", metapb.Permission_PERMISSION_READ},
	{"X-Amz-Grant-Write", metapb.Permission_PERMISSION_WRITE},
	{"X-Amz-Grant-Read-Acp", metapb.Permission_PERMISSION_READ_ACP},
	{"X-Amz-Grant-Write-Acp", metapb.Permission_PERMISSION_WRITE_ACP},
	{"X-Amz-Grant-Full-Control", metapb.Permission_PERMISSION_FULL_CONTROL},
}

// ParseGrantees reads the value of a header of GrantHeaders: id="…" and uri="…", separated by
// commas. Errors: Invalid, also for e-mail addresses, because no account is known by one.
func ParseGrantees(value string, p metapb.Permission) ([]*metapb.Grant, error) {
	const op = "bucket.ParseGrantees"
	var out []*metapb.Grant
	for item := range strings.SplitSeq(value, ",") {
		kind, name, ok := strings.Cut(strings.TrimSpace(item), "=")
		name = strings.Trim(strings.TrimSpace(name), `"`)
		if !ok || name == "" {
			return nil, errs.Newf(op, errs.Invalid, "a grantee must be id=\"…\" or uri=\"…\"")
		}
		switch strings.ToLower(strings.TrimSpace(kind)) {
		case "id":
			out = append(out, &metapb.Grant{Account: name, Permission: p})
		case "uri":
			g, ok := GroupByURI(name)
			if !ok {
				return nil, errs.Newf(op, errs.Invalid, "there is no group %q", name)
			}
			out = append(out, &metapb.Grant{Group: g, Permission: p})
		default:
			return nil, errs.Newf(op, errs.Invalid, "a grantee must be id=\"…\" or uri=\"…\", not %s", kind)
		}
	}
	return out, nil
}

// PublicACL reports whether an ACL gives something to everybody, or to everybody who has an
// account.
func PublicACL(acl *metapb.Acl) bool {
	for _, g := range acl.GetGrants() {
		if publicGroup(g.Group) {
			return true
		}
	}
	return false
}

func publicGroup(g metapb.GranteeGroup) bool {
	return g == metapb.GranteeGroup_GRANTEE_ALL_USERS || g == metapb.GranteeGroup_GRANTEE_AUTHENTICATED
}

// GivesOthers reports whether an ACL gives something to anybody but the owner.
func GivesOthers(acl *metapb.Acl, owner string) bool {
	full := &metapb.Grant{Account: owner, Permission: metapb.Permission_PERMISSION_FULL_CONTROL}
	for _, g := range acl.GetGrants() {
		if !proto.Equal(g, full) {
			return true
		}
	}
	return false
}
