package sigauth_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sigauth"
)

var published = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

const emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func authorization(signedHeaders, signature string) header {
	return header{"Authorization", "AWS4-HMAC-SHA256 Credential=" + exampleKey + "/20130524/us-east-1/s3/aws4_request," +
		"SignedHeaders=" + signedHeaders + ",Signature=" + signature}
}

// publishedExamples are the examples in AWS's description of Signature Version 4
// for S3, with the signatures given there.
func publishedExamples() map[string]*wire {
	const host = "examplebucket.s3.amazonaws.com"
	date := header{"x-amz-date", "20130524T000000Z"}
	empty := header{"x-amz-content-sha256", emptyDigest}
	return map[string]*wire{
		"get object": {method: "GET", target: "/test.txt", host: host, headers: []header{
			{"Range", "bytes=0-9"}, empty, date,
			authorization("host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
		}},
		"put object": {method: "PUT", target: "/test%24file.text", host: host, headers: []header{
			{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, date, {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
			{"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
			authorization("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
		}, body: []byte("Welcome to Amazon S3.")},
		"get lifecycle": {method: "GET", target: "/?lifecycle", host: host, headers: []header{
			empty, date, authorization("host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
		}},
		"list objects": {method: "GET", target: "/?max-keys=2&prefix=J", host: host, headers: []header{
			empty, date, authorization("host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
		}},
		"presigned": {method: "GET", host: host, target: "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + exampleKey +
			"%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
			"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"},
		"streaming": streamingExample(),
		"trailer":   trailerExample(),
	}
}

func streamingExample() *wire {
	body := "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", 65536) +
		"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1024) +
		"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
	return &wire{method: "PUT", target: "/examplebucket/chunkObject.txt", host: "s3.amazonaws.com", headers: []header{
		{"x-amz-date", "20130524T000000Z"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
		{"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, {"Content-Encoding", "aws-chunked"},
		{"x-amz-decoded-content-length", "66560"}, {"Content-Length", "66824"},
		authorization("content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
			"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"),
	}, body: []byte(body)}
}

func trailerExample() *wire {
	body := "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + strings.Repeat("a", 65536) +
		"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + strings.Repeat("a", 1024) +
		"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
		"x-amz-checksum-crc32c:sOO8/Q==\r\n" +
		"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
	return &wire{method: "PUT", target: "/examplebucket/chunkObject.txt", host: "s3.amazonaws.com", headers: []header{
		{"x-amz-date", "20130524T000000Z"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
		{"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"}, {"Content-Encoding", "aws-chunked"},
		{"x-amz-decoded-content-length", "66560"}, {"x-amz-trailer", "x-amz-checksum-crc32c"},
		authorization("content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
			"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"),
	}, body: []byte(body)}
}

func TestPublishedExamples(t *testing.T) {
	for name, w := range publishedExamples() {
		t.Run(name, func(t *testing.T) {
			at(t, published.Add(time.Minute), func(t *testing.T) {
				req, body, err := outcome(verifier(), w.parse(t))
				require.NoError(t, err)
				require.Equal(t, exampleKey, req.Credential.AccessKey)
				require.Equal(t, "subject of "+exampleKey, req.Credential.Subject)
				require.Equal(t, "us-east-1", req.Region)
				require.Equal(t, name == "presigned", req.Presigned)
				require.Equal(t, int64(len(body)), req.Size)
				switch name {
				case "streaming", "trailer":
					require.True(t, req.Streaming)
					require.Equal(t, strings.Repeat("a", 66560), string(body))
				case "put object":
					require.Equal(t, "Welcome to Amazon S3.", string(body))
				}
				if name == "trailer" {
					require.Equal(t, map[string]string{"x-amz-checksum-crc32c": "sOO8/Q=="}, req.Trailers())
					require.Equal(t, []string{"x-amz-checksum-crc32c"}, req.TrailerNames)
				}
			})
		})
	}
}

// TestEveryByteCounts alters each byte of each published request, and cuts its body at each length.
// What is still accepted must be what was signed.
func TestEveryByteCounts(t *testing.T) {
	at(t, published, func(t *testing.T) {
		v := verifier()
		for name, w := range publishedExamples() {
			if len(w.body) > 1024 {
				continue // See TestEveryByteOfChunks.
			}
			for i := range w.target {
				if w.target[i] == '?' || w.target[i] == '&' || strings.HasPrefix(w.target[i:], "%2F") {
					continue // %2f for %2F is the same target, an empty pair no pair.
				}
				bad := *w
				bad.target = w.target[:i] + string(w.target[i]^1) + w.target[i+1:]
				r, err := bad.read()
				if err != nil {
					continue // net/http refuses it.
				}
				_, _, err = outcome(v, r)
				require.Error(t, err, "%s: %s", name, bad.target)
			}
			for h := range w.headers {
				for i := range w.headers[h].value {
					bad := *w
					bad.headers = append([]header(nil), w.headers...)
					value := w.headers[h].value
					bad.headers[h].value = value[:i] + string(value[i]^1) + value[i+1:]
					r, err := bad.read()
					if err != nil {
						continue
					}
					_, _, err = outcome(v, r)
					require.Error(t, err, "%s: %v", name, bad.headers[h])
				}
				bad := *w
				bad.headers = append(append([]header(nil), w.headers[:h]...), w.headers[h+1:]...)
				req, _, err := outcome(v, bad.parse(t))
				require.True(t, err != nil || req.Anonymous, "%s without %v", name, w.headers[h])
			}
			for i := range w.body {
				bad := *w
				bad.body = bytes.Clone(w.body)
				bad.body[i] ^= 1
				_, _, err := outcome(v, bad.parse(t))
				require.Equal(t, s3err.XAmzContentSHA256Mismatch, codeOf(t, err))
				bad.body = w.body[:i]
				_, _, err = outcome(v, bad.parse(t))
				require.Error(t, err)
			}
			bad := *w
			bad.method = "DELETE"
			_, _, err := outcome(v, bad.parse(t))
			require.Equal(t, s3err.SignatureDoesNotMatch, codeOf(t, err))
			bad = *w
			bad.host = "x" + w.host
			_, _, err = outcome(v, bad.parse(t))
			require.Equal(t, s3err.SignatureDoesNotMatch, codeOf(t, err))
		}
	})
}

// TestEveryByteOfChunks alters and cuts signed chunked bodies: near every border of a chunk's data,
// and everywhere outside the data.
func TestEveryByteOfChunks(t *testing.T) {
	at(t, published, func(t *testing.T) {
		v := verifier()
		for name, w := range map[string]*wire{"streaming": streamingExample(), "trailer": trailerExample()} {
			for i := range w.body {
				if inData := w.body[i] == 'a' && i > 2 && i < len(w.body)-3 &&
					string(w.body[i-2:i+3]) == "aaaaa"; inData && i%4096 != 0 {
					continue
				}
				for _, altered := range []byte{w.body[i] ^ 1, w.body[i] ^ 0x20} {
					bad := *w
					bad.body = bytes.Clone(w.body)
					bad.body[i] = altered
					_, body, err := outcome(v, bad.parse(t))
					if err == nil {
						// Only the spelling may differ and never the meaning: the case of a
						// trailer's name.
						require.Equal(t, strings.Repeat("a", 66560), string(body))
						require.Equal(t, "trailer", name)
						require.Equal(t, strings.ToLower(string(w.body[i])), strings.ToLower(string(altered)))
					}
				}
				bad := *w
				bad.body = w.body[:i]
				bad.headers = append([]header(nil), w.headers...)
				_, body, err := outcome(v, bad.parse(t))
				require.Error(t, err, "%s cut at %d", name, i)
				require.Empty(t, strings.Trim(string(body), "a"))
				require.Less(t, len(body), 66560, "%s cut at %d hands out all", name, i)
			}
		}
	})
}

// TestBotocore verifies requests as botocore signs them.
func TestBotocore(t *testing.T) {
	raw, err := os.ReadFile("testdata/botocore.json")
	require.NoError(t, err)
	var fixtures []struct {
		Name, URL, Method, Body string
		Headers                 [][2]string
	}
	require.NoError(t, json.Unmarshal(raw, &fixtures))
	require.NotEmpty(t, fixtures)
	for _, f := range fixtures {
		t.Run(f.Name, func(t *testing.T) {
			u := mustURL(t, f.URL)
			zipped, err := base64.StdEncoding.DecodeString(f.Body)
			require.NoError(t, err)
			z, err := gzip.NewReader(bytes.NewReader(zipped))
			require.NoError(t, err)
			body, err := io.ReadAll(z)
			require.NoError(t, err)
			w := &wire{method: f.Method, target: u.RequestURI(), host: u.Host, body: body}
			for _, h := range f.Headers {
				w.chunked = w.chunked || strings.EqualFold(h[0], "transfer-encoding")
				w.headers = append(w.headers, header{h[0], h[1]})
			}
			at(t, time.Date(2026, 11, 22, 12, 40, 0, 0, time.UTC), func(t *testing.T) {
				v := verifier()
				req, plain, err := outcome(v, w.parse(t))
				require.NoError(t, err)
				require.Equal(t, "AKIACAIRNEXAMPLE", req.Credential.AccessKey)
				checkTrailer(t, req, plain)

				bad := *w
				bad.target = "/x" + w.target
				_, _, err = outcome(v, bad.parse(t))
				require.Equal(t, s3err.SignatureDoesNotMatch, codeOf(t, err))
			})
		})
	}
}

// checkTrailer recomputes the checksum in a request's trailer.
func checkTrailer(t *testing.T, req *sigauth.Request, plain []byte) {
	if !req.Streaming {
		return
	}
	require.Equal(t, req.Size, int64(len(plain)))
	require.Len(t, req.TrailerNames, 1)
	algorithm, ok := checksum.FromHeader(req.TrailerNames[0])
	require.True(t, ok)
	h := checksum.New(algorithm)
	_, _ = h.Write(plain)
	require.Equal(t, checksum.Format(h.Sum(nil)), req.Trailers()[req.TrailerNames[0]])
}
