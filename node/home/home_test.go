package home

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/shard/drive"
)

// disks makes the directories of a node: the home in the first one, and a drive in each.
func disks(t *testing.T, dirs ...string) (vfs.FS, []string) {
	fs := vfs.NewMem()
	h, err := Open(fs, dirs[0])
	require.NoError(t, err)
	require.NoError(t, h.Join("c1"))
	var own []Drive
	var ids []string
	for _, dir := range dirs {
		d, err := drive.Open(context.Background(), drive.Options{FS: fs, Dir: dir})
		require.NoError(t, err)
		require.NoError(t, d.SetCluster("c1"))
		own, ids = append(own, Drive{d.ID().String(), dir}), append(ids, d.ID().String())
		require.NoError(t, d.Close())
	}
	require.NoError(t, h.SetDrives(own))
	return fs, ids
}

func TestDirectoriesInAnyOrder(t *testing.T) {
	fs, _ := disks(t, "a", "b", "c")
	for _, dirs := range [][]string{{"a", "b", "c"}, {"c", "b", "a"}, {"b", "a", "c"}} {
		dir, err := Find(fs, dirs)
		require.NoError(t, err)
		require.Equal(t, "a", dir)
		h, err := Open(fs, dir)
		require.NoError(t, err)
		require.NoError(t, h.CheckDrives(dirs, nil))
	}
}

func TestDirectoriesThatDoNotFit(t *testing.T) {
	fs, ids := disks(t, "a", "b", "c")
	h, err := Open(fs, "a")
	require.NoError(t, err)
	require.ErrorContains(t, h.CheckDrives([]string{"a", "b"}, nil),
		"drive "+ids[2]+" of this node, last seen in c, is missing: none of the directories")
	require.ErrorContains(t, h.CheckDrives([]string{"a", "b", "new"}, nil), "new is empty")
	require.ErrorContains(t, h.CheckDrives([]string{"a", "b", "new"}, []string{ids[1]}), "--accept-lost-drive "+ids[2])
	require.NoError(t, h.CheckDrives([]string{"a", "b", "new"}, []string{ids[2]}))

	_, err = Find(fs, []string{"b", "c"})
	require.ErrorContains(t, err, "none of the data directories holds the node's identity")
	_, err = Open(fs, "other")
	require.NoError(t, err)
	_, err = Find(fs, []string{"other", "a"})
	require.ErrorContains(t, err, "directories of two nodes")

	foreign, err := drive.Open(context.Background(), drive.Options{FS: fs, Dir: "foreign"})
	require.NoError(t, err)
	require.NoError(t, foreign.SetCluster("c1"))
	require.NoError(t, foreign.Close())
	require.ErrorContains(t, h.CheckDrives([]string{"a", "b", "c", "foreign"}, nil), "of another node")
}
