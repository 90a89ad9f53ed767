package node

import (
	"fmt"
	"io"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster/identity"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/snapshot"
	"github.com/cairnstore/cairn/meta/state"
	"github.com/cairnstore/cairn/node/home"
)

// Offline is the metadata of a node that does not run.
type Offline struct {
	home *home.Home
	cfg  group.Config
	lock io.Closer
}

// OpenOffline opens the home in dir, or a new one if there is none. No node may have it in use. The
// caller calls Close.
func OpenOffline(fs vfs.FS, dir string) (*Offline, error) {
	h, err := home.Open(fs, dir)
	if err != nil {
		return nil, err
	}
	// The lock of the drive serves as that of the node, which opens its drives first.
	lock, err := fs.Lock(fs.PathJoin(dir, driveLock))
	if err != nil {
		return nil, fmt.Errorf("%s is in use: stop the node first (%w)", dir, err)
	}
	return &Offline{home: h, lock: lock, cfg: group.Config{Node: h.ID(), FS: fs, Dir: h.MetaDir()}}, nil
}

// driveLock is the name under which package shard/drive locks a directory.
const driveLock = "lock"

// Close lets the node start again.
func (o *Offline) Close() error { return o.lock.Close() }

// Node returns the node's id.
func (o *Offline) Node() string { return o.home.ID().String() }

// Cluster returns the cluster that the node belongs to; empty: none.
func (o *Offline) Cluster() string { return o.home.Cluster() }

// HasMetadata reports whether the directory of the metadata exists.
func (o *Offline) HasMetadata() (bool, error) {
	_, err := o.cfg.FS.Stat(o.cfg.Dir)
	if oserror.IsNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

// Standing returns how far the metadata reach.
func (o *Offline) Standing() (group.Standing, error) { return group.Inspected(o.cfg) }

// Recover makes this node the only voter, with the metadata that it has.
func (o *Offline) Recover() (group.Recovered, error) {
	r, err := group.Recover(o.cfg, o.home.Era()+1)
	if err != nil {
		return r, err
	}
	return r, o.home.Begin(r.Era)
}

// Restore makes the metadata of a new single voter from a backup.
func (o *Offline) Restore(backup io.Reader, keys identity.Keys, head snapshot.BackupHead) (group.Recovered, error) {
	if c := o.home.Cluster(); c != "" && c != head.ClusterID {
		return group.Recovered{}, fmt.Errorf("the backup is of cluster %s, but %s belongs to cluster %s", head.ClusterID, o.home.Dir(), c)
	}
	mac := keys.Secret(LabelBackup)
	_, r, err := group.Restore(o.cfg, o.home.Era()+1, backup, mac[:])
	if err != nil {
		return r, err
	}
	if err := o.home.Join(head.ClusterID); err != nil {
		return r, err
	}
	return r, o.home.Begin(r.Era)
}

// Faults returns what is wrong with the records of the metadata.
func (o *Offline) Faults() (faults []state.Fault, err error) {
	err = group.LookAt(o.cfg, func(r *state.Records) (err error) {
		faults, err = r.Faults()
		return err
	})
	return faults, err
}

// Record finds a record by the name that logs give it, or by its key in hex. The value is nil if
// there is no such record.
func (o *Offline) Record(name string) (key, value []byte, err error) {
	err = group.LookAt(o.cfg, func(r *state.Records) (err error) {
		if key, err = r.Find(name); err == nil {
			value, _, err = r.Get(key)
		}
		return err
	})
	return key, value, err
}

// Mend replaces a record of the metadata. A nil value removes it.
func (o *Offline) Mend(key, value []byte) error { return group.Mend(o.cfg, key, value) }
