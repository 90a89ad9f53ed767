package checksum_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/s3api/checksum"
)

// TestKnownValues takes the check values of the CRC catalogue and of FIPS 180 for
// "123456789".
func TestKnownValues(t *testing.T) {
	for algorithm, want := range map[string]string{
		checksum.CRC32:     "y/Q5Jg==",
		checksum.CRC32C:    "4waSgw==",
		checksum.CRC64NVME: "rosUhgp5mIg=",
		checksum.SHA1:      "98O8HYCOBHMq32eZZczDTKeuNEE=",
		checksum.SHA256:    "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
	} {
		h := checksum.New(algorithm)
		_, _ = h.Write([]byte("123456789"))
		require.Equal(t, want, checksum.Format(h.Sum(nil)), algorithm)
		value, err := checksum.Parse(algorithm, want)
		require.NoError(t, err)
		require.Equal(t, h.Sum(nil), value)
		require.Equal(t, h.Size(), checksum.Size(algorithm))
	}
}

// TestKnownValuesOfNothing takes the values of the empty input that the specifications
// of MD5, SHA-512 and XXH publish, big endian as S3 writes them.
func TestKnownValuesOfNothing(t *testing.T) {
	for algorithm, want := range map[string]string{
		checksum.MD5: "d41d8cd98f00b204e9800998ecf8427e",
		checksum.SHA512: "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce" +
			"47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
		checksum.XXHASH64:  "ef46db3751d8e999",
		checksum.XXHASH3:   "2d06800538d394c2",
		checksum.XXHASH128: "99aa06d3014798d86001c324468d497f",
	} {
		h := checksum.New(algorithm)
		require.Equal(t, want, hex.EncodeToString(h.Sum(nil)), algorithm)
		require.Equal(t, h.Size(), checksum.Size(algorithm))
		require.False(t, checksum.Combines(algorithm), algorithm)
		require.True(t, checksum.Composes(algorithm), algorithm)
		_, _ = h.Write([]byte("123456789"))
		whole := h.Sum(nil)
		h.Reset()
		for _, c := range []byte("123456789") {
			_, _ = h.Write([]byte{c})
		}
		require.Equal(t, whole, h.Sum(nil), algorithm)
	}
}

func TestNames(t *testing.T) {
	for _, a := range checksum.Algorithms() {
		got, ok := checksum.FromHeader(checksum.Header(a))
		require.True(t, ok)
		require.Equal(t, a, got)
		require.NotNil(t, checksum.New(a))
	}
	got, ok := checksum.FromHeader("X-Amz-Checksum-Crc64nvme")
	require.True(t, ok)
	require.Equal(t, checksum.CRC64NVME, got)
	for _, name := range []string{"", "x-amz-checksum-", "x-amz-checksum-mode", "x-amz-checksum-crc3", "content-md5"} {
		_, ok = checksum.FromHeader(name)
		require.False(t, ok, name)
	}
	require.Nil(t, checksum.New("MD4"))
	require.Zero(t, checksum.Size(""))
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "AAAA", "AAAAAAA=", "AAAAAA=", "AAAAAA==\n", "AAAAAB==", "!!!!!!==", "AAAAAAAA"} {
		_, err := checksum.Parse(checksum.CRC32, text)
		require.Error(t, err, "%q", text)
	}
	_, err := checksum.Parse("MD4", "AAAAAA==")
	require.Error(t, err)
}

// TestCombine checks that the CRC of a whole follows from those of any cut of it.
func TestCombine(t *testing.T) {
	sum := func(algorithm string, p []byte) []byte {
		h := checksum.New(algorithm)
		_, _ = h.Write(p)
		return h.Sum(nil)
	}
	rapid.Check(t, func(t *rapid.T) {
		algorithm := rapid.SampledFrom([]string{checksum.CRC32, checksum.CRC32C, checksum.CRC64NVME}).Draw(t, "algorithm")
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 3000), 0, 8).Draw(t, "parts")
		var whole []byte
		combined := sum(algorithm, nil)
		for _, p := range parts {
			whole = append(whole, p...)
			combined = checksum.Combine(algorithm, combined, sum(algorithm, p), uint64(len(p)))
		}
		if string(combined) != string(sum(algorithm, whole)) {
			t.Fatalf("combined %x, computed %x", combined, sum(algorithm, whole))
		}
	})
}

// TestCombineZeros checks lengths of many bits against lengths added up by halves.
func TestCombineZeros(t *testing.T) {
	for _, algorithm := range []string{checksum.CRC32, checksum.CRC32C, checksum.CRC64NVME} {
		zeros := checksum.New(algorithm)
		_, _ = zeros.Write([]byte{0})
		value, length := zeros.Sum(nil), uint64(1)
		for range 45 { // Doubling: 2^45 zero bytes.
			value = checksum.Combine(algorithm, value, value, length)
			length *= 2
		}
		// 2^45 = (2^45 - 3) + 3, in one step.
		three := checksum.New(algorithm)
		_, _ = three.Write(make([]byte, 3))
		rest := checksum.New(algorithm).Sum(nil)
		for i := uint64(0); i < 45; i++ {
			if (length-3)&(1<<i) == 0 {
				continue
			}
			part, n := checksum.New(algorithm), uint64(1)
			_, _ = part.Write([]byte{0})
			p := part.Sum(nil)
			for range i {
				p, n = checksum.Combine(algorithm, p, p, n), n*2
			}
			rest = checksum.Combine(algorithm, rest, p, n)
		}
		require.Equal(t, value, checksum.Combine(algorithm, three.Sum(nil), rest, length-3), algorithm)
	}
	require.Nil(t, checksum.Combine(checksum.SHA1, make([]byte, 20), make([]byte, 20), 1))
	require.Nil(t, checksum.Combine(checksum.CRC32, make([]byte, 8), make([]byte, 4), 1))
}

func TestComposite(t *testing.T) {
	h := checksum.New(checksum.SHA256)
	_, _ = h.Write([]byte("ab"))
	require.Equal(t, h.Sum(nil), checksum.Composite(checksum.SHA256, [][]byte{[]byte("a"), []byte("b")}))
	require.Nil(t, checksum.Composite(checksum.CRC64NVME, nil))
}

func BenchmarkCombine(b *testing.B) {
	x := make([]byte, 8)
	for b.Loop() {
		x = checksum.Combine(checksum.CRC64NVME, x, x, 5<<20)
	}
}
