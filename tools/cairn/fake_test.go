package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	"connectrpc.com/connect"

	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/node/admin/adminpb/adminpbconnect"
)

// fakeAdmin answers the admin commands with things that do not change, so that
// scripts can compare what is shown. A name that is a code of Connect, such as
// not_found, fails with it.
type fakeAdmin struct {
	adminpbconnect.UnimplementedAdminServiceHandler
	loads *fakeLoads
}

// serveFake serves a fakeAdmin where a node serves the admin API, and a fakeS3, to whom signs
// with the access key "admin".
func serveFake() *httptest.Server {
	_, h := adminpbconnect.NewAdminServiceHandler(fakeAdmin{loads: &fakeLoads{}})
	s3 := newFakeS3()
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=admin/") {
			_ = connect.NewErrorWriter().Write(w, r, connect.NewError(connect.CodePermissionDenied, errors.New("who are you?")))
			return
		}
		if !strings.HasPrefix(r.URL.Path, adminPath) {
			s3.ServeHTTP(w, r)
			return
		}
		http.StripPrefix(adminPath, h).ServeHTTP(w, r)
	}))
}

// failing returns the error that a name stands for; nil for most.
func failing(name string) error {
	var code connect.Code
	if code.UnmarshalText([]byte(name)) != nil {
		return nil
	}
	return connect.NewError(code, errors.New("no luck with "+name))
}

const (
	fakeTime = "2026-01-02T03:04:05Z"
	fakeID   = "0123456789abcdef0123456789abcdef"
)

func fakeAccount(name string) *adminpb.Account {
	return &adminpb.Account{Id: fakeID, Name: name, Created: fakeTime}
}

func (fakeAdmin) AddAccount(_ context.Context, r *adminpb.AddAccountRequest) (*adminpb.NewAccount, error) {
	k := &adminpb.AccessKey{Id: r.AccessKey, SecretKey: r.SecretKey, Account: fakeID, Created: fakeTime}
	if k.Id == "" {
		k.Id, k.SecretKey = "AKIAMADEUP", "made/up+secret"
	}
	a := fakeAccount(r.Name)
	a.Admin = r.Admin
	return &adminpb.NewAccount{Account: a, Key: k}, failing(r.Name)
}

func (fakeAdmin) ListAccounts(context.Context, *adminpb.ListAccountsRequest) (*adminpb.Accounts, error) {
	return &adminpb.Accounts{Accounts: []*adminpb.Account{fakeAccount("acme"),
		{Id: "cairn-root", Name: "cairn", Admin: true, Disabled: true}}}, nil
}

func (fakeAdmin) ShowAccount(_ context.Context, r *adminpb.AccountRef) (*adminpb.Account, error) {
	return fakeAccount(r.Account), failing(r.Account)
}

func (fakeAdmin) SetAccountDisabled(_ context.Context, r *adminpb.SetAccountDisabledRequest) (*adminpb.Account, error) {
	a := fakeAccount(r.Account)
	a.Disabled = r.Disabled
	return a, failing(r.Account)
}

func (fakeAdmin) SetAccountBuckets(_ context.Context, r *adminpb.SetAccountBucketsRequest) (*adminpb.Account, error) {
	a := fakeAccount(r.Account)
	a.BucketsMax = r.Max
	return a, failing(r.Account)
}

func (fakeAdmin) RemoveAccount(_ context.Context, r *adminpb.RemoveAccountRequest) (*adminpb.Removed, error) {
	if !r.Force && r.Account == "full" {
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("account full still has 2 users; remove them first, or force it"))
	}
	return &adminpb.Removed{}, failing(r.Account)
}

func fakeUser(account, name string) *adminpb.User {
	if account == "" {
		account = fakeID
	}
	return &adminpb.User{Account: account, Name: name, Id: "f" + fakeID[1:], Arn: "arn:aws:iam::" + account + ":user/" + name,
		Created: fakeTime, Groups: []string{"staff"}, Policies: []string{"readonly", "reports"}}
}

func (fakeAdmin) AddUser(_ context.Context, r *adminpb.EntryRef) (*adminpb.User, error) {
	return fakeUser(r.Account, r.Name), failing(r.Name)
}

func (fakeAdmin) ListUsers(_ context.Context, r *adminpb.AccountRef) (*adminpb.Users, error) {
	return &adminpb.Users{Users: []*adminpb.User{fakeUser(r.Account, "alice")}}, nil
}

func (fakeAdmin) ShowGroup(_ context.Context, r *adminpb.EntryRef) (*adminpb.Group, error) {
	return &adminpb.Group{Account: fakeID, Name: r.Name, Created: fakeTime, Users: []string{"alice"}}, failing(r.Name)
}

func (fakeAdmin) SetGroupMember(_ context.Context, r *adminpb.SetGroupMemberRequest) (*adminpb.Group, error) {
	g := &adminpb.Group{Account: fakeID, Name: r.Name, Created: fakeTime}
	if r.Member {
		g.Users = []string{r.User}
	}
	return g, nil
}

func (fakeAdmin) AddRole(_ context.Context, r *adminpb.AddRoleRequest) (*adminpb.Role, error) {
	return &adminpb.Role{Account: fakeID, Name: r.Name, Arn: "arn:aws:iam::" + fakeID + ":role/" + r.Name, Created: fakeTime,
		Trust: r.Trust, MaxSessionSeconds: r.MaxSessionSeconds}, failing(r.Name)
}

func (fakeAdmin) AddPolicy(_ context.Context, r *adminpb.AddPolicyRequest) (*adminpb.Policy, error) {
	return &adminpb.Policy{Account: fakeID, Name: r.Name, Document: r.Document, Created: fakeTime, Modified: fakeTime,
		Attached: []*adminpb.Holder{{Kind: "user", Name: "alice"}}}, failing(r.Name)
}

func (fakeAdmin) SimulatePolicy(_ context.Context, r *adminpb.SimulatePolicyRequest) (*adminpb.Simulation, error) {
	out := &adminpb.Simulation{As: "arn:aws:iam::" + fakeID + ":user/" + r.As, Action: r.Action, Resource: r.Resource}
	if len(r.Context) > 0 {
		by := &adminpb.DecisionSource{Kind: "identity", Policy: "reports", Holder: r.As, Statement: 2, Sid: "read",
			Effect: "Allow"}
		other := &adminpb.DecisionSource{Kind: "bucket policy", Holder: "data", Statement: 1, Effect: "Allow",
			Overruled: "it opens only objects of the bucket's owner, and this one belongs to another account"}
		out.Allowed, out.Reason = true, "allowed by policy reports of user "+r.As+", statement 2 (read)"
		out.DecidedBy, out.Considered = []*adminpb.DecisionSource{by}, []*adminpb.DecisionSource{by, other}
		return out, failing(r.As)
	}
	out.Reason, out.MissingContext = "not allowed: nothing allows it", []string{"aws:SourceIp"}
	return out, failing(r.As)
}

func (fakeAdmin) SetPolicyAttached(_ context.Context, r *adminpb.SetPolicyAttachedRequest) (*adminpb.Attachment, error) {
	out := &adminpb.Attachment{Account: fakeID, User: r.User, Group: r.Group, Role: r.Role}
	if r.Attached {
		out.Policies = []string{r.Name}
	}
	return out, nil
}

func (fakeAdmin) AddAccessKey(_ context.Context, r *adminpb.AddAccessKeyRequest) (*adminpb.AccessKey, error) {
	return &adminpb.AccessKey{Id: r.AccessKey, SecretKey: r.SecretKey, Account: fakeID, User: r.User, Created: fakeTime, Description: r.Description}, nil
}

func (fakeAdmin) RemoveAccessKey(_ context.Context, r *adminpb.AccessKeyRef) (*adminpb.Removed, error) {
	return &adminpb.Removed{}, failing(r.Id)
}

func fakeMasterKey(id string) *adminpb.MasterKey {
	return &adminpb.MasterKey{Id: id, Arn: "arn:aws:kms:here:" + fakeID + ":key/" + id, Account: fakeID, State: "enabled",
		Created: fakeTime, Versions: []*adminpb.MasterKeyVersion{{Number: 1, Created: fakeTime}}, Aliases: []string{"photos"}}
}

func (fakeAdmin) ListMasterKeys(context.Context, *adminpb.AccountRef) (*adminpb.MasterKeys, error) {
	return &adminpb.MasterKeys{Keys: []*adminpb.MasterKey{fakeMasterKey("one"),
		{Id: "cairn-sse-s3", State: "enabled", Created: fakeTime, External: true, Description: "of the cluster"}}}, nil
}

func (fakeAdmin) ChangeMasterKey(_ context.Context, r *adminpb.ChangeMasterKeyRequest) (*adminpb.MasterKey, error) {
	k := fakeMasterKey(r.Id)
	switch r.Change {
	case adminpb.KeyChange_KEY_CHANGE_DISABLE:
		k.State = "disabled"
	case adminpb.KeyChange_KEY_CHANGE_SCHEDULE_DELETION:
		k.State, k.DeleteAt = "pending-deletion", fakeTime
	}
	return k, failing(r.Id)
}

func (fakeAdmin) SetKeyAlias(_ context.Context, r *adminpb.SetKeyAliasRequest) (*adminpb.MasterKey, error) {
	k := fakeMasterKey(r.Id)
	k.Aliases = []string{r.Alias}
	return k, nil
}

func fakeSettings() []*adminpb.Setting {
	return []*adminpb.Setting{
		{Name: "compat", Value: "aws", Source: "cluster", Default: "obs", Type: "choice", Values: []string{"obs", "aws"}, Help: "whose rules hold"},
		{Name: "min-part", Value: "5MiB", Source: "default", Default: "5MiB", Type: "size", Unit: "bytes", Help: "smallest part"},
	}
}

func (fakeAdmin) ListSettings(_ context.Context, r *adminpb.ListSettingsRequest) (*adminpb.Settings, error) {
	all := fakeSettings()
	if len(r.Names) == 0 {
		return &adminpb.Settings{Settings: all}, nil
	}
	out := &adminpb.Settings{}
	for _, name := range r.Names {
		i := slices.IndexFunc(all, func(s *adminpb.Setting) bool { return s.Name == name })
		if i < 0 {
			return nil, connect.NewError(connect.CodeNotFound, errors.New("there is no setting "+name))
		}
		out.Settings = append(out.Settings, all[i])
	}
	return out, nil
}

func (fakeAdmin) SetSetting(_ context.Context, r *adminpb.SetSettingRequest) (*adminpb.Setting, error) {
	s := fakeSettings()[0]
	s.Name, s.Value = r.Name, r.Value
	return s, failing(r.Value)
}
