package check

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// FindingsMax is how many disagreements Records names at most.
const FindingsMax = 20

// Records reads all records and returns an error that names where they disagree, up to
// FindingsMax times; nil if they do not. What it proves:
//
//   - I1 the reference keys are the references of all parts and pins;
//   - I2 an extent is in the gc queue, under the index in its record, if and only if it
//     has no reference, and every reference is to bytes of an extent that exists;
//   - I3 an extent is listed as missing shards if and only if it misses some;
//   - I4 an open upload has a state that counts its parts, and is listed under its
//     bucket; a completed one is listed by its index; nothing else is listed;
//   - I5 every part belongs to a version, an open upload or a dropped content, and
//     a version's parts are those of its layout, in size and number;
//   - I6 leases, pins and results belong to live sessions; no result is below its
//     session's floor, no leased block and no extent above what was given out;
//   - I7 the sums in the Applied record, and those of volumes and buckets, are right;
//   - I8 no extent is both known and doomed, and each lies in a volume;
//   - I9 an entry is where its kind and name say, and no younger than the
//     directory; a configuration belongs to a bucket and is sorted;
//   - I10 the versions of a key are in order behind the latest, and each older one
//     is found by its id;
//   - I11 a version is listed by the time of its restore if and only if it has one, and
//     the warm copy of a restore that is done is whole; a version whose class is
//     changing has no restore;
//   - I12 a queue counts the events that wait in it, and no event is of a position that
//     no command has reached;
//   - I13 the refusals for contradictions are the latest ones, in order, and none is of
//     an entry that is not applied;
//   - I14 a record that says of which bucket, node, volume, upload or target it is lies
//     under the key of that; a bucket has a number of its own that was given out, and a
//     volume as many slots as its scheme.
//
// Errors: Corrupt, joined from one error for each disagreement; a Contradiction if a record
// cannot be decoded; those of each. Records holds what it reads in memory.
func Records(each Each) error {
	c := &checker{
		refs: make(map[ref]bool), extents: make(map[shard.ExtentID]*metapb.Extent),
		listed: make(map[string]string), copies: make(map[keys.ID]*metapb.Version),
		versions: make(map[keys.ID]*metapb.Version), layouts: make(map[keys.ID]*metapb.Layout),
		uploads: make(map[keys.ID]*metapb.Upload), states: make(map[keys.ID]*metapb.UploadState),
		dropped: make(map[keys.ID]*metapb.DroppedContent), doomed: make(map[shard.ExtentID]bool),
		sessions: make(map[keys.ID]*metapb.Session), buckets: make(map[uint64]string),
		locked: make(map[uint64]bool), configs: make(map[uint64]*metapb.BucketConfig),
		usages: make(map[uint64]*metapb.BucketUsage), counted: make(map[uint64]*metapb.BucketUsage),
		parts: make(map[keys.ID][]*metapb.Part), pins: make(map[keys.ID]*metapb.Pin),
		nextBlock: make(map[shard.VolumeID]uint64), leases: make(map[record.LeaseName]keys.ID),
		stats:   make(map[shard.VolumeID]*metapb.VolumeStats),
		applied: new(metapb.Applied), cluster: new(metapb.Cluster), refused: new(metapb.Contradictions),
		events: make(map[string]uint64), queues: make(map[string]*metapb.EventQueue),
	}
	if err := each(c.read); err != nil {
		return err
	}
	c.checkListed()
	c.checkExtents()
	c.checkUploads()
	c.checkContents()
	c.checkSessions()
	c.checkConfigs()
	c.checkEvents()
	c.checkSums()
	c.checkStats()
	c.checkUsage()
	if len(c.findings) == 0 {
		return nil
	}
	return errs.New("state.Check", errs.Corrupt, errors.Join(c.findings...))
}

// ref is a reference key: an owner refers to an extent.
type ref struct {
	extent shard.ExtentID
	owner  keys.Owner
}

// checker holds what was read of the records, by what others refer to it by. As records are
// compared, keys are ticked off: what is left then is a key that no record accounts for.
type checker struct {
	refs      map[ref]bool
	extents   map[shard.ExtentID]*metapb.Extent
	doomed    map[shard.ExtentID]bool
	listed    map[string]string           // Keys that list something, with their values, mostly empty.
	buckets   map[uint64]string           // Names of buckets.
	locked    map[uint64]bool             // Whether a bucket has object lock.
	versions  map[keys.ID]*metapb.Version // By content.
	copies    map[keys.ID]*metapb.Version // By the content of a warm copy, or of a transition under way.
	layouts   map[keys.ID]*metapb.Layout
	parts     map[keys.ID][]*metapb.Part
	uploads   map[keys.ID]*metapb.Upload
	states    map[keys.ID]*metapb.UploadState
	dropped   map[keys.ID]*metapb.DroppedContent
	sessions  map[keys.ID]*metapb.Session
	pins      map[keys.ID]*metapb.Pin
	leases    map[record.LeaseName]keys.ID
	nextBlock map[shard.VolumeID]uint64
	configs   map[uint64]*metapb.BucketConfig
	usages    map[uint64]*metapb.BucketUsage
	counted   map[uint64]*metapb.BucketUsage // The usages as counted from versions and parts.
	volumes   []*metapb.Volume
	stats     map[shard.VolumeID]*metapb.VolumeStats
	entries   uint64
	youngest  uint64 // The greatest revision of an entry.
	last      struct {
		name  object
		order uint64
	} // The version that was read last.
	versionKeys []versionKey
	results     []keys.Key
	applied     *metapb.Applied
	cluster     *metapb.Cluster
	refused     *metapb.Contradictions
	events      map[string]uint64 // How many wait, by target.
	queues      map[string]*metapb.EventQueue
	newestEvent uint64
	findings    []error
}

// wrong records a disagreement.
func (c *checker) wrong(format string, args ...any) {
	if len(c.findings) < FindingsMax {
		c.findings = append(c.findings, fmt.Errorf(format, args...))
	}
}

// read takes in one record.
func (c *checker) read(key, value []byte) error {
	k, err := record.DecodeKey(key)
	if err != nil {
		return err
	}
	m := record.New(k.Kind)
	if m == nil {
		switch k.Kind {
		case keys.KindRef:
			c.refs[ref{k.Extent, k.Owner}] = true
		case keys.KindNextBlock:
			if len(value) != 8 {
				c.wrong("the next lease block of volume %d has %d bytes, not 8", k.Volume, len(value))
				return nil
			}
			c.nextBlock[k.Volume] = binary.BigEndian.Uint64(value)
		default:
			c.listed[string(key)] = string(value)
		}
		return nil
	}
	if err := record.Unmarshal(value, m); err != nil {
		return err
	}
	c.keep(k, m)
	return nil
}

// keep files a record. m has the type that records of k's kind have.
func (c *checker) keep(k keys.Key, m any) {
	c.checkPlace(k, m)
	switch m := m.(type) {
	case *metapb.Applied:
		c.applied = m
	case *metapb.Cluster:
		c.cluster = m
	case *metapb.Contradictions:
		c.refused = m
	case *metapb.Bucket:
		c.keepBucket(m)
	case *metapb.Entry:
		c.keepEntry(k, m)
	case *metapb.BucketConfig:
		c.configs[k.Bucket] = m
	case *metapb.BucketUsage:
		c.usages[k.Bucket] = m
	case *metapb.Volume:
		c.volumes = append(c.volumes, m)
	case *metapb.VolumeStats:
		c.stats[k.Volume] = m
	case *metapb.Extent:
		c.extents[k.Extent] = m
	case *metapb.Doomed:
		c.doomed[k.Extent] = true
	case *metapb.Version:
		c.keepVersion(k, m)
	case *metapb.Event:
		c.keepEvent(k, m)
	case *metapb.EventQueue:
		c.queues[k.Name] = m
	case *metapb.Layout:
		c.layouts[k.ID] = m
	case *metapb.Part:
		c.parts[k.ID] = append(c.parts[k.ID], m)
		if m.Number != k.Part {
			c.wrong("part %x %d says that it is %d", k.ID, k.Part, m.Number)
		}
	case *metapb.Upload:
		c.uploads[k.ID] = m
	case *metapb.UploadState:
		c.states[k.ID] = m
	case *metapb.DroppedContent:
		c.dropped[k.ID] = m
	case *metapb.Session:
		c.sessions[k.ID] = m
	case *metapb.Result:
		c.results = append(c.results, k)
	case *metapb.Pin:
		c.pins[k.ID] = m
	case *metapb.Lease:
		id, _ := keys.ParseID(m.Session)
		c.leases[record.LeaseName{Volume: k.Volume, Block: k.Block}] = id
	}
}

// take reports whether a key without a value exists that lists something, and ticks it off.
func (c *checker) take(key []byte) bool { return c.takeValue(key, "") }

// takeValue is take for a key with a value.
func (c *checker) takeValue(key []byte, value string) bool {
	got, found := c.listed[string(key)]
	delete(c.listed, string(key))
	return found && got == value
}

// checkExtents proves I1, I2, I3 and I8, and that no extent misses slots that its volume has
// not.
func (c *checker) checkExtents() {
	count := make(map[shard.ExtentID]int)
	for id, parts := range c.parts {
		for _, p := range parts {
			c.takeRefs(p.Extents, keys.Owner{ID: id, Number: p.Number}, count)
		}
	}
	for id, pin := range c.pins {
		c.takeRefs(pin.Extents, keys.Owner{Pin: true, ID: id}, count)
	}
	for r := range c.refs {
		c.wrong("extent %s has a reference of %x %d, which does not refer to it", r.extent, r.owner.ID, r.owner.Number)
	}
	for id, e := range c.extents {
		if (e.GcIndex == 0) != (count[id] > 0) {
			c.wrong("extent %s has %d references and gc index %d", id, count[id], e.GcIndex)
		}
		if e.GcIndex != 0 && !c.take(keys.AppendUnreferenced(nil, e.GcIndex, id)) {
			c.wrong("extent %s is not in the gc queue under %d", id, e.GcIndex)
		}
		if e.Missing != 0 && !c.take(keys.AppendMissing(nil, id)) {
			c.wrong("extent %s misses shards and is not listed", id)
		}
		if c.doomed[id] {
			c.wrong("extent %s is known and doomed", id)
		}
		if id.Volume == 0 || int(id.Volume) > len(c.volumes) {
			c.wrong("extent %s lies in no volume", id)
		} else if e.Missing&^record.SlotMask(c.volumes[id.Volume-1]) != 0 {
			c.wrong("extent %s misses slots that its volume has not", id)
		}
	}
}

// takeRefs ticks off the reference keys that o must have for refs, and counts them by extent. No
// reference reaches beyond the end of its extent.
func (c *checker) takeRefs(refs []*metapb.ExtentRef, o keys.Owner, count map[shard.ExtentID]int) {
	for _, r := range refs {
		id := record.ExtentID(r.Volume, r.Seq)
		if e := c.extents[id]; e != nil && !record.Within(r, e) {
			c.wrong("%x %d refers to %d bytes from %d on of extent %s, which has %d",
				o.ID, o.Number, r.Length, r.Offset, id, e.PlainBytes)
		}
	}
	for _, id := range record.ExtentsOf(refs) {
		if c.extents[id] == nil {
			c.wrong("%x %d refers to extent %s, which does not exist", o.ID, o.Number, id)
		}
		if r := (ref{id, o}); c.refs[r] {
			delete(c.refs, r)
			count[id]++
		} else {
			c.wrong("extent %s has no reference of %x %d", id, o.ID, o.Number)
		}
	}
}

// checkSessions proves I6.
func (c *checker) checkSessions() {
	live := func(id keys.ID) bool { return c.sessions[id] != nil && c.sessions[id].Ended == 0 }
	for id, p := range c.pins {
		if s, ok := keys.ParseID(p.Session); !ok || !live(s) {
			c.wrong("pin %x belongs to no live session", id)
		}
	}
	for l, s := range c.leases {
		if !live(s) || l.Block >= c.nextBlock[l.Volume] {
			c.wrong("the lease of block %d of volume %d belongs to no live session or was not given", l.Block, l.Volume)
		}
	}
	for _, k := range c.results {
		if !live(k.ID) || k.Seq < c.sessions[k.ID].Floor {
			c.wrong("result %d of session %x is kept for nothing", k.Seq, k.ID)
		}
	}
	for id := range c.extents {
		if (id.Seq-1)/meta.LeaseBlockExtents >= c.nextBlock[id.Volume] {
			c.wrong("extent %s was never leased", id)
		}
	}
}

// checkSums proves I7 for the Applied record, I13, and I14 for the numbers of buckets.
func (c *checker) checkSums() {
	a := c.applied
	sums := &metapb.Applied{Index: a.Index, Term: a.Term, Ahead: a.Ahead, Begun: a.Begun, BegunCommands: a.BegunCommands,
		Buckets:       uint64(len(c.buckets)),
		ExtentsDoomed: uint64(len(c.doomed)), ContentsDropped: uint64(len(c.dropped)), Entries: c.entries,
		ConfigRevision: a.ConfigRevision, DirectoryRevision: a.DirectoryRevision, ClockMs: a.ClockMs}
	if a.DirectoryRevision > a.ConfigRevision || a.ConfigRevision > record.Position(a) {
		c.wrong("the directory is of %d, the configuration of %d, all of %d",
			a.DirectoryRevision, a.ConfigRevision, record.Position(a))
	}
	if (a.Begun == 0) != (a.BegunCommands == 0) || a.Begun != 0 && a.Begun <= a.Index {
		c.wrong("%d commands of entry %d are applied, after entry %d", a.BegunCommands, a.Begun, a.Index)
	}
	for _, e := range c.extents {
		if e.GcIndex != 0 {
			sums.ExtentsGc++
		}
		if e.Missing != 0 {
			sums.ExtentsMissing++
		}
	}
	if got, want := a.String(), sums.String(); got != want {
		c.wrong("sums are %s, a recount gives %s", got, want)
	}
	c.checkRefused()
	for id := range c.buckets {
		if id > c.cluster.LastBucket {
			c.wrong("bucket %d has a number that was not given out; the last one is %d", id, c.cluster.LastBucket)
		}
	}
	if int(c.cluster.LastVolume) != len(c.volumes) {
		c.wrong("%d volumes, the last being %d", len(c.volumes), c.cluster.LastVolume)
	}
}

// checkRefused proves I13.
func (c *checker) checkRefused() {
	last, newest := uint64(0), max(c.applied.Index, c.applied.Begun)
	for _, r := range c.refused.Latest {
		if r.Index < last || r.Index == 0 || r.Index > newest || len(r.Digest) != record.ContradictionDigestBytes {
			c.wrong("a refusal for a contradiction at entry %d follows one at %d", r.Index, last)
		}
		last = r.Index
	}
	if n := len(c.refused.Latest); uint64(n) != min(c.refused.Count, record.ContradictionsKept) {
		c.wrong("%d refusals for contradictions are remembered of %d", n, c.refused.Count)
	}
}

// count returns the counters of a bucket, for the caller to add to.
func (c *checker) count(bucket uint64) *metapb.BucketUsage {
	u := c.counted[bucket]
	if u == nil {
		u = new(metapb.BucketUsage)
		c.counted[bucket] = u
	}
	return u
}

// checkUsage proves I7 for buckets: it compares their usages with what was counted of their
// versions and of the parts of their open uploads.
func (c *checker) checkUsage() {
	for bucket, got := range c.usages {
		if want := c.counted[bucket]; want == nil || got.String() != want.String() {
			c.wrong("bucket %d says that it holds %s, a recount gives %s", bucket, got, want)
		}
	}
	for bucket, want := range c.counted {
		if c.usages[bucket] == nil {
			c.wrong("bucket %d holds %s and does not say so", bucket, want)
		}
	}
}

// checkStats proves I7 for volumes, and looks at what each volume says of its slots, of its
// move and of where slots were before.
func (c *checker) checkStats() {
	sums := make(map[shard.VolumeID]*metapb.VolumeStats)
	for id, e := range c.extents {
		s := sums[id.Volume]
		if s == nil {
			s = new(metapb.VolumeStats)
			sums[id.Volume] = s
		}
		s.Extents++
		s.PlainBytes += e.PlainBytes
		record.CountMissing(s, e.Missing, 1)
	}
	for i, v := range c.volumes {
		id := shard.VolumeID(i + 1)
		if got, want := c.stats[id].String(), sums[id].String(); got != want {
			c.wrong("volume %d says that it holds %s, a recount gives %s", id, got, want)
		}
		for _, f := range v.Former {
			if int(f.Slot) >= len(v.Slots) || f.Drive == 0 || f.Node == 0 {
				c.wrong("volume %d remembers that slot %d was on drive %x of node %x", id, f.Slot, f.Drive, f.Node)
			}
		}
		if m := v.Move; m != nil && m.Started > record.Position(c.applied) {
			c.wrong("volume %d has a move that began at %d, after %d", id, m.Started, record.Position(c.applied))
		}
		if m := v.Move; m != nil && (int(m.Slot) >= len(v.Slots) || slices.Contains(v.Slots, m.To)) {
			c.wrong("volume %d has a move that it cannot make: %v", id, m)
		}
		if len(v.SlotEpochs) != 0 && (len(v.SlotEpochs) != len(v.Slots) || slices.Max(v.SlotEpochs) > v.Epoch) {
			c.wrong("volume %d of epoch %d has slots of epochs %v", id, v.Epoch, v.SlotEpochs)
		}
	}
}
