package lifecycle

import (
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Due returns what is to be done to a version now; false if nothing is. Of several rules that are due it
// takes the one that the package comment prefers.
func (rs Rules) Due(s *Subject, now time.Time) (best Verdict, due bool) {
	for i := range rs.rules {
		r := &rs.rules[i]
		if !s.matches(&r.Filter) {
			continue
		}
		consider := func(v Verdict) {
			if v.At.After(now) || due && !v.before(&best) {
				return
			}
			v.Rule, v.ByTags = r.ID, len(r.Filter.Tags) > 0
			best, due = v, true
		}
		switch {
		case s.Version.GetDeleteMarker() && s.Latest:
			rs.marker(r, s, consider)
		case s.Latest:
			rs.current(r, s, consider)
		default:
			rs.older(r, s, consider)
		}
	}
	return best, due
}

// Expiration returns when a latest version expires, and the ID of the rule that says so. The time is
// zero if it never expires.
func (rs Rules) Expiration(key string, v *metapb.Version) (at time.Time, rule string) {
	s := &Subject{Key: key, Version: v, Latest: true}
	for i := range rs.rules {
		r := &rs.rules[i]
		if !s.matches(&r.Filter) {
			continue
		}
		rs.current(r, s, func(v Verdict) {
			if v.Expiry != metapb.Expiry_EXPIRY_NONE && (at.IsZero() || v.At.Before(at)) {
				at, rule = v.At, r.ID
			}
		})
	}
	return at, rule
}

// before reports whether v is done rather than other if both are due.
func (v *Verdict) before(other *Verdict) bool {
	ends, otherEnds := v.Expiry != metapb.Expiry_EXPIRY_NONE, other.Expiry != metapb.Expiry_EXPIRY_NONE
	switch {
	case ends != otherEnds:
		return ends
	case ends:
		return v.At.Before(other.At)
	}
	return profile.Coldness(v.Class) > profile.Coldness(other.Class)
}

// marker considers the end of a delete marker that hides nothing. It ends at once if the rule asks for
// that, and otherwise when an object of its age would expire.
func (rs Rules) marker(r *wirexml.LifecycleRule, s *Subject, consider func(Verdict)) {
	e := r.Expiration
	if e == nil || !s.Alone {
		return
	}
	v := Verdict{Expiry: metapb.Expiry_EXPIRY_MARKER, At: time.UnixMilli(s.sinceMs())}
	if !e.DeleteMarker {
		v.At = rs.when(e.Date, s.sinceMs(), e.Days)
	}
	consider(v)
}

// current considers what a rule says of a latest version that is an object.
func (rs Rules) current(r *wirexml.LifecycleRule, s *Subject, consider func(Verdict)) {
	if e := r.Expiration; e != nil && !e.DeleteMarker {
		consider(Verdict{Expiry: metapb.Expiry_EXPIRY_CURRENT, At: rs.when(e.Date, s.sinceMs(), e.Days)})
	}
	for _, t := range r.Transitions {
		if class, ok := s.colder(t.Class); ok {
			consider(Verdict{Class: class, At: rs.when(t.Date, s.sinceMs(), t.Days)})
		}
	}
}

// older considers what a rule says of a version that is not the latest. A delete
// marker among them has no class to change.
func (rs Rules) older(r *wirexml.LifecycleRule, s *Subject, consider func(Verdict)) {
	if e := r.NoncurrentExpiration; e != nil && s.Newer >= e.Keep {
		consider(Verdict{Expiry: metapb.Expiry_EXPIRY_OLDER, At: rs.after(s.sinceMs(), e.Days)})
	}
	if s.Version.GetDeleteMarker() {
		return
	}
	for _, t := range r.NoncurrentTransitions {
		if class, ok := s.colder(t.Class); ok && s.Newer >= t.Keep {
			consider(Verdict{Class: class, At: rs.after(s.sinceMs(), t.Days)})
		}
	}
}

// colder returns a class that a rule names, as Attributes has it; false unless it is colder than the
// version's. A version that was restored, or is being restored, still has its cold class.
func (s *Subject) colder(name string) (class string, ok bool) {
	class, ok = profile.StorageClass(name)
	return class, ok && profile.Coldness(class) > profile.Coldness(s.Version.GetAttributes().GetStorageClass())
}
