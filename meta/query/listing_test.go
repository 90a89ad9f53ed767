package query

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
)

// TestListEntryHasTheRestore: a list entry has what a version's record says of its restore.
func TestListEntryHasTheRestore(t *testing.T) {
	version, err := proto.Marshal(&metapb.Version{Size: 4, Restore: &metapb.Restore{Ongoing: true, Days: 3}})
	require.NoError(t, err)
	e := new(metapb.ListEntry)
	require.NoError(t, new(lister).version(e, version))
	require.True(t, proto.Equal(&metapb.ListEntry{Size: 4, Restore: &metapb.Restore{Ongoing: true, Days: 3}}, e))
}
