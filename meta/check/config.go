package check

import (
	"slices"
	"strings"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// keepBucket files a bucket. A bucket with object lock has its versions kept, or a locked
// version could be replaced.
func (c *checker) keepBucket(b *metapb.Bucket) {
	if c.buckets[b.Id] != "" {
		c.wrong("two buckets have the number %d", b.Id)
	}
	c.buckets[b.Id], c.locked[b.Id] = b.Name, b.ObjectLock
	if b.ObjectLock && b.Versioning != metapb.Versioning_VERSIONING_ENABLED || !b.ObjectLock && b.DefaultRetention != nil {
		c.wrong("bucket %d has object lock without versions, or a default retention without it", b.Id)
	}
}

// keepEntry proves the first half of I9 for an entry.
func (c *checker) keepEntry(k keys.Key, e *metapb.Entry) {
	c.entries++
	n := record.EntryName{Kind: e.Kind, Name: e.Name}
	if !n.Valid() || uint8(e.Kind) != k.Entry || e.Name != k.Name {
		c.wrong("an entry of kind %d says that it is of kind %d, or has another name", k.Entry, e.Kind)
	}
	c.youngest = max(c.youngest, e.Revision)
	if e.Revision == 0 {
		c.wrong("an entry of kind %d has no revision", k.Entry)
	}
}

// checkConfigs proves the rest of I9.
func (c *checker) checkConfigs() {
	for bucket, config := range c.configs {
		if c.buckets[bucket] == "" {
			c.wrong("there is a configuration of bucket %d, which does not exist", bucket)
		}
		sorted := slices.IsSortedFunc(config.Parts, func(a, b *metapb.ConfigPart) int {
			return strings.Compare(a.Name, b.Name)
		})
		if n := len(config.Parts); !sorted || n == 0 || n > record.ConfigPartsMax {
			c.wrong("the configuration of bucket %d has %d parts, or they are not sorted", bucket, n)
		}
	}
	if c.youngest > c.applied.DirectoryRevision {
		c.wrong("an entry is of %d, the directory of %d", c.youngest, c.applied.DirectoryRevision)
	}
}
