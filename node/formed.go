package node

import (
	"context"
	"net/http"
	"time"

	"github.com/cairnstore/cairn/s3api"
)

// formingWait is how long a request waits for the voters of a new cluster; it may then
// find that no metadata can be reached.
const formingWait = 10 * time.Second

// whenFormed has S3 requests wait for the voters of a new cluster, for which formed is
// closed.
func whenFormed(formed <-chan struct{}, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s3api.Unheld(r) {
			holdUntil(r.Context(), formed)
		}
		h.ServeHTTP(w, r)
	})
}

func holdUntil(ctx context.Context, formed <-chan struct{}) {
	select {
	case <-formed:
		return
	default:
	}
	t := time.NewTimer(formingWait)
	defer t.Stop()
	select {
	case <-formed:
	case <-t.C:
	case <-ctx.Done():
	}
}
