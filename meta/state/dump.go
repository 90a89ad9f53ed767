package state

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// newRecord returns an empty record of the kind's type; nil where values are not
// messages.
func newRecord(k keys.Kind) proto.Message {
	switch k {
	case keys.KindApplied:
		return new(metapb.Applied)
	case keys.KindBucket:
		return new(metapb.Bucket)
	case keys.KindCluster:
		return new(metapb.Cluster)
	case keys.KindRefused:
		return new(metapb.Contradictions)
	case keys.KindConfig:
		return new(metapb.BucketConfig)
	case keys.KindEntry:
		return new(metapb.Entry)
	case keys.KindDropped:
		return new(metapb.DroppedContent)
	case keys.KindEvent:
		return new(metapb.Event)
	case keys.KindEventQueue:
		return new(metapb.EventQueue)
	case keys.KindExtent:
		return new(metapb.Extent)
	case keys.KindLayout:
		return new(metapb.Layout)
	case keys.KindLease:
		return new(metapb.Lease)
	case keys.KindNode:
		return new(metapb.Node)
	case keys.KindObject:
		return new(metapb.Version)
	case keys.KindPart:
		return new(metapb.Part)
	case keys.KindPin:
		return new(metapb.Pin)
	case keys.KindRemoved:
		return new(metapb.Removed)
	case keys.KindUsage:
		return new(metapb.BucketUsage)
	case keys.KindVolumeStats:
		return new(metapb.VolumeStats)
	case keys.KindSession:
		return new(metapb.Session)
	case keys.KindResult:
		return new(metapb.Result)
	case keys.KindUpload:
		return new(metapb.Upload)
	case keys.KindVolume:
		return new(metapb.Volume)
	case keys.KindUploadState:
		return new(metapb.UploadState)
	case keys.KindDoomed:
		return new(metapb.Doomed)
	}
	return nil
}

// eachRecord calls f for every record, as of one moment, until f fails.
type eachRecord func(f func(key, value []byte) error) error

// dumpRecords writes all records in order of their keys, one a line, for tests and
// debugging. It shows names and inline bytes: never put it in a log.
func dumpRecords(each eachRecord, w io.Writer) error {
	out := bufio.NewWriter(w)
	err := each(func(key, value []byte) error {
		k, err := decodeKey(key)
		if err != nil {
			return err
		}
		out.WriteString(k.String())
		out.WriteString(":")
		if m := newRecord(k.Kind); m != nil {
			if err := unmarshal(value, m); err != nil {
				return err
			}
			out.WriteString(formatMessage(m.ProtoReflect()))
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

// formatMessage writes the fields that are set, in order of their declaration:
// prototext varies its spaces on purpose.
func formatMessage(m protoreflect.Message) string {
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
		return "{" + strings.TrimPrefix(formatMessage(v.Message()), " ") + "}"
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

// hashRecords returns SHA-256 over all keys and values: equal on replicas that are at
// the same index.
func hashRecords(each eachRecord) (sum [sha256.Size]byte, err error) {
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
