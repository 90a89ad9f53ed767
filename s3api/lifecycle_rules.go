package s3api

import (
	"context"
	"fmt"
	"sync"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/lifecycle"
)

// maxParsedRules bounds the documents whose rules are remembered.
const maxParsedRules = 256

// parsedRules remembers what lifecycle documents say, for those are long and asked of
// with each request. It is safe for concurrent use.
type parsedRules struct {
	mu    sync.Mutex
	rules map[string]lifecycle.Rules // By document.
}

// lifecycleRules returns the rules of a bucket. Rules that cannot be read hold up no
// request: upkeep, which would have to carry them out, tells of them.
func (s *server) lifecycleRules(ctx context.Context, bucket string) (lifecycle.Rules, error) {
	b, err := s.bucket(ctx, bucket)
	if err != nil {
		return lifecycle.Rules{}, err
	}
	document := b.Config[lifecycle.Part]
	if len(document) == 0 {
		return lifecycle.Rules{}, nil
	}
	p := &s.parsed
	p.mu.Lock()
	rules, known := p.rules[string(document)]
	p.mu.Unlock()
	if known {
		return rules, nil
	}
	rules, _ = lifecycle.Parse(document, s.cfg.LifecycleDay)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rules == nil || len(p.rules) >= maxParsedRules {
		p.rules = make(map[string]lifecycle.Rules)
	}
	p.rules[string(document)] = rules
	return rules, nil
}

// tellAbort tells when an upload is aborted if nobody completes it.
func (resp *response) tellAbort(rules lifecycle.Rules, key string, initiatedMs int64) {
	at, rule := rules.Abort(key, initiatedMs)
	if at.IsZero() {
		return
	}
	resp.set("x-amz-abort-date", httpTime(at.UnixMilli()))
	resp.set("x-amz-abort-rule-id", headerText(rule))
}

// tellExpiration tells when the latest version of a key expires. A bucket that cannot
// be looked at now tells nothing: what the answer is about has happened.
func (s *server) tellExpiration(ctx context.Context, resp *response, rq *request, v *metapb.Version) {
	rules, err := s.lifecycleRules(ctx, rq.bucket)
	if err != nil || v == nil {
		return
	}
	if at, rule := rules.Expiration(rq.key, v); !at.IsZero() {
		resp.set("x-amz-expiration", fmt.Sprintf(`expiry-date="%s", rule-id="%s"`, httpTime(at.UnixMilli()), headerText(rule)))
	}
}
