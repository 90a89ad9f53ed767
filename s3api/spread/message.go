package spread

import (
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/spread/spreadpb"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
)

// Path is the path to which tasks are posted.
const Path = "/copy/task"

// Bounds of what is read from a peer.
const (
	taskMaxBytes   = 4 << 20
	extentMaxBytes = 4 << 10 // Of an extent's record.
)

// The bytes in the body of an answer before the extent's record.
const (
	beat = 0
	done = 1
)

// encode returns the message of a task. The caller must clear it.
func encode(t *object.Task) ([]byte, error) {
	source, err := proto.Marshal(t.Source)
	if err != nil {
		return nil, err
	}
	m := &spreadpb.Task{Source: source, Volume: uint32(t.Extent.Volume), Seq: t.Extent.Seq, Epoch: t.Epoch, SealId: t.SealID}
	defer wipe(m)
	for _, k := range t.Keys {
		m.Keys = append(m.Keys, k.AppendKey(nil))
	}
	if t.Key != nil {
		m.Key = t.Key.AppendKey(nil)
	}
	return proto.Marshal(m)
}

// decode returns the task of a message. The caller must wipe the task.
func decode(body []byte) (_ *object.Task, err error) {
	const op = "spread.decode"
	m := new(spreadpb.Task)
	defer wipe(m)
	if proto.Unmarshal(body, m) != nil { // Its error may quote the body, so it is not passed on.
		return nil, errs.Newf(op, errs.Invalid, "the body is not a copy task")
	}
	t := &object.Task{Source: new(metapb.ContentAnswer), Epoch: m.Epoch, SealID: m.SealId,
		Extent: shard.ExtentID{Volume: shard.VolumeID(m.Volume), Seq: m.Seq}}
	defer func() {
		if err != nil {
			t.Wipe()
		}
	}()
	if proto.Unmarshal(m.Source, t.Source) != nil {
		return nil, errs.Newf(op, errs.Invalid, "the copy task has no readable source")
	}
	for _, b := range m.Keys {
		k, err := sse.ParseDataKey(b)
		if err != nil {
			return nil, err
		}
		t.Keys = append(t.Keys, k)
	}
	if len(m.Key) > 0 {
		t.Key, err = sse.ParseDataKey(m.Key)
	}
	return t, err
}

// wipe clears the keys in a message.
func wipe(m *spreadpb.Task) {
	for _, k := range m.Keys {
		clear(k)
	}
	clear(m.Key)
}
