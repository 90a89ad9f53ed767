package observe

import "github.com/prometheus/client_golang/prometheus"

// metrics has all counters and histograms of a node. docs/operations.md explains those that an
// operator watches.
type metrics struct {
	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec
	requestErrors  *prometheus.CounterVec
	requestsCut    prometheus.Counter
	refusedConns   *prometheus.CounterVec
	limited        *prometheus.CounterVec
	paced          *prometheus.CounterVec
	acceptErrors   *prometheus.CounterVec
	inFlight       prometheus.Gauge
	sts            *prometheus.CounterVec
	providersAsked *prometheus.CounterVec
	bytesIn        prometheus.Counter
	bytesOut       prometheus.Counter

	stored, read prometheus.Counter
	copied       *prometheus.CounterVec
	salvaged     prometheus.Counter
	switched     prometheus.Counter
	shortWrites  prometheus.Counter
	wrongSums    prometheus.Counter
	rejected     prometheus.Counter
	tasks        *prometheus.CounterVec
	taskSeconds  *prometheus.HistogramVec
	tasksRunning *prometheus.GaugeVec

	shardMissing  prometheus.Counter
	blockCorrupt  prometheus.Counter
	hedges        prometheus.Counter
	reconstructed prometheus.Counter
	slotFailed    prometheus.Counter

	shardSeconds *prometheus.HistogramVec
	shardErrors  *prometheus.CounterVec

	syncSeconds    *prometheus.HistogramVec
	syncShards     *prometheus.CounterVec
	fenced         *prometheus.CounterVec
	badBlocks      *prometheus.CounterVec
	unreadable     *prometheus.CounterVec
	segmentsLost   *prometheus.CounterVec
	indexesRebuilt *prometheus.CounterVec

	leaderChanges prometheus.Counter
	queryPanics   prometheus.Counter
	forgot        prometheus.Counter
	contradicted  prometheus.Counter
	disagree      prometheus.Gauge
	peersForgot   prometheus.Counter
	snapshots     prometheus.Counter
	restores      prometheus.Counter
	applySeconds  prometheus.Histogram
	applied       prometheus.Counter
	commands      prometheus.Counter
	logSlow       prometheus.Counter
	writeStalls   prometheus.Counter
	metaSeconds   *prometheus.HistogramVec

	upkeepFailed *prometheus.CounterVec
	doomed       prometheus.Counter
	deleted      prometheus.Counter
	repaired     prometheus.Counter
	found        prometheus.Counter
	adopted      prometheus.Counter
	orphans      prometheus.Counter
	scrubRounds  prometheus.Counter
	scrubShards  prometheus.Counter
	scrubBad     prometheus.Counter
	widened      prometheus.Counter
	widenedBytes prometheus.Counter

	nodesLost, nodesReturned prometheus.Counter
	moves                    *prometheus.CounterVec
	movedBytes, rebuiltBytes prometheus.Counter
	slotsLeft                *prometheus.GaugeVec
	mayBeLost, promised      *prometheus.GaugeVec
	linesSuppressed          prometheus.Counter
	volumesShort             *prometheus.GaugeVec
	drained                  prometheus.Counter

	restored, restoredBytes, restoreEnded prometheus.Counter

	uploadsAborted, keysDeleted prometheus.Counter

	spans *prometheus.CounterVec

	versionsExpired, transitioned, transitionedBytes prometheus.Counter

	auditWritten, auditDropped *prometheus.CounterVec

	accessLogLines    *prometheus.CounterVec
	accessLogsFailed  prometheus.Counter
	accessLogsWaiting prometheus.Gauge

	eventsDelivered, eventsFailed            *prometheus.CounterVec
	eventsWaiting, eventsLost, eventsOldestS *prometheus.GaugeVec

	clockSkew, lastContact *prometheus.GaugeVec
	clockOff               prometheus.Gauge
	backups                *prometheus.CounterVec
	lastBackup             prometheus.Gauge
	featureLevel, certLeft prometheus.Gauge
	settingsDiffer         prometheus.Gauge

	metadataFree, metadataBallast, metadataRoom prometheus.Gauge
}

// latencyBuckets cover everything from an inline read to a long copy, in seconds.
var latencyBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// applyBuckets cover everything from one command to a batch that waits for the disk, in seconds.
var applyBuckets = []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 2.5}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
		r.MustRegister(g)
		return g
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	hist := func(name, help string, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: latencyBuckets}, labels)
		r.MustRegister(h)
		return h
	}
	fine := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: applyBuckets})
		r.MustRegister(h)
		return h
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
		r.MustRegister(g)
		return g
	}
	return metrics{
		requests:      vec("cairn_s3_requests_total", "S3 requests finished.", "operation", "status"),
		requestErrors: vec("cairn_s3_errors_total", "S3 requests answered with an error, by its S3 code.", "operation", "code"),
		requestsCut:   counter("cairn_s3_requests_cut_total", "S3 requests whose answer broke off: the connection was closed."),
		refusedConns:  vec("cairn_connections_refused_total", "Connections closed at once, for there were too many: in all (full) or of one address (full_address).", "listener", "reason"),
		acceptErrors:  vec("cairn_accept_errors_total", "Times that a listener could accept no connection: mostly, for want of file descriptors.", "listener"),
		inFlight:      gauge("cairn_s3_requests_in_flight", "Requests being answered on the S3 port."),
		sts: vec("cairn_sts_requests_total", "Requests to STS, by action (none: one that is not known) "+
			"and whether it was done, refused or failed.", "action", "outcome"),
		providersAsked: vec("cairn_identity_provider_asked_total",
			"Times that identity providers were asked for their keys or about somebody, by kind and whether they "+
				"answered (answered) or not (failed).", "kind", "outcome"),
		limited: vec("cairn_limit_refused_requests_total",
			"Requests that a limit refused, by the account that it is of and the measure; 256 at most, then others.",
			"account", "measure"),
		paced: vec("cairn_limit_paced_seconds_total",
			"How long bytes of an account's requests waited for what limits allow; 256 at most, then others.",
			"account"),
		requestSeconds: hist("cairn_s3_request_duration_seconds", "Time from a request's header to the end of its answer.", "operation"),
		bytesIn:        counter("cairn_s3_received_bytes_total", "Bytes of request bodies."),
		bytesOut:       counter("cairn_s3_sent_bytes_total", "Bytes of answer bodies."),

		stored:      counter("cairn_stored_bytes_total", "Plaintext committed by puts and uploaded parts."),
		read:        counter("cairn_read_bytes_total", "Plaintext sent to readers."),
		copied:      vec("cairn_copied_bytes_total", "Plaintext copied, by reference or by re-encoding.", "way"),
		salvaged:    counter("cairn_extents_salvaged_total", "Extents written below quorum and re-encoded elsewhere."),
		switched:    counter("cairn_volume_switches_total", "Extents that went to another volume than first chosen."),
		wrongSums:   counter("cairn_content_wrong_sums_total", "Reads and copies that met plaintext which is not what is recorded of it; none of it was sent whole, or committed."),
		shortWrites: counter("cairn_extents_short_total", "Extents committed with shards missing."),
		rejected:    counter("cairn_requests_rejected_total", "Requests that the buffer budget refused."),

		tasks:        vec("cairn_copy_tasks_total", "Extents re-encoded by copies: here, sent to other nodes, served to them.", "place", "result"),
		taskSeconds:  hist("cairn_copy_task_duration_seconds", "Time to re-encode an extent of a copy.", "place"),
		tasksRunning: gauges("cairn_copy_tasks_running", "Extents being re-encoded by copies.", "place"),

		shardMissing:  counter("cairn_shards_missing_total", "Shards that a read did not find."),
		blockCorrupt:  counter("cairn_blocks_corrupt_total", "Blocks that a read found bad."),
		hedges:        counter("cairn_hedged_reads_total", "Reads that asked another drive because one was slow."),
		reconstructed: counter("cairn_blocks_reconstructed_total", "Blocks computed from others for a read."),
		slotFailed:    counter("cairn_write_slots_failed_total", "Slots that a write left behind."),

		shardSeconds: hist("cairn_shard_operation_duration_seconds", "Time of operations on shards of this node's drives (local) and of other nodes' (remote). An open ends with its first byte, a write with its sync.", "operation", "place"),
		shardErrors:  vec("cairn_shard_operation_errors_total", "Operations on shards that failed, by kind of error.", "operation", "place", "kind"),

		syncSeconds:    hist("cairn_drive_sync_duration_seconds", "Duration of one fdatasync.", "drive"),
		syncShards:     vec("cairn_drive_synced_shards_total", "Shards made durable.", "drive"),
		fenced:         vec("cairn_drive_failures_total", "Drives taken out of use after an I/O error.", "drive"),
		badBlocks:      vec("cairn_drive_bad_blocks_total", "Blocks that scrub found bad at rest.", "drive"),
		unreadable:     vec("cairn_drive_unreadable_total", "Places that the device could not read; many take the drive out of use.", "drive"),
		segmentsLost:   vec("cairn_drive_segments_damaged_total", "Segments that cannot be read: all their shards are missing.", "drive"),
		indexesRebuilt: vec("cairn_drive_index_rebuilds_total", "Indexes made anew from a drive's segments.", "drive"),

		queryPanics:   counter("cairn_metadata_query_panics_total", "Queries of the metadata that panicked on what they met, and failed."),
		leaderChanges: counter("cairn_raft_leader_changes_total", "Changes of the metadata's leader, as this node saw them."),
		contradicted:  counter("cairn_metadata_contradictions_total", "Commands that this node's metadata refused since records contradict each other or cannot be decoded."),
		disagree:      gauge("cairn_metadata_disagreeing_voters", "Voters that have refused other commands for contradictions than this node: the metadata of one of them are damaged."),
		forgot:        counter("cairn_raft_forgot_total", "Starts in which this node's metadata held less than it had promised: it has no vote until it is given one again."),
		peersForgot:   counter("cairn_raft_peers_forgot_total", "Times that a server of the metadata showed a log that ends before what it had applied."),
		snapshots:     counter("cairn_raft_snapshots_total", "Snapshots taken."),
		restores:      counter("cairn_raft_restores_total", "Snapshots received and restored."),
		applySeconds:  fine("cairn_raft_apply_duration_seconds", "Time to apply a batch of log entries to the state."),
		applied:       counter("cairn_raft_applied_entries_total", "Log entries applied to the state."),
		commands: counter("cairn_raft_applied_commands_total",
			"Commands applied to the state; several may share a log entry."),
		logSlow:     counter("cairn_raft_log_slow_writes_total", "Writes to the Raft log that took longer than a second."),
		writeStalls: counter("cairn_database_write_stalls_total", "Times that commits to the state had to wait for the disk."),
		metaSeconds: hist("cairn_metadata_request_duration_seconds", "Time of changes (propose) and reads of the metadata, as this node saw them.", "request"),

		upkeepFailed:  vec("cairn_upkeep_failures_total", "Rounds of upkeep that failed.", "task"),
		doomed:        counter("cairn_extents_doomed_total", "Unreferenced extents given up for deletion."),
		deleted:       counter("cairn_shards_deleted_total", "Shards of doomed extents deleted."),
		repaired:      counter("cairn_extents_repaired_total", "Extents whose missing shards were rebuilt."),
		found:         counter("cairn_shards_found_bad_total", "Bad or missing shards recorded for repair."),
		adopted:       counter("cairn_shards_adopted_total", "Shards of this node's drives brought to drives that lacked them."),
		orphans:       counter("cairn_orphans_deleted_total", "Shards that no metadata knows, deleted."),
		scrubRounds:   counter("cairn_scrub_rounds_total", "Drives verified whole."),
		scrubShards:   counter("cairn_scrub_shards_total", "Shards verified by scrub."),
		scrubBad:      counter("cairn_scrub_bad_shards_total", "Shards that scrub found bad."),
		nodesLost:     counter("cairn_nodes_lost_total", "Nodes that this node, leading, declared lost."),
		nodesReturned: counter("cairn_nodes_returned_total", "Lost nodes that came back."),
		moves:         vec("cairn_slot_moves_total", "Moves of slots to this node that are finished: copied, or off a lost drive.", "kind"),
		movedBytes:    counter("cairn_moved_bytes_total", "Bytes of shards that moves brought to this node."),
		rebuiltBytes:  counter("cairn_rebuilt_bytes_total", "Bytes of shards that repair wrote."),
		slotsLeft:     gauges("cairn_slots_to_move", "Slots that are to leave lost or draining drives, and those of them that no drive can take; on the node that leads.", "why"),
		mayBeLost:     gauges("cairn_tolerance", "Nodes, drives or zones that may be lost now, whichever they are, while all data can be read; on the node that leads.", "unit"),
		promised:      gauges("cairn_tolerance_promised", "What of them the coding of the data would bear if its slots lay as evenly as drives allow; on the node that leads.", "unit"),
		volumesShort:  gauges("cairn_volumes_below_promise", "Volumes with data that bear less than their coding promises: something of them cannot be read, slots or shards are missing, or slots lie too close together; on the node that leads.", "why"),
		drained:       counter("cairn_drives_drained_total", "Draining drives that were emptied."),

		linesSuppressed: counter("cairn_log_lines_suppressed_total", "Lines about requests of strangers that were not written, for there were too many."),

		widened:      counter("cairn_extents_widened_total", "Extents re-encoded into a wider scheme."),
		widenedBytes: counter("cairn_widened_bytes_total", "Plaintext of extents re-encoded into a wider scheme."),

		restored:      counter("cairn_objects_restored_total", "Cold versions restored."),
		restoredBytes: counter("cairn_objects_restored_bytes_total", "Plaintext of cold versions restored."),
		restoreEnded:  counter("cairn_restores_expired_total", "Warm copies of cold versions dropped after they expired."),

		uploadsAborted:  counter("cairn_uploads_aborted_total", "Uploads aborted by lifecycle rules."),
		eventsDelivered: vec("cairn_events_delivered_total", "Events that targets took.", "target"),
		eventsFailed:    vec("cairn_event_failures_total", "Tries to deliver events that failed.", "target"),
		eventsWaiting:   gauges("cairn_events_waiting", "Events that wait for a target; on the node that leads.", "target"),
		eventsLost:      gauges("cairn_events_lost", "Events that found the queue of a target full; on the node that leads.", "target"),
		eventsOldestS: gauges("cairn_events_oldest_age_seconds",
			"Age of the oldest event that waits for a target; on the node that leads.", "target"),

		accessLogLines:    vec("cairn_access_log_records_total", "Records of buckets' access logs: delivered to their target, or lost.", "result"),
		accessLogsFailed:  counter("cairn_access_log_failures_total", "Tries to deliver access logs that failed."),
		accessLogsWaiting: gauge("cairn_access_log_waiting_bytes", "Access logs of buckets that wait on this node's disk for delivery."),

		versionsExpired:   counter("cairn_versions_expired_total", "Versions ended by lifecycle rules."),
		transitioned:      counter("cairn_versions_transitioned_total", "Versions whose storage class lifecycle rules changed."),
		transitionedBytes: counter("cairn_versions_transitioned_bytes_total", "Plaintext of versions whose storage class lifecycle rules changed."),
		keysDeleted:       counter("cairn_master_keys_deleted_total", "Master keys deleted after their waiting time."),
		clockOff:          gauge("cairn_clock_off", "1 while this node's clock is far from those of most voters, or has jumped: it changes nothing meanwhile."),
		clockSkew:         gauges("cairn_clock_skew_seconds", "How far a node's clock is ahead of this one's.", "peer"),
		lastContact:       gauges("cairn_raft_peer_last_contact_seconds", "Since the leader last heard of a member of the metadata's group; on the leader.", "peer"),
		backups:           vec("cairn_metadata_backups_total", "Backups of the metadata made by this node.", "result"),
		lastBackup: gauge("cairn_metadata_backup_timestamp_seconds",
			"When this node last made a backup of the metadata whole; 0: never since it started."),

		featureLevel:    gauge("cairn_feature_level", "The cluster's feature level, as this node last read it."),
		metadataFree:    gauge("cairn_metadata_free_bytes", "Free bytes of the file system that holds the metadata, the ballast not among them."),
		metadataBallast: gauge("cairn_metadata_ballast_bytes", "Bytes that are kept on that file system for deletions and restarts when it is full."),
		metadataRoom:    gauge("cairn_metadata_room_level", "Room for the metadata: 0 plenty, 1 low (nothing that grows is taken if most voters have no more), 2 full (no changes at all)."),
		settingsDiffer:  gauge("cairn_settings_differing", "Settings that must be equal on every node and of which another node has another value."),
		certLeft:        gauge("cairn_internode_certificate_expiry_seconds", "Until the certificate that this node shows to others expires."),

		spans: vec("cairn_trace_spans_total", "Spans sent to the receiver of traces, or lost because it did not take them.", "result"),

		auditWritten: vec("cairn_audit_records_total", "Audit records that a target took.", "target"),
		auditDropped: vec("cairn_audit_dropped_total", "Audit records that were lost: the target was too slow, or refused them.", "target"),
	}
}
