package upkeep

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// marks beside what they stand for: a list of every index and when it was known. What
// before names was known for the whole age; and it is not much older than it must be.
func TestMarks(t *testing.T) {
	const age = time.Hour
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		m := marks{age: age}
		now, index := time.Unix(0, 0), uint64(10)
		var known []mark
		longest := time.Duration(0)
		for range 500 {
			step := time.Duration(rng.Int64N(int64(age) / 20))
			now, longest = now.Add(step), max(longest, step)
			index += rng.Uint64N(3)
			m.add(now, index)
			known = append(known, mark{now, index})
			// At most one more than the spacing allows, and the one that is older than the age.
			require.LessOrEqual(t, len(m.list), markCount+2+int(longest/(age/markCount)))

			asked := now.Add(time.Duration(rng.Int64N(int64(age) / 50)))
			now, longest = asked, max(longest, step+asked.Sub(now))
			least, most := uint64(0), uint64(0)
			for _, k := range known {
				if asked.Sub(k.at) >= age {
					most = k.index + 1
				}
				if asked.Sub(k.at) >= age+age/markCount+longest {
					least = k.index + 1
				}
			}
			got := m.before(asked)
			require.LessOrEqual(t, got, most, "seed %d: younger than the age", seed)
			require.GreaterOrEqual(t, got, least, "seed %d: waits for too long", seed)
		}
	}
}

// The border itself: at 0.99 of the age nothing is old, at the age the first index is.
func TestMarksAtTheBorder(t *testing.T) {
	const age = 100 * time.Minute
	m := marks{age: age}
	start := time.Unix(0, 0)
	m.add(start, 7)
	m.add(start.Add(age/2), 8)
	for _, test := range []struct {
		after time.Duration
		want  uint64
	}{{0, 0}, {age / 2, 0}, {age * 99 / 100, 0}, {age - 1, 0}, {age, 8}, {age*149/100 + 1, 8}, {age * 3 / 2, 9}} {
		require.Equal(t, test.want, m.before(start.Add(test.after)), "after %v", test.after)
	}
}

// slowGarbage is a metadata with one extent that became garbage at index 5, whose
// first answer takes a while.
type slowGarbage struct {
	takes  time.Duration
	since  time.Time // When the index was applied.
	doomed []time.Duration
}

func (s *slowGarbage) Read(_ context.Context, q *metapb.Query) (*metapb.Answer, error) {
	if s.since.IsZero() {
		time.Sleep(s.takes)
		s.since = time.Now() // Just before the first answer.
	}
	w := &metapb.WorkAnswer{AppliedIndex: 5}
	if l := q.GetListWork(); l.Kind == metapb.WorkKind_WORK_GC && l.BeforeIndex > 5 && len(s.doomed) == 0 {
		w.Items = []*metapb.WorkItem{{Volume: 1, Seq: 1}}
	}
	return &metapb.Answer{Work: w}, nil
}

func (s *slowGarbage) Propose(_ context.Context, c *metapb.Command) (*metapb.Result, error) {
	if c.GetDoomExtents() != nil {
		s.doomed = append(s.doomed, time.Since(s.since))
	}
	return &metapb.Result{}, nil
}

func (s *slowGarbage) Topology(context.Context) (*meta.Topology, error) {
	return meta.NewTopology(&metapb.ViewAnswer{}), nil
}

// Garbage is doomed when it has been garbage for the grace period, and not before,
// however long the metadata takes to answer.
func TestGraceIsKept(t *testing.T) {
	for _, takes := range []time.Duration{0, time.Second, 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			const grace = 10 * time.Minute
			md := &slowGarbage{takes: takes}
			g := newCollector(Config{Metadata: md,
				Terms: func() Terms { return Terms{Grace: grace} }, Remember: time.Hour}.withDefaults())
			for range 100 {
				require.NoError(t, g.run(t.Context()))
				time.Sleep(grace / 40)
			}
			require.Len(t, md.doomed, 1)
			require.GreaterOrEqual(t, md.doomed[0], grace)
			require.LessOrEqual(t, md.doomed[0], grace+grace/markCount+grace/20)
		})
	}
}
