package iam

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// told is everything that a snapshot answers.
func (s *snapshot) told() map[string]string {
	out := map[string]string{}
	add := func(table, name string, m proto.Message) { out[table+" "+name] = prototext.Format(m) }
	for kind, entries := range s.entries {
		for name, e := range entries.all() {
			add(kind.String(), name, e)
		}
	}
	for name, v := range s.accounts.all() {
		add("account", name, v)
		add("named", v.Name, s.accountNamed(v.Name))
	}
	for name, v := range s.users.all() {
		add("user", name, v)
	}
	for name, v := range s.groups.all() {
		add("group", name, v)
	}
	for name, v := range s.roles.all() {
		add("role", name, v.Role)
		out["trust "+name] = fmt.Sprint(v.trust != nil)
	}
	for name, v := range s.policies.all() {
		add("policy", name, v.Policy)
		out["compiled "+name] = fmt.Sprint(v.compiled != nil)
	}
	for name, v := range s.keys.all() {
		add("key", name, v)
	}
	for name, id := range s.named.all() {
		out["name "+name] = id
	}
	for name, id := range s.held.all() {
		out["held "+name] = id
	}
	for name, v := range s.settings.all() {
		out["setting "+name] = v
	}
	return out
}

// drawEntry draws an entry of any kind, readable or not.
func drawEntry(t *rapid.T) *metapb.Entry {
	n := rapid.IntRange(0, 3).Draw(t, "number")
	account := fmt.Sprint("account-", rapid.IntRange(0, 1).Draw(t, "account"))
	at, name := path(account, fmt.Sprint(n)), fmt.Sprint("name-", rapid.IntRange(0, 1).Draw(t, "name"))
	document := rapid.SampledFrom([]string{"", `{"Version":"2012-10-17","Statement":[]}`, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`}).Draw(t, "document")
	kind := metapb.EntryKind(rapid.IntRange(1, 8).Draw(t, "kind"))
	var record proto.Message
	switch kind {
	case metapb.EntryKind_ENTRY_ACCOUNT:
		at, record = account, &metapb.Account{Id: account, Name: name}
	case metapb.EntryKind_ENTRY_USER:
		record = &metapb.User{Account: account, Name: fmt.Sprint(n), Id: name}
	case metapb.EntryKind_ENTRY_GROUP:
		record = &metapb.UserGroup{Account: account, Name: fmt.Sprint(n)}
	case metapb.EntryKind_ENTRY_ROLE:
		record = &metapb.Role{Account: account, Name: fmt.Sprint(n), Trust: document}
	case metapb.EntryKind_ENTRY_POLICY:
		record = &metapb.Policy{Account: account, Name: fmt.Sprint(n), Document: document}
	case metapb.EntryKind_ENTRY_ACCESS_KEY:
		at, record = fmt.Sprint("KEY", n), &metapb.AccessKey{Id: fmt.Sprint("KEY", n), Account: account, User: rapid.SampledFrom([]string{"", "0", "1"}).Draw(t, "user")}
	default:
		record = &metapb.Setting{Value: name}
	}
	value, err := proto.Marshal(record)
	require.NoError(t, err)
	if rapid.IntRange(0, 9).Draw(t, "damaged") == 0 {
		value = []byte{0xff}
	}
	return &metapb.Entry{Kind: kind, Name: at, Value: value}
}

// drawChange makes a random change of the directory.
func (w *world) drawChange(t *rapid.T) {
	var put []*metapb.Entry
	var remove []*metapb.EntryName
	var seen []entryID
	for range rapid.IntRange(1, 4).Draw(t, "entries") {
		e := drawEntry(t)
		at := entryID{e.Kind, e.Name}
		if slices.Contains(seen, at) {
			continue
		}
		seen = append(seen, at)
		if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
			remove = append(remove, &metapb.EntryName{Kind: e.Kind, Name: e.Name})
		} else {
			put = append(put, e)
		}
	}
	r, err := w.meta.Propose(context.Background(), &metapb.Command{Op: &metapb.Command_WriteEntries{
		WriteEntries: &metapb.WriteEntries{Put: put, Delete: remove}}})
	require.NoError(t, err)
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, r.Refusal, r.Detail)
}

// TestDifferencesMakeTheWhole: a node that is told differences, page by page, ends with the same
// directory as a node that reads all of it. There are changes between any two pages, and leaders
// that remember none of them. And no snapshot changes after it was made.
func TestDifferencesMakeTheWhole(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		d := NewDirectory(w.meta)
		d.page = uint32(rapid.IntRange(1, 4).Draw(rt, "page"))
		disturbances := 0
		w.meta.reading(func(q *metapb.Query) error {
			if q.GetEntries().GetAfterName() == "" || disturbances == 0 {
				return nil
			}
			disturbances--
			if rapid.IntRange(0, 3).Draw(rt, "forget") == 0 {
				w.meta.reopen()
			}
			w.drawChange(rt)
			return nil
		})
		type kept struct {
			s    *snapshot
			told map[string]string
		}
		var all []kept
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			for range rapid.IntRange(0, 4).Draw(rt, "changes") {
				w.drawChange(rt)
			}
			if rapid.IntRange(0, 5).Draw(rt, "forget") == 0 {
				w.meta.reopen()
			}
			disturbances = rapid.IntRange(0, 4).Draw(rt, "disturbances")
			require.NoError(rt, d.Refresh(context.Background()))
			disturbances = 0
			// What comes after the page that was read last is not there yet.
			before := d.current.Load()
			all = append(all, kept{before, before.told()})
			require.NoError(rt, d.Refresh(context.Background()))
			whole := NewDirectory(w.meta)
			require.NoError(rt, whole.Refresh(context.Background()))
			require.Equal(rt, whole.current.Load().told(), d.current.Load().told())
			require.Equal(rt, whole.Revision(), d.Revision())
		}
		for _, k := range all {
			require.Equal(rt, k.told, k.s.told())
		}
	})
}

// TestDisabledWhileAccountsAreMade: there are 1,640 accounts, and others are made and removed
// between any two answers. An account that is disabled is refused by every node that has learned of
// the change or cannot learn of changes at all, and no node is sent the whole directory for it.
func TestDisabledWhileAccountsAreMade(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.crowd(1640)
	_, key := w.account("acme")
	peers := []*world{w.peer(), w.peer()}
	for _, p := range peers {
		p.identity(key.ID, "")
	}
	made, entries := 0, 0
	w.meta.reading(func(q *metapb.Query) error {
		if q.GetEntries() == nil {
			return nil
		}
		a, err := w.meta.state.Query(q)
		if err != nil {
			return err
		}
		entries += len(a.GetDirectory().GetEntries())
		for range 6 {
			made++
			id := fmt.Sprintf("b-%d", made)
			value, err := proto.Marshal(&metapb.Account{Id: id, Name: id})
			if err != nil {
				return err
			}
			r, err := w.meta.Propose(ctx, &metapb.Command{Op: &metapb.Command_WriteEntries{WriteEntries: &metapb.WriteEntries{
				Put:    []*metapb.Entry{{Kind: metapb.EntryKind_ENTRY_ACCOUNT, Name: id, Value: value}},
				Delete: []*metapb.EntryName{{Kind: metapb.EntryKind_ENTRY_ACCOUNT, Name: fmt.Sprintf("b-%d", made-10)}}}}})
			if err != nil || r.Refusal != metapb.Refusal_REFUSAL_NONE {
				return fmt.Errorf("%v %w", r, err)
			}
		}
		return nil
	})
	const rounds = 14
	for range rounds {
		require.NoError(t, w.admin.SetAccountDisabled(ctx, "acme", true))
		w.refused(errs.NotFound, key.ID, "")
		revision := w.dir.Revision()
		for _, p := range peers {
			require.NoError(t, p.dir.Refresh(ctx))
			require.GreaterOrEqual(t, p.dir.Revision(), revision)
			p.refused(errs.NotFound, key.ID, "")
		}
		require.NoError(t, w.admin.SetAccountDisabled(ctx, "acme", false))
		w.identity(key.ID, "")
	}
	require.Positive(t, made)
	require.Less(t, entries, rounds*1640, "the whole directory was read again and again")
}

// TestBucketsDisturbNoDirectory: a node that makes buckets does not ask for the directory because
// of it, nor does a node that is told of them. And a change of the directory makes no node forget
// buckets.
func TestBucketsDisturbNoDirectory(t *testing.T) {
	w := newWorld(t)
	w.account("acme")
	synctest.Test(t, func(t *testing.T) {
		n, peer := newBucketNode(t, w.meta), newBucketNode(t, w.meta)
		var asked atomic.Int64
		w.meta.reading(func(q *metapb.Query) error {
			if q.GetEntries() != nil {
				asked.Add(1)
			}
			return nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for _, d := range []*Directory{n.dir, peer.dir} {
			require.NoError(t, d.Refresh(ctx))
			running.Go(func() { d.Run(ctx) })
		}
		asked.Store(0)
		for i := range 50 {
			peer.create(fmt.Sprint("b", i), "acme")
			n.get(fmt.Sprint("b", i))
			synctest.Wait()
		}
		require.Zero(t, asked.Load())
		n.meta.reads.Store(0)
		n.get("b0")
		n.requireReads(0, "those that were made since are others")
		require.NoError(t, w.admin.SetSetting(ctx, "compat", "aws"))
		require.NoError(t, n.dir.Refresh(ctx))
		require.Equal(t, "acme ", n.get("b0"))
		n.requireReads(0, "the directory has changed, no bucket has")
		cancel()
		running.Wait()
	})
}
