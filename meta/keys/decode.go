package keys

import (
	"encoding/binary"
	"fmt"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// Key is a decoded key: its kind and the fields that the kind has; the others
// are zero.
type Key struct {
	Kind   Kind
	Node   uint64         // Node, or a node or drive removed.
	Volume shard.VolumeID // Volume, its sums, next block, lease.
	Block  uint64         // Lease.
	Bucket uint64         // Object, version id, restore, open upload, configuration.
	Name   string         // Name of a bucket, an object, an entry, or a target of events.
	Older  bool           // Object: not the latest version.
	Order  uint64         // Older object, restore, open upload.
	ID     ID             // Content, upload, pin or session.
	Part   uint32         // Part; event: which of its command.
	Index  uint64         // Unreferenced, completed, event; restore: time in ms.
	Seq    uint64         // Result.
	Extent shard.ExtentID
	Owner  Owner

	VersionID string // Version id.
	Entry     uint8  // Entry: its kind.
}

// Append appends the key's encoding.
func (k Key) Append(dst []byte) []byte {
	switch k.Kind {
	case KindNode:
		return AppendNode(dst, k.Node)
	case KindRemoved:
		return AppendRemoved(dst, k.Node)
	case KindVolume, KindNextBlock, KindVolumeStats:
		return appendVolume(dst, k.Kind, k.Volume)
	case KindLease:
		return AppendLease(dst, k.Volume, k.Block)
	case KindBucket:
		return AppendBucket(dst, k.Name)
	case KindObject:
		if k.Older {
			return AppendOlder(dst, k.Bucket, k.Name, k.Order)
		}
		return AppendObject(dst, k.Bucket, k.Name)
	case KindVersionID:
		return AppendVersionID(dst, k.Bucket, k.Name, k.VersionID)
	case KindRestore:
		return AppendRestore(dst, k.Index, k.Bucket, k.Name, k.Order)
	case KindEntry:
		return AppendEntry(dst, k.Entry, k.Name)
	case KindConfig:
		return AppendConfig(dst, k.Bucket)
	case KindEvent:
		return AppendEvent(dst, k.Name, k.Index, k.Part)
	case KindEventQueue:
		return AppendEventQueue(dst, k.Name)
	case KindUsage:
		return AppendUsage(dst, k.Bucket)
	case KindPart:
		return AppendPart(dst, k.ID, k.Part)
	case KindLayout, KindDropped, KindUpload, KindUploadState, KindPin, KindSession:
		return appendID(dst, k.Kind, k.ID)
	case KindOpenUpload:
		return AppendOpenUpload(dst, k.Bucket, k.Name, k.Order, k.ID)
	case KindCompleted:
		return AppendCompleted(dst, k.Index, k.ID)
	case KindExtent, KindMissing, KindDoomed:
		return appendExtent(dst, k.Kind, k.Extent)
	case KindRef:
		return AppendRef(dst, k.Extent, k.Owner)
	case KindUnreferenced:
		return AppendUnreferenced(dst, k.Index, k.Extent)
	case KindResult:
		return AppendResult(dst, k.ID, k.Seq)
	default: // KindCluster, KindApplied, KindRefused.
		return append(dst, byte(k.Kind))
	}
}

// Decode returns the fields of a key. Kind of its error: Corrupt.
func Decode(key []byte) (Key, error) {
	r := reader{rest: key}
	k := Key{Kind: Kind(r.byte())}
	if !r.fields(&k) || r.bad || len(r.rest) != 0 {
		return Key{}, corrupt(key)
	}
	return k, nil
}

// ObjectName appends the name in an object's key to dst and reports whether the
// key is that of the latest version. It is Decode for lists: no allocation.
func ObjectName(dst, key []byte) (name []byte, isLatest bool, err error) {
	if len(key) < 9 || Kind(key[0]) != KindObject {
		return dst, false, corrupt(key)
	}
	rest := key[9:]
	n := nameEnd(rest)
	if n < 0 || n >= len(rest) {
		return dst, false, corrupt(key)
	}
	dst, ok := appendUnescaped(dst, rest[:n-2])
	if !ok {
		return dst, false, corrupt(key)
	}
	switch tail := rest[n:]; {
	case tail[0] == latest && len(tail) == 1:
		return dst, true, nil
	case tail[0] == older && len(tail) == 1+8:
		return dst, false, nil
	}
	return dst, false, corrupt(key)
}

// PartNumber returns the number in a part's key.
func PartNumber(key []byte) (uint32, error) {
	if len(key) != 1+IDBytes+4 || Kind(key[0]) != KindPart {
		return 0, corrupt(key)
	}
	return binary.BigEndian.Uint32(key[1+IDBytes:]), nil
}

// corrupt says what kind of key cannot be decoded, but not the key: names of
// objects are in it.
func corrupt(key []byte) error {
	if len(key) == 0 {
		return errs.Newf("keys.Decode", errs.Corrupt, "empty metadata key")
	}
	return errs.Newf("keys.Decode", errs.Corrupt, "malformed metadata key of kind %q, %d bytes", key[0], len(key))
}

// reader takes fields off the front of a key; bad once one was not there.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if len(r.rest) < n {
		r.bad, r.rest = true, nil
		return make([]byte, n)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte             { return r.take(1)[0] }
func (r *reader) uint32() uint32         { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) uint64() uint64         { return binary.BigEndian.Uint64(r.take(8)) }
func (r *reader) volume() shard.VolumeID { return shard.VolumeID(r.uint32()) }
func (r *reader) id() ID                 { return ID(r.take(IDBytes)) }

func (r *reader) extent() shard.ExtentID {
	return shard.ExtentID{Volume: r.volume(), Seq: r.uint64()}
}

func (r *reader) name() string {
	n := nameEnd(r.rest)
	if n < 0 {
		r.bad, r.rest = true, nil
		return ""
	}
	name, ok := appendUnescaped(nil, r.take(n)[:n-2])
	r.bad = r.bad || !ok
	return string(name)
}

func (r *reader) owner() Owner {
	kind := r.byte()
	r.bad = r.bad || kind > ownerPin
	o := Owner{Pin: kind == ownerPin, ID: r.id(), Number: r.uint32()}
	return o
}

// fields reads the fields of k's kind; false where there is no such kind.
func (r *reader) fields(k *Key) bool {
	switch k.Kind {
	case KindCluster, KindApplied, KindRefused:
	case KindNode, KindRemoved:
		k.Node = r.uint64()
	case KindVolume, KindNextBlock, KindVolumeStats:
		k.Volume = r.volume()
	case KindLease:
		k.Volume, k.Block = r.volume(), r.uint64()
	case KindBucket:
		k.Name = string(r.take(len(r.rest)))
	case KindObject:
		k.Bucket, k.Name = r.uint64(), r.name()
		k.Older = r.versionIsOlder()
		if k.Older {
			k.Order = ^r.uint64()
		}
	case KindVersionID:
		k.Bucket, k.Name = r.uint64(), r.name()
		k.VersionID = string(r.take(len(r.rest)))
	case KindRestore:
		k.Index, k.Bucket, k.Name, k.Order = r.uint64(), r.uint64(), r.name(), r.uint64()
	case KindEntry:
		k.Entry = r.byte()
		k.Name = string(r.take(len(r.rest)))
	case KindConfig, KindUsage:
		k.Bucket = r.uint64()
	case KindEvent:
		k.Name, k.Index, k.Part = r.name(), r.uint64(), r.uint32()
	case KindEventQueue:
		k.Name = string(r.take(len(r.rest)))
	case KindPart:
		k.ID, k.Part = r.id(), r.uint32()
	case KindLayout, KindDropped, KindUpload, KindUploadState, KindPin, KindSession:
		k.ID = r.id()
	case KindOpenUpload:
		k.Bucket, k.Name, k.Order, k.ID = r.uint64(), r.name(), r.uint64(), r.id()
	case KindCompleted:
		k.Index, k.ID = r.uint64(), r.id()
	case KindExtent, KindMissing, KindDoomed:
		k.Extent = r.extent()
	case KindRef:
		k.Extent, k.Owner = r.extent(), r.owner()
	case KindUnreferenced:
		k.Index, k.Extent = r.uint64(), r.extent()
	case KindResult:
		k.ID, k.Seq = r.id(), r.uint64()
	default:
		return false
	}
	return true
}

func (r *reader) versionIsOlder() bool {
	b := r.byte()
	r.bad = r.bad || b > older
	return b == older
}

// String returns the key in words, for dumps and tests. It shows names: never
// put it in a log or an error.
func (k Key) String() string {
	switch k.Kind {
	case KindNode, KindRemoved:
		return fmt.Sprintf("%c %016x", k.Kind, k.Node)
	case KindVolume, KindNextBlock, KindVolumeStats:
		return fmt.Sprintf("%c %d", k.Kind, k.Volume)
	case KindLease:
		return fmt.Sprintf("L %d %d", k.Volume, k.Block)
	case KindBucket:
		return fmt.Sprintf("b %q", k.Name)
	case KindObject:
		if k.Older {
			return fmt.Sprintf("o %d %q older %d", k.Bucket, k.Name, k.Order)
		}
		return fmt.Sprintf("o %d %q latest", k.Bucket, k.Name)
	case KindVersionID:
		return fmt.Sprintf("V %d %q %q", k.Bucket, k.Name, k.VersionID)
	case KindRestore:
		return fmt.Sprintf("R %d %d %q %d", k.Index, k.Bucket, k.Name, k.Order)
	case KindEntry:
		return fmt.Sprintf("D %d %q", k.Entry, k.Name)
	case KindConfig:
		return fmt.Sprintf("B %d", k.Bucket)
	case KindEvent:
		return fmt.Sprintf("E %q %d %d", k.Name, k.Index, k.Part)
	case KindEventQueue:
		return fmt.Sprintf("Q %q", k.Name)
	case KindUsage:
		return fmt.Sprintf("z %d", k.Bucket)
	case KindPart:
		return fmt.Sprintf("p %x %d", k.ID, k.Part)
	case KindLayout, KindDropped, KindUpload, KindUploadState, KindPin, KindSession:
		return fmt.Sprintf("%c %x", k.Kind, k.ID)
	case KindOpenUpload:
		return fmt.Sprintf("U %d %q %d %x", k.Bucket, k.Name, k.Order, k.ID)
	case KindCompleted:
		return fmt.Sprintf("K %d %x", k.Index, k.ID)
	case KindExtent, KindMissing, KindDoomed:
		return fmt.Sprintf("%c %s", k.Kind, k.Extent)
	case KindRef:
		if k.Owner.Pin {
			return fmt.Sprintf("r %s pin %x", k.Extent, k.Owner.ID)
		}
		return fmt.Sprintf("r %s part %x %d", k.Extent, k.Owner.ID, k.Owner.Number)
	case KindUnreferenced:
		return fmt.Sprintf("g %d %s", k.Index, k.Extent)
	case KindResult:
		return fmt.Sprintf("t %x %d", k.ID, k.Seq)
	default:
		return string(rune(k.Kind))
	}
}
