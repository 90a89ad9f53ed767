package s3api

import (
	"context"
	"fmt"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
)

// lifecycleRules returns the rules of a bucket.
func (s *server) lifecycleRules(ctx context.Context, rq *request) (lifecycle.Rules, error) {
	b, err := s.bucket(ctx, rq)
	if err != nil {
		return lifecycle.Rules{}, err
	}
	return b.LifecycleRules(s.cfg.LifecycleDay), nil
}

// tellAbort tells when an upload will be aborted unless somebody completes it.
func (resp *response) tellAbort(rules lifecycle.Rules, key string, initiatedMs int64) {
	at, rule := rules.Abort(key, initiatedMs)
	if at.IsZero() {
		return
	}
	resp.set("x-amz-abort-date", httpTime(at.UnixMilli()))
	resp.set("x-amz-abort-rule-id", headerText(rule))
}

// tellExpiration tells when the latest version of a key expires. If the bucket's rules cannot be
// read now, it tells nothing: the request itself has succeeded.
func (s *server) tellExpiration(ctx context.Context, resp *response, rq *request, v *metapb.Version) {
	rules, err := s.lifecycleRules(ctx, rq)
	if err != nil || v == nil {
		return
	}
	if at, rule := rules.Expiration(rq.key, v); !at.IsZero() {
		resp.set("x-amz-expiration", fmt.Sprintf(`expiry-date="%s", rule-id="%s"`, httpTime(at.UnixMilli()), headerText(rule)))
	}
}
