package sigauth

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/s3err"
)

// The values of x-amz-content-sha256 that are not a digest.
const (
	unsignedPayload        = "UNSIGNED-PAYLOAD"
	streamingSigned        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamingUnsigned      = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// maxTrailers bounds how many trailers a request may declare.
const maxTrailers = 8

// payload is what a request says of its body.
type payload struct {
	signedAs string             // What stands for the body in the canonical request.
	digest   *[sha256.Size]byte // The digest that the whole body must have; nil: none is told.
	chunked  bool               // aws-chunked.
	signed   bool               // Each chunk is signed.
	trailer  bool               // A trailer may follow the chunks.
	size     int64              // Of the plaintext; -1: not known.
	names    []string           // Of the trailers that are declared.
}

// payloadOf reads what a request says of its body. inQuery is the value of the parameter that a
// presigned URL may have instead of the header.
func payloadOf(r *http.Request, c *claim, inQuery string) (*payload, error) {
	switch {
	case c != nil && c.version != V4:
		return payloadOfV2(r, c)
	case c != nil && c.service != ServiceS3:
		return payloadOfService(r)
	}
	word, err := single(r.Header, "X-Amz-Content-Sha256")
	if err != nil {
		return nil, err
	}
	presigned := c != nil && c.presigned
	if presigned && word == "" {
		word = inQuery
	}
	if presigned && inQuery != "" && word != inQuery {
		return nil, s3err.InvalidArgument.Say("The x-amz-content-sha256 header and the X-Amz-Content-Sha256 parameter differ.")
	}
	if word == "" && c != nil && !presigned {
		return nil, s3err.InvalidRequest.Say("Missing required header for this request: x-amz-content-sha256")
	}
	p := &payload{signedAs: word, size: r.ContentLength}
	if err := p.take(word); err != nil {
		return nil, err
	}
	if word == "" {
		p.signedAs = unsignedPayload
	}
	if p.signed && c == nil {
		return nil, s3err.InvalidRequest.Say("A body of signed chunks needs a signed request.")
	}
	return p, p.takeChunked(r)
}

// payloadOfV2 reads what a request that is signed with V2 or OBS says of its body. Both do not sign
// the body's hash, but a header that tells one, and that is compared.
func payloadOfV2(r *http.Request, c *claim) (*payload, error) {
	header := "X-Amz-Content-Sha256"
	if c.version == OBS {
		header = "X-Obs-Content-Sha256"
	}
	word, err := single(r.Header, header)
	if err != nil {
		return nil, err
	}
	p := &payload{size: r.ContentLength}
	if sum, err := base64.StdEncoding.Strict().DecodeString(word); err == nil && len(sum) == sha256.Size {
		word = hex.EncodeToString(sum) // OBS's form of it.
	}
	if err := p.take(word); err != nil {
		return nil, err
	}
	if p.signed || p.chunked && c.version == OBS {
		return nil, s3err.InvalidRequest.Say("A body of this form needs a signature of Version 4.")
	}
	return p, p.takeChunked(r)
}

// payloadOfService is payloadOf for services other than S3. There the hash of the body is signed
// although the request need not tell it, so the body may have to be read. It may replace r.Body.
func payloadOfService(r *http.Request) (*payload, error) {
	word, err := single(r.Header, "X-Amz-Content-Sha256")
	if err != nil {
		return nil, err
	}
	p := &payload{size: r.ContentLength}
	if word == "" {
		var body []byte
		if r.Body != nil {
			if body, err = io.ReadAll(io.LimitReader(r.Body, MaxServiceBodyBytes+1)); err != nil {
				return nil, s3err.FromError(err)
			}
		}
		if len(body) > MaxServiceBodyBytes {
			return nil, s3err.MaxMessageLengthExceeded.Err()
		}
		sum := sha256.Sum256(body)
		word, p.size = hex.EncodeToString(sum[:]), int64(len(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	p.signedAs = word
	if err := p.take(word); err != nil || p.digest == nil {
		return nil, s3err.InvalidRequest.Say("x-amz-content-sha256 must be the SHA-256 of the body.")
	}
	return p, nil
}

// take parses the value of x-amz-content-sha256.
func (p *payload) take(word string) error {
	switch word {
	case "", unsignedPayload:
		return nil
	case streamingSigned:
		p.chunked, p.signed = true, true
		return nil
	case streamingSignedTrailer:
		p.chunked, p.signed, p.trailer = true, true, true
		return nil
	case streamingUnsigned:
		p.chunked, p.trailer = true, true
		return nil
	}
	if strings.HasPrefix(word, "STREAMING-AWS4-ECDSA-") {
		return s3err.NotImplemented.Say("Signatures with asymmetric keys (Signature Version 4A) are not supported.")
	}
	p.digest = new([sha256.Size]byte)
	if len(word) == hex.EncodedLen(sha256.Size) {
		if _, err := hex.Decode(p.digest[:], []byte(word)); err == nil {
			return nil
		}
	}
	return s3err.BadArgument("x-amz-content-sha256", "",
		"x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "+streamingSigned+", "+
			streamingSignedTrailer+", "+streamingUnsigned+", or a valid sha256 value.")
}

// takeChunked reads the headers that belong to aws-chunked.
func (p *payload) takeChunked(r *http.Request) error {
	if !p.trailer && len(r.Header["X-Amz-Trailer"]) > 0 {
		return s3err.InvalidRequest.Say("The x-amz-trailer header needs an x-amz-content-sha256 that ends in -TRAILER.")
	}
	if !p.chunked {
		return nil
	}
	length, err := single(r.Header, "X-Amz-Decoded-Content-Length")
	if err != nil {
		return err
	}
	if length == "" {
		return s3err.MissingContentLength.Say("You must provide the x-amz-decoded-content-length HTTP header.")
	}
	p.size, err = strconv.ParseInt(length, 10, 64)
	if err != nil || !isDigits(length) {
		return s3err.BadArgument("x-amz-decoded-content-length", "",
			"x-amz-decoded-content-length must be a number of bytes.")
	}
	if r.ContentLength >= 0 && r.ContentLength < p.size {
		return s3err.IncompleteBody.Say("Content-Length is less than x-amz-decoded-content-length.")
	}
	return p.takeTrailerNames(r.Header["X-Amz-Trailer"])
}

// takeTrailerNames parses x-amz-trailer, which may name only checksums.
func (p *payload) takeTrailerNames(values []string) error {
	for _, v := range values {
		for name := range strings.SplitSeq(v, ",") {
			name = strings.ToLower(strings.Trim(name, " \t"))
			if _, ok := checksum.FromHeader(name); !ok {
				return s3err.InvalidRequest.Say("The value specified in the x-amz-trailer header is not supported: " +
					"it may name the " + checksum.HeaderPrefix + "* headers of " + strings.Join(checksum.Algorithms(), ", ") + ".")
			}
			if len(p.names) == maxTrailers {
				return s3err.InvalidRequest.Say("The x-amz-trailer header may name " +
					strconv.Itoa(maxTrailers) + " trailers at most.")
			}
			p.names = append(p.names, name)
		}
	}
	return nil
}

// newRequest returns the Request for r, whose headers are verified. Its Body verifies what p says.
// c is nil for an anonymous request.
func newRequest(r *http.Request, p *payload, c *chain) (*Request, error) {
	req := &Request{Anonymous: c == nil, Size: p.size, Streaming: p.chunked, TrailerNames: p.names}
	var body io.Reader = http.NoBody
	if r.Body != nil {
		body = r.Body
	}
	switch {
	case p.chunked:
		req.Body = newChunkedReader(body, p, c, &req.trailers)
	case p.digest == nil:
		req.Body = &plainReader{r: body}
	case r.ContentLength == 0 || r.Body == nil || r.Body == http.NoBody:
		if *p.digest != sha256.Sum256(nil) {
			return nil, s3err.XAmzContentSHA256Mismatch.Err()
		}
		req.Body, req.Size = http.NoBody, 0
	default:
		req.Body = &digestReader{r: body, want: *p.digest, left: p.size, hash: sha256.New()}
	}
	return req, nil
}

// StripChunked returns a Content-Encoding without aws-chunked, which says how the request was sent
// and is no property of the object.
func StripChunked(contentEncoding string) string {
	if !strings.Contains(strings.ToLower(contentEncoding), "aws-chunked") {
		return contentEncoding
	}
	var kept []string
	for coding := range strings.SplitSeq(contentEncoding, ",") {
		if coding = strings.TrimSpace(coding); coding != "" && !strings.EqualFold(coding, "aws-chunked") {
			kept = append(kept, coding)
		}
	}
	return strings.Join(kept, ", ")
}
