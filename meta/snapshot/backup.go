package snapshot

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"hash"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/errs"
)

// The file's format is in doc.go.
const (
	backupMagic   = "CAIRNBKP"
	backupVersion = 1
	backupHeadMax = 64 << 10
)

// BackupHead says which cluster a backup is of, and of when.
type BackupHead struct {
	ClusterID string `json:"cluster_id"`
	Era       uint64 `json:"era"`
	Index     uint64 `json:"index"`      // The last log entry that is in it.
	Term      uint64 `json:"term"`       // The term of that entry.
	KeyDigest string `json:"key_digest"` // Names the cluster key that it can be restored with.
	Node      string `json:"node"`       // The node that made it.
	Version   string `json:"version"`    // The release of Cairn that made it.
	MadeAt    string `json:"made_at"`    // When, by that node's clock; RFC 3339.
}

// WriteBackup writes a backup file to w: the head, a snapshot's stream, and their HMAC under
// the key mac. Errors: those of w and stream, and that of ctx where it ends first. What was
// written until then is no backup, and says so when it is read.
func WriteBackup(ctx context.Context, w io.Writer, head BackupHead, mac []byte, stream io.Reader) error {
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

// cancellable is a reader that fails once its context has ended.
type cancellable struct {
	ctx context.Context //nolint:containedctx // It lives no longer than one copy.
	io.Reader
}

func (c cancellable) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}

// Backup is a backup file that is being read. One goroutine uses it.
type Backup struct {
	Head BackupHead

	in  *bufio.Reader
	sum hash.Hash // The HMAC of what was read so far; nil where there is no key.
}

// damagedBackup returns an error of kind Corrupt; format goes on after "the backup".
func damagedBackup(format string, args ...any) error {
	return errs.Newf("snapshot.ReadBackup", errs.Corrupt, "the backup "+format, args...)
}

// readHead reads the head.
func (b *Backup) readHead() (h BackupHead, err error) {
	fixed := make([]byte, len(backupMagic)+1+4)
	if _, err := io.ReadFull(b.in, fixed); err != nil || string(fixed[:len(backupMagic)]) != backupMagic {
		return h, damagedBackup("is none: it does not begin as `cairn meta backup` writes it")
	}
	if v := fixed[len(backupMagic)]; v != backupVersion {
		return h, errs.Newf("snapshot.ReadBackup", errs.Invalid,
			"the backup has format %d, this version of cairn knows %d: use the version that made it", v, backupVersion)
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

// body gives the stream to u and checks the HMAC behind it.
func (b *Backup) body(u *unpacker) error {
	buf := make([]byte, scratchBytes)
	for !u.ended {
		// The stream says itself where it ends. Nothing beyond that must be read here: the HMAC
		// comes next.
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

// VerifyBackup reads a backup to its end and keeps nothing of it. It checks what OpenBackup
// and Unpack check. Errors: Corrupt, Invalid.
func VerifyBackup(r io.Reader, mac []byte) (BackupHead, error) {
	b, err := OpenBackup(r, mac)
	if err != nil {
		return b.Head, err
	}
	_, _, err = b.Unpack(nowhere{}, ".")
	return b.Head, err
}

// OpenBackup reads the head of a backup; Unpack reads the rest. Where mac is not nil, Unpack
// also proves that nobody without that key has made or changed the file. Until then the head
// is not proven. Errors: Corrupt, and Invalid for a format that this release does not know.
func OpenBackup(r io.Reader, mac []byte) (*Backup, error) {
	b := &Backup{in: bufio.NewReaderSize(r, scratchBytes)}
	if mac != nil {
		b.sum = hmac.New(sha256.New, mac)
	}
	var err error
	b.Head, err = b.readHead()
	return b, err
}

// Unpack writes the state's files into dir, which must exist, and checks the backup to its
// end. It returns the index and term of the last entry that the state has applied. Errors:
// Corrupt, and those of the file system; the caller removes what dir holds then.
func (b *Backup) Unpack(fs vfs.FS, dir string) (index, term uint64, err error) {
	u := newUnpacker(fs, dir)
	if err := b.body(u); err != nil {
		return 0, 0, err
	}
	return u.index, u.term, nil
}

// nowhere is a file system that drops whatever is written to it.
type nowhere struct{ vfs.FS }

func (nowhere) Create(string, vfs.DiskWriteCategory) (vfs.File, error) { return void{}, nil }
func (nowhere) PathJoin(...string) string                              { return "" }

// void is a file of it.
type void struct{ vfs.File }

func (void) Write(p []byte) (int, error) { return len(p), nil }
func (void) Sync() error                 { return nil }
func (void) Close() error                { return nil }
