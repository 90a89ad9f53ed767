package policy_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/policy"
)

// statements wraps statements into a policy.
func statements(list string) string { return `{"Version":"2012-10-17","Statement":[` + list + `]}` }

func TestIdentityPolicies(t *testing.T) {
	readHome := `{"Effect":"Allow","Action":["s3:GetObject","s3:Put*"],"Resource":"arn:aws:s3:::b/home/${aws:username}/*"}`
	for _, c := range []struct {
		name, list, action, resource string
		want                         policy.Effect
	}{
		{"nothing said", readHome, "s3:DeleteObject", "arn:aws:s3:::b/home/alice/x", policy.None},
		{"allowed", readHome, "s3:GetObject", "arn:aws:s3:::b/home/alice/x", policy.Allow},
		{"case of actions", readHome, "S3:getobject", "arn:aws:s3:::b/home/alice/x", policy.Allow},
		{"wildcard action", readHome, "s3:PutObjectTagging", "arn:aws:s3:::b/home/alice/a/b", policy.Allow},
		{"another's home", readHome, "s3:GetObject", "arn:aws:s3:::b/home/bob/x", policy.None},
		{"case of keys", readHome, "s3:GetObject", "arn:aws:s3:::b/HOME/alice/x", policy.None},
		{"deny wins, last", readHome + `,{"Effect":"Deny","Action":"s3:*","Resource":"*"}`, "s3:GetObject", "arn:aws:s3:::b/home/alice/x", policy.Deny},
		{"deny wins, first", `{"Effect":"Deny","Action":"*","Resource":"*"},` + readHome, "s3:GetObject", "arn:aws:s3:::b/home/alice/x", policy.Deny},
		{"not action, listed", `{"Effect":"Allow","NotAction":"s3:Delete*","Resource":"*"}`, "s3:DeleteObject", "arn:aws:s3:::b/k", policy.None},
		{"not action, other", `{"Effect":"Allow","NotAction":"s3:Delete*","Resource":"*"}`, "s3:GetObject", "arn:aws:s3:::b/k", policy.Allow},
		{"not action reaches other services", `{"Effect":"Allow","NotAction":"s3:Delete*","Resource":"*"}`, "kms:Decrypt", "arn:aws:kms:r:1111:key/1", policy.Allow},
		{"not resource, listed", `{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}`, "s3:GetObject", "arn:aws:s3:::b/k", policy.None},
		{"not resource, other", `{"Effect":"Deny","Action":"s3:*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]}`, "s3:GetObject", "arn:aws:s3:::c/k", policy.Deny},
		{"a bucket is not its keys", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`, "s3:ListBucket", "arn:aws:s3:::b", policy.None},
		{"a bucket is not its namesakes", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b"}`, "s3:ListBucket", "arn:aws:s3:::bb", policy.None},
		{"all buckets, by ARN", `{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"arn:aws:s3:::*"}`, "s3:ListAllMyBuckets", policy.AllBuckets, policy.Allow},
		{"all buckets, by star", `{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}`, "s3:ListAllMyBuckets", policy.AllBuckets, policy.Allow},
		{"all buckets are more than one", `{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"arn:aws:s3:::b"}`, "s3:ListAllMyBuckets", policy.AllBuckets, policy.None},
		{"question mark", `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/?.txt"}`, "s3:GetObject", "arn:aws:s3:::b/é.txt", policy.Allow},
		{"question mark is one", `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/?.txt"}`, "s3:GetObject", "arn:aws:s3:::b/ab.txt", policy.None},
		{"quoted star", `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${*}"}`, "s3:GetObject", "arn:aws:s3:::b/*", policy.Allow},
		{"quoted star is no star", `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${*}"}`, "s3:GetObject", "arn:aws:s3:::b/k", policy.None},
		{"quoted dollar", `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${$}{x}${?}"}`, "s3:GetObject", "arn:aws:s3:::b/${x}?", policy.Allow},
		{"roles", `{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::2222:role/*"}`, "sts:AssumeRole", "arn:aws:iam::2222:role/x", policy.Allow},
		{"administration", `{"Effect":"Allow","Action":"admin:*","Resource":"*"}`, "admin:ListAccounts", "*", policy.Allow},
	} {
		p := parse(t, statements(c.list), policy.Identity)
		r := &policy.Request{Action: c.action, Resource: c.resource, Principal: alice}
		require.Equal(t, c.want.String(), policy.Evaluate(p, r).String(), c.name)
	}
}

func TestPrincipals(t *testing.T) {
	allow := func(principal string) string {
		return statements(`{"Effect":"Allow",` + principal + `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`)
	}
	deny := func(principal string) string {
		return statements(`{"Effect":"Deny",` + principal + `,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`)
	}
	logs := policy.Principal{Service: "logging.s3.amazonaws.com"}
	none, delegate, allowed, denied := policy.None, policy.Delegate, policy.Allow, policy.Deny
	who := []policy.Principal{root, alice, bob, session, carol, anonymous, logs}
	for _, c := range []struct {
		document string
		want     [7]policy.Effect // For each of who, in order.
	}{
		{allow(`"Principal":"*"`), [7]policy.Effect{allowed, allowed, allowed, allowed, allowed, allowed, allowed}},
		{allow(`"Principal":{"AWS":"*"}`), [7]policy.Effect{allowed, allowed, allowed, allowed, allowed, allowed, allowed}},
		{allow(`"Principal":{"AWS":"1111"}`), [7]policy.Effect{allowed, delegate, delegate, delegate, none, none, none}},
		{allow(`"Principal":{"AWS":"arn:aws:iam::1111:root"}`), [7]policy.Effect{allowed, delegate, delegate, delegate, none, none, none}},
		{allow(`"Principal":{"CanonicalUser":"1111"}`), [7]policy.Effect{allowed, delegate, delegate, delegate, none, none, none}},
		{allow(`"Principal":{"AWS":"arn:aws:iam::1111:user/alice"}`), [7]policy.Effect{none, allowed, none, none, none, none, none}},
		{allow(`"Principal":{"AWS":["1111","arn:aws:iam::1111:user/alice"]}`), [7]policy.Effect{allowed, allowed, delegate, delegate, none, none, none}},
		{allow(`"Principal":{"AWS":"arn:aws:iam::1111:user/*"}`), [7]policy.Effect{none, allowed, allowed, none, none, none, none}},
		{allow(`"Principal":{"AWS":"arn:aws:iam::1111:role/*"}`), [7]policy.Effect{none, none, none, allowed, none, none, none}},
		{allow(`"Principal":{"AWS":"arn:aws:iam::1111:role/reader"}`), [7]policy.Effect{none, none, none, allowed, none, none, none}},
		{allow(`"Principal":{"AWS":"arn:aws:sts::1111:assumed-role/reader/s1"}`), [7]policy.Effect{none, none, none, allowed, none, none, none}},
		{allow(`"Principal":{"AWS":"arn:aws:sts::1111:assumed-role/reader/s2"}`), [7]policy.Effect{}},
		{allow(`"Principal":{"AWS":"arn:aws:iam::2222:user/alice"}`), [7]policy.Effect{}},
		{allow(`"Principal":{"Service":"logging.s3.amazonaws.com"}`), [7]policy.Effect{none, none, none, none, none, none, allowed}},
		{allow(`"Principal":{"Federated":"accounts.example.com"}`), [7]policy.Effect{}},
		{deny(`"Principal":{"AWS":"1111"}`), [7]policy.Effect{denied, denied, denied, denied, none, none, none}},
		{deny(`"NotPrincipal":{"AWS":["arn:aws:iam::1111:user/alice","1111"]}`), [7]policy.Effect{none, none, denied, denied, denied, denied, denied}},
		{deny(`"NotPrincipal":{"AWS":"arn:aws:iam::1111:role/reader"}`), [7]policy.Effect{denied, denied, denied, none, denied, denied, denied}},
		{deny(`"NotPrincipal":"*"`), [7]policy.Effect{}},
		{allow(`"NotPrincipal":{"AWS":"1111"}`), [7]policy.Effect{none, none, none, none, allowed, allowed, allowed}},
		{allow(`"NotPrincipal":{"AWS":"arn:aws:iam::1111:user/bob"}`), [7]policy.Effect{allowed, allowed, none, allowed, allowed, allowed, allowed}},
	} {
		p := parse(t, c.document, policy.Resource)
		for i, principal := range who {
			r := get(nil)
			r.Principal = principal
			require.Equal(t, c.want[i].String(), policy.Evaluate(p, r).String(), "%s: caller %d", c.document, i)
		}
	}
}

// A policy that names an account and also a user of it allows this user.
func TestAllowBeatsDelegate(t *testing.T) {
	one := func(principal string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"s3:*","Resource":"*"}`
	}
	for _, list := range []string{one("1111") + "," + one("arn:aws:iam::1111:user/alice"), one("arn:aws:iam::1111:user/alice") + "," + one("1111")} {
		require.Equal(t, policy.Allow, policy.Evaluate(parse(t, statements(list), policy.Resource), get(nil)))
	}
	require.Less(t, policy.None, policy.Delegate)
	require.Less(t, policy.Delegate, policy.Allow)
	require.Less(t, policy.Allow, policy.Deny)
}

func TestTrustPolicies(t *testing.T) {
	p := parse(t, statements(`{"Effect":"Allow","Principal":{"AWS":["2222","arn:aws:iam::1111:user/alice"]},"Action":"sts:AssumeRole","Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}}`), policy.Trust)
	require.Equal(t, policy.Trust, p.Kind())
	inside, outside := facts{policy.KeySourceIP: {"192.0.2.9"}}, facts{policy.KeySourceIP: {"192.0.3.9"}}
	assume := func(who policy.Principal, f facts) policy.Effect {
		return policy.Evaluate(p, &policy.Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::1111:role/reader", Principal: who, Conditions: f.conditions})
	}
	require.Equal(t, policy.Allow, assume(alice, inside))
	require.Equal(t, policy.None, assume(alice, outside))
	require.Equal(t, policy.Delegate, assume(carol, inside))
	require.Equal(t, policy.None, assume(bob, inside))
}

func TestVariables(t *testing.T) {
	noUser := root
	for _, c := range []struct {
		name, version, list string
		who                 policy.Principal
		key                 string
		want                policy.Effect
	}{
		{"value", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}`, alice, "alice", policy.Allow},
		{"case of the key", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${AWS:UserName}"}`, alice, "alice", policy.Allow},
		{"old version: literal", "2008-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}`, alice, "alice", policy.None},
		{"old version: itself", "2008-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}`, alice, "${aws:username}", policy.Allow},
		{"wildcards in values are literal", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}"}`, policy.Principal{Account: "1111", User: "*"}, "alice", policy.None},
		{"no value matches nothing", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username}*"}`, noUser, "alice", policy.None},
		{"others of the list still match", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b/${aws:username}","arn:aws:s3:::b/public"]}`, noUser, "public", policy.Allow},
		{"default", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username, 'any}one'}"}`, noUser, "any}one", policy.Allow},
		{"default not needed", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::b/${aws:username,'anyone'}"}`, alice, "anyone", policy.None},
		{"negated, unknown: no allow", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::b/${aws:username}"}`, noUser, "k", policy.None},
		{"negated, known: allow", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","NotResource":"arn:aws:s3:::b/${aws:username}"}`, alice, "k", policy.Allow},
		{"negated, unknown: deny", "2012-10-17", `{"Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::b/${aws:username}"}`, noUser, "k", policy.Deny},
		{"negated condition, unknown: no allow", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"s3:prefix":"${aws:username}"}}}`, noUser, "k", policy.None},
		{"negated condition, unknown: deny", "2012-10-17", `{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"s3:prefix":"${aws:username}"}}}`, noUser, "k", policy.Deny},
		{"condition", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringLike":{"s3:prefix":["${aws:username}/*","x"]}}}`, alice, "k", policy.Allow},
		{"ARN", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::${aws:PrincipalAccount}:user/*"}}}`, alice, "k", policy.Allow},
		{"ARN, no value", "2012-10-17", `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:${aws:username}"}}}`, noUser, "k", policy.None},
	} {
		p := parse(t, `{"Version":"`+c.version+`","Statement":`+c.list+`}`, policy.Identity)
		r := &policy.Request{
			Action: "s3:GetObject", Resource: policy.ObjectARN("b", c.key), Principal: c.who,
			Conditions: facts{policy.KeyPrefix: {"alice/x"}}.conditions,
		}
		require.Equal(t, c.want.String(), policy.Evaluate(p, r).String(), c.name)
	}
}

// AWS's way to keep a bucket's objects encrypted, as its documents show it.
func TestDenyUnencrypted(t *testing.T) {
	p := parse(t, statements(`
		{"Sid":"wrong","Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringNotEquals":{"s3:x-amz-server-side-encryption":"aws:kms"}}},
		{"Sid":"http","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:SecureTransport":false}}},
		{"Sid":"all","Effect":"Allow","Principal":{"AWS":"1111"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`), policy.Resource)
	put := func(f facts) policy.Effect {
		return policy.Evaluate(p, &policy.Request{Action: "s3:PutObject", Resource: policy.ObjectARN("b", "k"), Principal: root, Conditions: f.conditions})
	}
	https := []string{"true"}
	require.Equal(t, policy.Allow, put(facts{policy.KeySSE: {"aws:kms"}, policy.KeySecureTransport: https}))
	require.Equal(t, policy.Deny, put(facts{policy.KeySSE: {"AES256"}, policy.KeySecureTransport: https}))
	require.Equal(t, policy.Deny, put(facts{policy.KeySecureTransport: https}))
	require.Equal(t, policy.Deny, put(facts{policy.KeySSE: {"aws:kms"}, policy.KeySecureTransport: {"false"}}))
}

func TestPrincipalKeys(t *testing.T) {
	service := policy.Principal{Service: "logging.s3.amazonaws.com"}
	federated := policy.Principal{Account: "1111", Federated: "idp"}
	for _, c := range []struct {
		who                                policy.Principal
		kind, account, arn, username, user string
		name                               string // ARN, of sessions too.
	}{
		{root, "Account", "1111", "arn:aws:iam::1111:root", "", "1111", "arn:aws:iam::1111:root"},
		{alice, "User", "1111", "arn:aws:iam::1111:user/alice", "alice", "AIDALICE", "arn:aws:iam::1111:user/alice"},
		{session, "AssumedRole", "1111", "arn:aws:iam::1111:role/reader", "", "AROREADER:s1", "arn:aws:sts::1111:assumed-role/reader/s1"},
		{anonymous, "Anonymous", "", "", "", "", ""},
		{service, "Service", "", "", "", "", ""},
		{federated, "FederatedUser", "1111", "", "", "1111", ""},
	} {
		require.Equal(t, c.name, c.who.ARN())
		for key, want := range map[string]string{
			policy.KeyPrincipalType: c.kind, policy.KeyPrincipalAccount: c.account, policy.KeyPrincipalARN: c.arn,
			policy.KeyUsername: c.username, policy.KeyUserID: c.user,
		} {
			condition := `{"StringEquals":{"` + key + `":"` + want + `"}}`
			if want == "" {
				condition = `{"Null":{"` + key + `":"true"}}`
			}
			r := get(nil)
			r.Principal = c.who
			require.Equal(t, policy.Allow, policy.Evaluate(parse(t, under(condition), policy.Identity), r), "%+v %s", c.who, key)
		}
	}
}
