package group

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/snapshot"
)

// Backup writes a consistent copy of the state, with all that was acknowledged before
// the call. mac is the key that signs it; Index and Term of the head are filled in.
// Leader only. Errors: Unavailable (this node does not lead), or those of w.
func (g *Group) Backup(ctx context.Context, w io.Writer, head snapshot.BackupHead, mac []byte) (snapshot.BackupHead, error) {
	const op = "group.Backup"
	if !g.enter() {
		return head, errNotLeader
	}
	defer g.leave()
	if !g.IsLeader() {
		return head, errNotLeader
	}
	if err := g.raft.Barrier(g.cfg.Timing.RPC).Error(); err != nil {
		return head, errs.New(op, errs.Unavailable, err)
	}
	// What is new since the latest snapshot makes another one; else that one it is.
	err := g.raft.Snapshot().Error()
	if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		return head, errs.New(op, errs.Internal, err)
	}
	latest := g.snaps.Latest()
	if latest == nil {
		return head, errs.Newf(op, errs.Unavailable, "the metadata hold nothing yet")
	}
	meta, stream, err := g.snaps.Open(latest.Raft.ID)
	if err != nil {
		return head, errs.New(op, errs.Internal, err)
	}
	defer stream.Close()
	head.Index, head.Term = meta.Index, meta.Term
	return head, snapshot.WriteBackup(ctx, w, head, mac, stream)
}

// Restore makes the metadata of a new single voter from a backup, as of a new era:
// whatever was written after the backup is lost to it. Nothing is there before all of
// it is. Errors: Corrupt, Invalid, Exists (Dir holds metadata already).
func Restore(cfg Config, era uint64, r io.Reader, mac []byte) (snapshot.BackupHead, Recovered, error) {
	const op = "group.Restore"
	if names, err := cfg.FS.List(cfg.Dir); err == nil && len(names) > 0 {
		return snapshot.BackupHead{}, Recovered{}, errs.Newf(op, errs.Exists, "%s holds metadata already: move it away first", cfg.Dir)
	}
	b, err := snapshot.OpenBackup(r, mac)
	h := b.Head
	if err != nil {
		return h, Recovered{}, err
	}
	o, err := openOffline(cfg)
	if err != nil {
		return h, Recovered{}, errs.Wrap(op, err)
	}
	o.id = serverID(cfg.Node, newIncarnation()) // What it was before is lost.
	rec, err := o.restore(b, max(era, h.Era+1))
	err = errors.Join(err, o.close())
	if err != nil {
		// Half of it must not be taken for metadata.
		return h, rec, errors.Join(errs.Wrap(op, err), cfg.FS.RemoveAll(cfg.Dir))
	}
	return h, rec, nil
}

func (o *offline) restore(b *snapshot.Backup, era uint64) (Recovered, error) {
	err := o.fsm.state.restore(func(dir string) (uint64, uint64, error) {
		return b.Unpack(o.cfg.FS, dir)
	})
	if err != nil {
		return Recovered{}, fmt.Errorf("unpack the backup: %w", err)
	}
	return o.begin(b.Head.Index, b.Head.Term, era)
}
