package lifecycle

import (
	"slices"
	"strings"
	"time"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Part is the part of a bucket's configuration that holds its rules: the document,
// each rule with an ID.
const Part = "lifecycle"

// DefaultDay is the length of a day.
const DefaultDay = 24 * time.Hour

// Rules are the rules of a bucket that are enabled. The zero Rules are none.
type Rules struct {
	rules []wirexml.LifecycleRule
	day   time.Duration
}

// Read returns the rules of a bucket's configuration. Error: Corrupt.
func Read(c *metapb.BucketConfig, day time.Duration) (Rules, error) {
	for _, p := range c.GetParts() {
		if p.Name == Part {
			return Parse(p.Value, day)
		}
	}
	return Rules{}, nil
}

// Parse returns the rules of a document; none if it is empty. A day of 0 is
// DefaultDay. Error: Corrupt.
func Parse(document []byte, day time.Duration) (Rules, error) {
	if len(document) == 0 {
		return Rules{}, nil
	}
	doc, err := wirexml.ParseLifecycle(document)
	if err != nil {
		return Rules{}, errs.New("lifecycle.Parse", errs.Corrupt, err)
	}
	if day <= 0 {
		day = DefaultDay
	}
	rules := Rules{day: day}
	for _, r := range doc.Rules {
		if r.Enabled {
			rules.rules = append(rules.rules, r)
		}
	}
	return rules, nil
}

// WantTags reports whether a rule that concerns a key asks for tags.
func (rs Rules) WantTags(key string) bool {
	return slices.ContainsFunc(rs.rules, func(r wirexml.LifecycleRule) bool {
		return len(r.Filter.Tags) > 0 && strings.HasPrefix(key, r.Filter.Prefix)
	})
}

// Any reports whether a rule is about versions, not only about uploads.
func (rs Rules) Any() bool {
	for i := range rs.rules {
		r := &rs.rules[i]
		if r.Expiration != nil || r.NoncurrentExpiration != nil || len(r.Transitions)+len(r.NoncurrentTransitions) > 0 {
			return true
		}
	}
	return false
}

// Prefix returns the longest prefix that all keys have which the rules may match.
func (rs Rules) Prefix() string {
	prefix, first := "", true
	for i := range rs.rules {
		p := rs.rules[i].Filter.Prefix
		if first {
			prefix, first = p, false
		}
		n := 0
		for n < len(prefix) && n < len(p) && prefix[n] == p[n] {
			n++
		}
		prefix = prefix[:n]
	}
	return prefix
}

// Abort returns when an upload of a key is to be aborted, and the ID of the rule that says so. The time
// is zero if it is never aborted. Of several rules the one that aborts first counts.
func (rs Rules) Abort(key string, initiatedMs int64) (at time.Time, rule string) {
	for i := range rs.rules {
		r := &rs.rules[i]
		if r.AbortUploadDays == 0 || !strings.HasPrefix(key, r.Filter.Prefix) {
			continue
		}
		if t := rs.after(initiatedMs, r.AbortUploadDays); at.IsZero() || t.Before(at) {
			at, rule = t, r.ID
		}
	}
	return at, rule
}

// after returns the time some days after the midnight that follows a time.
func (rs Rules) after(ms, days int64) time.Time {
	dayMs := rs.day.Milliseconds()
	return time.UnixMilli((ms/dayMs + 1 + days) * dayMs).UTC()
}

// when returns a rule's time for a version: a date, or days after ms.
func (rs Rules) when(date time.Time, ms, days int64) time.Time {
	if !date.IsZero() {
		return date
	}
	return rs.after(ms, days)
}
