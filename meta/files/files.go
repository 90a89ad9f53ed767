package files

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	iofs "io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// IsNotExist reports whether an error says that a file or directory is not there.
func IsNotExist(err error) bool { return errors.Is(err, iofs.ErrNotExist) }

// Read returns all bytes of a file. The caller knows that they are few.
func Read(fs vfs.FS, path string) ([]byte, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(f)
	return b, errors.Join(err, f.Close())
}

// Sum returns the CRC-32C of a file.
func Sum(fs vfs.FS, path string) (uint32, error) {
	f, err := fs.Open(path, vfs.SequentialReadsOption)
	if err != nil {
		return 0, err
	}
	h := crc32.New(castagnoli)
	_, err = io.Copy(h, f)
	return h.Sum32(), errors.Join(err, f.Close())
}

// Replace replaces a file durably: a crash leaves the old bytes or the new.
func Replace(fs vfs.FS, dir, name string, data []byte) error {
	tmp := fs.PathJoin(dir, name+".tmp")
	f, err := fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	// A write may scribble on what it is given.
	_, err = f.Write(append([]byte(nil), data...))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := fs.Rename(tmp, fs.PathJoin(dir, name)); err != nil {
		return err
	}
	return SyncDir(fs, dir)
}

// SyncDir makes the entries of a directory durable: files that were made, renamed or removed in it.
func SyncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MkdirSynced makes a directory and makes its entry in the parent durable. Parents that are
// missing are made too, but their own entries are not synced.
func MkdirSynced(fs vfs.FS, dir string) error {
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return SyncDir(fs, fs.PathDir(dir))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// WithSum puts a line with the checksum of body before it: see "Format of a file with a
// checksum".
func WithSum(body []byte) []byte {
	return append(fmt.Appendf(nil, "%08x\n", crc32.Checksum(body, castagnoli)), body...)
}

// CutSum returns the body of a file with a checksum; false where the checksum is missing
// or does not match. The body is a part of file.
func CutSum(file []byte) (body []byte, ok bool) {
	sum, body, ok := bytes.Cut(file, []byte{'\n'})
	return body, ok && string(sum) == fmt.Sprintf("%08x", crc32.Checksum(body, castagnoli))
}
