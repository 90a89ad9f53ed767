package observe

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
)

// Requests for objects are traced. Health checks, and what operators and monitors ask, are not.
func TestWhatIsTraced(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	o := New(slog.New(slog.DiscardHandler))
	require.NoError(t, o.StartTraces(t.Context(), TraceConfig{Endpoint: collector.URL, Sample: 1}))
	defer func() { require.NoError(t, o.StopTraces(t.Context())) }()
	traced := false
	h := o.Requests(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		traced = trace.SpanContextFromContext(r.Context()).IsValid()
	}))
	for path, want := range map[string]bool{"/bucket/key": true, "/": true, "/livez": false, "/readyz": false,
		"/cairn.admin./cairn.admin.v1.AdminService/Status": false} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
		require.Equal(t, want, traced, path)
	}
}
