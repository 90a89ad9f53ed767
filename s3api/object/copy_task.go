package object

import (
	"context"
	"math/bits"
	"time"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lanes"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Task is one extent of a copy, described so that any node can make it: read, open, seal, encode,
// write. It holds data keys. Whoever has a Task wipes it.
type Task struct {
	Source *metapb.ContentAnswer // All pieces of the extent's plaintext, without envelopes.
	Keys   []*sse.DataKey        // Of the source. ExtentRef.envelope is an index + 1 into them.

	Extent shard.ExtentID // What to write: a number under a lease of the asking node.
	Epoch  uint32         // The epoch of its volume, as the asking node knows it.
	Key    *sse.DataKey   // Of the destination; nil: not encrypted.
	SealID []byte         // Of the new extent, and of no other; empty where Key is nil.
}

// Wipe clears the keys of the task.
func (t *Task) Wipe() {
	for _, k := range t.Keys {
		k.Wipe()
	}
	t.Key.Wipe()
}

// Bounds of what is sent with one task. A run of more and smaller pieces is done on the node that
// has looked them up.
const (
	maxTaskPieces = 1024    // Pieces of the source.
	maxTaskInline = 1 << 20 // Bytes of inline pieces together.
)

// valid returns an error of the kind Invalid if a task that came from another node does not make
// sense. Nothing of such a task may be used: indices into it are not checked again.
func (t *Task) valid() error {
	left := t.Source.GetLength()
	bad := left == 0 || left > shard.ExtentMaxBytes || len(t.Source.Pieces) > maxTaskPieces ||
		(t.Key == nil) != (len(t.SealID) == 0) || t.Key != nil && len(t.SealID) != sse.SealIDBytes
	for _, p := range t.Source.GetPieces() {
		n, sealed := p.GetRef().GetLength(), p.GetRef().GetEnvelope() != 0
		bad = bad || n > left || int(p.GetRef().GetEnvelope()) > len(t.Keys)
		if x := p.GetExtent(); x != nil {
			bad = bad || x.PlainBytes > shard.ExtentMaxBytes || sealed && len(x.SealId) != sse.SealIDBytes
		}
		if bad {
			break
		}
		left -= n
	}
	if bad || left != 0 {
		return errs.Newf("object.DoTask", errs.Invalid, "the task for extent %s does not describe %d bytes of plaintext and their keys",
			t.Extent, t.Source.GetLength())
	}
	return nil
}

// Workers are the other nodes as far as they help with copies.
type Workers interface {
	// Nodes returns the other nodes that are thought alive.
	Nodes() []cluster.NodeID
	// Do has a node do a task and returns the record of the extent, which is durable on a quorum of
	// its slots. Errors: Overloaded (the node has enough to do), Unavailable, Canceled, or what the
	// task met there. What a failed task wrote is deleted by the node if it can, else by the
	// caller. Do keeps nothing of t.
	Do(ctx context.Context, node cluster.NodeID, t *Task) (*metapb.Extent, error)
}

// DoTask does a task for another node and returns the record of the extent, which is durable on a
// quorum. It keeps nothing of t and does not wipe it. Errors: Overloaded, at once, if this node has
// enough to do; Unavailable, also if the volume has another epoch here; Corrupt; Canceled; Invalid.
// After an error nothing is left in the store, except what a drive could not be told to delete.
func (s *Service) DoTask(ctx context.Context, t *Task) (_ *metapb.Extent, err error) {
	const op = "object.DoTask"
	if err := t.valid(); err != nil {
		return nil, err
	}
	size := int64(t.Source.Length)
	end := s.lanes.Serve(s.taskBound(size))
	if end == nil {
		return nil, errs.Newf(op, errs.Overloaded, "this node has as many copy tasks as it should")
	}
	defer end()
	ended := s.taskEvents(TaskServed)
	defer func() { ended(err) }()
	top, err := s.topology.Topology(ctx)
	if err != nil {
		return nil, errs.Wrap(op, err)
	}
	v := top.Volumes[t.Extent.Volume]
	if v == nil || v.Epoch != t.Epoch {
		return nil, errs.Newf(op, errs.Unavailable, "volume %d is not known here at epoch %d", t.Extent.Volume, t.Epoch)
	}
	r, stop := s.stream(ctx, s.taskContent(t))
	defer stop()
	req := stripe.WriteRequest{Extent: t.Extent, Volume: v, PlainBytes: size, Source: r}
	if t.Key != nil {
		req.Sealer = sse.NewSealer(t.Key, t.SealID, size)
	}
	p, err := s.engine.Write(ctx, req)
	if err != nil {
		return nil, err
	}
	done, err := p.Wait()
	if err == nil && !done.Quorum() {
		err = errs.Newf(op, errs.Unavailable, "extent %s: %d of %d shards durable", t.Extent, done.Durable.Len(), v.Scheme.N())
	}
	if err != nil {
		p.Discard(context.WithoutCancel(ctx))
		return nil, err
	}
	s.alloc.Suspect(v, done.Missing())
	return extentRecord(done, t.SealID), nil
}

// taskContent returns the plaintext that a task reads. It is read where the task says or not at
// all: this node looks nothing up.
func (s *Service) taskContent(t *Task) *content {
	page := &metapb.ContentAnswer{Pieces: t.Source.Pieces, Length: t.Source.Length}
	keys := make(map[*metapb.Envelope]*sse.DataKey, len(t.Keys))
	for _, k := range t.Keys {
		e := new(metapb.Envelope) // It is empty: its key is open already.
		keys[e], page.Envelopes = k, append(page.Envelopes, e)
	}
	return &content{s: s, length: t.Source.Length, page: page, paged: t.Source.Length, keys: keys, final: true}
}

// remote has the lane's node do task i. The extent's number is this node's, so what a failed task
// left behind is deleted from here.
func (p *parallelCopy) remote(ctx context.Context, at *lanes.Lane, i int) error {
	t, err := p.task(ctx, p.runs[i])
	if err != nil {
		return err
	}
	defer t.Wipe()
	g, err := p.s.alloc.Grant(ctx, p.at)
	if err != nil {
		return err
	}
	t.Extent, t.Epoch = g.ID, g.Volume.Epoch
	x, err := p.s.workers.Do(ctx, at.Node, t)
	if err == nil {
		err = madeAsAsked(x, t, g)
	}
	if err != nil {
		if ctx.Err() == nil {
			at.Err = err
		}
		p.s.discard(ctx, g, nil)
		return err
	}
	p.s.alloc.Suspect(g.Volume, shard.SlotSet(x.Missing))
	to := &extentWrite{grant: g, sealID: t.SealID, plain: p.runs[i].length}
	p.made[i].grants = append(p.made[i].grants, to)
	p.made[i].add(to, x, p.envelope)
	return nil
}

// task returns what another node has to know to store a run, except under which extent id. The
// caller wipes it. It returns an error if there is more than may be sent with a task.
func (p *parallelCopy) task(ctx context.Context, r run) (*Task, error) {
	src := p.s.sourceContent(p.src).slice(uint64(r.off), uint64(r.length))
	defer src.close()
	pieces, err := src.pieces(ctx, maxTaskPieces)
	if err != nil {
		return nil, err
	}
	inline := 0
	for _, q := range pieces {
		inline += len(q.Inline)
	}
	if pieces == nil || inline > maxTaskInline {
		return nil, errs.Newf("object.task", errs.Invalid, "the pieces are too many to be sent")
	}
	t := &Task{Source: &metapb.ContentAnswer{Length: uint64(r.length)}}
	var last *metapb.Envelope
	for _, q := range pieces {
		if q.envelope != nil && q.envelope != last {
			k, err := src.key(ctx, q)
			if err != nil {
				t.Wipe()
				return nil, err
			}
			t.Keys, last = append(t.Keys, k.Clone()), q.envelope
		}
		ref := &metapb.ExtentRef{Volume: q.Ref.Volume, Seq: q.Ref.Seq, Offset: q.Ref.Offset, Length: q.Ref.Length}
		if q.envelope != nil {
			ref.Envelope = uint32(len(t.Keys))
		}
		t.Source.Pieces = append(t.Source.Pieces, &metapb.Piece{Ref: ref, Extent: q.Extent, Inline: q.Inline, InlineSealId: q.InlineSealId})
	}
	if p.key != nil {
		t.Key, t.SealID = p.key.Clone(), sse.NewSealID()
	}
	return t, nil
}

// madeAsAsked checks the record that another node returned for a task. It is compared with what
// this node would have made, because the commit takes over what it says.
func madeAsAsked(x *metapb.Extent, t *Task, g alloc.Grant) error {
	overhead := 0
	if t.Key != nil {
		overhead = sse.TagBytes
	}
	want := stripe.NewGeometry(g.Volume.Scheme, int64(t.Source.Length), overhead)
	missing := bits.OnesCount32(x.GetMissing())
	if x.GetPlainBytes() != t.Source.Length || int(x.Overhead) != overhead || int(x.FullBlocks) != want.FullBlocks ||
		int(x.TailBlockBytes) != want.TailBlockBytes || string(x.SealId) != string(t.SealID) ||
		g.Volume.Scheme.N()-missing < g.Volume.Scheme.Quorum() {
		return errs.Newf("object.task", errs.Internal, "extent %s was not made as it was asked for", g.ID)
	}
	return nil
}

// TaskPlace says on which node a task of a copy runs, and who counts it.
type TaskPlace string

// The values of TaskPlace, as metrics name them.
const (
	TaskHere   TaskPlace = "here"   // On the node that copies.
	TaskSent   TaskPlace = "sent"   // On another node, counted by the node that copies.
	TaskServed TaskPlace = "served" // On another node, counted by that one.
)

// taskEvents tells that a task has begun. The caller calls what it returns when the task has ended.
func (s *Service) taskEvents(at TaskPlace) func(error) {
	s.events.TaskBegan(at)
	began := time.Now()
	return func(err error) {
		s.events.TaskEnded(at, time.Since(began), err)
	}
}
