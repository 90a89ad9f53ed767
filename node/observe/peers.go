package observe

import (
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/room"
	"github.com/cairnstore/cairn/node/member"
)

// Member returns the events of package member.
func (o *Observer) Member() member.Events {
	return member.Events{
		ClockSkew: func(peer cluster.NodeID, ahead time.Duration) {
			o.m.clockSkew.WithLabelValues(peer.String()).Set(ahead.Seconds())
		},
		ClockOff: func(off bool) {
			v := 0.0
			if off {
				v = 1
			}
			o.m.clockOff.Set(v)
		},
		Disagree:       func(voters int) { o.m.disagree.Set(float64(voters)) },
		SettingsDiffer: func(settings int) { o.m.settingsDiffer.Set(float64(settings)) },
	}
}

// Room is called with how much room the file system of the metadata has.
func (o *Observer) Room(s room.Status) {
	o.m.metadataFree.Set(float64(s.Free))
	o.m.metadataBallast.Set(float64(s.Ballast))
	o.m.metadataRoom.Set(float64(s.Level))
}

// RoomChanged is called when the level of that room changes.
func (o *Observer) RoomChanged(s room.Status) {
	switch s.Level {
	case room.Plenty:
		o.Log.Info("the metadata have room again", "room", s.String())
	case room.Low:
		o.Log.Warn("the file system of the metadata is nearly full: the cluster takes nothing that grows if most voters have no more room", "room", s.String())
	case room.Full:
		o.Log.Error("the file system of the metadata is full: this node takes no changes of the metadata until there is room; reads go on", "room", s.String())
	}
}

// Contradiction is called when the state of the metadata refuses a command because records
// contradict each other.
func (o *Observer) Contradiction(index uint64, record string, cause error) {
	o.m.contradicted.Inc()
	o.contradictions.note(record)
	o.Log.Error("a command was refused: records of the metadata contradict each other. Where all voters say the same of this log entry, a fault has written it so: "+
		"stop the voters, and look with `cairn meta check`; where this one alone does, it ends by itself", "entry", index, "record", record, "cause", cause)
}

// Contradictions returns how many commands were refused like that since the start, and the name of
// the last record, if there was one.
func (o *Observer) Contradictions() (count uint64, record string) { return o.contradictions.get() }

type contradictions struct {
	mu    sync.Mutex
	count uint64
	last  string
}

func (c *contradictions) note(record string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	c.last = record
}

func (c *contradictions) get() (uint64, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count, c.last
}

// LastContacts is called with how long ago the leader of the metadata heard from each member; nil
// if this node does not lead.
func (o *Observer) LastContacts(ago map[cluster.NodeID]time.Duration) {
	o.m.lastContact.Reset()
	for peer, d := range ago {
		o.m.lastContact.WithLabelValues(peer.String()).Set(d.Seconds())
	}
}

// FeatureLevel is called with the cluster's feature level.
func (o *Observer) FeatureLevel(level uint32) { o.m.featureLevel.Set(float64(level)) }

// CertificateLeft is called with how long this node's certificate for others is still valid.
func (o *Observer) CertificateLeft(d time.Duration) { o.m.certLeft.Set(d.Seconds()) }

// BackupDone is called when this node has made a backup of the metadata, or could not.
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
