package lifecycle

import (
	"slices"
	"strings"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// Subject is a version as rules see it.
type Subject struct {
	Key     string
	Version *metapb.Version
	Latest  bool
	Alone   bool // The only version of its key.

	// Of a version that is not the latest:
	SucceededMs int64 // When the next newer one was made.
	Newer       int64 // How many newer ones are not the latest either.
}

// sinceMs returns the time from which a version's days count.
func (s *Subject) sinceMs() int64 {
	if s.Latest {
		return s.Version.GetModifiedMs()
	}
	return s.SucceededMs
}

// matches reports whether a filter lets a version through. Delete markers have
// neither tags nor a size.
func (s *Subject) matches(f *wirexml.LifecycleFilter) bool {
	v := s.Version
	switch {
	case !strings.HasPrefix(s.Key, f.Prefix):
		return false
	case v.GetDeleteMarker():
		return len(f.Tags) == 0 && f.GreaterThan == nil && f.LessThan == 0
	case f.GreaterThan != nil && int64(v.GetSize()) <= *f.GreaterThan, f.LessThan != 0 && int64(v.GetSize()) >= f.LessThan:
		return false
	}
	for _, want := range f.Tags {
		if !slices.ContainsFunc(v.GetTags(), func(t *metapb.Pair) bool { return t.Name == want.Name && t.Value == want.Value }) {
			return false
		}
	}
	return true
}

// Verdict is what is to be done to a version, from a time on.
type Verdict struct {
	Expiry metapb.Expiry // NONE: the version stays and changes its class.
	Class  string        // The class it is to have, as Attributes has it.
	At     time.Time
	Rule   string // ID.
	ByTags bool   // The rule asks for tags.
}
