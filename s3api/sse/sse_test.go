package sse

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// pattern returns n bytes that count up from first.
func pattern(n int, first byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = first + byte(i)
	}
	return b
}

func customerKey(n int, first byte) *CustomerKey { return &CustomerKey{Key: pattern(n, first)} }

func dataKey(first byte) *DataKey {
	d := new(DataKey)
	copy(d.b[:], pattern(KeyBytes, first))
	return d
}

// TestGolden pins the format: what was sealed must open for ever.
func TestGolden(t *testing.T) {
	e32 := sealEnvelope(customerKey(32, 1), dataKey(100), pattern(saltBytes, 50))
	e64 := sealEnvelope(customerKey(64, 1), dataKey(100), pattern(saltBytes, 50))
	pkg := append(pattern(20, 7), make([]byte, TagBytes)...)
	NewSealer(dataKey(100), pattern(SealIDBytes, 9), 65540).Seal(pkg, 20, 3)
	for _, c := range []struct{ name, got, want string }{
		{"envelope, 32-byte key", hex.EncodeToString(e32.WrappedKey),
			goldenEnvelope32},
		{"envelope, 64-byte key", hex.EncodeToString(e64.WrappedKey),
			goldenEnvelope64},
		{"package", hex.EncodeToString(pkg), goldenPackage},
		{"key check", hex.EncodeToString(keyCheck(pattern(saltBytes, 50), customerKey(32, 1))), goldenKeyCheck},
	} {
		require.Equal(t, c.want, c.got, c.name)
	}
}

// TestPackageByHand seals a package with nothing but the standard library, as
// docs/architecture.md says.
func TestPackageByHand(t *testing.T) {
	d, id, plain := dataKey(3), pattern(SealIDBytes, 200), pattern(1000, 0)
	const i, extent = 77, 5_000_000
	key, err := hkdf.Key(sha256.New, d.b[:], id, "cairn extent v1", 32)
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	gcm, err := cipher.NewGCM(block)
	require.NoError(t, err)
	nonce := append(make([]byte, 4), binary.BigEndian.AppendUint64(nil, i)...)
	data := append([]byte(nil), id...)
	for _, v := range []uint64{i, uint64(len(plain)), extent} {
		data = binary.BigEndian.AppendUint64(data, v)
	}
	want := gcm.Seal(nil, nonce, plain, data)

	frame := append(bytes.Clone(plain), make([]byte, TagBytes)...)
	NewSealer(d, id, extent).Seal(frame, len(plain), i)
	require.Equal(t, want, frame)
}

func TestEnvelope(t *testing.T) {
	ctx := context.Background()
	for _, n := range []int{32, 64} {
		k, d := customerKey(n, 1), NewDataKey()
		e, err := WrappingKey(k).Wrap(ctx, d)
		require.NoError(t, err)
		require.Equal(t, metapb.EncryptionKind_ENCRYPTION_SSE_C, e.Kind)
		again, err := k.Unwrap(ctx, e)
		require.NoError(t, err)
		require.Equal(t, d.b, again.b)

		second, _ := k.Wrap(ctx, d)
		require.NotEqual(t, e.WrappedKey, second.WrappedKey, "every envelope has its own salt")

		_, err = customerKey(n, 2).Unwrap(ctx, e)
		require.Equal(t, errs.Denied, errs.KindOf(err))
	}
}

// TestLongKeyIsNotCut: the first half of a 64-byte key is another key.
func TestLongKeyIsNotCut(t *testing.T) {
	long, half := customerKey(64, 1), customerKey(32, 1)
	e := SealEnvelope(long, NewDataKey())
	_, err := OpenEnvelope(half, e)
	require.Equal(t, errs.Denied, errs.KindOf(err))
	require.False(t, Matches(KeyCheck(long), half))
	other := customerKey(64, 1)
	other.Key[63] ^= 1
	require.False(t, Matches(KeyCheck(long), other))
	_, err = OpenEnvelope(other, e)
	require.Error(t, err)
}

func TestEnvelopeTampering(t *testing.T) {
	k := customerKey(32, 1)
	good := SealEnvelope(k, NewDataKey())
	for name, spoil := range map[string]func(*metapb.Envelope){
		"bit of the key":  func(e *metapb.Envelope) { e.WrappedKey[0] ^= 1 },
		"bit of the tag":  func(e *metapb.Envelope) { e.WrappedKey[47] ^= 1 },
		"bit of the salt": func(e *metapb.Envelope) { e.Salt[0] ^= 1 },
		"short":           func(e *metapb.Envelope) { e.WrappedKey = e.WrappedKey[:47] },
		"long":            func(e *metapb.Envelope) { e.WrappedKey = append(e.WrappedKey, 0) },
		"no salt":         func(e *metapb.Envelope) { e.Salt = nil },
		"empty":           func(e *metapb.Envelope) { proto.Reset(e) },
		"of a KMS":        func(e *metapb.Envelope) { e.Kind = metapb.EncryptionKind_ENCRYPTION_SSE_KMS },
	} {
		e := proto.Clone(good).(*metapb.Envelope)
		spoil(e)
		_, err := OpenEnvelope(k, e)
		require.Error(t, err, name)
	}
}

func TestKeyCheck(t *testing.T) {
	k := customerKey(32, 1)
	e := KeyCheck(k)
	require.True(t, Matches(e, k))
	require.True(t, Matches(e, customerKey(32, 1)))
	require.False(t, Matches(e, customerKey(32, 2)))
	require.False(t, Matches(e, nil))
	require.False(t, Matches(nil, k))
	require.False(t, Matches(&metapb.Encryption{}, k))
	require.False(t, Matches(&metapb.Encryption{Kind: metapb.EncryptionKind_ENCRYPTION_SSE_C}, k))
	require.NotEqual(t, e.KeySalt, KeyCheck(k).KeySalt)
	require.False(t, bytes.Contains(e.KeyCheck, k.Key[:16]))
}

func seal(d *DataKey, id []byte, extent int64, i int, plain []byte) []byte {
	frame := make([]byte, len(plain)+TagBytes)
	copy(frame, plain)
	NewSealer(d, id, extent).Seal(frame, len(plain), i)
	return frame
}

// TestPackagesInPlace: whatever is sealed opens in its own place and nowhere else.
func TestPackagesInPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, id := NewDataKey(), NewSealID()
		extent := rapid.Int64Range(1, 64<<20).Draw(t, "extent")
		i := rapid.IntRange(0, 1100).Draw(t, "package")
		plain := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "plain")
		sealed := seal(d, id, extent, i, plain)
		open := func(d *DataKey, id []byte, extent int64, i int, sealed []byte) error {
			got, err := NewOpener(d, id, extent).Open(bytes.Clone(sealed), i)
			if err == nil && !bytes.Equal(got, plain) {
				t.Fatalf("opened to other bytes")
			}
			if err != nil && errs.KindOf(err) != errs.Corrupt {
				t.Fatalf("kind %v", errs.KindOf(err))
			}
			return err
		}
		if err := open(d, id, extent, i, sealed); err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			"other place":     open(d, id, extent, i+1, sealed),
			"longer extent":   open(d, id, extent+1, i, sealed),
			"other extent":    open(d, NewSealID(), extent, i, sealed),
			"other part":      open(NewDataKey(), id, extent, i, sealed),
			"truncated":       open(d, id, extent, i, sealed[:len(sealed)-1]),
			"tag alone":       open(d, id, extent, i, sealed[:min(TagBytes, len(sealed)-1)]),
			"nothing":         open(d, id, extent, i, nil),
			"lengthened":      open(d, id, extent, i, append(bytes.Clone(sealed), 0)),
			"replayed":        open(d, id, extent, i, seal(d, id, extent, i+1, plain)),
			"of another time": open(d, id, extent, i, seal(d, NewSealID(), extent, i, plain)),
		} {
			if err == nil {
				t.Fatalf("%s: opens", name)
			}
		}
		spoiled := bytes.Clone(sealed)
		bit := rapid.IntRange(0, 8*len(sealed)-1).Draw(t, "bit")
		spoiled[bit/8] ^= 1 << (bit % 8)
		if open(d, id, extent, i, spoiled) == nil {
			t.Fatalf("opens with bit %d flipped", bit)
		}
	})
}

// TestSealKeepsWithinItsRoom: Seal does not touch the bytes behind a package, which belong to
// somebody else.
func TestSealKeepsWithinItsRoom(t *testing.T) {
	frame := pattern(100, 0)
	NewSealer(dataKey(1), pattern(16, 0), 50).Seal(frame, 50, 0)
	require.Equal(t, pattern(100, 0)[66:], frame[66:])
	require.Panics(t, func() { NewSealer(dataKey(1), pattern(16, 0), 50).Seal(make([]byte, 60), 50, 0) }, "no room for the tag")
}

func TestInline(t *testing.T) {
	d, id := NewDataKey(), NewSealID()
	for _, n := range []int{0, 1, 15, 16, 17, 4096, 8192} {
		plain := pattern(n, 5)
		sealed := SealInline(d, id, plain)
		require.Len(t, sealed, n+TagBytes)
		before := bytes.Clone(sealed)
		got, err := OpenInline(d, id, sealed)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, got))
		require.Equal(t, before, sealed, "the record is not changed")
		_, err = OpenInline(d, NewSealID(), sealed)
		require.Error(t, err)
		_, err = OpenInline(d, id, sealed[:len(sealed)-1])
		require.Error(t, err)
		_, err = OpenInline(d, nil, sealed)
		require.Equal(t, errs.Corrupt, errs.KindOf(err))
	}
}

func TestWipe(t *testing.T) {
	d := NewDataKey()
	sealed := SealInline(d, pattern(16, 0), []byte("x"))
	o := NewOpener(d, pattern(16, 0), 1)
	d.Wipe()
	require.Equal(t, [KeyBytes]byte{}, d.b)
	_, err := o.Open(sealed, 0)
	require.NoError(t, err, "an Opener keeps working")
	(*DataKey)(nil).Wipe()
}

// TestKeysAreNotPrinted: no verb, pointer or struct prints a key.
func TestKeysAreNotPrinted(t *testing.T) {
	k, d := CustomerKey{Key: bytes.Repeat([]byte("K"), 32)}, dataKey('A')
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{k, &k, d, struct{ K *CustomerKey }{&k}, struct{ K CustomerKey }{k}, []*DataKey{d}} {
			got := fmt.Sprintf(verb, v)
			for _, secret := range []string{"KKKK", "4b4b4b", "4B4B4B", "75 75", "ABCD", "414243", "65 66 67"} {
				require.NotContains(t, got, secret, "%s of %T", verb, v)
			}
			_ = strings.ToLower(got)
		}
	}
}

func TestBadKeyLengthPanics(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33, 63, 65} {
		require.Panics(t, func() { KeyCheck(&CustomerKey{Key: make([]byte, n)}) }, "%d bytes", n)
	}
}

// TestPackagesCostNoAllocation: one package is 64 KiB of a stream of gigabytes.
func TestPackagesCostNoAllocation(t *testing.T) {
	s, o := NewSealer(dataKey(1), pattern(16, 0), 1<<20), NewOpener(dataKey(1), pattern(16, 0), 1<<20)
	frame := make([]byte, 65536)
	const n = 65536 - TagBytes
	require.Zero(t, testing.AllocsPerRun(20, func() {
		s.Seal(frame, n, 5)
		if _, err := o.Open(frame, 5); err != nil {
			t.Fatal(err)
		}
	}))
}

func BenchmarkSeal(b *testing.B) {
	s := NewSealer(dataKey(1), pattern(16, 0), 1<<20)
	frame := make([]byte, 65536)
	b.SetBytes(65536)
	for i := range b.N {
		s.Seal(frame, 65536-TagBytes, i)
	}
}
