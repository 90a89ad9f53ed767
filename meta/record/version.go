package record

import (
	"github.com/cairnstore/cairn/meta/metapb"
)

// RestoreTime returns when, in ms, something is to be done about a restore: the copy
// is to be made, or has expired. False where nothing ever is.
func RestoreTime(r *metapb.Restore) (ms uint64, due bool) {
	switch {
	case r.GetOngoing():
		return uint64(max(r.DueMs, 0)), true
	case r.GetExpiresMs() != 0:
		return uint64(max(r.ExpiresMs, 0)), true
	}
	return 0, false
}

// NullVersion is how clients name the null version, whose id is empty here.
const NullVersion = "null"

// StoredVersionID returns a version id, as clients name it, as records have it.
func StoredVersionID(named string) string {
	if named == NullVersion {
		return ""
	}
	return named
}

// ShownVersionID is the reverse of storedVersionID.
func ShownVersionID(stored string) string {
	if stored == "" {
		return NullVersion
	}
	return stored
}
