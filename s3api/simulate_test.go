package s3api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/policy"
)

// simulatedDeed is a request and what the simulation is asked for it.
type simulatedDeed struct {
	action, key  string
	method, path string
	body         string
	facts        map[string][]string
}

// simulatedDeeds take one action each, and change nothing that a
// decision depends on.
var simulatedDeeds = []simulatedDeed{
	{action: "s3:GetObject", key: "x/k", method: "GET", path: "/sim/x/k"},
	{action: "s3:GetObjectAcl", key: "x/k", method: "GET", path: "/sim/x/k?acl"},
	{action: "s3:GetObjectTagging", key: "x/k", method: "GET", path: "/sim/x/k?tagging"},
	{action: "s3:GetObject", key: "y", method: "GET", path: "/sim/y"}, // There is no such object.
	{action: "s3:PutObject", key: "new", method: "PUT", path: "/sim/new", body: "x",
		facts: map[string][]string{policy.KeyCreates: {"true"}}},
	{action: "s3:DeleteObject", key: "x/none", method: "DELETE", path: "/sim/x/none"},
	{action: "s3:ListBucket", method: "GET", path: "/sim?list-type=2&prefix=x",
		facts: map[string][]string{policy.KeyPrefix: {"x"}}},
	{action: "s3:GetBucketAcl", method: "GET", path: "/sim?acl"},
	{action: "s3:GetBucketLocation", method: "GET", path: "/sim?location"},
	{action: "s3:GetBucketVersioning", method: "GET", path: "/sim?versioning"},
	{action: "s3:ListAllMyBuckets", method: "GET", path: "/"},
}

// drawSimulated draws the statements of a policy; principals are whom they may name, and none for a
// policy of an identity.
func drawSimulated(t *rapid.T, label string, principals []string) string {
	n := rapid.IntRange(1, 3).Draw(t, label)
	var list []string
	for i := range n {
		effect := rapid.SampledFrom([]string{"Allow", "Allow", "Allow", "Deny"}).Draw(t, "effect")
		actions := rapid.SampledFrom([]string{`"s3:*"`, `"s3:Get*"`, `"s3:GetObject"`, `["s3:PutObject","s3:DeleteObject"]`,
			`["s3:ListBucket","s3:GetBucketAcl"]`, `["s3:GetObjectTagging","s3:GetObjectAcl"]`}).Draw(t, "actions")
		resource := rapid.SampledFrom([]string{`"arn:aws:s3:::sim/*"`, `"arn:aws:s3:::sim/x/*"`,
			`["arn:aws:s3:::sim","arn:aws:s3:::sim/*"]`, `"arn:aws:s3:::sim"`}).Draw(t, "resource")
		condition := rapid.SampledFrom([]string{"", "", "", `"StringEquals":{"s3:ExistingObjectTag/t":"v"}`,
			`"StringNotEquals":{"s3:ExistingObjectTag/t":"w"}`,
			`"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}`, `"Bool":{"aws:SecureTransport":"true"}`,
			`"StringLike":{"s3:prefix":"x*"}`}).Draw(t, "condition")
		s := fmt.Sprintf(`{"Sid":"s%d","Effect":%q,"Action":%s,"Resource":%s`, i, effect, actions, resource)
		if len(principals) > 0 {
			s += `,"Principal":` + rapid.SampledFrom(principals).Draw(t, "principal")
		}
		if condition != "" {
			s += `,"Condition":{` + condition + `}`
		}
		list = append(list, s+"}")
	}
	return statements(list...)
}

// simulatedWorld is a world with a bucket of one account, and people of that one and of another.
type simulatedWorld struct {
	*world
	owner, other *person
	people       map[string]*person
	m            *Simulator
}

func newSimulatedWorld(t *testing.T) *simulatedWorld {
	w := &simulatedWorld{world: newWorld(t)}
	w.owner, w.other = w.account("owner"), w.account("other")
	all := statements(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)
	w.people = map[string]*person{"anonymous": nil, "owner": w.owner, "other": w.other, "cluster": w.root,
		"alice": w.user(w.owner, "alice", all), "grouped": w.user(w.owner, "grouped"), "bob": w.user(w.other, "bob", all)}
	_, err := w.admin.AddGroup(t.Context(), w.owner.account, "staff")
	require.NoError(t, err)
	require.NoError(t, w.admin.AddToGroup(t.Context(), w.owner.account, "grouped", "staff"))
	require.NoError(t, w.admin.AddPolicy(t.Context(), w.owner.account, "of-staff", all))
	require.NoError(t, w.admin.AttachPolicy(t.Context(), w.owner.account, iam.Holder{Kind: iam.HolderGroup,
		Name: "staff"}, "of-staff"))
	w.ok(w.owner, "PUT", "/sim", "", "X-Amz-Object-Ownership: ObjectWriter")
	w.m = &Simulator{Access: *w.access, Meta: w.meta}
	return w
}

// draw sets everything that decisions depend on.
func (w *simulatedWorld) draw(t *rapid.T) {
	set := func(account, name string) {
		require.NoError(t, w.admin.SetPolicy(w.t.Context(), account, name, drawSimulated(t, name, nil)))
	}
	set(w.owner.account, "alices-own")
	set(w.owner.account, "of-staff")
	set(w.other.account, "bobs-own")
	w.ok(w.root, "DELETE", "/sim?publicAccessBlock", "")
	w.ok(w.root, "PUT", "/sim?ownershipControls", ownershipText("ObjectWriter"))
	// Either account can write the object.
	w.ok(w.root, "PUT", "/sim?policy",
		statements(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::sim/*"}`))
	writer := rapid.SampledFrom([]*person{w.owner, w.other}).Draw(t, "writer")
	w.ok(w.root, "DELETE", "/sim/x/k", "")
	headers := []string{"X-Amz-Acl: " + rapid.SampledFrom([]string{"private", "public-read",
		"authenticated-read"}).Draw(t, "object ACL")}
	if tag := rapid.SampledFrom([]string{"", "t=v", "t=w"}).Draw(t, "tag"); tag != "" {
		headers = append(headers, "X-Amz-Tagging: "+tag)
	}
	w.ok(writer, "PUT", "/sim/x/k", "x", headers...)
	w.ok(w.root, "DELETE", "/sim?policy", "")
	w.ok(w.root, "PUT", "/sim?acl", "", "X-Amz-Acl: "+rapid.SampledFrom([]string{"private", "private", "public-read",
		"public-read-write", "authenticated-read"}).Draw(t, "bucket ACL"))
	if rapid.IntRange(0, 3).Draw(t, "has a policy") > 0 {
		principals := []string{`"*"`, fmt.Sprintf(`{"AWS":%q}`, w.other.account), fmt.Sprintf(`{"AWS":%q}`, w.owner.account),
			fmt.Sprintf(`{"AWS":"arn:aws:iam::%s:user/bob"}`, w.other.account),
			fmt.Sprintf(`{"AWS":"arn:aws:iam::%s:user/alice"}`, w.owner.account)}
		w.ok(w.root, "PUT", "/sim?policy", drawSimulated(t, "bucket policy", principals))
	}
	if on := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"IgnorePublicAcls", "RestrictPublicBuckets"}), 0, 2,
		rapid.ID[string]).Draw(t, "block"); len(on) > 0 {
		w.ok(w.root, "PUT", "/sim?publicAccessBlock", blockText(on...))
	}
	if rapid.IntRange(0, 5).Draw(t, "enforced") == 0 {
		w.as(w.root, "PUT", "/sim?ownershipControls", ownershipText("BucketOwnerEnforced"))
	}
}

// identity returns whom the simulation is asked about.
func (w *simulatedWorld) identity(name string) *iam.Identity {
	p := w.people[name]
	if p == nil {
		return nil
	}
	who, err := w.keys.Named(w.t.Context(), w.owner.account, "key:"+p.accessKey, false)
	require.NoError(w.t, err)
	require.Empty(w.t, who.Stopped)
	return who.Identity
}

// TestSimulationIsWhatHappens: for random policies, groups, ACLs, owners, tags and blocks of public
// access, the simulation says of each request what the S3 API does with it, and names what decides.
func TestSimulationIsWhatHappens(t *testing.T) {
	w := newSimulatedWorld(t)
	allowed, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		w.draw(t)
		for name, p := range w.people {
			for _, d := range simulatedDeeds {
				facts := map[string][]string{policy.KeySourceIP: {"127.0.0.1"}, policy.KeySecureTransport: {"false"}}
				for k, v := range d.facts {
					facts[k] = v
				}
				in := &Supposed{Identity: w.identity(name), Action: d.action, Bucket: "sim", Key: d.key, Facts: facts}
				if d.action == "s3:ListAllMyBuckets" {
					in.Bucket = ""
				}
				got, err := w.m.Simulate(w.t.Context(), in)
				require.NoError(t, err)
				r := w.as(p, d.method, d.path, d.body)
				told := fmt.Sprintf("%s %s: %d %s; simulated: %s", name, d.action, r.StatusCode, r.body, got.Why)
				if got.Absent {
					require.Equal(t, got.MayList, r.StatusCode == http.StatusNotFound, told)
				} else {
					require.Equal(t, got.Why.Allowed(), r.StatusCode != http.StatusForbidden, told)
				}
				requireReasons(t, got.Why, told)
				if got.Why.Allowed() {
					allowed++
				} else {
					refused++
				}
			}
		}
	})
	require.Greater(t, allowed, refused/10, "the worlds are too strict to tell anything")
	require.Greater(t, refused, allowed/10, "the worlds are too open to tell anything")
}

// requireReasons checks that what decides fits the decision.
func requireReasons(t require.TestingT, why *iam.Why, told string) {
	by := why.Deciding()
	switch text := why.String(); {
	case why.Allowed():
		require.NotEmpty(t, by, told)
		for _, s := range by {
			require.Contains(t, []policy.Effect{policy.Allow, policy.Delegate}, s.Effect, told)
			require.Empty(t, s.Overruled, told)
		}
		require.True(t, strings.HasPrefix(text, "allowed by "), told)
	case strings.HasPrefix(text, "denied by "):
		require.NotEmpty(t, by, told)
		for _, s := range by {
			require.Equal(t, policy.Deny, s.Effect, told)
		}
	default:
		require.True(t, strings.HasPrefix(text, "not allowed: "), told)
	}
}

// TestSimulationRefusesQuestions: what cannot be asked.
func TestSimulationRefusesQuestions(t *testing.T) {
	w := newSimulatedWorld(t)
	for _, c := range []struct {
		in   Supposed
		kind errs.Kind
	}{
		{Supposed{Action: "s3:GetObject"}, errs.Invalid},
		{Supposed{Action: "s3:GetObject", Bucket: "sim"}, errs.Invalid},
		{Supposed{Action: "s3:ListBucket", Bucket: "no-such"}, errs.NotFound},
	} {
		_, err := w.m.Simulate(t.Context(), &c.in)
		require.Equal(t, c.kind, errs.KindOf(err), "%+v: %v", c.in, err)
	}
	got, err := w.m.Simulate(t.Context(), &Supposed{Action: "s3:CreateBucket", Bucket: "new-one",
		Identity: w.identity("alice")})
	require.NoError(t, err)
	require.True(t, got.Why.Allowed(), got.Why)
}

// TestSimulationOfMasterKeys: an object under a master key opens to its owner's account alone,
// whatever policies say.
func TestSimulationOfMasterKeys(t *testing.T) {
	w := newSimulatedWorld(t)
	w.ok(w.owner, "PUT", "/sim?policy",
		statements(`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::sim/*"}`))
	w.ok(w.owner, "PUT", "/sim/secret", "x", "X-Amz-Server-Side-Encryption: aws:kms")
	for name, want := range map[string]bool{"owner": true, "alice": true, "bob": false, "anonymous": false} {
		got, err := w.m.Simulate(t.Context(), &Supposed{Action: "s3:GetObject", Bucket: "sim", Key: "secret",
			Identity: w.identity(name)})
		require.NoError(t, err)
		require.Equal(t, want, got.Why.Allowed(), "%s: %s", name, got.Why)
		require.Equal(t, want, w.as(w.people[name], "GET", "/sim/secret", "").StatusCode == http.StatusOK, name)
		if !want {
			require.Equal(t, iam.MasterKey, got.Why.Deciding()[0].Kind, name)
		}
	}
}

// TestSimulationOfRequesterPays: whoever cannot pay is refused before any policy is asked.
func TestSimulationOfRequesterPays(t *testing.T) {
	w := newSimulatedWorld(t)
	w.ok(w.owner, "PUT", "/sim?acl", "", "X-Amz-Acl: public-read")
	w.ok(w.owner, "PUT", "/sim?requestPayment",
		"<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>")
	got, err := w.m.Simulate(t.Context(), &Supposed{Action: "s3:ListBucket", Bucket: "sim"})
	require.NoError(t, err)
	require.False(t, got.Why.Allowed())
	require.Equal(t, iam.RequesterPays, got.Why.Deciding()[0].Kind)
	w.refused("AccessDenied", nil, "GET", "/sim", "")
}
