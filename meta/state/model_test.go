package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/check"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
	"github.com/cairnstore/cairn/shard"
)

// model is the state machine written as plainly as possible: maps, whole scans,
// and references counted afresh after each command. It renders itself as Dump
// does, so a State can be compared with it record by record.
type model struct {
	index    uint64
	cluster  *metapb.Cluster
	nodes    map[uint64]*metapb.Node
	volumes  []*metapb.Volume
	next     []uint64
	buckets  map[string]*metapb.Bucket
	versions map[objectName][]*metapb.Version // Newest first.
	parts    map[partName]*metapb.Part
	layouts  map[keys.ID]*metapb.Layout
	uploads  map[keys.ID]*metapb.Upload
	states   map[keys.ID]*metapb.UploadState
	dropped  map[keys.ID]*metapb.DroppedContent
	extents  map[shard.ExtentID]*metapb.Extent
	doomed   map[shard.ExtentID]*metapb.Doomed
	pins     map[keys.ID]*metapb.Pin
	leases   map[record.LeaseName]keys.ID
	sessions map[keys.ID]*modelSession
	entries  map[record.EntryName]*metapb.Entry
	configs  map[uint64]map[string][]byte // By bucket id and name of the part.
	removed  map[uint64]*metapb.Removed   // Nodes and drives.

	configRevision, directoryRevision uint64
	clockMS                           int64

	queues map[string]*modelQueue // Events, by target.
	told   uint32                 // Events of the command.

	limits dropLimits
	budget int
}

type objectName struct {
	bucket uint64
	key    string
}

type partName struct {
	content keys.ID
	number  uint32
}

type modelSession struct {
	rec     *metapb.Session
	results map[uint64]*metapb.Result
}

func newModel(limits dropLimits) *model {
	return &model{cluster: &metapb.Cluster{}, nodes: map[uint64]*metapb.Node{}, buckets: map[string]*metapb.Bucket{},
		versions: map[objectName][]*metapb.Version{}, parts: map[partName]*metapb.Part{},
		layouts: map[keys.ID]*metapb.Layout{}, uploads: map[keys.ID]*metapb.Upload{},
		states: map[keys.ID]*metapb.UploadState{}, dropped: map[keys.ID]*metapb.DroppedContent{},
		extents: map[shard.ExtentID]*metapb.Extent{}, doomed: map[shard.ExtentID]*metapb.Doomed{},
		pins: map[keys.ID]*metapb.Pin{}, leases: map[record.LeaseName]keys.ID{}, sessions: map[keys.ID]*modelSession{},
		entries: map[record.EntryName]*metapb.Entry{}, configs: map[uint64]map[string][]byte{}, removed: map[uint64]*metapb.Removed{}, queues: map[string]*modelQueue{}, limits: limits}
}

// apply applies a command. got is what the State answered: the model takes over
// its words (detail), which are not part of what it says.
func (m *model) apply(c *metapb.Command, got *metapb.Result) *metapb.Result {
	c = proto.Clone(c).(*metapb.Command)
	m.index++
	m.budget, m.told = m.limits.inline, 0
	var s *modelSession
	bare := c.GetOpenSession() != nil || len(c.Session) == 0 && (c.GetFormCluster() != nil || c.GetRegisterNode() != nil || c.GetBeginEra() != nil)
	if !bare {
		if len(c.Session) == 0 {
			return no(metapb.Refusal_REFUSAL_INVALID)
		}
		s = m.sessions[keys.ID(c.Session)]
		if s == nil || s.rec.Ended != 0 {
			return no(metapb.Refusal_REFUSAL_STALE_SESSION)
		}
		if c.Seq == 0 || c.Floor > c.Seq {
			return no(metapb.Refusal_REFUSAL_INVALID)
		}
		if c.Seq < s.rec.Floor {
			return no(metapb.Refusal_REFUSAL_ALREADY_DONE)
		}
		s.rec.Floor = max(s.rec.Floor, c.Floor)
		maps.DeleteFunc(s.results, func(seq uint64, _ *metapb.Result) bool { return seq < s.rec.Floor })
		if r := s.results[c.Seq]; r != nil {
			return r
		}
	}
	shown := m.hideBuckets(c)
	r := m.do(c)
	shown()
	if r.Refusal == metapb.Refusal_REFUSAL_NO_SUCH_BUCKET {
		r.ConfigRevision = m.configRevision
	}
	r.Index = m.index
	r.Detail = got.Detail
	if s != nil && s.rec.Ended == 0 {
		s.results[c.Seq] = r
	}
	m.settle()
	return r
}

// hideBuckets takes the buckets away that the command was not decided on; what it returns
// brings them back.
func (m *model) hideBuckets(c *metapb.Command) (show func()) {
	hidden := map[string]*metapb.Bucket{}
	for _, d := range c.Decided {
		if b := m.buckets[d.Bucket]; b != nil && b.Owner != d.Owner && c.GetCreateBucket() == nil {
			hidden[d.Bucket] = b
			delete(m.buckets, d.Bucket)
		}
	}
	return func() { maps.Copy(m.buckets, hidden) }
}

func no(r metapb.Refusal) *metapb.Result { return &metapb.Result{Refusal: r} }

// settle counts references and moves extents into and out of the gc queue.
func (m *model) settle() {
	used := map[shard.ExtentID]bool{}
	for _, p := range m.parts {
		for _, r := range p.Extents {
			used[record.ExtentID(r.Volume, r.Seq)] = true
		}
	}
	for _, p := range m.pins {
		for _, r := range p.Extents {
			used[record.ExtentID(r.Volume, r.Seq)] = true
		}
	}
	for id, e := range m.extents {
		if used[id] {
			e.GcIndex = 0
		} else if e.GcIndex == 0 {
			e.GcIndex = m.index
		}
	}
}

func (m *model) do(c *metapb.Command) *metapb.Result {
	switch op := c.Op.(type) {
	case *metapb.Command_FormCluster:
		if m.cluster.Id != "" {
			return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_ALREADY_DONE, ClusterId: m.cluster.Id}
		}
		m.cluster.Id = op.FormCluster.Id
		m.cluster.ViewEpoch++
		return &metapb.Result{ClusterId: m.cluster.Id}
	case *metapb.Command_OpenSession:
		return m.openSession(op.OpenSession)
	case *metapb.Command_RegisterNode:
		return m.registerNode(op.RegisterNode)
	case *metapb.Command_RaiseFeatureLevel:
		return m.raiseFeatureLevel(op.RaiseFeatureLevel.Level)
	case *metapb.Command_BeginEra:
		return m.beginEra(op.BeginEra)
	case *metapb.Command_LowerClock:
		if c.TimeMs <= 0 {
			return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_INVALID, Detail: "the command has no time"}
		}
		m.clockMS = min(m.clockMS, max(op.LowerClock.ToMs, c.TimeMs))
		return &metapb.Result{}
	case *metapb.Command_ReleaseOrphans:
		return m.releaseOrphans(op.ReleaseOrphans)
	case *metapb.Command_DriveReconciled:
		return m.driveReconciled(op.DriveReconciled)
	case *metapb.Command_CreateVolumes:
		return m.createVolumes(op.CreateVolumes)
	case *metapb.Command_LeaseExtents:
		return m.lease(c, op.LeaseExtents)
	case *metapb.Command_ReleaseLeases:
		for _, b := range op.ReleaseLeases.Blocks {
			l := record.LeaseName{Volume: shard.VolumeID(b.Volume), Block: b.Block}
			if m.leases[l] == keys.ID(c.Session) {
				delete(m.leases, l)
			}
		}
		return &metapb.Result{}
	case *metapb.Command_CreateBucket:
		return m.createBucket(c, op.CreateBucket)
	case *metapb.Command_SetBucketConfig:
		return m.setBucketConfig(c, op.SetBucketConfig)
	case *metapb.Command_SetBucketQuota:
		return m.setBucketQuota(op.SetBucketQuota)
	case *metapb.Command_WriteEntries:
		return m.writeEntries(op.WriteEntries)
	case *metapb.Command_DeleteBucket:
		return m.deleteBucket(op.DeleteBucket.Name)
	case *metapb.Command_PutObject:
		return m.putObject(c, op.PutObject)
	case *metapb.Command_DeleteObjects:
		return m.deleteObjects(c, op.DeleteObjects)
	case *metapb.Command_UpdateVersion:
		return m.updateVersion(c, op.UpdateVersion)
	case *metapb.Command_ExpireVersions:
		return m.expireVersions(c, op.ExpireVersions)
	case *metapb.Command_TransitionVersion:
		return m.transitionVersion(c, op.TransitionVersion)
	case *metapb.Command_DropEvents:
		return m.dropEvents(op.DropEvents)
	case *metapb.Command_CreateUpload:
		return m.createUpload(c, op.CreateUpload.Upload)
	case *metapb.Command_PutPart:
		return m.putPart(c, op.PutPart)
	case *metapb.Command_CompleteUpload:
		return m.complete(c, op.CompleteUpload)
	case *metapb.Command_AbortUpload:
		id := keys.ID(op.AbortUpload.UploadId)
		u, refusal := m.upload(id, op.AbortUpload.Bucket, op.AbortUpload.Key)
		if refusal != nil || u.Completed != nil {
			return cmp.Or(refusal, no(metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD))
		}
		delete(m.uploads, id)
		delete(m.states, id)
		m.drop(id, true)
		return &metapb.Result{}
	case *metapb.Command_ForgetUploads:
		for _, b := range op.ForgetUploads.UploadIds {
			if u := m.uploads[keys.ID(b)]; u != nil && u.Completed != nil {
				delete(m.uploads, keys.ID(b))
			}
		}
		return &metapb.Result{}
	case *metapb.Command_AddPin:
		if m.pins[keys.ID(op.AddPin.Pin)] != nil {
			return no(metapb.Refusal_REFUSAL_ALREADY_DONE)
		}
		if refusal := m.check(c, op.AddPin.Extents, nil); refusal != nil {
			return refusal
		}
		m.pins[keys.ID(op.AddPin.Pin)] = &metapb.Pin{Session: c.Session, Extents: op.AddPin.Extents}
		return &metapb.Result{}
	case *metapb.Command_DropPins:
		for _, b := range op.DropPins.Pins {
			m.dropPin(c, b)
		}
		return &metapb.Result{}
	case *metapb.Command_SetMissing:
		return m.setMissing(op.SetMissing)
	case *metapb.Command_DoomExtents:
		for _, e := range op.DoomExtents.Extents {
			id := record.ExtentID(e.Volume, e.Seq)
			if rec := m.extents[id]; rec != nil && rec.GcIndex != 0 && rec.GcIndex < op.DoomExtents.BeforeIndex {
				delete(m.extents, id)
				m.doomed[id] = &metapb.Doomed{Slots: 7, Epoch: m.volumes[id.Volume-1].Epoch}
			}
		}
		return &metapb.Result{}
	case *metapb.Command_ForgetExtents:
		for _, e := range op.ForgetExtents.Extents {
			id := record.ExtentID(e.Volume, e.Seq)
			if d := m.doomed[id]; d != nil {
				if d.Slots &^= e.Slots; d.Slots == 0 {
					delete(m.doomed, id)
				}
			}
		}
		return &metapb.Result{}
	case *metapb.Command_ReplaceExtent:
		return m.replace(c, op.ReplaceExtent)
	case *metapb.Command_TrimContents:
		m.budget = int(op.TrimContents.Max)
		for _, b := range op.TrimContents.ContentIds {
			id := keys.ID(b)
			if m.dropped[id] != nil && (m.budget <= 0 || !m.trim(id)) {
				return &metapb.Result{More: true}
			}
		}
		return &metapb.Result{}
	}
	return m.doLife(c)
}

func (m *model) openSession(c *metapb.OpenSession) *metapb.Result {
	id := keys.ID(c.Session)
	if s := m.sessions[id]; s != nil {
		if s.rec.Ended != 0 || s.rec.Node != c.Node {
			return no(metapb.Refusal_REFUSAL_STALE_SESSION)
		}
		return &metapb.Result{}
	}
	m.endSessions(c.Node)
	var ended []keys.ID
	for id, s := range m.sessions {
		if s.rec.Node == c.Node {
			ended = append(ended, id)
		}
	}
	slices.SortFunc(ended, func(a, b keys.ID) int {
		return cmp.Compare(m.sessions[b].rec.Opened, m.sessions[a].rec.Opened)
	})
	for i, id := range ended {
		if i >= 16 {
			delete(m.sessions, id)
		}
	}
	m.sessions[id] = &modelSession{rec: &metapb.Session{Node: c.Node, Opened: m.index}, results: map[uint64]*metapb.Result{}}
	return &metapb.Result{}
}

func (m *model) endSessions(node uint64) {
	for old, s := range m.sessions {
		if s.rec.Node != node || s.rec.Ended != 0 {
			continue
		}
		s.rec.Ended = m.index
		s.results = nil
		maps.DeleteFunc(m.leases, func(_ record.LeaseName, s keys.ID) bool { return s == old })
		maps.DeleteFunc(m.pins, func(_ keys.ID, p *metapb.Pin) bool { return keys.ID(p.Session) == old })
	}
}

func (m *model) registerNode(c *metapb.RegisterNode) *metapb.Result {
	n := c.Node
	switch {
	case c.ClusterId != "" && c.ClusterId != m.cluster.Id:
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_OTHER_CLUSTER, ClusterId: m.cluster.Id}
	case m.incompatible(n):
		return no(metapb.Refusal_REFUSAL_INCOMPATIBLE)
	}
	for _, other := range m.nodes {
		for _, d := range other.Drives {
			for _, mine := range n.Drives {
				if d.Id == mine.Id && other.Id != n.Id {
					return no(metapb.Refusal_REFUSAL_DRIVE_ELSEWHERE)
				}
			}
		}
	}
	return m.register(n)
}

func (m *model) createVolumes(c *metapb.CreateVolumes) *metapb.Result {
	if c.ViewEpoch != m.cluster.ViewEpoch {
		return no(metapb.Refusal_REFUSAL_STALE_EPOCH)
	}
	r := &metapb.Result{}
	for _, v := range c.Volumes {
		m.cluster.LastVolume++
		v.Id, v.Epoch = m.cluster.LastVolume, 1
		m.volumes = append(m.volumes, v)
		m.next = append(m.next, m.cluster.FirstBlock)
		r.Volumes = append(r.Volumes, v.Id)
	}
	m.cluster.ViewEpoch++
	return r
}

func (m *model) lease(c *metapb.Command, op *metapb.LeaseExtents) *metapb.Result {
	for _, v := range op.Volumes {
		if v == 0 || int(v) > len(m.volumes) {
			return no(metapb.Refusal_REFUSAL_NO_SUCH_VOLUME)
		}
	}
	r := &metapb.Result{}
	for _, v := range op.Volumes {
		r.Leases = append(r.Leases, &metapb.LeaseBlock{Volume: v, Block: m.next[v-1]})
		m.leases[record.LeaseName{Volume: shard.VolumeID(v), Block: m.next[v-1]}] = keys.ID(c.Session)
		m.next[v-1]++
	}
	return r
}

func (m *model) deleteBucket(name string) *metapb.Result {
	b := m.buckets[name]
	if b == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	for n, list := range m.versions {
		if n.bucket == b.Id && len(list) > 0 {
			return no(metapb.Refusal_REFUSAL_BUCKET_NOT_EMPTY)
		}
	}
	for _, u := range m.uploads {
		if u.BucketId == b.Id && u.Completed == nil {
			return no(metapb.Refusal_REFUSAL_BUCKET_NOT_EMPTY)
		}
	}
	delete(m.buckets, name)
	delete(m.configs, b.Id)
	return m.changed(&metapb.Result{})
}

// check checks references and new extents, and makes these known.
func (m *model) check(c *metapb.Command, refs []*metapb.ExtentRef, fresh []*metapb.NewExtent) *metapb.Result {
	isFresh := map[shard.ExtentID]*metapb.NewExtent{}
	for _, n := range fresh {
		isFresh[record.ExtentID(n.Volume, n.Seq)] = n
	}
	for _, r := range refs {
		id := record.ExtentID(r.Volume, r.Seq)
		n := isFresh[id]
		switch {
		case n == nil && m.extents[id] == nil:
			return no(metapb.Refusal_REFUSAL_EXTENT_GONE)
		case n == nil:
			continue
		case m.leases[record.LeaseName{Volume: id.Volume, Block: (id.Seq - 1) / 256}] != keys.ID(c.Session):
			return no(metapb.Refusal_REFUSAL_LEASE_GONE)
		case m.extents[id] != nil || m.doomed[id] != nil:
			return no(metapb.Refusal_REFUSAL_INVALID)
		}
		// All of three shards are the quorum of 2+1.
		moved := 7 &^ m.stayed(n.Volume, n.VolumeEpoch) &^ n.Extent.Missing
		if n.Extent.Missing &= 7; moved != 0 {
			return no(metapb.Refusal_REFUSAL_SLOTS_MOVED)
		}
	}
	for id, n := range isFresh {
		m.extents[id] = n.Extent
		m.arrived(n.Volume, ^n.Extent.Missing)
	}
	return nil
}

func (m *model) putObject(c *metapb.Command, op *metapb.PutObject) *metapb.Result {
	b := m.buckets[op.Bucket]
	if b == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	id, name := keys.ID(op.Version.ContentId), objectName{b.Id, op.Key}
	m.judge(c, b)
	if refusal := conditionsMet(op.Conditions, m.versions[name]); refusal != nil {
		return refusal
	}
	if refusal := m.lockNew(b, op.Version); refusal != nil {
		return refusal
	}
	if !m.nameVersion(b, op.Key, op.Version, binary.BigEndian.Uint64(id[:])) {
		return no(metapb.Refusal_REFUSAL_INVALID)
	}
	if m.overQuota(b, op.Key, op.Version, 0) {
		return no(metapb.Refusal_REFUSAL_QUOTA)
	}
	if refusal := m.check(c, op.Part.Extents, op.Extents); refusal != nil {
		return refusal
	}
	op.Part.Number, op.Part.ModifiedMs = 1, c.TimeMs
	m.parts[partName{id, 1}] = op.Part
	m.addVersion(c, name, op.Version)
	m.tell(c, b, cmp.Or(op.Event, metapb.EventKind_EVENT_PUT), op.Key, op.Version)
	return &metapb.Result{Version: op.Version}
}

func (m *model) upload(id keys.ID, bucket, key string) (*metapb.Upload, *metapb.Result) {
	b, u := m.buckets[bucket], m.uploads[id]
	if b == nil {
		return nil, no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	if u == nil || u.BucketId != b.Id || u.Key != key {
		return nil, no(metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD)
	}
	return u, nil
}

func (m *model) createUpload(c *metapb.Command, u *metapb.Upload) *metapb.Result {
	b, id := m.buckets[u.Bucket], keys.ID(u.Id)
	if b == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	if m.uploads[id] != nil || m.layouts[id] != nil || m.dropped[id] != nil || m.parts[partName{id, 1}] != nil {
		return no(metapb.Refusal_REFUSAL_INVALID)
	}
	u.BucketId, u.Order, u.InitiatedMs = b.Id, m.index, c.TimeMs
	m.uploads[id], m.states[id] = u, &metapb.UploadState{}
	return &metapb.Result{}
}

func (m *model) putPart(c *metapb.Command, op *metapb.PutPart) *metapb.Result {
	id := keys.ID(op.UploadId)
	u, refusal := m.upload(id, op.Bucket, op.Key)
	switch {
	case refusal != nil:
		return refusal
	case u.Completed != nil:
		return no(metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD)
	case op.Initiator != "" && op.Initiator != u.Initiator:
		return no(metapb.Refusal_REFUSAL_NOT_INITIATOR)
	}
	name := partName{id, op.Part.Number}
	if m.grows(m.buckets[op.Bucket], m.parts[name].GetSize(), op.Part.Size) {
		return no(metapb.Refusal_REFUSAL_QUOTA)
	}
	if refusal := m.check(c, op.Part.Extents, op.Extents); refusal != nil {
		return refusal
	}
	if m.parts[name] == nil {
		m.states[id].Parts++
	}
	m.states[id].Revision++
	m.states[id].Bytes += op.Part.Size - m.parts[name].GetSize()
	op.Part.ModifiedMs = c.TimeMs
	m.parts[name] = op.Part
	m.dropPin(c, op.Pin)
	return &metapb.Result{}
}

func (m *model) dropPin(c *metapb.Command, id []byte) {
	if len(id) != 16 {
		return
	}
	if p := m.pins[keys.ID(id)]; p != nil && bytes.Equal(p.Session, c.Session) {
		delete(m.pins, keys.ID(id))
	}
}

func (m *model) complete(c *metapb.Command, op *metapb.CompleteUpload) *metapb.Result {
	id := keys.ID(op.UploadId)
	u, refusal := m.upload(id, op.Bucket, op.Key)
	switch {
	case refusal != nil:
		return refusal
	case op.Initiator != "" && op.Initiator != u.Initiator:
		return no(metapb.Refusal_REFUSAL_NOT_INITIATOR)
	case u.Completed != nil && bytes.Equal(u.Completed.ListDigest, op.ListDigest):
		return &metapb.Result{Version: u.Completed.Version}
	case u.Completed != nil:
		return no(metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD)
	case m.states[id].Revision != op.Revision:
		return no(metapb.Refusal_REFUSAL_UPLOAD_CHANGED)
	}
	name := objectName{u.BucketId, u.Key}
	m.judge(c, m.buckets[op.Bucket])
	if refusal := conditionsMet(op.Conditions, m.versions[name]); refusal != nil {
		return refusal
	}
	if op.Version.Retention == nil {
		op.Version.Retention = u.Retention
	}
	op.Version.LegalHold = op.Version.LegalHold || u.LegalHold
	if refusal := m.lockNew(m.buckets[op.Bucket], op.Version); refusal != nil {
		return refusal
	}
	if !m.nameVersion(m.buckets[op.Bucket], u.Key, op.Version, binary.BigEndian.Uint64(id[:])) {
		return no(metapb.Refusal_REFUSAL_INVALID)
	}
	if m.overQuota(m.buckets[op.Bucket], u.Key, op.Version, m.states[id].Bytes) {
		return no(metapb.Refusal_REFUSAL_QUOTA)
	}
	op.Version.ContentId = id[:]
	if op.Version.Acl == nil {
		op.Version.Acl = u.Acl
	}
	if op.Version.Tags == nil {
		op.Version.Tags = u.Tags
	}
	m.addVersion(c, name, op.Version)
	m.layouts[id] = op.Layout
	u.Completed = &metapb.CompletedUpload{ListDigest: op.ListDigest, Version: op.Version, Index: m.index}
	if int(m.states[id].Parts) > len(op.Layout.Numbers) {
		m.dropped[id] = &metapb.DroppedContent{Index: m.index, Unlisted: true}
		m.trim(id)
	}
	delete(m.states, id)
	m.tell(c, m.buckets[op.Bucket], metapb.EventKind_EVENT_COMPLETE, op.Key, op.Version)
	return &metapb.Result{Version: op.Version}
}

func (m *model) drop(id keys.ID, multipart bool) {
	if !multipart {
		p := m.parts[partName{id, 1}]
		if cost := 1 + len(p.Extents); cost <= m.budget {
			m.budget -= cost
			delete(m.parts, partName{id, 1})
			return
		}
	}
	m.dropped[id] = &metapb.DroppedContent{Index: m.index}
	m.trim(id)
}

// trim goes past parts of a dropped content in order; reports whether to the end.
func (m *model) trim(id keys.ID) bool {
	d := m.dropped[id]
	for _, n := range slices.Sorted(maps.Keys(m.numbersOf(id))) {
		if n < d.Next {
			continue
		}
		name := partName{id, n}
		p := m.parts[name]
		kept := d.Unlisted && slices.Contains(m.layouts[id].Numbers, n)
		cost := 1
		if !kept {
			cost += len(p.Extents)
		}
		if cost > m.budget {
			if gone := min(m.budget, len(p.Extents)); gone > 0 && !kept {
				m.parts[name] = &metapb.Part{Number: n, Size: p.Size, Extents: p.Extents[gone:]}
			}
			m.budget = 0
			d.Next = n
			return false
		}
		m.budget -= cost
		if !kept {
			delete(m.parts, name)
		}
	}
	delete(m.dropped, id)
	if !d.Unlisted {
		delete(m.layouts, id)
	}
	return true
}

func (m *model) numbersOf(id keys.ID) map[uint32]bool {
	numbers := map[uint32]bool{}
	for n := range m.parts {
		if n.content == id {
			numbers[n.number] = true
		}
	}
	return numbers
}

func (m *model) replace(c *metapb.Command, op *metapb.ReplaceExtent) *metapb.Result {
	oldID, newID := record.ExtentID(op.OldVolume, op.OldSeq), record.ExtentID(op.Extent.Volume, op.Extent.Seq)
	old := m.extents[oldID]
	if old == nil || old.GcIndex != 0 {
		return no(metapb.Refusal_REFUSAL_EXTENT_GONE)
	}
	if oldID == newID {
		return no(metapb.Refusal_REFUSAL_INVALID)
	}
	if m.extents[newID] == nil {
		ref := []*metapb.ExtentRef{{Volume: op.Extent.Volume, Seq: op.Extent.Seq}}
		if refusal := m.check(c, ref, []*metapb.NewExtent{op.Extent}); refusal != nil {
			return refusal
		}
	}
	for _, p := range m.parts {
		rewriteRefs(p.Extents, oldID, newID)
	}
	for _, p := range m.pins {
		rewriteRefs(p.Extents, oldID, newID)
	}
	return &metapb.Result{}
}

// dump renders the model as State.Dump does, the derived records counted afresh.
func (m *model) dump() string {
	lines := map[string]string{}
	add := func(k keys.Key, rec proto.Message) {
		line := k.String() + ":"
		if rec != nil {
			line += check.Format(rec.ProtoReflect())
		}
		lines[string(k.Append(nil))] = line
	}
	sums := &metapb.Applied{Index: m.index, Term: 1, Buckets: uint64(len(m.buckets)),
		ExtentsDoomed: uint64(len(m.doomed)), ContentsDropped: uint64(len(m.dropped)),
		ConfigRevision: m.configRevision, DirectoryRevision: m.directoryRevision, Entries: uint64(len(m.entries)), ClockMs: m.clockMS}
	raw := func(k keys.Key, value []byte) {
		lines[string(k.Append(nil))] = fmt.Sprintf("%s: %x", k, value)
	}
	m.dumpConfig(add)
	m.dumpUsage(add)
	m.dumpVersions(add, raw)
	m.dumpEvents(add)
	if m.cluster.ViewEpoch > 0 {
		add(keys.Key{Kind: keys.KindCluster}, m.cluster)
	}
	for id, n := range m.nodes {
		add(keys.Key{Kind: keys.KindNode, Node: id}, n)
	}
	for i, v := range m.volumes {
		add(keys.Key{Kind: keys.KindVolume, Volume: shard.VolumeID(v.Id)}, v)
		if m.next[i] > 0 {
			raw(keys.Key{Kind: keys.KindNextBlock, Volume: shard.VolumeID(v.Id)}, binary.BigEndian.AppendUint64(nil, m.next[i]))
		}
	}
	for l, s := range m.leases {
		add(keys.Key{Kind: keys.KindLease, Volume: l.Volume, Block: l.Block}, &metapb.Lease{Session: s[:]})
	}
	for name, b := range m.buckets {
		add(keys.Key{Kind: keys.KindBucket, Name: name}, b)
	}
	for n, p := range m.parts {
		add(keys.Key{Kind: keys.KindPart, ID: n.content, Part: n.number}, p)
		for _, r := range p.Extents {
			add(keys.Key{Kind: keys.KindRef, Extent: record.ExtentID(r.Volume, r.Seq),
				Owner: keys.Owner{ID: n.content, Number: n.number}}, nil)
		}
	}
	for id, p := range m.pins {
		add(keys.Key{Kind: keys.KindPin, ID: id}, p)
		for _, r := range p.Extents {
			add(keys.Key{Kind: keys.KindRef, Extent: record.ExtentID(r.Volume, r.Seq),
				Owner: keys.Owner{Pin: true, ID: id}}, nil)
		}
	}
	for id, l := range m.layouts {
		add(keys.Key{Kind: keys.KindLayout, ID: id}, l)
	}
	for id, d := range m.dropped {
		add(keys.Key{Kind: keys.KindDropped, ID: id}, d)
	}
	for id, u := range m.uploads {
		add(keys.Key{Kind: keys.KindUpload, ID: id}, u)
		if u.Completed != nil {
			add(keys.Key{Kind: keys.KindCompleted, Index: u.Completed.Index, ID: id}, nil)
		} else {
			add(keys.Key{Kind: keys.KindOpenUpload, Bucket: u.BucketId, Name: u.Key, Order: u.Order, ID: id}, nil)
		}
	}
	for id, s := range m.states {
		add(keys.Key{Kind: keys.KindUploadState, ID: id}, s)
	}
	for id, e := range m.extents {
		add(keys.Key{Kind: keys.KindExtent, Extent: id}, e)
		if e.GcIndex != 0 {
			sums.ExtentsGc++
			add(keys.Key{Kind: keys.KindUnreferenced, Index: e.GcIndex, Extent: id}, nil)
		}
		if e.Missing != 0 {
			sums.ExtentsMissing++
			add(keys.Key{Kind: keys.KindMissing, Extent: id}, nil)
		}
	}
	for id, d := range m.doomed {
		add(keys.Key{Kind: keys.KindDoomed, Extent: id}, d)
	}
	for id, s := range m.sessions {
		add(keys.Key{Kind: keys.KindSession, ID: id}, s.rec)
		for seq, r := range s.results {
			add(keys.Key{Kind: keys.KindResult, ID: id, Seq: seq}, r)
		}
	}
	m.dumpLife(add)
	add(keys.Key{Kind: keys.KindApplied}, sums)
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(lines)) {
		b.WriteString(lines[k] + "\n")
	}
	return b.String()
}
