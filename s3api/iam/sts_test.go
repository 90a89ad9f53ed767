package iam

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/policy"
)

func trustOf(principals ...string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["` + strings.Join(principals, `","`) + `"]},"Action":"sts:AssumeRole"}]}`
}

// role makes a role of an account.
func (w *world) role(account, name, trust string, longest time.Duration, policies ...string) {
	w.t.Helper()
	_, err := w.admin.AddRole(w.t.Context(), RoleSpec{Account: account, Name: name, Trust: trust, MaxSession: longest})
	require.NoError(w.t, err)
	for _, p := range policies {
		require.NoError(w.t, w.admin.AttachPolicy(w.t.Context(), account, Holder{HolderRole, name}, p))
	}
}

func (w *world) policy(account, name, document string) {
	w.t.Helper()
	require.NoError(w.t, w.admin.AddPolicy(w.t.Context(), account, name, document))
}

// assume assumes a role and returns the session's identity.
func (w *world) assume(caller *Identity, in AssumeRole) (*AssumedRole, *Identity) {
	w.t.Helper()
	in.SessionName = "session"
	got, err := w.sts.AssumeRole(w.t.Context(), caller, in)
	require.NoError(w.t, err)
	return got, w.identity(got.AccessKey, got.Token)
}

const mayAssume = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`

// TestWhoMayAssume is the table of trust: how the trust policy names the caller, from which account
// it comes, and which policies it has itself.
func TestWhoMayAssume(t *testing.T) {
	w := newWorld(t)
	acme, acmeKey := w.account("acme")
	_, strangerKey := w.account("stranger")
	partner, partnerKey := w.account("partner")
	for _, account := range []string{"acme", "partner"} {
		w.policy(account, "assume", mayAssume)
		w.policy(account, "never", strings.ReplaceAll(mayAssume, `"Allow"`, `"Deny"`))
	}
	_, plain := w.user("acme", "plain")
	_, able := w.user("acme", "able", "assume")
	_, banned := w.user("acme", "banned", "assume", "never")
	_, grouped := w.user("acme", "grouped")
	_, err := w.admin.AddGroup(t.Context(), "acme", "assumers")
	require.NoError(t, err)
	require.NoError(t, w.admin.AttachPolicy(t.Context(), "acme", Holder{HolderGroup, "assumers"}, "assume"))
	require.NoError(t, w.admin.AddToGroup(t.Context(), "acme", "grouped", "assumers"))
	_, partnerPlain := w.user("partner", "plain")
	_, partnerAble := w.user("partner", "able", "assume")

	arn := func(account, rest string) string { return "arn:aws:iam::" + account + ":" + rest }
	w.role("acme", "by-account", trustOf(acme.Id), 0)
	w.role("acme", "by-name", trustOf(arn(acme.Id, "user/plain"), arn(acme.Id, "user/banned")), 0)
	w.role("acme", "by-partner", trustOf(arn(partner.Id, "root")), 0)
	w.role("acme", "by-partner-name", trustOf(arn(partner.Id, "user/plain"), arn(partner.Id, "user/able")), 0)
	w.role("acme", "by-all", trustOf("*"), 0)
	w.role("acme", "but-able", strings.Replace(trustOf(acme.Id), `"Statement":[`,
		`"Statement":[{"Effect":"Deny","Principal":{"AWS":"`+arn(acme.Id, "user/able")+`"},"Action":"sts:AssumeRole"},`, 1), 0)

	everyone := map[string]string{"root": rootUser, "acme": acmeKey.ID, "stranger": strangerKey.ID, "partner": partnerKey.ID, "plain": plain.ID,
		"able": able.ID, "banned": banned.ID, "grouped": grouped.ID, "partner plain": partnerPlain.ID, "partner able": partnerAble.ID}
	for name, may := range map[string][]string{
		"by-account":      {"root", "acme", "able", "grouped"},
		"by-name":         {"root", "plain"},
		"by-partner":      {"root", "partner", "partner able"},
		"by-partner-name": {"root", "partner able"},
		"by-all":          {"root", "acme", "stranger", "partner", "plain", "able", "grouped", "partner able"},
		"but-able":        {"root", "acme", "grouped"},
		"not-there":       nil,
	} {
		for who, key := range everyone {
			got, err := w.sts.AssumeRole(t.Context(), w.identity(key, ""), AssumeRole{Role: arn(acme.Id, "role/"+name), SessionName: "s1"})
			if !contains(may, who) {
				requireKind(t, errs.Denied, err)
				require.Contains(t, err.Error(), "is not authorized to perform: sts:AssumeRole on resource: "+arn(acme.Id, "role/"+name))
				continue
			}
			require.NoError(t, err, "%s assumes %s", who, name)
			require.Equal(t, "arn:aws:sts::"+acme.Id+":assumed-role/"+name+"/s1", got.ARN)
			id := w.identity(got.AccessKey, got.Token)
			require.Equal(t, got.ARN, id.ARN())
			require.Equal(t, name+":s1", id.UniqueID())
			require.Equal(t, acme.Id+":"+name+"/s1", id.Initiator())
			require.Equal(t, acme.Id, id.Account)
			require.True(t, id.Temporary)
			require.False(t, id.Root || id.Admin)
		}
	}
	// A name without an account is a role of the caller's account.
	w.assume(w.identity(plain.ID, ""), AssumeRole{Role: "by-name"})
	w.assume(w.identity(plain.ID, ""), AssumeRole{Role: "arn:aws:iam:::role/by-name"})
	_, err = w.sts.AssumeRole(t.Context(), w.identity(partnerAble.ID, ""), AssumeRole{Role: "by-partner", SessionName: "s1"})
	requireKind(t, errs.Denied, err)
}

func contains(list []string, s string) bool { return len(without(list, s)) < len(list) }

// TestTrustConditions hands the facts of a request to trust policies.
func TestTrustConditions(t *testing.T) {
	w := newWorld(t)
	acme, key := w.account("acme")
	trust := strings.Replace(trustOf(acme.Id), `"Action"`, `"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},`+
		`"DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"NumericGreaterThan":{"aws:EpochTime":"1577836800"},`+
		`"Null":{"aws:TokenIssueTime":"true"}},"Action"`, 1)
	w.role("acme", "inside", trust, 0)
	from := func(address string) func(string) ([]string, bool) {
		return func(key string) ([]string, bool) { return []string{address}, key == policy.KeySourceIP }
	}
	caller := w.identity(key.ID, "")
	w.assume(caller, AssumeRole{Role: "inside", Conditions: from("10.1.2.3")})
	session, err := w.sts.SessionToken(t.Context(), caller, 0)
	require.NoError(t, err)
	for _, c := range []struct {
		caller *Identity
		facts  func(string) ([]string, bool)
	}{{caller, from("192.0.2.1")}, {caller, nil}, {w.identity(session.AccessKey, session.Token), from("10.1.2.3")}} {
		_, err := w.sts.AssumeRole(t.Context(), c.caller, AssumeRole{Role: "inside", SessionName: "s1", Conditions: c.facts})
		requireKind(t, errs.Denied, err)
	}
}

// TestSessionRules is the table of durations, names, policies and chains.
func TestSessionRules(t *testing.T) {
	w := newWorld(t)
	acme, key := w.account("acme")
	_, userKey := w.user("acme", "bob", "admin")
	trust := trustOf(acme.Id)
	w.role("acme", "short", trust, 0, "admin")
	w.role("acme", "long", trust, 12*time.Hour, "admin")
	root, user := w.identity(key.ID, ""), w.identity(userKey.ID, "")
	_, chained := w.assume(user, AssumeRole{Role: "short"})
	_, scoped := w.assume(user, AssumeRole{Role: "long", Policy: builtinDocuments["readonly"]})

	for _, c := range []struct {
		name   string
		caller *Identity
		in     AssumeRole
		want   errs.Kind
	}{
		{"default", user, AssumeRole{Role: "short"}, 0},
		{"shortest", user, AssumeRole{Role: "short", Duration: 900 * time.Second}, 0},
		{"too short", user, AssumeRole{Role: "short", Duration: 899 * time.Second}, errs.Invalid},
		{"role's limit", user, AssumeRole{Role: "short", Duration: 3600 * time.Second}, 0},
		{"beyond it", user, AssumeRole{Role: "short", Duration: 3601 * time.Second}, errs.Invalid},
		{"longest", user, AssumeRole{Role: "long", Duration: 43200 * time.Second}, 0},
		{"too long", user, AssumeRole{Role: "long", Duration: 43201 * time.Second}, errs.Invalid},
		{"chained", chained, AssumeRole{Role: "long", Duration: 3600 * time.Second}, 0},
		{"chained too long", chained, AssumeRole{Role: "long", Duration: 3601 * time.Second}, errs.Invalid},
		{"scoped down", scoped, AssumeRole{Role: "long"}, errs.Denied},
		{"no role", user, AssumeRole{}, errs.Invalid},
		{"not a role", user, AssumeRole{Role: "arn:aws:iam::" + acme.Id + ":user/bob"}, errs.Invalid},
		{"path of a role", user, AssumeRole{Role: "arn:aws:iam::" + acme.Id + ":role/a/b"}, errs.Invalid},
		{"policy no JSON", user, AssumeRole{Role: "short", Policy: "{"}, errs.Invalid},
		{"policy with principal", user, AssumeRole{Role: "short", Policy: trust}, errs.Invalid},
		{"policy too large", user, AssumeRole{Role: "short", Policy: sized(MaxSessionPolicyBytes + 1)}, errs.Invalid},
		{"policy as large as may be", user, AssumeRole{Role: "short", Policy: sized(MaxSessionPolicyBytes)}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.SessionName = "s1"
			got, err := w.sts.AssumeRole(t.Context(), c.caller, c.in)
			if c.want != 0 {
				requireKind(t, c.want, err)
				return
			}
			require.NoError(t, err)
			id := w.identity(got.AccessKey, got.Token)
			require.Equal(t, c.in.Policy != "", id.SessionPolicy != nil)
			require.LessOrEqual(t, len(got.Token), MaxTokenBytes)
		})
	}
	for _, name := range []string{"", "s", "a b", "a/b", "ä", strings.Repeat("x", 65)} {
		_, err := w.sts.AssumeRole(t.Context(), user, AssumeRole{Role: "short", SessionName: name})
		requireKind(t, errs.Invalid, err)
	}

	for _, c := range []struct {
		name        string
		caller      *Identity
		asked, gets time.Duration
		want        errs.Kind
	}{
		{"default", user, 0, 12 * time.Hour, 0},
		{"longest", user, 36 * time.Hour, 36 * time.Hour, 0},
		{"too long", user, 36*time.Hour + time.Second, 0, errs.Invalid},
		{"too short", user, 899 * time.Second, 0, errs.Invalid},
		{"root", root, 0, time.Hour, 0},
		{"root asks for more", root, 36 * time.Hour, time.Hour, 0},
		{"session of a role", chained, 0, 0, errs.Denied},
	} {
		t.Run("session token "+c.name, func(t *testing.T) {
			got, err := w.sts.SessionToken(t.Context(), c.caller, c.asked)
			if c.want != 0 {
				requireKind(t, c.want, err)
				return
			}
			require.NoError(t, err)
			id := w.identity(got.AccessKey, got.Token)
			require.Equal(t, c.gets, id.Expires.Sub(id.Issued))
			require.Equal(t, c.caller.Initiator(), id.Initiator(), "a session of a user is the user")
			_, err = w.sts.SessionToken(t.Context(), id, 0)
			requireKind(t, errs.Denied, err)
		})
	}
}

// sized returns a policy whose canonical form has n bytes.
func sized(n int) string {
	with := func(keys int) string {
		return strings.Replace(mayAssume, `"*"`, `"arn:aws:s3:::bucket/`+strings.Repeat("k", keys)+`"`, 1)
	}
	p, err := policy.Parse([]byte(with(1)), policy.Identity)
	if err != nil {
		panic(err)
	}
	return with(1 + n - len(p.Marshal()))
}

// TestSessionEnds ends sessions in every way there is.
func TestSessionEnds(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world, key *NewKey) *world{
		"key replaced": func(t *testing.T, w *world, key *NewKey) *world {
			require.NoError(t, w.admin.RemoveKey(t.Context(), key.ID))
			_, err := w.admin.AddKey(t.Context(), KeySpec{Account: "acme", User: "bob", AccessKey: key.ID, Secret: "another-secret"})
			require.NoError(t, err)
			require.Equal(t, "bob", w.identity(key.ID, "").User)
			return w
		},
		"key disabled": func(t *testing.T, w *world, key *NewKey) *world {
			require.NoError(t, w.admin.SetKeyDisabled(t.Context(), key.ID, true))
			return w
		},
		"role replaced": func(t *testing.T, w *world, _ *NewKey) *world {
			r, err := w.admin.Role(t.Context(), "acme", "reader")
			require.NoError(t, err)
			require.NoError(t, w.admin.RemoveRole(t.Context(), "acme", "reader"))
			time.Sleep(2 * time.Millisecond) // Two roles of one name differ in when they were made.
			w.role("acme", "reader", r.Trust, 0)
			return w
		},
		"another cluster key": func(t *testing.T, w *world, _ *NewKey) *world {
			return newNode(t, w.meta, [SecretKeyBytes]byte{7}, rootPassword)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			acme, _ := w.account("acme")
			_, key := w.user("acme", "bob", "admin")
			w.role("acme", "reader", trustOf(acme.Id), 0)
			got, id := w.assume(w.identity(key.ID, ""), AssumeRole{Role: "reader"})
			require.Equal(t, "reader", id.Role)
			after := end(t, w, key)
			after.refused(errs.Denied, got.AccessKey, got.Token)
		})
	}
	t.Run("root password", func(t *testing.T) {
		w := newWorld(t)
		got, err := w.sts.SessionToken(t.Context(), w.identity(rootUser, ""), 0)
		require.NoError(t, err)
		require.True(t, w.peer().identity(got.AccessKey, got.Token).Admin)
		newNode(t, w.meta, testKey, "another-password").refused(errs.Denied, got.AccessKey, got.Token)
	})
	t.Run("a caller that was disabled since", func(t *testing.T) {
		w := newWorld(t)
		w.account("acme")
		_, key := w.user("acme", "bob")
		id := w.identity(key.ID, "")
		require.NoError(t, w.admin.SetUserDisabled(t.Context(), "acme", "bob", true))
		_, err := w.sts.SessionToken(t.Context(), id, 0)
		requireKind(t, errs.Denied, err)
	})
}

// TestSessionExpires: a session ends at the second at which it expires.
func TestSessionExpires(t *testing.T) {
	w := newWorld(t)
	_, key := w.account("acme")
	synctest.Test(t, func(t *testing.T) {
		got, err := w.sts.SessionToken(t.Context(), w.identity(key.ID, ""), 900*time.Second)
		require.NoError(t, err)
		require.Equal(t, time.Now().Add(900*time.Second).UTC(), got.Expiration)
		time.Sleep(900*time.Second - 1)
		id := w.identity(got.AccessKey, got.Token)
		require.Equal(t, got.Expiration, id.Expires.UTC())
		time.Sleep(time.Nanosecond)
		w.refused(errs.Expired, got.AccessKey, got.Token)
	})
}
