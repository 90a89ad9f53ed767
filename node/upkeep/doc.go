// Package upkeep is a node's background work. One scheduler runs jobs, and each job has a file:
//
//	garbage.go        frees what nothing refers to any more
//	repair.go         rebuilds shards that are missing
//	scrub.go          verifies every shard of a drive
//	inventory.go      looks whether the shards that should be on this node's drives are there
//	compare.go        compares by digests what a drive holds with what it must
//	orphans.go        deletes shards that the metadata do not want
//	adopt.go          brings shards that lie elsewhere to the drives that lack them
//	lost.go           gives nodes up that are down for long, and takes them back
//	moves.go          steers and makes moves of slots; move_plan.go plans, mover.go makes them
//	widen.go          re-encodes extents that were written while domains were missing
//	voters.go         gives and takes votes on the metadata; voter_plan.go plans it
//	report_drives.go  tells the cluster how this node's drives are
//	level.go          raises the feature level when every node knows a newer one
//	restore.go        restores cold versions
//	lifecycle.go      expires versions and changes their class, by the rules of buckets
//	abort.go          aborts uploads that nobody will complete, by the same rules
//	events.go         delivers notifications
//	access_logs.go    delivers access logs
//	keys.go           deletes master keys whose time has come
//
// No client waits for it: requests read and write without it, and it yields to them (pacer).
//
// Jobs keep nothing that matters. What is to be done is read from the metadata or the drives,
// and every step may be repeated, so a job may be cut off anywhere and another node may go on.
// Jobs of the whole cluster run on the node that leads the metadata; the others run on every
// node, for its own drives. An operator can pause a job by its name (Config.Paused).
//
// How long something has lasted, such as a node being down or an extent being garbage, a job
// counts by its node's monotonic clock, from when it saw it itself. A new leader counts anew, so
// no clock that jumps can shorten the time. Dates, such as those of lifecycle rules, are compared
// with the time of day.
package upkeep
