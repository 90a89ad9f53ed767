package check

import (
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/record"
)

// Decodes returns why a record cannot be decoded; nil if it can.
func Decodes(key, value []byte) error {
	k, err := keys.Decode(key)
	if err != nil {
		return err
	}
	if m := record.New(k.Kind); m != nil {
		return proto.Unmarshal(value, m)
	}
	return nil
}

// Show returns a record as text of several lines: its name in logs, its key, and its value as
// JSON, or in hex if it is no message. It shows names and inline bytes. A nil value means that
// there is no such record.
func Show(key, value []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "record  %s\nkey     %x\n", record.Name(key), key)
	k, err := keys.Decode(key)
	if err != nil {
		fmt.Fprintf(&b, "which is no key\nvalue   %x\n", value)
		return b.String()
	}
	fmt.Fprintf(&b, "which is %s\n", k)
	m := record.New(k.Kind)
	switch {
	case value == nil:
		b.WriteString("value   there is none\n")
	case m == nil:
		fmt.Fprintf(&b, "value   %x\n", value)
	case proto.Unmarshal(value, m) != nil:
		fmt.Fprintf(&b, "value   %x, which is no %s\n", value, m.ProtoReflect().Descriptor().Name())
	default:
		text, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true}.Marshal(m)
		if err != nil {
			text = []byte(err.Error())
		}
		fmt.Fprintf(&b, "value   %s %s\n", m.ProtoReflect().Descriptor().Name(), text)
	}
	return b.String()
}

// Encode makes the value of the record under key from JSON, as Show writes it, or from hex if
// records of its kind are no messages. The value is never nil. Errors: Invalid.
func Encode(key, text []byte) ([]byte, error) {
	const op = "check.Encode"
	k, err := keys.Decode(key)
	if err != nil {
		return nil, errs.Newf(op, errs.Invalid, "what has such a key can only be removed: %w", err)
	}
	m := record.New(k.Kind)
	if m == nil {
		value, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, errs.Newf(op, errs.Invalid, "the value of such a record is given in hex: %w", err)
		}
		return value, nil
	}
	if err := protojson.Unmarshal(text, m); err != nil {
		return nil, errs.Newf(op, errs.Invalid, "that is no %s in JSON: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if value == nil {
		value = []byte{} // Not one that is to be removed.
	}
	return value, err
}
