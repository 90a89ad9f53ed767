package admin

import (
	"context"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/iam"
)

// Directory administers accounts and what is in them. iam.Admin implements it, and its errors are
// those of iam.Admin. An account is named by its id or its name.
type Directory interface {
	Accounts
	Users
	Groups
	Roles
	Policies
	AccessKeys
	IdentityProviders
}

// IdentityProviders is the administration of identity providers.
type IdentityProviders interface {
	AddOIDCProvider(ctx context.Context, spec iam.OIDCSpec) (*metapb.IdentityProvider, error)
	SetOIDCProvider(ctx context.Context, spec iam.OIDCSpec) (*metapb.IdentityProvider, error)
	Providers(ctx context.Context) ([]*metapb.IdentityProvider, error)
	Provider(ctx context.Context, name string) (*metapb.IdentityProvider, error)
	RemoveProvider(ctx context.Context, name string) error
}

// Accounts is the administration of accounts.
type Accounts interface {
	AddAccount(ctx context.Context, spec iam.AccountSpec) (*metapb.Account, *iam.NewKey, error)
	Accounts(ctx context.Context) ([]*metapb.Account, error)
	Account(ctx context.Context, account string) (*metapb.Account, error)
	SetAccountDisabled(ctx context.Context, account string, disabled bool) error
	SetAccountBuckets(ctx context.Context, account string, most uint32) error
	RemoveAccount(ctx context.Context, account string, force bool) error
}

// Users is the administration of users.
type Users interface {
	AddUser(ctx context.Context, account, name string) (*metapb.User, error)
	Users(ctx context.Context, account string) ([]*metapb.User, error)
	User(ctx context.Context, account, name string) (*metapb.User, error)
	SetUserDisabled(ctx context.Context, account, name string, disabled bool) error
	RemoveUser(ctx context.Context, account, name string, force bool) error
}

// Groups is the administration of groups.
type Groups interface {
	AddGroup(ctx context.Context, account, name string) (*metapb.UserGroup, error)
	Groups(ctx context.Context, account string) ([]*metapb.UserGroup, error)
	Group(ctx context.Context, account, name string) (*metapb.UserGroup, []*metapb.User, error)
	AddToGroup(ctx context.Context, account, user, group string) error
	RemoveFromGroup(ctx context.Context, account, user, group string) error
	RemoveGroup(ctx context.Context, account, name string, force bool) error
}

// Roles is the administration of roles.
type Roles interface {
	AddRole(ctx context.Context, spec iam.RoleSpec) (*metapb.Role, error)
	SetRole(ctx context.Context, spec iam.RoleSpec) error
	Roles(ctx context.Context, account string) ([]*metapb.Role, error)
	Role(ctx context.Context, account, name string) (*metapb.Role, error)
	RemoveRole(ctx context.Context, account, name string) error
}

// Policies is the administration of policies.
type Policies interface {
	AddPolicy(ctx context.Context, account, name, document string) error
	SetPolicy(ctx context.Context, account, name, document string) error
	Policies(ctx context.Context, account string) ([]*metapb.Policy, error)
	Policy(ctx context.Context, account, name string) (*metapb.Policy, []iam.Holder, error)
	AttachPolicy(ctx context.Context, account string, to iam.Holder, name string) error
	DetachPolicy(ctx context.Context, account string, from iam.Holder, name string) error
	RemovePolicy(ctx context.Context, account, name string, force bool) error
}

// AccessKeys is the administration of access keys.
type AccessKeys interface {
	AddKey(ctx context.Context, spec iam.KeySpec) (*iam.NewKey, error)
	// Keys returns the access keys of a user; where user is empty, those of the account itself; and
	// where account is empty too, all keys.
	Keys(ctx context.Context, account, user string) ([]iam.AccessKey, error)
	Key(ctx context.Context, id string) (iam.AccessKey, error)
	SetKeyDisabled(ctx context.Context, id string, disabled bool) error
	RemoveKey(ctx context.Context, id string) error
}

// Settings holds what is set for the whole cluster. iam.Admin implements it.
type Settings interface {
	SetSetting(ctx context.Context, name, value string) error
	ResetSetting(ctx context.Context, name string) error
	Settings(ctx context.Context) (map[string]string, error)
}

var (
	_ Directory = (*iam.Admin)(nil)
	_ Settings  = (*iam.Admin)(nil)
)

// stamp returns a Unix time in milliseconds as the API writes it; empty for 0.
func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
