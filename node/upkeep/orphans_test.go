package upkeep

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
)

// shelf is a drive that lists shards and notes which are deleted.
type shelf struct {
	gauge
	list    []drive.Entry
	deleted []shard.ID
}

func (s *shelf) List(_ context.Context, after shard.ID, most int) ([]drive.Entry, error) {
	i := slices.IndexFunc(s.list, func(e drive.Entry) bool { return isAfter(e.ID, after) })
	if i < 0 {
		return nil, nil
	}
	return slices.Clone(s.list[i:min(i+most, len(s.list))]), nil
}

// isAfter reports whether a shard comes after another in the order of a drive.
func isAfter(a, b shard.ID) bool {
	return cmp.Or(cmp.Compare(a.Extent.Volume, b.Extent.Volume), cmp.Compare(a.Extent.Seq, b.Extent.Seq), cmp.Compare(a.Slot, b.Slot)) > 0
}

// Stat implements Drive.
func (s *shelf) Stat(_ context.Context, id shard.ID) (shard.Header, error) {
	for _, e := range s.list {
		if e.ID == id {
			return e.Header, nil
		}
	}
	return shard.Header{}, errs.Newf("drive.Stat", errs.NotFound, "no shard %s", id)
}

func (s *shelf) Delete(ctx context.Context, ids []shard.ID) error {
	s.deleted = append(s.deleted, ids...)
	s.list = slices.DeleteFunc(s.list, func(e drive.Entry) bool { return slices.Contains(ids, e.ID) })
	return ctx.Err()
}

// oracle answers what may be deleted; between the answer and the deletion something
// happens.
type oracle struct {
	Metadata
	answer *metapb.KnownAnswer
	after  func()
}

func (o *oracle) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	switch {
	case q.GetShardDigest() != nil: // Of a drive that must have nothing.
		return &metapb.Answer{ShardDigest: &metapb.ShardDigest{ThroughSeq: math.MaxUint64}}, nil
	case q.GetKnownExtents() == nil:
		return nil, errors.New("not asked for here")
	}
	if o.after != nil {
		defer o.after()
	}
	return &metapb.Answer{Known: o.answer}, nil
}

func (o *oracle) Topology(context.Context) (*meta.Topology, error) {
	return meta.NewTopology(&metapb.ViewAnswer{}), nil
}

// The answer to a sweep's question is void as soon as somebody on the node goes by a
// younger state: by index, so it does not matter how long the process was stopped.
func TestSweepAnswerExpiresByIndex(t *testing.T) {
	id := shard.ID{Extent: shard.ExtentID{Volume: 1, Seq: 1}, Slot: 2}
	for _, c := range []struct {
		name   string
		relied uint64 // Between answer and deletion; 0: nobody did.
		gone   bool
	}{
		{"nobody counts on it", 0, true},
		{"a move that began before the answer", 6, true},
		{"the same state", 7, true},
		{"a move that began after the answer", 8, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &shelf{list: []drive.Entry{{ID: id}}}
			o := &oracle{answer: &metapb.KnownAnswer{Known: []bool{false}, Wanted: []bool{false}, AppliedIndex: 7}}
			u := &Upkeep{c: Config{Metadata: o, Drives: []Drive{d}}.withDefaults()}
			o.after = func() { u.counted(d.ID()).rely(c.relied) }
			require.NoError(t, u.sweepOrphans(t.Context()))
			require.Equal(t, c.gone, len(d.deleted) == 1)
		})
	}
}
