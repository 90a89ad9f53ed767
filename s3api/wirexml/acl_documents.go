package wirexml

import (
	"slices"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// maxGrants bounds how many grants an AccessControlPolicy may have.
const maxGrants = 100

// Grantees knows the names by which documents call grantees.
type Grantees interface {
	URI(g metapb.GranteeGroup) string
	Group(uri string) (metapb.GranteeGroup, bool)
	// Account returns the name of the account with this id, which may be empty. ok says whether
	// there is such an account.
	Account(id string) (name string, ok bool)
}

// AccessControlPolicy is the document of an ACL.
type AccessControlPolicy struct {
	Owner  Owner
	Grants []*metapb.Grant // The owner's own full control may be among them or left out.
	Names  Grantees
}

// permissions are the names of permissions, by the number of the permission.
var permissions = [...]string{"", "READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"}

const instanceNamespace = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="`

// AppendXML implements Document.
func (d *AccessControlPolicy) AppendXML(dst []byte, ns string) []byte {
	dst = appendRoot(dst, "AccessControlPolicy", ns)
	dst = d.Owner.append(dst, "Owner")
	dst = append(dst, "<AccessControlList>"...)
	for _, g := range d.Grants {
		dst = appendGrant(dst, g, d.Names)
	}
	return append(dst, "</AccessControlList></AccessControlPolicy>"...)
}

func appendGrant(dst []byte, g *metapb.Grant, names Grantees) []byte {
	dst = append(dst, "<Grant><Grantee"+instanceNamespace...)
	if uri := names.URI(g.Group); uri != "" {
		dst = append(dst, `Group">`...)
		dst = appendText(dst, "URI", uri)
	} else {
		dst = append(dst, `CanonicalUser">`...)
		dst = appendText(dst, "ID", g.Account)
		name, _ := names.Account(g.Account)
		dst = appendOptional(dst, "DisplayName", name)
	}
	dst = append(dst, "</Grantee>"...)
	dst = appendText(dst, "Permission", permissions[g.Permission])
	return append(dst, "</Grant>"...)
}

// ParseAccessControlPolicy parses an ACL. It returns the id of the owner, which is empty if none is
// named, and the grants.
func ParseAccessControlPolicy(body []byte, names Grantees) (owner string, grants []*metapb.Grant, _ error) {
	s := newScanner(body)
	owners, lists := 0, 0
	err := s.document("AccessControlPolicy", func(name string) error {
		switch name {
		case "Owner":
			owners++
			got, err := s.leaves("ID", "DisplayName")
			owner = got.word("ID")
			return err
		case "AccessControlList":
			lists++
			return s.children(func(name string) error {
				if name != "Grant" {
					return s.unknown(name)
				}
				g, err := parseGrant(s, names)
				grants = append(grants, g)
				return err
			})
		}
		return s.unknown(name)
	})
	switch {
	case err != nil:
		return "", nil, err
	case lists != 1 || owners > 1:
		return "", nil, s3err.MalformedACLError.Say("An AccessControlPolicy needs one AccessControlList, and has at most one Owner.")
	case len(grants) > maxGrants:
		return "", nil, s3err.MalformedACLError.Say("An ACL has at most 100 grants.")
	}
	return owner, grants, nil
}

func parseGrant(s *scanner, names Grantees) (*metapb.Grant, error) {
	var grantee, words leaves = nil, leaves{}
	err := s.children(func(name string) (err error) {
		if name == "Grantee" && grantee == nil {
			grantee, err = s.leaves("ID", "DisplayName", "URI", "EmailAddress", "Canned")
			return err
		}
		// OBS's Delivered says whether objects inherit the grant. Here they never do, so it is
		// ignored.
		return s.leaf(words, name, "Permission", "Delivered")
	})
	if err != nil {
		return nil, err
	}
	g := &metapb.Grant{Permission: metapb.Permission(max(0, slices.Index(permissions[:], words.word("Permission"))))}
	if g.Permission == metapb.Permission_PERMISSION_NONE {
		return nil, s3err.MalformedACLError.Say("The Permission of a grant must be READ, WRITE, READ_ACP, WRITE_ACP or FULL_CONTROL.")
	}
	return g, setGrantee(g, grantee, names)
}

// setGrantee sets whom a grant is for. The document must name the grantee in exactly one way.
func setGrantee(g *metapb.Grant, grantee leaves, names Grantees) error {
	id, uri, canned, email := grantee.word("ID"), grantee.word("URI"), grantee.word("Canned"), grantee.word("EmailAddress")
	named := 0
	for _, name := range []string{id, uri, canned, email} {
		if name != "" {
			named++
		}
	}
	switch {
	case named != 1:
		return s3err.MalformedACLError.Say("A Grantee needs either an ID or a URI.")
	case email != "":
		return s3err.UnresolvableGrantByEmailAddress.Say("Grantees are named by their ID or by a group's URI here.")
	case id != "":
		g.Account = id
		return KnownGrantee(names, id)
	}
	group, ok := names.Group(uri + canned)
	if !ok {
		return s3err.BadArgument("Group/URI", "", "There is no group of this URI.")
	}
	g.Group = group
	return nil
}

// KnownGrantee returns an error if no account has this id.
func KnownGrantee(names Grantees, id string) error {
	if _, ok := names.Account(id); ok {
		return nil
	}
	return s3err.BadArgument("CanonicalUser/ID", id, "Invalid id")
}
