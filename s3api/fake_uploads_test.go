package s3api

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

// fakeUpload is a multipart upload of fakeObjects.
type fakeUpload struct {
	pb    *metapb.Upload
	key   []byte
	parts map[int]*fakePart
	done  *metapb.Version
}

type fakePart struct {
	pb   *metapb.Part
	data []byte
}

func (f *fakeObjects) CreateUpload(_ context.Context, in *object.UploadInput) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.bucket(in.Caller, in.Bucket); err != nil {
		return "", err
	}
	f.serial++
	id := binary.BigEndian.AppendUint64(make([]byte, 8), f.serial)
	u := &fakeUpload{parts: map[int]*fakePart{}, pb: &metapb.Upload{
		Id: id, Bucket: in.Bucket, Key: in.Key, InitiatedMs: time.Now().UnixMilli(), Order: f.serial, Attributes: in.Attributes,
		Initiator: in.Caller.User, Owner: in.Caller.Account, Encryption: recorded(in.CustomerKey),
		OwnerName: in.Caller.DisplayName, InitiatorName: in.Caller.DisplayName,
		ChecksumAlgorithm: in.ChecksumAlgorithm, ChecksumFullObject: in.ChecksumFullObject,
	}}
	if in.CustomerKey != nil {
		u.key = bytes.Clone(in.CustomerKey.Key)
	}
	f.uploads[string(id)] = u
	return object.FormatUploadID(id), nil
}

func (f *fakeObjects) upload(who object.Caller, bucket, key, uploadID string) (*fakeUpload, error) {
	if _, err := f.bucket(who, bucket); err != nil {
		return nil, err
	}
	id, err := object.ParseUploadID(uploadID)
	if err != nil {
		return nil, err
	}
	u := f.uploads[string(id)]
	if u == nil || u.pb.Bucket != bucket || u.pb.Key != key {
		return nil, s3err.NoSuchUpload.Err()
	}
	return u, nil
}

func (u *fakeUpload) checkKey(k *sse.CustomerKey) error {
	switch {
	case u.key == nil && k == nil:
		return nil
	case u.key == nil:
		return s3err.InvalidRequest.Say("The encryption parameters are not applicable to this object.")
	case k == nil:
		return s3err.InvalidRequest.Say("The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.")
	case !bytes.Equal(u.key, k.Key):
		return s3err.InvalidArgument.Say("The provided encryption parameters did not match the ones used originally.")
	}
	return nil
}

func (u *fakeUpload) put(number int, data []byte, sums []*metapb.Checksum) *metapb.Part {
	sum := md5.Sum(data)
	p := &metapb.Part{Number: uint32(number), Size: uint64(len(data)), Etag: hex.EncodeToString(sum[:]), ModifiedMs: time.Now().UnixMilli(), Checksums: sums}
	u.parts[number] = &fakePart{pb: p, data: data}
	return p
}

func (f *fakeObjects) PutPart(_ context.Context, in *object.PartInput) (*metapb.Part, error) {
	data, sums, err := readBody(&in.Body)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	u, err := f.upload(in.Caller, in.Bucket, in.Key, in.UploadID)
	if err != nil {
		return nil, err
	}
	if err := u.checkKey(in.CustomerKey); err != nil {
		return nil, err
	}
	return u.put(in.PartNumber, data, sums), nil
}

func (f *fakeObjects) CopyPart(_ context.Context, in *object.CopyPartInput) (object.Copy, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u, err := f.upload(in.Caller, in.Bucket, in.Key, in.UploadID)
	if err != nil {
		return nil, err
	}
	_, data, err := f.source(in.Caller, &in.Source)
	if err != nil {
		return nil, err
	}
	if err := u.checkKey(in.CustomerKey); err != nil {
		return nil, err
	}
	return &fakeCopy{f: f, to: recorded(in.CustomerKey), commit: func() (*object.Copied, error) {
		p := u.put(in.PartNumber, data, nil)
		return &object.Copied{ETag: p.Etag, ModifiedMS: p.ModifiedMs}, nil
	}}, nil
}

func (f *fakeObjects) ListParts(_ context.Context, who object.Caller, bucket, key, uploadID string, after, maxParts int) (*metapb.PartsAnswer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u, err := f.upload(who, bucket, key, uploadID)
	if err != nil || u.done != nil {
		return nil, s3err.NoSuchUpload.Err()
	}
	answer := &metapb.PartsAnswer{Bucket: f.buckets[bucket].pb, Upload: u.pb}
	for n := after + 1; n <= MaxPartNumber; n++ {
		p := u.parts[n]
		if p == nil {
			continue
		}
		if len(answer.Parts) == maxParts {
			answer.Truncated = true
			break
		}
		answer.Parts = append(answer.Parts, p.pb)
	}
	return answer, nil
}

func (f *fakeObjects) ListUploads(_ context.Context, who object.Caller, q *metapb.ListUploads) (*metapb.UploadsAnswer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.bucket(who, q.Bucket); err != nil {
		return nil, err
	}
	var open []*metapb.Upload
	for _, u := range f.uploads {
		if u.done == nil && u.pb.Bucket == q.Bucket && strings.HasPrefix(u.pb.Key, q.Prefix) {
			open = append(open, u.pb)
		}
	}
	sort.Slice(open, func(i, j int) bool {
		if open[i].Key != open[j].Key {
			return open[i].Key < open[j].Key
		}
		return open[i].Order < open[j].Order
	})
	answer := &metapb.UploadsAnswer{}
	for _, u := range open {
		after := u.Key > q.KeyMarker || u.Key == q.KeyMarker && q.UploadIdMarker != nil && bytes.Compare(u.Id, q.UploadIdMarker) > 0
		if !after {
			continue
		}
		if len(answer.Entries) == int(q.MaxUploads) {
			answer.Truncated = true
			break
		}
		answer.Entries = append(answer.Entries, &metapb.UploadEntry{Upload: u})
	}
	return answer, nil
}

func (f *fakeObjects) Complete(ctx context.Context, in *object.CompleteInput) (*metapb.Version, error) {
	if err := f.run(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	u, err := f.upload(in.Caller, in.Bucket, in.Key, in.UploadID)
	if err != nil {
		return nil, err
	}
	if u.done != nil {
		return u.done, nil
	}
	b := f.buckets[in.Bucket]
	if err := b.check(in.Key, in.Conditions); err != nil {
		return nil, err
	}
	var all, sums []byte
	o := &fakeObject{key: u.key}
	last := 0
	for _, want := range in.Parts {
		p := u.parts[want.Number]
		switch {
		case want.Number <= last:
			return nil, s3err.InvalidPartOrder.Err()
		case p == nil || p.pb.Etag != want.ETag:
			return nil, s3err.InvalidPart.Err()
		}
		last = want.Number
		raw, _ := hex.DecodeString(p.pb.Etag)
		all, sums = append(all, p.data...), append(sums, raw...)
		o.sizes, o.sums = append(o.sizes, p.pb.Size), append(o.sums, p.pb.Checksums)
	}
	if in.ObjectSize != nil && *in.ObjectSize != uint64(len(all)) {
		return nil, s3err.InvalidRequest.Say("The provided x-amz-mp-object-size header value does not match what was computed.")
	}
	sum := md5.Sum(sums)
	o.data = all
	o.version = &metapb.Version{
		Size: uint64(len(all)), Etag: fmt.Sprintf("%x-%d", sum, len(in.Parts)), ModifiedMs: time.Now().UnixMilli(),
		Attributes: u.pb.Attributes, Encryption: u.pb.Encryption, Parts: uint32(len(in.Parts)), Owner: in.Caller.Account, Checksums: in.Checksums,
	}
	b.objects[in.Key] = o
	u.done = o.version
	return u.done, nil
}

func (f *fakeObjects) Abort(_ context.Context, who object.Caller, bucket, key, uploadID string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	u, err := f.upload(who, bucket, key, uploadID)
	if err != nil {
		return err
	}
	delete(f.uploads, string(u.pb.Id))
	return nil
}
