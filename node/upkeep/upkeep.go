// Package upkeep is a node's background work: garbage collection, repair, scrub,
// the orphan sweep, the inventory, the adoption of shards that are elsewhere, what becomes of lost and draining nodes and
// drives, moves of slots, restores of cold objects, aborting uploads, deleting
// master keys, delivering access logs, choosing voters. One scheduler runs jobs; one file holds a
// job.
//
// Jobs keep nothing that matters: what is to be done is read from the metadata or
// the drives, and every step may be repeated. Jobs of the whole cluster run on
// the node that leads the metadata, the others on every node for its own drives.
package upkeep

import (
	"context"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/notify"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Metadata is what upkeep reads and changes the metadata through.
type Metadata interface {
	meta.Client
	Topology(ctx context.Context) (*meta.Topology, error)
}

// Drive is what upkeep needs of a drive of this node.
type Drive interface {
	ID() cluster.DriveID
	List(ctx context.Context, after shard.ID, max int) ([]drive.Entry, error)
	Stat(ctx context.Context, id shard.ID) (shard.Header, error)
	Verify(ctx context.Context, id shard.ID) error
	Delete(ctx context.Context, ids []shard.ID) error
	Usage() drive.Usage
	Failed() error
}

// Extents allocates and places new extents, for re-encoding.
type Extents interface {
	// Widen re-encodes an extent into a volume of the widest scheme that the
	// living domains allow and puts it in the old one's place. It reports false
	// where the extent is as wide as it can be.
	Widen(ctx context.Context, from *shard.Volume, extent *metapb.WorkItem) (bool, error)
}

// Events tells what upkeep does. Any func may be nil.
type Events struct {
	Failed     func(job string, err error)
	Doomed     func(extents int) // Garbage whose shards are being deleted.
	Deleted    func(shards int)  // Shards of doomed extents deleted.
	Repaired   func(id shard.ExtentID, slots shard.SlotSet)
	Found      func(id shard.ID, cause error) // A shard found bad or missing, recorded for repair.
	Orphans    func(shards int)               // Shards that nothing knows, deleted.
	Adopted    func(id shard.ID)              // A shard of this node's was brought to a drive that lacked it.
	ScrubRound func(shards int, bad int)      // A drive was verified whole.
	VoterAdded func(node cluster.NodeID)
	// VoterRemoved is told when a node has no vote any more.
	VoterRemoved func(node cluster.NodeID)
	Widened      func(id shard.ExtentID, plain uint64)

	Lost         func(cluster.NodeID)                                          // Declared lost.
	LossHeld     func(n cluster.NodeID, why string)                            // Not declared lost though it is time.
	Returned     func(cluster.NodeID)                                          // A lost node is back.
	Drained      func(n cluster.NodeID, d cluster.DriveID)                     // A draining drive holds nothing any more.
	SlotsLeft    func(lost, draining, noSpare, beyond int)                     // To be moved, in the whole cluster.
	Tolerance    func(meta.Tolerance)                                          // What may be lost now.
	MoveStarted  func(v shard.VolumeID, slot int, reason string)               // Why: rebuild, drain, rebalance.
	MoveFinished func(v shard.VolumeID, slot int, rebuild bool, copied uint64) // By this node.
	ShardMoved   func(bytes int64)                                             // To a drive of this node.
	Rebuilt      func(bytes int64)                                             // Shards written by repair.
	DriveTold    func(d cluster.DriveID, failed, full, slow bool)              // To the cluster, when it changes.

	Restored     func(bytes uint64) // A cold version can be read.
	RestoreEnded func()             // A warm copy has expired and is dropped.

	Aborted      func(uploads int)  // Uploads that lifecycle rules aborted.
	Expired      func(versions int) // Versions that lifecycle rules ended.
	Delivered    func(target string, events int)
	Undelivered  func(target string, err error) // It is tried again.
	EventQueues  func([]*metapb.EventQueue)     // All of them, as of now.
	Transitioned func(bytes uint64)             // Of a version whose class lifecycle rules changed.
	KeysDeleted  func(ids []string)             // Master keys whose time had come.
}

// Config says what upkeep works on and how often.
type Config struct {
	Node     cluster.NodeID
	Metadata Metadata
	Leads    func() bool // Whether this node leads the metadata now.
	Alive    func(cluster.NodeID) bool
	Stores   func(cluster.DriveID) (shard.Store, error)
	Engine   *stripe.Engine
	Drives   []Drive
	Voters   Voters
	Extents  Extents
	Restores Restores
	Keys     Keys

	// VoterReplaceAfter is how long a voter must be down before another votes in
	// its place.
	VoterReplaceAfter time.Duration
	// MayVote reports whether a node is up and could vote now; nil: those alive can.
	MayVote func(cluster.NodeID) bool

	// Paused reports whether an operator has paused a job, by the names that Jobs
	// gives them. It is asked before each round and inside long ones. Nil: never.
	Paused func(job string) bool

	Transitions Transitions                  // Nil: no lifecycle rules but those of uploads.
	LostAfter   time.Duration                // A node that is down for so long is lost. 0: none ever is by itself.
	MoveRate    int64                        // Bytes a second that moves bring to this node; 0: no limit.
	RepairRate  int64                        // Bytes a second that this node rebuilds; 0: no limit.
	Busy        func() float64               // Share of the buffers that clients hold. Nil: none.
	Full, Slow  func(d cluster.DriveID) bool // Of drives of this node. Nil: none is.
	AccessLogs  AccessLogs                   // Nil: there are none.
	// Targets returns the target of an ARN; nil if there is none. Nil: there are none.
	Targets func(arn string) notify.Target

	Interval      time.Duration // Pause between rounds of the jobs on the metadata.
	OrphanEvery   time.Duration // Pause between orphan sweeps.
	ScrubInterval time.Duration // A whole drive is verified once in this time.
	Grace         time.Duration // Unreferenced extents are kept this long.
	Remember      time.Duration // Finished uploads are remembered this long.
	LifecycleDay  time.Duration // How long a day of lifecycle rules is. 0: lifecycle.DefaultDay.
	Events        Events
}

// Limits of one round.
const (
	pageItems     = 256
	trimRecords   = 1024
	repairWorkers = 2
	jobTimeout    = 5 * time.Minute

	// steerEvery bounds the pause between two rounds about moves, for a loss with many
	// volumes takes many rounds, and about voters: a new cluster has one.
	steerEvery = 2 * time.Second
)

// job is one kind of work.
type job struct {
	name   string
	every  time.Duration
	leader bool          // Only where the metadata is led.
	limit  time.Duration // Of a round; 0: it may take as long as it takes.
	run    func(context.Context) error
}

// Upkeep runs the jobs of one node until Stop.
type Upkeep struct {
	c      Config
	found  *finder
	track  trackers
	cancel context.CancelFunc
	wg     sync.WaitGroup

	movePace, repairPace *pacer
	drained              map[cluster.DriveID]bool // Told as an event; of the job that steers moves alone.
	tolerances           meta.Tolerances

	countedMu sync.Mutex
	countedOn map[cluster.DriveID]*counted
}

// Start begins the jobs.
func Start(ctx context.Context, c Config) *Upkeep {
	ctx, cancel := context.WithCancel(ctx)
	if c.MayVote == nil {
		c.MayVote = c.Alive
	}
	u := &Upkeep{c: c, found: newFinder(), track: trackers{paused: c.Paused}, cancel: cancel,
		movePace: newPacer(c.MoveRate, c.Busy), repairPace: newPacer(c.RepairRate, c.Busy), drained: map[cluster.DriveID]bool{}}
	jobs := []job{
		{"garbage", c.Interval, true, jobTimeout, newCollector(c).run},
		{"lost", c.Interval, true, jobTimeout, newWatcher(u).run},
		{"plan-moves", min(c.Interval, steerEvery), true, jobTimeout, u.steerMoves},
		{"mark", min(c.Interval, steerEvery), false, 0, u.makeMoves(true, u.track.of("mark"))},
		{"move", min(c.Interval, steerEvery), false, 0, u.makeMoves(false, u.track.of("move"))},
		{"repair", c.Interval, false, 0, u.repair},
		{"drives", c.Interval, false, jobTimeout, newReporter(u).run},
		{"voters", min(c.Interval, steerEvery), false, jobTimeout, newElectorate(c).run},
		{"level", c.Interval, true, jobTimeout, u.raiseLevel},
		{"report", reportEvery, false, jobTimeout, u.report},
		{"orphans", c.OrphanEvery, false, 0, u.sweepOrphans},
		{jobAdopt, c.Interval, false, 0, newAdopter(u).run},
		{"abort", c.Interval, true, jobTimeout, newAborter(c).run},
	}
	if c.Extents != nil {
		jobs = append(jobs, job{"widen", c.Interval, true, jobTimeout, u.widen})
	}
	if c.Restores != nil {
		// No limit: what a round begins goes on after it.
		jobs = append(jobs, job{"restore", c.Interval, true, 0, newRestorer(u).run})
	}
	if c.Transitions != nil {
		jobs = append(jobs, job{"lifecycle", c.Interval, true, jobTimeout, newLifecycler(c, u.track.of("lifecycle")).run})
	}
	// No limit: what a round begins goes on after it.
	jobs = append(jobs, job{"events", eventsEvery, true, 0, newDeliverer(u, u.track.of("events")).run})
	if c.AccessLogs != nil {
		jobs = append(jobs, job{"access-logs", accessLogsEvery, false, jobTimeout, u.deliverLogs(u.track.of("access-logs"))})
	}
	if c.Keys != nil {
		jobs = append(jobs, job{"keys", purgeEvery, true, jobTimeout, u.purgeKeys})
	}
	for _, j := range jobs {
		t := u.track.of(j.name)
		u.wg.Go(func() { u.loop(ctx, j, t) })
	}
	u.wg.Go(func() { u.takeInventory(ctx) })
	for _, d := range c.Drives {
		u.wg.Go(func() { u.scrub(ctx, d) })
	}
	return u
}

// Stop ends all jobs and waits for them.
func (u *Upkeep) Stop() {
	u.cancel()
	u.wg.Wait()
}

// Found notes a shard that is bad or missing; it is recorded in the metadata soon
// and repaired. It never blocks: when too many wait, the shard is found again
// later.
func (u *Upkeep) Found(id shard.ID, cause error) { u.found.add(id, cause) }

func (u *Upkeep) loop(ctx context.Context, j job, t *tracker) {
	for pause(ctx, j.every) {
		if j.leader && !u.c.Leads() || t.isPaused() {
			continue
		}
		err := j.round(ctx)
		if ctx.Err() != nil {
			return
		}
		t.ended(err)
		if err != nil && u.c.Events.Failed != nil {
			u.c.Events.Failed(j.name, err)
		}
	}
}

// round runs the job once.
func (j job) round(ctx context.Context) error {
	if j.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, j.limit)
		defer cancel()
	}
	return j.run(ctx)
}

// pause waits for d; false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
