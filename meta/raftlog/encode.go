package raftlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"
)

const (
	formatVersion = 1
	logPrefix     = 'l'
	stablePrefix  = 's'
	logKeyBytes   = 9
	crcBytes      = 4

	// maxHeaderBytes is version, type, term, time and length of extensions.
	maxHeaderBytes = 2 + 3*binary.MaxVarintLen64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func putLogKey(key []byte, index uint64) {
	key[0] = logPrefix
	binary.BigEndian.PutUint64(key[1:], index)
}

func logKey(index uint64) []byte {
	key := make([]byte, logKeyBytes)
	putLogKey(key, index)
	return key
}

func stableKey(name []byte) []byte {
	return append([]byte{stablePrefix}, name...)
}

// appendHeader appends all of a value that precedes extensions and data.
func appendHeader(dst []byte, l *raft.Log) []byte {
	dst = append(dst, formatVersion, byte(l.Type))
	dst = binary.AppendUvarint(dst, l.Term)
	var at int64
	if !l.AppendedAt.IsZero() {
		at = l.AppendedAt.UnixNano()
	}
	dst = binary.AppendVarint(dst, at)
	return binary.AppendUvarint(dst, uint64(len(l.Extensions)))
}

// checksum covers the index, which is in the key, and the value without its end.
func checksum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key[1:logKeyBytes], castagnoli), castagnoli, value)
}

// Reasons why a stored entry cannot be believed.
var (
	errKey      = errors.New("an entry's key has a wrong length")
	errShort    = errors.New("an entry is too short")
	errChecksum = errors.New("an entry's checksum does not match")
	errVersion  = errors.New("an entry is of an unknown format version")
	errHeader   = errors.New("an entry's header is malformed")
)

// decode fills in l from a stored entry. The bytes are copied.
func decode(key, value []byte, l *raft.Log) error {
	if len(key) != logKeyBytes {
		return errKey
	}
	if len(value) < 2+crcBytes {
		return errShort
	}
	body, sum := value[:len(value)-crcBytes], value[len(value)-crcBytes:]
	if checksum(key, body) != binary.LittleEndian.Uint32(sum) {
		return errChecksum
	}
	if body[0] != formatVersion {
		return errVersion
	}
	*l = raft.Log{Index: binary.BigEndian.Uint64(key[1:]), Type: raft.LogType(body[1])}
	body = body[2:]
	term, n := binary.Uvarint(body)
	if n <= 0 {
		return errHeader
	}
	body = body[n:]
	at, n := binary.Varint(body)
	if n <= 0 {
		return errHeader
	}
	body = body[n:]
	ext, n := binary.Uvarint(body)
	if n <= 0 || ext > uint64(len(body)-n) {
		return errHeader
	}
	body = append([]byte(nil), body[n:]...)
	l.Term = term
	if at != 0 {
		l.AppendedAt = time.Unix(0, at)
	}
	if ext > 0 {
		l.Extensions = body[:ext:ext]
	}
	l.Data = body[ext:]
	return nil
}
