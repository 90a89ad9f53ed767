package sigauth_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/cairnstore/cairn/cluster/cost"
)

// verifiedPerByte bounds what verifying may allocate for each byte of a request: parameters and
// headers in the form in which they are signed, several times over.
const verifiedPerByte = 96

// FuzzCost: verifying costs at most a bound for each byte, whatever is repeated in headers, query
// and body.
func FuzzCost(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential="+exampleKey+"/20130524/us-east-1/s3/aws4_request, SignedHeaders=host", ";a", ", Signature=00", "a=b", "&a=%20", "1;a=b\r\n", uint16(800))
	f.Add("AWS "+exampleKey+":", "a", "=", "X-Amz-Signature=1&X-Amz-Algorithm=AWS4-HMAC-SHA256", "&X-Amz-Credential=a", "0\r\n", uint16(900))
	f.Add("", ",", "", "AWSAccessKeyId=a&Signature=b&Expires=1", "&uploads", "\r\n", uint16(500))
	f.Add("OBS a:b", " ", "", "", "&&", "5\r\nabcde\r\n", uint16(900))
	f.Fuzz(func(t *testing.T, head, unit, tail, query, queryUnit, chunk string, times uint16) {
		repeat := func(head, unit, tail string) string {
			return string(cost.Repeat([]byte(head), []byte(unit), []byte(tail), times))
		}
		authorization, rawQuery := repeat(head, unit, tail), repeat(query, queryUnit, "")
		body := []byte(repeat("", chunk, ""))
		h := http.Header{"X-Amz-Date": {time.Now().UTC().Format("20060102T150405Z")}, "X-Amz-Content-Sha256": {"STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
			"X-Amz-Decoded-Content-Length": {"10"}, "X-Amz-Trailer": {"x-amz-checksum-crc32"}, "X-Amz-Meta-A": {authorization}}
		if authorization != "" {
			h.Set("Authorization", authorization)
		}
		size := len(authorization)*2 + len(rawQuery) + len(body)
		cost.Allocated(t, size, verifiedPerByte, func() {
			r, err := fuzzVerifier.Verify(request("PUT", "/b/k", rawQuery, h, body))
			if err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
		})
	})
}
