package observe

import (
	"time"

	"github.com/cairnstore/cairn/cluster"
)

// ClockSkew is told how far a peer's clock is ahead of this node's.
func (o *Observer) ClockSkew(peer cluster.NodeID, ahead time.Duration) {
	o.m.clockSkew.WithLabelValues(peer.String()).Set(ahead.Seconds())
}

// SettingsDiffer is told of how many settings that must be equal on every node another
// one has another value.
func (o *Observer) SettingsDiffer(settings int) { o.m.settingsDiffer.Set(float64(settings)) }

// ClockOff is told whether this node's clock is far from those of most voters, or has
// jumped.
func (o *Observer) ClockOff(off bool) {
	v := 0.0
	if off {
		v = 1
	}
	o.m.clockOff.Set(v)
}

// LastContacts is told how long ago the leader of the metadata heard of each member; nil
// where this node does not lead.
func (o *Observer) LastContacts(ago map[cluster.NodeID]time.Duration) {
	o.m.lastContact.Reset()
	for peer, d := range ago {
		o.m.lastContact.WithLabelValues(peer.String()).Set(d.Seconds())
	}
}

// FeatureLevel is told the cluster's feature level.
func (o *Observer) FeatureLevel(level uint32) { o.m.featureLevel.Set(float64(level)) }

// CertificateLeft is told how long this node's certificate for others is valid.
func (o *Observer) CertificateLeft(d time.Duration) { o.m.certLeft.Set(d.Seconds()) }

// BackupDone is told of a backup of the metadata that this node has made, or could not.
func (o *Observer) BackupDone(index uint64, bytes int64, took time.Duration, err error) {
	if err != nil {
		o.m.backups.WithLabelValues("failed").Inc()
		o.Log.Warn("backup of the metadata failed", "cause", err)
		return
	}
	o.m.backups.WithLabelValues("ok").Inc()
	o.m.lastBackup.Set(float64(time.Now().Unix()))
	o.Log.Info("backup of the metadata made", "index", index, "bytes", bytes, "took", took)
}
