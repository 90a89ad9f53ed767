package iam

import (
	"cmp"
	"context"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
)

// maxRemovedAtOnce bounds how many entries of an account one change removes: a change has at most
// maxChange entries.
const maxRemovedAtOnce = 1000

// ownedKinds are the kinds of entries whose names begin with the account that they lie in.
var ownedKinds = []metapb.EntryKind{
	metapb.EntryKind_ENTRY_USER, metapb.EntryKind_ENTRY_GROUP, metapb.EntryKind_ENTRY_ROLE, metapb.EntryKind_ENTRY_POLICY,
	metapb.EntryKind_ENTRY_LIMIT,
}

// AccountSpec is an account to be made.
type AccountSpec struct {
	Name string
	ID   string // Empty: generated.
	// Admin makes the account one that administers the cluster.
	Admin bool
	// AccessKey and Secret are the account's own access key. Give both, or neither to have them
	// generated.
	AccessKey, Secret string
}

// String keeps the secret out of every log line and error.
func (s AccountSpec) String() string { return "iam.AccountSpec(" + s.Name + ", redacted)" }

// GoString is String, for %#v.
func (s AccountSpec) GoString() string { return s.String() }

// AddAccount makes an account and its first access key.
func (a *Admin) AddAccount(ctx context.Context, spec AccountSpec) (*metapb.Account, *NewKey, error) {
	const op = "iam.AddAccount"
	if err := checkName("account", spec.Name, MaxNameBytes); err != nil {
		return nil, nil, err
	}
	id := cmp.Or(spec.ID, newID())
	if err := checkAccountID(id); err != nil {
		return nil, nil, err
	}
	if a.by != nil && spec.AccessKey != "" {
		if err := CheckChosen(a.by, id, spec.AccessKey); err != nil {
			return nil, nil, err
		}
	}
	key, err := a.newKey(KeySpec{AccessKey: spec.AccessKey, Secret: spec.Secret})
	if err != nil {
		return nil, nil, err
	}
	var added *metapb.Account
	err = a.update(ctx, func(c *change) error {
		if taken := c.findAccount(spec.Name); taken != nil {
			return errs.Newf(op, errs.Exists, "there is an account with the name or id %q", spec.Name)
		}
		if taken := c.findAccount(id); taken != nil {
			return errs.Newf(op, errs.Exists, "there is an account with the id or name %q", id)
		}
		added = &metapb.Account{Id: id, Name: spec.Name, CreatedMs: c.now, Admin: spec.Admin}
		if err := c.wholeAccount(a, added); err != nil {
			return err
		}
		c.set(metapb.EntryKind_ENTRY_ACCOUNT, id, added)
		// If two calls add accounts of the same name at the same time, these entries make one of
		// them look again and find the name taken. An account can be named by its id too, so the id
		// is taken as a name.
		for _, name := range []string{spec.Name, id} {
			c.set(metapb.EntryKind_ENTRY_ACCOUNT_NAME, name, &metapb.Setting{Value: id})
		}
		key.Account, key.Created = id, c.now
		return a.setKey(c, key)
	})
	if err != nil {
		return nil, nil, err
	}
	return added, key, nil
}

// findAccount returns the account with this id or name; nil if there is none.
func (s *snapshot) findAccount(account string) *metapb.Account {
	switch {
	case s.account(account) != nil:
		return s.account(account)
	case account == RootAccountName:
		return s.account(RootAccount)
	}
	return s.accountNamed(account)
}

// mustAccount is findAccount, and returns NotFound if there is no such account.
func (s *snapshot) mustAccount(account string) (*metapb.Account, error) {
	if found := s.findAccount(account); found != nil {
		return found, nil
	}
	return nil, errs.Newf("iam.Account", errs.NotFound, "there is no account with the name or id %q", account)
}

// Accounts returns all accounts in the order of their names. The account of the cluster's root is
// among them.
func (a *Admin) Accounts(ctx context.Context) ([]*metapb.Account, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]*metapb.Account, 0, s.accounts.len()+1)
	if s.accounts.get(RootAccount) == nil {
		out = append(out, s.account(RootAccount))
	}
	for _, account := range s.accounts.all() {
		out = append(out, account)
	}
	slices.SortFunc(out, func(a, b *metapb.Account) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Id, b.Id)) })
	return out, nil
}

// Account returns an account.
func (a *Admin) Account(ctx context.Context, account string) (*metapb.Account, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	return s.mustAccount(account)
}

// SetAccountDisabled disables an account, or enables it again. The keys and sessions of a disabled
// account, and of its users and roles, are treated as if they did not exist.
func (a *Admin) SetAccountDisabled(ctx context.Context, account string, disabled bool) error {
	return a.update(ctx, func(c *change) error {
		found, err := c.mustAccount(account)
		if err != nil {
			return err
		}
		if found.Id == RootAccount {
			return errs.Newf("iam.SetAccountDisabled", errs.Invalid, "the account of the cluster's root cannot be disabled")
		}
		if err := c.wholeAccount(a, found); err != nil {
			return err
		}
		changed := clone(found)
		changed.Disabled = disabled
		c.set(metapb.EntryKind_ENTRY_ACCOUNT, found.Id, changed)
		return nil
	})
}

// SetAccountBuckets sets how many buckets an account may have; 0 means as many as the setting says.
// Buckets that it already has stay, even if they are more.
func (a *Admin) SetAccountBuckets(ctx context.Context, account string, most uint32) error {
	return a.update(ctx, func(c *change) error {
		found, err := c.mustAccount(account)
		if err != nil {
			return err
		}
		if most > profile.MaxBuckets {
			return errs.Newf("iam.SetAccountBuckets", errs.Invalid, "an account may have %d buckets at most", profile.MaxBuckets)
		}
		if err := c.wholeAccount(a, found); err != nil {
			return err
		}
		changed := clone(found)
		changed.BucketsMax = most
		c.set(metapb.EntryKind_ENTRY_ACCOUNT, found.Id, changed)
		return nil
	})
}

// RemoveAccount removes an account, which must have no users, groups, roles, policies, access keys
// and buckets. With force it removes all of these but the buckets. Those stay, for the cluster's
// root to remove, and so do the account's master keys, because what is in the buckets may need
// them.
//
// The metadata do not check that the account of a new bucket exists. So a bucket that a request under
// way makes in the moment of the removal stays too.
//
// With force, an account that has more than maxRemovedAtOnce entries is removed by several changes.
// If one of them fails, what the earlier ones removed is gone; repeat the call.
func (a *Admin) RemoveAccount(ctx context.Context, account string, force bool) error {
	const op = "iam.RemoveAccount"
	for more := true; more; {
		err := a.update(ctx, func(c *change) error {
			found, err := c.mustAccount(account)
			if err != nil {
				return err
			}
			if found.Id == RootAccount {
				return errs.Newf(op, errs.Invalid, "the account of the cluster's root cannot be removed")
			}
			if err := c.wholeAccount(a, found); err != nil {
				return err
			}
			// The buckets are read after the directory that the change is made from. So where that has
			// no key of the account, only a request that was under way can still make a bucket.
			if err := a.checkNoBuckets(ctx, found, force); err != nil {
				return err
			}
			owned := c.owned(found.Id)
			if has := withoutLimits(owned); len(has) > 0 && !force {
				return errs.Newf(op, errs.Precondition, "account %s still has %s; remove them first, or force it", found.Name, describe(has))
			}
			if more = len(owned) > maxRemovedAtOnce; more {
				owned = owned[:maxRemovedAtOnce]
			}
			for _, e := range owned {
				c.delete(e.Kind, e.Name)
			}
			if !more {
				c.delete(metapb.EntryKind_ENTRY_ACCOUNT, found.Id)
				c.delete(metapb.EntryKind_ENTRY_ACCOUNT_NAME, found.Id)
				if found.Name != found.Id {
					c.delete(metapb.EntryKind_ENTRY_ACCOUNT_NAME, found.Name)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *Admin) checkNoBuckets(ctx context.Context, account *metapb.Account, force bool) error {
	if force {
		return nil
	}
	has, err := a.c.HasBuckets(ctx, account.Id)
	switch {
	case err != nil:
		return err
	case has:
		return errs.Newf("iam.RemoveAccount", errs.Precondition,
			"account %s still has buckets; delete them first, or force it", account.Name)
	}
	return nil
}

// owned returns the entries that are removed with an account. Access keys come first, so that
// nobody can act for the account any more when the rest goes.
func (s *snapshot) owned(account string) []*metapb.Entry {
	var out []*metapb.Entry
	for _, id := range s.held.under(joined(account, "")) {
		out = append(out, s.entry(metapb.EntryKind_ENTRY_ACCESS_KEY, id))
	}
	for _, kind := range ownedKinds {
		out = append(out, s.under(kind, account)...)
	}
	return out
}
