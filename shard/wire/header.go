package wire

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/shard"
)

const (
	pathPrefix  = "/shard/v1/"
	deletePath  = "delete"
	shardHeader = "Cairn-Shard"

	// headerVersion is of what follows it in a Cairn-Shard value.
	headerVersion = 1
)

var (
	errBadHeader = errors.New("the Cairn-Shard header describes no shard")
	errBadPath   = errors.New("the path names no shard")
	errBadSpan   = errors.New("the query is not a span, OFF+LEN")
)

// encodeHeader returns the Cairn-Shard value of h; the id is in the path.
func encodeHeader(h shard.Header) string {
	b := make([]byte, 0, 48)
	for i, v := range [...]uint32{
		headerVersion, h.Epoch, uint32(h.Scheme.K), uint32(h.Scheme.M), h.FullBlocks, h.TailBlocks, h.TailBytes,
	} {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendUint(b, uint64(v), 10)
	}
	return string(b)
}

// decodeHeader reads the Cairn-Shard value of shard id; what it returns is valid.
func decodeHeader(id shard.ID, value string) (shard.Header, error) {
	var v [7]uint64
	for i := range v {
		field, rest, more := strings.Cut(value, " ")
		if more != (i < len(v)-1) {
			return shard.Header{}, errBadHeader
		}
		limit := uint64(math.MaxUint32)
		if i == 2 || i == 3 {
			limit = math.MaxUint8
		}
		var ok bool
		if v[i], ok = parseUint(field, limit); !ok {
			return shard.Header{}, errBadHeader
		}
		value = rest
	}
	h := shard.Header{
		ID: id, Epoch: uint32(v[1]), Scheme: shard.Scheme{K: uint8(v[2]), M: uint8(v[3])},
		FullBlocks: uint32(v[4]), TailBlocks: uint32(v[5]), TailBytes: uint32(v[6]),
	}
	if v[0] != headerVersion || !h.Valid() {
		return shard.Header{}, errBadHeader
	}
	return h, nil
}

// parseUint reads a decimal number in its one form: no sign, no leading zero.
func parseUint(s string, limit uint64) (uint64, bool) {
	if s == "" || len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(s, 10, 64)
	return v, err == nil && v <= limit
}

func shardPath(drive cluster.DriveID, id shard.ID) string {
	b := make([]byte, 0, 64)
	b = append(b, pathPrefix...)
	b = append(b, drive.String()...)
	b = append(b, '/')
	b = strconv.AppendUint(b, uint64(id.Extent.Volume), 10)
	b = append(b, '/')
	b = strconv.AppendUint(b, id.Extent.Seq, 10)
	b = append(b, '/')
	b = strconv.AppendUint(b, uint64(id.Slot), 10)
	return string(b)
}

// parsePath splits a path under pathPrefix into the drive and what is meant on
// it: one shard, or (true) the deletion of several.
func parsePath(path string) (drive cluster.DriveID, id shard.ID, del bool, err error) {
	rest, ok := strings.CutPrefix(path, pathPrefix)
	name, rest, more := strings.Cut(rest, "/")
	if !ok || !more || len(name) != 16 {
		return 0, shard.ID{}, false, errBadPath
	}
	if drive, err = cluster.ParseDriveID(name); err != nil {
		return 0, shard.ID{}, false, errBadPath
	}
	if rest == deletePath {
		return drive, shard.ID{}, true, nil
	}
	volume, rest, ok1 := strings.Cut(rest, "/")
	seq, slot, ok2 := strings.Cut(rest, "/")
	v, ok3 := parseUint(volume, math.MaxUint32)
	s, ok4 := parseUint(seq, math.MaxUint64)
	n, ok5 := parseUint(slot, shard.MaxShards-1)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || v == 0 || s == 0 {
		return 0, shard.ID{}, false, errBadPath
	}
	return drive, shard.ID{Extent: shard.ExtentID{Volume: shard.VolumeID(v), Seq: s}, Slot: uint8(n)}, false, nil
}

func encodeSpan(s shard.Span) string {
	b := make([]byte, 0, 24)
	b = strconv.AppendInt(b, s.Off, 10)
	b = append(b, '+')
	return string(strconv.AppendInt(b, s.Len, 10))
}

func decodeSpan(query string) (shard.Span, error) {
	off, n, ok := strings.Cut(query, "+")
	o, ok1 := parseUint(off, 2*shard.ExtentMaxBytes)
	l, ok2 := parseUint(n, 2*shard.ExtentMaxBytes)
	if !ok || !ok1 || !ok2 {
		return shard.Span{}, errBadSpan
	}
	return shard.Span{Off: int64(o), Len: int64(l)}, nil
}
