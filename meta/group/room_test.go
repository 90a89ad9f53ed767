package group

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cairnstore/cairn/meta/metapb"
)

// growth says of every command whether it is refused first where room is short, and why.
// A command that is new needs a row here: decide, and tell Grows.
var growth = map[protoreflect.Name]struct {
	grows bool
	why   string
}{
	"create_volumes":     {true, "only new extents need volumes"},
	"lease_extents":      {true, "whoever leases numbers writes extents"},
	"create_bucket":      {true, "a record that stays"},
	"put_object":         {true, "a record that stays"},
	"create_upload":      {true, "a record that stays"},
	"put_part":           {true, "a record that stays"},
	"complete_upload":    {true, "a record that stays, and parts that are no longer let go by an abort"},
	"transition_version": {true, "a second content, until the first is gone"},

	"form_cluster":        {false, "the first command there is"},
	"open_session":        {false, "a node that starts must be able to free"},
	"register_node":       {false, "a new node is how room comes"},
	"release_leases":      {false, "frees"},
	"set_node_state":      {false, "keeps what there is"},
	"set_drive_state":     {false, "keeps what there is"},
	"remove_node":         {false, "frees"},
	"remove_drive":        {false, "frees"},
	"delete_bucket":       {false, "frees"},
	"set_bucket_config":   {false, "a lifecycle rule or a policy may be what is needed; one record a bucket"},
	"set_bucket_quota":    {false, "bounds growth"},
	"delete_objects":      {false, "frees; a delete marker is how versions are let go"},
	"update_version":      {false, "changes a version in its place"},
	"abort_upload":        {false, "frees"},
	"forget_uploads":      {false, "frees"},
	"add_pin":             {false, "goes with its session; what is copied needs a lease or a commit, which are refused"},
	"drop_pins":           {false, "frees"},
	"set_missing":         {false, "repair has to know; an extent of that kind has one small record"},
	"doom_extents":        {false, "garbage collection"},
	"forget_extents":      {false, "frees"},
	"replace_extent":      {false, "repair and re-encoding replace what is there"},
	"trim_contents":       {false, "frees"},
	"write_entries":       {false, "settings, and rights that have to be taken back"},
	"start_move":          {false, "away from a drive that is full or drains"},
	"finish_move":         {false, "the same"},
	"cancel_move":         {false, "the same"},
	"report_drive":        {false, "which drives are full"},
	"expire_versions":     {false, "frees"},
	"drop_events":         {false, "frees"},
	"raise_feature_level": {false, "one number"},
	"begin_era":           {false, "one number"},
	"release_orphans":     {false, "frees"},
	"drive_reconciled":    {false, "frees"},
	"lower_clock":         {false, "one number"},
}

// TestEveryCommandIsDecided: no command is added without deciding whether a cluster that is
// short of room takes it.
func TestEveryCommandIsDecided(t *testing.T) {
	ops := (&metapb.Command{}).ProtoReflect().Descriptor().Oneofs().ByName("op").Fields()
	require.NotZero(t, ops.Len())
	for i := range ops.Len() {
		f := ops.Get(i)
		row, ok := growth[f.Name()]
		require.True(t, ok, "command %s: does it make the metadata or the drives grow? Decide in growth and in Grows", f.Name())
		require.NotEmpty(t, row.why)
		cmd := &metapb.Command{}
		m := cmd.ProtoReflect()
		m.Set(f, m.NewField(f))
		require.Equal(t, row.grows, Grows(cmd), "command %s", f.Name())
	}
	require.Len(t, growth, ops.Len(), "a row of a command that is gone")
}
