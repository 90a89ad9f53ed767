package snapshot

import (
	"strconv"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/files"
)

// Sink makes one snapshot, either of a checkpoint that is persisted to it or of a stream that
// is written to it. It is a snapshot once Close has returned without an error. A Sink is
// used by one goroutine.
type Sink struct {
	snaps  *Store
	meta   Meta      // Number is 0 while there is no directory.
	unpack *unpacker // Nil unless a stream is written.
	closed bool
}

// ID implements raft.SnapshotSink. It is "0" until a checkpoint was persisted or the first
// bytes of a stream were written.
func (k *Sink) ID() string { return strconv.FormatUint(k.meta.Number, 10) }

// MarkReceived makes the snapshot one that the log need not reach, as if a leader had sent
// it. Call it before Close.
func (k *Sink) MarkReceived() { k.meta.Received = true }

// adopt takes the directory of a checkpoint over.
func (k *Sink) adopt(c *Checkpoint) {
	c.adopted = true
	k.meta.Number, k.meta.StateIndex, k.meta.StateTerm = c.number, c.index, c.term
}

// Write takes the next piece of a stream. Errors: Corrupt, or those of the file system; the
// caller cancels then.
func (k *Sink) Write(p []byte) (int, error) {
	if k.unpack == nil {
		n, err := k.snaps.newDir()
		if err != nil {
			return 0, err
		}
		k.meta.Number, k.meta.Received = n, true
		dir := k.snaps.statePath(n)
		if err := files.MkdirSynced(k.snaps.fs, dir); err != nil {
			return 0, err
		}
		k.unpack = newUnpacker(k.snaps.fs, dir)
	}
	return k.unpack.Write(p)
}

// Close makes the snapshot durable and, where there are too many, removes the oldest. Where
// it returns an error, nothing of the snapshot is left. Errors: Corrupt where a stream ends
// early, or nothing was given.
func (k *Sink) Close() error {
	if k.closed {
		return nil
	}
	k.closed = true
	if err := k.finish(); err != nil {
		_ = k.discard()
		return err
	}
	return nil
}

// finish writes the meta file, which makes a snapshot of the directory. It comes last: all
// that it names is durable before.
func (k *Sink) finish() error {
	s := k.snaps
	if k.meta.Number == 0 {
		return errs.Newf("snapshot.Close", errs.Corrupt, "an empty snapshot")
	}
	if k.unpack != nil {
		if err := k.unpack.finish(); err != nil {
			return err
		}
		k.meta.StateIndex, k.meta.StateTerm = k.unpack.index, k.unpack.term
	}
	if err := k.measure(); err != nil {
		return err
	}
	k.meta.Raft.ID = k.ID()
	b, err := encodeMeta(&k.meta)
	if err != nil {
		return err
	}
	if err := files.SyncDir(s.fs, s.statePath(k.meta.Number)); err != nil {
		return err
	}
	if err := files.Replace(s.fs, s.path(k.meta.Number), metaName, b); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := k.meta
	s.metas = append(s.metas, &m)
	s.sortLocked()
	s.reapLocked()
	return nil
}

// measure lists the files with their sizes and checksums, and works out how long the stream
// will be.
func (k *Sink) measure() error {
	s := k.snaps
	dir := s.statePath(k.meta.Number)
	names, err := s.fs.List(dir)
	if err != nil {
		return err
	}
	k.meta.Files = nil
	for _, name := range names {
		info, err := s.fs.Stat(s.fs.PathJoin(dir, name))
		if err != nil {
			return err
		}
		if info.IsDir() || !validFileName(name) {
			return errs.Newf("snapshot.Close", errs.Internal, "a checkpoint holds %q", name)
		}
		f := File{Name: name, Size: info.Size()}
		if !isTable(name) {
			sum, err := files.Sum(s.fs, s.fs.PathJoin(dir, name))
			if err != nil {
				return err
			}
			f.Sum = &sum
		}
		k.meta.Files = append(k.meta.Files, f)
	}
	k.meta.Raft.Size = streamBytes(k.meta.Files)
	return nil
}

// Cancel implements raft.SnapshotSink. It removes what was written; after Close it does
// nothing.
func (k *Sink) Cancel() error {
	if k.closed {
		return nil
	}
	k.closed = true
	return k.discard()
}

// discard removes the directory.
func (k *Sink) discard() error {
	if k.unpack != nil {
		k.unpack.abort()
	}
	if k.meta.Number == 0 {
		return nil
	}
	return k.snaps.remove(k.meta.Number)
}
