package sigauth

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"

	"github.com/cairnstore/cairn/s3api/s3err"
)

// bodyError returns the error for a read of the connection that failed.
func bodyError(err error) error {
	if err == io.EOF {
		return io.EOF
	}
	return s3err.FromError(err)
}

// plainReader is a body about which nothing is signed. It only turns errors into *s3err.Error.
type plainReader struct{ r io.Reader }

func (p *plainReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil {
		err = bodyError(err)
	}
	return n, err
}

// digestReader is a body whose SHA-256 is signed. It returns the bytes that reach the announced
// length only after it has compared the digest. So whoever reads no further has only verified
// bytes.
type digestReader struct {
	r    io.Reader
	hash hash.Hash
	want [sha256.Size]byte
	left int64 // How many announced bytes are to come; negative: no length was announced.
	err  error // Returned by every further Read.
}

func (d *digestReader) Read(b []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	if len(b) == 0 {
		return 0, nil
	}
	if d.left >= 0 && int64(len(b)) > d.left {
		b = b[:max(d.left, 1)]
	}
	n, err := d.r.Read(b)
	d.hash.Write(b[:n])
	known := d.left >= 0
	d.left -= int64(n)
	switch {
	case known && d.left < 0:
		d.err = s3err.IncompleteBody.Say("The body is longer than announced.")
		return 0, d.err
	case err == io.EOF && known && d.left > 0:
		d.err = s3err.IncompleteBody.Err()
		return 0, d.err
	case err == io.EOF || known && d.left == 0 && err == nil:
		if !bytes.Equal(d.hash.Sum(nil), d.want[:]) {
			d.err = s3err.XAmzContentSHA256Mismatch.Err()
			return 0, d.err
		}
		d.err = io.EOF
		return n, nil
	case err != nil:
		d.err = bodyError(err)
		return n, d.err
	}
	return n, nil
}
