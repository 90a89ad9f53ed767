//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

// TestErrorsWithBoto3 has boto3 meet every error of the table. It must raise the class that botocore
// has for the code, with the code, the status and the message.
func TestErrorsWithBoto3(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code := s3err.Code(filepath.Base(r.URL.Path))
		status, body := wirexml.Render(code.Err(), r.URL.Path, "request-1", "host-1")
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	type row struct {
		Code, Message string
		Status        int
	}
	var rows []row
	for code, r := range s3err.Table {
		if r.Status >= http.StatusBadRequest { // Rows of other statuses are answered without a document.
			rows = append(rows, row{string(code), r.Message, r.Status})
		}
	}
	text, err := json.Marshal(rows)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "errors.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	out, err := exec.CommandContext(t.Context(), python(t), "testdata/boto3_errors.py", server.URL, file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}
