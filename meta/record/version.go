package record

import (
	"github.com/cairnstore/cairn/meta/metapb"
)

// RestoreTime returns the time, in ms, at which something is to be done about a restore: its
// warm copy is to be made, or to be dropped since it has expired. due is false if nothing
// ever is to be done.
func RestoreTime(r *metapb.Restore) (ms uint64, due bool) {
	switch {
	case r.GetOngoing():
		return uint64(max(r.DueMs, 0)), true
	case r.GetExpiresMs() != 0:
		return uint64(max(r.ExpiresMs, 0)), true
	}
	return 0, false
}

// NullVersion is how clients name the null version, whose id is empty in records.
const NullVersion = "null"

// StoredVersionID returns a version id as records have it, given how clients name it.
func StoredVersionID(named string) string {
	if named == NullVersion {
		return ""
	}
	return named
}

// ShownVersionID returns a version id as clients name it, given how records have it.
func ShownVersionID(stored string) string {
	if stored == "" {
		return NullVersion
	}
	return stored
}
