package upkeep

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

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

func (s *shelf) List(_ context.Context, after shard.ID, _ int) ([]drive.Entry, error) {
	i := slices.IndexFunc(s.list, func(e drive.Entry) bool { return e.ID == after })
	return s.list[i+1:], nil
}

func (s *shelf) Delete(ctx context.Context, ids []shard.ID) error {
	s.deleted = append(s.deleted, ids...)
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
	if q.GetKnownExtents() == nil {
		return nil, errors.New("not asked for here")
	}
	if o.after != nil {
		defer o.after()
	}
	return &metapb.Answer{Known: o.answer}, nil
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
			u := &Upkeep{c: Config{Metadata: o, Drives: []Drive{d}}}
			o.after = func() { u.counted(d.ID()).rely(c.relied) }
			require.NoError(t, u.sweepOrphans(t.Context()))
			require.Equal(t, c.gone, len(d.deleted) == 1)
		})
	}
}
