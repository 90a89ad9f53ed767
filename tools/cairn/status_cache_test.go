package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// TestColdest: a node that was asked for no block yet has missed none.
func TestColdest(t *testing.T) {
	of := func(id string, hits, misses uint64) *adminpb.NodeStatus {
		return &adminpb.NodeStatus{Id: id, BlockCache: &adminpb.BlockCache{Hits: hits, Misses: misses}}
	}
	silent := &adminpb.NodeStatus{Id: "silent"}
	require.Nil(t, coldest([]*adminpb.NodeStatus{silent}))
	all := []*adminpb.NodeStatus{silent, of("new", 0, 0), of("warm", 9, 1), of("cold", 8, 2)}
	require.Equal(t, "cold", coldest(all).Id)
	require.Equal(t, "new", coldest([]*adminpb.NodeStatus{silent, of("new", 0, 0)}).Id)
}
