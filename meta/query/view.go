package query

import (
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// topology answers nodes, volumes, and which nodes were removed for good. If the asker has
// the view of this epoch already, the answer is empty. If it has one of the same era, and says so,
// it is told the differences, as far back as they are remembered. Between two eras they mean
// nothing: epochs of an earlier era may have been given out twice.
func (v *View) topology(q *metapb.GetView) (*metapb.ViewAnswer, error) {
	a := &metapb.ViewAnswer{}
	if q.HaveEpoch != 0 && q.HaveEpoch == v.Cluster.ViewEpoch {
		return a, nil
	}
	a.Epoch, a.ClusterId = v.Cluster.ViewEpoch, v.Cluster.Id
	a.FeatureLevel, a.Era, a.OrphansHeld = v.Cluster.FeatureLevel, v.Cluster.Era, v.Cluster.OrphansHeld
	err := record.ScanKind(v.Records, keys.KindRemoved, func(k keys.Key, value []byte) error {
		r := new(metapb.Removed)
		if err := record.Unmarshal(value, r); err != nil {
			return err
		}
		if !r.Drive {
			a.Removed = append(a.Removed, k.Node)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if q.Differences && q.HaveEpoch != 0 && q.HaveEpoch < a.Epoch && q.HaveEra == a.Era {
		if nodes, volumes, ok := v.ViewLog.after(q.HaveEpoch); ok {
			a.Since = q.HaveEpoch
			return a, v.changed(a, nodes, volumes)
		}
	}
	err = record.ScanKind(v.Records, keys.KindNode, func(_ keys.Key, value []byte) error {
		n := new(metapb.Node)
		a.Nodes = append(a.Nodes, n)
		return record.Unmarshal(value, n)
	})
	if err != nil {
		return nil, err
	}
	err = record.ScanKind(v.Records, keys.KindVolume, func(_ keys.Key, value []byte) error {
		vol := new(metapb.Volume)
		a.Volumes = append(a.Volumes, vol)
		return record.Unmarshal(value, vol)
	})
	return a, err
}

// changed adds nodes and volumes to an answer. A node that is not there any more is among those
// that were removed. A volume stays for ever.
func (v *View) changed(a *metapb.ViewAnswer, nodes []uint64, volumes []uint32) error {
	for _, id := range nodes {
		n := new(metapb.Node)
		ok, err := v.get(keys.AppendNode(v.key(), id), n)
		if err != nil {
			return err
		}
		if ok {
			a.Nodes = append(a.Nodes, n)
		}
	}
	for _, id := range volumes {
		vol := new(metapb.Volume)
		ok, err := v.get(keys.AppendVolume(v.key(), shard.VolumeID(id)), vol)
		if err != nil {
			return err
		}
		if !ok {
			return record.Corrupt("volume %d is missing", id)
		}
		a.Volumes = append(a.Volumes, vol)
	}
	return nil
}
