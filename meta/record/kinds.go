package record

import (
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// New returns an empty message of the type that records of a kind have; nil if their values
// are no messages.
func New(k keys.Kind) proto.Message {
	switch k {
	case keys.KindApplied:
		return new(metapb.Applied)
	case keys.KindBucket:
		return new(metapb.Bucket)
	case keys.KindCluster:
		return new(metapb.Cluster)
	case keys.KindRefused:
		return new(metapb.Contradictions)
	case keys.KindConfig:
		return new(metapb.BucketConfig)
	case keys.KindEntry:
		return new(metapb.Entry)
	case keys.KindDropped:
		return new(metapb.DroppedContent)
	case keys.KindEvent:
		return new(metapb.Event)
	case keys.KindEventQueue:
		return new(metapb.EventQueue)
	case keys.KindExtent:
		return new(metapb.Extent)
	case keys.KindLayout:
		return new(metapb.Layout)
	case keys.KindLease:
		return new(metapb.Lease)
	case keys.KindNode:
		return new(metapb.Node)
	case keys.KindObject:
		return new(metapb.Version)
	case keys.KindPart:
		return new(metapb.Part)
	case keys.KindPin:
		return new(metapb.Pin)
	case keys.KindRemoved:
		return new(metapb.Removed)
	case keys.KindUsage:
		return new(metapb.BucketUsage)
	case keys.KindVolumeStats:
		return new(metapb.VolumeStats)
	case keys.KindSession:
		return new(metapb.Session)
	case keys.KindResult:
		return new(metapb.Result)
	case keys.KindUpload:
		return new(metapb.Upload)
	case keys.KindVolume:
		return new(metapb.Volume)
	case keys.KindUploadState:
		return new(metapb.UploadState)
	case keys.KindDoomed:
		return new(metapb.Doomed)
	}
	return nil
}
