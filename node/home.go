package node

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard/drive"
	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// home is what a node keeps of itself in one of its data directories, beside the metadata: who it
// is, which cluster it belongs to and which drives it has. The file is replaced as a whole, and
// synced.
type home struct {
	fs  vfs.FS
	dir string

	Format int    `json:"format"`
	Node   string `json:"node"`

	mu        sync.Mutex
	ClusterID string     `json:"cluster,omitempty"` // Guarded by mu; see cluster.
	Era       uint64     `json:"era,omitempty"`     // That of the metadata. Guarded by mu; see era.
	Drives    []ownDrive `json:"drives,omitempty"`  // Those of the last start. Guarded by mu.
}

// ownDrive is a drive of this node, and where it lay.
type ownDrive struct {
	ID  string `json:"id"`
	Dir string `json:"dir"`
}

const (
	homeFile   = "node.json"
	metaDir    = "meta" // Beside it: the metadata.
	homeFormat = 1
)

// findHome returns the data directory that holds the node's home, in whatever order they are named.
// If none does, it returns the first.
func findHome(fs vfs.FS, dirs []string) (string, error) {
	found := ""
	for _, dir := range dirs {
		_, err := fs.Stat(fs.PathJoin(dir, homeFile))
		switch {
		case oserror.IsNotExist(err):
		case err != nil:
			return "", fmt.Errorf("data directory %s: %w", dir, err)
		case found != "":
			return "", fmt.Errorf("both %s and %s hold a node's identity (%s): they are directories of two nodes; name those of one", found, dir, homeFile)
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
			return "", fmt.Errorf("%s holds a drive of cluster %s, but none of the data directories holds the node's identity (%s): "+
				"is a disk not mounted, or a directory not named in --data? If that disk is lost, so is the node: empty all its directories and let it join as a new one",
				dir, clusterID, homeFile)
		}
	}
	return dirs[0], nil
}

// openHome reads the home in dir, or makes one with a new node id.
func openHome(fs vfs.FS, dir string) (*home, error) {
	h := &home{fs: fs, dir: dir}
	if err := makeDir(fs, dir); err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	text, err := readFile(fs, fs.PathJoin(dir, homeFile))
	switch {
	case oserror.IsNotExist(err):
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, err
		}
		h.Format, h.Node = homeFormat, cluster.NodeID(binary.LittleEndian.Uint64(b[:])|1).String()
		return h, h.saveLocked()
	case err != nil:
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, fmt.Errorf("%s: %w", fs.PathJoin(dir, homeFile), err)
	}
	if h.Format != homeFormat {
		return nil, fmt.Errorf("%s: format %d is not one this version knows (%d): the data was written by another version of cairn",
			fs.PathJoin(dir, homeFile), h.Format, homeFormat)
	}
	_, err = cluster.ParseNodeID(h.Node)
	return h, err
}

func (h *home) id() cluster.NodeID {
	id, err := cluster.ParseNodeID(h.Node)
	if err != nil {
		panic(err) // openHome has checked it.
	}
	return id
}

// cluster returns the cluster that the node belongs to; empty: none yet.
func (h *home) cluster() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ClusterID
}

// era returns the era of the metadata that the node belongs to.
func (h *home) era() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Era
}

// begin records that the node belongs to a later era.
func (h *home) begin(era uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if era <= h.Era {
		return nil
	}
	h.Era = era
	return h.saveLocked()
}

// checkDrives compares the drives in the data directories with those that the node had. accepted
// are the ids of drives that the operator gives up.
func (h *home) checkDrives(dirs, accepted []string) error {
	h.mu.Lock()
	own := append([]ownDrive(nil), h.Drives...)
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
		known := slices.ContainsFunc(own, func(d ownDrive) bool { return d.ID == id.String() })
		if !known && clusterID != "" {
			return fmt.Errorf("%s holds drive %s of another node of cluster %s, not one of this node's: name this node's own directories; "+
				"to use the disk here, empty it", dir, id, clusterID)
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
		return fmt.Errorf("drive %s of this node, last seen in %s, is missing: %s. Is its disk mounted? If it is lost for good or was replaced, "+
			"start the node with --accept-lost-drive %s: what it held is rebuilt from the other drives", d.ID, d.Dir, why, d.ID)
	}
	return nil
}

// setDrives records the drives that the node has from now on.
func (h *home) setDrives(drives []ownDrive) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Equal(h.Drives, drives) {
		return nil
	}
	h.Drives = drives
	return h.saveLocked()
}

// join records the cluster that the node belongs to from now on.
func (h *home) join(clusterID string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ClusterID == clusterID {
		return nil
	}
	if h.ClusterID != "" {
		return fmt.Errorf("this node's data belongs to cluster %s, but the nodes it found are of cluster %s: check --join and the data directory", h.ClusterID, clusterID)
	}
	h.ClusterID = clusterID
	return h.saveLocked()
}

func (h *home) saveLocked() error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	name, tmp := h.fs.PathJoin(h.dir, homeFile), h.fs.PathJoin(h.dir, homeFile+".new")
	f, err := h.fs.Create(tmp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := h.fs.Rename(tmp, name); err != nil {
		return err
	}
	return syncDir(h.fs, h.dir)
}

// makeDir makes a directory and its parents, and syncs each entry. A power cut must not take back
// the directory that a node's identity is kept in.
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
	return syncDir(fs, parent)
}

func syncDir(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readFile(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return text, errors.Join(err, f.Close())
}
