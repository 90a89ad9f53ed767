package iam

import (
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
)

// Grantees implements wirexml.Grantees for the accounts of a directory.
type Grantees struct {
	bucket.AnyGrantees
	directory *Directory
}

// Grantees returns the grantees that the authorizer's directory knows now.
func (a *Authorizer) Grantees() Grantees { return Grantees{directory: a.directory} }

// Account implements wirexml.Grantees.
func (g Grantees) Account(id string) (string, bool) {
	account := g.directory.current.Load().account(id)
	return account.GetName(), account != nil
}

// grants reports whether an ACL gives an identity (nil: anonymous) a permission. PERMISSION_NONE is
// the permission of actions that no ACL can allow: not even FULL_CONTROL gives it.
func grants(acl *metapb.Acl, id *Identity, want metapb.Permission) bool {
	if want == metapb.Permission_PERMISSION_NONE {
		return false
	}
	for _, g := range acl.GetGrants() {
		if g.Permission != want && g.Permission != metapb.Permission_PERMISSION_FULL_CONTROL {
			continue
		}
		switch g.Group {
		case metapb.GranteeGroup_GRANTEE_ALL_USERS:
			return true
		case metapb.GranteeGroup_GRANTEE_AUTHENTICATED:
			if id != nil {
				return true
			}
		case metapb.GranteeGroup_GRANTEE_CANONICAL:
			if id != nil && g.Account == id.Account {
				return true
			}
		}
	}
	return false
}
