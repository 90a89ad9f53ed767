package iam

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/federate"
	"github.com/cairnstore/cairn/s3api/federate/federatetest"
	"github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// federation is an STS server with a provider, idp, whose claim policy names policies of acme.
type federation struct {
	*stsServer
	idp  *federatetest.Provider
	acme string
}

func newFederation(t *testing.T) *federation {
	t.Helper()
	f := &federation{stsServer: newSTSServer(t), idp: federatetest.New(t)}
	v := federate.NewVerifier(federate.Config{})
	t.Cleanup(v.Close)
	f.sts.Federate(v)
	acme, _ := f.account("acme")
	f.acme = acme.Id
	_, err := f.admin.AddOIDCProvider(t.Context(), f.spec())
	require.NoError(t, err)
	return f
}

func (f *federation) spec() OIDCSpec {
	return OIDCSpec{Name: "idp", Account: "acme", Issuer: f.idp.URL, ClientIDs: []string{federatetest.ClientID},
		PolicyClaim: "policy"}
}

// host is the issuer as AWS names providers.
func (f *federation) host() string { return strings.TrimPrefix(f.idp.URL, "http://") }

// webAnswer is an answer of AssumeRoleWithWebIdentity, or an error.
type webAnswer struct {
	Result struct {
		Credentials struct{ AccessKeyId, SecretAccessKey, SessionToken, Expiration string }
		Subject     string                              `xml:"SubjectFromWebIdentityToken"`
		User        struct{ Arn, AssumedRoleId string } `xml:"AssumedRoleUser"`
		Packed      int                                 `xml:"PackedPolicySize"`
		Provider    string
		Audience    string
	} `xml:"AssumeRoleWithWebIdentityResult"`
	Error struct{ Type, Code, Message string }
}

// ask asks for a session, without a signature.
func (f *federation) ask(token string, more url.Values) (int, webAnswer) {
	f.t.Helper()
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "WebIdentityToken": {token}}
	for k, v := range more {
		form[k] = v
	}
	status, body, _ := f.send("POST", form.Encode(), nil, nil)
	var a webAnswer
	require.NoError(f.t, xml.Unmarshal([]byte(body), &a), body)
	return status, a
}

// session is ask for a session that must be made, and whose it is.
func (f *federation) session(token string, more url.Values) (webAnswer, *Identity) {
	f.t.Helper()
	status, a := f.ask(token, more)
	require.Equal(f.t, 200, status, a.Error)
	return a, f.identity(a.Result.Credentials.AccessKeyId, a.Result.Credentials.SessionToken)
}

func (f *federation) refusedWith(status int, code, token string, more url.Values) string {
	f.t.Helper()
	got, a := f.ask(token, more)
	require.Equal(f.t, status, got, a.Error)
	require.Equal(f.t, code, a.Error.Code, a.Error.Message)
	require.Equal(f.t, "Sender", a.Error.Type)
	return a.Error.Message
}

// trustWeb is a trust policy of a provider, with conditions.
func trustWeb(principal, conditions string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"` + principal +
		`"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{` + conditions + `}}]}`
}

// can reports whether an identity may do something in its account.
func (w *world) can(id *Identity, action, name, key string) bool {
	return NewAuthorizer(w.dir).Allows(&Access{Identity: id, Action: action,
		Bucket: &bucket.Bucket{Bucket: &metapb.Bucket{Name: name, Owner: id.Account}}, Key: key})
}

// TestWebIdentityWithRole pins the answer, and what the session is.
func TestWebIdentityWithRole(t *testing.T) {
	f := newFederation(t)
	f.policy("acme", "own",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b/${jwt:preferred_username}/*","arn:aws:s3:::c/${idp:sub}","arn:aws:s3:::d/${jwt:groups}"]},`+
			`{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::team/*","Condition":{"StringEquals":{"`+f.host()+`:groups":"ops"}}}]}`)
	f.role("acme", "reader", trustWeb("arn:aws:iam::"+f.acme+":oidc-provider/"+f.host(),
		`"StringEquals":{"`+f.host()+`:aud":"cairn"}`), 2*time.Hour, "own")
	token := f.idp.Token(map[string]any{"preferred_username": "al", "groups": []string{"dev", "ops"}})
	role := url.Values{"RoleArn": {"arn:aws:iam::" + f.acme + ":role/reader"}, "RoleSessionName": {"s1"}}
	a, id := f.session(token+"\n", role)
	r := a.Result
	require.Equal(t, []string{"alice", "arn:aws:sts::" + f.acme + ":assumed-role/reader/s1", "reader:s1", f.idp.URL,
		"cairn"},
		[]string{r.Subject, r.User.Arn, r.User.AssumedRoleId, r.Provider, r.Audience})
	require.Equal(t, r.User.Arn, id.ARN())
	require.Equal(t, r.Credentials.Expiration, id.Expires.UTC().Format(time.RFC3339))
	require.InDelta(t, time.Hour.Seconds(), id.Expires.Sub(id.Issued).Seconds(), 1)
	require.Equal(t, []string{"idp", "alice", "reader"}, []string{id.Provider, id.Subject, id.Role})
	d := <-f.done
	require.Equal(t, "AssumeRoleWithWebIdentity", d.Action)
	require.Equal(t, []string{"idp", "alice", r.Credentials.AccessKeyId}, []string{d.Federated.Provider,
		d.Federated.Subject, d.Federated.AccessKey})

	require.True(t, f.can(id, "s3:GetObject", "b", "al/x"))
	require.False(t, f.can(id, "s3:GetObject", "b", "alice/x"))
	require.True(t, f.can(id, "s3:GetObject", "c", "alice"))
	require.False(t, f.can(id, "s3:GetObject", "d", "dev"), "a variable of several values")
	require.True(t, f.can(id, "s3:GetObject", "team", "x"))
	_, dev := f.session(f.idp.Token(map[string]any{"groups": []string{"dev"}}), role)
	require.False(t, f.can(dev, "s3:GetObject", "team", "x"))

	role.Set("Policy", allowing("Allow", "s3:GetObject", "arn:aws:s3:::c/*"))
	role.Set("DurationSeconds", "7200")
	a, scoped := f.session(token, role)
	require.Positive(t, a.Result.Packed)
	require.False(t, f.can(scoped, "s3:GetObject", "b", "al/x"))
	require.True(t, f.can(scoped, "s3:GetObject", "c", "alice"))
	role.Set("DurationSeconds", "7201")
	f.refusedWith(400, "ValidationError", token, role)
	role.Set("DurationSeconds", "1")
	f.refusedWith(400, "ValidationError", token, role)
	role.Del("DurationSeconds")
	role.Set("Policy", "{")
	f.refusedWith(400, "MalformedPolicyDocument", token, role)
	role.Del("Policy")
	role.Set("PolicyArns.member.1.arn", "x")
	f.refusedWith(400, "ValidationError", token, role)
}

// TestWebIdentityTrust is the table of trust policies.
func TestWebIdentityTrust(t *testing.T) {
	f := newFederation(t)
	aud := `"StringEquals":{"jwt:aud":"cairn"}`
	for name, c := range map[string]struct {
		trust string
		good  bool
	}{
		"ARN":             {trustWeb("arn:aws:iam::"+f.acme+":oidc-provider/"+f.host(), aud), true},
		"ARN of the name": {trustWeb("arn:aws:iam::"+f.acme+":oidc-provider/idp", aud), true},
		"issuer":          {trustWeb(f.host(), aud), true},
		"URL":             {trustWeb(f.idp.URL, aud), true},
		"name":            {trustWeb("idp", aud), true},
		"another":         {trustWeb("idq", aud), false},
		"any":             {trustWeb("jwt", aud), false},
		"another path":    {trustWeb("arn:aws:iam::"+f.acme+":oidc-provider/"+f.host()+"/x", aud), false},
		"everybody":       {strings.Replace(trustWeb("idp", aud), `{"Federated":"idp"}`, `"*"`, 1), false},
		"every account":   {strings.Replace(trustWeb("idp", aud), `"Federated":"idp"`, `"AWS":"*"`, 1), false},
		"the account": {strings.Replace(trustWeb("idp", aud), `"Federated":"idp"`, `"AWS":"`+f.acme+`"`, 1),
			false},
		"another action": {strings.Replace(trustWeb("idp", aud), "AssumeRoleWithWebIdentity", "AssumeRole", 1),
			false},
		"all actions":       {strings.Replace(trustWeb("idp", aud), "AssumeRoleWithWebIdentity", "*", 1), true},
		"sub":               {trustWeb("idp", `"StringLike":{"idp:sub":"al*"}`), true},
		"sub of the issuer": {trustWeb("idp", `"StringEquals":{"`+f.host()+`:sub":"alice"}`), true},
		"another sub":       {trustWeb("idp", `"StringEquals":{"idp:sub":"bob"}`), false},
		"list claim":        {trustWeb("idp", `"ForAnyValue:StringEquals":{"idp:groups":["ops"]}`), true},
		"not in the list":   {trustWeb("idp", `"ForAnyValue:StringEquals":{"idp:groups":["root"]}`), false},
		"all of the list":   {trustWeb("idp", `"ForAllValues:StringEquals":{"idp:groups":["ops"]}`), false},
		"nested":            {trustWeb("idp", `"StringEquals":{"idp:realm.role":"r"}`), true},
		"truth":             {trustWeb("idp", `"Bool":{"idp:email_verified":"true"}`), true},
		"number":            {trustWeb("idp", `"NumericGreaterThan":{"idp:level":"3"}`), true},
		"no such claim":     {trustWeb("idp", `"StringEquals":{"idp:nix":"x"}`), false},
		"odd claim":         {trustWeb("idp", `"StringLike":{"idp:realm":"*"}`), false},
		"another's claim":   {trustWeb("idp", `"StringEquals":{"idq:sub":"alice"}`), false},
		"client":            {trustWeb("idp", `"StringLike":{"aws:UserAgent":"Go-http-client/*"}`), true},
		"denied": {strings.Replace(trustWeb("idp", aud), `"Statement":[`,
			`"Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:*","Condition":{"StringEquals":{"idp:sub":"alice"}}},`, 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := f.admin.AddRole(t.Context(), RoleSpec{Account: "acme", Name: "r", Trust: c.trust})
			require.NoError(t, err)
			defer func() { require.NoError(t, f.admin.RemoveRole(t.Context(), "acme", "r")) }()
			token := f.idp.Token(map[string]any{"groups": []string{"dev", "ops"}, "realm": map[string]any{"role": "r"},
				"email_verified": true, "level": 4})
			if c.good {
				f.session(token, url.Values{"RoleArn": {"r"}, "RoleSessionName": {"s1"}})
			} else {
				f.refusedWith(403, "AccessDenied", token, url.Values{"RoleArn": {"r"}, "RoleSessionName": {"s1"}})
			}
		})
	}
	f.refusedWith(403, "AccessDenied", f.idp.Token(nil), url.Values{"RoleArn": {"nix"}, "RoleSessionName": {"s1"}})
	f.refusedWith(400, "ValidationError", f.idp.Token(nil), url.Values{"RoleArn": {"a/b"}, "RoleSessionName": {"s1"}})
	f.refusedWith(400, "ValidationError", f.idp.Token(nil), url.Values{"RoleArn": {"r"}, "RoleSessionName": {"a b"}})
}

// TestWebIdentityWithPolicies: without a role a claim names policies of the provider's account.
func TestWebIdentityWithPolicies(t *testing.T) {
	f := newFederation(t)
	f.policy("acme", "never", allowing("Deny", "s3:GetObject", "arn:aws:s3:::secret/*"))
	for name, claim := range map[string]any{"text": "readonly, never,nix", "list": []string{"readonly", "never,nix"}} {
		a, id := f.session(f.idp.Token(map[string]any{"policy": claim, "sub": "al ice/1"}), nil)
		require.Equal(t, "arn:aws:sts::"+f.acme+":federated-user/idp/al%20ice%2F1", a.Result.User.Arn, name)
		require.Equal(t, f.acme+":federated-user/idp/al%20ice%2F1", a.Result.User.AssumedRoleId)
		require.Equal(t, a.Result.User.Arn, id.ARN())
		require.Equal(t, a.Result.User.AssumedRoleId, id.Initiator())
		require.False(t, id.Root || id.Admin)
		require.True(t, f.can(id, "s3:GetObject", "b", "k"))
		require.False(t, f.can(id, "s3:PutObject", "b", "k"))
		require.False(t, f.can(id, "s3:GetObject", "secret", "k"))
		p := id.Principal()
		require.Equal(t, policy.None, policy.Evaluate(must(policy.Parse([]byte(
			`{"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::`+f.acme+`:user/*"},"Action":"s3:*","Resource":"*"}}`), policy.Resource)),
			&policy.Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Principal: p}), "it is no user")
	}
	for name, differ := range map[string]map[string]any{"none": {}, "unknown": {"policy": "nix"},
		"empty": {"policy": ""}, "no list": {"policy": []string{}},
		"odd": {"policy": map[string]any{"a": "readonly"}}, "mixed": {"policy": []any{"readonly", []any{}}}} {
		t.Run(name, func(*testing.T) { f.refusedWith(403, "IDPRejectedClaim", f.idp.Token(differ), nil) })
	}
	_, err := f.admin.SetOIDCProvider(t.Context(), OIDCSpec{Name: "idp", Account: "acme", Issuer: f.idp.URL,
		ClientIDs: []string{"cairn"}, MaxSession: time.Hour, SessionClaims: []string{"big"}})
	require.NoError(t, err)
	f.refusedWith(400, "ValidationError", f.idp.Token(map[string]any{"policy": "readonly"}), nil)
	f.role("acme", "any", trustWeb("idp", ""), 0)
	require.Contains(t, f.refusedWith(400, "PackedPolicyTooLarge",
		f.idp.Token(map[string]any{"big": strings.Repeat("x", MaxClaimsBytes)}), url.Values{"RoleArn": {"any"}}),
		"--session-claim")
	_, id := f.session(f.idp.Token(map[string]any{"big": strings.Repeat("x", MaxClaimsBytes-10), "sub": "é"}),
		url.Values{"RoleArn": {"any"}})
	require.Equal(t, "---", id.SessionName+strings.Repeat("-", 3-len(id.SessionName)), "a name is made of the subject")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestWebIdentityEnds: what ends a session that a provider vouches for.
func TestWebIdentityEnds(t *testing.T) {
	f := newFederation(t)
	f.role("acme", "any", trustWeb("idp", ""), 0, "readonly")
	jwt := f.idp.Token(map[string]any{"policy": "readonly"})
	for name, c := range map[string]struct{ end, mend func() error }{
		"provider removed": {func() error { return f.admin.RemoveProvider(t.Context(), "idp") },
			func() error { _, err := f.admin.AddOIDCProvider(t.Context(), f.spec()); return err }},
		"provider disabled": {func() error {
			s := f.spec()
			s.Disabled = true
			_, err := f.admin.SetOIDCProvider(t.Context(), s)
			return err
		}, nil},
		"sessions ended": {func() error {
			s := f.spec()
			s.EndSessions = true
			_, err := f.admin.SetOIDCProvider(t.Context(), s)
			return err
		}, nil},
		"another account": {func() error {
			s := f.spec()
			s.Account = RootAccount
			_, err := f.admin.SetOIDCProvider(t.Context(), s)
			return err
		}, nil},
		"account disabled": {func() error { return f.admin.SetAccountDisabled(t.Context(), "acme", true) },
			func() error { return f.admin.SetAccountDisabled(t.Context(), "acme", false) }},
	} {
		t.Run(name, func(t *testing.T) {
			with, _ := f.session(jwt, nil)
			role, id := f.session(jwt, url.Values{"RoleArn": {"any"}})
			require.True(t, f.can(id, "s3:GetObject", "b", "k"))
			require.NoError(t, c.end())
			f.refused(errs.Denied, with.Result.Credentials.AccessKeyId, with.Result.Credentials.SessionToken)
			f.refused(errs.Denied, role.Result.Credentials.AccessKeyId, role.Result.Credentials.SessionToken)
			if c.mend != nil {
				require.NoError(t, c.mend())
			} else {
				_, err := f.admin.SetOIDCProvider(t.Context(), f.spec())
				require.NoError(t, err)
			}
			if name == "provider removed" || name == "another account" {
				f.refused(errs.Denied, with.Result.Credentials.AccessKeyId, with.Result.Credentials.SessionToken)
			}
			fresh, _ := f.session(jwt, nil)
			f.refused(errs.Denied, fresh.Result.Credentials.AccessKeyId, with.Result.Credentials.SessionToken)
		})
	}
	role, _ := f.session(jwt, url.Values{"RoleArn": {"any"}})
	require.NoError(t, f.admin.RemoveRole(t.Context(), "acme", "any"))
	f.refused(errs.Denied, role.Result.Credentials.AccessKeyId, role.Result.Credentials.SessionToken)
	f.policy("acme", "short", allowing("Allow", "s3:*", "*"))
	_, id := f.session(f.idp.Token(map[string]any{"policy": "short"}), nil)
	require.True(t, f.can(id, "s3:GetObject", "b", "k"))
	require.NoError(t, f.admin.RemovePolicy(t.Context(), "acme", "short", false))
	require.False(t, f.can(id, "s3:GetObject", "b", "k"))

	// Another node, which does not know the provider yet, looks again before it refuses.
	peer := f.peer()
	s := f.spec()
	s.Name, s.Issuer = "late", "https://late.example.com"
	added, err := f.admin.AddOIDCProvider(t.Context(), s)
	require.NoError(t, err)
	c, err := f.keys.newSession(&token{Federated: &federatedToken{Provider: "late", Created: added.CreatedMs, Revision: 1,
		Subject: "x", Policies: []string{"readonly"}}}, time.Hour)
	require.NoError(t, err)
	require.Equal(t, "late", peer.identity(c.AccessKey, c.Token).Provider)
}

// TestWebIdentityErrors is the table of what is refused, as AWS names it.
func TestWebIdentityErrors(t *testing.T) {
	f := newFederation(t)
	readonly := func(differ map[string]any) map[string]any {
		out := map[string]any{"policy": "readonly"}
		for k, v := range differ {
			out[k] = v
		}
		return out
	}
	good := f.idp.Token(readonly(nil))
	f.session(good, nil)
	for name, c := range map[string]struct {
		token, code string
		more        url.Values
	}{
		"no token": {"", "InvalidIdentityToken", nil},
		"no JWT":   {"x", "InvalidIdentityToken", nil},
		"unknown issuer": {f.idp.Token(readonly(map[string]any{"iss": "https://other.example.com"})),
			"InvalidIdentityToken", nil},
		"audience": {f.idp.Token(readonly(map[string]any{"aud": "x"})), "InvalidIdentityToken", nil},
		"expired": {f.idp.Token(readonly(map[string]any{"exp": time.Now().Unix() - 100})),
			"ExpiredTokenException", nil},
		"not yet": {f.idp.Token(readonly(map[string]any{"nbf": time.Now().Unix() + 100})),
			"InvalidIdentityToken", nil},
		"signature":        {good[:len(good)-8] + "AAAAAAAA", "InvalidIdentityToken", nil},
		"huge":             {strings.Repeat("x", 30_000), "InvalidIdentityToken", nil},
		"another provider": {good, "InvalidIdentityToken", url.Values{"ProviderId": {"other"}}},
		"duration":         {good, "ValidationError", url.Values{"DurationSeconds": {"43201"}}},
		"no number":        {good, "ValidationError", url.Values{"DurationSeconds": {"x"}}},
	} {
		t.Run(name, func(t *testing.T) { f.refusedWith(400, c.code, c.token, c.more) })
	}
	for _, id := range []string{"idp", f.idp.URL, f.host()} {
		f.session(good, url.Values{"ProviderId": {id}})
	}
	s := f.spec()
	s.ClientIDs = []string{"cairn", "more"}
	f.idp.Misbehave(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, nil)
	_, err := f.admin.SetOIDCProvider(t.Context(), s)
	require.NoError(t, err)
	message := f.refusedWith(400, "IDPCommunicationError", good, nil)
	require.NotContains(t, message, "status 500", "strangers learn nothing of the provider")
	for len(f.done) > 1 {
		<-f.done
	}
	require.ErrorContains(t, (<-f.done).Err, "status 500")

	// The other actions are not open to strangers, and a body that is too long is not read.
	for _, action := range []string{"AssumeRole", "GetSessionToken", "GetCallerIdentity", "Nix", ""} {
		status, body, _ := f.send("POST", "Action="+action+"&Version=2011-06-15", nil, nil)
		require.Equal(t, 403, status)
		require.Contains(t, body, "MissingAuthenticationToken")
	}
	status, body, _ := f.send("POST", "WebIdentityToken="+strings.Repeat("x", sigauth.MaxServiceBodyBytes), nil, nil)
	require.Equal(t, 400, status, body)
}

// TestWebIdentityChained: a session that a provider vouches for can assume a role, for an hour at most,
// and ends with the provider.
func TestWebIdentityChained(t *testing.T) {
	f := newFederation(t)
	f.policy("acme", "assume", mayAssume)
	f.role("acme", "next", trustOf(f.acme), 12*time.Hour, "readonly")
	_, id := f.session(f.idp.Token(map[string]any{"policy": "assume"}), nil)
	_, err := f.sts.SessionToken(t.Context(), id, 0)
	requireKind(t, errs.Denied, err)
	_, err = f.sts.AssumeRole(t.Context(), id, AssumeRole{Role: "next", SessionName: "s1", Duration: 2 * time.Hour})
	requireKind(t, errs.Invalid, err)
	got, next := f.assume(id, AssumeRole{Role: "next"})
	require.Equal(t, []string{"next", "idp", "alice"}, []string{next.Role, next.Provider, next.Subject})
	require.True(t, f.can(next, "s3:GetObject", "b", "k"))
	_, weak := f.session(f.idp.Token(map[string]any{"policy": "readonly"}), nil)
	_, err = f.sts.AssumeRole(t.Context(), weak, AssumeRole{Role: "next", SessionName: "s1"})
	requireKind(t, errs.Denied, err)
	require.NoError(t, f.admin.RemoveProvider(t.Context(), "idp"))
	f.refused(errs.Denied, got.AccessKey, got.Token)
}

// TestOIDCSpecs is the table of providers that are refused.
func TestOIDCSpecs(t *testing.T) {
	f := newFederation(t)
	ctx := t.Context()
	good := OIDCSpec{Name: "two", Account: "acme", Issuer: "https://two.example.com", ClientIDs: []string{"x"}}
	for name, edit := range map[string]func(s *OIDCSpec){
		"no name": func(s *OIDCSpec) { s.Name = "" }, "capitals": func(s *OIDCSpec) { s.Name = "Two" },
		"service": func(s *OIDCSpec) { s.Name = "aws" },
		"jwt":     func(s *OIDCSpec) { s.Name = "jwt" }, "ldap": func(s *OIDCSpec) { s.Name = "ldap" },
		"long":  func(s *OIDCSpec) { s.Name = strings.Repeat("a", 65) },
		"slash": func(s *OIDCSpec) { s.Name = "a/b" }, "in " +
			"clear": func(s *OIDCSpec) { s.Issuer = "http://two.example.com" },
		"no clients":        func(s *OIDCSpec) { s.ClientIDs = nil },
		"empty client":      func(s *OIDCSpec) { s.ClientIDs = []string{""} },
		"claim":             func(s *OIDCSpec) { s.PolicyClaim = "a b" },
		"claims":            func(s *OIDCSpec) { s.SessionClaims = make([]string, MaxSessionClaims+1) },
		"empty claim":       func(s *OIDCSpec) { s.SessionClaims = []string{""} },
		"certificates":      func(s *OIDCSpec) { s.CAPEM = "x" },
		"many certificates": func(s *OIDCSpec) { s.CAPEM = strings.Repeat("x", maxCABytes+1) },
		"short sessions":    func(s *OIDCSpec) { s.MaxSession = time.Minute },
		"long sessions":     func(s *OIDCSpec) { s.MaxSession = 13 * time.Hour },
	} {
		s := good
		edit(&s)
		_, err := f.admin.AddOIDCProvider(ctx, s)
		require.Error(t, err, name)
		requireKind(t, errs.Invalid, err)
	}
	twice := good
	twice.Issuer = f.idp.URL
	_, err := f.admin.AddOIDCProvider(ctx, twice)
	requireKind(t, errs.Exists, err)
	_, err = f.admin.AddOIDCProvider(ctx, f.spec())
	requireKind(t, errs.Exists, err)
	_, err = f.admin.SetOIDCProvider(ctx, good)
	requireKind(t, errs.NotFound, err)
	nobody := good
	nobody.Account = "nobody"
	_, err = f.admin.AddOIDCProvider(ctx, nobody)
	requireKind(t, errs.NotFound, err)
	requireKind(t, errs.NotFound, f.admin.RemoveProvider(ctx, "nix"))
	_, err = f.admin.Provider(ctx, "nix")
	requireKind(t, errs.NotFound, err)
	for i := range MaxProviders - 1 {
		s := good
		s.Name += "-" + strings.Repeat("i", i%50) + string(rune('a'+i/50))
		s.Issuer += "/" + s.Name
		_, err := f.admin.AddOIDCProvider(ctx, s)
		require.NoError(t, err)
	}
	_, err = f.admin.AddOIDCProvider(ctx, good)
	requireKind(t, errs.Precondition, err)
	list, err := f.admin.Providers(ctx)
	require.NoError(t, err)
	require.Len(t, list, MaxProviders)
}

// TestDelegatedProviders: whoever is limited by a policy changes no provider, and no policy that a
// provider can name beyond its own rights.
func TestDelegatedProviders(t *testing.T) {
	d, ctx := newDelegation(t, allowing("Allow", "s3:Get*", "*")), t.Context()
	s := OIDCSpec{Name: "idp", Account: "acme", Issuer: "https://idp.example.com", ClientIDs: []string{"x"},
		PolicyClaim: "policy"}
	_, err := d.as.AddOIDCProvider(ctx, s)
	refusedTo(t, err, "added")
	require.NoError(t, d.as.AddPolicy(ctx, "acme", "free", allowing("Allow", "s3:*", "*")), "a policy that nobody has")
	require.NoError(t, d.as.RemovePolicy(ctx, "acme", "free", false))

	d.policy("acme", "much", allowing("Allow", "s3:*", "*"))
	d.policy("acme", "denies", allowing("Deny", "s3:PutObject", "*"))
	d.policy("acme", "gets", allowing("Allow", "s3:GetObject", "*"))
	_, err = d.admin.AddOIDCProvider(ctx, s)
	require.NoError(t, err)
	_, err = d.as.SetOIDCProvider(ctx, s)
	require.NoError(t, err, "nothing is changed")
	s.Disabled = true
	_, err = d.as.SetOIDCProvider(ctx, s)
	refusedTo(t, err, "changed")
	refusedTo(t, d.as.RemoveProvider(ctx, "idp"), "removed")
	refusedTo(t, d.as.AddPolicy(ctx, "acme", "free", allowing("Allow", "s3:*", "*")),
		"a policy of more than the clerk has")
	require.NoError(t, d.as.AddPolicy(ctx, "acme", "free", allowing("Allow", "s3:GetObject", "*")))
	refusedTo(t, d.as.SetPolicy(ctx, "acme", "free", allowing("Allow", "s3:*", "*")), "more than the clerk has")
	refusedTo(t, d.as.SetPolicy(ctx, "acme", "much", allowing("Allow", "s3:GetObject", "*")),
		"less for those above the clerk")
	refusedTo(t, d.as.RemovePolicy(ctx, "acme", "much", false), "a policy of those above the clerk")
	refusedTo(t, d.as.SetPolicy(ctx, "acme", "denies", allowing("Deny", "s3:GetObject", "*")), "a denial lifted")
	refusedTo(t, d.as.RemovePolicy(ctx, "acme", "denies", false), "a denial removed")
	require.NoError(t, d.as.RemovePolicy(ctx, "acme", "gets", false))

	// A provider that this version cannot read may name policies of any account.
	require.NoError(t, d.admin.RemoveProvider(ctx, "idp"))
	require.NoError(t, d.as.AddPolicy(ctx, "acme", "free2", allowing("Allow", "s3:*", "*")))
	require.NoError(t, d.dir.Write(ctx, nil, []*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_IDENTITY_PROVIDER,
		Name: "odd", Value: []byte{0xff}}}, nil))
	refusedTo(t, d.as.AddPolicy(ctx, "acme", "free3", allowing("Allow", "s3:*", "*")), "an unreadable provider")

	// A role that trusts a provider has no more than the clerk.
	_, err = d.as.AddRole(ctx, RoleSpec{Account: "acme", Name: "web", Trust: trustWeb("idp", "")})
	require.NoError(t, err)
	refusedTo(t, d.as.AttachPolicy(ctx, "acme", Holder{HolderRole, "web"}, "much"), "more for a role")
}

// TestFederatedAdministrator: a session that a provider vouches for administers by the policies that it
// has, within the law.
func TestFederatedAdministrator(t *testing.T) {
	f := newFederation(t)
	f.policy("acme", "clerks",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["admin:*","s3:Get*"],"Resource":"*"}]}`)
	_, id := f.session(f.idp.Token(map[string]any{"policy": "clerks"}), nil)
	require.True(t, NewAuthorizer(f.dir).AllowsAdmin(id, "AddUser", false, "arn:aws:iam::"+f.acme+":user/x", nil, nil))
	require.False(t, NewAuthorizer(f.dir).AllowsAdmin(id, "AddOIDCProvider", true, "*", nil, nil))
	as := f.admin.For(id)
	_, err := as.AddUser(t.Context(), "acme", "x")
	require.NoError(t, err)
	f.policy("acme", "gets", allowing("Allow", "s3:GetObject", "*"))
	require.NoError(t, as.AttachPolicy(t.Context(), "acme", Holder{HolderUser, "x"}, "gets"))
	refusedTo(t, as.AttachPolicy(t.Context(), "acme", Holder{HolderUser, "x"}, "readwrite"), "more than it has")
	refusedTo(t, as.RemoveProvider(t.Context(), "idp"), "the provider")
}
