package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/meta/metapb"
)

const (
	beyondMachines = 9 // They code 4+2, and there are spares to take what was on machines that are given up.
	beyondObjects  = 30
)

// TestBeyond harms more machines at once than the scheme may lose, but damages nothing that they hold.
// They are away for longer than it takes to give them up. When they are back, every acknowledged byte
// must be back too.
func TestBeyond(t *testing.T) {
	effort.SkipLessened(t)
	mustReach(t)
	first, count := seeds(t, 1, 200)
	for _, kind := range []struct {
		name string
		harm func(*nemesis, context.Context, []*Machine) error
	}{
		{"down together", (*nemesis).downTogether},
		{"down one after another", (*nemesis).downInTurn},
		{"drives fail", (*nemesis).drivesFail},
		{"given up by hand", (*nemesis).givenUp},
	} {
		for i := range count {
			seed := first + uint64(i)
			t.Run(fmt.Sprintf("%s/seed=%d", kind.name, seed), func(t *testing.T) {
				t.Parallel()
				log := watched(t)
				synctest.Test(t, func(t *testing.T) {
					if err := beyond(t.Context(), seed, log, kind.harm); err != nil {
						fail(t, seed, log, err)
					}
				})
			})
		}
	}
}

// values are the values that were acknowledged, by key.
type values map[string][]byte

// someObjects writes objects of random sizes, of one extent up to four.
func (n *nemesis) someObjects(ctx context.Context, prefix string, count int) (values, error) {
	out := values{}
	for i := range count {
		v := make([]byte, 4<<10+n.rng.IntN(3*extentBytes))
		r := rand.New(rand.NewPCG(n.rng.Uint64(), uint64(i)))
		for j := range v {
			v[j] = byte(r.Uint32())
		}
		key := fmt.Sprintf("%s/%d", prefix, i)
		if err := n.write(ctx, n.Up(), key, v); err != nil {
			return nil, err
		}
		out[key] = v
	}
	return out, nil
}

// readable checks that all objects can be read and hold what was acknowledged. Any machine may serve
// each read.
func (n *nemesis) readable(ctx context.Context, want values) error {
	for key, v := range want {
		rctx, cancel := context.WithTimeout(ctx, serveTimeout)
		err := n.read(rctx, n.Up(), key, v)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// lostSoon starts a cluster of so many machines that gives nodes up soon, with a nemesis. What a backup
// refers to stays for the horizon. The caller must call the func that it returns, even after an error.
func lostSoon(ctx context.Context, seed uint64, machines int, horizon time.Duration, log *Log) (*nemesis, func(), error) {
	c, err := form(ctx, seed, machines, log)
	stop := func() { c.Stop() }
	if err != nil {
		return nil, stop, err
	}
	c.Stop()
	c.lostAfter, c.horizon = lostAfter, horizon
	for _, m := range c.Machines {
		if err := c.Start(ctx, m); err != nil {
			return nil, stop, err
		}
	}
	if err := c.AwaitReady(formTimeout); err != nil {
		return nil, stop, err
	}
	n, err := newNemesis(ctx, c, log.Trace)
	return n, stop, err
}

// beyond is one run.
func beyond(ctx context.Context, seed uint64, log *Log, harm func(*nemesis, context.Context, []*Machine) error) error {
	n, stop, err := lostSoon(ctx, seed, beyondMachines, 0, log)
	defer stop()
	if err != nil {
		return err
	}
	want, err := n.someObjects(ctx, "before", beyondObjects)
	if err != nil {
		return err
	}
	if err := n.healed(ctx); err != nil {
		return err
	}
	victims := n.mostVictims(n.most + 1)
	n.trace("beyond what may be lost: %s", names(victims))
	if err := harm(n, ctx, victims); err != nil {
		return err
	}
	if err := n.healed(ctx); err != nil {
		return fmt.Errorf("all are back: %w", err)
	}
	n.trace("all are back")
	time.Sleep(time.Minute) // So that the sweeps for orphans have had their turn.
	if err := n.healed(ctx); err != nil {
		return fmt.Errorf("a minute after all were back: %w", err)
	}
	if err := n.readable(ctx, want); err != nil {
		return fmt.Errorf("not readable though all are back: %w", err)
	}
	n.Stop() // So that leases end, under which orphans are kept: see judge.
	if err := n.restart(ctx, n.Machines); err != nil {
		return err
	}
	if err := n.healed(ctx); err != nil {
		return err
	}
	if err := n.noGarbage(ctx); err != nil {
		return err
	}
	return n.readable(ctx, want)
}

// mostVictims returns count machines, or fewer, so that a majority of the voters is left.
func (n *nemesis) mostVictims(count int) (out []*Machine) {
	voters := n.voters()
	left := len(voters)
	for _, v := range voters {
		if !v {
			left--
		}
	}
	may := left - (left/2 + 1)
	for _, i := range n.rng.Perm(len(n.Machines)) {
		m := n.Machines[i]
		if len(out) == count {
			break
		}
		if voters[m.Node().ID()] {
			if may == 0 {
				continue
			}
			may--
		}
		out = append(out, m)
	}
	return out
}

// downTogether keeps machines down at the same time, until they were given up and for some time after.
func (n *nemesis) downTogether(ctx context.Context, victims []*Machine) error {
	n.Crash(victims...)
	time.Sleep(lostAfter + 55*time.Second)
	return n.restart(ctx, victims)
}

// downInTurn cuts the power of one machine after another. Each is away for long enough to be given up
// and rebuilt in part. They come back in another order.
func (n *nemesis) downInTurn(ctx context.Context, victims []*Machine) error {
	for _, m := range victims {
		n.Crash(m)
		time.Sleep(lostAfter)
		n.pause(20 * time.Second)
	}
	time.Sleep(time.Minute)
	for _, i := range n.rng.Perm(len(victims)) {
		if err := n.restart(ctx, []*Machine{victims[i]}); err != nil {
			return err
		}
		n.pause(time.Minute)
	}
	return nil
}

// drivesFail makes a sync of each drive fail, and then restarts the nodes, as `cairn status` advises.
func (n *nemesis) drivesFail(ctx context.Context, victims []*Machine) error {
	for _, m := range victims {
		m.disk.failSyncs(segments)
	}
	for i := range 40 { // So many that each of the drives has had a write.
		_ = n.write(ctx, n.Up(), fmt.Sprintf("fails/%d", i), n.probe)
	}
	time.Sleep(time.Minute)
	n.Crash(victims...)
	return n.restart(ctx, victims)
}

// givenUp has an operator declare machines lost that are only off for a while.
func (n *nemesis) givenUp(ctx context.Context, victims []*Machine) error {
	var ids []cluster.NodeID
	for _, m := range victims {
		ids = append(ids, m.Node().ID())
	}
	n.Crash(victims...)
	for _, id := range ids {
		if err := n.propose(ctx, &metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: &metapb.SetNodeState{
			Node: uint64(id), State: metapb.Life_LIFE_LOST}}}); err != nil {
			return err
		}
	}
	time.Sleep(2 * time.Minute)
	return n.restart(ctx, victims)
}
