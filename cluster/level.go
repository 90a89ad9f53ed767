package cluster

// Feature levels number what nodes must agree on: commands of the metadata, records on
// drives, messages. A release knows a range of them. The cluster's own level is kept in
// the metadata and rises when every node knows the next one; nothing newer is used
// before. So nodes of two releases that share a level work together, and a cluster can
// be upgraded one node after the other.
const (
	// FeatureLevelMin is the oldest level that this release can work at.
	FeatureLevelMin = 1
	// FeatureLevelMax is the newest one that it knows.
	FeatureLevelMax = LevelSharedEntries
)

// What a feature level brought.
const (
	// LevelSharedEntries lets commands of the metadata share an entry of the log.
	LevelSharedEntries = 2
)
