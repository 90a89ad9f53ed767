package s3api

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// source opens what a copy reads.
func (f *fakeObjects) source(who object.Caller, src *object.CopySource) (*fakeObject, []byte, error) {
	b, err := f.bucket(who, src.Bucket)
	if err != nil {
		return nil, nil, err
	}
	o, err := b.find(src.Key, src.VersionID, src.CustomerKey)
	if err != nil && src.AlternateKey != "" {
		if alternate, err2 := b.find(src.AlternateKey, src.VersionID, src.CustomerKey); err2 == nil {
			o, err = alternate, nil
		}
	}
	if err != nil {
		return nil, nil, err
	}
	c := readConditions{src.Conditions.IfMatch, src.Conditions.IfNoneMatch, src.Conditions.IfModifiedSince, src.Conditions.IfUnmodifiedSince}
	if c.evaluate(o.version.Etag, o.version.ModifiedMs) != proceed {
		return nil, nil, s3err.PreconditionFailed.Err()
	}
	if src.Range == nil {
		return o, o.data, nil
	}
	first, length, ok := resolveRange(*src.Range, o.version.Size)
	if !ok {
		return nil, nil, s3err.InvalidRange.Err()
	}
	return o, o.data[first : first+length], nil
}

// fakeCopy is a checked copy.
type fakeCopy struct {
	f      *fakeObjects
	commit func() (*object.Copied, error)
	to     *metapb.Encryption
	closed bool
}

func (c *fakeCopy) Encryption() *metapb.Encryption { return c.to }

func (c *fakeCopy) SourceVersionID() string { return "" }
func (c *fakeCopy) Close()                  { c.closed = true }

func (c *fakeCopy) Run(ctx context.Context) (*object.Copied, error) {
	if err := c.f.run(ctx); err != nil {
		return nil, err
	}
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	return c.commit()
}

func (f *fakeObjects) run(ctx context.Context) error {
	if onRun := f.hooked().onRun; onRun != nil {
		return onRun(ctx)
	}
	return nil
}

func (f *fakeObjects) Copy(_ context.Context, in *object.CopyInput) (object.Copy, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dst, err := f.bucket(in.Caller, in.Bucket)
	if err != nil {
		return nil, err
	}
	o, data, err := f.source(in.Caller, &in.Source)
	if err != nil {
		return nil, err
	}
	return &fakeCopy{f: f, to: recorded(in.CustomerKey), commit: func() (*object.Copied, error) {
		if err := dst.check(in.Key, in.Conditions); err != nil {
			return nil, err
		}
		a := in.Attributes
		if !in.ReplaceAttributes {
			a = o.version.Attributes
		}
		made := newFakeObject(in.Caller, data, a, in.CustomerKey)
		dst.objects[in.Key] = made
		return &object.Copied{ETag: made.version.Etag, ModifiedMS: made.version.ModifiedMs, Version: made.version}, nil
	}}, nil
}
