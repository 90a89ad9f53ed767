package query

import (
	"math"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// DigestMax is how many extents one digest covers at most. It is larger than a page, for
// an extent costs the reading of its key alone.
const DigestMax = 4096

// shardDigest sums up which shards of a page of a volume's extents must lie on a drive. A
// drive that has just these has no orphan there, none that another drive lacks, and lacks
// none itself: for it, known says the same of each.
func (v *View) shardDigest(q *metapb.DigestShards) (*metapb.ShardDigest, error) {
	k := knower{v: v, drive: q.Drive, volumes: map[uint32]*slotsAt{}}
	p, err := k.slots(q.Volume)
	if err != nil {
		return nil, err
	}
	limit := DigestMax
	if q.Max != 0 {
		limit = min(limit, int(q.Max))
	}
	here := shard.SlotSet(p.here)
	if here == 0 { // The drive must hold nothing of the volume, however many extents it has.
		return &metapb.ShardDigest{ThroughSeq: math.MaxUint64}, nil
	}
	volume, through := shard.VolumeID(q.Volume), q.AfterSeq
	after := shard.ExtentID{Volume: volume, Seq: q.AfterSeq}
	var sum shard.Digest
	more, n := false, 0
	err = record.Scan(v.Records, append(keys.AppendExtent(nil, after), 0),
		keys.PrefixEnd(keys.AppendVolumeExtents(nil, volume)), func(key, _ []byte) error {
			if more = n == limit; more {
				return record.ErrStop
			}
			id, err := record.DecodeKey(key)
			if err != nil {
				return err
			}
			n, through = n+1, id.Extent.Seq
			sum.Add(through, here)
			return nil
		})
	if err != nil {
		return nil, err
	}
	last := shard.ExtentID{Volume: volume, Seq: through}
	err = record.Scan(v.Records, append(keys.AppendMissing(nil, after), 0), append(keys.AppendMissing(nil, last), 0),
		func(key, _ []byte) error {
			id, err := record.DecodeKey(key)
			if err != nil {
				return err
			}
			rec := new(metapb.Extent)
			if _, err := v.get(keys.AppendExtent(v.key(), id.Extent), rec); err != nil {
				return err
			}
			sum.Remove(id.Extent.Seq, here&shard.SlotSet(rec.Missing))
			return nil
		})
	if !more {
		through = math.MaxUint64
	}
	return &metapb.ShardDigest{Count: sum.Count, Sum: sum.Sum, ThroughSeq: through}, err
}
