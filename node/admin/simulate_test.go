package admin

import (
	"strings"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/iam"
)

// simulating is a world with an account that has a user with a policy and a bucket with another.
type simulating struct {
	*world
	account string // Id.
	root    *iam.Identity
	alice   *iam.Identity
}

func newSimulating(t *testing.T) *simulating {
	w := newWorld(t)
	a, owner := w.account("acme")
	s := &simulating{world: w, account: a.Id, root: owner}
	api, ctx := w.as(owner), t.Context()
	_, err := api.AddUser(ctx, &adminpb.EntryRef{Name: "alice"})
	require.NoError(t, err)
	_, err = api.AddPolicy(ctx, &adminpb.AddPolicyRequest{Name: "reports", Document: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"s3:List*","Resource":"*"},
		{"Sid":"read","Effect":"Allow","Action":["s3:GetObject","admin:ListBuckets"],"Resource":"*"}]}`})
	require.NoError(t, err)
	_, err = api.SetPolicyAttached(ctx, &adminpb.SetPolicyAttachedRequest{Name: "reports", User: "alice", Attached: true})
	require.NoError(t, err)
	who, err := w.config.Named(ctx, a.Id, "alice", true)
	require.NoError(t, err)
	s.alice = who.Identity
	w.meta.must(&metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: "data", Owner: a.Id},
		Config: []*metapb.ConfigPart{{Name: bucket.PartPolicy, Value: []byte(`{"Version":"2012-10-17","Statement":[
			{"Sid":"shut","Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/secret/*",
			 "Condition":{"StringNotEquals":{"aws:UserAgent":"trusted"}}},
			{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data"}]}`)}}}}})
	return s
}

func (s *simulating) ask(as *iam.Identity, who, action, resource string,
	context ...*adminpb.ConditionFact) (*adminpb.Simulation, error) {
	return s.as(as).SimulatePolicy(s.t.Context(), &adminpb.SimulatePolicyRequest{As: who, Action: action,
		Resource: resource, Context: context})
}

// TestSimulatePolicy: what is allowed, what decides it, and what else there is to know.
func TestSimulatePolicy(t *testing.T) {
	s := newSimulating(t)
	for _, c := range []struct {
		who, action, resource string
		allowed               bool
		kind, policy, sid     string
		statement             uint32
	}{
		{"alice", "s3:GetObject", "s3://data/k", true, "identity", "reports", "read", 2},
		{"alice", "S3:getobject", "data/k", true, "identity", "reports", "read", 2},
		{"user:alice", "s3:GetObject", "arn:aws:s3:::data/secret/k", false, "bucket policy", "", "shut", 1},
		{"arn:aws:iam::" + s.account + ":user/alice", "s3:ListBucket", "s3://data", true, "identity", "reports", "", 1},
		{"anonymous", "s3:ListBucket", "s3://data", true, "bucket policy", "", "", 2},
		{"anonymous", "s3:GetBucketPolicy", "s3://data", false, "", "", "", 0},
		{"alice", "s3:PutObject", "s3://data/k", false, "", "", "", 0},
		{"acme", "s3:PutObject", "s3://data/k", true, "root", "", "", 0},
		{"alice", "admin:ListBuckets", "", true, "identity", "reports", "read", 2},
		{"alice", "admin:listbuckets", "", true, "identity", "reports", "read", 2},
		{"alice", "admin:DrainNode", "", false, "", "", "", 0},
		{"acme", "admin:AddUser", "", true, "root", "", "", 0},
		{"anonymous", "admin:AddUser", "", false, "", "", "", 0},
	} {
		got, err := s.ask(s.root, c.who, c.action, c.resource)
		require.NoError(t, err, c)
		require.Equal(t, c.allowed, got.Allowed, "%+v: %s", c, got.Reason)
		if c.kind == "" {
			require.Empty(t, got.DecidedBy, "%+v", c)
			require.Contains(t, got.Reason, "not allowed: ")
			continue
		}
		by := got.DecidedBy[0]
		require.Equal(t, []any{c.kind, c.policy, c.sid, c.statement}, []any{by.Kind, by.Policy, by.Sid, by.Statement},
			"%+v: %s", c, got.Reason)
	}
	got, err := s.ask(s.root, "alice", "s3:GetObject", "s3://data/secret/k", &adminpb.ConditionFact{Key: "AWS:useragent",
		Values: []string{"trusted"}})
	require.NoError(t, err)
	require.True(t, got.Allowed, got.Reason)
	require.Empty(t, got.MissingContext)
	require.Contains(t, got.Note, "there is no such object")
	got, err = s.ask(s.root, "alice", "s3:GetObject", "s3://data/secret/k")
	require.NoError(t, err)
	require.Equal(t, []string{"aws:UserAgent"}, got.MissingContext)
	require.Equal(t, "denied by the policy of bucket data, statement 1 (shut)", got.Reason)

	_, err = s.as(s.root).SetUserDisabled(t.Context(), &adminpb.SetUserDisabledRequest{Name: "alice", Disabled: true})
	require.NoError(t, err)
	got, err = s.ask(s.root, "alice", "s3:GetObject", "s3://data/k")
	require.NoError(t, err)
	require.False(t, got.Allowed)
	require.Contains(t, got.Reason, "user alice is disabled")
}

// TestWhoMaySimulate: everybody about themselves, an account's root about the account, users by a
// policy, and nobody about other accounts.
func TestWhoMaySimulate(t *testing.T) {
	s := newSimulating(t)
	_, other := s.world.account("other")
	got, err := s.ask(s.alice, "", "s3:GetObject", "s3://data/k")
	require.NoError(t, err)
	require.True(t, got.Allowed)
	require.Equal(t, s.alice.ARN(), got.As)
	_, err = s.ask(s.alice, "user:alice", "s3:GetObject", "s3://data/k")
	require.NoError(t, err)
	for _, who := range []string{"acme", "anonymous", "user:bob", "role:alice"} {
		_, err = s.ask(s.alice, who, "s3:GetObject", "s3://data/k")
		require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err), who)
	}
	for _, who := range []string{"other", "account:other", "arn:aws:iam::" + other.Account + ":root", "root", "no-such",
		"arn:aws:iam::x"} {
		_, err = s.ask(s.root, who, "s3:GetObject", "s3://data/k")
		require.Equal(t, connect.CodeNotFound, connect.CodeOf(err), who)
		if !strings.Contains(who, other.Account) {
			require.NotContains(t, err.Error(), other.Account, "an account of somebody else is told")
		}
	}
	got, err = s.ask(root, "other", "s3:GetObject", "s3://data/k")
	require.NoError(t, err)
	require.False(t, got.Allowed)
	// Who does not own the bucket learns what is decided, and not which statement of its policy does.
	got, err = s.ask(other, "", "s3:GetObject", "s3://data/secret/k")
	require.NoError(t, err)
	require.Equal(t, "denied by the policy of bucket data", got.Reason)
	require.Zero(t, got.DecidedBy[0].Statement)
	require.Contains(t, got.Note, "may list the bucket", "so the S3 API tells it as much")

	_, err = s.as(s.root).AddPolicy(t.Context(), &adminpb.AddPolicyRequest{Name: "simulates",
		Document: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"admin:SimulatePolicy","Resource":"*"}]}`})
	require.NoError(t, err)
	_, err = s.as(s.root).SetPolicyAttached(t.Context(), &adminpb.SetPolicyAttachedRequest{Name: "simulates",
		User: "alice", Attached: true})
	require.NoError(t, err)
	_, err = s.ask(s.alice, "acme", "s3:GetObject", "s3://data/k")
	require.NoError(t, err)
	require.False(t, changes("/"+adminpbconnect.AdminServiceName+"/SimulatePolicy"))
}

// TestSimulatePolicyRefuses: questions that cannot be right.
func TestSimulatePolicyRefuses(t *testing.T) {
	s := newSimulating(t)
	for _, c := range []struct{ who, action, resource string }{
		{"alice", "", "s3://data/k"}, {"alice", "s3:Get*", "s3://data/k"}, {"alice", "kms:Decrypt", "*"}, {"alice",
			"admin:NoSuch", ""},
		{"alice", "s3:GetObject", ""}, {"alice", "s3:GetObject", "s3://data"}, {"alice", "s3:GetObject",
			"arn:aws:iam::x:user/y"},
		{"alice", "s3:GetObject", "s3://data/%zz?versionId=null"},
	} {
		_, err := s.ask(s.root, c.who, c.action, c.resource)
		require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err), "%+v: %v", c, err)
	}
	_, err := s.ask(s.root, "alice", "s3:GetObject", "s3://data/k", &adminpb.ConditionFact{Key: "aws:NoSuch"})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	_, err = s.ask(s.root, "alice", "s3:GetObject", "s3://no-such/k")
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	// A name that is of a user and of a role alike must say which.
	_, err = s.as(s.root).AddRole(t.Context(), &adminpb.AddRoleRequest{Name: "alice",
		Trust: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"` + s.account + `"},"Action":"sts:AssumeRole"}]}`})
	require.NoError(t, err)
	_, err = s.ask(s.root, "alice", "s3:GetObject", "s3://data/k")
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	require.ErrorContains(t, err, "user:alice, role:alice")
	got, err := s.ask(s.root, "role:alice", "s3:GetObject", "s3://data/k")
	require.NoError(t, err)
	require.False(t, got.Allowed)
}
