package group

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/hashicorp/raft"

	"github.com/cairnstore/cairn/cluster/errs"
)

// A backup as a file (integers little endian):
//
//	head    "CAIRNBKP" version=1 (1) length (4) BackupHead as JSON, crc32c of all that (4)
//	body    the snapshot's stream: see snapshot_stream.go
//	end     HMAC-SHA-256 of all that under a key of the cluster's (32)
//
// The stream has checksums of its own, so damage shows without the key; that nobody
// has changed the file shows with it.
const (
	backupMagic   = "CAIRNBKP"
	backupVersion = 1
	backupHeadMax = 64 << 10
)

// BackupHead says what a backup is of.
type BackupHead struct {
	ClusterID string `json:"cluster_id"`
	Era       uint64 `json:"era"`
	Index     uint64 `json:"index"` // Of the last log entry in it.
	Term      uint64 `json:"term"`
	KeyDigest string `json:"key_digest"` // Of the cluster key that it can be restored with.
	Node      string `json:"node"`       // That made it.
	Version   string `json:"version"`
	MadeAt    string `json:"made_at"` // By that node's clock, RFC 3339.
}

// Backup writes a consistent copy of the state, with all that was acknowledged before
// the call. mac is the key that signs it; Index and Term of the head are filled in.
// Leader only. Errors: Unavailable (this node does not lead), or those of w.
func (g *Group) Backup(ctx context.Context, w io.Writer, head BackupHead, mac []byte) (BackupHead, error) {
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
	latest := g.snaps.latest()
	if latest == nil {
		return head, errs.Newf(op, errs.Unavailable, "the metadata hold nothing yet")
	}
	meta, stream, err := g.snaps.Open(latest.Raft.ID)
	if err != nil {
		return head, errs.New(op, errs.Internal, err)
	}
	defer stream.Close()
	head.Index, head.Term = meta.Index, meta.Term
	return head, writeBackup(ctx, w, head, mac, stream)
}

func writeBackup(ctx context.Context, w io.Writer, head BackupHead, mac []byte, stream io.Reader) error {
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	sum := hmac.New(sha256.New, mac)
	out := io.MultiWriter(w, sum)
	b := append([]byte(backupMagic), backupVersion)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	if _, err := out.Write(appendSum(append(b, text...))); err != nil {
		return err
	}
	if _, err := io.Copy(out, cancellable{ctx, stream}); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// cancellable is a reader that ends with a context.
type cancellable struct {
	ctx context.Context //nolint:containedctx // It lives as long as one copy.
	io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

// backupReader reads a backup from its beginning.
type backupReader struct {
	in  *bufio.Reader
	sum hash.Hash // Nil: no key to check with.
}

func damagedBackup(format string, args ...any) error {
	return errs.Newf("group.ReadBackup", errs.Corrupt, "the backup "+format, args...)
}

// head reads the head.
func (b *backupReader) head() (h BackupHead, err error) {
	fixed := make([]byte, len(backupMagic)+1+4)
	if _, err := io.ReadFull(b.in, fixed); err != nil || string(fixed[:len(backupMagic)]) != backupMagic {
		return h, damagedBackup("is none: it does not begin as `cairn meta backup` writes it")
	}
	if v := fixed[len(backupMagic)]; v != backupVersion {
		return h, errs.Newf("group.ReadBackup", errs.Invalid, "the backup has format %d, this version of cairn knows %d: use the version that made it", v, backupVersion)
	}
	n := binary.LittleEndian.Uint32(fixed[len(backupMagic)+1:])
	if n > backupHeadMax {
		return h, damagedBackup("is damaged: its head has %d bytes", n)
	}
	rest := make([]byte, n+sumBytes)
	if _, err := io.ReadFull(b.in, rest); err != nil {
		return h, damagedBackup("ends in its head: %w", err)
	}
	whole := append(fixed, rest...)
	body, err := checkSum(whole)
	if err != nil {
		return h, damagedBackup("is damaged in its head: %w", err)
	}
	if b.sum != nil {
		b.sum.Write(whole)
	}
	return h, json.Unmarshal(body[len(fixed):], &h)
}

// body gives the stream to u, and checks the end.
func (b *backupReader) body(u *unpacker) error {
	buf := make([]byte, scratchBytes)
	for !u.ended {
		// Never past the stream's end: it says itself where that is.
		n, err := b.in.Read(buf[:min(len(buf), u.ahead())])
		if b.sum != nil {
			b.sum.Write(buf[:n])
		}
		if _, werr := u.Write(buf[:n]); werr != nil {
			u.abort()
			return damagedBackup("is damaged: %w", werr)
		}
		if err != nil && !u.ended {
			u.abort()
			return damagedBackup("is cut short: %w", err)
		}
	}
	end := make([]byte, sha256.Size+1)
	n, _ := io.ReadFull(b.in, end)
	switch {
	case n < sha256.Size:
		return damagedBackup("is cut short at its end")
	case n > sha256.Size:
		return damagedBackup("has bytes after its end")
	case b.sum != nil && !hmac.Equal(end[:n], b.sum.Sum(nil)):
		return damagedBackup("was changed, or made with another cluster key")
	}
	return nil
}

// ReadBackupHead reads a backup's head alone.
func ReadBackupHead(r io.Reader) (BackupHead, error) {
	b := &backupReader{in: bufio.NewReader(r)}
	return b.head()
}

// VerifyBackup reads a backup to its end and checks all of it; where mac is not nil,
// also that nobody without that key has made or changed it. Errors: Corrupt, Invalid.
func VerifyBackup(r io.Reader, mac []byte) (BackupHead, error) {
	b := newBackupReader(r, mac)
	h, err := b.head()
	if err != nil {
		return h, err
	}
	return h, b.body(newUnpacker(nowhere{}, "."))
}

func newBackupReader(r io.Reader, mac []byte) *backupReader {
	b := &backupReader{in: bufio.NewReaderSize(r, scratchBytes)}
	if mac != nil {
		b.sum = hmac.New(sha256.New, mac)
	}
	return b
}

// nowhere is a file system that forgets what is written.
type nowhere struct{ vfs.FS }

func (nowhere) Create(string, vfs.DiskWriteCategory) (vfs.File, error) { return void{}, nil }
func (nowhere) PathJoin(...string) string                              { return "" }

type void struct{ vfs.File }

func (void) Write(p []byte) (int, error) { return len(p), nil }
func (void) Sync() error                 { return nil }
func (void) Close() error                { return nil }

// Restore makes the metadata of a new single voter from a backup, as of a new era:
// whatever was written after the backup is lost to it. Nothing is there before all of
// it is. Errors: Corrupt, Invalid, Exists (Dir holds metadata already).
func Restore(cfg Config, era uint64, r io.Reader, mac []byte) (BackupHead, Recovered, error) {
	const op = "group.Restore"
	if names, err := cfg.FS.List(cfg.Dir); err == nil && len(names) > 0 {
		return BackupHead{}, Recovered{}, errs.Newf(op, errs.Exists, "%s holds metadata already: move it away first", cfg.Dir)
	}
	b := newBackupReader(r, mac)
	h, err := b.head()
	if err != nil {
		return h, Recovered{}, err
	}
	o, err := openOffline(cfg)
	if err != nil {
		return h, Recovered{}, errs.Wrap(op, err)
	}
	o.id = serverID(cfg.Node, newIncarnation()) // What it was before is lost.
	rec, err := o.restore(b, h, max(era, h.Era+1))
	err = errors.Join(err, o.close())
	if err != nil {
		// Half of it must not be taken for metadata.
		return h, rec, errors.Join(errs.Wrap(op, err), cfg.FS.RemoveAll(cfg.Dir))
	}
	return h, rec, nil
}

func (o *offline) restore(b *backupReader, h BackupHead, era uint64) (Recovered, error) {
	err := o.fsm.state.restore(func(dir string) (uint64, uint64, error) {
		u := newUnpacker(o.cfg.FS, dir)
		if err := b.body(u); err != nil {
			return 0, 0, err
		}
		return u.index, u.term, nil
	})
	if err != nil {
		return Recovered{}, fmt.Errorf("unpack the backup: %w", err)
	}
	return o.begin(h.Index, h.Term, era)
}
