package state

import (
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
)

const (
	governance = metapb.RetentionMode_RETENTION_GOVERNANCE
	compliance = metapb.RetentionMode_RETENTION_COMPLIANCE
)

// retention draws a retention around the time of commands, most often none.
func (g *generator) retention() *metapb.Retention {
	if !g.chance("retention", 6) {
		return nil
	}
	return &metapb.Retention{Mode: pick(g, "mode", []metapb.RetentionMode{governance, compliance}), UntilMs: int64(998 + g.int("until", 9))}
}

func (g *generator) versionLock() *metapb.VersionLock {
	l := &metapb.VersionLock{Retention: g.retention(), BypassGovernance: g.chance("bypass", 2), LegalHold: metapb.LegalHold(g.int("hold", 3))}
	if g.chance("end", 4) {
		l.Retention = &metapb.Retention{}
	}
	return l
}

// bucketLock draws a lock of a bucket, most often none.
func (g *generator) bucketLock() *metapb.BucketLock {
	if !g.chance("lock", 4) {
		return nil
	}
	l := &metapb.BucketLock{}
	if g.chance("default", 4) { // A day is longer than any test.
		l.DefaultRetention = &metapb.DefaultRetention{Mode: governance, Days: 1}
	}
	return l
}

// deletion draws what a DeleteObjects says of one object.
func (g *generator) deletion(bucket string) *metapb.ObjectName {
	key := g.name()
	o := &metapb.ObjectName{Key: key, VersionId: g.versionOf(bucket, key), BypassGovernance: g.chance("bypass", 3)}
	switch g.int("deletion", 10) {
	case 0:
		o.IfMatch = pick(g, "match", []string{"*", "e1"})
	case 1:
		o.IfSize = proto.Uint64(uint64(g.int("size", 12)))
	case 2:
		o.IfModifiedS = proto.Int64(int64(g.int("modified", 2)))
	}
	return o
}
