package s3api

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/profile"
)

// The forms of aws-chunked.
const (
	chunksSigned        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	chunksSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	chunksTrailer       = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// chunker writes an aws-chunked body as a client does that signed its request.
type chunker struct {
	strings.Builder
	signed, trailer        bool
	key                    []byte
	stamp, scope, previous string
	extension              string // What stands behind a chunk's size besides a signature.
}

func newChunker(r *http.Request, form string) *chunker {
	c := &chunker{signed: form != chunksTrailer, trailer: form != chunksSigned, stamp: r.Header.Get("X-Amz-Date")}
	_, c.previous, _ = strings.Cut(r.Header.Get("Authorization"), "Signature=")
	c.scope = c.stamp[:8] + "/us-east-1/s3/aws4_request"
	c.key = []byte("AWS4" + testSecret)
	for _, part := range []string{c.stamp[:8], "us-east-1", "s3", "aws4_request"} {
		c.key = hmacOf(c.key, part)
	}
	return c
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (c *chunker) sign(kind, digests string) string {
	c.previous = hex.EncodeToString(hmacOf(c.key, "AWS4-HMAC-SHA256-"+kind+"\n"+c.stamp+"\n"+c.scope+"\n"+c.previous+"\n"+digests))
	return c.previous
}

// chunk writes a chunk; the last one is empty.
func (c *chunker) chunk(data string) {
	fmt.Fprintf(c, "%x%s", len(data), c.extension)
	if c.signed {
		c.WriteString(";chunk-signature=" + c.sign("PAYLOAD", digestOf("")+"\n"+digestOf(data)))
	}
	c.WriteString("\r\n" + data)
	if data != "" {
		c.WriteString("\r\n")
	}
}

// end writes what follows the last chunk: the CRC32 of content, if it has one.
func (c *chunker) end(content string) {
	if c.trailer {
		sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(content)))
		line := "x-amz-checksum-crc32:" + base64.StdEncoding.EncodeToString(sum)
		c.WriteString(line + "\r\n")
		if c.signed {
			c.WriteString("x-amz-trailer-signature:" + c.sign("TRAILER", digestOf(line+"\n")) + "\r\n")
		}
	}
	c.WriteString("\r\n")
}

// TestChunkedBodies: put and part take each form of aws-chunked in chunks of any size;
// one that was altered, cut or is not well formed leaves nothing behind.
func TestChunkedBodies(t *testing.T) {
	h := newHarness(t, withProfile(t, profile.AWS, nil))
	const content = "0123456789abcdefghij"
	id := element(h.do("POST", "/bkt/u?uploads", "").body, "UploadId")
	stored := func(path string) string {
		if path != "/bkt/c" {
			return element(h.do("GET", "/bkt/u?uploadId="+id, "").body, "Part")
		}
		if !h.has("bkt", "c") {
			return ""
		}
		return h.do("GET", path, "").body
	}
	all := func(c *chunker, pieces ...string) {
		for _, p := range pieces {
			c.chunk(p)
		}
		c.chunk("")
		c.end(content)
	}
	cases := []struct {
		name   string
		forms  []string // Nil: all.
		length string   // Decoded; empty: of the content.
		write  func(c *chunker)
		edit   func(body string) string
		code   string
	}{
		{name: "junk behind the size", write: func(c *chunker) { c.extension = ";junk=1"; all(c, content) }, code: "InvalidRequest"},
		{name: "blank behind the size", write: func(c *chunker) { c.extension = " "; all(c, content) }, code: "InvalidRequest"},
		{name: "a byte of the middle altered", forms: []string{chunksSigned, chunksSignedTrailer}, write: func(c *chunker) { all(c, content[:7], content[7:14], content[14:]) },
			edit: func(b string) string { return strings.Replace(b, content[7:14], "7X9abcd", 1) }, code: "SignatureDoesNotMatch"},
		{name: "two chunks exchanged", forms: []string{chunksSigned, chunksSignedTrailer}, write: func(c *chunker) { all(c, content[:10], content[10:]) },
			edit: func(b string) string {
				first, last := strings.Index(b, "a;chunk"), strings.LastIndex(b, "a;chunk")
				end := strings.Index(b, "0;chunk")
				return b[:first] + b[last:end] + b[first:last] + b[end:]
			}, code: "SignatureDoesNotMatch"},
		{name: "no signature", forms: []string{chunksSigned, chunksSignedTrailer}, write: func(c *chunker) { c.signed = false; all(c, content) }, code: "InvalidRequest"},
		{name: "checksum of something else", forms: []string{chunksSignedTrailer, chunksTrailer}, write: func(c *chunker) { c.chunk(content); c.chunk(""); c.end("else") }, code: "BadDigest"},
		{name: "trailer's signature altered", forms: []string{chunksSignedTrailer}, write: func(c *chunker) { all(c, content) },
			edit: func(b string) string {
				i := strings.Index(b, "trailer-signature:") + len("trailer-signature:")
				return b[:i] + strings.Repeat("0", 64) + b[i+64:]
			}, code: "SignatureDoesNotMatch"},
		{name: "content altered under an unsigned trailer", forms: []string{chunksTrailer}, write: func(c *chunker) { all(c, content) },
			edit: func(b string) string { return strings.Replace(b, "789", "987", 1) }, code: "BadDigest"},
		{name: "cut in a chunk", write: func(c *chunker) { all(c, content) }, edit: func(b string) string { return b[:strings.Index(b, content)+9] }, code: "IncompleteBody"},
		{name: "cut between chunks", write: func(c *chunker) { c.chunk(content[:10]) }, code: "IncompleteBody"},
		{name: "no last chunk", write: func(c *chunker) { c.chunk(content) }, code: "IncompleteBody"},
		{name: "no end behind the last chunk", write: func(c *chunker) { c.chunk(content); c.chunk("") }, code: "IncompleteBody"},
		{name: "shorter than announced", length: "21", write: func(c *chunker) { all(c, content) }, code: "IncompleteBody"},
		{name: "longer than announced", length: "19", write: func(c *chunker) { all(c, content) }, code: "IncompleteBody"},
		{name: "no announcement", length: "-", write: func(c *chunker) { all(c, content) }, code: "MissingContentLength"},
		{name: "an announcement that is none", length: "2O", write: func(c *chunker) { all(c, content) }, code: "InvalidArgument"},
	}
	send := func(path, form, length string, framed bool, write func(*chunker), edit func(string) string) reply {
		headers := []string{"X-Amz-Content-Sha256: " + form, "Content-Encoding: aws-chunked"}
		if length == "" {
			length = fmt.Sprint(len(content))
		}
		if length != "-" {
			headers = append(headers, "X-Amz-Decoded-Content-Length: "+length)
		}
		if form != chunksSigned {
			headers = append(headers, "X-Amz-Trailer: x-amz-checksum-crc32")
		}
		r := h.request("PUT", path, "", headers...)
		c := newChunker(r, form)
		write(c)
		body := c.String()
		if edit != nil {
			body = edit(body)
		}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		if framed {
			r.ContentLength = int64(len(body))
		}
		return h.send(r)
	}
	for _, path := range []string{"/bkt/c", "/bkt/u?partNumber=1&uploadId=" + id} {
		for _, framed := range []bool{true, false} { // With a Content-Length, and without.
			for _, c := range cases {
				forms := c.forms
				if forms == nil {
					forms = []string{chunksSigned, chunksSignedTrailer, chunksTrailer}
				}
				for _, form := range forms {
					what := fmt.Sprintf("%s, %s, %s, framed %v", c.name, path, form, framed)
					r := send(path, form, c.length, framed, c.write, c.edit)
					require.Equal(t, c.code, r.code(), "%s: %d %s", what, r.StatusCode, r.body)
					require.Empty(t, stored(path), what)
				}
			}
		}
	}
	for _, path := range []string{"/bkt/c", "/bkt/u?partNumber=1&uploadId=" + id} {
		for _, form := range []string{chunksSigned, chunksSignedTrailer, chunksTrailer} {
			for _, size := range []int{1, 3, 20} {
				r := send(path, form, "", size != 3, func(c *chunker) {
					for rest := content; rest != ""; rest = rest[min(size, len(rest)):] {
						c.chunk(rest[:min(size, len(rest))])
					}
					c.chunk("")
					c.end(content)
				}, nil)
				require.Equal(t, 200, r.StatusCode, "%s %s %d: %s", path, form, size, r.body)
				require.Equal(t, fmt.Sprintf("\"%x\"", md5.Sum([]byte(content))), r.Header.Get("ETag"))
			}
		}
	}
	require.Equal(t, content, stored("/bkt/c"))
	require.Empty(t, h.do("GET", "/bkt/c", "").Header.Get("Content-Encoding"), "aws-chunked is not kept")
}

// TestRefusedUploadsAreNotRead: an upload that waits for 100 Continue and is refused
// gets its final answer, and nobody asks for its body.
func TestRefusedUploadsAreNotRead(t *testing.T) {
	w := newWorld(t, withProfile(t, profile.AWS, nil))
	w.client.Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	owner, stranger := w.account("owner"), w.account("stranger")
	w.ok(owner, "PUT", "/bkt", "")
	id := element(w.ok(owner, "POST", "/bkt/u?uploads", "").body, "UploadId")
	part := "/bkt/u?partNumber=1&uploadId=" + id
	content := strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		name, path, code string
		who              *person
		headers          []string
		size             int64
		change           func(r *http.Request)
	}{
		{name: "wrong signature", path: "/bkt/k", who: owner, code: "SignatureDoesNotMatch", change: func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-4]+"0000")
		}},
		{name: "unknown key", path: "/bkt/k", who: &person{accessKey: "AKIANOBODY", secret: "s"}, code: "InvalidAccessKeyId"},
		{name: "anonymous", path: "/bkt/k", code: "AccessDenied"},
		{name: "another account", path: "/bkt/k", who: stranger, code: "AccessDenied"},
		{name: "another account's part", path: part, who: stranger, code: "AccessDenied"},
		{name: "no bucket", path: "/none/k", who: owner, code: "NoSuchBucket"},
		{name: "no upload", path: "/bkt/u?partNumber=1&uploadId=none", who: owner, code: "NoSuchUpload"},
		{name: "part number", path: "/bkt/u?partNumber=10001&uploadId=" + id, who: owner, code: "InvalidArgument"},
		{name: "too large", path: "/bkt/k", who: owner, size: 6 << 40, code: "EntityTooLarge"},
		{name: "too large a part", path: part, who: owner, size: 6 << 40, code: "EntityTooLarge"},
		{name: "odd digest", path: "/bkt/k", who: owner, headers: []string{"Content-MD5: none"}, code: "InvalidDigest"},
		{name: "a header that is not supported", path: "/bkt/k", who: owner, headers: []string{"X-Amz-Server-Side-Encryption: rot13"}, code: "InvalidEncryptionAlgorithmError"},
	} {
		r := w.request("PUT", c.path, "", append(c.headers, "Expect: 100-continue")...)
		if c.who != nil {
			const payload = "UNSIGNED-PAYLOAD"
			r.Header.Set("X-Amz-Content-Sha256", payload)
			signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
			require.NoError(t, signer.SignHTTP(t.Context(), aws.Credentials{AccessKeyID: c.who.accessKey, SecretAccessKey: c.who.secret}, r, payload, "s3", "us-east-1", time.Now()))
		}
		body := &countedBody{Reader: strings.NewReader(content)}
		r.Body, r.ContentLength = body, int64(len(content))
		if c.size != 0 {
			r.ContentLength = c.size
		}
		if c.change != nil {
			c.change(r)
		}
		got := w.send(r)
		require.Equal(t, c.code, got.code(), "%s: %s", c.name, got.body)
		require.Zero(t, body.taken.Load(), c.name)
	}
}
