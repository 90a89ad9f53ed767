package trace

import (
	"slices"
	"strings"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/node/admin/adminpb"
)

// Statuses of HTTP that a filter may name.
const (
	firstStatus = 100
	lastStatus  = 599
	firstError  = 400
	lastClass   = 5
)

// Filter says which events somebody wants.
type Filter struct {
	operations []string // Lower case; may end with *.
	bucket     string
	statuses   []uint32 // A single digit means a class of statuses.
	errors     bool
	minMicros  uint64
	internal   bool
}

// NewFilter returns the filter that a request describes; the request's node is not part of it.
// Errors: Invalid.
func NewFilter(r *adminpb.TraceRequest) (*Filter, error) {
	f := &Filter{bucket: r.Bucket, statuses: r.Statuses, errors: r.Errors, minMicros: uint64(r.MinDurationMs) * 1000, internal: r.Internal}
	for _, op := range r.Operations {
		if op == "" {
			return nil, errs.Newf("trace.NewFilter", errs.Invalid, "an operation without a name: use one such as GetObject, or Get*")
		}
		f.operations = append(f.operations, strings.ToLower(op))
	}
	for _, s := range r.Statuses {
		if s < 1 || s > lastClass && s < firstStatus || s > lastStatus {
			return nil, errs.Newf("trace.NewFilter", errs.Invalid, "%d is no status: use one such as 404, or 4 for all of 400 to 499", s)
		}
	}
	return f, nil
}

// Fits reports whether an event is wanted.
func (f *Filter) Fits(e *adminpb.TraceEvent) bool {
	switch {
	case e.Kind == KindInternal && !f.internal,
		f.bucket != "" && e.Bucket != f.bucket,
		f.errors && e.Status < firstError && e.Status != 0 && !e.Aborted,
		e.DurationUs < f.minMicros:
		return false
	case len(f.statuses) > 0 && !slices.ContainsFunc(f.statuses, func(s uint32) bool { return s == e.Status || s == e.Status/100 }):
		return false
	}
	return len(f.operations) == 0 || slices.ContainsFunc(f.operations, func(op string) bool { return named(op, e.Operation) })
}

// named reports whether a pattern, which is in lower case, matches the name of an operation.
func named(pattern, operation string) bool {
	operation = strings.ToLower(operation)
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(operation, begin)
	}
	return pattern == operation
}
