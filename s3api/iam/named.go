package iam

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
)

// Anonymous is the name of callers whom nobody knows, in Keys.Named.
const Anonymous = "anonymous"

// simulatedSession is the name of the session of a role that Keys.Named finds: a role by itself asks
// for nothing.
const simulatedSession = "simulated"

// Somebody is an identity as Keys.Named finds it.
type Somebody struct {
	Identity *Identity // Nil: anonymous.
	// Stopped says why none of its requests is answered; empty: they are.
	Stopped string
}

// named finds somebody by a name without a prefix, or says that there is nobody (nil).
type named func(s *snapshot, account, name string) *Somebody

// kinds are what a name may be of, each with the prefix that says so. A name without a prefix is
// looked up in this order, and must be of one kind alone.
func (k *Keys) kinds() []struct {
	prefix string
	find   named
} {
	return []struct {
		prefix string
		find   named
	}{{"key:", k.byKey}, {"user:", userNamed}, {"role:", roleNamed}, {"account:", rootOf}}
}

// Named finds somebody by a name as people give it: anonymous, the id of an access key, the name of
// a user or a role of the account, or the name or id of an account, which is its root. A prefix
// (key:, user:, role:, account:) says which of these it is. An ARN is also taken. If within is set,
// nobody of another account is found. Errors: NotFound; Invalid if the name is of several;
// Unavailable.
func (k *Keys) Named(ctx context.Context, account, name string, within bool) (*Somebody, error) {
	const op = "iam.Named"
	if name == Anonymous {
		return &Somebody{}, nil
	}
	if err := k.directory.fresh(ctx); err != nil {
		return nil, err
	}
	s := k.directory.current.Load()
	own, asked := account, name
	if in, rest, ok := cutARN(name); ok {
		account, name = in, rest
	}
	var found *Somebody
	var could []string
	for _, kind := range k.kinds() {
		bare, given := strings.CutPrefix(name, kind.prefix)
		if strings.Contains(name, ":") && !given {
			continue
		}
		if f := kind.find(s, account, bare); f != nil && (!within || f.Identity.Account == own) {
			found, could = f, append(could, kind.prefix+bare)
		}
	}
	switch len(could) {
	case 0:
		return nil, errs.Newf(op, errs.NotFound,
			"%q is no user or role of the account, and no account, access key or ARN; anonymous is everybody", asked)
	case 1:
		return found, nil
	}
	return nil, errs.Newf(op, errs.Invalid, "%q could be any of %s: name one of these", asked, strings.Join(could, ", "))
}

// cutARN splits the ARN of a user, a role, a session of a role or an account's root into the id of
// the account and a name with a prefix.
func cutARN(arn string) (account, name string, ok bool) {
	rest, ok := strings.CutPrefix(arn, "arn:aws:iam::")
	if !ok {
		rest, ok = strings.CutPrefix(arn, "arn:aws:sts::")
	}
	account, what, found := strings.Cut(rest, ":")
	if !ok || !found {
		return "", "", false
	}
	kind, name, _ := strings.Cut(what, "/")
	switch kind {
	case "root":
		return account, "account:" + account, true
	case "user", "role":
		return account, kind + ":" + name, true
	case "assumed-role":
		name, _, _ = strings.Cut(name, "/")
		return account, "role:" + name, true
	}
	return "", "", false
}

// byKey finds whom an access key stands for. A key that is disabled is found with its user.
func (k *Keys) byKey(s *snapshot, _, id string) *Somebody {
	if id == k.rootUser {
		return &Somebody{Identity: k.rootIdentity()}
	}
	key := s.keys.get(id)
	if key == nil {
		return nil
	}
	find := userNamed
	if key.User == "" {
		find = rootOf
	}
	who := find(s, key.Account, cmp.Or(key.User, key.Account))
	if who == nil {
		return nil
	}
	who.Identity.AccessKey = id
	if key.Disabled && who.Stopped == "" {
		who.Stopped = "access key " + id + " is disabled"
	}
	return who
}

func userNamed(s *snapshot, account, name string) *Somebody {
	u, who := s.users.get(path(account, name)), rootOf(s, account, account)
	if u == nil || who == nil {
		return nil
	}
	who.Identity = &Identity{Account: account, AccountName: who.Identity.AccountName, User: u.Name, UserID: u.Id}
	if u.Disabled && who.Stopped == "" {
		who.Stopped = "user " + name + " is disabled"
	}
	return who
}

func roleNamed(s *snapshot, account, name string) *Somebody {
	who := rootOf(s, account, account)
	if who == nil || s.roles.get(path(account, name)) == nil {
		return nil
	}
	who.Identity = &Identity{Account: account, AccountName: who.Identity.AccountName, Role: name,
		SessionName: simulatedSession, Temporary: true, Issued: time.Now()}
	return who
}

// rootOf finds the root of an account, by the account's id or name.
func rootOf(s *snapshot, _, name string) *Somebody {
	a := s.account(name)
	if a == nil {
		a = s.accountNamed(name)
	}
	if a == nil {
		return nil
	}
	who := &Somebody{Identity: &Identity{Account: a.Id, AccountName: a.Name, Root: true, Admin: a.Admin}}
	if a.Disabled {
		who.Stopped = "account " + a.Name + " is disabled"
	}
	return who
}
