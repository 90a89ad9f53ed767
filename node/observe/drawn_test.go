package observe

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// undrawn are the metrics that neither the dashboard draws nor an alert asks for, by the reason. A
// new metric must be drawn (deploy/grafana/cairn.json), asked for by an alert
// (deploy/prometheus/alerts.yml), or be in this map.
var undrawn = map[string][]string{
	"rare: looked up when a log line or an alert asks for it": {
		"cairn_accept_errors_total",
		"cairn_identity_provider_asked_total",
		"cairn_sts_requests_total",
		"cairn_connections_refused_total",
		"cairn_content_wrong_sums_total",
		"cairn_drive_failures_total", // cairn_drive_failed has the alert.
		"cairn_drive_index_rebuilds_total",
		"cairn_limit_paced_seconds_total",
		"cairn_limit_refused_requests_total",
		"cairn_log_lines_suppressed_total",
		"cairn_metadata_query_panics_total",
		"cairn_raft_restores_total",
		"cairn_shards_adopted_total",
		"cairn_trace_spans_total",
	},
	"the other half of a figure that is drawn": {
		"cairn_audit_records_total",               // cairn_audit_dropped_total
		"cairn_blocks_corrupt_total",              // cairn_blocks_reconstructed_total
		"cairn_buffers_idle_bytes",                // cairn_budget_free_bytes
		"cairn_buffers_live_bytes",                // cairn_budget_free_bytes
		"cairn_cluster_bytes_unreadable",          // cairn_cluster_extents_unreadable
		"cairn_connections",                       // cairn_s3_requests_in_flight
		"cairn_copy_task_duration_seconds",        // cairn_copy_tasks_total
		"cairn_copy_tasks_running",                // cairn_copy_tasks_total
		"cairn_drive_used_bytes",                  // cairn_drive_free_bytes
		"cairn_metadata_ballast_bytes",            // cairn_metadata_room_level
		"cairn_metadata_backups_total",            // cairn_metadata_backup_timestamp_seconds
		"cairn_metadata_free_bytes",               // cairn_metadata_room_level
		"cairn_objects_restored_bytes_total",      // cairn_objects_restored_total
		"cairn_read_bytes_total",                  // cairn_s3_sent_bytes_total
		"cairn_scrub_rounds_total",                // cairn_scrub_shards_total
		"cairn_shards_missing_total",              // cairn_cluster_extents_missing_shards
		"cairn_stored_bytes_total",                // cairn_s3_received_bytes_total
		"cairn_versions_transitioned_bytes_total", // cairn_versions_transitioned_total
		"cairn_widened_bytes_total",               // cairn_extents_widened_total
		"cairn_write_slots_failed_total",          // cairn_shard_operation_errors_total
	},
	"progress of upkeep, which `cairn job list` shows by job": {
		"cairn_cluster_contents_dropped",
		"cairn_drives_drained_total",
		"cairn_extents_doomed_total",
		"cairn_extents_widened_total",
		"cairn_master_keys_deleted_total",
		"cairn_orphans_deleted_total",
		"cairn_shards_deleted_total",
	},
	"writes that went another way: a matter of tuning": {
		"cairn_extents_salvaged_total",
		"cairn_volume_switches_total",
	},
	"for whoever asks why requests wait for the metadata": {
		"cairn_bucket_cache_bytes",
		"cairn_bucket_cache_hits_total",
		"cairn_bucket_cache_misses_total",
	},
	"for whoever looks into a slow database or Raft": {
		"cairn_block_cache_bytes",
		"cairn_block_cache_limit_bytes",
		"cairn_database_compactions_total",
		"cairn_database_flushes_total",
		"cairn_database_l0_sublevels",
		"cairn_raft_leader_known",
		"cairn_raft_log_bytes",
		"cairn_raft_log_entries",
		"cairn_raft_peer_last_contact_seconds",
		"cairn_raft_snapshot_index",
		"cairn_raft_snapshots_total",
		"cairn_raft_voters",
	},
	"how many there are, which `cairn status` says": {
		"cairn_cluster_buckets",
		"cairn_cluster_volumes",
	},
}

// TestDrawn proves that somebody has decided about every metric: it is drawn, has an alert, or is
// in undrawn with a reason. undrawn has nothing else.
func TestDrawn(t *testing.T) {
	dashboard, err := os.ReadFile("../../deploy/grafana/cairn.json")
	require.NoError(t, err)
	alerts, err := os.ReadFile("../../deploy/prometheus/alerts.yml")
	require.NoError(t, err)
	watched := map[string]bool{}
	for _, text := range [][]byte{dashboard, alerts} {
		for _, name := range regexp.MustCompile(`\bcairn_[a-z0-9_]+`).FindAll(text, -1) {
			watched[string(name)] = true
		}
	}
	known, decided := exported(t), map[string]string{}
	for why, names := range undrawn {
		for _, name := range names {
			require.Empty(t, decided[name], "%s stands twice in undrawn", name)
			require.Contains(t, known, name, "undrawn names what no node exports")
			decided[name] = why
		}
	}
	for name := range known {
		drawn := false
		for _, suffix := range []string{"", "_bucket", "_sum", "_count"} {
			drawn = drawn || watched[name+suffix]
		}
		switch {
		case name[:min(len(name), 6)] != "cairn_": // Of the process and of Go.
		case drawn:
			require.Empty(t, decided[name], "%s is watched: take it out of undrawn", name)
		default:
			require.NotEmpty(t, decided[name], "nobody watches %s: draw it (deploy/grafana/cairn.json), "+
				"write an alert (deploy/prometheus/alerts.yml), or say in undrawn why not", name)
		}
	}
}
