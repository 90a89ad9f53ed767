package s3api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/bucket"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/s3api/profile"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// classify fills in the storage class of something new: the one that the request names, else the
// bucket's.
func (s *server) classify(ctx context.Context, rq *request, in *object.Description) error {
	b, err := s.bucket(ctx, rq)
	if err != nil {
		return err
	}
	if in.Attributes == nil {
		in.Attributes = new(metapb.Attributes)
	}
	return setClass(in.Attributes, classNamed(rq.r.Header, b))
}

// classNamed returns the name of the class of something new: the one that the request names, else
// the bucket's; empty: neither names one.
func classNamed(h http.Header, b *bucket.Bucket) string {
	if name := h.Get(headerStorageClass); name != "" {
		return name
	}
	return b.StorageClass()
}

// setClass records a class by its name, which is empty for STANDARD. It records the name too if
// that is another word than the class.
func setClass(a *metapb.Attributes, name string) error {
	a.StorageClass, a.ClassName = "", ""
	if name == "" {
		return nil
	}
	class, ok := profile.StorageClass(name)
	if !ok {
		return unknownClass(name)
	}
	if name = profile.S3ClassName(name); name != class {
		a.ClassName = name
	}
	if class != profile.ClassStandard {
		a.StorageClass = class
	}
	return nil
}

// headerDefaultClass names the class of a new bucket's objects in OBS's S3 API. OBS's native API
// names it as it names an object's.
const headerDefaultClass = "X-Default-Storage-Class"

// newBucketClass reads the class of a new bucket's objects; nil: STANDARD.
func newBucketClass(h http.Header) (*metapb.ConfigPart, error) {
	name := h.Get(headerDefaultClass)
	if name == "" {
		name = h.Get(headerStorageClass)
	}
	if name == "" {
		return nil, nil
	}
	name = profile.S3ClassName(name)
	if err := checkClass(name); err != nil || name == profile.ClassStandard {
		return nil, err
	}
	return classPart(name), nil
}

func classPart(name string) *metapb.ConfigPart {
	return &metapb.ConfigPart{Name: bucket.PartStorageClass, Value: []byte(name)}
}

// checkClass is the rule of the x-amz-storage-class header.
func checkClass(name string) error {
	if _, ok := profile.StorageClass(name); !ok && name != "" {
		return unknownClass(name)
	}
	return nil
}

func unknownClass(name string) error {
	return s3err.InvalidStorageClass.Say("", s3err.Field{Name: "StorageClassRequested", Value: printable(name)})
}

// tellRestore tells how the restore of a version stands, if it was ever restored.
func (resp *response) tellRestore(v *metapb.Version) {
	switch until := object.WarmUntil(v, time.Now()); {
	case v.GetRestore().GetOngoing():
		resp.set("x-amz-restore", `ongoing-request="true"`)
	case until != 0:
		resp.set("x-amz-restore", `ongoing-request="false", expiry-date="`+httpTime(until)+`"`)
	}
}

func (s *server) putBucketStorageClass(ctx context.Context, rq *request) (*response, error) {
	if _, err := s.admit(ctx, rq, "s3:PutBucketStorageClass"); err != nil {
		return nil, err
	}
	body, err := rq.readDocument(wirexml.MaxConfigurationBytes)
	if err != nil {
		return nil, err
	}
	name, err := wirexml.ParseStorageClass(body)
	if err != nil {
		return nil, err
	}
	name = profile.S3ClassName(name)
	if checkClass(name) != nil {
		return nil, s3err.InvalidDefaultStorageClass.Say("", s3err.Field{Name: "StorageClassRequested", Value: printable(name)})
	}
	if name == profile.ClassStandard {
		return s.unconfigure(ctx, rq, bucket.PartStorageClass)
	}
	return s.configure(ctx, rq, classPart(name))
}

func (s *server) getBucketStorageClass(ctx context.Context, rq *request) (*response, error) {
	b, err := s.admitBucket(ctx, rq, "s3:GetBucketStorageClass")
	if err != nil {
		return nil, err
	}
	d := dialectOf(rq.r)
	return &response{document: &wirexml.StorageClass{Class: d.ClassName(cmp.Or(b.StorageClass(), profile.ClassStandard)), Native: d == profile.DialectOBS}}, nil
}
