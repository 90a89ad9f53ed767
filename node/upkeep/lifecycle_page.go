package upkeep

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
	"github.com/cairnstore/cairn/s3api/object"
)

// versionCursor is where a walk over versions is. It names the last version that was looked at, and
// keeps what the next version of the same key is judged by.
type versionCursor struct {
	key, version string
	madeMs       int64 // When the version was made, which is when the next one was succeeded.
	newer        int64 // How many versions there are that are as new as it or newer, without the latest.
}

// lifecyclePageWork is a page of versions, and what is due of them.
type lifecyclePageWork struct {
	l      *lifecycler
	bucket *metapb.Bucket
	rules  lifecycle.Rules
	now    time.Time

	expire []*metapb.ExpireItem
	move   []*object.TransitionInput
}

// run judges the page of versions behind the cursor, does what is due, and moves the cursor on. It
// reports whether there are more pages.
func (p *lifecyclePageWork) run(ctx context.Context) (more bool, err error) {
	c := &p.l.cursor
	a, err := p.l.c.Metadata.Read(ctx, &metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: &metapb.ListVersions{
		Bucket: p.bucket.Name, Prefix: p.rules.Prefix(), KeyMarker: c.key, VersionMarker: c.version, MaxKeys: p.l.page}}})
	if err != nil || a.Refusal != metapb.Refusal_REFUSAL_NONE {
		return false, err // The bucket is gone.
	}
	entries := a.Versions.Entries
	p.l.t.add(uint64(len(entries)), 0)
	for i, e := range entries {
		// At the end of a page it is not known what follows. Apply looks again.
		alone := e.Latest && (i+1 == len(entries) || entries[i+1].Key != e.Key)
		p.judge(c.next(e, alone))
	}
	if err := p.endAll(ctx); err != nil {
		return true, err
	}
	return a.Versions.Truncated, p.moveAll(ctx)
}

// next moves the cursor to a version and returns the version as rules see it. With the latest
// version of a key, the count of newer ones begins again.
func (c *versionCursor) next(e *metapb.VersionEntry, alone bool) *lifecycle.Subject {
	s := &lifecycle.Subject{Key: e.Key, Version: e.Version, Latest: e.Latest, Alone: alone,
		SucceededMs: c.madeMs, Newer: c.newer}
	if c.newer++; e.Latest {
		c.newer = 0
	}
	c.key, c.version, c.madeMs = e.Key, nameOf(e.Version), e.Version.ModifiedMs
	return s
}

// nameOf returns the name under which queries and commands find a version.
func nameOf(v *metapb.Version) string {
	if v.VersionId == "" {
		return "null"
	}
	return v.VersionId
}

// judge notes what is due of a version: that it ends, or that its class changes.
func (p *lifecyclePageWork) judge(s *lifecycle.Subject) {
	v, due := p.rules.Due(s, p.now)
	switch {
	case !due:
	case v.Expiry == metapb.Expiry_EXPIRY_NONE:
		if s.Version.Restore == nil { // A version that has a warm copy, or gets one, keeps its class.
			p.move = append(p.move, &object.TransitionInput{Bucket: p.bucket.Name, Key: s.Key, Version: s.Version,
				Class: v.Class, CheckTags: v.ByTags})
		}
	default:
		p.expire = append(p.expire, &metapb.ExpireItem{Expiry: v.Expiry, Key: s.Key, VersionId: nameOf(s.Version),
			Order: s.Version.Order, CheckTags: v.ByTags, Tags: s.Version.Tags, NewVersionId: newVersionID()})
	}
}

// newVersionID makes the id of a delete marker.
func newVersionID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // It never fails.
	return hex.EncodeToString(id[:])
}

// endAll ends the versions that are due. Apply leaves those that were replaced meanwhile or may not
// be deleted.
func (p *lifecyclePageWork) endAll(ctx context.Context) error {
	for len(p.expire) > 0 {
		n := min(len(p.expire), expireBatch)
		r, err := p.l.c.Metadata.Propose(ctx, &metapb.Command{Op: &metapb.Command_ExpireVersions{ExpireVersions: &metapb.ExpireVersions{
			Bucket: p.bucket.Name, Items: p.expire[:n], Owner: p.bucket.Owner}}})
		if err != nil {
			return err
		}
		ended := 0
		for _, d := range r.Deleted {
			if d.Refusal == metapb.Refusal_REFUSAL_NONE {
				ended++
			}
		}
		if ended > 0 {
			p.l.c.Events.Expired(ended)
		}
		p.expire = p.expire[n:]
	}
	return nil
}

// moveAll changes the class of the versions that are due. One that fails is tried again in the next
// walk.
func (p *lifecyclePageWork) moveAll(ctx context.Context) error {
	var mu sync.Mutex
	var failed error
	var g errgroup.Group
	g.SetLimit(transitionsOnce)
	for _, in := range p.move {
		g.Go(func() error {
			done, err := p.l.c.Transitions.Transition(ctx, in)
			if done {
				p.l.t.add(0, in.Version.Size)
			}
			if done {
				p.l.c.Events.Transitioned(in.Version.Size)
			}
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
			return nil
		})
	}
	_ = g.Wait() // The workers keep their errors in failed.
	return failed
}
