package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/effort"
	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/snapshot"
	"github.com/cairnstore/cairn/node"
)

// TestRestore restores a backup of the metadata that knows nothing of what became of slots and extents
// since. Whatever was moved, all that the backup has must be readable and as redundant as before.
// Shards that it does not know may go only when none of them can be needed.
func TestRestore(t *testing.T) {
	effort.SkipLessened(t)
	mustReach(t)
	first, count := seeds(t, 1, 100)
	for _, between := range []struct {
		name     string
		machines int
		change   func(*nemesis, context.Context) error
	}{
		{"drained", 8, (*nemesis).drainTwo},
		{"lost and back", 8, (*nemesis).lostAndBack},
		{"rebalanced onto new machines", 6, (*nemesis).grow},
		{"overwritten and deleted", 6, (*nemesis).overwriteAll},
		{"re-encoded", 5, (*nemesis).growWider},
	} {
		for i := range count {
			seed := first + uint64(i)
			t.Run(fmt.Sprintf("%s/seed=%d", between.name, seed), func(t *testing.T) {
				t.Parallel()
				log := watched(t)
				synctest.Test(t, func(t *testing.T) {
					if err := restored(t.Context(), seed, between.machines, log, between.change); err != nil {
						fail(t, seed, log, err)
					}
				})
			})
		}
	}
}

// horizon is longer than any backup here is old.
const horizon = time.Hour

// simKeys returns the keys of backups. They are zero, since machines have no cluster key.
func simKeys() identity.Keys { return identity.OneKey(identity.Key{}) }

// restored is one run.
func restored(ctx context.Context, seed uint64, machines int, log *Log, change func(*nemesis, context.Context) error) error {
	n, stop, err := lostSoon(ctx, seed, machines, horizon, log)
	defer stop()
	if err != nil {
		return err
	}
	want, err := n.someObjects(ctx, "before", 20)
	if err != nil {
		return err
	}
	if err := n.healed(ctx); err != nil {
		return err
	}
	file, head, err := n.backUp(ctx)
	if err != nil {
		return err
	}
	if err := change(n, ctx); err != nil {
		return fmt.Errorf("between backup and restore: %w", err)
	}
	if _, err := n.someObjects(ctx, "after", 5); err != nil { // After the restore nothing knows these.
		return err
	}
	if err := n.restoreFrom(ctx, file, head); err != nil {
		return err
	}
	if err := n.released(ctx); err != nil {
		return err
	}
	if err := n.healed(ctx); err != nil {
		return err
	}
	if err := n.readable(ctx, want); err != nil {
		return fmt.Errorf("not readable from a restored backup: %w", err)
	}
	n.Stop() // So that leases end, under which orphans are kept: see judge.
	if err := n.restart(ctx, n.Machines); err != nil {
		return err
	}
	if err := n.onlyKnownLeft(ctx); err != nil {
		return err
	}
	return n.readable(ctx, want)
}

// backUp makes a backup at the leader.
func (n *nemesis) backUp(ctx context.Context) ([]byte, snapshot.BackupHead, error) {
	var file bytes.Buffer
	var head snapshot.BackupHead
	err := n.eventually(serveTimeout, func() error {
		m := n.leader()
		topo, err := m.Node().Metadata().Topology(ctx)
		if err != nil {
			return err
		}
		file.Reset()
		mac := simKeys().Secret(node.LabelBackup)
		head, err = m.Node().Group().Backup(ctx, &file, snapshot.BackupHead{ClusterID: topo.ClusterID, Era: topo.Era}, mac[:])
		return err
	})
	return file.Bytes(), head, err
}

// restoreFrom does what the operator's manual says: it stops all nodes, removes their metadata, gives
// those of the backup to one node, and starts all.
func (n *nemesis) restoreFrom(ctx context.Context, file []byte, head snapshot.BackupHead) error {
	n.trace("restore the backup of log entry %d", head.Index)
	n.Stop()
	for i, m := range n.Machines {
		if err := m.disk.RemoveAll(metaDir); err != nil {
			return err
		}
		if i > 0 {
			continue
		}
		o, err := node.OpenOffline(m.disk, dataDir)
		if err != nil {
			return err
		}
		_, err = o.Restore(bytes.NewReader(file), simKeys(), head)
		if err = errors.Join(err, o.Close()); err != nil {
			return err
		}
	}
	for _, m := range n.Machines {
		if err := n.Start(ctx, m); err != nil {
			return fmt.Errorf("start on a restored backup: %w", err)
		}
	}
	return n.AwaitReady(formTimeout)
}

// released releases the orphans, as soon as that is not refused any more.
func (n *nemesis) released(ctx context.Context) error {
	return n.eventually(healTimeout, func() error {
		tctx, cancel := context.WithTimeout(ctx, opTimeout)
		defer cancel()
		r, err := n.Up()[0].Node().Metadata().Propose(tctx, &metapb.Command{Op: &metapb.Command_ReleaseOrphans{ReleaseOrphans: &metapb.ReleaseOrphans{}}})
		if err == nil && r.Refusal != metapb.Refusal_REFUSAL_NONE {
			err = fmt.Errorf("%s %s", r.Refusal, r.Detail)
		}
		return err
	})
}

// drainTwo drains two machines, which stay in the cluster.
func (n *nemesis) drainTwo(ctx context.Context) error {
	for _, i := range n.rng.Perm(len(n.Machines))[:2] {
		id := n.Machines[i].Node().ID()
		n.trace("%s drains", n.Machines[i].Name)
		if err := n.propose(ctx, &metapb.Command{Op: &metapb.Command_SetNodeState{SetNodeState: &metapb.SetNodeState{
			Node: uint64(id), State: metapb.Life_LIFE_DRAINING}}}); err != nil {
			return err
		}
		if err := n.emptied(ctx, id); err != nil {
			return err
		}
	}
	time.Sleep(2 * time.Minute) // So that the sweeps have deleted what is left there.
	return n.onlyKnownLeft(ctx)
}

// onlyKnownLeft waits until the drives hold nothing but shards of extents that exist, where they
// belong.
func (n *nemesis) onlyKnownLeft(ctx context.Context) error {
	return n.eventually(gcTimeout, func() error {
		known, err := n.inventory(ctx)
		if err != nil {
			return err
		}
		return n.onlyKnown(ctx, known)
	})
}

// lostAndBack takes machines away until they are given up and rebuilt elsewhere. They come back without
// slots.
func (n *nemesis) lostAndBack(ctx context.Context) error {
	victims := n.mostVictims(n.most)
	var ids []cluster.NodeID
	for _, m := range victims {
		ids = append(ids, m.Node().ID())
	}
	n.Crash(victims...)
	for _, id := range ids {
		if err := n.emptied(ctx, id); err != nil {
			return err
		}
	}
	if err := n.restart(ctx, victims); err != nil {
		return err
	}
	return n.healed(ctx)
}

// grow adds two machines, which get slots from the others.
func (n *nemesis) grow(ctx context.Context) error {
	for range 2 {
		if err := n.joinMachine(ctx); err != nil {
			return err
		}
	}
	return n.healed(ctx)
}

// growWider adds a machine with which a wider scheme becomes possible, and waits until all is
// re-encoded.
func (n *nemesis) growWider(ctx context.Context) error {
	m := n.Add()
	if err := n.Start(ctx, m); err != nil {
		return err
	}
	if err := n.AwaitReady(formTimeout); err != nil {
		return err
	}
	return n.eventually(moveTimeout, func() error {
		topo, err := n.Up()[0].Node().Metadata().Topology(ctx)
		if err != nil {
			return err
		}
		for _, v := range topo.Volumes {
			items, err := extentsOf(ctx, n.Up()[0].Node().Metadata(), v.ID)
			if err != nil {
				return err
			}
			for _, it := range items {
				if it.Extent.GcIndex == 0 && v.Scheme.N() < 6 {
					return fmt.Errorf("extent %d/%d is still coded %s", v.ID, it.Seq, v.Scheme)
				}
			}
		}
		return n.healed(ctx)
	})
}

// overwriteAll overwrites or deletes every object, and waits until what they held is collected.
func (n *nemesis) overwriteAll(ctx context.Context) error {
	for i := range 20 {
		key := fmt.Sprintf("before/%d", i)
		if i%2 == 0 {
			if err := n.write(ctx, n.Up(), key, n.probe); err != nil {
				return err
			}
			continue
		}
		if _, err := n.Up()[0].Node().Objects().Delete(ctx, caller, bucket, []*metapb.ObjectName{{Key: key}}); err != nil {
			return err
		}
	}
	time.Sleep(10 * time.Minute) // Far longer than the grace of garbage collection.
	return nil
}
