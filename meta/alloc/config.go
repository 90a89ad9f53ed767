package alloc

import (
	"cmp"
	"context"
	"time"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/shard"
)

// Topology is where the allocator learns of nodes, drives and volumes; meta/group's client.
type Topology interface {
	// Topology returns a topology no older than the answers this node has seen.
	Topology(ctx context.Context) (*meta.Topology, error)
}

// Config is the settings of an allocator. A zero field means its default.
type Config struct {
	ColdScheme       shard.Scheme  // Of cold data, if there are enough domains: shard.ColdScheme.
	VolumesPerScheme int           // How many volumes a scheme should have at least: 12.
	VolumesPerDrive  int           // How many slots a drive should have on average: 8.
	SuspectFor       time.Duration // How long a drive that failed a write is avoided: 15 s.
	MetaTimeout      time.Duration // How long one query or command may take: 10 s.
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

// Events is told what the allocator does, for logs. A field may be nil. Functions are called from
// many goroutines and must not block.
type Events struct {
	VolumesMade func(n int, scheme shard.Scheme)
}

func (e Events) withDefaults() Events {
	if e.VolumesMade == nil {
		e.VolumesMade = func(int, shard.Scheme) {}
	}
	return e
}
