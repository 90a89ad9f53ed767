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

// Backup writes a backup of the state to w, with everything that was acknowledged before the
// call, and signs it with the key mac. It returns the head with Index and Term filled in. Only
// the leader makes backups: a follower may be behind. Errors: Unavailable where this node does
// not lead, or there is nothing yet; Internal where no snapshot can be taken; those of w and
// ctx.
func (g *Group) Backup(ctx context.Context, w io.Writer, head snapshot.BackupHead,
	mac []byte) (snapshot.BackupHead, error) {
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
	// A backup is the stream of the newest snapshot. Where nothing is new, that is the last one.
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

// Restore makes metadata of a backup in cfg.Dir, in which this node is the only voter, and
// begins a new era: the given one, or that after the backup's if it is later. Whatever was
// written after the backup is lost. Where Restore fails, it removes cfg.Dir again. Errors:
// Exists where Dir holds metadata already; Corrupt and Invalid (snapshot.OpenBackup).
func Restore(cfg Config, era uint64, r io.Reader, mac []byte) (snapshot.BackupHead, Recovered, error) {
	const op = "group.Restore"
	if names, err := cfg.FS.List(cfg.Dir); err == nil && len(names) > 0 {
		return snapshot.BackupHead{}, Recovered{},
			errs.Newf(op, errs.Exists, "%s holds metadata already: move it away first", cfg.Dir)
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
	o.id = serverID(cfg.Node, newIncarnation()) // What the node had promised before is lost.
	rec, err := o.restore(b, max(era, h.Era+1))
	err = errors.Join(err, o.close())
	if err != nil {
		// Half of it must not be taken for metadata.
		return h, rec, errors.Join(errs.Wrap(op, err), cfg.FS.RemoveAll(cfg.Dir))
	}
	return h, rec, nil
}

// restore replaces the empty state by that of the backup, and begins the era.
func (o *offline) restore(b *snapshot.Backup, era uint64) (Recovered, error) {
	err := o.fsm.state.restore(func(dir string) (uint64, uint64, error) {
		return b.Unpack(o.cfg.FS, dir)
	})
	if err != nil {
		return Recovered{}, fmt.Errorf("unpack the backup: %w", err)
	}
	return o.begin(b.Head.Index, b.Head.Term, era)
}
