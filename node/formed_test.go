package node

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHeldUntilFormed: requests to a cluster that has not all its voters yet wait for
// them, but not for ever; health checks and the admin API do not.
func TestHeldUntilFormed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		formed := make(chan struct{})
		h := whenFormed(formed, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		took := func(path string) time.Duration {
			began := time.Now()
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
			return time.Since(began)
		}
		for _, path := range []string{"/livez", "/readyz", "/cairn.admin./x"} {
			require.Zero(t, took(path), path)
		}
		require.Equal(t, formingWait, took("/bucket/key"))
		time.AfterFunc(time.Second, func() { close(formed) })
		require.Equal(t, time.Second, took("/bucket/key"))
		require.Zero(t, took("/bucket/key"))
	})
}
