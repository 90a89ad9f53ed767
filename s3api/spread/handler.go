package spread

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/cluster/rpc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/object"
)

// DefaultBeatInterval is how often a node sends a beat while it works.
const DefaultBeatInterval = time.Second

// Doer does tasks. *object.Service implements it.
type Doer interface {
	DoTask(ctx context.Context, t *object.Task) (*metapb.Extent, error)
}

var _ Doer = (*object.Service)(nil)

// HandlerConfig sets up a handler.
type HandlerConfig struct {
	BeatInterval time.Duration // Zero: DefaultBeatInterval.
}

type handler struct {
	doer  Doer
	every time.Duration
}

// NewHandler returns the handler for Path.
func NewHandler(d Doer, cfg HandlerConfig) http.Handler {
	if cfg.BeatInterval <= 0 {
		cfg.BeatInterval = DefaultBeatInterval
	}
	return &handler{doer: d, every: cfg.BeatInterval}
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, err := receive(r)
	if err != nil {
		rpc.WriteError(w, err)
		return
	}
	defer t.Wipe()
	ctx, cancel := rpc.WithDeadline(r)
	defer cancel()
	b := startBeats(w, h.every)
	defer b.stop()
	x, err := h.doer.DoTask(ctx, t)
	begun := b.stop()
	switch {
	case err == nil:
		err = writeExtent(w, x)
	case !begun:
		rpc.WriteError(w, err)
		return
	}
	if err != nil {
		panic(http.ErrAbortHandler) // The answer has begun, so only a broken connection can tell of the error.
	}
}

// receive reads the body of a request and returns its task, which the caller must wipe.
func receive(r *http.Request) (*object.Task, error) {
	const op = "spread.Handler"
	switch {
	case r.Method != http.MethodPost:
		return nil, errs.Newf(op, errs.Invalid, "there is no %s of this path", r.Method)
	case r.ContentLength < 1 || r.ContentLength > taskMaxBytes:
		return nil, errs.Newf(op, errs.Invalid, "a copy task has 1 to %d bytes, not %d", taskMaxBytes, r.ContentLength)
	}
	body := make([]byte, r.ContentLength)
	defer clear(body)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return nil, errs.New(op, errs.Unavailable, err)
	}
	return decode(body)
}

func writeExtent(w http.ResponseWriter, x *metapb.Extent) error {
	text, err := proto.Marshal(x)
	if err == nil {
		_, err = w.Write(append([]byte{done}, text...))
	}
	return err
}

// beats sends beats until stop.
type beats struct {
	quit  chan struct{}
	once  sync.Once
	ended sync.WaitGroup
	begun bool // A beat was sent, or tried.
}

func startBeats(w http.ResponseWriter, every time.Duration) *beats {
	b := &beats{quit: make(chan struct{})}
	b.ended.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		rc := http.NewResponseController(w)
		for {
			select {
			case <-b.quit:
				return
			case <-tick.C:
			}
			b.begun = true
			if _, err := w.Write([]byte{beat}); err != nil || rc.Flush() != nil {
				return // The peer is gone, which ends the request's context too.
			}
		}
	})
	return b
}

// stop ends the beats, waits for the one that is being sent, and reports whether the answer has
// begun.
func (b *beats) stop() bool {
	b.once.Do(func() { close(b.quit) })
	b.ended.Wait()
	return b.begun
}
