package group

import "context"

// Trace carries a caller's trace through the request that shares its command with
// others. Either field may be nil.
type Trace struct {
	Of   func(context.Context) string                  // Of a caller; empty: none.
	Into func(context.Context, string) context.Context // The context of the request.
}

func (t Trace) of(ctx context.Context) string {
	if t.Of == nil {
		return ""
	}
	return t.Of(ctx)
}

// into gives ctx the trace of the first proposal that has one: a request is in one
// trace, though it carries the commands of several.
func (t Trace) into(ctx context.Context, batch []*proposal) context.Context {
	if t.Into == nil {
		return ctx
	}
	for _, p := range batch {
		if p.trace != "" {
			return t.Into(ctx, p.trace)
		}
	}
	return ctx
}
