package state

import (
	"maps"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// eventRules draws rules, or none at all.
func (g *generator) eventRules() *metapb.EventRules {
	if g.chance("no rules said", 2) {
		return nil
	}
	rules := &metapb.EventRules{}
	for range g.int("rules", 4) {
		rules.Rules = append(rules.Rules, &metapb.EventRule{Id: pick(g, "rule", []string{"1", "2"}), Target: pick(g, "target", []string{"t", "u"}),
			Kinds:  pick(g, "kinds", []uint64{1<<17 - 1, 1<<17 - 1, 1 << metapb.EventKind_EVENT_PUT, 1 << metapb.EventKind_EVENT_EXPIRATION_DELETE}),
			Prefix: pick(g, "prefix", []string{"", "k"}), Suffix: pick(g, "suffix", []string{"", "1"})})
	}
	return rules
}

func (g *generator) dropEventsOp() *metapb.Command {
	op := &metapb.DropEvents{Target: pick(g, "target", []string{"t", "u", "none"})}
	if q := g.m.queues[op.Target]; q != nil && len(q.waiting) > 0 {
		e := pick(g, "event", q.waiting)
		op.Index, op.Number = e.Index, e.Number
	}
	return &metapb.Command{Op: &metapb.Command_DropEvents{DropEvents: op}}
}

// expireOp draws the end of some versions, as they are or as they were.
func (g *generator) expireOp() *metapb.Command {
	op := &metapb.ExpireVersions{Bucket: g.bucket(), Owner: "o"}
	for range 1 + g.int("items", 3) {
		it := &metapb.ExpireItem{Key: g.name(), Expiry: metapb.Expiry(1 + g.int("expiry", 3)), NewVersionId: g.newVersionID()}
		op.Items = append(op.Items, it)
		list := g.versionsOf(op.Bucket, it.Key)
		if len(list) == 0 || g.chance("any", 8) {
			it.VersionId, it.Order = g.versionOf(op.Bucket, it.Key), uint64(g.int("order", 20))
			continue
		}
		v := pick(g, "version", list)
		it.VersionId, it.Order = record.ShownVersionID(v.VersionId), v.Order
		it.CheckTags = g.chance("check tags", 3)
		if it.Tags = v.Tags; g.chance("other tags", 6) {
			it.Tags = []*metapb.Pair{{Name: "other"}}
		}
	}
	return &metapb.Command{Op: &metapb.Command_ExpireVersions{ExpireVersions: op}}
}

// transitionOp draws a step of a change of class.
func (g *generator) transitionOp() *metapb.Command {
	op := &metapb.TransitionVersion{StorageClass: "GLACIER", Done: g.chance("done", 2), CheckTags: g.chance("check tags", 4)}
	var v *metapb.Version
	if op.Bucket, op.Key, v = g.restorable(); v == nil || g.chance("any", 12) {
		op.VersionId, op.ContentId = g.versionOf(op.Bucket, op.Key), g.newID()
		return &metapb.Command{Op: &metapb.Command_TransitionVersion{TransitionVersion: op}}
	}
	op.VersionId, op.ContentId, op.Tags = record.ShownVersionID(v.VersionId), v.ContentId, v.Tags
	if g.chance("stays", 3) {
		return &metapb.Command{Op: &metapb.Command_TransitionVersion{TransitionVersion: op}}
	}
	u := &metapb.UpdateVersion{}
	g.bringCopy(u, &metapb.Version{ContentId: v.ContentId, Size: v.Size, Parts: v.Parts, Restore: v.Transition})
	op.NewContentId, op.Parts, op.Extents, op.Layout = u.Restore.ContentId, u.Parts, u.Extents, u.Layout
	op.Done = !u.Restore.Ongoing
	return &metapb.Command{Op: &metapb.Command_TransitionVersion{TransitionVersion: op}}
}

// compareEvents reads the queues, in pages of two.
func compareEvents(t require.TestingT, machine *machine, m *model) {
	queues := machine.query(&metapb.Query{Op: &metapb.Query_EventQueues{EventQueues: &metapb.ListEventQueues{}}}).EventQueues.Queues
	require.Len(t, queues, len(m.queues))
	for i, target := range slices.Sorted(maps.Keys(m.queues)) {
		want := m.queues[target]
		require.Equal(t, target, queues[i].Target)
		require.EqualValues(t, len(want.waiting), queues[i].Length)
		require.Equal(t, want.dropped, queues[i].Dropped)
		q := &metapb.ListEvents{Target: target, Max: 2}
		var got []*metapb.Event
		for more := true; more; {
			a := machine.query(&metapb.Query{Op: &metapb.Query_Events{Events: q}}).Events
			got = append(got, a.Events...)
			if more = a.Truncated; more {
				last := got[len(got)-1]
				q.AfterIndex, q.AfterNumber = last.Index, last.Number
			}
		}
		require.Len(t, got, len(want.waiting))
		for i, e := range got {
			require.Equal(t, [2]uint64{want.waiting[i].Index, uint64(want.waiting[i].Number)}, [2]uint64{e.Index, uint64(e.Number)})
		}
		if len(got) > 0 {
			require.Equal(t, got[0].TimeMs, queues[i].OldestMs)
		}
	}
}
