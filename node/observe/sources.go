package observe

import (
	"context"
	"runtime"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/shard/drive"
)

// Sources are where values come from that are read whenever metrics are read. A source that is nil
// has no values.
type Sources struct {
	Version string
	Ready   func() bool
	Drives  []DriveSource

	Raft        func() group.Stats
	LastContact func() (time.Duration, bool)
	Databases   func() map[string]*pebble.Metrics
	BlockCache  int64 // How many bytes of blocks all databases together may keep in memory.

	// Cluster is asked only on the node that leads the metadata. So one node answers for all, and
	// no scrape causes a request to another node.
	Cluster func(context.Context) (*metapb.StatusAnswer, error)

	Members      func() []gossip.Member
	DirectoryAge func() time.Duration
	BucketCache  func() bucket.CacheStats
	Budget       Budget
	Buffers      Buffers

	Connections func() map[string]int // How many are open, by listener.
}

// DriveSource is a drive of this node.
type DriveSource struct {
	Dir          string
	ReserveBytes int64
	Drive        Drive
}

// Drive is where the values of a drive come from. *drive.Drive implements it.
type Drive interface {
	Usage() drive.Usage
	Failed() error
}

// Budget is the memory that requests share. *buf.Budget implements it.
type Budget interface {
	Total() int64
	Free() int64
}

// Buffers is the pool of buffers. *buf.Pool implements it.
type Buffers interface {
	LiveBytes() int64
	IdleBytes() int64
}

// clusterTimeout bounds how long a scrape waits for the metadata.
const clusterTimeout = 2 * time.Second

// Watch exports the values of s. It may be called once.
func (o *Observer) Watch(s Sources) {
	o.registry.MustRegister(&collector{s: s})
}

// collector reads Sources.
type collector struct{ s Sources }

// Descriptions of the values of Sources. They are never changed.
var (
	buildInfo = desc("cairn_build_info", "1; the labels say what runs.", "version", "goversion")
	nodeReady = desc("cairn_node_ready", "1 where the node has joined its cluster and serves requests.")

	driveUsed     = desc("cairn_drive_used_bytes", "Bytes allocated to shards.", "drive")
	driveFree     = desc("cairn_drive_free_bytes", "Free bytes of the drive's file system, the reserve included.", "drive")
	driveCapacity = desc("cairn_drive_capacity_bytes", "Size of the drive's file system.", "drive")
	driveReserve  = desc("cairn_drive_reserve_bytes", "Free bytes below which the drive takes no writes.", "drive")
	driveShards   = desc("cairn_drive_shards", "Shards on the drive.", "drive")
	driveFailed   = desc("cairn_drive_failed", "1 where the drive is out of use after an I/O error.", "drive")

	raftTerm     = desc("cairn_raft_term", "Raft term.")
	raftCommit   = desc("cairn_raft_commit_index", "Last committed log index.")
	raftApplied  = desc("cairn_raft_applied_index", "Last applied log index.")
	raftEntries  = desc("cairn_raft_log_entries", "Entries that the log keeps.")
	raftSnapshot = desc("cairn_raft_snapshot_index", "Log index of the latest snapshot.")
	raftLeader   = desc("cairn_raft_leader", "1 on the node that leads the metadata.")
	raftKnown    = desc("cairn_raft_leader_known", "1 where this node knows a leader.")
	raftBytes    = desc("cairn_raft_log_bytes", "Bytes of all entries in the Raft log.")
	raftVoters   = desc("cairn_raft_voters", "Voters of the metadata, as this node knows them.")
	raftContact  = desc("cairn_raft_last_contact_seconds", "Since this node heard from the leader; 0 on the leader.")

	dbDisk        = desc("cairn_database_disk_bytes", "Disk space of a metadata database.", "database")
	dbCompactions = desc("cairn_database_compactions_total", "Compactions.", "database")
	dbDebt        = desc("cairn_database_compaction_debt_bytes", "Bytes to be compacted until the database is at rest.", "database")
	dbFlushes     = desc("cairn_database_flushes_total", "Flushes of memtables.", "database")
	dbMemtable    = desc("cairn_database_memtable_bytes", "Memory of memtables.", "database")
	dbReadAmp     = desc("cairn_database_read_amplification", "Tables that a read may have to look at.", "database")
	dbSublevels   = desc("cairn_database_l0_sublevels", "Sublevels of level 0; writes wait at 24.", "database")

	cacheBytes  = desc("cairn_block_cache_bytes", "Blocks of this node's databases that are kept in memory.")
	cacheLimit  = desc("cairn_block_cache_limit_bytes", "How many bytes of blocks may be (--metadata-cache).")
	cacheHits   = desc("cairn_block_cache_hits_total", "Blocks found in the cache.")
	cacheMisses = desc("cairn_block_cache_misses_total", "Blocks read because the cache did not have them.")

	clusterMissing         = desc("cairn_cluster_extents_missing_shards", "Extents that lack a shard and are to be repaired. Only on the leader.")
	clusterUnreadable      = desc("cairn_cluster_extents_unreadable", "Extents that have fewer shards than they need where they can be reached. Only on the leader.")
	clusterUnreadableBytes = desc("cairn_cluster_bytes_unreadable", "Plaintext bytes of those extents. Only on the leader.")
	clusterGC              = desc("cairn_cluster_extents_unreferenced", "Extents that nothing refers to, kept for the grace period. Only on the leader.")
	clusterDoomed          = desc("cairn_cluster_extents_doomed", "Extents given up whose shards are not all deleted. Only on the leader.")
	clusterContents        = desc("cairn_cluster_contents_dropped", "Deleted contents whose parts are still to be removed. Only on the leader.")
	clusterBuckets         = desc("cairn_cluster_buckets", "Buckets. Only on the leader.")
	clusterVolumes         = desc("cairn_cluster_volumes", "Volumes made so far. Only on the leader.")

	gossipMembers = desc("cairn_gossip_members", "Nodes that this one has heard of, itself among them.", "state")
	bucketHits    = desc("cairn_bucket_cache_hits_total", "Look-ups of a bucket that were answered from memory.")
	bucketMisses  = desc("cairn_bucket_cache_misses_total", "Look-ups of a bucket for which the metadata were asked.")
	bucketBytes   = desc("cairn_bucket_cache_bytes", "Memory that remembered buckets take.")
	directoryAge  = desc("cairn_directory_age_seconds", "Since accounts, keys and settings were last known to be current.")
	connsOpen     = desc("cairn_connections", "Connections that are open.", "listener")
	budgetBytes   = desc("cairn_budget_bytes", "Memory that requests share (--memory-budget).")
	budgetFree    = desc("cairn_budget_free_bytes", "What is free of it.")
	buffersLive   = desc("cairn_buffers_live_bytes", "Buffers in use.")
	buffersIdle   = desc("cairn_buffers_idle_bytes", "Buffers kept for reuse.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfo, nodeReady,
		driveUsed, driveFree, driveCapacity, driveReserve, driveShards, driveFailed,
		raftTerm, raftCommit, raftApplied, raftEntries, raftSnapshot, raftLeader, raftKnown, raftVoters, raftBytes, raftContact,
		dbDisk, dbCompactions, dbDebt, dbFlushes, dbMemtable, dbReadAmp, dbSublevels, cacheBytes, cacheLimit, cacheHits, cacheMisses,
		clusterMissing, clusterUnreadable, clusterUnreadableBytes, clusterGC, clusterDoomed, clusterContents, clusterBuckets, clusterVolumes,
		bucketHits, bucketMisses, bucketBytes,
		gossipMembers, directoryAge, connsOpen, budgetBytes, budgetFree, buffersLive, buffersIdle} {
		to <- d
	}
}

// sink takes samples.
type sink chan<- prometheus.Metric

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sink) counter(d *prometheus.Desc, v float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	out := sink(to)
	out.gauge(buildInfo, 1, c.s.Version, runtime.Version())
	if c.s.Ready != nil {
		out.gauge(nodeReady, truth(c.s.Ready()))
	}
	for _, d := range c.s.Drives {
		d.collect(out)
	}
	c.raft(out)
	c.cluster(out)
	if c.s.Databases != nil {
		var one *pebble.Metrics
		for name, m := range c.s.Databases() {
			database(out, name, m)
			one = m
		}
		if one != nil {
			c.blockCache(out, one)
		}
	}
	c.node(out)
}

func (d DriveSource) collect(out sink) {
	u, dir := d.Drive.Usage(), d.Dir
	out.gauge(driveUsed, float64(u.UsedBytes), dir)
	out.gauge(driveFree, float64(u.FreeBytes), dir)
	out.gauge(driveCapacity, float64(u.CapacityBytes), dir)
	out.gauge(driveReserve, float64(d.ReserveBytes), dir)
	out.gauge(driveShards, float64(u.Shards), dir)
	out.gauge(driveFailed, truth(d.Drive.Failed() != nil), dir)
}

func (c *collector) raft(out sink) {
	if c.s.Raft == nil {
		return
	}
	s := c.s.Raft()
	out.gauge(raftTerm, float64(s.Term))
	out.gauge(raftCommit, float64(s.CommitIndex))
	out.gauge(raftApplied, float64(s.AppliedIndex))
	out.gauge(raftSnapshot, float64(s.SnapshotIndex))
	out.gauge(raftLeader, truth(s.IsLeader))
	out.gauge(raftKnown, truth(s.Leader != 0))
	out.gauge(raftVoters, float64(s.Voters))
	out.gauge(raftBytes, float64(s.LogBytes))
	entries := uint64(0)
	if s.FirstLogIndex > 0 && s.LastLogIndex >= s.FirstLogIndex {
		entries = s.LastLogIndex - s.FirstLogIndex + 1
	}
	out.gauge(raftEntries, float64(entries))
	if c.s.LastContact == nil {
		return
	}
	if ago, ever := c.s.LastContact(); ever {
		out.gauge(raftContact, ago.Seconds())
	}
}

func (c *collector) cluster(out sink) {
	if c.s.Cluster == nil || c.s.Raft == nil || !c.s.Raft().IsLeader {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), clusterTimeout)
	defer cancel()
	a, err := c.s.Cluster(ctx)
	if err != nil {
		return // Perhaps another node leads now; that one has the values.
	}
	out.gauge(clusterMissing, float64(a.ExtentsMissing))
	out.gauge(clusterUnreadable, float64(a.ExtentsUnreadable))
	out.gauge(clusterUnreadableBytes, float64(a.BytesUnreadable))
	out.gauge(clusterGC, float64(a.ExtentsGc))
	out.gauge(clusterDoomed, float64(a.ExtentsDoomed))
	out.gauge(clusterContents, float64(a.ContentsDropped))
	out.gauge(clusterBuckets, float64(a.Buckets))
	out.gauge(clusterVolumes, float64(a.Volumes))
}

func database(out sink, name string, m *pebble.Metrics) {
	out.gauge(dbDisk, float64(m.DiskSpaceUsage()), name)
	out.counter(dbCompactions, float64(m.Compact.Count), name)
	out.gauge(dbDebt, float64(m.Compact.EstimatedDebt), name)
	out.counter(dbFlushes, float64(m.Flush.Count), name)
	out.gauge(dbMemtable, float64(m.MemTable.Size), name)
	out.gauge(dbReadAmp, float64(m.ReadAmp()), name)
	out.gauge(dbSublevels, float64(m.Levels[0].Sublevels), name)
}

// blockCache adds the values of the cache that all databases share. Every database has the same
// ones.
func (c *collector) blockCache(out sink, m *pebble.Metrics) {
	out.gauge(cacheBytes, float64(m.BlockCache.Size))
	out.gauge(cacheLimit, float64(c.s.BlockCache))
	out.counter(cacheHits, float64(m.BlockCache.Hits))
	out.counter(cacheMisses, float64(m.BlockCache.Misses))
}

func (c *collector) node(out sink) {
	if c.s.Members != nil {
		count := map[gossip.State]int{}
		for _, m := range c.s.Members() {
			count[m.State]++
		}
		for _, s := range []gossip.State{gossip.Alive, gossip.Suspect, gossip.Down} {
			out.gauge(gossipMembers, float64(count[s]), s.String())
		}
	}
	if c.s.DirectoryAge != nil {
		out.gauge(directoryAge, c.s.DirectoryAge().Seconds())
	}
	if c.s.BucketCache != nil {
		stats := c.s.BucketCache()
		out.counter(bucketHits, float64(stats.Hits))
		out.counter(bucketMisses, float64(stats.Misses))
		out.gauge(bucketBytes, float64(stats.Bytes))
	}
	if c.s.Connections != nil {
		for listener, open := range c.s.Connections() {
			out.gauge(connsOpen, float64(open), listener)
		}
	}
	if b := c.s.Budget; b != nil {
		out.gauge(budgetBytes, float64(b.Total()))
		out.gauge(budgetFree, float64(b.Free()))
	}
	if b := c.s.Buffers; b != nil {
		out.gauge(buffersLive, float64(b.LiveBytes()))
		out.gauge(buffersIdle, float64(b.IdleBytes()))
	}
}
