package node

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard/drive"
)

// disks makes a node's directories: its home in the first, a drive in each.
func disks(t *testing.T, dirs ...string) (vfs.FS, []string) {
	fs := vfs.NewMem()
	h, err := openHome(fs, dirs[0])
	require.NoError(t, err)
	require.NoError(t, h.join("c1"))
	var own []ownDrive
	var ids []string
	for _, dir := range dirs {
		d, err := drive.Open(context.Background(), drive.Options{FS: fs, Dir: dir})
		require.NoError(t, err)
		require.NoError(t, d.SetCluster("c1"))
		own, ids = append(own, ownDrive{d.ID().String(), dir}), append(ids, d.ID().String())
		require.NoError(t, d.Close())
	}
	require.NoError(t, h.setDrives(own))
	return fs, ids
}

func TestDirectoriesInAnyOrder(t *testing.T) {
	fs, _ := disks(t, "a", "b", "c")
	for _, dirs := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "a", "c"}} {
		home, err := findHome(fs, dirs)
		require.NoError(t, err)
		require.Equal(t, "a", home)
		h, err := openHome(fs, home)
		require.NoError(t, err)
		require.NoError(t, h.checkDrives(dirs, nil))
	}
}

func TestDirectoriesThatDoNotFit(t *testing.T) {
	fs, ids := disks(t, "a", "b", "c")
	h, err := openHome(fs, "a")
	require.NoError(t, err)
	require.ErrorContains(t, h.checkDrives([]string{"a", "b"}, nil), "drive "+ids[2]+" of this node, last seen in c, is missing: none of the directories")
	require.ErrorContains(t, h.checkDrives([]string{"a", "b", "new"}, nil), "new is empty")
	require.ErrorContains(t, h.checkDrives([]string{"a", "b", "new"}, []string{ids[1]}), "--accept-lost-drive "+ids[2])
	require.NoError(t, h.checkDrives([]string{"a", "b", "new"}, []string{ids[2]}))

	_, err = findHome(fs, []string{"b", "c"})
	require.ErrorContains(t, err, "none of the data directories holds the node's identity")
	_, err = openHome(fs, "other")
	require.NoError(t, err)
	_, err = findHome(fs, []string{"other", "a"})
	require.ErrorContains(t, err, "directories of two nodes")

	foreign, err := drive.Open(context.Background(), drive.Options{FS: fs, Dir: "foreign"})
	require.NoError(t, err)
	require.NoError(t, foreign.SetCluster("c1"))
	require.NoError(t, foreign.Close())
	require.ErrorContains(t, h.checkDrives([]string{"a", "b", "c", "foreign"}, nil), "of another node")
}
