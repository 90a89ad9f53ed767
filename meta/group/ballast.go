package group

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/meta/room"
)

// ballastFS is a file system that, when it is full, gives the ballast up piece by piece, and
// tries a write again after each (meta/room). Write-ahead logs and MANIFESTs may use all of the
// ballast, since the process ends where a write of theirs fails. Tables leave the last piece,
// which a node needs to start: Pebble still has what they hold in memory and in its log, and
// writes them again later.
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
