package wire

import (
	"encoding/binary"
	"errors"

	"github.com/cairnstore/cairn/shard"
)

const (
	idBytes       = 4 + 8 + 1
	deleteIDs     = 4096 // Most ids of one request.
	deleteMaxBody = deleteIDs * idBytes
)

var errBadIDs = errors.New("the body is not a list of shard ids")

func encodeIDs(ids []shard.ID) []byte {
	b := make([]byte, 0, len(ids)*idBytes)
	for _, id := range ids {
		b = binary.BigEndian.AppendUint32(b, uint32(id.Extent.Volume))
		b = binary.BigEndian.AppendUint64(b, id.Extent.Seq)
		b = append(b, id.Slot)
	}
	return b
}

func decodeIDs(b []byte) ([]shard.ID, error) {
	if len(b)%idBytes != 0 || len(b) > deleteMaxBody {
		return nil, errBadIDs
	}
	ids := make([]shard.ID, 0, len(b)/idBytes)
	for ; len(b) > 0; b = b[idBytes:] {
		id := shard.ID{Extent: shard.ExtentID{
			Volume: shard.VolumeID(binary.BigEndian.Uint32(b)), Seq: binary.BigEndian.Uint64(b[4:]),
		}, Slot: b[12]}
		if id.Extent.Volume == 0 || id.Extent.Seq == 0 || id.Slot >= shard.MaxShards {
			return nil, errBadIDs
		}
		ids = append(ids, id)
	}
	return ids, nil
}
