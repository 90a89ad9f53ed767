package iam

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
)

// scene is two accounts with identities of every kind, by name. An account's root has the account's
// name; "anonymous" is nil.
type scene struct {
	*world
	z    *Authorizer
	who  map[string]*Identity
	acme string // The accounts' ids.
	els  string
}

const denyAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`

func newScene(t *testing.T) *scene {
	w := newWorld(t)
	s := &scene{world: w, z: NewAuthorizer(w.dir), who: map[string]*Identity{"anonymous": nil}}
	s.acme, s.els = s.addAccount("acme"), s.addAccount("else")
	s.addAccount("third")
	s.who["cluster"] = w.identity(rootUser, "")
	w.policy("acme", "deny-all", denyAll)
	w.policy("acme", "broken", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
	_, err := w.admin.AddGroup(t.Context(), "acme", "readers")
	require.NoError(t, err)
	require.NoError(t, w.admin.AttachPolicy(t.Context(), "acme", Holder{HolderGroup, "readers"}, "readonly"))
	for _, u := range []string{"acme/plain", "acme/reader readonly", "acme/writer readwrite", "acme/denied readwrite deny-all",
		"acme/grouped", "acme/broken readwrite broken", "else/plain", "else/reader readonly", "else/writer readwrite"} {
		s.addUser(u)
	}
	require.NoError(t, w.admin.AddToGroup(t.Context(), "acme", "grouped", "readers"))
	w.role("acme", "worker", trustOf(s.acme), 0, "readwrite")
	s.who["acme/role"] = s.session("worker", "")
	s.who["acme/scoped"] = s.session("worker", builtinDocuments["readonly"])

	// A policy that a later version wrote, in words that this version does not know.
	unknown, err := proto.Marshal(&metapb.Policy{Account: s.acme, Name: "broken", Document: `{"Version":"2099-01-01"}`})
	require.NoError(t, err)
	require.NoError(t, w.dir.Write(t.Context(), nil,
		[]*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_POLICY, Name: path(s.acme, "broken"), Value: unknown}}, nil))
	return s
}

func (s *scene) addAccount(name string) string {
	a, k := s.account(name)
	s.who[name] = s.identity(k.ID, "")
	return a.Id
}

// addUser makes the user of "account/name policy…".
func (s *scene) addUser(spec string) {
	words := strings.Fields(spec)
	account, name, _ := strings.Cut(words[0], "/")
	_, k := s.user(account, name, words[1:]...)
	s.who[words[0]] = s.identity(k.ID, "")
}

// session returns a session of one of acme's roles.
func (s *scene) session(role, scope string) *Identity {
	_, id := s.assume(s.who["acme"], AssumeRole{Role: role, Policy: scope})
	return id
}

// bucket returns acme's bucket with a policy and an ACL. In the policy ACME and ELSE stand for the
// accounts' ids.
func (s *scene) bucket(document string, acl *metapb.Acl) *bucket.Bucket {
	raw, err := proto.Marshal(acl)
	require.NoError(s.t, err)
	document = strings.NewReplacer("ACME", s.acme, "ELSE", s.els).Replace(document)
	return bucket.New(&metapb.Bucket{Name: "b", Owner: s.acme},
		&metapb.BucketConfig{Parts: []*metapb.ConfigPart{{Name: bucket.PartPolicy, Value: []byte(document)}, {Name: bucket.PartACL, Value: raw}}})
}

// allowed returns the names of everybody who is allowed, in order.
func (s *scene) allowed(may func(*Identity) bool) []string {
	var out []string
	for name, id := range s.who {
		if may(id) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// requireOnly checks that exactly those who are named are allowed. Whoever administers the cluster
// is always allowed.
func (s *scene) requireOnly(t *testing.T, names string, may func(*Identity) bool) {
	t.Helper()
	require.Equal(t, expected(names), s.allowed(may))
}

func sentence(effect, principal, action string) string {
	return `{"Effect":"` + effect + `","Principal":` + principal + `,"Action":"` + action + `","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}`
}

func document(sentences ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(sentences, ",") + `]}`
}

func byAWS(principal string) string { return `{"AWS":"` + principal + `"}` }

func grantTo(account string, p metapb.Permission) *metapb.Acl {
	return &metapb.Acl{Grants: []*metapb.Grant{{Account: account, Permission: p}}}
}

func expected(names string) []string {
	want := append(strings.Fields(names), "cluster")
	slices.Sort(want)
	return want
}
