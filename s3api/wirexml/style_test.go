package wirexml_test

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/wirexml"
)

func TestStyle(t *testing.T) {
	style := wirexml.Style{Namespace: wirexml.OBSNamespace("obs.example.com"), Standalone: true, Codes: map[wirexml.Code]wirexml.Telling{
		wirexml.InvalidToken: {Code: wirexml.AccessDenied, Status: http.StatusForbidden}}}
	body := string(style.Marshal(&wirexml.CreateUpload{UploadID: "id"}))
	require.True(t, strings.HasPrefix(body, `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>`+"\n"+
		`<InitiateMultipartUploadResult xmlns="http://obs.example.com/doc/2015-06-30/">`), body)

	status, document := style.Render(wirexml.InvalidToken.Err(), "/b/k", "REQ", "HOST")
	require.Equal(t, 403, status)
	var got struct{ Code, Message string }
	require.NoError(t, xml.Unmarshal(document, &got))
	require.Equal(t, "AccessDenied", got.Code)
	require.Equal(t, wirexml.Table[wirexml.InvalidToken].Message, got.Message, "the message names the cause")
	require.True(t, strings.HasPrefix(string(document), style.Declaration()+"<Error>"), "errors have no namespace")

	_, document = style.Render(wirexml.InvalidToken.Say("own words"), "", "", "")
	require.Contains(t, string(document), "<Message>own words</Message>")
	require.Equal(t, wirexml.Telling{Code: wirexml.NoSuchKey, Status: 404}, style.Tell(wirexml.NoSuchKey.Err()))
	require.Equal(t, wirexml.Telling{Code: wirexml.InvalidToken, Status: 400}, wirexml.Style{}.Tell(wirexml.InvalidToken.Err()))

	several := style.Marshal(&wirexml.DeleteObjects{Style: style, Errors: []wirexml.DeleteError{{Key: "k", Err: wirexml.InvalidToken.Err()}}})
	require.Contains(t, string(several), "<Code>AccessDenied</Code>")
}
