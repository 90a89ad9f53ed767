package wirexml_test

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

func TestStyle(t *testing.T) {
	style := wirexml.Style{Namespace: wirexml.OBSNamespace("obs.example.com"), Standalone: true, Codes: map[s3err.Code]s3err.Telling{
		s3err.InvalidToken: {Code: s3err.AccessDenied, Status: http.StatusForbidden}}}
	body := string(style.Marshal(&wirexml.CreateUpload{UploadID: "id"}))
	require.True(t, strings.HasPrefix(body, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`+"\n"+
		`<InitiateMultipartUploadResult xmlns="http://obs.example.com/doc/2015-06-30/">`), body)

	status, document := style.Render(s3err.InvalidToken.Err(), "/b/k", "REQ", "HOST")
	require.Equal(t, 403, status)
	var got struct{ Code, Message string }
	require.NoError(t, xml.Unmarshal(document, &got))
	require.Equal(t, "AccessDenied", got.Code)
	require.Equal(t, s3err.Table[s3err.InvalidToken].Message, got.Message, "the message names the cause")
	require.True(t, strings.HasPrefix(string(document), style.Declaration()+"<Error>"), "errors have no namespace")

	_, document = style.Render(s3err.InvalidToken.Say("own words"), "", "", "")
	require.Contains(t, string(document), "<Message>own words</Message>")
	require.Equal(t, s3err.Telling{Code: s3err.NoSuchKey, Status: 404}, style.Tell(s3err.NoSuchKey.Err()))
	require.Equal(t, s3err.Telling{Code: s3err.InvalidToken, Status: 400}, wirexml.Style{}.Tell(s3err.InvalidToken.Err()))

	several := style.Marshal(&wirexml.DeleteObjects{Style: style, Errors: []wirexml.DeleteError{{Key: "k", Err: s3err.InvalidToken.Err()}}})
	require.Contains(t, string(several), "<Code>AccessDenied</Code>")
}
