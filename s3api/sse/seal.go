package sse

import (
	"crypto/cipher"
	"encoding/binary"

	"github.com/cairnstore/cairn/cluster/errs"
)

const (
	nonceBytes = 12
	dataBytes  = SealIDBytes + 3*8 // Associated data of a package.
)

// packages seals and opens the packages of one extent. It holds the nonce and the associated data,
// so that no package costs an allocation.
type packages struct {
	aead  cipher.AEAD
	nonce [nonceBytes]byte
	data  [dataBytes]byte
}

func newPackages(d *DataKey, sealID []byte, extentPlain int64) packages {
	if len(sealID) != SealIDBytes || extentPlain < 0 {
		panic("sse: seal id or length of an extent that cannot exist")
	}
	p := packages{aead: newAEAD(derive(d.b[:], sealID, extentLabel))}
	copy(p.data[:], sealID)
	binary.BigEndian.PutUint64(p.data[SealIDBytes+16:], uint64(extentPlain))
	return p
}

// at sets nonce and associated data for package i, which has n bytes of plaintext.
func (p *packages) at(i, n int) {
	binary.BigEndian.PutUint64(p.nonce[nonceBytes-8:], uint64(i))
	binary.BigEndian.PutUint64(p.data[SealIDBytes:], uint64(i))
	binary.BigEndian.PutUint64(p.data[SealIDBytes+8:], uint64(n))
}

// Sealer seals the packages of one new extent. Each package may be sealed only once: a second time
// would use the same nonce for another plaintext. One goroutine at a time may use it.
type Sealer struct{ p packages }

// NewSealer returns the sealer of the extent with this seal id, which must be new, and this length
// of plaintext.
func NewSealer(d *DataKey, sealID []byte, extentPlain int64) *Sealer {
	return &Sealer{newPackages(d, sealID, extentPlain)}
}

// Overhead returns how many bytes sealing adds to a package.
func (s *Sealer) Overhead() int { return TagBytes }

// Seal seals frame[:n] in place as package number block. The result is frame[:n+Overhead()].
func (s *Sealer) Seal(frame []byte, n, block int) {
	s.p.at(block, n)
	s.p.aead.Seal(frame[:0:n+TagBytes], s.p.nonce[:], frame[:n], s.p.data[:])
}

// Opener opens packages of one extent. One goroutine at a time may use it.
type Opener struct{ p packages }

// NewOpener returns the opener of the extent with this seal id and this length of plaintext.
func NewOpener(d *DataKey, sealID []byte, extentPlain int64) *Opener {
	return &Opener{newPackages(d, sealID, extentPlain)}
}

// Overhead returns how many bytes sealing has added to a package.
func (o *Opener) Overhead() int { return TagBytes }

// Open opens package number block in place and returns its plaintext, which is a prefix of sealed.
// Errors: Corrupt, if the package is not the one that was sealed there.
func (o *Opener) Open(sealed []byte, block int) ([]byte, error) {
	n := len(sealed) - TagBytes
	if n < 0 {
		return nil, errs.Newf("sse.Open", errs.Corrupt, "package %d is shorter than its tag", block)
	}
	o.p.at(block, n)
	plain, err := o.p.aead.Open(sealed[:0], o.p.nonce[:], sealed, o.p.data[:])
	if err != nil {
		return nil, errs.Newf("sse.Open", errs.Corrupt, "package %d does not authenticate", block)
	}
	return plain, nil
}

// SealInline seals a part that is kept in its record, as package 0 of an extent of the part's
// length. It does not change plain.
func SealInline(d *DataKey, sealID, plain []byte) []byte {
	out := make([]byte, len(plain)+TagBytes)
	copy(out, plain)
	NewSealer(d, sealID, int64(len(plain))).Seal(out, len(plain), 0)
	return out
}

// OpenInline is the reverse of SealInline. It does not change sealed. Errors: Corrupt.
func OpenInline(d *DataKey, sealID, sealed []byte) ([]byte, error) {
	if len(sealID) != SealIDBytes || len(sealed) < TagBytes {
		return nil, errs.Newf("sse.OpenInline", errs.Corrupt, "a sealed inline part of %d bytes cannot exist", len(sealed))
	}
	o := NewOpener(d, sealID, int64(len(sealed)-TagBytes))
	return o.Open(append([]byte(nil), sealed...), 0)
}
