package state

import (
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

func (g *generator) configParts() (parts []*metapb.ConfigPart) {
	for range g.int("parts", 3) {
		parts = append(parts, &metapb.ConfigPart{Name: pick(g, "part", []string{"policy", "acl", "x"}),
			Value: make([]byte, g.int("value", 3))})
	}
	return parts
}

func (g *generator) entryName() (metapb.EntryKind, string) {
	return metapb.EntryKind(1 + g.int("entry kind", 2)), pick(g, "entry", []string{"x", "x/y", "z"})
}

// configOp draws a change of a bucket's configuration or of the directory.
func (g *generator) configOp() *metapb.Command {
	if g.chance("quota", 4) {
		return &metapb.Command{Op: &metapb.Command_SetBucketQuota{SetBucketQuota: &metapb.SetBucketQuota{
			Bucket: g.bucket(), Bytes: uint64(g.int("quota", 4)) * 100}}}
	}
	if !g.chance("directory", 3) {
		return &metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{
			Bucket: g.bucket(), Parts: g.configParts(), Versioning: metapb.Versioning(g.int("versioning", 3)), Lock: g.bucketLock(), EventRules: g.eventRules()}}}
	}
	w := &metapb.WriteEntries{}
	for range g.int("checks", 3) {
		kind, name := g.entryName()
		revision := g.m.entries[record.EntryName{Kind: kind, Name: name}].GetRevision()
		if g.chance("stale", 6) {
			revision++
		}
		w.Checks = append(w.Checks, &metapb.EntryCheck{Kind: kind, Name: name, Revision: revision})
	}
	for range g.int("puts", 3) {
		kind, name := g.entryName()
		w.Put = append(w.Put, &metapb.Entry{Kind: kind, Name: name, Value: make([]byte, g.int("value", 3))})
	}
	for range g.int("deletes", 3) {
		kind, name := g.entryName()
		w.Delete = append(w.Delete, &metapb.EntryName{Kind: kind, Name: name})
	}
	return &metapb.Command{Op: &metapb.Command_WriteEntries{WriteEntries: w}}
}
