package iam

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

// Those who may read and write in acme's private bucket without its policy or ACL.
const (
	ownReaders = "acme acme/reader acme/writer acme/grouped acme/role acme/scoped "
	ownWriters = "acme acme/writer acme/role "
)

// TestPoliciesDecide: who, of everybody in the scene, may do something with acme's bucket and with
// acme's objects in it, under each policy of the bucket.
func TestPoliciesDecide(t *testing.T) {
	s := newScene(t)
	for _, c := range []struct{ name, policy, action, want string }{
		{"private, read", "", "s3:GetObject", ownReaders},
		{"private, write", "", "s3:PutObject", ownWriters},
		{"a user by name needs no policy of its own", document(sentence("Allow", byAWS("arn:aws:iam::ACME:user/plain"), "s3:GetObject")),
			"s3:GetObject", ownReaders + "acme/plain"},
		{"to allow an account is to delegate to it", document(sentence("Allow", byAWS("ACME"), "s3:GetObject")), "s3:GetObject", ownReaders},
		{"an account of others", document(sentence("Allow", byAWS("arn:aws:iam::ELSE:root"), "s3:GetObject")), "s3:GetObject",
			ownReaders + "else else/reader else/writer"},
		{"others for one action", document(sentence("Allow", byAWS("ELSE"), "s3:GetObject")), "s3:PutObject", ownWriters},
		{"others need both sides", document(sentence("Allow", byAWS("arn:aws:iam::ELSE:user/plain"), "s3:GetObject")), "s3:GetObject", ownReaders},
		{"a user of others", document(sentence("Allow", byAWS("arn:aws:iam::ELSE:user/reader"), "s3:GetObject")), "s3:GetObject", ownReaders + "else/reader"},
		{"users of others, beyond their own policies", document(sentence("Allow", byAWS("arn:aws:iam::ELSE:user/*"), "s3:PutObject")),
			"s3:PutObject", ownWriters + "else/writer"},
		{"everybody", document(sentence("Allow", `"*"`, "s3:GetObject")), "s3:GetObject",
			ownReaders + "acme/plain else else/reader else/writer third anonymous"},
		{"everybody writes, sessions within their policy", document(sentence("Allow", `"*"`, "s3:PutObject")), "s3:PutObject",
			ownWriters + "acme/plain acme/reader acme/grouped else else/writer third anonymous"},
		{"everybody of AWS is everybody", document(sentence("Allow", byAWS("*"), "s3:GetObject")), "s3:GetObject",
			ownReaders + "acme/plain else else/reader else/writer third anonymous"},
		{"a role by name, within the session's policy", document(sentence("Allow", byAWS("arn:aws:iam::ACME:role/worker"), "s3:PutObject")),
			"s3:PutObject", ownWriters},
		{"deny wins over all", document(sentence("Allow", `"*"`, "s3:*"), sentence("Deny", `"*"`, "s3:GetObject")), "s3:GetObject", ""},
		{"deny one user", document(sentence("Deny", byAWS("arn:aws:iam::ACME:user/reader"), "s3:*")), "s3:GetObject",
			"acme acme/writer acme/grouped acme/role acme/scoped"},
		{"deny an account is all of it", document(sentence("Allow", byAWS("ELSE"), "s3:*"), sentence("Deny", byAWS("ACME"), "s3:*")), "s3:GetObject",
			"else else/reader else/writer"},
		{"cannot be read: nobody but the owner", `{"Version":"2099-01-01"}`, "s3:GetObject", "acme"},
		{"of another bucket: cannot be read", strings.ReplaceAll(document(sentence("Allow", `"*"`, "s3:*")), ":::b", ":::c"), "s3:GetObject", "acme"},
		{"its owner mends a policy that locks it out", document(sentence("Deny", `"*"`, "s3:*")), "s3:DeleteBucketPolicy", "acme"},
		{"sees it", document(sentence("Deny", `"*"`, "s3:*")), "s3:GetBucketPolicy", "acme"},
		{"but does nothing else", document(sentence("Deny", `"*"`, "s3:*")), "s3:DeleteBucket", ""},
		{"the owner of the bucket is a fact", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
			"Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"s3:ResourceAccount":"ACME"}}}]}`, "s3:GetObject",
			ownReaders + "acme/plain else else/reader else/writer third anonymous"},
		{"and no other is", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
			"Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"s3:ResourceAccount":"ELSE"}}}]}`, "s3:GetObject", ownReaders},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.bucket(c.policy, nil)
			key := ""
			if strings.HasSuffix(c.action, "Object") {
				key = "k"
				s.requireOnly(t, c.want, func(id *Identity) bool {
					return s.z.AllowsObject(&Access{Identity: id, Action: c.action, Bucket: b, Key: key}, &metapb.Version{Owner: s.acme})
				})
			}
			s.requireOnly(t, c.want, func(id *Identity) bool {
				return s.z.Allows(&Access{Identity: id, Action: c.action, Bucket: b, Key: key})
			})
		})
	}
}

// TestObjectsOfOthers: what another account has put into acme's bucket belongs to that account. The
// bucket's policy can deny it to everybody but can give it to nobody, and owning the bucket gives
// no right to read it.
func TestObjectsOfOthers(t *testing.T) {
	s := newScene(t)
	all := document(sentence("Allow", `"*"`, "s3:*"), sentence("Allow", byAWS("ACME"), "s3:*"))
	theirs := "else else/reader else/writer "
	for _, c := range []struct {
		name, policy, action string
		acl                  *metapb.Acl
		want                 string
	}{
		{"private", "", "s3:GetObject", nil, theirs},
		{"public by the policy", all, "s3:GetObject", nil, theirs},
		{"denied by the policy", document(sentence("Deny", `"*"`, "s3:GetObject")), "s3:GetObject", nil, ""},
		{"a policy that cannot be read", "{}", "s3:GetObject", nil, ""},
		{"to the bucket's owner", "", "s3:GetObject", grantTo(s.acme, metapb.Permission_PERMISSION_READ), theirs + ownReaders},
		{"to the bucket's owner for good", all, "s3:PutObjectAcl", grantTo(s.acme, metapb.Permission_PERMISSION_FULL_CONTROL), "else else/writer " + ownWriters},
		{"its ACL, to nobody", all, "s3:PutObjectAcl", nil, "else else/writer"},
		{"its tags, whatever the ACL", all, "s3:GetObjectTagging", grantTo(s.acme, metapb.Permission_PERMISSION_FULL_CONTROL), theirs},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.bucket(c.policy, &metapb.Acl{Grants: []*metapb.Grant{{Group: metapb.GranteeGroup_GRANTEE_ALL_USERS,
				Permission: metapb.Permission_PERMISSION_FULL_CONTROL}}})
			s.requireOnly(t, c.want, func(id *Identity) bool {
				return s.z.AllowsObject(&Access{Identity: id, Action: c.action, Bucket: b, Key: "k"}, &metapb.Version{Owner: s.els, Acl: c.acl})
			})
		})
	}
	// An object without an owner, from before there were accounts, is open to the cluster's root
	// alone.
	b := s.bucket(all, nil)
	s.requireOnly(t, "", func(id *Identity) bool {
		return s.z.AllowsObject(&Access{Identity: id, Action: "s3:GetObject", Bucket: b, Key: "k"}, &metapb.Version{})
	})
	// Whoever owns the bucket may still delete what is in it.
	s.requireOnly(t, ownWriters, func(id *Identity) bool {
		return s.z.Allows(&Access{Identity: id, Action: "s3:DeleteObject", Bucket: s.bucket("", nil), Key: "k"})
	})
}

// TestTags: the tags of the very version that is asked for count.
func TestTags(t *testing.T) {
	s := newScene(t)
	b := s.bucket(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/class":"public"}}},
		{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"s3:ExistingObjectTag/class":"secret"}}}]}`, nil)
	everybody := ownReaders + "acme/plain else else/reader else/writer third anonymous"
	for _, c := range []struct {
		tags []*metapb.Pair
		want string
	}{
		{nil, ownReaders},
		{[]*metapb.Pair{{Name: "class", Value: "public"}}, everybody},
		{[]*metapb.Pair{{Name: "other", Value: "public"}, {Name: "Class", Value: "public"}}, ownReaders},
		{[]*metapb.Pair{{Name: "other", Value: "secret"}, {Name: "class", Value: "public"}}, everybody},
		{[]*metapb.Pair{{Name: "class", Value: "secret"}}, ""},
	} {
		s.requireOnly(t, c.want, func(id *Identity) bool {
			return s.z.AllowsObject(&Access{Identity: id, Action: "s3:GetObject", Bucket: b, Key: "k",
				// The caller cannot claim which tags there are.
				Conditions: func(key string) ([]string, bool) { return []string{"public"}, key == policy.ExistingTagPrefix+"class" },
			}, &metapb.Version{Owner: s.acme, Tags: c.tags})
		})
	}
}

// TestServiceActions: if an action is on no bucket, the policies of the caller decide, and
// strangers may do nothing.
func TestServiceActions(t *testing.T) {
	s := newScene(t)
	may := func(action, bucket string) func(*Identity) bool {
		return func(id *Identity) bool { return s.z.Allows(&Access{Identity: id, Action: action, Name: bucket}) }
	}
	s.requireOnly(t, ownReaders+"else else/reader else/writer third", may("s3:ListAllMyBuckets", ""))
	s.requireOnly(t, ownWriters+"else else/writer third", may("s3:CreateBucket", "new"))
	s.policy("acme", "teams", `{"Statement":[{"Effect":"Allow","Action":"s3:CreateBucket","Resource":"arn:aws:s3:::team-*"}]}`)
	s.addUser("acme/lead teams")
	s.requireOnly(t, ownWriters+"acme/lead else else/writer third", may("s3:CreateBucket", "team-1"))
	s.requireOnly(t, ownWriters+"else else/writer third", may("s3:CreateBucket", "new"))
}

// TestAdministrators: the root of an account that administers the cluster may do everything, even
// what is denied, and in a session too. The users of that account may do what their policies say.
func TestAdministrators(t *testing.T) {
	s := newScene(t)
	_, k, err := s.admin.AddAccount(t.Context(), AccountSpec{Name: "ops", Admin: true})
	require.NoError(t, err)
	s.who["ops"] = s.identity(k.ID, "")
	c, err := s.sts.SessionToken(t.Context(), s.who["ops"], 0)
	require.NoError(t, err)
	s.who["ops/session"] = s.identity(c.AccessKey, c.Token)
	s.addUser("ops/user admin")
	s.role("ops", "worker", trustOf(s.who["ops"].Account), 0, "admin")
	_, s.who["ops/role"] = s.assume(s.who["ops"], AssumeRole{Role: "worker"})
	locked := s.bucket(document(sentence("Deny", `"*"`, "s3:*")), nil)
	s.requireOnly(t, "ops ops/session", func(id *Identity) bool {
		return s.z.Allows(&Access{Identity: id, Action: "s3:DeleteBucket", Bucket: locked})
	})
	s.requireOnly(t, "ops ops/session", func(id *Identity) bool {
		return s.z.AllowsObject(&Access{Identity: id, Action: "s3:GetObject", Bucket: locked, Key: "k"}, &metapb.Version{Owner: s.acme})
	})
	s.requireOnly(t, "acme acme/writer acme/role ops ops/session", func(id *Identity) bool {
		return s.z.Allows(&Access{Identity: id, Action: "s3:DeleteBucket", Bucket: s.bucket("", nil)})
	})
}

// TestNamesakes: a user with the name of an earlier user has none of its grants, and an identity of
// the earlier one has none of the new one's.
func TestNamesakes(t *testing.T) {
	s := newScene(t)
	b := s.bucket("", nil)
	read := func(id *Identity) bool {
		return s.z.Allows(&Access{Identity: id, Action: "s3:GetObject", Bucket: b, Key: "k"})
	}
	old := s.who["acme/reader"]
	require.True(t, read(old))
	require.NoError(t, s.admin.RemoveUser(t.Context(), "acme", "reader", true))
	require.False(t, read(old), "gone")
	s.addUser("acme/reader")
	require.NotEqual(t, old.UserID, s.who["acme/reader"].UserID)
	require.False(t, read(s.who["acme/reader"]), "the policies of the old one")
	require.NoError(t, s.admin.AttachPolicy(t.Context(), "acme", Holder{HolderUser, "reader"}, "readonly"))
	require.True(t, read(s.who["acme/reader"]))
	require.False(t, read(old), "the policies of the new one")

	require.NoError(t, s.admin.RemoveGroup(t.Context(), "acme", "readers", true))
	require.False(t, read(s.who["acme/grouped"]), "a group that is gone")
	_, err := s.admin.AddGroup(t.Context(), "acme", "readers")
	require.NoError(t, err)
	require.NoError(t, s.admin.AttachPolicy(t.Context(), "acme", Holder{HolderGroup, "readers"}, "readonly"))
	require.False(t, read(s.who["acme/grouped"]), "a group of its name")
}

// TestUnreadableEntriesDeny: a policy or group that cannot be decoded at all denies, and is not
// treated as if it had never been attached.
func TestUnreadableEntriesDeny(t *testing.T) {
	s := newScene(t)
	read := func(name string) bool {
		return s.z.Allows(&Access{Identity: s.who[name], Action: "s3:GetObject", Bucket: s.bucket("", nil), Key: "k"})
	}
	require.False(t, read("acme/broken"))
	require.False(t, read("acme/denied"))
	for _, e := range []*metapb.Entry{
		{Kind: metapb.EntryKind_ENTRY_POLICY, Name: path(s.acme, "deny-all"), Value: []byte{0xff}},
		{Kind: metapb.EntryKind_ENTRY_GROUP, Name: path(s.acme, "readers"), Value: []byte{0xff}},
	} {
		require.NoError(t, s.dir.Write(t.Context(), nil, []*metapb.Entry{e}, nil))
	}
	require.False(t, read("acme/denied"))
	require.NoError(t, s.admin.AttachPolicy(t.Context(), "acme", Holder{HolderUser, "grouped"}, "readwrite"))
	require.False(t, read("acme/grouped"))
	require.True(t, read("acme/writer"))
}

// TestStoredPolicyOfBuiltinName: an account cannot make a policy with a built-in name, but if one
// is stored, it counts.
func TestStoredPolicyOfBuiltinName(t *testing.T) {
	s := newScene(t)
	value, err := proto.Marshal(&metapb.Policy{Account: s.acme, Name: "readonly", Document: denyAll})
	require.NoError(t, err)
	require.NoError(t, s.dir.Write(t.Context(), nil,
		[]*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_POLICY, Name: path(s.acme, "readonly"), Value: value}}, nil))
	b := s.bucket(document(sentence("Allow", byAWS("ELSE"), "s3:GetObject")), nil)
	s.requireOnly(t, "acme acme/writer acme/role acme/scoped else else/reader else/writer", func(id *Identity) bool {
		return s.z.Allows(&Access{Identity: id, Action: "s3:GetObject", Bucket: b, Key: "k"})
	})
}
