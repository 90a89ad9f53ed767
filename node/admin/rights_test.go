package admin

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
	"github.com/cairnstore/cairn/s3api/iam"
	lang "github.com/cairnstore/cairn/s3api/policy"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

// procedures returns every method of the API.
func procedures() []string {
	methods := adminpb.File_admin_proto.Services().Get(0).Methods()
	out := make([]string, methods.Len())
	for i := range out {
		out[i] = "/" + adminpbconnect.AdminServiceName + "/" + string(methods.Get(i).Name())
	}
	return out
}

func TestEveryMethodHasARight(t *testing.T) {
	for _, p := range procedures() {
		require.NotZero(t, rightTo(p), p)
	}
	require.Zero(t, rightTo("/"+adminpbconnect.AdminServiceName+"/Other"))
	require.True(t, errs.Is((&guard{}).mayCall(t.Context(), &question{caller: root}, "/"+adminpbconnect.AdminServiceName+"/Other", nil), errs.Denied))
}

func TestMayCall(t *testing.T) {
	scope, err := lang.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`), lang.Identity)
	require.NoError(t, err)
	g := &guard{newWorld(t).config}
	for _, c := range []struct {
		who              string
		id               *iam.Identity
		cluster, account bool
	}{
		{"nobody", nil, false, false},
		{"the cluster's root", root, true, true},
		{"the root of an account", &iam.Identity{Account: "a", Root: true}, false, true},
		{"a user", &iam.Identity{Account: "a", User: "u"}, false, false},
		{"a role", &iam.Identity{Account: "a", Role: "r"}, false, false},
		{"a session scoped down", &iam.Identity{Account: "a", Root: true, Admin: true, SessionPolicy: scope}, false, false},
	} {
		for _, p := range procedures() {
			want := rightTo(p) == ofCluster && c.cluster || rightTo(p) == ofAccount && c.account
			asked := &question{caller: c.id}
			err := g.mayCall(asked.context(t.Context()), asked, p, nil)
			require.Equal(t, want, err == nil, "%s: %s", c.who, p)
			if err != nil {
				require.True(t, errs.Is(err, errs.Denied))
			}
		}
	}
}

// Requests that name another account than the caller's, in every place where a request can.
func TestAnAccountManagesItselfAlone(t *testing.T) {
	w := newWorld(t)
	_, alice := w.account("alice")
	bob, _ := w.account("bob")
	api := w.as(alice)
	ctx := t.Context()
	for name, call := range map[string]func(account string) error{
		"ShowAccount":  func(a string) error { return failure(api.ShowAccount(ctx, &adminpb.AccountRef{Account: a})) },
		"AddUser":      func(a string) error { return failure(api.AddUser(ctx, &adminpb.EntryRef{Account: a, Name: "u"})) },
		"ListUsers":    func(a string) error { return failure(api.ListUsers(ctx, &adminpb.AccountRef{Account: a})) },
		"AddGroup":     func(a string) error { return failure(api.AddGroup(ctx, &adminpb.EntryRef{Account: a, Name: "g"})) },
		"ListGroups":   func(a string) error { return failure(api.ListGroups(ctx, &adminpb.AccountRef{Account: a})) },
		"ListRoles":    func(a string) error { return failure(api.ListRoles(ctx, &adminpb.AccountRef{Account: a})) },
		"ListPolicies": func(a string) error { return failure(api.ListPolicies(ctx, &adminpb.AccountRef{Account: a})) },
		"AddAccessKey": func(a string) error { return failure(api.AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{Account: a})) },
		"ListKeys": func(a string) error {
			return failure(api.ListAccessKeys(ctx, &adminpb.ListAccessKeysRequest{Account: a}))
		},
		"CreateMaster": func(a string) error {
			return failure(api.CreateMasterKey(ctx, &adminpb.CreateMasterKeyRequest{Account: a}))
		},
		"ListMasters": func(a string) error { return failure(api.ListMasterKeys(ctx, &adminpb.AccountRef{Account: a})) },
		"ListUploads": func(a string) error { return failure(api.ListUploads(ctx, &adminpb.ListUploadsRequest{Account: a})) },
	} {
		for _, foreign := range []string{"bob", bob.Id, "cairn", iam.RootAccount, "nobody"} {
			require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(call(foreign)), "%s of %s", name, foreign)
		}
		for _, own := range []string{"", "alice", alice.Account} {
			err := call(own)
			if err != nil { // Made already.
				require.Equal(t, connect.CodeAlreadyExists, connect.CodeOf(err), "%s of %q: %v", name, own, err)
			}
		}
	}
}

func failure[T any](_ *T, err error) error { return err }

// What belongs to another account is answered in the same words as what does not exist.
func TestForeignThingsAreNotThere(t *testing.T) {
	w := newWorld(t)
	_, alice := w.account("alice")
	_, bob := w.account("bob")
	ctx := t.Context()
	key, err := w.as(bob).CreateMasterKey(ctx, &adminpb.CreateMasterKeyRequest{Id: bob.Account + "-bobs", Alias: "b"})
	require.NoError(t, err)
	upload := w.upload(bob.Account, "bobs", "key")
	api := w.as(alice)
	for _, c := range []struct {
		what            string
		call            func(name string) error
		foreign, absent string
	}{
		{"access key", func(n string) error { return failure(api.ShowAccessKey(ctx, &adminpb.AccessKeyRef{Id: n})) }, bob.AccessKey, "absent"},
		{"access key, disabled", func(n string) error {
			return failure(api.SetAccessKeyDisabled(ctx, &adminpb.SetAccessKeyDisabledRequest{Id: n, Disabled: true}))
		}, bob.AccessKey, "absent"},
		{"access key, removed", func(n string) error { return failure(api.RemoveAccessKey(ctx, &adminpb.AccessKeyRef{Id: n})) }, bob.AccessKey, "absent"},
		{"master key", func(n string) error { return failure(api.ShowMasterKey(ctx, &adminpb.MasterKeyRef{Id: n})) }, key.Id, "absent"},
		{"master key by ARN", func(n string) error { return failure(api.ShowMasterKey(ctx, &adminpb.MasterKeyRef{Id: n})) },
			key.Arn, strings.Replace(key.Arn, key.Id, "absent", 1)},
		{"master key, rotated", func(n string) error {
			return failure(api.ChangeMasterKey(ctx, &adminpb.ChangeMasterKeyRequest{Id: n, Change: adminpb.KeyChange_KEY_CHANGE_ROTATE}))
		}, key.Id, "absent"},
		{"master key, named", func(n string) error {
			return failure(api.SetKeyAlias(ctx, &adminpb.SetKeyAliasRequest{Id: n, Alias: "mine"}))
		}, key.Id, "absent"},
		{"bucket", func(n string) error { return failure(api.ListUploads(ctx, &adminpb.ListUploadsRequest{Bucket: n})) }, "bobs", "absent"},
		{"bucket, shown", func(n string) error { return failure(api.ShowBucket(ctx, &adminpb.BucketRef{Name: n})) }, "bobs", "absent"},
		{"upload", func(n string) error { return failure(api.ShowUpload(ctx, &adminpb.UploadRef{Id: n})) }, upload, strings.Repeat("ab", 16)},
		{"upload, aborted", func(n string) error { return failure(api.AbortUpload(ctx, &adminpb.UploadRef{Id: n})) }, upload, strings.Repeat("ab", 16)},
	} {
		foreign, absent := c.call(c.foreign), c.call(c.absent)
		require.Equal(t, connect.CodeNotFound, connect.CodeOf(foreign), c.what)
		require.Equal(t, strings.ReplaceAll(absent.Error(), c.absent, c.foreign), foreign.Error(), c.what)
	}
	k, err := w.as(bob).ShowAccessKey(ctx, &adminpb.AccessKeyRef{Id: bob.AccessKey})
	require.NoError(t, err)
	require.False(t, k.Disabled)
}

// What policies can allow users: actions on the whole cluster only in an account that administers
// it.
func TestPoliciesGiveRights(t *testing.T) {
	w := newWorld(t)
	ctx, api := t.Context(), w.as(root)
	document := func(action, condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + action + `,"Resource":"*"` + condition + `}]}`
	}
	user := func(account, doc string) *iam.Identity {
		a, err := api.ShowAccount(ctx, &adminpb.AccountRef{Account: account})
		require.NoError(t, err)
		name := "u" + strconv.Itoa(len(w.calls))
		u, err := api.AddUser(ctx, &adminpb.EntryRef{Account: account, Name: name})
		require.NoError(t, err)
		_, err = api.AddPolicy(ctx, &adminpb.AddPolicyRequest{Account: account, Name: name, Document: doc})
		require.NoError(t, err)
		_, err = api.SetPolicyAttached(ctx, &adminpb.SetPolicyAttachedRequest{Account: account, Name: name, User: name, Attached: true})
		require.NoError(t, err)
		return &iam.Identity{Account: a.Id, AccountName: a.Name, User: name, UserID: u.Id, AccessKey: "key-of-" + name}
	}
	w.account("acme")
	const look = `["admin:List*","admin:Show*","admin:Stat*"]`
	operator := w.as(user("cairn", document(look, "")))
	_, err := operator.Status(ctx, &adminpb.StatusRequest{})
	require.NoError(t, err)
	_, err = operator.ShowAccount(ctx, &adminpb.AccountRef{})
	require.NoError(t, err, "its own")
	_, err = operator.ShowAccount(ctx, &adminpb.AccountRef{Account: "acme"})
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err), "what is of another account is its own")
	_, err = operator.SetLogLevel(ctx, &adminpb.SetLogLevelRequest{Level: "debug"})
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err))
	require.ErrorContains(t, err, "the action admin:SetLogLevel")
	last := w.calls[len(w.calls)-1]
	require.Equal(t, http.StatusForbidden, last.Status)
	require.Equal(t, "192.0.2.7", last.Remote)
	require.Equal(t, map[string]string{"level": "debug"}, last.Subject)

	for _, c := range []struct {
		who     string
		id      *iam.Identity
		allowed bool
	}{
		{"of the cluster, from there", user("cairn", document(`"admin:SetLogLevel"`, `,"Condition":{"IpAddress":{"aws:SourceIp":"192.0.2.0/24"}}`)), true},
		{"of the cluster, from elsewhere", user("cairn", document(`"admin:SetLogLevel"`, `,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`)), false},
		{"of the cluster, all of S3", user("cairn", document(`"s3:*"`, "")), false},
		{"of another account, everything", user("acme", document(`"*"`, "")), false},
	} {
		_, err := w.as(c.id).SetLogLevel(ctx, &adminpb.SetLogLevelRequest{Level: "info"})
		require.Equal(t, c.allowed, err == nil, "%s: %v", c.who, err)
	}
	boss := w.as(user("acme", document(`"admin:AddUser"`, "")))
	_, err = boss.AddUser(ctx, &adminpb.EntryRef{Name: "more"})
	require.NoError(t, err, "in its own account")
	_, err = boss.AddUser(ctx, &adminpb.EntryRef{Account: "cairn", Name: "more"})
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err))
	keeper := w.as(user("cairn", document(`"admin:SetAccountDisabled"`, "")))
	_, err = keeper.SetAccountDisabled(ctx, &adminpb.SetAccountDisabledRequest{Account: "acme", Disabled: true})
	require.NoError(t, err, "a method about any account, allowed by a policy")
}

func TestChangesAreLoggedOnceAndWithoutSecrets(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	api := w.as(root)
	_, err := api.AddAccount(ctx, &adminpb.AddAccountRequest{Name: "acme", AccessKey: "acmekey", SecretKey: "very-secret-words"})
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(w.log.String(), "call=AddAccount"))
	require.Contains(t, w.log.String(), "name=acme outcome=done")
	_, err = api.AddUser(ctx, &adminpb.EntryRef{Account: "acme", Name: "no/name"})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
	require.Contains(t, w.log.String(), "call=AddUser account=acme name=no/name outcome=invalid")
	_, err = w.as(&iam.Identity{Account: "acme", User: "eve", AccessKey: "evekey"}).AddUser(ctx, &adminpb.EntryRef{Name: "u"})
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err))
	require.Contains(t, w.log.String(), `who="arn:aws:iam::acme:user/eve by evekey" call=AddUser name=u outcome=denied`)
	before := w.log.Len()
	_, err = api.ListAccounts(ctx, &adminpb.ListAccountsRequest{})
	require.NoError(t, err)
	require.Equal(t, before, w.log.Len(), "a look is not logged")
	require.NotContains(t, w.log.String(), "very-secret-words")
}

// No field that goes to the log and the audit log has a secret or a document.
func TestWhatIsToldIsNoSecret(t *testing.T) {
	for _, f := range subjectFields {
		require.NotRegexp(t, "secret|password|document|trust|token|value|key$", string(f))
	}
	require.Equal(t, map[string]string{"name": "n", "admin": "true"},
		subject(&adminpb.AddAccountRequest{Name: "n", AccessKey: "k", SecretKey: "s", Admin: true}))
	require.Equal(t, map[string]string{"id": "7"}, subject(&adminpb.VolumeRef{Id: 7}))
}

type testKeys struct{ id *iam.Identity }

func (k testKeys) Lookup(context.Context, string, string) (sigauth.Credential, error) {
	return sigauth.Credential{AccessKey: "ak", Secret: "secret", Subject: k.id}, nil
}

func TestRequestsMustBeSigned(t *testing.T) {
	w := newWorld(t)
	w.config.Verifier = sigauth.New(sigauth.Config{Keys: testKeys{root}, Region: "here"})
	s := httptest.NewServer(New(w.config))
	t.Cleanup(s.Close)
	url := s.URL + adminpbconnect.AdminServiceListAccountsProcedure
	send := func(hash, body string, sign bool) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		if sign {
			req.Header.Set("X-Amz-Content-Sha256", hash)
			require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: "ak", SecretAccessKey: "secret"},
				req, hash, "s3", "here", time.Now()))
		}
		resp, err := s.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp
	}
	const ofBraces = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // SHA-256 of {}.
	require.Equal(t, http.StatusForbidden, send("", "{}", false).StatusCode)
	require.Equal(t, http.StatusOK, send(ofBraces, "{}", true).StatusCode)
	require.Equal(t, http.StatusBadRequest, send(ofBraces, "{ }", true).StatusCode, "another body than was signed")
	require.Equal(t, http.StatusForbidden, send("UNSIGNED-PAYLOAD", "{}", true).StatusCode, "any body")
	presigned, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"?X-Amz-Expires=60", nil)
	require.NoError(t, err)
	target, _, err := v4.NewSigner().PresignHTTP(t.Context(), aws.Credentials{AccessKeyID: "ak", SecretAccessKey: "secret"},
		presigned, ofBraces, "s3", "here", time.Now())
	require.NoError(t, err)
	resp, err := s.Client().Post(target+"&X-Amz-Content-Sha256="+ofBraces, "application/json", strings.NewReader("{}"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusForbidden, resp.StatusCode, "a URL")
	v2, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
	require.NoError(t, err)
	v2.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	v2.Header.Set("Content-Type", "application/json")
	mac := hmac.New(sha1.New, []byte("secret"))
	_, _ = mac.Write([]byte("POST\n\napplication/json\n" + v2.Header.Get("Date") + "\n" + v2.URL.Path))
	v2.Header.Set("Authorization", "AWS ak:"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err = s.Client().Do(v2)
	require.NoError(t, err)
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Contains(t, string(answer), "with the hash of their body", "V2")

	w.config.Verifier = sigauth.New(sigauth.Config{Keys: testKeys{nil}, Region: "here"})
	s.Config.Handler = New(w.config)
	require.Equal(t, http.StatusForbidden, send(ofBraces, "{}", true).StatusCode, "a credential of no account")
}

// The resources in a policy limit what its holder may administer.
func TestResourcesLimit(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	acme, owner := w.account("acme")
	boss := w.as(owner)
	statement := func(actions, resources string) string {
		return strings.NewReplacer("ID", acme.Id).Replace(
			`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":` + actions + `,"Resource":` + resources + `}]}`)
	}
	_, err := boss.AddPolicy(ctx, &adminpb.AddPolicyRequest{Name: "apps", Document: statement(`"admin:*"`,
		`["arn:aws:iam::ID:user/app-*","arn:aws:iam::ID:group/apps","arn:aws:kms:*:ID:key/*-app","arn:aws:s3:::app/*"]`)})
	require.NoError(t, err)
	for _, name := range []string{"clerk", "app-1", "other"} {
		_, err = boss.AddUser(ctx, &adminpb.EntryRef{Name: name})
		require.NoError(t, err)
	}
	for _, name := range []string{"apps", "others"} {
		_, err = boss.AddGroup(ctx, &adminpb.EntryRef{Name: name})
		require.NoError(t, err)
	}
	other, err := boss.AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{User: "other"})
	require.NoError(t, err)
	foreign := w.upload(acme.Id, "app", "key")
	elsewhere := w.upload(acme.Id, "elsewhere", "key")
	_, err = boss.SetPolicyAttached(ctx, &adminpb.SetPolicyAttachedRequest{Name: "apps", User: "clerk", Attached: true})
	require.NoError(t, err)
	u, err := boss.ShowUser(ctx, &adminpb.EntryRef{Name: "clerk"})
	require.NoError(t, err)
	clerk := w.as(&iam.Identity{Account: acme.Id, AccountName: "acme", User: "clerk", UserID: u.Id, AccessKey: "key"})
	var key string
	for _, c := range []struct {
		what string
		may  bool
		call func() error
	}{
		{"a key of an app", true, func() error {
			k, err := clerk.AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{User: "app-1"})
			key = k.GetId()
			return err
		}},
		{"shown", true, func() error { return failure(clerk.ShowAccessKey(ctx, &adminpb.AccessKeyRef{Id: key})) }},
		{"removed", true, func() error { return failure(clerk.RemoveAccessKey(ctx, &adminpb.AccessKeyRef{Id: key})) }},
		{"another app", true, func() error { return failure(clerk.AddUser(ctx, &adminpb.EntryRef{Name: "app-2"})) }},
		{"an app in the group", true, func() error {
			return failure(clerk.SetGroupMember(ctx, &adminpb.SetGroupMemberRequest{Name: "apps", User: "app-1", Member: true}))
		}},
		{"a KMS key", true, func() error {
			return failure(clerk.CreateMasterKey(ctx, &adminpb.CreateMasterKeyRequest{Id: acme.Id + "-app"}))
		}},
		{"an upload", true, func() error { return failure(clerk.AbortUpload(ctx, &adminpb.UploadRef{Id: foreign})) }},
		{"a key of the root", false, func() error { return failure(clerk.AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{})) }},
		{"a key of another", false, func() error { return failure(clerk.AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{User: "other"})) }},
		{"another's key", false, func() error { return failure(clerk.ShowAccessKey(ctx, &adminpb.AccessKeyRef{Id: other.Id})) }},
		{"the root's key", false, func() error {
			return failure(clerk.SetAccessKeyDisabled(ctx, &adminpb.SetAccessKeyDisabledRequest{Id: owner.AccessKey, Disabled: true}))
		}},
		{"a key that is not there", false, func() error { return failure(clerk.RemoveAccessKey(ctx, &adminpb.AccessKeyRef{Id: "absent"})) }},
		{"another user", false, func() error { return failure(clerk.AddUser(ctx, &adminpb.EntryRef{Name: "more"})) }},
		{"all users", false, func() error { return failure(clerk.ListUsers(ctx, &adminpb.AccountRef{})) }},
		{"another in the group", false, func() error {
			return failure(clerk.SetGroupMember(ctx, &adminpb.SetGroupMemberRequest{Name: "apps", User: "other", Member: true}))
		}},
		{"an app in another group", false, func() error {
			return failure(clerk.SetGroupMember(ctx, &adminpb.SetGroupMemberRequest{Name: "others", User: "app-1", Member: true}))
		}},
		{"a KMS key with an alias", false, func() error {
			return failure(clerk.CreateMasterKey(ctx, &adminpb.CreateMasterKeyRequest{Id: acme.Id + "-b-app", Alias: "b"}))
		}},
		{"another upload", false, func() error { return failure(clerk.AbortUpload(ctx, &adminpb.UploadRef{Id: elsewhere})) }},
		{"all buckets", false, func() error { return failure(clerk.ListBuckets(ctx, &adminpb.ListBucketsRequest{})) }},
	} {
		err := c.call()
		require.Equal(t, c.may, err == nil, "%s: %v", c.what, err)
		if !c.may {
			require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err), c.what)
		}
	}
}

// An account cannot choose ids that others may have, so no answer tells about theirs.
func TestChosenIDsTellNothing(t *testing.T) {
	w := newWorld(t)
	_, alice := w.account("alice")
	bobs, bob := w.account("bob")
	ctx, api := t.Context(), w.as(alice)
	_, err := w.as(bob).AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{AccessKey: bobs.Id + "-1", SecretKey: "very-secret"})
	require.NoError(t, err, "its own part of the ids")
	for _, c := range []struct {
		what string
		call func(id string) error
	}{
		{"access key", func(id string) error {
			return failure(api.AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{AccessKey: id, SecretKey: "very-secret"}))
		}},
		{"KMS key", func(id string) error {
			return failure(api.CreateMasterKey(ctx, &adminpb.CreateMasterKeyRequest{Id: id}))
		}},
	} {
		taken, free := c.call(bobs.Id+"-1"), c.call(bobs.Id+"-2")
		require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(taken), c.what)
		require.Equal(t, strings.ReplaceAll(free.Error(), "-2", "-1"), taken.Error(), c.what)
		require.NoError(t, c.call(alice.Account+"-1"), c.what)
		require.Equal(t, connect.CodeAlreadyExists, connect.CodeOf(c.call(alice.Account+"-1")), "%s: its own", c.what)
	}
}

// Ways to more rights that were once open, tried through the API.
func TestKeysOfRootArePastPolicies(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, admin := range []bool{false, true} {
		name := "acme" + strconv.FormatBool(admin)
		a, err := w.as(root).AddAccount(ctx, &adminpb.AddAccountRequest{Name: name, Admin: admin})
		require.NoError(t, err)
		owner := w.as(&iam.Identity{Account: a.Account.Id, AccountName: name, Root: true, Admin: admin, AccessKey: a.Key.Id})
		_, err = owner.AddUser(ctx, &adminpb.EntryRef{Name: "clerk"})
		require.NoError(t, err)
		_, err = owner.SetPolicyAttached(ctx, &adminpb.SetPolicyAttachedRequest{Name: "admin", User: "clerk", Attached: true})
		require.NoError(t, err)
		u, err := owner.ShowUser(ctx, &adminpb.EntryRef{Name: "clerk"})
		require.NoError(t, err)
		clerk := w.as(&iam.Identity{Account: a.Account.Id, AccountName: name, User: "clerk", UserID: u.Id, AccessKey: "key"})
		for what, err := range map[string]error{
			"made":     failure(clerk.AddAccessKey(ctx, &adminpb.AddAccessKeyRequest{})),
			"disabled": failure(clerk.SetAccessKeyDisabled(ctx, &adminpb.SetAccessKeyDisabledRequest{Id: a.Key.Id, Disabled: true})),
			"removed":  failure(clerk.RemoveAccessKey(ctx, &adminpb.AccessKeyRef{Id: a.Key.Id})),
			"account":  failure(clerk.AddAccount(ctx, &adminpb.AddAccountRequest{Name: "more" + name, Admin: true})),
		} {
			require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err), "%s: %v", what, err)
		}
	}
}
