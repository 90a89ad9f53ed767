package main

import (
	"context"
	"time"
)

// tidyTimeout is how long it may take to remove what a row leaves behind.
const tidyTimeout = 5 * time.Minute

// tidy calls do, which removes what a row has made. The context of do goes on if the row was cut off.
func tidy(ctx context.Context, do func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	return do(ctx)
}

// empty removes the objects whose keys begin with prefix.
func (t *target) empty(ctx context.Context, prefix string) error {
	return tidy(ctx, func(ctx context.Context) error { return t.sdk.empty(ctx, t.bucket, prefix) })
}

// drop removes one object.
func (t *target) drop(ctx context.Context, at place) error {
	return tidy(ctx, func(ctx context.Context) error { return t.client.delete(ctx, at) })
}

// abort aborts an upload.
func (t *target) abort(ctx context.Context, at place, upload string) error {
	return tidy(ctx, func(ctx context.Context) error { return t.sdk.abort(ctx, at, upload) })
}
