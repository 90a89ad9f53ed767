package check

import (
	"bytes"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// checkPlace proves I14 for a record, but not for the numbers of buckets.
func (c *checker) checkPlace(k keys.Key, m any) {
	right := true
	switch m := m.(type) {
	case *metapb.Bucket:
		right = m.Name == k.Name
	case *metapb.Node:
		right = m.Id == k.Node
	case *metapb.Volume:
		right = m.Id == uint32(k.Volume) && int(m.K+m.M) == len(m.Slots)
	case *metapb.Upload:
		right = bytes.Equal(m.Id, k.ID[:])
	case *metapb.EventQueue:
		right = m.Target == k.Name
	}
	if !right {
		c.wrong("a record of kind %q is not of what its key says, or has slots of another scheme", k.Kind)
	}
}
