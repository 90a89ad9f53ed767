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

// maxTries bounds how often a change is tried again because others changed the
// same things.
const maxTries = 20

// maxChange bounds a change: checks, entries and names of entries removed. It is the
// state machine's limit.
const maxChange = 4096

// retryPause is the mean pause before a change is tried again; it doubles with each try,
// up to retryPauseMax, so that nobody is crowded out by those who change the same things
// faster: all who add accounts do.
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
	// BucketPolicies returns the policies of an account's buckets. Nil: changes by those
	// who are limited (see Admin.For) and that depend on them are refused.
	BucketPolicies func(ctx context.Context, account string) ([]*policy.Policy, error)
	// CheckSetting returns nil if there is a setting of this name that takes value.
	// Errors: Invalid, with a sentence.
	CheckSetting func(name, value string) error
}

// Admin changes the directory of accounts, users, groups, roles, policies, access
// keys and settings. It does not ask who wants that, but where For says so: its
// callers do.
//
// Every method reads the directory anew first, so that what one node answered is
// known on the others. Accounts are named by their id or their name. What is
// returned must not be changed. Errors: Invalid (with a sentence for whoever
// asked), NotFound, Exists, Precondition (something depends on what was to be
// removed), Denied (only after For), NoSpace, Unavailable, Unknown.
type Admin struct {
	c  AdminConfig
	by *Identity // Whose changes these are; nil: the node's own.
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

// change is a change of the directory in the making. It holds only if the entries
// that it was made from are still the same.
type change struct {
	*snapshot
	now    int64  // Unix time, ms.
	whole  string // Id of the account that is made, changed or removed as such; empty: none.
	checks map[entryID]*metapb.EntryCheck
	put    map[entryID]*metapb.Entry
	remove map[entryID]*metapb.EntryName
}

// entryID names an entry of the directory: by its kind, and by its name among those.
type entryID struct {
	kind metapb.EntryKind
	name string
}

func newChange(s *snapshot) *change {
	return &change{snapshot: s, now: time.Now().UnixMilli(), checks: map[entryID]*metapb.EntryCheck{},
		put: map[entryID]*metapb.Entry{}, remove: map[entryID]*metapb.EntryName{}}
}

// set writes a record, new or in place of the one in the snapshot.
func (c *change) set(kind metapb.EntryKind, name string, record proto.Message) {
	value, err := proto.Marshal(record)
	if err != nil {
		panic("iam: " + err.Error()) // Only for text that is not UTF-8, which names and documents are not.
	}
	c.check(kind, name)
	c.put[entryID{kind, name}] = &metapb.Entry{Kind: kind, Name: name, Value: value}
}

func (c *change) check(kind metapb.EntryKind, name string) {
	c.checks[entryID{kind, name}] = &metapb.EntryCheck{Kind: kind, Name: name, Revision: c.entry(kind, name).GetRevision()}
}

// hold writes an entry as it is, because something that is written now depends on
// it: whoever removes it at the same time has to look again.
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

// update makes a change and writes it. If others have changed the same things meanwhile, it makes
// the change again on what there is now. So f may be called more than once.
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

// clone returns a copy of a record of the snapshot, to be changed.
func clone[P proto.Message](record P) P { return proto.Clone(record).(P) }
