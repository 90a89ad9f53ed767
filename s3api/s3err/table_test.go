package s3err_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/s3err"
)

var update = flag.Bool("update", false, "rewrite docs/s3-errors.md")

// TestErrorTable keeps docs/s3-errors.md in step with the table.
func TestErrorTable(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# S3 errors\n\nEvery error code of OBS, and those of AWS that Cairn answers. compatibility.md says which of them go by " +
		"another name or status under the profiles. Generated from the table in s3api/s3err/table.go " +
		"by `go test ./s3api/s3err -update`; do not edit.\n\n| code | status | message | when |\n| --- | --- | --- | --- |\n")
	var codes []string
	for code := range s3err.Table {
		codes = append(codes, string(code))
	}
	slices.Sort(codes)
	for _, code := range codes {
		row := s3err.Table[s3err.Code(code)]
		require.NotEmpty(t, row.Message, code)
		require.NotEmpty(t, row.When, code)
		require.NotEmpty(t, http.StatusText(row.Status), code)
		require.GreaterOrEqual(t, row.Status, 300, code)
		require.NotContains(t, row.Message+row.When, "|", code)
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", code, row.Status, row.Message, row.When)
	}
	b.WriteString("\nA failure without a code of its own gets one by its kind:\n\n| kind | code |\n| --- | --- |\n")
	for k := errs.Internal; k <= errs.Expired; k++ {
		fmt.Fprintf(&b, "| %s | %s |\n", k, s3err.FromError(errs.New("op", k, nil)).Code)
	}
	const path = "../../docs/s3-errors.md"
	if *update {
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, string(want) == b.String(), "%s is stale: run make docs and look at the difference", path)
}

func TestFromError(t *testing.T) {
	require.Nil(t, s3err.FromError(nil))
	own := s3err.NoSuchKey.Because(errs.New("x", errs.NotFound, nil))
	require.Same(t, own, s3err.FromError(fmt.Errorf("wrapped: %w", own)))
	for kind, want := range map[errs.Kind]s3err.Code{
		errs.Unavailable: s3err.ServiceUnavailable, errs.Overloaded: s3err.SlowDown, errs.NoSpace: s3err.InsufficientStorage,
		errs.Canceled: s3err.RequestTimeout, errs.Unknown: s3err.ServiceUnavailable, errs.Internal: s3err.InternalError,
		errs.Corrupt: s3err.InternalError, errs.NotFound: s3err.InternalError, errs.Denied: s3err.AccessDenied,
		errs.Invalid: s3err.InvalidRequest, errs.Precondition: s3err.PreconditionFailed, errs.Exists: s3err.OperationAborted,
		errs.Expired: s3err.ExpiredToken, errs.Kind(99): s3err.InternalError,
	} {
		cause := errs.New("op", kind, io.ErrUnexpectedEOF)
		e := s3err.FromError(cause)
		require.Equal(t, want, e.Code, kind)
		require.ErrorIs(t, e, cause)
	}
	require.Equal(t, s3err.IncompleteBody, s3err.FromError(io.ErrUnexpectedEOF).Code)
	require.Equal(t, s3err.RequestTimeout, s3err.FromError(context.Canceled).Code)
	require.Equal(t, s3err.RequestTimeout, s3err.FromError(os.ErrDeadlineExceeded).Code)
	require.Equal(t, s3err.MaxMessageLengthExceeded, s3err.FromError(&http.MaxBytesError{}).Code)
	require.Equal(t, s3err.InternalError, s3err.FromError(errors.New("x")).Code)
	require.Equal(t, 500, (&s3err.Error{Code: "NoSuchCode"}).Status())
}
