package wirexml_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

var update = flag.Bool("update", false, "rewrite golden files and docs/s3-errors.md")

// golden compares with a file, or writes it.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test ./s3api/wirexml -update")
	require.Equal(t, string(want), string(got), "%s is stale: run go test ./s3api/wirexml -update", path)
}

// TestErrorTable keeps docs/s3-errors.md in step with the table.
func TestErrorTable(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# S3 errors\n\nEvery error code of OBS, and those of AWS that Cairn answers. compatibility.md says which of them go by " +
		"another name or status under the profiles. Generated from the table in s3api/wirexml/table.go " +
		"by `go test ./s3api/wirexml -update`; do not edit.\n\n| code | status | message | when |\n| --- | --- | --- | --- |\n")
	var codes []string
	for code := range wirexml.Table {
		codes = append(codes, string(code))
	}
	slices.Sort(codes)
	for _, code := range codes {
		row := wirexml.Table[wirexml.Code(code)]
		require.NotEmpty(t, row.Message, code)
		require.NotEmpty(t, row.When, code)
		require.NotEmpty(t, http.StatusText(row.Status), code)
		require.GreaterOrEqual(t, row.Status, 300, code)
		require.NotContains(t, row.Message+row.When, "|", code)
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", code, row.Status, row.Message, row.When)
	}
	b.WriteString("\nA failure without a code of its own gets one by its kind:\n\n| kind | code |\n| --- | --- |\n")
	for k := errs.Internal; k <= errs.Expired; k++ {
		fmt.Fprintf(&b, "| %s | %s |\n", k, wirexml.FromError(errs.New("op", k, nil)).Code)
	}
	golden(t, "../../docs/s3-errors.md", b.Bytes())
}

func TestFromError(t *testing.T) {
	require.Nil(t, wirexml.FromError(nil))
	own := wirexml.NoSuchKey.Because(errs.New("x", errs.NotFound, nil))
	require.Same(t, own, wirexml.FromError(fmt.Errorf("wrapped: %w", own)))
	for kind, want := range map[errs.Kind]wirexml.Code{
		errs.Unavailable: wirexml.ServiceUnavailable, errs.Overloaded: wirexml.SlowDown, errs.NoSpace: wirexml.InsufficientStorageSpace,
		errs.Canceled: wirexml.RequestTimeout, errs.Unknown: wirexml.ServiceUnavailable, errs.Internal: wirexml.InternalError,
		errs.Corrupt: wirexml.InternalError, errs.NotFound: wirexml.InternalError, errs.Denied: wirexml.AccessDenied,
		errs.Invalid: wirexml.InvalidRequest, errs.Precondition: wirexml.PreconditionFailed, errs.Exists: wirexml.OperationAborted,
		errs.Expired: wirexml.ExpiredToken, errs.Kind(99): wirexml.InternalError,
	} {
		cause := errs.New("op", kind, io.ErrUnexpectedEOF)
		e := wirexml.FromError(cause)
		require.Equal(t, want, e.Code, kind)
		require.ErrorIs(t, e, cause)
	}
	require.Equal(t, wirexml.IncompleteBody, wirexml.FromError(io.ErrUnexpectedEOF).Code)
	require.Equal(t, wirexml.RequestTimeout, wirexml.FromError(context.Canceled).Code)
	require.Equal(t, wirexml.RequestTimeout, wirexml.FromError(os.ErrDeadlineExceeded).Code)
	require.Equal(t, wirexml.MaxMessageLengthExceeded, wirexml.FromError(&http.MaxBytesError{}).Code)
	require.Equal(t, wirexml.InternalError, wirexml.FromError(errors.New("x")).Code)
	require.Equal(t, 500, (&wirexml.Error{Code: "NoSuchCode"}).Status())
}

func TestRender(t *testing.T) {
	e := wirexml.InvalidPart.Say("", wirexml.Field{Name: "PartNumber", Value: "7"}, wirexml.Field{Name: "ETag", Value: "\"<a&b>\"\x00\xff"})
	e.Cause = errors.New("secret cause")
	status, body := wirexml.Render(e, "/bucket/k\x01&", "REQ", "HOST")
	require.Equal(t, 400, status)
	require.NotContains(t, string(body), "secret")
	var got struct {
		XMLName                                xml.Name `xml:"Error"`
		Code, Message, PartNumber, ETag        string
		Resource, RequestID, RequestId, HostId string
	}
	require.NoError(t, xml.Unmarshal(body, &got), string(body))
	require.Equal(t, "InvalidPart", got.Code)
	require.Equal(t, wirexml.Table[wirexml.InvalidPart].Message, got.Message)
	require.Equal(t, "7", got.PartNumber)
	require.Equal(t, "\"<a&b>\"\ufffd\ufffd", got.ETag)
	require.Equal(t, "/bucket/k\ufffd&", got.Resource)
	require.Equal(t, "REQ", got.RequestId)
	require.Equal(t, "HOST", got.HostId)
	golden(t, "testdata/golden/Error.xml", body)
	require.True(t, strings.HasPrefix(string(body), wirexml.Declaration))
	require.Equal(t, string(body), wirexml.Declaration+string(wirexml.Style{}.AppendError(nil, e, "/bucket/k\x01&", "REQ", "HOST")))
}
