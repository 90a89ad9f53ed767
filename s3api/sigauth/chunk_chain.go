package sigauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// chain verifies the signatures of chunks. Each one signs the signature before it, and the first
// one that of the request. So no chunk can be left out, repeated or moved.
type chain struct {
	key      signingKey
	stamp    string
	scope    string
	previous [sha256.Size]byte
	text     []byte // The string to sign; its memory is used again for the next chunk.
}

// Prefixes of the strings to sign.
const (
	chunkPrefix   = "AWS4-HMAC-SHA256-PAYLOAD\n"
	trailerPrefix = "AWS4-HMAC-SHA256-TRAILER\n"
	emptyDigest   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// chunk verifies the signature of a chunk of data.
func (c *chain) chunk(data []byte, signature string) error {
	c.begin(chunkPrefix)
	c.text = append(c.text, emptyDigest+"\n"...)
	return c.end(data, signature)
}

// trailer verifies the signature of a trailer in canonical form.
func (c *chain) trailer(canonical []byte, signature string) error {
	c.begin(trailerPrefix)
	return c.end(canonical, signature)
}

// begin writes the part of the string to sign that is common to chunks and trailers.
func (c *chain) begin(prefix string) {
	c.text = append(c.text[:0], prefix...)
	c.text = append(c.text, c.stamp...)
	c.text = append(c.text, '\n')
	c.text = append(c.text, c.scope...)
	c.text = append(c.text, '\n')
	c.text = hex.AppendEncode(c.text, c.previous[:])
	c.text = append(c.text, '\n')
}

// end adds the digest of data and compares the signature, which becomes the previous one.
func (c *chain) end(data []byte, signature string) error {
	digest := sha256.Sum256(data)
	c.text = hex.AppendEncode(c.text, digest[:])
	want := sign(c.key[:], c.text)
	var got [sha256.Size]byte
	if len(signature) != hex.EncodedLen(len(got)) || !isLowerHex(signature) {
		return s3err.SignatureDoesNotMatch.Say("The signature of a chunk must be 64 hexadecimal digits in lower case.")
	}
	_, _ = hex.Decode(got[:], []byte(signature)) // Checked above.
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return s3err.SignatureDoesNotMatch.Err()
	}
	c.previous = want
	return nil
}
