package kms

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// SetAlias makes alias a name of a key within the key's account. If it named another key before, it
// no longer does. The alias aws/s3 names the account's default key. Errors: Invalid, NotFound
// (there is no such key), Precondition (the key was changed at the same time).
func (s *Service) SetAlias(ctx context.Context, alias, id string) error {
	const op = "kms.SetAlias"
	alias = strings.TrimPrefix(alias, "alias/")
	if !aliasPattern.MatchString(alias) {
		return invalidAlias(op, alias)
	}
	k, revision, err := s.record(id)
	if err != nil {
		return errs.Wrap(op, err)
	}
	if k.Account == "" {
		return errs.Newf(op, errs.Invalid, "%s is the cluster's own key; no account can name it", id)
	}
	a, err := aliasEntry(k.Account, alias, id)
	if err != nil {
		return errs.Wrap(op, err)
	}
	return errs.Wrap(op, s.dir.Write(ctx,
		[]*metapb.EntryCheck{{Kind: metapb.EntryKind_ENTRY_MASTER_KEY, Name: id, Revision: revision}}, []*metapb.Entry{a}, nil))
}

// RemoveAlias removes an alias of an account. Errors: NotFound, Precondition (it was changed at the
// same time).
func (s *Service) RemoveAlias(ctx context.Context, account, alias string) error {
	const op = "kms.RemoveAlias"
	name := aliasName(account, strings.TrimPrefix(alias, "alias/"))
	e := s.dir.Get(metapb.EntryKind_ENTRY_KEY_ALIAS, name)
	if e == nil {
		return errs.Newf(op, errs.NotFound, "account %s has no KMS alias %s", account, alias)
	}
	return errs.Wrap(op, s.dir.Write(ctx, []*metapb.EntryCheck{{Kind: e.Kind, Name: name, Revision: e.Revision}}, nil,
		[]*metapb.EntryName{{Kind: e.Kind, Name: name}}))
}

func invalidAlias(op, alias string) error {
	return errs.Newf(op, errs.Invalid, "%q cannot be an alias: letters, digits and / _ -, at most 250", alias)
}

// aliasName returns the name of an alias in the directory.
func aliasName(account, alias string) string { return account + "/" + alias }

func aliasEntry(account, alias, id string) (*metapb.Entry, error) {
	value, err := proto.Marshal(&metapb.KeyAlias{KeyId: id})
	return &metapb.Entry{Kind: metapb.EntryKind_ENTRY_KEY_ALIAS, Name: aliasName(account, alias), Value: value}, err
}

// aliased returns the id of the key that an alias names.
func (s *Service) aliased(account, alias string) (string, error) {
	e := s.dir.Get(metapb.EntryKind_ENTRY_KEY_ALIAS, aliasName(account, alias))
	if e == nil {
		return "", errs.Newf("kms.aliased", errs.NotFound, "account %s has no KMS alias %s", account, alias)
	}
	return aliasedKey(e)
}

func aliasedKey(e *metapb.Entry) (string, error) {
	a := new(metapb.KeyAlias)
	if err := proto.Unmarshal(e.Value, a); err != nil || a.KeyId == "" {
		return "", errs.Newf("kms.aliased", errs.Corrupt, "the record of KMS alias %s cannot be read", e.Name)
	}
	return a.KeyId, nil
}

// makeDefault makes the default key of an account and returns its id. If another node was faster,
// it returns the key of that node.
func (s *Service) makeDefault(ctx context.Context, account string) (string, error) {
	if account == "" {
		return "", errs.Newf("kms.makeDefault", errs.Invalid, "no account: it has no default KMS key")
	}
	id := newID()
	err := s.add(ctx, &metapb.MasterKey{Id: id, Account: account, Description: "default key"}, defaultAlias)
	if errs.Is(err, errs.Precondition) {
		if s.cfg.External != nil {
			_ = s.cfg.External.Destroy(ctx, id) // Nothing uses it, so it does no harm if it stays.
		}
		return s.aliased(account, defaultAlias)
	}
	return id, err
}

// aliasesByKey returns the aliases of each key, without the accounts before them.
func (s *Service) aliasesByKey() map[string][]string {
	by := make(map[string][]string)
	for _, e := range s.dir.List(metapb.EntryKind_ENTRY_KEY_ALIAS) {
		_, alias, _ := strings.Cut(e.Name, "/")
		if id, err := aliasedKey(e); err == nil {
			by[id] = append(by[id], alias)
		}
	}
	return by
}
