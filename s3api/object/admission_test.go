package object

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/shard/buf"
)

// stalled is a client that takes and sends nothing until it is let go.
type stalled struct {
	reached chan<- struct{}
	let     <-chan struct{}
}

func (c stalled) wait() (int, error) {
	c.reached <- struct{}{}
	<-c.let
	return 0, io.ErrClosedPipe
}

func (c stalled) Read([]byte) (int, error)  { return c.wait() }
func (c stalled) Write([]byte) (int, error) { return c.wait() }

// TestStalledClientsOfOneKind fills what stalled readers may have of the budget,
// and then what stalled senders may: each time the other kind goes on, and so do
// small requests of either kind.
func TestStalledClientsOfOneKind(t *testing.T) {
	w := newWorld(t, setup{})
	body := contentOf(testExtent, 1)
	w.put("k", body, nil)
	w.put("small", body[:100], nil)
	const mostClients = 1000
	for name, c := range map[string]struct {
		stall func(*Service, stalled) error
		other func(*Service) error
	}{
		"readers": {
			func(s *Service, c stalled) error {
				got, err := s.Get(t.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k"})
				require.NoError(t, err)
				_, err = got.WriteTo(t.Context(), c)
				return err
			},
			func(s *Service) error { return putBody(t.Context(), s, bytes.NewReader(body), len(body)) },
		},
		"senders": {
			func(s *Service, c stalled) error { return putBody(t.Context(), s, c, len(body)) },
			func(s *Service) error { return getBody(t.Context(), s, "k") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			config := w.cfg
			config.BudgetWait = -1
			budget := buf.NewBudget(8*w.writeBound(int64(len(body))), -1)
			s := New(Deps{Meta: w.meta, Topology: w.meta, Engine: w.engine, Budget: budget}, config, Events{})
			reached, let, refused := make(chan struct{}), make(chan struct{}), make(chan error, 1)
			var clients sync.WaitGroup
			full := false
			for range mostClients {
				clients.Go(func() {
					if err := c.stall(s, stalled{reached, let}); err != nil {
						select {
						case refused <- err:
						default:
						}
					}
				})
				select {
				case <-reached:
					continue
				case err := <-refused:
					wantCode(t, err, s3err.SlowDown)
					full = true
				}
				break
			}
			require.True(t, full)
			require.NoError(t, c.other(s))
			require.NoError(t, putBody(t.Context(), s, bytes.NewReader(body[:100]), 100))
			require.NoError(t, getBody(t.Context(), s, "small"))
			close(let)
			clients.Wait()
			require.Equal(t, budget.Total(), budget.Free())
		})
	}
}

func putBody(ctx context.Context, s *Service, r io.Reader, size int) error {
	_, err := s.Put(ctx, &PutInput{Caller: alice, Bucket: testBucket, Key: "other", Body: Body{Reader: r, Size: int64(size)}})
	return err
}

func getBody(ctx context.Context, s *Service, key string) error {
	got, err := s.Get(ctx, &GetInput{Caller: alice, Bucket: testBucket, Key: key})
	if err == nil {
		_, err = got.WriteTo(ctx, io.Discard)
	}
	return err
}
