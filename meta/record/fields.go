package record

import (
	"google.golang.org/protobuf/encoding/protowire"
)

// Fields calls f with every field of a message that is not decoded as a whole: its number,
// and its value in v if it is a varint, or in b if it is a string, bytes or a message. f
// must not keep b. Errors: those of f, and a Contradiction if msg is no message.
//
// A record is read so where few of its fields are wanted and many records are read: lists
// and deletions would otherwise pay for the allocations that a full decoding makes. The
// numbers that callers compare are those of records.proto, where they never change.
func Fields(msg []byte, f func(num protowire.Number, v uint64, b []byte) error) error {
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			return Undecodable(protowire.ParseError(n))
		}
		msg = msg[n:]
		var v uint64
		var b []byte
		switch typ {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(msg)
		case protowire.BytesType:
			b, n = protowire.ConsumeBytes(msg)
		default:
			n = protowire.ConsumeFieldValue(num, typ, msg)
		}
		if n < 0 {
			return Undecodable(protowire.ParseError(n))
		}
		msg = msg[n:]
		if err := f(num, v, b); err != nil {
			return err
		}
	}
	return nil
}
