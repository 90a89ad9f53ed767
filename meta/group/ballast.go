package group

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/meta/room"
)

// ballastFS gives what writes to it the ballast of a file system that is full. What must
// not fail (write-ahead logs, MANIFESTs: a failure of theirs ends the process) gets all of
// it. Tables, which flushes and compactions write, leave the piece for starts: Pebble has
// what they hold in memory and in its log, and tries again.
type ballastFS struct {
	vfs.FS
	tables vfs.FS
}

func newBallastFS(fs vfs.FS, r *room.Room) vfs.FS {
	return ballastFS{FS: vfs.OnDiskFull(fs, r.RelieveLog), tables: vfs.OnDiskFull(fs, r.Relieve)}
}

func (b ballastFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasSuffix(name, ".sst") || strings.HasSuffix(name, ".blob") {
		return b.tables.Create(name, c)
	}
	return b.FS.Create(name, c)
}
