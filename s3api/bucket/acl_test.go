package bucket

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// TestCannedACLs: what each canned ACL gives to whom. The owner is never among them, because it
// needs no grant.
func TestCannedACLs(t *testing.T) {
	for _, c := range []struct {
		name, owner string
		want        []string // Permission and grantee.
	}{
		{"", "a", nil},
		{"private", "a", nil},
		{"public-read", "a", []string{"READ " + uriAllUsers}},
		{"public-read-write", "a", []string{"READ " + uriAllUsers, "WRITE " + uriAllUsers}},
		{"authenticated-read", "a", []string{"READ " + uriAuthenticated}},
		{"log-delivery-write", "a", []string{"WRITE " + uriLogDelivery, "READ_ACP " + uriLogDelivery}},
		{"bucket-owner-read", "a", []string{"READ bucket-owner"}},
		{"bucket-owner-full-control", "a", []string{"FULL_CONTROL bucket-owner"}},
		{"bucket-owner-full-control", "bucket-owner", nil},
	} {
		acl, err := CannedACL(c.name, c.owner, "bucket-owner")
		require.NoError(t, err, c.name)
		require.Equal(t, c.want, describeACL(acl), c.name)
	}
	_, err := CannedACL("Public-Read", "a", "b")
	require.Equal(t, errs.Invalid, errs.KindOf(err))
}

// describeACL lists the grants of an ACL in words.
func describeACL(acl *metapb.Acl) []string {
	var out []string
	for _, g := range acl.GetGrants() {
		out = append(out, strings.TrimPrefix(g.Permission.String(), "PERMISSION_")+" "+g.Account+GroupURI(g.Group))
	}
	return out
}

func TestParseGrantees(t *testing.T) {
	for value, want := range map[string][]string{
		`id="a"`:                             {"READ a"},
		`id=a, ID = "b"`:                     {"READ a", "READ b"},
		`uri="` + uriAllUsers + `"`:          {"READ " + uriAllUsers},
		`uri=Everyone,id="c"`:                {"READ " + uriAllUsers, "READ c"},
		`uri=LogDelivery`:                    {"READ " + uriLogDelivery},
		`uri=` + uriAuthenticated:            {"READ " + uriAuthenticated},
		``:                                   nil,
		`id=`:                                nil,
		`id=""`:                              nil,
		`a`:                                  nil,
		`id="a",`:                            nil,
		`uri="http://example.com/everybody"`: nil,
		`emailAddress="a@example.com"`:       nil,
	} {
		grants, err := ParseGrantees(value, metapb.Permission_PERMISSION_READ)
		if want == nil {
			require.Equal(t, errs.Invalid, errs.KindOf(err))
			require.Nil(t, grants, value)
			continue
		}
		require.NoError(t, err, value)
		require.Equal(t, want, describeACL(&metapb.Acl{Grants: grants}), value)
	}
}

// TestGroupURIs: GroupByURI finds every group that has a URI.
func TestGroupURIs(t *testing.T) {
	for g := range metapb.GranteeGroup_name {
		group := metapb.GranteeGroup(g)
		found, ok := GroupByURI(GroupURI(group))
		require.Equal(t, group != metapb.GranteeGroup_GRANTEE_CANONICAL, ok, "%v", group)
		require.Equal(t, group, found)
	}
}
