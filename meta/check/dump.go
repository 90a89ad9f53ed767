package check

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cairnstore/cairn/meta/record"
)

// Each calls f for every record, in order of their keys and as of one moment, until f fails,
// and returns the error of f or its own.
type Each func(f func(key, value []byte) error) error

// Dump writes all records in order of their keys, one a line, for tests and debugging. A line
// holds names and inline bytes, so no log may have it. Errors: a Contradiction if a record
// cannot be decoded; those of each and of w.
func Dump(each Each, w io.Writer) error {
	out := bufio.NewWriter(w)
	err := each(func(key, value []byte) error {
		k, err := record.DecodeKey(key)
		if err != nil {
			return err
		}
		out.WriteString(k.String())
		out.WriteString(":")
		if m := record.New(k.Kind); m != nil {
			if err := record.Unmarshal(value, m); err != nil {
				return err
			}
			out.WriteString(Format(m.ProtoReflect()))
		} else if len(value) > 0 {
			fmt.Fprintf(out, " %x", value)
		}
		return out.WriteByte('\n')
	})
	if err != nil {
		return err
	}
	return out.Flush()
}

// Format writes the fields that are set, in order of their declaration:
// prototext varies its spaces on purpose.
func Format(m protoreflect.Message) string {
	var b strings.Builder
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		if !f.IsList() {
			fmt.Fprintf(&b, " %s=%s", f.Name(), formatValue(f, m.Get(f)))
			continue
		}
		list := m.Get(f).List()
		fmt.Fprintf(&b, " %s=[", f.Name())
		for j := range list.Len() {
			if j > 0 {
				b.WriteString(" ")
			}
			b.WriteString(formatValue(f, list.Get(j)))
		}
		b.WriteString("]")
	}
	return b.String()
}

func formatValue(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch f.Kind() {
	case protoreflect.MessageKind:
		return "{" + strings.TrimPrefix(Format(v.Message()), " ") + "}"
	case protoreflect.BytesKind:
		return fmt.Sprintf("%x", v.Bytes())
	case protoreflect.StringKind:
		return fmt.Sprintf("%q", v.String())
	case protoreflect.EnumKind:
		if d := f.Enum().Values().ByNumber(v.Enum()); d != nil {
			return string(d.Name())
		}
	}
	return fmt.Sprint(v.Interface())
}

// Hash returns SHA-256 over all keys and values. States that have applied the same log have
// the same.
func Hash(each Each) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	var n [8]byte
	err = each(func(key, value []byte) error {
		binary.BigEndian.PutUint32(n[:4], uint32(len(key)))
		binary.BigEndian.PutUint32(n[4:], uint32(len(value)))
		h.Write(n[:])
		h.Write(key)
		h.Write(value)
		return nil
	})
	return [sha256.Size]byte(h.Sum(nil)), err
}
