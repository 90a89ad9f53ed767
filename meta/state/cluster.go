package state

import (
	"cmp"
	"encoding/binary"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/query"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// changeCluster applies change to a copy of the Cluster record, and writes that.
func (t *tx) changeCluster(change func(c *metapb.Cluster)) {
	c := proto.Clone(t.mem.cluster).(*metapb.Cluster)
	change(c)
	t.mem.cluster = c
	t.set(keys.AppendCluster(t.key()), c)
}

// formCluster gives the cluster its id. It is refused if the cluster has one.
func (t *tx) formCluster(c *metapb.FormCluster) *metapb.Result {
	switch {
	case t.mem.cluster.Id != "":
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_ALREADY_DONE, ClusterId: t.mem.cluster.Id}
	case c.Id == "":
		return invalid("a cluster needs an id")
	}
	t.changeCluster(func(rec *metapb.Cluster) { rec.Id = c.Id; rec.ViewEpoch++ })
	return &metapb.Result{ClusterId: c.Id}
}

// registerNode takes in what a node says of itself when it starts. It is refused if the node is
// of another cluster, was removed for good, cannot work at the feature level, or has a drive
// that belongs to another node.
func (t *tx) registerNode(c *metapb.RegisterNode) *metapb.Result {
	n := c.Node
	if n.GetId() == 0 {
		return invalid("a node needs an id")
	}
	if own := t.mem.cluster.Id; c.ClusterId != "" && c.ClusterId != own {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_OTHER_CLUSTER, ClusterId: own}
	}
	if why := compatible(n, t.mem.cluster.FeatureLevel); why != "" {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_INCOMPATIBLE, Detail: why}
	}
	for i, d := range n.Drives {
		if d.GetId() == 0 {
			return invalid("a drive needs an id")
		}
		for _, other := range n.Drives[:i] {
			if other.Id == d.Id {
				return invalid("a drive is named twice")
			}
		}
		if owner := t.mem.nodeOf(d.Id); owner != 0 && owner != n.Id {
			return refuse(metapb.Refusal_REFUSAL_DRIVE_ELSEWHERE)
		}
	}
	if refusal := t.checkRemoved(n); refusal != nil {
		return refusal
	}
	r := &metapb.Result{ClusterId: t.mem.cluster.Id}
	var had *metapb.Node
	if i, found := t.mem.findNode(n.Id); found {
		had = t.mem.nodes[i]
	}
	if n = t.registered(n, had); had == nil || !proto.Equal(had, n) {
		t.setNode(n)
	}
	return r
}

// findNode returns where a node is among m.nodes, or belongs, and whether it is there.
func (m *memory) findNode(id uint64) (int, bool) {
	return slices.BinarySearchFunc(m.nodes, id, func(n *metapb.Node, id uint64) int {
		return cmp.Compare(n.Id, id)
	})
}

// nodeOf returns the id of the node that a drive belongs to; 0 if there is none.
func (m *memory) nodeOf(drive uint64) uint64 {
	for _, n := range m.nodes {
		for _, d := range n.Drives {
			if d.Id == drive {
				return n.Id
			}
		}
	}
	return 0
}

// createVolumes adds volumes. It is refused if the view is no longer the one that they were
// planned on.
func (t *tx) createVolumes(c *metapb.CreateVolumes) *metapb.Result {
	if c.ViewEpoch != t.mem.cluster.ViewEpoch {
		return refuse(metapb.Refusal_REFUSAL_STALE_EPOCH)
	}
	for _, v := range c.Volumes {
		if why := t.mem.checkVolume(v); why != "" {
			return invalid(why)
		}
	}
	r := &metapb.Result{}
	if len(c.Volumes) == 0 {
		return r
	}
	for _, v := range c.Volumes {
		id := uint32(len(t.mem.volumes) + 1)
		v.Id, v.Epoch, v.SlotEpochs, v.Move = id, max(v.Epoch, 1), nil, nil
		t.mem.volumes = append(t.mem.volumes, v)
		t.mem.nextFree = append(t.mem.nextFree, t.mem.cluster.FirstBlock)
		t.mem.volumeStats = append(t.mem.volumeStats, new(volumeStats))
		t.set(keys.AppendVolume(t.key(), shard.VolumeID(id)), v)
		t.views = append(t.views, query.ViewChange{Epoch: t.mem.cluster.ViewEpoch, Volume: id})
		if first := t.mem.cluster.FirstBlock; first > 0 {
			t.setBytes(keys.AppendNextBlock(t.key(), shard.VolumeID(id)), binary.BigEndian.AppendUint64(nil, first))
		}
		r.Volumes = append(r.Volumes, id)
	}
	t.changeCluster(func(rec *metapb.Cluster) {
		rec.ViewEpoch++
		rec.LastVolume = uint32(len(t.mem.volumes))
	})
	return r
}

// checkVolume says what is wrong with a volume that is to be made; it returns "" if nothing is.
func (m *memory) checkVolume(v *metapb.Volume) string {
	if v.K > shard.MaxDataShards || v.M > shard.MaxShards || !record.SchemeOf(v).Valid() {
		return "a volume has a scheme that cannot be used"
	}
	if len(v.Slots) != record.SchemeOf(v).N() {
		return "a volume needs one drive a slot"
	}
	for i, d := range v.Slots {
		if slices.Contains(v.Slots[:i], d) {
			return "a volume has two slots on one drive"
		}
		if m.nodeOf(d) == 0 {
			return "a volume has a slot on an unknown drive"
		}
	}
	return ""
}
