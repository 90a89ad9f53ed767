package upkeep

import (
	"context"
	"sync"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/events"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/notify"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Metadata is how upkeep reads and changes the metadata.
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

// Extents re-encodes extents.
type Extents interface {
	// Widen re-encodes an extent into a volume of the widest scheme that the living domains
	// allow, and puts the new extent in the place of the old one. It returns false where the
	// extent is as wide as it can be.
	Widen(ctx context.Context, from *shard.Volume, extent *metapb.WorkItem) (bool, error)
}

// Events tells what upkeep does, for logs and metrics. Any function may be nil. Functions are
// called from many goroutines and must not block.
type Events struct {
	Failed     func(job string, err error)                  // A round of a job has failed; it is tried again.
	Doomed     func(extents int)                            // Extents are garbage, and their shards are deleted next.
	Deleted    func(shards int)                             // Shards of doomed extents are deleted.
	Repaired   func(id shard.ExtentID, slots shard.SlotSet) // Shards that were missing are there.
	Found      func(id shard.ID, cause error)               // A shard is bad or missing, which is recorded.
	Orphans    func(shards int)                             // Shards that nothing knows are deleted.
	Adopted    func(id shard.ID)                            // A shard was brought to a drive that lacked it.
	ScrubRound func(shards int, bad int)                    // A whole drive was verified.
	Widened    func(id shard.ExtentID, plain uint64)        // An extent was re-encoded under a wider scheme.

	LeadLost     func()                    // Another node leads: what was told here of the whole cluster is void.
	VoterAdded   func(node cluster.NodeID) // A node has a vote.
	VoterRemoved func(node cluster.NodeID) // A node has no vote any more.

	Lost         func(cluster.NodeID)                                          // A node was declared lost.
	LossHeld     func(n cluster.NodeID, why string)                            // It should be, but why forbids it.
	Returned     func(cluster.NodeID)                                          // A lost node is back.
	Drained      func(n cluster.NodeID, d cluster.DriveID)                     // A draining drive is empty.
	SlotsLeft    func(lost, draining, noSpare, beyond int)                     // Slots that are still to be moved.
	Tolerance    func(meta.Tolerance)                                          // What may be lost now.
	MoveStarted  func(v shard.VolumeID, slot int, reason string)               // reason: rebuild, drain or rebalance.
	MoveFinished func(v shard.VolumeID, slot int, rebuild bool, copied uint64) // A slot has moved to this node.
	ShardMoved   func(bytes int64)                                             // A shard was copied to this node.
	Rebuilt      func(bytes int64)                                             // Repair has written shards.
	DriveTold    func(d cluster.DriveID, failed, full, slow bool)              // A drive's condition has changed.

	Restored     func(bytes uint64) // A cold version can be read.
	RestoreEnded func()             // A warm copy has expired and was dropped.

	Aborted      func(uploads int)               // Lifecycle rules have aborted uploads.
	Expired      func(versions int)              // Lifecycle rules have ended versions.
	Transitioned func(bytes uint64)              // Lifecycle rules have changed the class of a version.
	Delivered    func(target string, events int) // A target has taken events.
	Undelivered  func(target string, err error)  // A target has not; it is tried again.
	EventQueues  func([]*metapb.EventQueue)      // All queues of events as they are now.
	KeysDeleted  func(ids []string)              // Master keys were deleted, since their time had come.
}

// Config says what upkeep works on and how often.
type Config struct {
	Node     cluster.NodeID
	Metadata Metadata
	Leads    func() bool                                // Reports whether this node leads the metadata now.
	Alive    func(cluster.NodeID) bool                  // Reports whether a node is up, as gossip has it.
	Stores   func(cluster.DriveID) (shard.Store, error) // Reaches any drive of the cluster.
	Engine   *stripe.Engine
	Drives   []Drive // This node's.
	Voters   Voters
	Extents  Extents  // Nil: nothing is widened.
	Restores Restores // Nil: nothing is restored.
	Keys     Keys     // Nil: no key is deleted.

	// VoterReplaceAfter is how long a voter must be down before another votes in its place.
	VoterReplaceAfter time.Duration
	// MayVote reports whether a node is up and could vote now. Nil: every node that is alive.
	MayVote func(cluster.NodeID) bool

	// Paused reports whether an operator has paused a job, by the name that Jobs gives it. It
	// is asked before each round and during long ones. Nil: none ever is.
	Paused func(job string) bool

	Transitions Transitions                  // Nil: only the lifecycle rules of uploads are carried out.
	Busy        func() float64               // The share of the buffers that clients hold. Nil: none.
	Full, Slow  func(d cluster.DriveID) bool // How a drive of this node is. Nil: none is full, or slow.
	AccessLogs  AccessLogs                   // Nil: there are none.

	// Targets returns the target of notifications that an ARN names; nil where there is none.
	// Nil: there are no targets.
	Targets func(arn string) notify.Target

	// Terms are asked each time that they count, since they may change. Nil: the zero Terms.
	Terms func() Terms

	Interval     time.Duration // The pause between rounds of jobs on the metadata.
	OrphanEvery  time.Duration // The pause between orphan sweeps.
	Remember     time.Duration // A finished upload is remembered for so long.
	LifecycleDay time.Duration // How long a day of lifecycle rules is; 0: lifecycle.DefaultDay.
	Events       Events
}

// Terms are how long upkeep waits and how fast it goes, as far as an operator may change that while it runs.
type Terms struct {
	LostAfter     time.Duration // A node is lost after so long; 0: not by itself.
	MoveRate      int64         // Bytes a second that moves bring to this node; 0: no limit.
	RepairRate    int64         // Bytes a second that this node rebuilds; 0: no limit.
	ScrubInterval time.Duration // Every drive is verified once in this time.
	Grace         time.Duration // An extent that nothing refers to is kept for so long.
}

// withDefaults fills in what is not set.
func (c Config) withDefaults() Config {
	if c.MayVote == nil {
		c.MayVote = c.Alive
	}
	if c.Terms == nil {
		c.Terms = func() Terms { return Terms{} }
	}
	c.Events = events.Filled(c.Events)
	return c
}

// Limits of one round.
const (
	pageItems     = 256  // Items of a page, as of a list of extents or shards.
	trimRecords   = 1024 // Records that one command removes.
	repairWorkers = 2    // Extents of a volume that are rebuilt at once.
	jobTimeout    = 5 * time.Minute

	// steerEvery bounds the pause between two rounds of the jobs that plan moves and voters: a
	// loss with many volumes takes many rounds, and a new cluster waits for its voters.
	steerEvery = 2 * time.Second
)

// job is one kind of work, which the scheduler runs round by round.
type job struct {
	name   string
	every  time.Duration // The pause between two rounds.
	leader bool          // It runs only on the node that leads the metadata.
	limit  time.Duration // How long a round may take; 0: as long as it takes.
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
	urges                urges
	drained              map[cluster.DriveID]bool // Told by Events.Drained. Only steerMoves uses it.
	tolerances           meta.Tolerances

	countedMu sync.Mutex
	countedOn map[cluster.DriveID]*counted // See counted.
}

// Start begins the jobs of a node. They end with Stop, or with ctx.
func Start(ctx context.Context, c Config) *Upkeep {
	ctx, cancel := context.WithCancel(ctx)
	c = c.withDefaults()
	u := &Upkeep{c: c, found: newFinder(), track: trackers{paused: c.Paused}, cancel: cancel,
		movePace:   newPacer(func() int64 { return c.Terms().MoveRate }, c.Busy),
		repairPace: newPacer(func() int64 { return c.Terms().RepairRate }, c.Busy),
		drained:    map[cluster.DriveID]bool{}, urges: newUrges(c.Drives)}
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
		// A round needs no limit: it only begins restores, which go on after it.
		jobs = append(jobs, job{"restore", c.Interval, true, 0, newRestorer(u).run})
	}
	if c.Transitions != nil {
		jobs = append(jobs, job{"lifecycle", c.Interval, true, jobTimeout, newLifecycler(c, u.track.of("lifecycle")).run})
	}
	// A round needs no limit: it only begins deliveries, which go on after it.
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
		t := u.track.ofDrive(jobScrub, d.ID())
		u.wg.Go(func() { u.scrub(ctx, d, t) })
	}
	return u
}

// Stop ends all jobs and waits for them.
func (u *Upkeep) Stop() {
	u.cancel()
	u.wg.Wait()
}

// Found notes a shard that is bad or missing. It is recorded in the metadata soon, and then
// repaired. Found never blocks: where too many wait to be recorded, it forgets the shard, which
// somebody will find again.
func (u *Upkeep) Found(id shard.ID, cause error) { u.found.add(id, cause) }

// loop runs a job round by round until ctx ends.
func (u *Upkeep) loop(ctx context.Context, j job, t *tracker) {
	led := false
	for pause(ctx, j.every) {
		if j.leader && !u.c.Leads() {
			if led {
				led = false
				t.leave()
				u.c.Events.LeadLost()
			}
			continue
		}
		led = j.leader
		if t.isPaused() {
			continue
		}
		err := j.round(ctx)
		if ctx.Err() != nil {
			return
		}
		t.ended(err)
		t.ran(j.every)
		if err != nil {
			u.c.Events.Failed(j.name, err)
		}
	}
}

// round runs one round of the job.
func (j job) round(ctx context.Context) error {
	if j.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, j.limit)
		defer cancel()
	}
	return j.run(ctx)
}

// pause waits for d, and returns false where ctx has ended.
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
