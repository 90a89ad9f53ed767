package state

import (
	"encoding/binary"
	"slices"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// leaseExtents leases to the session the next block of extent numbers of each volume that the
// command names. No block is ever leased twice.
func (t *tx) leaseExtents(c *metapb.LeaseExtents) *metapb.Result {
	for _, v := range c.Volumes {
		if t.mem.volume(shard.VolumeID(v)) == nil {
			return refuse(metapb.Refusal_REFUSAL_NO_SUCH_VOLUME)
		}
	}
	r := &metapb.Result{}
	rec := &metapb.Lease{Session: t.session.id[:]}
	for _, v := range c.Volumes {
		l := record.LeaseName{Volume: shard.VolumeID(v), Block: t.mem.nextFree[v-1]}
		t.mem.nextFree[v-1]++
		t.mem.leases[l] = t.session
		t.session.leases = append(t.session.leases, l)
		t.setBytes(keys.AppendNextBlock(t.key(), l.Volume), binary.BigEndian.AppendUint64(nil, l.Block+1))
		t.set(keys.AppendLease(t.key(), l.Volume, l.Block), rec)
		r.Leases = append(r.Leases, &metapb.LeaseBlock{Volume: v, Block: l.Block})
	}
	return r
}

// releaseLeases ends leases of the session. It passes over those that the session does not hold.
func (t *tx) releaseLeases(c *metapb.ReleaseLeases) *metapb.Result {
	for _, b := range c.Blocks {
		l := record.LeaseName{Volume: shard.VolumeID(b.Volume), Block: b.Block}
		if t.mem.leases[l] != t.session {
			continue
		}
		delete(t.mem.leases, l)
		i := slices.Index(t.session.leases, l)
		t.session.leases = slices.Delete(t.session.leases, i, i+1)
		t.del(keys.AppendLease(t.key(), l.Volume, l.Block))
	}
	return &metapb.Result{}
}
