package group

import "context"

// Trace carries the trace of a caller over to the request that carries its command beside those
// of others. Either field may be nil: then nothing is traced.
type Trace struct {
	Of   func(context.Context) string                  // Returns the trace of a caller; empty: it has none.
	Into func(context.Context, string) context.Context // Returns a context of that trace.
}

func (t Trace) of(ctx context.Context) string {
	if t.Of == nil {
		return ""
	}
	return t.Of(ctx)
}

// into returns ctx with the trace of the first proposal in a batch that has one. A request
// belongs to one trace, even if it carries the commands of several callers.
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
