package load

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// settle notes what a write left behind.
func (c *client) settle(key string, now state, attempts int, err error) {
	if err != nil {
		c.model.untold(key, now)
		return
	}
	c.model.told(key, now, attempts)
}

func (c *client) put(ctx context.Context) {
	key, v := c.key(true), c.fresh(c.size())
	attempts, err := c.do("put", v.Size(), 0, func() (int, error) {
		out, err := c.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.cfg.Bucket, Key: &key, Body: NewReader(v), ContentLength: aws.Int64(v.Size())})
		if err != nil {
			return 0, err
		}
		return attemptsOf(out.ResultMetadata), nil
	})
	c.settle(key, state{true, v}, attempts, err)
}

func (c *client) delete(ctx context.Context, key string) {
	if c.model.of(key).closed {
		return
	}
	attempts, err := c.do("delete", 0, 0, func() (int, error) {
		out, err := c.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &c.cfg.Bucket, Key: &key})
		if err != nil {
			return 0, err
		}
		return attemptsOf(out.ResultMetadata), nil
	})
	c.settle(key, state{}, attempts, err)
}

// read gets a key, or a range of it, and compares every byte.
func (c *client) read(ctx context.Context, key, span string, want Value) (attempts int, err error) {
	in := &s3.GetObjectInput{Bucket: &c.cfg.Bucket, Key: &key}
	if span != "" {
		in.Range = &span
	}
	out, err := c.s3.GetObject(ctx, in)
	if err != nil {
		return 0, absent(key, err)
	}
	defer out.Body.Close()
	if err := want.Compare(out.Body); err != nil {
		return 0, about(key, err)
	}
	return attemptsOf(out.ResultMetadata), nil
}

// about names the key in a mismatch.
func about(key string, err error) error {
	var m *Mismatch
	if errors.As(err, &m) {
		return &Mismatch{key + ": " + m.What}
	}
	return err
}

// absent makes NoSuchKey of a key that must be there a mismatch.
func absent(key string, err error) error {
	if isNotFound(err) {
		return &Mismatch{key + ": said not to exist, it was acknowledged"}
	}
	return err
}

func isNotFound(err error) bool {
	var noKey *types.NoSuchKey
	var notFound *types.NotFound
	return errors.As(err, &noKey) || errors.As(err, &notFound)
}

func (c *client) get(ctx context.Context, key string) {
	s, _ := c.model.of(key).known()
	_, _ = c.do("get", 0, s.value.Size(), func() (int, error) { return c.read(ctx, key, "", s.value) })
}

func (c *client) getRange(ctx context.Context, key string) {
	s, _ := c.model.of(key).known()
	if s.value.Size() == 0 {
		c.get(ctx, key)
		return
	}
	first, n := c.within(s.value.Size())
	span := fmt.Sprintf("bytes=%d-%d", first, first+n-1)
	_, _ = c.do("get range", 0, n, func() (int, error) { return c.read(ctx, key, span, s.value.Slice(first, n)) })
}

// within returns a range of something of a size above zero.
func (c *client) within(size int64) (first, n int64) {
	first = c.rng.Int64N(size)
	return first, 1 + c.rng.Int64N(size-first)
}

func (c *client) head(ctx context.Context, key string) {
	s, _ := c.model.of(key).known()
	_, _ = c.do("head", 0, 0, func() (int, error) {
		out, err := c.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.cfg.Bucket, Key: &key})
		switch {
		case err != nil:
			return 0, absent(key, err)
		case aws.ToInt64(out.ContentLength) != s.value.Size():
			return 0, &Mismatch{fmt.Sprintf("%s: said to have %d bytes, it has %d", key, aws.ToInt64(out.ContentLength), s.value.Size())}
		}
		return attemptsOf(out.ResultMetadata), nil
	})
}

// list compares a list of all keys of the client.
func (c *client) list(ctx context.Context) {
	_, _ = c.do("list", 0, 0, func() (int, error) {
		got, err := c.listed(ctx)
		if err != nil {
			return 0, err
		}
		return 1, c.model.judgeList(got)
	})
}

func (c *client) listed(ctx context.Context) (map[string]int64, error) {
	got := make(map[string]int64)
	pages := s3.NewListObjectsV2Paginator(c.s3, &s3.ListObjectsV2Input{Bucket: &c.cfg.Bucket, Prefix: aws.String(c.prefix()), MaxKeys: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			got[*o.Key] = aws.ToInt64(o.Size)
		}
	}
	return got, nil
}

// source names a key in a copy request.
func (c *client) source(key string) *string {
	return aws.String(c.cfg.Bucket + "/" + strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(key), "+", "%20"), "%2F", "/"))
}

func (c *client) copyObject(ctx context.Context, from string) {
	s, _ := c.model.of(from).known()
	key := c.key(true)
	if key == from {
		return
	}
	attempts, err := c.do("copy", 0, 0, func() (int, error) {
		out, err := c.s3.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &c.cfg.Bucket, Key: &key, CopySource: c.source(from)})
		if err != nil {
			return 0, absent(from, err)
		}
		return attemptsOf(out.ResultMetadata), nil
	})
	c.settle(key, state{true, s.value}, attempts, err)
}
