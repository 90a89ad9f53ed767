package wirexml_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

var update = flag.Bool("update", false, "rewrite golden files")

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

func TestRender(t *testing.T) {
	e := s3err.InvalidPart.Say("", s3err.Field{Name: "PartNumber", Value: "7"}, s3err.Field{Name: "ETag", Value: "\"<a&b>\"\x00\xff"})
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
	require.Equal(t, s3err.Table[s3err.InvalidPart].Message, got.Message)
	require.Equal(t, "7", got.PartNumber)
	require.Equal(t, "\"<a&b>\"\ufffd\ufffd", got.ETag)
	require.Equal(t, "/bucket/k\ufffd&", got.Resource)
	require.Equal(t, "REQ", got.RequestId)
	require.Equal(t, "HOST", got.HostId)
	golden(t, "testdata/golden/Error.xml", body)
	require.True(t, strings.HasPrefix(string(body), wirexml.Declaration))
	require.Equal(t, string(body), wirexml.Declaration+string(wirexml.Style{}.AppendError(nil, e, "/bucket/k\x01&", "REQ", "HOST")))
}
