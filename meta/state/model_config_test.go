package state

import (
	"cmp"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// The directory and the configurations of buckets, in the model.

// changed notes a change of the configuration.
func (m *model) changed(r *metapb.Result) *metapb.Result {
	m.configRevision, r.ConfigRevision = m.index, m.index
	return r
}

func (m *model) createBucket(c *metapb.Command, op *metapb.CreateBucket) *metapb.Result {
	b := op.Bucket
	if old := m.buckets[b.Name]; old != nil {
		return &metapb.Result{Refusal: metapb.Refusal_REFUSAL_BUCKET_EXISTS, Bucket: old}
	}
	owned := uint32(0)
	for _, other := range m.buckets {
		if other.Owner == b.Owner {
			owned++
		}
	}
	if op.OwnedMax != 0 && owned >= op.OwnedMax {
		return no(metapb.Refusal_REFUSAL_TOO_MANY_BUCKETS)
	}
	m.cluster.LastBucket++
	b.Id, b.CreatedMs = m.cluster.LastBucket, c.TimeMs
	m.buckets[b.Name] = b
	m.configure(b, op.Config)
	return m.changed(&metapb.Result{Bucket: b})
}

func (m *model) configure(b *metapb.Bucket, parts []*metapb.ConfigPart) {
	config := m.configs[b.Id]
	if config == nil {
		config = map[string][]byte{}
		m.configs[b.Id] = config
	}
	for _, p := range parts {
		if config[p.Name] = p.Value; len(p.Value) == 0 {
			delete(config, p.Name)
		}
	}
}

func (m *model) setBucketConfig(c *metapb.Command, op *metapb.SetBucketConfig) *metapb.Result {
	b := m.buckets[op.Bucket]
	if b == nil {
		return no(metapb.Refusal_REFUSAL_NO_SUCH_BUCKET)
	}
	locks := op.Lock != nil || b.ObjectLock
	if versioning := cmp.Or(op.Versioning, b.Versioning); locks && versioning != metapb.Versioning_VERSIONING_ENABLED {
		return no(metapb.Refusal_REFUSAL_BUCKET_LOCKED)
	}
	m.configure(b, op.Parts)
	b = proto.Clone(b).(*metapb.Bucket) // Answers hold the old one.
	m.buckets[b.Name] = b
	if op.Lock != nil {
		b.ObjectLock, b.DefaultRetention = true, op.Lock.DefaultRetention
	}
	if op.Versioning != 0 {
		b.Versioning = op.Versioning
	}
	if op.EventRules != nil {
		m.setEventRules(c, b, op.EventRules.Rules)
	}
	return m.changed(&metapb.Result{Bucket: b})
}

func (m *model) writeEntries(op *metapb.WriteEntries) *metapb.Result {
	named := map[record.EntryName]bool{}
	for _, e := range op.Put {
		named[record.EntryName{Kind: e.Kind, Name: e.Name}] = true
	}
	for _, d := range op.Delete {
		named[record.EntryName{Kind: d.Kind, Name: d.Name}] = true
	}
	if len(named) < len(op.Put)+len(op.Delete) {
		return no(metapb.Refusal_REFUSAL_INVALID)
	}
	for _, check := range op.Checks {
		if m.entries[record.EntryName{Kind: check.Kind, Name: check.Name}].GetRevision() != check.Revision {
			return no(metapb.Refusal_REFUSAL_ENTRY_CHANGED)
		}
	}
	before := maps.Clone(m.entries)
	for _, e := range op.Put {
		e.Revision = m.index
		m.entries[record.EntryName{Kind: e.Kind, Name: e.Name}] = e
	}
	for _, d := range op.Delete {
		delete(m.entries, record.EntryName{Kind: d.Kind, Name: d.Name})
	}
	if maps.Equal(before, m.entries) {
		return &metapb.Result{}
	}
	m.directoryRevision = m.index
	return m.changed(&metapb.Result{})
}

// dumpConfig adds the records of the directory and of configurations.
func (m *model) dumpConfig(add func(keys.Key, proto.Message)) {
	for n, e := range m.entries {
		add(keys.Key{Kind: keys.KindEntry, Entry: uint8(n.Kind), Name: n.Name}, e)
	}
	for bucket, parts := range m.configs {
		if len(parts) == 0 {
			continue
		}
		config := &metapb.BucketConfig{}
		for _, name := range slices.Sorted(maps.Keys(parts)) {
			config.Parts = append(config.Parts, &metapb.ConfigPart{Name: name, Value: parts[name]})
		}
		add(keys.Key{Kind: keys.KindConfig, Bucket: bucket}, config)
	}
}
