package load

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	maxParts   = 5
	abortOneIn = 8
)

// upload is a multipart upload in progress.
type upload struct {
	*client
	key, id string
	parts   []types.CompletedPart
	values  []Value
}

// assemble makes an object of uploaded parts and of copies of ranges, or gives it up half way. A
// failure ends the upload and leaves the key as it was.
func (c *client) assemble(ctx context.Context) {
	u := &upload{client: c, key: c.key(true)}
	if u.create(ctx) != nil {
		return
	}
	for n := 1 + c.rng.IntN(maxParts); n > 0; n-- {
		if u.part(ctx, n == 1) != nil {
			return
		}
	}
	if c.rng.IntN(abortOneIn) == 0 {
		u.abort(ctx)
		return
	}
	u.complete(ctx)
}

func (u *upload) create(ctx context.Context) error {
	_, err := u.do("create upload", 0, 0, func() (int, error) {
		out, err := u.s3.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &u.cfg.Bucket, Key: &u.key})
		if err != nil {
			return 0, err
		}
		u.id = *out.UploadId
		return attemptsOf(out.ResultMetadata), nil
	})
	return err
}

// part copies a range of an object that is large enough, if there is one, or
// uploads bytes; the last part may be of any size.
func (u *upload) part(ctx context.Context, last bool) error {
	least := u.cfg.PartBytes
	if last {
		least = 1
	}
	if u.rng.IntN(3) > 0 {
		for _, key := range u.some(u.model.present()) {
			if s, _ := u.model.of(key).known(); s.value.Size() >= least {
				first := u.rng.Int64N(s.value.Size() - least + 1)
				n := least + u.rng.Int64N(s.value.Size()-first-least+1)
				return u.copyPart(ctx, key, first, s.value.Slice(first, n))
			}
		}
	}
	return u.putPart(ctx, u.fresh(least+u.rng.Int64N(u.cfg.PartBytes)))
}

// some returns a few of many by chance.
func (u *upload) some(keys []string) (out []string) {
	const few = 12
	for range min(few, len(keys)) {
		out = append(out, keys[u.rng.IntN(len(keys))])
	}
	return out
}

func (u *upload) number() *int32 { return aws.Int32(int32(len(u.parts) + 1)) }

func (u *upload) add(etag *string, v Value) {
	u.parts = append(u.parts, types.CompletedPart{PartNumber: u.number(), ETag: etag})
	u.values = append(u.values, v)
}

func (u *upload) putPart(ctx context.Context, v Value) error {
	_, err := u.do("upload part", v.Size(), 0, func() (int, error) {
		out, err := u.s3.UploadPart(ctx, &s3.UploadPartInput{Bucket: &u.cfg.Bucket, Key: &u.key, UploadId: &u.id, PartNumber: u.number(),
			Body: NewReader(v), ContentLength: aws.Int64(v.Size())})
		if err != nil {
			return 0, err
		}
		u.add(out.ETag, v)
		return attemptsOf(out.ResultMetadata), nil
	})
	return err
}

func (u *upload) copyPart(ctx context.Context, from string, first int64, v Value) error {
	_, err := u.do("copy part", 0, 0, func() (int, error) {
		out, err := u.s3.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: &u.cfg.Bucket, Key: &u.key, UploadId: &u.id, PartNumber: u.number(),
			CopySource: u.source(from), CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", first, first+v.Size()-1))})
		if err != nil {
			return 0, absent(from, err)
		}
		u.add(out.CopyPartResult.ETag, v)
		return attemptsOf(out.ResultMetadata), nil
	})
	return err
}

func (u *upload) complete(ctx context.Context) {
	attempts, err := u.do("complete", 0, 0, func() (int, error) {
		out, err := u.s3.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &u.cfg.Bucket, Key: &u.key, UploadId: &u.id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}})
		if err != nil {
			return 0, err
		}
		return attemptsOf(out.ResultMetadata), nil
	})
	u.settle(u.key, state{true, Join(u.values...)}, attempts, err)
}

func (u *upload) abort(ctx context.Context) {
	_, _ = u.do("abort", 0, 0, func() (int, error) {
		out, err := u.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.cfg.Bucket, Key: &u.key, UploadId: &u.id})
		if err != nil {
			return 0, err
		}
		return attemptsOf(out.ResultMetadata), nil
	})
}
