package object

import (
	"context"

	"github.com/cairnstore/cairn/meta/metapb"
)

type originKey struct{}

// WithOrigin lets commits tell events whose request they carry out. f is asked with
// each command; nil is nobody that anyone has to know.
func WithOrigin(ctx context.Context, f func(context.Context) *metapb.Origin) context.Context {
	return context.WithValue(ctx, originKey{}, f)
}

func originOf(ctx context.Context) *metapb.Origin {
	if f, ok := ctx.Value(originKey{}).(func(context.Context) *metapb.Origin); ok {
		return f(ctx)
	}
	return nil
}

// SetNotifications replaces what of a bucket's events is told: the rules, and the
// part of the configuration that has them as a document.
func (s *Service) SetNotifications(ctx context.Context, bucket string, part *metapb.ConfigPart, rules *metapb.EventRules) error {
	_, err := s.commit(ctx, &metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{
		Bucket: bucket, Parts: []*metapb.ConfigPart{part}, EventRules: rules}}})
	return err
}
