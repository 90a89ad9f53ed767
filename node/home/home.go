package home

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/files"
	"github.com/cairnstore/cairn/shard/drive"
)

// Home is what a node keeps of itself, in one of its data directories.
type Home struct {
	fs  vfs.FS
	dir string
	id  cluster.NodeID

	mu   sync.Mutex
	note note // Guarded by mu.
}

// note is the content of the file.
type note struct {
	Format    int     `json:"format"`
	Node      string  `json:"node"`
	ClusterID string  `json:"cluster,omitempty"`
	Era       uint64  `json:"era,omitempty"`    // Of the metadata.
	Drives    []Drive `json:"drives,omitempty"` // Those of the last start.
}

// Drive is a drive of this node, and the directory in which it was last seen.
type Drive struct {
	ID  string `json:"id"`
	Dir string `json:"dir"`
}

const (
	fileName = "node.json"
	metaDir  = "meta" // Directory of the metadata, next to the file.
	format   = 1
)

// Find returns the data directory that has the node's home, whatever order the directories are in;
// for a new node it returns the first one. Errors: two directories have a home; or none has one but
// there is a drive of a cluster, because then the disk with the home may be missing.
func Find(fs vfs.FS, dirs []string) (string, error) {
	found := ""
	for _, dir := range dirs {
		_, err := fs.Stat(fs.PathJoin(dir, fileName))
		switch {
		case oserror.IsNotExist(err):
		case err != nil:
			return "", fmt.Errorf("data directory %s: %w", dir, err)
		case found != "":
			return "", fmt.Errorf("both %s and %s hold a node's identity (%s): they are directories of two nodes; "+
				"name those of one", found, dir, fileName)
		default:
			found = dir
		}
	}
	if found != "" {
		return found, nil
	}
	for _, dir := range dirs {
		_, clusterID, ok, err := drive.Identify(fs, dir)
		if err != nil {
			return "", err
		}
		if ok && clusterID != "" {
			return "", fmt.Errorf("%s holds a drive of cluster %s, but none of the data directories holds the node's "+
				"identity (%s): is a disk not mounted, or a directory not named in --data? If that disk is lost, so is the "+
				"node: empty all its directories and let it join as a new one", dir, clusterID, fileName)
		}
	}
	return dirs[0], nil
}

// Open reads the home in dir. If there is none, it makes one with a new node id.
func Open(fs vfs.FS, dir string) (*Home, error) {
	h := &Home{fs: fs, dir: dir}
	if err := makeDir(fs, dir); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	text, err := files.Read(fs, fs.PathJoin(dir, fileName))
	switch {
	case oserror.IsNotExist(err):
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, err
		}
		h.id = cluster.NodeID(binary.LittleEndian.Uint64(b[:]) | 1)
		h.note.Format, h.note.Node = format, h.id.String()
		return h, h.saveLocked()
	case err != nil:
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	if err := json.Unmarshal(text, &h.note); err != nil {
		return nil, fmt.Errorf("%s: %w", fs.PathJoin(dir, fileName), err)
	}
	if h.note.Format != format {
		return nil, fmt.Errorf("%s: format %d is not one this version knows (%d): "+
			"the data was written by another version of cairn", fs.PathJoin(dir, fileName), h.note.Format, format)
	}
	h.id, err = cluster.ParseNodeID(h.note.Node)
	return h, err
}

// ID returns the node's id, which it keeps for good.
func (h *Home) ID() cluster.NodeID { return h.id }

// Dir returns the data directory that has the home.
func (h *Home) Dir() string { return h.dir }

// MetaDir returns the directory of the node's metadata.
func (h *Home) MetaDir() string { return h.fs.PathJoin(h.dir, metaDir) }

// Cluster returns the cluster that the node belongs to; empty if it belongs to
// none yet.
func (h *Home) Cluster() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.note.ClusterID
}

// Era returns the era of the node's metadata.
func (h *Home) Era() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.note.Era
}

// Begin records an era, if it is later than the recorded one.
func (h *Home) Begin(era uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if era <= h.note.Era {
		return nil
	}
	h.note.Era = era
	return h.saveLocked()
}

// CheckDrives compares the drives in the data directories with those that the node had at its last
// start. accepted are the ids of drives that the operator gives up. Errors: a drive is missing, or
// a drive of another node is there. Without this check, a disk that is not mounted would count as
// an empty drive, and everything on it would be rebuilt elsewhere.
func (h *Home) CheckDrives(dirs, accepted []string) error {
	h.mu.Lock()
	own := append([]Drive(nil), h.note.Drives...)
	h.mu.Unlock()
	if len(own) == 0 {
		return nil // The node starts for the first time.
	}
	there, empty := map[string]bool{}, ""
	for _, dir := range dirs {
		id, clusterID, ok, err := drive.Identify(h.fs, dir)
		if err != nil {
			return err
		}
		if !ok {
			empty = dir
			continue
		}
		known := slices.ContainsFunc(own, func(d Drive) bool { return d.ID == id.String() })
		if !known && clusterID != "" {
			return fmt.Errorf("%s holds drive %s of another node of cluster %s, not one of this node's: "+
				"name this node's own directories; to use the disk here, empty it", dir, id, clusterID)
		}
		there[id.String()] = true
	}
	for _, d := range own {
		if there[d.ID] || slices.Contains(accepted, d.ID) {
			continue
		}
		why := "none of the directories in --data holds it"
		if empty != "" {
			why = empty + " is empty"
		}
		return fmt.Errorf("drive %s of this node, last seen in %s, is missing: %s. Is its disk mounted? "+
			"If it is lost for good or was replaced, start the node with --accept-lost-drive %s: "+
			"what it held is rebuilt from the other drives", d.ID, d.Dir, why, d.ID)
	}
	return nil
}

// SetDrives records the drives that the node has from now on.
func (h *Home) SetDrives(drives []Drive) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Equal(h.note.Drives, drives) {
		return nil
	}
	h.note.Drives = drives
	return h.saveLocked()
}

// Join records the cluster that the node belongs to from now on. Errors: the node belongs to
// another cluster.
func (h *Home) Join(clusterID string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.note.ClusterID == clusterID {
		return nil
	}
	if h.note.ClusterID != "" {
		return fmt.Errorf("this node's data belongs to cluster %s, but the nodes it found are of cluster %s: "+
			"check --join and the data directory", h.note.ClusterID, clusterID)
	}
	h.note.ClusterID = clusterID
	return h.saveLocked()
}

func (h *Home) saveLocked() error {
	text, err := json.Marshal(h.note)
	if err != nil {
		return err
	}
	return files.Replace(h.fs, h.dir, fileName, append(text, '\n'))
}

// makeDir makes a directory and its parents, and syncs each entry, because a power failure must not
// take back the directory that has the node's identity.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return files.SyncDir(fs, parent)
}
