package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
)

// healed waits until all nodes are ready and every shard that should be there is there, unharmed: on
// the drives, and not only by the metadata's count.
func (c *Cluster) healed(ctx context.Context) error {
	if err := c.AwaitReady(healTimeout); err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	return c.eventually(healTimeout, func() error {
		st, err := c.status(ctx)
		if err != nil {
			return err
		}
		if st.ExtentsMissing > 0 {
			return fmt.Errorf("%d extents lack a shard", st.ExtentsMissing)
		}
		_, err = c.inventory(ctx)
		return err
	})
}

// eventually repeats a check until it passes. After the limit it returns the error of the last one.
func (c *Cluster) eventually(limit time.Duration, check func() error) (err error) {
	for deadline := time.Now().Add(limit); ; time.Sleep(500 * time.Millisecond) {
		if err = check(); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (c *Cluster) status(ctx context.Context) (*metapb.StatusAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	a, err := c.Up()[0].Node().Metadata().Read(ctx, &metapb.Query{Op: &metapb.Query_Status{Status: &metapb.GetStatus{}}})
	if err != nil {
		return nil, err
	}
	return a.Status, nil
}

// mostHarmed returns how many machines may be harmed at once: no more than the scheme's m, and than a
// minority of the voters.
func (c *Cluster) mostHarmed() int {
	if len(c.Machines) >= 6 {
		return 2
	}
	return 1
}

// placed is a shard and the drive that it lies on.
type placed struct {
	drive cluster.DriveID
	shard shard.ID
}

// inventory returns all shards that extents should have, and verifies those that count as there. It
// returns an error if an extent that was written with less parity, while machines were away, was not
// widened yet.
func (c *Cluster) inventory(ctx context.Context) (map[placed]bool, error) {
	n := c.Up()[0].Node()
	topo, err := n.Metadata().Topology(ctx)
	if err != nil {
		return nil, err
	}
	known := map[placed]bool{}
	for _, v := range topo.Volumes {
		items, err := extentsOf(ctx, n.Metadata(), v.ID)
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			for slot, d := range v.Slots {
				id := shard.ID{Extent: shard.ExtentID{Volume: v.ID, Seq: it.Seq}, Slot: uint8(slot)}
				known[placed{d, id}] = true
				if shard.SlotSet(it.Extent.Missing).Has(slot) {
					continue
				}
				if int(v.Scheme.M) < c.mostHarmed() && it.Extent.GcIndex == 0 {
					return nil, fmt.Errorf("extent %s is still coded %s", id.Extent, v.Scheme)
				}
				if err := c.verify(ctx, d, id); err != nil {
					return nil, err
				}
			}
		}
	}
	return known, nil
}

func extentsOf(ctx context.Context, m meta.Client, v shard.VolumeID) (out []*metapb.WorkItem, err error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	for more, seq := true, uint64(0); more; {
		a, err := m.Read(ctx, &metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{
			Kind: metapb.WorkKind_WORK_VOLUME, Volume: uint32(v), AfterSeq: seq, Max: 256}}})
		if err != nil {
			return nil, err
		}
		out = append(out, a.Work.Items...)
		if more = a.Work.Truncated; more {
			seq = a.Work.Items[len(a.Work.Items)-1].Seq
		}
	}
	return out, nil
}

// drives returns all drives of nodes that run.
func (c *Cluster) drives() (out []*drive.Drive) {
	for _, m := range c.Up() {
		out = append(out, m.Node().Drives()...)
	}
	return out
}

func (c *Cluster) verify(ctx context.Context, id interface{ String() string }, s shard.ID) error {
	for _, d := range c.drives() {
		if d.ID().String() == id.String() {
			if err := d.Verify(ctx, s); err != nil {
				return fmt.Errorf("shard %s on drive %s: %w", s, d.ID(), err)
			}
			return nil
		}
	}
	return fmt.Errorf("drive %s of shard %s is not there", id, s)
}

// judge compares what is there with what was acknowledged. Then it restarts all nodes, compares again,
// and deletes everything: nothing may be left.
func (c *Cluster) judge(ctx context.Context, clients []*client) error {
	if err := c.healed(ctx); err != nil {
		return fmt.Errorf("not healed in the end: %w", err)
	}
	if err := c.compareValues(ctx, clients); err != nil {
		return err
	}
	if err := c.sameMetadata(); err != nil {
		return err
	}
	// Orphans are kept while the numbers of their extents are leased. A node that starts anew ends its
	// old session, and the leases of that.
	c.Stop()
	for _, m := range c.Machines {
		if err := c.Start(ctx, m); err != nil {
			return fmt.Errorf("restart after a proper stop: %w", err)
		}
	}
	if err := c.healed(ctx); err != nil {
		return fmt.Errorf("not healed after a restart: %w", err)
	}
	if err := c.compareValues(ctx, clients); err != nil {
		return err
	}
	if err := c.noGarbage(ctx); err != nil {
		return err
	}
	return c.deleteAll(ctx)
}

func (c *Cluster) compareValues(ctx context.Context, clients []*client) error {
	for _, cl := range clients {
		for key, st := range cl.keys {
			for _, m := range []*Machine{c.Machines[0], c.Machines[len(c.Machines)-1]} {
				got, err := cl.get(ctx, m, key)
				if err != nil {
					return fmt.Errorf("read %s at %s: %w", key, m.Name, err)
				}
				if !st.allows(got) {
					return fmt.Errorf("%s at %s holds %s, expected %s", key, m.Name, describe(got), st)
				}
			}
		}
	}
	return nil
}

// noGarbage waits until no garbage is counted and the drives hold nothing but shards of extents that
// exist.
func (c *Cluster) noGarbage(ctx context.Context) error {
	err := c.eventually(gcTimeout, func() error {
		st, err := c.status(ctx)
		if err != nil {
			return err
		}
		if st.ExtentsGc+st.ExtentsDoomed+st.ContentsDropped > 0 {
			return fmt.Errorf("garbage is left: %v", st)
		}
		known, err := c.inventory(ctx)
		if err != nil {
			return err
		}
		return c.onlyKnown(ctx, known)
	})
	if err != nil {
		return fmt.Errorf("garbage collection: %w", err)
	}
	return nil
}

func (c *Cluster) onlyKnown(ctx context.Context, known map[placed]bool) error {
	for _, d := range c.drives() {
		list, err := d.List(ctx, shard.ID{}, 1<<20)
		if err != nil {
			return err
		}
		framed := int64(0)
		for _, e := range list {
			if !known[placed{d.ID(), e.ID}] {
				return fmt.Errorf("drive %s: shard %s belongs to no extent", d.ID(), e.ID)
			}
			framed += e.Header.FramedBytes()
		}
		u := d.Usage()
		if most := framed + int64(len(list))*recordOverhead; int(u.Shards) != len(list) || u.UsedBytes > most || u.UsedBytes < framed {
			return fmt.Errorf("drive %s holds %d shards of %d bytes and says %+v", d.ID(), len(list), framed, u)
		}
	}
	return nil
}

// recordOverhead is more than a drive adds to a shard: a header, a footer, and the rest of a page.
const recordOverhead = 8192

// deleteAll deletes all objects and uploads and waits until the drives are empty.
func (c *Cluster) deleteAll(ctx context.Context) error {
	o := c.Machines[0].Node().Objects()
	for {
		list, err := o.ListObjects(ctx, caller, &metapb.ListObjects{Bucket: bucket, MaxKeys: 1000})
		if err != nil {
			return err
		}
		var all []*metapb.ObjectName
		for _, e := range list.Entries {
			all = append(all, &metapb.ObjectName{Key: e.Key})
		}
		if len(all) == 0 {
			break
		}
		if _, err := o.Delete(ctx, caller, bucket, all); err != nil {
			return err
		}
	}
	for {
		list, err := o.ListUploads(ctx, caller, &metapb.ListUploads{Bucket: bucket, MaxUploads: 1000})
		if err != nil {
			return err
		}
		if len(list.Entries) == 0 {
			break
		}
		for _, u := range list.Entries {
			if err := o.Abort(ctx, caller, bucket, u.Upload.Key, object.FormatUploadID(u.Upload.Id)); err != nil {
				return fmt.Errorf("abort: %w", err)
			}
		}
	}
	if err := c.noGarbage(ctx); err != nil {
		return fmt.Errorf("after everything was deleted: %w", err)
	}
	for _, d := range c.drives() {
		if u := d.Usage(); u.Shards != 0 || u.UsedBytes != 0 {
			return fmt.Errorf("everything was deleted, but drive %s says %+v", d.ID(), u)
		}
	}
	return c.sameMetadata()
}

// voters returns the members of the group and whether they vote, as the leader knows it: a node that
// was replaced while it was away still takes itself for a voter. It is empty if nobody leads.
func (c *Cluster) voters() map[cluster.NodeID]bool {
	voters := map[cluster.NodeID]bool{}
	for _, m := range c.Up() {
		if g := m.Node().Group(); g.IsLeader() {
			members, _ := g.Members()
			for _, mb := range members {
				voters[mb.Node] = mb.Voter
			}
		}
	}
	return voters
}

// sameMetadata waits until the states of all voters are equal at one applied index. Each is checked by
// itself too.
func (c *Cluster) sameMetadata() error {
	return c.eventually(time.Minute, c.compareStates)
}

func (c *Cluster) compareStates() error {
	type dump struct {
		index uint64
		hash  [32]byte
	}
	var all []dump
	voters := c.voters()
	if len(voters) == 0 {
		return errors.New("nobody leads")
	}
	for _, m := range c.Machines {
		if !voters[m.Node().ID()] {
			continue
		}
		var buf bytes.Buffer
		index, err := m.Node().Group().Inspect(&buf)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		all = append(all, dump{index, sha256.Sum256(buf.Bytes())})
	}
	for _, d := range all[1:] {
		if d.index != all[0].index {
			return errors.New("voters are at different indexes")
		}
		if d.hash != all[0].hash {
			return errors.New("voters hold different metadata at one index")
		}
	}
	return nil
}
