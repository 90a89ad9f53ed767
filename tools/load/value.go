package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Value is what an object holds: bytes of sources, one run after the other.
type Value []Run

// Run is length bytes of a source from an offset on.
type Run struct {
	Source   uint64
	Off, Len int64
}

// Fresh is the first size bytes of a source.
func Fresh(source uint64, size int64) Value { return Value{{Source: source, Len: size}} }

// Size returns the length in bytes.
func (v Value) Size() (n int64) {
	for _, r := range v {
		n += r.Len
	}
	return n
}

// Slice returns length bytes from off, which must be inside.
func (v Value) Slice(off, length int64) (out Value) {
	for _, r := range v {
		if length == 0 {
			break
		}
		if off >= r.Len {
			off -= r.Len
			continue
		}
		n := min(r.Len-off, length)
		out = append(out, Run{r.Source, r.Off + off, n})
		off, length = 0, length-n
	}
	return out
}

// Join returns values one after the other.
func Join(vs ...Value) (out Value) {
	for _, v := range vs {
		out = append(out, v...)
	}
	return out
}

// word is one step of SplitMix64: the bytes of a source, eight at a time.
func word(source, index uint64) uint64 {
	z := source*0xd1342543de82ef95 + (index+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// fill writes the bytes of a source from off into p.
func fill(source uint64, off int64, p []byte) {
	var w [8]byte
	for len(p) > 0 {
		for ; off%8 == 0 && len(p) >= 8; off, p = off+8, p[8:] { // Nearly all of it: no copy.
			binary.LittleEndian.PutUint64(p, word(source, uint64(off)/8))
		}
		binary.LittleEndian.PutUint64(w[:], word(source, uint64(off)/8))
		n := copy(p, w[off%8:])
		off, p = off+int64(n), p[n:]
	}
}

// Reader reads a value. It is an io.ReadSeeker, which SDKs want of a body that they
// may have to send again.
type Reader struct {
	v    Value
	size int64
	at   int64
}

var _ io.ReadSeeker = (*Reader)(nil)

// NewReader returns a reader from the beginning of v.
func NewReader(v Value) *Reader { return &Reader{v: v, size: v.Size()} }

func (r *Reader) Read(p []byte) (int, error) {
	if r.at >= r.size {
		return 0, io.EOF
	}
	n := min(int64(len(p)), r.size-r.at)
	for done := int64(0); done < n; {
		for _, run := range r.v.Slice(r.at+done, n-done) {
			fill(run.Source, run.Off, p[done:done+run.Len])
			done += run.Len
		}
	}
	r.at += n
	return int(n), nil
}

// Seek implements io.Seeker.
func (r *Reader) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += r.at
	case io.SeekEnd:
		off += r.size
	}
	if off < 0 {
		return 0, errors.New("seek before the beginning")
	}
	r.at = off
	return off, nil
}

// Mismatch is an answer that differs from what it had to be.
type Mismatch struct{ What string }

func (m *Mismatch) Error() string { return m.What }

// compareBytes is how much is compared at once.
const compareBytes = 64 << 10

// Compare reads all of r and returns a *Mismatch where it is not v; other errors
// are r's.
func (v Value) Compare(r io.Reader) error {
	size := min(compareBytes, v.Size()+1) // One more than it has: what is longer shows.
	got, want := make([]byte, size), make([]byte, size)
	expected := NewReader(v)
	for at := int64(0); ; {
		n, err := readFull(r, got)
		if err != nil && err != io.EOF {
			return err
		}
		m, _ := io.ReadFull(expected, want[:n])
		if m < n {
			return &Mismatch{fmt.Sprintf("more than the %d bytes that it has", v.Size())}
		}
		if !bytes.Equal(got[:n], want[:n]) {
			return &Mismatch{fmt.Sprintf("other bytes from %d on, of %d", at+int64(differsAt(got[:n], want[:n])), v.Size())}
		}
		at += int64(n)
		if err == nil {
			continue
		}
		if at < v.Size() {
			return &Mismatch{fmt.Sprintf("%d bytes, it has %d", at, v.Size())}
		}
		return nil
	}
}

// readFull reads until buf is full or r ends, and returns r's own error: unlike
// io.ReadFull's, io.ErrUnexpectedEOF is an answer that was cut off.
func readFull(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

func differsAt(a, b []byte) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return len(a)
}
