package keys

import (
	"encoding/binary"

	"github.com/cairnstore/cairn/shard"
)

// AppendKind appends what all keys of a kind begin with.
func AppendKind(dst []byte, k Kind) []byte { return append(dst, byte(k)) }

// AppendNames appends what the keys of all names of a bucket with the given
// prefix begin with; k is KindObject or KindOpenUpload.
func AppendNames(dst []byte, k Kind, bucket uint64, prefix string) []byte {
	return appendEscaped(appendUint64(dst, k, bucket), prefix)
}

// AppendName appends what all keys of one name begin with; k is KindObject or
// KindOpenUpload.
func AppendName(dst []byte, k Kind, bucket uint64, name string) []byte {
	return appendName(appendUint64(dst, k, bucket), name)
}

// AppendOpenUploadFrom appends the least key of an upload of the given name and
// order.
func AppendOpenUploadFrom(dst []byte, bucket uint64, name string, order uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendName(dst, KindOpenUpload, bucket, name), order)
}

// AppendOlderVersions appends what the keys of all older versions of an object
// begin with.
func AppendOlderVersions(dst []byte, bucket uint64, name string) []byte {
	return append(AppendName(dst, KindObject, bucket, name), older)
}

// AppendRestoreFrom appends the key of a restore of which all but kind and time is
// given, as RestoreRest has it.
func AppendRestoreFrom(dst []byte, time uint64, rest []byte) []byte {
	return append(appendUint64(dst, KindRestore, time), rest...)
}

// RestoreRest returns what follows the time in a restore's key.
func RestoreRest(key []byte) []byte { return key[min(1+8, len(key)):] }

// AppendEntries appends what the keys of all entries of a kind begin with.
func AppendEntries(dst []byte, kind uint8) []byte { return append(dst, byte(KindEntry), kind) }

// AppendEvents appends what the keys of all events for a target begin with.
func AppendEvents(dst []byte, target string) []byte {
	return appendName(append(dst, byte(KindEvent)), target)
}

// AppendParts appends what the keys of all parts of a content begin with.
func AppendParts(dst []byte, content ID) []byte { return appendID(dst, KindPart, content) }

// AppendRefs appends what the keys of all references to an extent begin with.
func AppendRefs(dst []byte, e shard.ExtentID) []byte { return appendExtent(dst, KindRef, e) }

// AppendResults appends what the keys of all results of a session begin with.
func AppendResults(dst []byte, session ID) []byte { return appendID(dst, KindResult, session) }

// AppendVolumeExtents appends what the keys of all extents of a volume begin with.
func AppendVolumeExtents(dst []byte, v shard.VolumeID) []byte {
	return appendVolume(dst, KindExtent, v)
}

// PrefixEnd returns the least key above all keys that begin with prefix, made in
// place; nil where there is none (prefix is empty or all ff).
func PrefixEnd(prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xff {
			prefix[i]++
			return prefix[:i+1]
		}
	}
	return nil
}
