package s3api

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
)

// fakeObjects is object.API in memory: the oracle of the handlers' tests. It keeps
// S3's rules on existence, conditions, ranges, keys and checksums, without
// versions, extents and limits of part sizes.
type fakeObjects struct {
	mu      sync.Mutex
	buckets map[string]*fakeBucket
	uploads map[string]*fakeUpload
	serial  uint64

	// Hooks of tests, set by hook; nil: nothing.
	hooks
}

// hooks stand in for parts of what fakeObjects does.
type hooks struct {
	onRun     func(ctx context.Context) error // Before a copy or a Complete commits.
	onWriteTo func(ctx context.Context, w io.Writer) (int64, error)
	onPut     func(ctx context.Context, in *object.PutInput) error
	onGot     func(got *object.Got)
	onRestore func(in *object.RestoreInput) (bool, error)
}

type fakeBucket struct {
	pb      *metapb.Bucket
	objects map[string]*fakeObject
}

type fakeObject struct {
	version *metapb.Version
	data    []byte
	sizes   []uint64 // Of parts; nil: made by one request.
	sums    [][]*metapb.Checksum
	key     []byte // SSE-C.
}

var _ object.API = (*fakeObjects)(nil)

func newFakeObjects() *fakeObjects {
	return &fakeObjects{buckets: map[string]*fakeBucket{}, uploads: map[string]*fakeUpload{}}
}

// hook sets all hooks.
func (f *fakeObjects) hook(h hooks) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hooks = h
}

func (f *fakeObjects) hooked() hooks {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hooks
}

func (f *fakeObjects) has(bucket, key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.buckets[bucket].objects[key] != nil
}

func (f *fakeObjects) bucket(who object.Caller, name string) (*fakeBucket, error) {
	b := f.buckets[name]
	if b == nil {
		return nil, s3err.NoSuchBucket.Err()
	}
	if b.pb.Owner != who.Account {
		return nil, s3err.AccessDenied.Err()
	}
	return b, nil
}

func (f *fakeObjects) CreateBucket(_ context.Context, who object.Caller, name, region string, _ []*metapb.ConfigPart) (*metapb.Bucket, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b := f.buckets[name]; b != nil {
		if b.pb.Owner == who.Account {
			return nil, s3err.BucketAlreadyOwnedByYou.Err()
		}
		return nil, s3err.BucketAlreadyExists.Err()
	}
	if len(name) < 3 {
		return nil, s3err.InvalidBucketName.Err()
	}
	b := &fakeBucket{pb: &metapb.Bucket{Name: name, Owner: who.Account, Region: region, CreatedMs: time.Now().UnixMilli()}, objects: map[string]*fakeObject{}}
	f.buckets[name] = b
	return b.pb, nil
}

func (f *fakeObjects) HeadBucket(_ context.Context, who object.Caller, name string) (*metapb.Bucket, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.bucket(who, name)
	if err != nil {
		return nil, err
	}
	return b.pb, nil
}

func (f *fakeObjects) DeleteBucket(_ context.Context, who object.Caller, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.bucket(who, name)
	if err != nil {
		return err
	}
	if len(b.objects) > 0 {
		return s3err.BucketNotEmpty.Err()
	}
	delete(f.buckets, name)
	return nil
}

func (f *fakeObjects) ListBuckets(_ context.Context, who object.Caller) ([]*metapb.Bucket, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []*metapb.Bucket
	for _, b := range f.buckets {
		if b.pb.Owner == who.Account {
			list = append(list, b.pb)
		}
	}
	return list, nil
}

func (f *fakeObjects) ListObjects(_ context.Context, who object.Caller, q *metapb.ListObjects) (*metapb.ListAnswer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.bucket(who, q.Bucket)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(b.objects))
	for k := range b.objects {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	answer := &metapb.ListAnswer{Bucket: b.pb}
	last := ""
	for _, k := range keys {
		e := &metapb.ListEntry{Key: k}
		if !strings.HasPrefix(k, q.Prefix) {
			continue
		}
		if i := strings.Index(k[len(q.Prefix):], q.Delimiter); q.Delimiter != "" && i >= 0 {
			e = &metapb.ListEntry{Key: k[:len(q.Prefix)+i+len(q.Delimiter)], Prefix: true}
		} else {
			v := b.objects[k].version
			e.Size, e.Etag, e.ModifiedMs, e.Owner = v.Size, v.Etag, v.ModifiedMs, v.Owner
		}
		if e.Key <= q.After || e.Prefix && e.Key == last {
			continue
		}
		if len(answer.Entries) == int(q.MaxKeys) {
			answer.Truncated, answer.Next = true, last
			break
		}
		last = e.Key
		answer.Entries = append(answer.Entries, e)
	}
	return answer, nil
}

func (f *fakeObjects) Put(ctx context.Context, in *object.PutInput) (*metapb.Version, error) {
	if onPut := f.hooked().onPut; onPut != nil {
		if err := onPut(ctx, in); err != nil {
			return nil, err
		}
	}
	data, sums, err := readBody(&in.Body)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.bucket(in.Caller, in.Bucket)
	if err != nil {
		return nil, err
	}
	if err := b.check(in.Key, in.Conditions); err != nil {
		return nil, err
	}
	o := newFakeObject(in.Caller, data, in.Attributes, in.CustomerKey)
	o.version.Checksums = sums
	b.objects[in.Key] = o
	return o.version, nil
}

func newFakeObject(who object.Caller, data []byte, a *metapb.Attributes, k *sse.CustomerKey) *fakeObject {
	sum := md5.Sum(data)
	o := &fakeObject{data: data, version: &metapb.Version{
		Size: uint64(len(data)), Etag: hex.EncodeToString(sum[:]), ModifiedMs: time.Now().UnixMilli(),
		Attributes: proto.Clone(a).(*metapb.Attributes), Owner: who.Account,
	}}
	if k != nil {
		o.key = bytes.Clone(k.Key)
	}
	o.version.Encryption = recorded(k)
	return o
}

// recorded returns what is kept of a customer's key.
func recorded(k *sse.CustomerKey) *metapb.Encryption {
	if k == nil {
		return nil
	}
	return &metapb.Encryption{Kind: metapb.EncryptionKind_ENCRYPTION_SSE_C}
}

// readBody reads and checks a body as the service does.
func readBody(b *object.Body) ([]byte, []*metapb.Checksum, error) {
	data, err := io.ReadAll(b.Reader)
	if err != nil {
		return nil, nil, err
	}
	if int64(len(data)) != b.Size {
		return nil, nil, s3err.IncompleteBody.Err()
	}
	if sum := md5.Sum(data); b.ContentMD5 != nil && !bytes.Equal(sum[:], b.ContentMD5) {
		return nil, nil, s3err.BadDigest.Err()
	}
	if b.Digest.Algorithm == "" {
		return data, nil, nil
	}
	h := checksum.New(b.Digest.Algorithm)
	_, _ = h.Write(data)
	if b.Digest.Value != nil {
		claimed, err := b.Digest.Value()
		if err != nil {
			return nil, nil, err
		}
		if !bytes.Equal(claimed, h.Sum(nil)) {
			return nil, nil, s3err.BadDigest.Err()
		}
	}
	return data, []*metapb.Checksum{{Algorithm: b.Digest.Algorithm, Value: h.Sum(nil)}}, nil
}

func (b *fakeBucket) check(key string, c *metapb.Conditions) error {
	o := b.objects[key]
	switch {
	case c.GetIfNoneMatch() == "*" && o != nil:
		return s3err.PreconditionFailed.Err()
	case c.GetIfMatch() == "":
		return nil
	case o == nil:
		return s3err.NoSuchKey.Err()
	case c.GetIfMatch() != "*" && c.GetIfMatch() != o.version.Etag:
		return s3err.PreconditionFailed.Err()
	}
	return nil
}

func (b *fakeBucket) find(key, versionID string, k *sse.CustomerKey) (*fakeObject, error) {
	o := b.objects[key]
	switch {
	case o == nil:
		return nil, s3err.NoSuchKey.Err()
	case versionID != "" && versionID != "null":
		return nil, s3err.NoSuchVersion.Err()
	case o.key == nil && k != nil:
		return nil, s3err.InvalidRequest.Say("The encryption parameters are not applicable to this object.")
	case o.key != nil && k == nil:
		return nil, s3err.InvalidRequest.Say("The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.")
	case o.key != nil && !bytes.Equal(o.key, k.Key):
		return nil, s3err.AccessDenied.Err()
	}
	return o, nil
}

func (f *fakeObjects) Get(_ context.Context, in *object.GetInput) (*object.Got, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.bucket(in.Caller, in.Bucket)
	if err != nil {
		return nil, err
	}
	o, err := b.find(in.Key, in.VersionID, in.CustomerKey)
	if err != nil {
		return nil, err
	}
	got := &object.Got{Bucket: b.pb, Version: o.version}
	switch in.Range.Kind {
	case metapb.RangeKind_RANGE_NONE:
	case metapb.RangeKind_RANGE_PART:
		got.First, got.Length, got.Unsatisfiable = o.part(int(in.Range.Part))
		if n := int(in.Range.Part); n <= len(o.sums) && !got.Unsatisfiable {
			got.PartChecksums = o.sums[n-1]
		}
	default:
		var ok bool
		got.First, got.Length, ok = resolveRange(in.Range, o.version.Size)
		got.Unsatisfiable = !ok
	}
	data := o.data[got.First : got.First+got.Length]
	got.SetContent(func(ctx context.Context, w io.Writer) (int64, error) {
		if onWriteTo := f.hooked().onWriteTo; onWriteTo != nil {
			return onWriteTo(ctx, w)
		}
		return bytes.NewReader(data).WriteTo(w)
	})
	if f.onGot != nil {
		f.onGot(got)
	}
	return got, nil
}

func (o *fakeObject) part(n int) (first, length uint64, outside bool) {
	if o.sizes == nil {
		return 0, uint64(len(o.data)), n != 1
	}
	if n > len(o.sizes) {
		return 0, 0, true
	}
	for _, s := range o.sizes[:n-1] {
		first += s
	}
	return first, o.sizes[n-1], false
}

func (f *fakeObjects) Delete(_ context.Context, who object.Caller, bucket string, names []*metapb.ObjectName) ([]*metapb.DeleteResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := f.bucket(who, bucket)
	if err != nil {
		return nil, err
	}
	results := make([]*metapb.DeleteResult, len(names))
	for i, n := range names {
		_, existed := b.objects[n.Key]
		delete(b.objects, n.Key)
		results[i] = &metapb.DeleteResult{Existed: existed}
	}
	return results, nil
}
