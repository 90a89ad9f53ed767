package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// stream uploads what a reader has as the parts of an upload; first is what was read already.
func (u *multipart) stream(ctx context.Context, first []byte, from io.Reader) error {
	g, gctx := errgroup.WithContext(ctx)
	size, body := u.o.PartSize, first
	var parts []*types.CompletedPart
	read := func() error {
		for i := 0; len(body) > 0; i++ {
			if i == partsMax {
				return fmt.Errorf("the input is too large for %d parts: give larger ones", partsMax)
			}
			sum, n, err := crcOf(bytes.NewReader(body))
			if err != nil {
				return err
			}
			p := &types.CompletedPart{PartNumber: aws.Int32(int32(i + 1))}
			if !u.o.NoChecksum {
				p.ChecksumCRC64NVME = aws.String(checksum.Format(sum))
			}
			parts, u.sums, u.sizes = append(parts, p), append(u.sums, sum), append(u.sizes, n)
			if u.acquire(gctx) != nil {
				return nil // The group tells why, or ctx.
			}
			part := bytes.NewReader(body)
			g.Go(func() error {
				defer u.release()
				err := u.sendPart(gctx, p, sum, part, n)
				if err == nil {
					u.o.Progress.Moved(n)
				}
				return err
			})
			if i > 0 && i%doubleAfter == 0 {
				size *= 2
			}
			if body, err = readPart(from, size); err != nil {
				return fmt.Errorf("the input: %w", err)
			}
		}
		return nil
	}
	err := read()
	if err := errors.Join(g.Wait(), err, ctx.Err()); err != nil {
		return err
	}
	for _, p := range parts {
		u.parts = append(u.parts, *p)
	}
	return nil
}

// Get writes an object to a writer, in order, and compares it with what was stored. Bytes that are wrong
// have been written when it says so. It returns how many were written.
func (e *Engine) Get(ctx context.Context, from Location, to io.Writer) (int64, error) {
	o, err := e.open(ctx, Task{From: from, Size: -1})
	if err != nil {
		return 0, err
	}
	defer o.close()
	sum := o.want.summer()
	out := io.MultiWriter(sum, to)
	if o.size <= e.o.PartSize {
		if err := e.fetch(ctx, o, 0, o.size, out); err != nil {
			return sum.n, err
		}
		return sum.n, sum.check(o.size)
	}
	o.close()
	if err := e.getParts(ctx, o, out); err != nil {
		return sum.n, err
	}
	return sum.n, sum.check(o.size)
}

// fetched is a part of an object, or why there is none.
type fetched struct {
	body []byte
	err  error
}

// getParts fetches the parts of an object ahead, and writes them in order. A part holds its slot until it
// is written, so that the parts in memory are bounded.
func (e *Engine) getParts(ctx context.Context, o *opened, to io.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	partSize := e.o.PartSize
	ready := make(chan chan fetched, cap(e.slots)) // No more than have a slot: sending never waits.
	g.Go(func() error {
		defer close(ready)
		for off := int64(0); off < o.size; off += partSize {
			if err := e.acquire(ctx); err != nil {
				return err
			}
			part := make(chan fetched, 1)
			ready <- part
			g.Go(func() error {
				var b bytes.Buffer
				n := min(partSize, o.size-off)
				b.Grow(int(n))
				err := e.fetch(ctx, &opened{at: o.at, etag: o.etag}, off, n, &b)
				part <- fetched{b.Bytes(), err}
				return nil
			})
		}
		return nil
	})
	g.Go(func() error {
		for part := range ready {
			p := <-part
			err := p.err
			if err == nil {
				_, err = to.Write(p.body)
			}
			e.release()
			if err != nil {
				return err
			}
		}
		return nil
	})
	err := g.Wait()
	for range ready {
		e.release()
	}
	return err
}
