package iam

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/limit"
)

// LimitsMax bounds how many limits there are: nodes tell each other of those in use every second.
const LimitsMax = 10_000

// Limit is what a subject may take.
type Limit struct {
	Of          limit.Subject
	AccountName string // Empty if the account is gone.
	Values      limit.Values
}

// SetLimit changes the limit of a subject, whose account may be given by its name: values are set,
// 0 takes one away. The caller must have looked up the owner of a bucket. It returns the limit as it
// is then. Errors: NotFound, Invalid.
func (a *Admin) SetLimit(ctx context.Context, of limit.Subject, values map[limit.Measure]uint64) (
	out Limit, err error) {
	const op = "iam.SetLimit"
	for m, v := range values {
		if m >= limit.Measures || v > limit.ValueMax {
			return out, errs.Newf(op, errs.Invalid, "a limit of %s may be %d at most", m, uint64(limit.ValueMax))
		}
	}
	err = a.update(ctx, func(c *change) error {
		found, err := c.limitOf(of)
		if err != nil {
			return err
		}
		out = found
		for m, v := range values {
			out.Values[m] = v
		}
		name := out.Of.Name()
		switch old := c.entry(metapb.EntryKind_ENTRY_LIMIT, name); {
		case out.Values == limit.Values{}:
			c.dropLimit(out.Of)
		case old == nil && c.entries[metapb.EntryKind_ENTRY_LIMIT].len() >= LimitsMax:
			return errs.Newf(op, errs.Precondition,
				"there are %d limits, which is the most: clear some that nobody needs", LimitsMax)
		default:
			c.set(metapb.EntryKind_ENTRY_LIMIT, name, limitRecord(out.Values))
		}
		return nil
	})
	return out, err
}

// ClearLimit takes the limit of a subject away. The subject itself may be gone.
func (a *Admin) ClearLimit(ctx context.Context, of limit.Subject) error {
	return a.update(ctx, func(c *change) error {
		found, err := c.limitOf(of)
		if errs.Is(err, errs.NotFound) {
			found.Of = of
			if account := c.findAccount(of.Account); account != nil {
				found.Of.Account = account.Id
			}
		} else if err != nil {
			return err
		}
		if c.entry(metapb.EntryKind_ENTRY_LIMIT, found.Of.Name()) == nil {
			return errs.Newf("iam.ClearLimit", errs.NotFound, "%v has no limit", found.Of)
		}
		c.dropLimit(found.Of)
		return nil
	})
}

// limitOf finds a subject, and its limit if it has one.
func (s *snapshot) limitOf(of limit.Subject) (out Limit, err error) {
	const op = "iam.limitOf"
	if of.AccessKey != "" {
		key := s.keys.get(of.AccessKey)
		if key == nil {
			return out, noKey(of.AccessKey)
		}
		of.Account = key.Account
	}
	account, err := s.mustAccount(of.Account)
	if err != nil {
		return out, err
	}
	of.Account = account.Id
	if of.User != "" && s.users.get(path(of.Account, of.User)) == nil {
		return out, errs.Newf(op, errs.NotFound, "account %s has no user %q", account.Name, of.User)
	}
	e := s.entry(metapb.EntryKind_ENTRY_LIMIT, of.Name())
	return Limit{Of: of, AccountName: account.Name, Values: limitValues(e)}, nil
}

// Limits returns all limits, by the names of their entries.
func (a *Admin) Limits(ctx context.Context) ([]Limit, error) {
	s, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	return s.limits(), nil
}

func (s *snapshot) limits() (out []Limit) {
	for name, e := range s.entries[metapb.EntryKind_ENTRY_LIMIT].all() {
		if of, err := limit.ParseName(name); err == nil { // A later release may name others.
			out = append(out, Limit{Of: of, AccountName: s.account(of.Account).GetName(), Values: limitValues(e)})
		}
	}
	return out
}

// Limits returns all limits that this node knows of.
func (d *Directory) Limits() map[limit.Subject]limit.Values {
	out := map[limit.Subject]limit.Values{}
	for _, l := range d.current.Load().limits() {
		out[l.Of] = l.Values
	}
	return out
}

// AccountName returns the name of an account, or its id if this node knows no such account.
func (d *Directory) AccountName(id string) string {
	if a := d.current.Load().account(id); a != nil {
		return a.Name
	}
	return id
}

// dropLimit removes the limit of something that goes.
func (c *change) dropLimit(of limit.Subject) {
	if name := of.Name(); c.entry(metapb.EntryKind_ENTRY_LIMIT, name) != nil {
		c.delete(metapb.EntryKind_ENTRY_LIMIT, name)
	}
}

// withoutLimits returns the entries that are no limits: these go silently with what they limit.
func withoutLimits(entries []*metapb.Entry) []*metapb.Entry {
	isLimit := func(e *metapb.Entry) bool { return e.Kind == metapb.EntryKind_ENTRY_LIMIT }
	return slices.DeleteFunc(slices.Clone(entries), isLimit)
}

func limitRecord(v limit.Values) proto.Message {
	return &metapb.Limit{RequestsPerSecond: v[limit.Requests],
		ReadsPerSecond: v[limit.Reads], WritesPerSecond: v[limit.Writes],
		ListsPerSecond: v[limit.Lists], DeletesPerSecond: v[limit.Deletes], BytesInPerSecond: v[limit.BytesIn],
		BytesOutPerSecond: v[limit.BytesOut], Concurrent: v[limit.Concurrent]}
}

// limitValues returns the values of an entry; none of one that cannot be read.
func limitValues(e *metapb.Entry) limit.Values {
	r := decode[metapb.Limit](e)
	return limit.Values{limit.Requests: r.GetRequestsPerSecond(),
		limit.Reads: r.GetReadsPerSecond(), limit.Writes: r.GetWritesPerSecond(),
		limit.Lists: r.GetListsPerSecond(), limit.Deletes: r.GetDeletesPerSecond(),
		limit.BytesIn:  r.GetBytesInPerSecond(),
		limit.BytesOut: r.GetBytesOutPerSecond(), limit.Concurrent: r.GetConcurrent()}
}
