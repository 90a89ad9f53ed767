package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/cairnstore/cairn/tools/load"
)

// partsKey is the key of the object that uploaded parts become.
const partsKey = "uploaded"

// uploading is an upload whose parts are measured.
type uploading struct {
	o     objects
	whole load.Value
	part  func(ctx context.Context, id string, number int, v load.Value) error
	end   func(ctx context.Context, id string) error
}

// putParts measures parts as a client sends them that computes no checksums.
func putParts(name string, o objects) scenario {
	return scenario{name, partsText("no checksum", o), putFormula, func(ctx context.Context, r *turn) error {
		u, etags := r.uploading(o), make([]string, o.count)
		at := place{key: partsKey}
		u.part = func(ctx context.Context, id string, n int, v load.Value) (err error) {
			etags[n-1], err = r.client.putPart(ctx, at, id, n, v)
			return err
		}
		u.end = func(ctx context.Context, id string) error { return r.client.complete(ctx, at, id, etags) }
		return r.putParts(ctx, u, "")
	}}
}

// putSummedParts measures parts as aws-sdk-go-v2 sends them by itself: in chunks, with a checksum in
// the trailer. The CPU time of the client includes that of the SDK and the checksum.
func putSummedParts(name string, o objects, sum types.ChecksumAlgorithm) scenario {
	text := "trailing " + string(sum) + " of the SDK"
	return scenario{name, partsText(text, o), putFormula, func(ctx context.Context, r *turn) error {
		u, parts := r.uploading(o), make([]types.CompletedPart, o.count)
		u.part = func(ctx context.Context, id string, n int, v load.Value) (err error) {
			parts[n-1], err = r.sdk.putPart(ctx, partsKey, id, n, v, sum)
			return err
		}
		u.end = func(ctx context.Context, id string) error { return r.sdk.complete(ctx, partsKey, id, parts) }
		return r.putParts(ctx, u, sum)
	}}
}

func partsText(sums string, o objects) func(plan) string {
	return func(p plan) string { return fmt.Sprintf("upload parts, %s, and Complete: %v", sums, p.objects(o)) }
}

func (r *turn) uploading(o objects) uploading {
	o = r.plan.objects(o)
	return uploading{o: o, whole: r.value(partsKey, o.total())}
}

func (r *turn) putParts(ctx context.Context, u uploading, sum types.ChecksumAlgorithm) error {
	at := place{key: partsKey}
	id, err := r.sdk.create(ctx, at, sum)
	if err != nil {
		return err
	}
	err = r.measure(ctx, u.o.clients, func() (w work, err error) {
		w.took, err = each(ctx, u.o.count, u.o.clients, func(ctx context.Context, i int) error {
			return u.part(ctx, id, i+1, u.whole.Slice(int64(i)*u.o.bytes, u.o.bytes))
		})
		if err != nil {
			return w, err
		}
		began := time.Now()
		err = u.end(ctx, id)
		w.bytes, w.ops, w.complete = u.o.total(), u.o.count, time.Since(began)
		return w, err
	})
	if err != nil {
		return errors.Join(err, r.abort(ctx, at, id))
	}
	parts := make([]span, u.o.count)
	for i := range parts {
		parts[i].n = u.o.bytes
	}
	return errors.Join(r.verifyParts(ctx, at, u.whole, parts), r.drop(ctx, at))
}
