package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	iofs "io/fs"
	"math"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/atomicfs"

	"github.com/cairnstore/cairn/meta/files"
)

// Pebble takes a damaged record of its MANIFEST for the place where a crash cut it
// short, and opens what came before: an older log, in which entries and votes are
// missing or hidden. So each MANIFEST has a witness beside it, a file to which a
// record is added, durably, whenever the MANIFEST is synced and before Pebble does
// anything that relies on it (such as to remove a write-ahead log):
//
//	length of the MANIFEST (8) crc32c of so many bytes (4) crc32c of the record (4)
//
// Integers are little endian. What a MANIFEST holds beyond its witness's last record
// may be gone after a crash: nothing relies on it. A MANIFEST only grows, so any of
// the records tells the truth, and a damaged one makes the witness weaker, not wrong.
const (
	manifestPrefix = "MANIFEST-"
	manifestMarker = "manifest" // Pebble's marker of the MANIFEST in force.
	witnessSuffix  = ".witness"
	witnessBytes   = 8 + 4 + 4
)

func appendWitness(b []byte, length uint64, sum uint32) []byte {
	b = binary.LittleEndian.AppendUint64(b, length)
	b = binary.LittleEndian.AppendUint32(b, sum)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// lastWitness returns the last whole record of b.
func lastWitness(b []byte) (length uint64, sum uint32, ok bool) {
	for ; len(b) >= witnessBytes; b = b[witnessBytes:] {
		r := b[:witnessBytes]
		if crc32.Checksum(r[:12], castagnoli) == binary.LittleEndian.Uint32(r[12:]) {
			length, sum, ok = binary.LittleEndian.Uint64(r), binary.LittleEndian.Uint32(r[8:]), true
		}
	}
	return length, sum, ok
}

// witnessFS is a file system whose MANIFESTs have witnesses.
type witnessFS struct{ vfs.FS }

// Unwrap implements vfs.FS.
func (w witnessFS) Unwrap() vfs.FS { return w.FS }

// Create implements vfs.FS.
func (w witnessFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := w.FS.Create(name, category)
	if err != nil || !strings.HasPrefix(w.PathBase(name), manifestPrefix) {
		return f, err
	}
	return &manifestFile{File: f, fs: w.FS, name: name}, nil
}

// manifestFile is a MANIFEST that is being written. Pebble writes from one goroutine
// at a time and calls no other method that syncs.
type manifestFile struct {
	vfs.File
	fs      vfs.FS
	name    string
	length  uint64
	sum     uint32
	witness vfs.File // nil before the first sync.
}

// Write implements vfs.File.
func (m *manifestFile) Write(p []byte) (int, error) {
	sum := crc32.Update(m.sum, castagnoli, p) // First: a write may scribble on p.
	n, err := m.File.Write(p)
	if err == nil {
		m.length += uint64(n)
		m.sum = sum
	}
	return n, err
}

// Sync implements vfs.File.
func (m *manifestFile) Sync() error {
	if err := m.File.Sync(); err != nil {
		return err
	}
	fresh := m.witness == nil
	if fresh {
		var err error
		m.witness, err = m.fs.Create(m.name+witnessSuffix, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
	}
	if _, err := m.witness.Write(appendWitness(nil, m.length, m.sum)); err != nil {
		return err
	}
	if err := m.witness.Sync(); err != nil || !fresh {
		return err
	}
	return files.SyncDir(m.fs, m.fs.PathDir(m.name)) // Before the marker moves here.
}

// Close implements vfs.File.
func (m *manifestFile) Close() error {
	err := m.File.Close()
	if m.witness != nil {
		err = errors.Join(err, m.witness.Close())
	}
	return err
}

// checkManifest compares the MANIFEST in force with its witness, and removes the
// witnesses of those that are gone. An error without a *fs.PathError means damage.
func checkManifest(fs vfs.FS, dir string) error {
	names, err := fs.List(dir)
	if err != nil {
		return err
	}
	name, err := atomicfs.ReadMarker(fs, dir, manifestMarker)
	if err != nil {
		return err
	}
	if name == "" {
		return checkEmpty(names)
	}
	b, err := files.Read(fs, fs.PathJoin(dir, name+witnessSuffix))
	if err != nil {
		return err
	}
	length, sum, ok := lastWitness(b)
	if !ok || length > math.MaxInt64 {
		return fmt.Errorf("the witness of the file %s holds no whole record", name)
	}
	if err := checkPrefix(fs, fs.PathJoin(dir, name), int64(length), sum); err != nil {
		return err
	}
	for _, n := range names {
		if of, ok := strings.CutSuffix(n, witnessSuffix); ok && !slices.Contains(names, of) {
			if err := fs.Remove(fs.PathJoin(dir, n)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkEmpty refuses a directory that holds data although no MANIFEST is in force.
// Pebble would take it for a new one and remove them; when it makes one, the marker
// comes before the first log.
func checkEmpty(names []string) error {
	for _, n := range names {
		if strings.HasSuffix(n, ".log") || strings.HasSuffix(n, ".sst") {
			return fmt.Errorf("no MANIFEST is in force although there is a file %s", n)
		}
	}
	return nil
}

// checkPrefix compares the first bytes of a file with their checksum.
func checkPrefix(fs vfs.FS, path string, length int64, sum uint32) error {
	f, err := fs.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return err
	}
	h := crc32.New(castagnoli)
	_, err = io.CopyN(h, f, length)
	if err == io.EOF {
		err = fmt.Errorf("the file %s is shorter than the %d bytes that were made durable", path, length)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if h.Sum32() != sum {
		return fmt.Errorf("the first %d bytes of the file %s are not those that were made durable", length, path)
	}
	return nil
}

// isDamage tells damage from a failure of the file system. Pebble marks only some of
// the errors that damage leads to; a file that is missing is damage too.
func isDamage(err error) bool {
	var failed *iofs.PathError
	return errors.Is(err, iofs.ErrNotExist) || !errors.As(err, &failed)
}
