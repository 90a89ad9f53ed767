package sigauth

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"sync"

	"github.com/cairnstore/cairn/s3api/s3err"
)

const (
	lineBufferBytes = 4 << 10
	// maxChunkHeaderBytes bounds the line before a chunk, which has its size and signature.
	maxChunkHeaderBytes = 256
	// firstChunkBuffer is the first size of a chunk's buffer. It doubles as bytes arrive, so a size
	// that is only announced takes no memory.
	firstChunkBuffer = 64<<10 + 64
	// maxPooledChunk bounds the buffers of chunks that are pooled; larger ones are rare and are
	// left to the garbage collector.
	maxPooledChunk = 1<<20 + 64
)

var (
	linePool  = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, lineBufferBytes) }}
	chunkPool = sync.Pool{New: func() any { return new(bytesBuffer) }}
)

// bytesBuffer is the buffer of one signed chunk.
type bytesBuffer struct{ b []byte }

// chunkedReader decodes an aws-chunked body. It returns bytes of a signed chunk only after it has
// verified the chunk's signature. Bytes that reach the announced length it returns only after it
// has verified the end of the body and the trailer too.
type chunkedReader struct {
	src      *bufio.Reader
	p        *payload
	chain    *chain // Nil: nothing is signed.
	trailers *map[string]string

	left    int64        // How many of the announced bytes of plaintext are not decoded yet.
	inChunk int64        // Unsigned: how many bytes of this chunk are not decoded yet.
	chunk   *bytesBuffer // Signed: the chunk, which is verified.
	ready   []byte       // Signed: what of the chunk was not returned yet.
	started bool         // The line before the first chunk was read.
	err     error        // Returned by every further Read.
}

func newChunkedReader(r io.Reader, p *payload, c *chain, trailers *map[string]string) *chunkedReader {
	src := linePool.Get().(*bufio.Reader)
	src.Reset(r)
	if !p.signed {
		c = nil
	}
	return &chunkedReader{src: src, p: p, chain: c, trailers: trailers, left: p.size}
}

// Read implements io.Reader.
func (d *chunkedReader) Read(b []byte) (int, error) {
	if len(d.ready) == 0 && d.err == nil && len(b) > 0 {
		n, err := d.fill(b)
		if err != nil {
			d.fail(err)
			return 0, d.err
		}
		if n > 0 {
			return n, nil
		}
	}
	if len(d.ready) > 0 {
		n := copy(b, d.ready)
		d.ready = d.ready[n:]
		return n, nil
	}
	if d.err != nil {
		d.free()
		return 0, d.err
	}
	return 0, nil
}

// fill decodes the next bytes: unsigned ones into b, signed ones into d.ready. At the end of the
// body it sets d.err to io.EOF.
func (d *chunkedReader) fill(b []byte) (int, error) {
	if d.left == 0 {
		return 0, d.finish()
	}
	if d.inChunk == 0 {
		size, signature, err := d.header()
		if err != nil {
			return 0, err
		}
		if size == 0 {
			return 0, s3err.IncompleteBody.Say("The chunks end before x-amz-decoded-content-length bytes.")
		}
		if d.chain != nil {
			return 0, d.signedChunk(size, signature)
		}
		d.inChunk = size
	}
	n, err := d.src.Read(b[:min(int64(len(b)), d.inChunk)])
	d.inChunk -= int64(n)
	d.left -= int64(n)
	if err != nil {
		return 0, shortBody(err)
	}
	if d.inChunk > 0 {
		return n, nil
	}
	if err := d.lineEnd(); err != nil {
		return 0, err
	}
	if d.left == 0 {
		return n, d.finish()
	}
	return n, nil
}

// signedChunk reads a chunk, and puts it into d.ready once it is verified.
func (d *chunkedReader) signedChunk(size int64, signature string) error {
	if size > MaxChunkBytes {
		return s3err.InvalidRequest.Say("A signed chunk may have at most " + strconv.Itoa(MaxChunkBytes) + " bytes.")
	}
	if d.chunk == nil {
		d.chunk = chunkPool.Get().(*bytesBuffer)
	}
	if err := d.chunk.read(d.src, int(size)); err != nil {
		return shortBody(err)
	}
	if err := d.lineEnd(); err != nil {
		return err
	}
	if err := d.chain.chunk(d.chunk.b, signature); err != nil {
		return err
	}
	if d.left -= size; d.left == 0 {
		if err := d.finish(); err != nil {
			return err
		}
	}
	d.ready = d.chunk.b
	return nil
}

// read fills the buffer with size bytes of r. The buffer grows as they come.
func (c *bytesBuffer) read(r io.Reader, size int) error {
	c.b = c.b[:0]
	for len(c.b) < size {
		if len(c.b) == cap(c.b) {
			grown := make([]byte, len(c.b), min(max(2*cap(c.b), firstChunkBuffer), MaxChunkBytes))
			copy(grown, c.b)
			c.b = grown
		}
		n, err := r.Read(c.b[len(c.b):min(size, cap(c.b))])
		c.b = c.b[:len(c.b)+n]
		if err != nil && len(c.b) < size {
			return err
		}
	}
	return nil
}

// header reads the line before a chunk. It refuses a size that is greater than what is left.
func (d *chunkedReader) header() (size int64, signature string, err error) {
	line, err := d.line(maxChunkHeaderBytes)
	if err != nil {
		return 0, "", err
	}
	digits, extension, extended := bytes.Cut(line, []byte(";"))
	if d.chain != nil {
		var ok bool
		if extension, ok = bytes.CutPrefix(extension, []byte("chunk-signature=")); !ok {
			return 0, "", badChunk()
		}
		signature = string(extension)
	} else if extended {
		return 0, "", badChunk()
	}
	if len(digits) == 0 || len(digits) > 15 {
		return 0, "", badChunk()
	}
	for _, c := range digits {
		digit := hexDigit(c)
		if digit > 15 {
			return 0, "", badChunk()
		}
		size = size<<4 | int64(digit)
	}
	if size > d.left {
		return 0, "", s3err.IncompleteBody.Say("The chunks hold more than x-amz-decoded-content-length bytes.")
	}
	d.started = true
	return size, signature, nil
}

// line reads a line that ends with CR LF, and returns it without them. It is valid until the next
// read.
func (d *chunkedReader) line(limit int) ([]byte, error) {
	line, err := d.src.ReadSlice('\n')
	if err == bufio.ErrBufferFull || len(line) > limit {
		return nil, badChunk()
	}
	if err != nil {
		return nil, shortBody(err)
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return nil, badChunk()
	}
	return line, nil
}

// lineEnd reads the CR LF behind a chunk's data.
func (d *chunkedReader) lineEnd() error {
	for _, want := range [2]byte{'\r', '\n'} {
		c, err := d.src.ReadByte()
		if err != nil {
			return shortBody(err)
		}
		if c != want {
			return badChunk()
		}
	}
	return nil
}

// finish reads the last chunk, which is empty, and everything behind it. It sets d.err to io.EOF if
// the body is whole.
func (d *chunkedReader) finish() error {
	if !d.started && d.p.size == 0 && len(d.p.names) == 0 {
		if _, err := d.src.Peek(1); err == io.EOF {
			d.err = io.EOF // The body is empty, and the length that says so is signed.
			return nil
		}
	}
	_, signature, err := d.header() // header allows a size of at most d.left, which is 0.
	if err != nil {
		return err
	}
	if d.chain != nil {
		if err := d.chain.chunk(nil, signature); err != nil {
			return err
		}
	}
	if d.p.trailer {
		err = d.trailer()
	} else {
		err = d.lineEnd()
	}
	if err != nil {
		return err
	}
	if _, err := d.src.ReadByte(); err != io.EOF {
		if err == nil {
			return s3err.InvalidRequest.Say("Bytes follow the end of the aws-chunked body.")
		}
		return shortBody(err)
	}
	d.err = io.EOF
	d.freeSource()
	return nil
}

// fail makes err the result of every further Read. Nothing of the body that was not returned yet is
// returned any more, and no trailers.
func (d *chunkedReader) fail(err error) {
	d.err, d.ready = err, nil
	*d.trailers = nil
	d.free()
}

// free returns the buffers to their pools. Nothing is read after it.
func (d *chunkedReader) free() {
	d.freeSource()
	if d.chunk != nil {
		if cap(d.chunk.b) <= maxPooledChunk {
			chunkPool.Put(d.chunk)
		}
		d.chunk = nil
	}
}

func (d *chunkedReader) freeSource() {
	if d.src != nil {
		d.src.Reset(nil)
		linePool.Put(d.src)
		d.src = nil
	}
}

// shortBody returns the error for a read that failed where the body must go on.
func shortBody(err error) error {
	if err == io.EOF {
		return s3err.IncompleteBody.Err()
	}
	return bodyError(err)
}

func badChunk() error {
	return s3err.InvalidRequest.Say("The aws-chunked body is not well formed.")
}
