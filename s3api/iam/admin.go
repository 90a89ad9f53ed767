package iam

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/policy"
)

// maxTries bounds how often a change is tried if others keep changing the same things.
const maxTries = 20

// maxChange bounds how many checks, entries and removed names a change has together. It is the
// state machine's limit.
const maxChange = 4096

// retryPause is the mean pause before a change is tried again. It doubles with each try, up to
// retryPauseMax. Without it, those who change the same things faster, as all do who add accounts,
// could crowd out somebody else for maxTries tries.
const (
	retryPause    = 5 * time.Millisecond
	retryPauseMax = 320 * time.Millisecond
)

// AdminConfig sets up an Admin.
type AdminConfig struct {
	Directory *Directory
	Keys      *Keys
	// HasBuckets says whether an account owns buckets.
	HasBuckets func(ctx context.Context, account string) (bool, error)
	// BucketPolicies returns the policies of an account's buckets. If it is nil, changes by callers
	// who are limited (see Admin.For) are refused where they depend on those policies.
	BucketPolicies func(ctx context.Context, account string) ([]*policy.Policy, error)
	// CheckSetting returns nil if there is a setting of this name that takes value.
	// Errors: Invalid, with a sentence.
	CheckSetting func(name, value string) error
}

// Admin changes the directory of accounts, users, groups, roles, policies, access keys and
// settings. Its callers decide who may call it. Only For adds a decision of its own, about the
// change that is made.
//
// Every method reads the directory anew first, so that what another node has answered is known
// here. An account can be named by its id or by its name. Nobody may change what is returned.
// Errors: Invalid (with a sentence for whoever asked), NotFound, Exists, Precondition (something
// depends on what was to be removed, or a limit is reached), Denied (only after For), NoSpace,
// Unavailable, Unknown.
type Admin struct {
	c  AdminConfig
	by *Identity // Who makes the changes; nil: the node itself.
}

// NewAdmin returns the administration of a directory.
func NewAdmin(c AdminConfig) *Admin { return &Admin{c: c} }

// read returns the directory as it is now.
func (a *Admin) read(ctx context.Context) (*snapshot, error) {
	if err := a.c.Directory.Refresh(ctx); err != nil {
		return nil, err
	}
	return a.c.Directory.current.Load(), nil
}

// change is a change of the directory in the making. It is written only if the entries that it was
// made from are still the same then.
type change struct {
	*snapshot
	now    int64  // Unix time, ms.
	whole  string // Id of the account that is itself made, changed or removed; empty: none.
	checks map[entryID]*metapb.EntryCheck
	put    map[entryID]*metapb.Entry
	remove map[entryID]*metapb.EntryName
}

// entryID names an entry of the directory by its kind and, within the kind, its name.
type entryID struct {
	kind metapb.EntryKind
	name string
}

func newChange(s *snapshot) *change {
	return &change{snapshot: s, now: time.Now().UnixMilli(), checks: map[entryID]*metapb.EntryCheck{},
		put: map[entryID]*metapb.Entry{}, remove: map[entryID]*metapb.EntryName{}}
}

// set writes a record. It replaces the record of this kind and name in the snapshot, if there is
// one.
func (c *change) set(kind metapb.EntryKind, name string, record proto.Message) {
	value, err := proto.Marshal(record)
	if err != nil {
		panic("iam: " + err.Error()) // Only for text that is not UTF-8, which names and documents are not.
	}
	c.check(kind, name)
	c.put[entryID{kind, name}] = &metapb.Entry{Kind: kind, Name: name, Value: value}
}

// check makes the change depend on an entry: it is written only if the entry is still as in the
// snapshot.
func (c *change) check(kind metapb.EntryKind, name string) {
	c.checks[entryID{kind, name}] = &metapb.EntryCheck{Kind: kind, Name: name, Revision: c.entry(kind, name).GetRevision()}
}

// hold writes an entry unchanged, because something else that the change writes depends on it.
// Another change at the same time that removes the entry then fails its check, and looks again.
func (c *change) hold(kind metapb.EntryKind, name string) {
	at := entryID{kind, name}
	if e := c.entry(kind, name); e != nil && c.put[at] == nil {
		c.check(kind, name)
		c.put[at] = &metapb.Entry{Kind: kind, Name: name, Value: e.Value}
	}
}

// delete removes an entry of the snapshot.
func (c *change) delete(kind metapb.EntryKind, name string) {
	at := entryID{kind, name}
	c.check(kind, name)
	delete(c.put, at)
	c.remove[at] = &metapb.EntryName{Kind: kind, Name: name}
}

// update makes a change by f and writes it. If others have changed the same things meanwhile, it
// calls f again with what there is now, so f may be called more than once.
func (a *Admin) update(ctx context.Context, f func(c *change) error) error {
	s, err := a.read(ctx)
	if err != nil {
		return err
	}
	pause := retryPause
	for try := 1; ; try++ {
		c := newChange(s)
		if err := f(c); err != nil {
			return err
		}
		if err := a.hold(ctx, c); err != nil {
			return err
		}
		if n := len(c.checks) + len(c.put) + len(c.remove); n > maxChange {
			return errs.Newf("iam.update", errs.Precondition, "too much depends on it to change at once (%d entries): detach or remove some of it first", n/2)
		}
		err := a.c.Directory.Write(ctx, values(c.checks), values(c.put), values(c.remove))
		if !errs.Is(err, errs.Precondition) || try == maxTries {
			return err
		}
		select {
		case <-ctx.Done():
			return errs.Wrap("iam.update", ctx.Err())
		case <-time.After(rand.N(2 * pause)):
		}
		pause = min(2*pause, retryPauseMax)
		s = a.c.Directory.current.Load() // Write has loaded it.
	}
}

func values[V any](m map[entryID]V) []V {
	out := make([]V, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

// clone returns a copy of a record of the snapshot. Changes are made to copies, because nothing in
// a snapshot may change.
func clone[P proto.Message](record P) P { return proto.Clone(record).(P) }
