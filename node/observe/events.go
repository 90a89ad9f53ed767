package observe

import (
	"context"
	"encoding/hex"
	"log/slog"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/gossip"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/group"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/audit"
	"github.com/cairnstore/cairn/node/upkeep"
	"github.com/cairnstore/cairn/s3api"
	"github.com/cairnstore/cairn/s3api/accesslog"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/drive"
	"github.com/cairnstore/cairn/shard/stripe"
)

// S3 returns the events of the S3 handler. Each request is counted, and logged if the level asks
// for it; done is then called with it.
func (o *Observer) S3(done func(*s3api.RequestDone)) s3api.Events {
	return s3api.Events{
		RequestDone: func(ctx context.Context, d s3api.RequestDone) {
			o.requestDone(ctx, d)
			done(&d)
		},
		ServerError: func(m string) { o.Log.Debug("s3 listener", "message", m) },
	}
}

// requestDone counts and logs a request. Failures of strangers are logged only as often as the
// sampler allows, so that strangers cannot fill the log.
func (o *Observer) requestDone(ctx context.Context, d s3api.RequestDone) {
	op := d.Operation
	if op == "" {
		op = "none"
	}
	nameRequest(ctx, op, d)
	o.m.requests.WithLabelValues(op, strconv.Itoa(d.Status)).Inc()
	o.m.requestSeconds.WithLabelValues(op).Observe(d.Duration.Seconds())
	if d.Code != "" {
		o.m.requestErrors.WithLabelValues(op, string(d.Code)).Inc()
	}
	if d.Aborted {
		o.m.requestsCut.Inc()
	}
	o.m.bytesIn.Add(float64(d.BytesIn))
	o.m.bytesOut.Add(float64(d.BytesOut))
	level := slog.LevelDebug
	switch {
	case d.Limit != nil: // There may be very many of them: a metric counts them.
	case d.Status >= 500 || d.Aborted:
		level = slog.LevelWarn
	case d.Status >= 400:
		level = slog.LevelInfo
	}
	if !o.Log.Enabled(context.Background(), level) {
		return
	}
	var suppressed uint64
	if d.Who == nil && level > slog.LevelDebug && d.Status < 500 {
		var ok bool
		if ok, suppressed = o.strangers.take(time.Now()); !ok {
			o.m.linesSuppressed.Inc()
			return
		}
	}
	attrs := []slog.Attr{slog.String("id", d.ID), slog.String("op", op), slog.Int("status", d.Status),
		slog.Int64("in", d.BytesIn), slog.Int64("out", d.BytesOut), slog.Duration("took", d.Duration), slog.String("remote", d.Remote)}
	if d.Code != "" {
		attrs = append(attrs, slog.String("code", string(d.Code)))
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Uint64("suppressed_before", suppressed))
	}
	if d.Aborted {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	if d.Cause != nil {
		attrs = append(attrs, slog.String("cause", d.Cause.Error()))
	}
	o.Log.LogAttrs(context.Background(), level, "request", attrs...)
}

// Audit returns the events of the audit log.
func (o *Observer) Audit() audit.Events {
	return audit.Events{
		Written: func(target string, n int) { o.m.auditWritten.WithLabelValues(target).Add(float64(n)) },
		Dropped: func(target string, n int) {
			o.auditDropped.Add(uint64(n))
			o.m.auditDropped.WithLabelValues(target).Add(float64(n))
		},
		Trouble: func(target string, dropped int, cause error) {
			o.Log.Error("audit log: records are late or lost", "target", target, "lost", dropped, "cause", cause)
		},
	}
}

// AccessLogs returns the events of the access logs of buckets.
func (o *Observer) AccessLogs() accesslog.Events {
	delivered, dropped := o.m.accessLogLines.WithLabelValues("delivered"), o.m.accessLogLines.WithLabelValues("lost")
	return accesslog.Events{
		Delivered: func(lines int) { delivered.Add(float64(lines)) },
		Dropped:   func(lines int) { dropped.Add(float64(lines)) },
		Trouble: func(lost int, cause error) {
			o.Log.Error("access logs: records are lost", "lost", lost, "cause", cause)
		},
		Waiting: func(bytes int64) { o.m.accessLogsWaiting.Set(float64(bytes)) },
		Failed: func(target string, cause error) {
			o.m.accessLogsFailed.Inc()
			o.Log.Warn("access logs wait for their target", "target", target, "cause", cause)
		},
	}
}

// AuditDropped returns how many audit records were lost since the node was started.
func (o *Observer) AuditDropped() uint64 { return o.auditDropped.Load() }

// Object returns the events of the object service.
func (o *Observer) Object() object.Events {
	byRef, byRead := o.m.copied.WithLabelValues("reference"), o.m.copied.WithLabelValues("re-encoding")
	return object.Events{
		Stored:       func(n int64) { o.m.stored.Add(float64(n)) },
		Read:         func(n int64) { o.m.read.Add(float64(n)) },
		CopiedByRef:  func(n int64) { byRef.Add(float64(n)) },
		CopiedByRead: func(n int64) { byRead.Add(float64(n)) },
		Salvaged: func(from, to shard.ExtentID) {
			o.m.salvaged.Inc()
			o.Log.Warn("extent written below quorum, re-encoded elsewhere", "from", from.String(), "to", to.String())
		},
		VolumeSwitch: func(from shard.VolumeID, cause error) {
			o.m.switched.Inc()
			o.Log.Info("extent goes to another volume", "volume", from, "cause", cause)
		},
		WrongSum: func(content []byte, id shard.ExtentID) {
			o.m.wrongSums.Inc()
			o.Log.Error("plaintext that was read is not what is recorded of it: the read was cut short, a copy was not committed",
				"content", hex.EncodeToString(content), "extent", id.String())
		},
		ShortWrite: func(shard.ExtentID, int) { o.m.shortWrites.Inc() },
		Alloc: alloc.Events{VolumesMade: func(n int, s shard.Scheme) {
			o.Log.Info("volumes made", "count", n, "scheme", s.String())
		}},
		Rejected:  func(int64) { o.m.rejected.Inc() },
		TaskBegan: func(at object.TaskPlace) { o.m.tasksRunning.WithLabelValues(string(at)).Inc() },
		TaskEnded: func(at object.TaskPlace, took time.Duration, err error) {
			result := "ok"
			if err != nil {
				result = "failed"
				o.Log.Debug("copy task failed", "place", string(at), "cause", err)
			}
			o.m.tasksRunning.WithLabelValues(string(at)).Dec()
			o.m.tasks.WithLabelValues(string(at), result).Inc()
			o.m.taskSeconds.WithLabelValues(string(at)).Observe(took.Seconds())
		},
	}
}

// Stripe returns the events of the data path. found is called with every bad or missing shard, and
// slotFailed with every slot that a write has left behind.
func (o *Observer) Stripe(found, slotFailed func(shard.ID, error)) stripe.Events {
	return stripe.Events{
		ShardMissing: func(id shard.ID, err error) {
			o.m.shardMissing.Inc()
			o.Log.Warn("shard missing", "shard", id.String(), "cause", err)
			if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Corrupt) {
				found(id, err)
			}
		},
		BlockCorrupt: func(id shard.ID, block int) {
			o.m.blockCorrupt.Inc()
			o.Log.Warn("bad block", "shard", id.String(), "block", block)
			found(id, errs.Newf("stripe.Read", errs.Corrupt, "block %d", block))
		},
		HedgeFired:    func(shard.ID) { o.m.hedges.Inc() },
		Reconstructed: func(_ shard.ExtentID, blocks int) { o.m.reconstructed.Add(float64(blocks)) },
		SlotFailed: func(id shard.ID, err error) {
			o.m.slotFailed.Inc()
			slotFailed(id, err)
			o.Log.Info("write left a slot behind", "shard", id.String(), "cause", err)
		},
	}
}

// Drive returns the events of one drive. fenced is called when the drive is taken out of use.
func (o *Observer) Drive(dir string, fenced func(error)) drive.Events {
	for _, v := range []*prometheus.CounterVec{o.m.fenced, o.m.badBlocks, o.m.unreadable, o.m.segmentsLost, o.m.indexesRebuilt} {
		v.WithLabelValues(dir) // With value 0, so that the first failure is an increase.
	}
	syncs, synced := o.m.syncSeconds.WithLabelValues(dir), o.m.syncShards.WithLabelValues(dir)
	return drive.Events{
		SyncDone: func(took time.Duration, waiters int) {
			syncs.Observe(took.Seconds())
			synced.Add(float64(waiters))
		},
		Fenced: func(err error) {
			o.m.fenced.WithLabelValues(dir).Inc()
			o.Log.Error("drive taken out of use: replace it, or restart the node to try it again", "drive", dir, "cause", err)
			fenced(err)
		},
		Unreadable: func(err error) {
			o.m.unreadable.WithLabelValues(dir).Inc()
			o.Log.Warn("the device could not read a place; its shard is repaired", "drive", dir, "cause", err)
		},
		BadBlock: func(id shard.ID, block int) {
			o.m.badBlocks.WithLabelValues(dir).Inc()
			o.Log.Warn("bad block at rest", "drive", dir, "shard", id.String(), "block", block)
		},
		Rebuilt: func(n int) {
			o.m.indexesRebuilt.WithLabelValues(dir).Inc()
			o.Log.Warn("drive index made anew from its segments", "drive", dir, "shards", n)
		},
		SegmentDamaged: func(n uint64) {
			o.m.segmentsLost.WithLabelValues(dir).Inc()
			o.Log.Error("segment cannot be read, its shards are missing", "drive", dir, "segment", n)
		},
	}
}

// Group returns the events of the metadata's Raft group. fatal is called when the group cannot go
// on.
func (o *Observer) Group(fatal func(error)) group.Events {
	levels := map[group.Level]slog.Level{group.LevelDebug: slog.LevelDebug, group.LevelInfo: slog.LevelDebug,
		group.LevelWarn: slog.LevelInfo, group.LevelError: slog.LevelWarn}
	return group.Events{
		Fatal: fatal,
		Log: func(l group.Level, m string) {
			level := levels[l]
			if o.stopping.Load() { // While this node stops, it is no news that others no longer answer.
				level = min(level, slog.LevelInfo)
			}
			o.Log.Log(context.Background(), level, "raft", "message", m)
		},
		Applied: func(entries, commands int, took time.Duration) {
			o.m.applied.Add(float64(entries))
			o.m.commands.Add(float64(commands))
			o.m.applySeconds.Observe(took.Seconds())
		},
		WriteStall: func(stalled bool) {
			if stalled {
				o.m.writeStalls.Inc()
				o.Log.Warn("commits to the metadata wait for the disk")
			}
		},
		LogSlow: func(took time.Duration) {
			o.m.logSlow.Inc()
			o.Log.Warn("a write to the Raft log was slow", "took", took)
		},
		QueryPanicked: func(v any, stack []byte) {
			o.m.queryPanics.Inc()
			o.Log.Error("panic in a query of the metadata; it failed, all others are served", "value", v, "stack", string(stack))
		},
		LeaderChanged: func(n cluster.NodeID) {
			o.m.leaderChanges.Inc()
			o.Log.Info("metadata leader", "node", n.String())
		},
		Forgot: func(what string) {
			o.m.forgot.Inc()
			o.Log.Error("this node's metadata are not what it had promised: it neither votes nor counts until it is given a vote again", "metadata", what)
		},
		Contradiction: o.Contradiction,
		PeerForgot: func(server string, known, shown uint64) {
			o.m.peersForgot.Inc()
			o.Log.Error("a server of the metadata has lost entries that it had applied: its votes do not count; stop that node, move its metadata directory away and start it again",
				"server", server, "applied", known, "log_ends", shown)
		},
		LeadershipLeft: func(err error) {
			if err != nil {
				o.Log.Info("leadership of the metadata was left without a successor; the others elect a leader", "cause", err)
				return
			}
			o.Log.Info("leadership of the metadata handed over")
		},
		NoRoom: func(what string, err error) {
			o.Log.Warn("put off, since the file system is full", "what", what, "cause", err)
		},
		SnapshotTaken: func(index uint64, took time.Duration) {
			o.m.snapshots.Inc()
			o.Log.Info("metadata snapshot taken", "index", index, "took", took)
		},
		StateRestored: func(index uint64, took time.Duration) {
			o.m.restores.Inc()
			o.Log.Info("metadata snapshot restored", "index", index, "took", took)
		},
		SessionExpired: func(cluster.NodeID) {
			o.Log.Warn("this node's session was ended by another process with the same node id: is its data directory in use twice?")
		},
	}
}

// CertificatesReloaded is called when changed certificate files are in use, or could not be read.
func (o *Observer) CertificatesReloaded(err error) {
	if err != nil {
		o.Log.Error("changed certificate files cannot be used; the old certificate stays", "cause", err)
		return
	}
	o.Log.Info("certificate files read again")
}

// RPC returns the events of the internode listener.
func (o *Observer) RPC() rpc.Events {
	return rpc.Events{
		HandlerPanicked: func(method, path string, v any, stack []byte) {
			o.Log.Error("panic in an internode handler", "method", method, "path", path, "value", v, "stack", string(stack))
		},
		HandshakeFailed: func(text string) { o.Log.Warn("internode peer refused", "cause", text) },
		Log:             func(text string) { o.Log.Debug("internode listener", "message", text) },
	}
}

// Gossip returns the events of gossip.
func (o *Observer) Gossip() gossip.Events {
	return gossip.Events{
		MemberChanged: func(m gossip.Member) {
			o.Log.Info("node", "id", m.Node.String(), "state", m.State.String(), "addr", m.Addr)
		},
		JoinFailed: func(seeds []string, err error) {
			o.Log.Info("no other node found yet", "join", seeds, "cause", err)
		},
		WrongKey: func(text string) {
			o.Log.Error("a node with another cluster key: give every node the same --cluster-key-file", "cause", text)
		},
		AddrConflict: func(node, known, claimed string) {
			o.Log.Error("two processes with one node id: is a data directory copied?", "node", node, "known", known, "claimed", claimed)
		},
		Log: func(level, text string) { o.Log.Debug("gossip", "level", level, "message", text) },
	}
}

// Upkeep returns the events of background work.
func (o *Observer) Upkeep() upkeep.Events {
	return upkeep.Events{
		Failed: func(job string, err error) {
			o.m.upkeepFailed.WithLabelValues(job).Inc()
			o.Log.Warn("upkeep", "job", job, "cause", err)
		},
		Doomed:  func(n int) { o.m.doomed.Add(float64(n)) },
		Deleted: func(n int) { o.m.deleted.Add(float64(n)) },
		Repaired: func(id shard.ExtentID, slots shard.SlotSet) {
			o.m.repaired.Inc()
			o.Log.Info("extent repaired", "extent", id.String(), "slots", uint32(slots))
		},
		Found: func(id shard.ID, err error) {
			o.m.found.Inc()
			o.Log.Warn("shard recorded for repair", "shard", id.String(), "cause", err)
		},
		Adopted: func(id shard.ID) {
			o.m.adopted.Inc()
			o.Log.Info("shard brought to the drive that lacked it", "shard", id.String())
		},
		Orphans: func(n int) {
			o.m.orphans.Add(float64(n))
			o.Log.Info("shards without an extent deleted", "count", n)
		},
		ScrubRound: func(shards, bad int) {
			o.m.scrubRounds.Inc()
			o.m.scrubShards.Add(float64(shards))
			o.m.scrubBad.Add(float64(bad))
			o.Log.Info("drive verified", "shards", shards, "bad", bad)
		},
		VoterAdded:   func(n cluster.NodeID) { o.Log.Info("metadata voter added", "node", n.String()) },
		VoterRemoved: func(n cluster.NodeID) { o.Log.Info("metadata voter removed", "node", n.String()) },
		Lost: func(n cluster.NodeID) {
			o.m.nodesLost.Inc()
			o.Log.Warn("node declared lost: what it held is rebuilt elsewhere", "node", n.String())
		},
		LossHeld: func(n cluster.NodeID, why string) {
			o.Log.Warn("node is not declared lost", "node", n.String(), "why", why)
		},
		Returned: func(n cluster.NodeID) {
			o.m.nodesReturned.Inc()
			o.Log.Info("lost node is back", "node", n.String())
		},
		Drained: func(n cluster.NodeID, d cluster.DriveID) {
			o.m.drained.Inc()
			o.Log.Info("drive is drained: it can be removed", "node", n.String(), "drive", d.String())
		},
		LeadLost: o.leadLost,
		SlotsLeft: func(lost, draining, noSpare, beyond int) {
			o.m.slotsLeft.WithLabelValues("lost").Set(float64(lost))
			o.m.slotsLeft.WithLabelValues("draining").Set(float64(draining))
			o.m.slotsLeft.WithLabelValues("no_spare").Set(float64(noSpare))
			o.m.slotsLeft.WithLabelValues("beyond").Set(float64(beyond))
		},
		Tolerance: o.tolerance,
		MoveStarted: func(v shard.VolumeID, slot int, reason string) {
			o.Log.Info("slot begins to move", "volume", v, "slot", slot, "why", reason)
		},
		MoveFinished: func(v shard.VolumeID, slot int, rebuild bool, copied uint64) {
			kind := "copy"
			if rebuild {
				kind = "rebuild"
			}
			o.m.moves.WithLabelValues(kind).Inc()
			o.Log.Info("slot moved here", "volume", v, "slot", slot, "kind", kind, "bytes", copied)
		},
		ShardMoved: func(n int64) { o.m.movedBytes.Add(float64(n)) },
		Rebuilt:    func(n int64) { o.m.rebuiltBytes.Add(float64(n)) },
		DriveTold: func(d cluster.DriveID, failed, full, slow bool) {
			o.Log.Warn("state of a drive told to the cluster", "drive", d.String(), "failed", failed, "full", full, "slow", slow)
		},
		Widened: func(id shard.ExtentID, plain uint64) {
			o.m.widened.Inc()
			o.m.widenedBytes.Add(float64(plain))
			o.Log.Info("extent re-encoded into a wider scheme", "extent", id.String())
		},
		Restored:     func(n uint64) { o.m.restored.Inc(); o.m.restoredBytes.Add(float64(n)) },
		RestoreEnded: func() { o.m.restoreEnded.Inc() },
		Aborted: func(n int) {
			o.m.uploadsAborted.Add(float64(n))
			o.Log.Info("uploads aborted by lifecycle rules", "count", n)
		},
		Delivered: func(target string, n int) { o.m.eventsDelivered.WithLabelValues(target).Add(float64(n)) },
		Undelivered: func(target string, err error) {
			o.m.eventsFailed.WithLabelValues(target).Inc()
			o.Log.Warn("events wait for their target", "target", target, "cause", err)
		},
		EventQueues: o.eventQueues,
		Expired: func(n int) {
			o.m.versionsExpired.Add(float64(n))
			o.Log.Info("versions expired by lifecycle rules", "count", n)
		},
		Transitioned: func(n uint64) { o.m.transitioned.Inc(); o.m.transitionedBytes.Add(float64(n)) },
		KeysDeleted: func(ids []string) {
			o.m.keysDeleted.Add(float64(len(ids)))
			o.Log.Warn("master keys deleted, as was scheduled: what is encrypted under them is lost", "keys", ids)
		},
	}
}

// leadLost takes back the metrics of the whole cluster, which only the node that leads renews.
func (o *Observer) leadLost() {
	for _, g := range []*prometheus.GaugeVec{o.m.slotsLeft, o.m.mayBeLost, o.m.promised, o.m.volumesShort} {
		g.Reset()
	}
	o.eventQueues(nil)
}

// tolerance sets the metrics of what may be lost now.
func (o *Observer) tolerance(t meta.Tolerance) {
	for unit, n := range map[string]int{"node": t.Now.Nodes, "drive": t.Now.Drives, "zone": t.Now.Zones} {
		o.m.mayBeLost.WithLabelValues(unit).Set(float64(n))
	}
	for unit, n := range map[string]int{"node": t.Promised.Nodes, "drive": t.Promised.Drives, "zone": t.Promised.Zones} {
		o.m.promised.WithLabelValues(unit).Set(float64(n))
	}
	for why, n := range map[string]int{"unreadable": t.Unreadable, "missing": t.Short, "crowded": t.Crowded} {
		o.m.volumesShort.WithLabelValues(why).Set(float64(n))
	}
}

// eventQueues sets the metrics of the queues of events. Queues that no longer exist get no values.
func (o *Observer) eventQueues(queues []*metapb.EventQueue) {
	o.m.eventsWaiting.Reset()
	o.m.eventsLost.Reset()
	o.m.eventsOldestS.Reset()
	for _, q := range queues {
		o.m.eventsWaiting.WithLabelValues(q.Target).Set(float64(q.Length))
		o.m.eventsLost.WithLabelValues(q.Target).Set(float64(q.Dropped))
		if q.Length > 0 {
			o.m.eventsOldestS.WithLabelValues(q.Target).Set(time.Since(time.UnixMilli(q.OldestMs)).Seconds())
		}
	}
}
