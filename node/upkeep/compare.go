package upkeep

import (
	"context"
	"math"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
)

// The sweep and the inventory of every drive of the cluster ask the node that leads the metadata.
// All their questions together may take 1/compareShare of one of its cores, however many drives
// there are. So after each question a drive rests for compareShare times what the question costs,
// times the number of drives. After metadata were restored it is 1/adoptShare, because shards wait
// to be adopted.
const (
	compareShare = 20
	adoptShare   = 2
	questionCost = 100 * time.Microsecond // What any question costs,
	digestCost   = time.Microsecond       // and besides each extent that a digest sums up,
	lookCost     = 20 * time.Microsecond  // and each extent that is looked at by itself.
	digestItems  = 4096                   // How many extents one digest sums up.

	// restMost bounds the rest after one question.
	restMost = 10 * time.Minute
)

// rest waits after a question that cost the metadata so much. It fails only when ctx ends:
// a round does not begin anew because the topology could not be asked for.
func (u *Upkeep) rest(ctx context.Context, cost time.Duration) error {
	wait := u.c.Interval
	if topo, err := u.c.Metadata.Topology(ctx); err == nil {
		drives := 0
		for _, n := range topo.View.Nodes {
			drives += len(n.Drives)
		}
		share := time.Duration(compareShare)
		if topo.OrphansHeld {
			share = adoptShare
		}
		wait = min(restMost, share*time.Duration(max(1, drives))*(questionCost+cost))
	}
	if !pause(ctx, wait) {
		return context.Cause(ctx)
	}
	return nil
}

// compare asks for a digest of what a drive must hold of the extents of a volume that
// follow number after, and reports whether the drive holds anything else, or less. through
// is the last extent that was compared; MaxUint64 where none follow. Where a difference is
// overlooked, as one is in 2^64, an orphan stays for longer, and a lost shard is found by
// whoever reads it, as by repair and scrub.
func (u *Upkeep) compare(ctx context.Context, d Drive, volume shard.VolumeID, after uint64) (through uint64, differs bool, err error) {
	want, err := u.digest(ctx, d, volume, after)
	if err != nil {
		return 0, false, err
	}
	if want == nil { // Of a release that knows no digests.
		return math.MaxUint64, true, nil
	}
	var has shard.Digest
	err = eachPage(ctx, d, volume, after, want.ThroughSeq, func(page []drive.Entry) error {
		for _, e := range page {
			has.Add(e.ID.Extent.Seq, shard.SlotSet(0).With(int(e.ID.Slot)))
		}
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	looked := time.Duration(digestItems) // Where more follow; else what must be here is most of it.
	if want.ThroughSeq == math.MaxUint64 {
		looked = time.Duration(want.Count)
	}
	if err := u.rest(ctx, looked*digestCost); err != nil {
		return 0, false, err
	}
	return want.ThroughSeq, has != shard.Digest{Count: want.Count, Sum: want.Sum}, nil
}

// digest asks what a drive must hold. A round over many extents takes long, and it must
// not begin anew because one question failed: the question is repeated until ctx ends. A
// release that does not know the question answers nil.
func (u *Upkeep) digest(ctx context.Context, d Drive, volume shard.VolumeID, after uint64) (*metapb.ShardDigest, error) {
	q := &metapb.Query{Op: &metapb.Query_ShardDigest{ShardDigest: &metapb.DigestShards{
		Drive: uint64(d.ID()), Volume: uint32(volume), AfterSeq: after, Max: digestItems}}}
	for {
		qctx, cancel := context.WithTimeout(ctx, pageTimeout)
		a, err := u.c.Metadata.Read(qctx, q)
		cancel()
		switch {
		case err == nil && a.ShardDigest.GetThroughSeq() > after:
			return a.ShardDigest, nil
		case err == nil:
			return nil, errs.Newf("upkeep.compare", errs.Internal, "asked for what follows extent %d of volume %d, got a digest through %d",
				after, volume, a.ShardDigest.GetThroughSeq())
		case errs.Is(err, errs.Invalid):
			return nil, nil
		case !pause(ctx, u.c.Interval):
			return nil, err
		}
	}
}

// lastShard is an id behind those of all shards of an extent.
func lastShard(volume shard.VolumeID, seq uint64) shard.ID {
	return shard.ID{Extent: shard.ExtentID{Volume: volume, Seq: seq}, Slot: math.MaxUint8}
}

// eachPage calls f with what a drive holds of a volume's extents after one number and
// through another, a page at a time.
func eachPage(ctx context.Context, d Drive, volume shard.VolumeID, after, through uint64, f func([]drive.Entry) error) error {
	for at := lastShard(volume, after); ; {
		page, err := d.List(ctx, at, pageItems)
		if err != nil {
			return err
		}
		whole := len(page) == pageItems
		for i, e := range page {
			if e.ID.Extent.Volume != volume || e.ID.Extent.Seq > through {
				page, whole = page[:i], false
				break
			}
		}
		if len(page) > 0 {
			if err := f(page); err != nil {
				return err
			}
			at = page[len(page)-1].ID
		}
		if !whole {
			return nil
		}
	}
}
