package state

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// createBucket makes a bucket with its first configuration. It is refused if the name is taken,
// or if the owner has as many buckets as the command says that it may have.
func (t *tx) createBucket(c *metapb.CreateBucket) *metapb.Result {
	b := c.Bucket
	if b.GetName() == "" {
		return invalid("a bucket needs a name")
	}
	if old := t.anyBucket(b.Name); old != nil {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_BUCKET_EXISTS, Bucket: old}
	}
	if c.OwnedMax != 0 && t.mem.owned[b.Owner] >= c.OwnedMax {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_TOO_MANY_BUCKETS,
			Detail: fmt.Sprintf("account %s has %d buckets; it may have %d", b.Owner, t.mem.owned[b.Owner], c.OwnedMax)}
	}
	if b.ObjectLock {
		if refusal := lockBucket(b, &metapb.BucketLock{DefaultRetention: b.DefaultRetention}); refusal != nil {
			return refusal
		}
	}
	config := new(metapb.BucketConfig)
	if refusal := mergeConfig(config, c.Config); refusal != nil {
		return refusal
	}
	t.changeCluster(func(rec *metapb.Cluster) {
		rec.LastBucket++
		b.Id = rec.LastBucket
	})
	if b.CreatedMs == 0 {
		b.CreatedMs = t.cmd.TimeMs
	}
	t.applied.Buckets++
	t.mem.owned[b.Owner]++
	t.set(keys.AppendBucket(t.key(), b.Name), b)
	if len(config.Parts) > 0 {
		t.set(keys.AppendConfig(t.key(), b.Id), config)
	}
	t.rememberBucket(b)
	// Nobody remembers a bucket that was not there: what nodes know of others still holds.
	return t.changesConfig(&metapb.Result{Bucket: b})
}

// deleteBucket removes a bucket. It is refused while the bucket has a version or an open upload.
func (t *tx) deleteBucket(c *metapb.DeleteBucket) *metapb.Result {
	b := t.bucket(c.Name)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	if t.hasAny(keys.AppendNames(nil, keys.KindObject, b.Id, "")) ||
		t.hasAny(keys.AppendNames(nil, keys.KindOpenUpload, b.Id, "")) {
		return refuse(metapb.Refusal_REFUSAL_BUCKET_NOT_EMPTY)
	}
	delete(t.mem.buckets, c.Name)
	t.applied.Buckets--
	t.mem.disown(b.Owner)
	t.del(keys.AppendBucket(t.key(), c.Name))
	t.del(keys.AppendConfig(t.key(), b.Id))
	return t.changesBuckets(&metapb.Result{})
}

// setBucketConfig changes parts of a bucket's configuration, its versioning, its object lock or
// its rules of events. If one of these is refused, none is changed.
func (t *tx) setBucketConfig(c *metapb.SetBucketConfig) *metapb.Result {
	b := t.bucket(c.Bucket)
	if b == nil {
		return refuse(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	b, refusal := changedBucket(b, c)
	if refusal != nil {
		return refusal
	}
	if refusal := checkEventRules(c.EventRules.GetRules()); refusal != nil {
		return refusal
	}
	if len(c.Parts) > 0 {
		config := new(metapb.BucketConfig)
		t.get(keys.AppendConfig(t.key(), b.Id), config)
		if refusal := mergeConfig(config, c.Parts); refusal != nil {
			return refusal
		}
		if len(config.Parts) == 0 {
			t.del(keys.AppendConfig(t.key(), b.Id))
		} else {
			t.set(keys.AppendConfig(t.key(), b.Id), config)
		}
	}
	if c.EventRules != nil {
		b = proto.CloneOf(b)
		t.setEventRules(b, c.EventRules.Rules)
	}
	if b != t.bucket(c.Bucket) {
		t.set(keys.AppendBucket(t.key(), b.Name), b)
		t.rememberBucket(b)
	}
	return t.changesBuckets(&metapb.Result{Bucket: b})
}

// changedBucket returns a copy of b with the versioning and the object lock that a command gives
// it, or b itself if it gives neither. It returns a refusal if b cannot have them.
func changedBucket(b *metapb.Bucket, c *metapb.SetBucketConfig) (*metapb.Bucket, *metapb.Result) {
	switch c.Versioning {
	case metapb.Versioning_VERSIONING_OFF:
		if c.Lock == nil {
			return b, nil
		}
	case metapb.Versioning_VERSIONING_ENABLED:
	case metapb.Versioning_VERSIONING_SUSPENDED:
		if b.ObjectLock {
			return nil, refuse(metapb.Refusal_REFUSAL_BUCKET_LOCKED)
		}
	default:
		return nil, invalid("there is no such versioning")
	}
	b = proto.Clone(b).(*metapb.Bucket)
	if c.Versioning != metapb.Versioning_VERSIONING_OFF {
		b.Versioning = c.Versioning
	}
	if c.Lock == nil {
		return b, nil
	}
	return b, lockBucket(b, c.Lock)
}

// mergeConfig puts parts into a configuration, which stays sorted by their names. A part without
// a value is taken out. It returns a refusal if a name, a value or the number of parts is beyond
// the limits.
func mergeConfig(config *metapb.BucketConfig, parts []*metapb.ConfigPart) *metapb.Result {
	for _, p := range parts {
		switch {
		case p.Name == "" || len(p.Name) > record.ConfigPartNameMaxBytes:
			return invalid(fmt.Sprintf("the name of a part of a configuration has 1 to %d bytes", record.ConfigPartNameMaxBytes))
		case len(p.Value) > record.ConfigPartMaxBytes:
			return invalid(fmt.Sprintf("part %q of a configuration has %d bytes; at most %d are allowed",
				p.Name, len(p.Value), record.ConfigPartMaxBytes))
		}
		i, found := slices.BinarySearchFunc(config.Parts, p.Name, func(p *metapb.ConfigPart, name string) int {
			return strings.Compare(p.Name, name)
		})
		switch {
		case len(p.Value) == 0 && found:
			config.Parts = slices.Delete(config.Parts, i, i+1)
		case len(p.Value) == 0:
		case found:
			config.Parts[i] = p
		default:
			config.Parts = slices.Insert(config.Parts, i, p)
		}
	}
	if len(config.Parts) > record.ConfigPartsMax {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_TOO_MANY,
			Detail: fmt.Sprintf("a bucket's configuration has at most %d parts", record.ConfigPartsMax)}
	}
	return nil
}
