package alloc

import (
	"cmp"
	"context"
	"time"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/shard"
)

// Topology is where nodes, drives and volumes are learnt; meta/group's client.
type Topology interface {
	// Topology returns a topology no older than the answers this node has seen.
	Topology(ctx context.Context) (*meta.Topology, error)
}

// Config is the settings of an allocator. A zero field means its default.
type Config struct {
	ColdScheme       shard.Scheme  // Of cold data, where there are domains enough. Zero: shard.ColdScheme.
	VolumesPerScheme int           // Volumes a scheme should have at least: 12.
	VolumesPerDrive  int           // Slots a drive should have on average before volumes suffice: 8.
	SuspectFor       time.Duration // How long a drive that failed a write is avoided: 15 s.
	MetaTimeout      time.Duration // For one query or command, whoever waits for it: 10 s.
}

// Defaults of Config.
const (
	defaultVolumesPerScheme = 12
	defaultVolumesPerDrive  = 8
	defaultSuspectFor       = 15 * time.Second
	defaultMetaTimeout      = 10 * time.Second
)

func (c Config) withDefaults() Config {
	c.VolumesPerScheme = cmp.Or(c.VolumesPerScheme, defaultVolumesPerScheme)
	c.VolumesPerDrive = cmp.Or(c.VolumesPerDrive, defaultVolumesPerDrive)
	c.SuspectFor = cmp.Or(c.SuspectFor, defaultSuspectFor)
	c.MetaTimeout = cmp.Or(c.MetaTimeout, defaultMetaTimeout)
	return c
}

// Events tells what the allocator does, for logs. Any field may be nil. Functions are
// called from many goroutines and must not block.
type Events struct {
	VolumesMade func(n int, scheme shard.Scheme)
}

func (e Events) withDefaults() Events {
	if e.VolumesMade == nil {
		e.VolumesMade = func(int, shard.Scheme) {}
	}
	return e
}
