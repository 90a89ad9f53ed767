package iam

import (
	"cmp"
	"context"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/limit"
)

// MaxKeys bounds the access keys of one user, or of an account itself.
const MaxKeys = 100

// KeySpec is an access key to be made.
type KeySpec struct {
	Account     string
	User        string // Empty: the account itself.
	AccessKey   string // Empty: generated.
	Secret      string // Empty: generated.
	Description string
}

// String keeps the secret out of every log line and error.
func (s KeySpec) String() string { return "iam.KeySpec(" + s.AccessKey + ", redacted)" }

// GoString is String, for %#v.
func (s KeySpec) GoString() string { return s.String() }

// AccessKey is an access key without its secret.
type AccessKey struct {
	ID          string
	Account     string // Id.
	User        string // Empty: the account itself.
	Disabled    bool
	Created     int64 // Unix time, ms.
	Description string
}

// NewKey is an access key just made. It is the only thing that shows a secret: no later call does.
type NewKey struct {
	AccessKey
	Secret string
}

// String keeps the secret out of every log line and error.
func (k NewKey) String() string { return "iam.NewKey(" + k.ID + ", redacted)" }

// GoString is String, for %#v.
func (k NewKey) GoString() string { return k.String() }

// MarshalText is String, for encoders of logs.
func (k NewKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// newKey returns the key that spec describes, with what spec leaves out generated. It does not set
// the account and the time. Errors: Invalid.
func (a *Admin) newKey(spec KeySpec) (*NewKey, error) {
	if (spec.AccessKey == "") != (spec.Secret == "") {
		return nil, errs.Newf("iam.AddKey", errs.Invalid, "give both the access key and the secret key, or neither to have them generated")
	}
	k := &NewKey{AccessKey: AccessKey{ID: cmp.Or(spec.AccessKey, newAccessKey(accessKeyPrefix)), User: spec.User, Description: spec.Description},
		Secret: cmp.Or(spec.Secret, newSecret())}
	if err := checkAccessKey(k.ID); err != nil {
		return nil, err
	}
	if err := checkSecret(k.Secret); err != nil {
		return nil, err
	}
	if len(k.Description) > MaxDescriptionBytes || strings.ToValidUTF8(k.Description, "") != k.Description {
		return nil, errs.Newf("iam.AddKey", errs.Invalid, "a description is text of at most %d bytes", MaxDescriptionBytes)
	}
	return k, nil
}

// setKey writes a new key, whose id must be free among all accounts and must not be the root
// user's. Errors: Exists.
func (a *Admin) setKey(c *change, k *NewKey) error {
	if c.keys.get(k.ID) != nil || k.ID == a.c.Keys.rootUser {
		return errs.Newf("iam.AddKey", errs.Exists, "the access key %s is in use", k.ID)
	}
	c.set(metapb.EntryKind_ENTRY_ACCESS_KEY, k.ID, &metapb.AccessKey{Id: k.ID, Account: k.Account, User: k.User, CreatedMs: k.Created,
		Description: k.Description, SealedSecret: a.c.Keys.secret.seal(keyLabel, k.ID, []byte(k.Secret))})
	return nil
}

// AddKey makes an access key of a user, or of an account itself. Only whoever administers the
// cluster may choose any id; see CheckChosen.
func (a *Admin) AddKey(ctx context.Context, spec KeySpec) (*NewKey, error) {
	const op = "iam.AddKey"
	key, err := a.newKey(spec)
	if err != nil {
		return nil, err
	}
	err = a.update(ctx, func(c *change) error {
		account, err := c.mustAccount(spec.Account)
		if err != nil {
			return err
		}
		if a.by != nil && spec.AccessKey != "" {
			if err := CheckChosen(a.by, account.Id, spec.AccessKey); err != nil {
				return err
			}
		}
		switch {
		case spec.User == "" && account.Id == RootAccount:
			return errs.Newf(op, errs.Invalid, "the cluster's root has the access key of the settings root-user and root-password alone: name a user")
		case spec.User != "" && c.users.get(path(account.Id, spec.User)) == nil:
			return noUser(account, spec.User)
		case len(c.keysOf(account.Id, spec.User)) >= MaxKeys:
			return errs.Newf(op, errs.Precondition, "there are %d access keys already, which is the most: remove one", MaxKeys)
		case spec.User == "":
			c.hold(metapb.EntryKind_ENTRY_ACCOUNT, account.Id)
		default:
			c.hold(metapb.EntryKind_ENTRY_USER, path(account.Id, spec.User))
		}
		key.Account, key.Created = account.Id, c.now
		return a.setKey(c, key)
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

// Keys returns access keys by id: those of a user; those of an account itself if user is empty; and
// those of all accounts and users if account is empty too.
func (a *Admin) Keys(ctx context.Context, account, user string) ([]AccessKey, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	if account == "" {
		var out []AccessKey
		for _, k := range s.keys.all() {
			out = append(out, accessKey(k))
		}
		return out, nil
	}
	found, err := s.mustAccount(account)
	if err != nil {
		return nil, err
	}
	if user != "" && s.users.get(path(found.Id, user)) == nil {
		return nil, noUser(found, user)
	}
	return s.keysOf(found.Id, user), nil
}

// keysOf returns the keys of a user, or of an account itself, by id.
func (s *snapshot) keysOf(account, user string) []AccessKey {
	var out []AccessKey
	for _, id := range s.held.under(joined(account, user, "")) {
		out = append(out, accessKey(s.keys.get(id)))
	}
	return out
}

func accessKey(k *metapb.AccessKey) AccessKey {
	return AccessKey{ID: k.Id, Account: k.Account, User: k.User, Disabled: k.Disabled, Created: k.CreatedMs, Description: k.Description}
}

// Key returns an access key.
func (a *Admin) Key(ctx context.Context, id string) (AccessKey, error) {
	s, err := a.read(ctx)
	if err != nil {
		return AccessKey{}, err
	}
	if s.keys.get(id) == nil {
		return AccessKey{}, noKey(id)
	}
	return accessKey(s.keys.get(id)), nil
}

func noKey(id string) error {
	return errs.Newf("iam.Key", errs.NotFound, "there is no access key %s in the directory", id)
}

// SetKeyDisabled disables an access key, or enables it again. The sessions that were made with a
// key are refused while it is disabled.
func (a *Admin) SetKeyDisabled(ctx context.Context, id string, disabled bool) error {
	return a.update(ctx, func(c *change) error {
		if c.keys.get(id) == nil {
			return noKey(id)
		}
		changed := clone(c.keys.get(id))
		changed.Disabled = disabled
		c.set(metapb.EntryKind_ENTRY_ACCESS_KEY, id, changed)
		return nil
	})
}

// RemoveKey removes an access key. That ends the sessions that were made with it.
func (a *Admin) RemoveKey(ctx context.Context, id string) error {
	return a.update(ctx, func(c *change) error {
		key := c.keys.get(id)
		if key == nil {
			return noKey(id)
		}
		c.delete(metapb.EntryKind_ENTRY_ACCESS_KEY, id)
		c.dropLimit(limit.Subject{Account: key.Account, AccessKey: id})
		return nil
	})
}
