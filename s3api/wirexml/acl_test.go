package wirexml_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// groups names the groups of grantees by their numbers.
type groups struct{}

func (groups) Account(id string) (string, bool) { return "name of " + id, id != "nobody" }

func (groups) URI(g metapb.GranteeGroup) string {
	if g == metapb.GranteeGroup_GRANTEE_CANONICAL {
		return ""
	}
	return "http://" + g.String()
}

func (groups) Group(uri string) (metapb.GranteeGroup, bool) {
	g, ok := metapb.GranteeGroup_value[strings.TrimPrefix(uri, "http://")]
	return metapb.GranteeGroup(g), ok && g != 0
}

func aclDocument(parts ...string) string {
	return "<AccessControlPolicy>" + strings.Join(parts, "") + "</AccessControlPolicy>"
}

const (
	aclOwner = "<Owner><ID>o</ID><DisplayName>d</DisplayName></Owner>"
	aclRead  = "<Grant><Grantee><ID>a</ID></Grantee><Permission>READ</Permission></Grant>"
)

func aclList(grants ...string) string {
	return "<AccessControlList>" + strings.Join(grants, "") + "</AccessControlList>"
}

func TestParseAccessControlPolicy(t *testing.T) {
	read := &metapb.Grant{Account: "a", Permission: metapb.Permission_PERMISSION_READ}
	everybody := &metapb.Grant{Group: metapb.GranteeGroup_GRANTEE_ALL_USERS, Permission: metapb.Permission_PERMISSION_WRITE_ACP}
	for name, c := range map[string]struct {
		doc   string
		code  s3err.Code
		owner string
		want  []*metapb.Grant
	}{
		"no grants":      {aclDocument(aclOwner, aclList()), "", "o", nil},
		"no owner":       {aclDocument(aclList(aclRead)), "", "", []*metapb.Grant{read}},
		"order":          {aclDocument(aclList(aclRead, aclRead), aclOwner), "", "o", []*metapb.Grant{read, read}},
		"types":          {aclDocument(aclList(`<Grant><Grantee xmlns:xsi="x" xsi:type="CanonicalUser"><ID> a </ID></Grantee><Permission> READ </Permission></Grant>`)), "", "", []*metapb.Grant{read}},
		"group":          {aclDocument(aclList("<Grant><Permission>WRITE_ACP</Permission><Grantee><URI>http://GRANTEE_ALL_USERS</URI></Grantee></Grant>")), "", "", []*metapb.Grant{everybody}},
		"OBS":            {aclDocument(aclList("<Grant><Grantee><Canned>GRANTEE_ALL_USERS</Canned></Grantee><Permission>WRITE_ACP</Permission><Delivered>true</Delivered></Grant>")), "", "", []*metapb.Grant{everybody}},
		"100":            {aclDocument(aclList(strings.Repeat(aclRead, 100))), "", "", nil},
		"101":            {aclDocument(aclList(strings.Repeat(aclRead, 101))), s3err.MalformedACLError, "", nil},
		"no list":        {aclDocument(aclOwner), s3err.MalformedACLError, "", nil},
		"two lists":      {aclDocument(aclList(), aclList()), s3err.MalformedACLError, "", nil},
		"two owners":     {aclDocument(aclOwner, aclOwner, aclList()), s3err.MalformedACLError, "", nil},
		"no permission":  {aclDocument(aclList("<Grant><Grantee><ID>a</ID></Grantee></Grant>")), s3err.MalformedACLError, "", nil},
		"odd permission": {aclDocument(aclList("<Grant><Grantee><ID>a</ID></Grantee><Permission>OWN</Permission></Grant>")), s3err.MalformedACLError, "", nil},
		"two permissions": {aclDocument(aclList("<Grant><Grantee><ID>a</ID></Grantee><Permission>READ</Permission><Permission>OWN</Permission></Grant>")),
			s3err.MalformedXML, "", nil},
		"two grantees": {aclDocument(aclList("<Grant><Grantee><ID>a</ID></Grantee><Grantee><ID>b</ID></Grantee><Permission>READ</Permission></Grant>")),
			s3err.MalformedXML, "", nil},
		"no grantee": {aclDocument(aclList("<Grant><Permission>READ</Permission></Grant>")), s3err.MalformedACLError, "", nil},
		"two names": {aclDocument(aclList("<Grant><Grantee><ID>a</ID><URI>http://GRANTEE_ALL_USERS</URI></Grantee><Permission>READ</Permission></Grant>")),
			s3err.MalformedACLError, "", nil},
		"no such group": {aclDocument(aclList("<Grant><Grantee><URI>http://x</URI></Grantee><Permission>READ</Permission></Grant>")), s3err.InvalidArgument, "", nil},
		"mail": {aclDocument(aclList("<Grant><Grantee><EmailAddress>a@b</EmailAddress></Grantee><Permission>READ</Permission></Grant>")),
			s3err.UnresolvableGrantByEmailAddress, "", nil},
		"another root": {"<Acl/>", s3err.MalformedXML, "", nil},
		"odd element":  {aclDocument(aclList("<Gift/>")), s3err.MalformedXML, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			owner, grants, err := wirexml.ParseAccessControlPolicy([]byte(c.doc), groups{})
			require.Equal(t, string(c.code), string(codeOf(t, err)))
			require.Equal(t, c.owner, owner)
			if c.want != nil {
				requireGrants(t, c.want, grants)
			}
		})
	}
}

func requireGrants(t *testing.T, want, got []*metapb.Grant) {
	t.Helper()
	if !proto.Equal(&metapb.Acl{Grants: want}, &metapb.Acl{Grants: got}) {
		t.Fatalf("%v, want %v", got, want)
	}
}

// FuzzAccessControlPolicy: an ACL that is accepted can be stored, each of its grants has one
// grantee and one permission, and it comes back as it was.
func FuzzAccessControlPolicy(f *testing.F) {
	f.Add([]byte(aclDocument(aclOwner, aclList(aclRead))))
	f.Add([]byte(aclDocument(aclList("<Grant><Grantee><URI>http://GRANTEE_ALL_USERS</URI></Grantee><Permission>FULL_CONTROL</Permission></Grant>"))))
	f.Add([]byte(`<?xml version="1.0"?><AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><AccessControlList/></AccessControlPolicy>`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		owner, grants, err := wirexml.ParseAccessControlPolicy(doc, groups{})
		codeOf(t, err)
		if err != nil {
			return
		}
		for _, g := range grants {
			if (g.Account != "") == (g.Group != 0) || g.Permission == 0 || len(grants) > 100 {
				t.Fatalf("%q: %v", doc, grants)
			}
		}
		if _, err := proto.Marshal(&metapb.Acl{Grants: grants}); err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		again := wirexml.Marshal(&wirexml.AccessControlPolicy{Owner: wirexml.Owner{ID: owner}, Grants: grants, Names: groups{}}, wirexml.Namespace)
		name, back, err := wirexml.ParseAccessControlPolicy(again, groups{})
		if err != nil || name != owner {
			t.Fatalf("%q became %q: owner %q, %v", doc, again, name, err)
		}
		requireGrants(t, grants, back)
	})
}
