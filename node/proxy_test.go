package node

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/node/audit"
	"github.com/cairnstore/cairn/node/observe"
	"github.com/cairnstore/cairn/s3api/kms"
	"github.com/cairnstore/cairn/s3api/notify"
)

// sentTo names the variable with the URL of the server to which the process of
// TestProxyOfTheEnvironment sends everything.
const sentTo = "TEST_SENT_TO"

// TestProxyOfTheEnvironment: whatever proxy the environment of a process names, events, audit records,
// requests to Vault and traces go straight to the servers that the settings name. Go reads these
// variables once in a process, and asks no proxy about addresses of the loopback. So this runs a process
// of its own, for which the server is at 0.0.0.0, which is this machine as well.
func TestProxyOfTheEnvironment(t *testing.T) {
	if url := os.Getenv(sentTo); url != "" {
		sendAll(t, url)
		return
	}
	var mu sync.Mutex
	var direct, byProxy []string
	keep := func(list *[]string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			*list = append(*list, r.URL.Path)
			mu.Unlock()
			if strings.HasPrefix(r.URL.Path, "/v1/auth") {
				_, _ = w.Write([]byte(`{"data": {"id": "token"}}`))
			}
		}
	}
	server, proxy := httptest.NewServer(keep(&direct)), httptest.NewServer(keep(&byProxy))
	t.Cleanup(server.Close)
	t.Cleanup(proxy.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	child := exec.Command(os.Args[0], "-test.run=^TestProxyOfTheEnvironment$", "-test.v")
	child.Env = append(os.Environ(), sentTo+"=http://0.0.0.0:"+port,
		"HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	out, err := child.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, byProxy)
	slices.Sort(direct)
	all := []string{"/audit", "/hook", "/v1/auth/token/lookup-self", "/v1/traces"}
	require.Equal(t, all, slices.Compact(direct)) // Vault may be asked twice.
}

// sendAll sends something by everything in a node that sends to servers outside of the cluster.
func sendAll(t *testing.T, url string) {
	ctx, token := t.Context(), filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("token"), 0o600))

	events, err := notify.NewRegistry("r", nil)
	require.NoError(t, err)
	require.NoError(t, events.Test(ctx, notify.Spec{ID: "hook", URL: url + "/hook", Token: "token"}))

	records, err := audit.Open(audit.Config{HTTP: audit.HTTPConfig{URL: url + "/audit", TokenFile: token}})
	require.NoError(t, err)
	records.Write(&audit.Record{Kind: audit.KindS3, RequestID: "1"})
	require.NoError(t, records.Close(ctx))

	vault, err := kms.NewVault(kms.VaultConfig{Address: url, TokenFile: token})
	require.NoError(t, err)
	require.NoError(t, vault.Check(ctx))
	vault.Close()

	obs := observe.New(slog.New(slog.DiscardHandler))
	require.NoError(t, obs.StartTraces(ctx, observe.TraceConfig{Endpoint: url, Sample: 1}))
	traced := obs.Requests(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	traced.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/b/k", nil))
	require.NoError(t, obs.StopTraces(ctx))
}
