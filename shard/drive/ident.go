package drive

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	identName     = "drive.id"
	identMaxBytes = 4096
)

// ident is what drive.id says.
type ident struct {
	Format  int    `json:"format"`
	Drive   string `json:"drive"`
	Cluster string `json:"cluster,omitempty"`
}

// Identify returns which drive a directory holds, and of which cluster (empty: none yet), without
// opening it. It returns false if the directory holds no drive.
func Identify(fs vfs.FS, dir string) (id cluster.DriveID, clusterID string, ok bool, err error) {
	const op = "drive.Identify"
	b, err := readSmallFile(fs, fs.PathJoin(dir, identName), identMaxBytes)
	if oserror.IsNotExist(err) {
		return 0, "", false, nil
	}
	if err != nil {
		return 0, "", false, errs.New(op, errs.Unavailable, err)
	}
	var i ident
	if err := json.Unmarshal(b, &i); err != nil {
		return 0, "", false, errs.Newf(op, errs.Corrupt, "%s: %w: restore the file, or empty the directory to make a new drive of it", fs.PathJoin(dir, identName), err)
	}
	if id, err = cluster.ParseDriveID(i.Drive); err != nil {
		return 0, "", false, errs.Newf(op, errs.Corrupt, "%s: %w", fs.PathJoin(dir, identName), err)
	}
	return id, i.Cluster, true, nil
}

// loadIdent reads drive.id. If there is none and the directory is empty, it makes one.
func (d *Drive) loadIdent(want cluster.DriveID) error {
	const op = "drive.Open"
	b, err := readSmallFile(d.fs, d.path(identName), identMaxBytes)
	if oserror.IsNotExist(err) {
		return d.makeIdent(want)
	}
	if err != nil {
		return errs.New(op, errs.Unavailable, err)
	}
	if err := json.Unmarshal(b, &d.ident); err != nil {
		return errs.Newf(op, errs.Corrupt, "%s: %w: restore the file, or empty the directory to make a new drive of it", identName, err)
	}
	if d.ident.Format != formatVersion {
		return errs.Newf(op, errs.Invalid, "%s has format %d: %w", identName, d.ident.Format, errOtherVersion)
	}
	if d.id, err = cluster.ParseDriveID(d.ident.Drive); err != nil {
		return errs.Newf(op, errs.Corrupt, "%s: %w", identName, err)
	}
	if want != 0 && want != d.id {
		return errs.Newf(op, errs.Invalid, "the directory holds drive %s, not %s", d.id, want)
	}
	return nil
}

func (d *Drive) makeIdent(want cluster.DriveID) error {
	const op = "drive.Open"
	names, err := d.fs.List(d.segDir())
	if err != nil && !oserror.IsNotExist(err) {
		return errs.New(op, errs.Unavailable, err)
	}
	if len(names) > 0 {
		return errs.Newf(op, errs.Corrupt, "%s is missing but segments are there: restore the file, or empty the directory", identName)
	}
	for want == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // Never fails.
		want = cluster.DriveID(binary.LittleEndian.Uint64(b[:]))
	}
	d.id = want
	d.ident = ident{Format: formatVersion, Drive: want.String()}
	return d.writeIdent(op)
}

// writeIdent replaces drive.id durably.
func (d *Drive) writeIdent(op string) error {
	b, err := json.Marshal(d.ident)
	if err != nil {
		return errs.New(op, errs.Internal, err)
	}
	tmp := d.path(identName + ".tmp")
	err = func() error {
		f, err := d.fs.Create(tmp, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		_, err = f.Write(append(b, '\n'))
		if err == nil {
			err = f.Sync()
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		if err := d.fs.Rename(tmp, d.path(identName)); err != nil {
			return err
		}
		return syncDir(d.fs, d.o.Dir)
	}()
	if err != nil {
		return errs.Newf(op, errs.Unavailable, "writing %s: %w", identName, err)
	}
	return nil
}

func readSmallFile(fs vfs.FS, name string, limit int64) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit))
	return b, errors.Join(err, f.Close())
}

func syncDir(fs vfs.FS, dir string) error {
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// mkdirDurable makes dir and its missing parents, and syncs every directory that
// got a new entry.
func mkdirDurable(fs vfs.FS, dir string) error {
	var parents []string
	for p := dir; ; {
		if _, err := fs.Stat(p); err == nil {
			break
		} else if !oserror.IsNotExist(err) {
			return err
		}
		parent := fs.PathDir(p)
		if parent == p {
			break
		}
		parents = append(parents, parent)
		p = parent
	}
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, p := range parents {
		if err := syncDir(fs, p); err != nil {
			return fmt.Errorf("syncing %s: %w", p, err)
		}
	}
	return nil
}
