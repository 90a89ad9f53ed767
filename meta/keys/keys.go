package keys

import (
	"encoding/binary"

	"github.com/cairnstore/cairn/shard"
)

// Kind is the first byte of a key and says what record it names.
type Kind byte

// The kinds. Bytes are part of the format: append, never reuse.
const (
	KindApplied      Kind = 'a' // Applied.
	KindBucket       Kind = 'b' // name: Bucket.
	KindConfig       Kind = 'B' // bucket: BucketConfig.
	KindCluster      Kind = 'c' // Cluster.
	KindRefused      Kind = 'C' // Contradictions.
	KindDropped      Kind = 'd' // content id: DroppedContent.
	KindEntry        Kind = 'D' // entry kind, name: Entry.
	KindExtent       Kind = 'e' // extent: Extent.
	KindEvent        Kind = 'E' // target, index, number: Event.
	KindEventQueue   Kind = 'Q' // target: EventQueue.
	KindUnreferenced Kind = 'g' // index, extent: empty.
	KindCompleted    Kind = 'K' // index, upload id: empty.
	KindLayout       Kind = 'l' // content id: Layout.
	KindLease        Kind = 'L' // volume, block: Lease.
	KindMissing      Kind = 'm' // extent: empty.
	KindNode         Kind = 'n' // node: Node.
	KindRemoved      Kind = 'N' // node or drive: Removed.
	KindObject       Kind = 'o' // bucket, name, and order unless the latest: Version.
	KindPart         Kind = 'p' // content id, number: Part.
	KindPin          Kind = 'P' // pin id: Pin.
	KindNextBlock    Kind = 'q' // volume: 8 bytes, big endian.
	KindRef          Kind = 'r' // extent, owner: empty.
	KindRestore      Kind = 'R' // time, bucket, name, order: the bucket's name.
	KindSession      Kind = 's' // session id: Session.
	KindResult       Kind = 't' // session id, seq: Result.
	KindUpload       Kind = 'u' // upload id: Upload.
	KindOpenUpload   Kind = 'U' // bucket, name, order, upload id: empty.
	KindVolume       Kind = 'v' // volume: Volume.
	KindVersionID    Kind = 'V' // bucket, name, version id: order of an older version, 8 bytes.
	KindUploadState  Kind = 'w' // upload id: UploadState.
	KindDoomed       Kind = 'x' // extent: Doomed.
	KindVolumeStats  Kind = 'y' // volume: VolumeStats.
	KindUsage        Kind = 'z' // bucket: BucketUsage.
)

// IDBytes is the length of content, upload, pin and session ids.
const IDBytes = 16

// ID is a content, upload, pin or session id.
type ID [IDBytes]byte

// ParseID returns the id in b; false unless it is IDBytes long.
func ParseID(b []byte) (ID, bool) {
	if len(b) != IDBytes {
		return ID{}, false
	}
	return ID(b), true
}

// Owner is what refers to an extent: a part of a content, or a pin.
type Owner struct {
	Pin    bool
	ID     ID
	Number uint32 // Of the part; 0 for a pin.
}

// AppendCluster appends the key of the Cluster record.
func AppendCluster(dst []byte) []byte { return append(dst, byte(KindCluster)) }

// AppendApplied appends the key of the Applied record.
func AppendApplied(dst []byte) []byte { return append(dst, byte(KindApplied)) }

// AppendRefused appends the key of the Contradictions record.
func AppendRefused(dst []byte) []byte { return append(dst, byte(KindRefused)) }

// AppendNode appends the key of a node.
func AppendNode(dst []byte, node uint64) []byte { return appendUint64(dst, KindNode, node) }

// AppendRemoved appends the key of a node or drive that was removed for good.
func AppendRemoved(dst []byte, id uint64) []byte { return appendUint64(dst, KindRemoved, id) }

// AppendVolumeStats appends the key of a volume's sums.
func AppendVolumeStats(dst []byte, v shard.VolumeID) []byte {
	return appendVolume(dst, KindVolumeStats, v)
}

// AppendVolume appends the key of a volume.
func AppendVolume(dst []byte, v shard.VolumeID) []byte { return appendVolume(dst, KindVolume, v) }

// AppendNextBlock appends the key of a volume's next lease block.
func AppendNextBlock(dst []byte, v shard.VolumeID) []byte {
	return appendVolume(dst, KindNextBlock, v)
}

// AppendLease appends the key of a lease.
func AppendLease(dst []byte, v shard.VolumeID, block uint64) []byte {
	return binary.BigEndian.AppendUint64(appendVolume(dst, KindLease, v), block)
}

// AppendBucket appends the key of a bucket.
func AppendBucket(dst []byte, name string) []byte {
	return append(append(dst, byte(KindBucket)), name...)
}

// AppendObject appends the key of the latest version of an object.
func AppendObject(dst []byte, bucket uint64, name string) []byte {
	return append(appendName(appendUint64(dst, KindObject, bucket), name), latest)
}

// AppendOlder appends the key of an older version of an object.
func AppendOlder(dst []byte, bucket uint64, name string, order uint64) []byte {
	dst = append(appendName(appendUint64(dst, KindObject, bucket), name), older)
	return binary.BigEndian.AppendUint64(dst, ^order)
}

// AppendVersionID appends the key under which an older version of an object is
// found by its id; that of the null version is empty.
func AppendVersionID(dst []byte, bucket uint64, name, versionID string) []byte {
	return append(appendName(appendUint64(dst, KindVersionID, bucket), name), versionID...)
}

// AppendRestore appends the key that lists a version by the time at which
// something is to be done about its restore.
func AppendRestore(dst []byte, time, bucket uint64, name string, order uint64) []byte {
	dst = binary.BigEndian.AppendUint64(appendUint64(dst, KindRestore, time), bucket)
	return binary.BigEndian.AppendUint64(appendName(dst, name), order)
}

// AppendEntry appends the key of an entry of the directory.
func AppendEntry(dst []byte, kind uint8, name string) []byte {
	return append(append(dst, byte(KindEntry), kind), name...)
}

// AppendUsage appends the key of what a bucket holds.
func AppendUsage(dst []byte, bucket uint64) []byte { return appendUint64(dst, KindUsage, bucket) }

// AppendConfig appends the key of a bucket's configuration.
func AppendConfig(dst []byte, bucket uint64) []byte { return appendUint64(dst, KindConfig, bucket) }

// AppendEvent appends the key of an event that waits for a target: the number-th of
// the command of a position.
func AppendEvent(dst []byte, target string, index uint64, number uint32) []byte {
	dst = binary.BigEndian.AppendUint64(AppendEvents(dst, target), index)
	return binary.BigEndian.AppendUint32(dst, number)
}

// AppendEventQueue appends the key of the queue of a target.
func AppendEventQueue(dst []byte, target string) []byte {
	return append(append(dst, byte(KindEventQueue)), target...)
}

// AppendPart appends the key of a part.
func AppendPart(dst []byte, content ID, number uint32) []byte {
	return binary.BigEndian.AppendUint32(appendID(dst, KindPart, content), number)
}

// AppendLayout appends the key of a content's layout.
func AppendLayout(dst []byte, content ID) []byte { return appendID(dst, KindLayout, content) }

// AppendDropped appends the key of a dropped content.
func AppendDropped(dst []byte, content ID) []byte { return appendID(dst, KindDropped, content) }

// AppendUpload appends the key of an upload.
func AppendUpload(dst []byte, upload ID) []byte { return appendID(dst, KindUpload, upload) }

// AppendUploadState appends the key of an upload's state.
func AppendUploadState(dst []byte, upload ID) []byte {
	return appendID(dst, KindUploadState, upload)
}

// AppendOpenUpload appends the key that lists an upload under its bucket.
func AppendOpenUpload(dst []byte, bucket uint64, name string, order uint64, upload ID) []byte {
	dst = appendName(appendUint64(dst, KindOpenUpload, bucket), name)
	return append(binary.BigEndian.AppendUint64(dst, order), upload[:]...)
}

// AppendCompleted appends the key that lists a completed upload by its age.
func AppendCompleted(dst []byte, index uint64, upload ID) []byte {
	return append(appendUint64(dst, KindCompleted, index), upload[:]...)
}

// AppendExtent appends the key of an extent.
func AppendExtent(dst []byte, e shard.ExtentID) []byte { return appendExtent(dst, KindExtent, e) }

// AppendRef appends the key of a reference to an extent.
func AppendRef(dst []byte, e shard.ExtentID, o Owner) []byte {
	kind := byte(ownerContent)
	if o.Pin {
		kind = ownerPin
	}
	dst = append(appendExtent(dst, KindRef, e), kind)
	dst = append(dst, o.ID[:]...)
	return binary.BigEndian.AppendUint32(dst, o.Number)
}

// AppendUnreferenced appends the key of an extent in the gc queue.
func AppendUnreferenced(dst []byte, index uint64, e shard.ExtentID) []byte {
	dst = appendUint64(dst, KindUnreferenced, index)
	dst = binary.BigEndian.AppendUint32(dst, uint32(e.Volume))
	return binary.BigEndian.AppendUint64(dst, e.Seq)
}

// AppendMissing appends the key that lists an extent with missing shards.
func AppendMissing(dst []byte, e shard.ExtentID) []byte { return appendExtent(dst, KindMissing, e) }

// AppendDoomed appends the key of a doomed extent.
func AppendDoomed(dst []byte, e shard.ExtentID) []byte { return appendExtent(dst, KindDoomed, e) }

// AppendPin appends the key of a pin.
func AppendPin(dst []byte, pin ID) []byte { return appendID(dst, KindPin, pin) }

// AppendSession appends the key of a session.
func AppendSession(dst []byte, session ID) []byte { return appendID(dst, KindSession, session) }

// AppendResult appends the key of the result of a session's command.
func AppendResult(dst []byte, session ID, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(appendID(dst, KindResult, session), seq)
}

// What follows a name's terminator in an object key.
const (
	latest = 0x00
	older  = 0x01
)

// The owner byte of a reference key; the numbers of metapb.OwnerKind.
const (
	ownerContent = 0
	ownerPin     = 1
)

func appendUint64(dst []byte, k Kind, v uint64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, byte(k)), v)
}

func appendVolume(dst []byte, k Kind, v shard.VolumeID) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byte(k)), uint32(v))
}

func appendExtent(dst []byte, k Kind, e shard.ExtentID) []byte {
	return binary.BigEndian.AppendUint64(appendVolume(dst, k, e.Volume), e.Seq)
}

func appendID(dst []byte, k Kind, id ID) []byte {
	return append(append(dst, byte(k)), id[:]...)
}
