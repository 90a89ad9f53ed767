package notify

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// sink is a target that notes when it is used and closed.
type sink struct {
	entered, leave chan struct{} // Nil: Send does not wait.
	mu             sync.Mutex
	closed         int
}

func (s *sink) Send(_ context.Context, m []Message) (int, error) {
	if s.entered != nil {
		s.entered <- struct{}{}
		<-s.leave
	}
	return len(m), nil
}

func (s *sink) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed++
}

func (s *sink) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed > 0
}

// TestRegistry: a target of the cluster hides the node's with the same ID, whatever their kinds. A
// target that stays the same keeps its connection.
func TestRegistry(t *testing.T) {
	r, err := NewRegistry("r", []Spec{{ID: "a", URL: "http://own"}, {ID: "b", URL: "http://own"}})
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.SetCluster([]Spec{{ID: "a", URL: "kafka://k/t"}, {ID: "c", URL: "nats://n/s", Token: "secret"}}))
	require.True(t, r.Known(ARN("r", "a", kindKafka)) && r.Known(ARN("r", "b", kindWebhook)) && r.Known(ARN("r", "c", kindNATS)))
	for _, arn := range []string{ARN("r", "a", kindWebhook), ARN("x", "b", kindWebhook), "", "a", ":", "arn:aws:sqs:r:b:webhook"} {
		require.False(t, r.Known(arn), arn)
	}
	require.Equal(t, []Known{{Spec{"a", "kafka://k/t", "", nil}, "arn:cairn:sqs:r:a:kafka", true}, {Spec{"b", "http://own", "", nil}, "arn:cairn:sqs:r:b:webhook", false},
		{Spec{"c", "nats://n/s", "secret", nil}, "arn:cairn:sqs:r:c:nats", true}}, r.List())
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", r.List()[2].Spec, r.List()[2].Spec, r.List()[2].Spec), "secret")

	before := r.Target(ARN("r", "c", kindNATS))
	err = r.SetCluster([]Spec{{ID: "c", URL: "nats://n/s", Token: "secret"}, {ID: "d", URL: "ftp://x/y", Token: "secret"}})
	require.ErrorContains(t, err, "target d")
	require.NotContains(t, err.Error(), "secret")
	require.Same(t, before, r.Target(ARN("r", "c", kindNATS)))
	require.True(t, r.Known(ARN("r", "a", kindWebhook)), "the node's own counts again")
	require.NoError(t, r.SetCluster([]Spec{{ID: "c", URL: "nats://n/s", Token: "another"}}))
	require.NotSame(t, before, r.Target(ARN("r", "c", kindNATS)))
	require.Error(t, r.Check(Spec{ID: "a b", URL: "http://h"}))
	require.NoError(t, r.Check(Spec{ID: "a", URL: "http://h"}))
}

// TestRegistryRetires: a target that is taken away while it is used is closed afterwards, and takes
// nothing more.
func TestRegistryRetires(t *testing.T) {
	s := &sink{entered: make(chan struct{}), leave: make(chan struct{})}
	h := &held{target: s}
	sent := make(chan error)
	go func() {
		_, err := h.Send(t.Context(), []Message{{}})
		sent <- err
	}()
	<-s.entered
	h.retire() // It does not wait for the Send.
	require.False(t, s.isClosed())
	close(s.leave)
	require.NoError(t, <-sent)
	require.True(t, s.isClosed())
	n, err := h.Send(t.Context(), []Message{{}})
	require.Zero(t, n)
	require.ErrorIs(t, err, errRetired)
	idle := &sink{}
	(&held{target: idle}).Close()
	require.True(t, idle.isClosed())
}

// TestRegistryTest: a test event is sent with the token, and a refusal is reported.
func TestRegistryTest(t *testing.T) {
	status, got := http.StatusOK, make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Header.Get("Authorization") + " " + string(body)
		w.WriteHeader(status)
	}))
	defer server.Close()
	r, err := NewRegistry("r", nil)
	require.NoError(t, err)
	spec := Spec{ID: "w", URL: server.URL, Token: "sesame"}
	require.NoError(t, r.Test(t.Context(), spec))
	told := <-got
	require.Contains(t, told, "Bearer sesame")
	require.Contains(t, told, "s3:TestEvent")
	status = http.StatusForbidden
	require.ErrorContains(t, r.Test(t.Context(), spec), "403")
	require.Error(t, r.Test(t.Context(), Spec{ID: "w", URL: "none"}))
}
