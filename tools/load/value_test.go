package load

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func bytesOf(t require.TestingT, v Value) []byte {
	data, err := io.ReadAll(NewReader(v))
	require.NoError(t, err)
	require.Len(t, data, int(v.Size()))
	return data
}

func TestReader(t *testing.T) {
	v := Join(Fresh(1, 1000), Fresh(2, 0), Fresh(3, 77).Slice(5, 70))
	require.NoError(t, iotest.TestReader(NewReader(v), bytesOf(t, v)))
}

// A slice of a value is that value's bytes, however it was put together.
func TestSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v Value
		for i := range rapid.IntRange(1, 5).Draw(t, "runs") {
			v = Join(v, Fresh(uint64(i%2), rapid.Int64Range(0, 40).Draw(t, "size")))
		}
		whole := bytesOf(t, v)
		off := rapid.Int64Range(0, v.Size()).Draw(t, "off")
		n := rapid.Int64Range(0, v.Size()-off).Draw(t, "length")
		require.Equal(t, whole[off:off+n], bytesOf(t, v.Slice(off, n)))
	})
}

func TestCompare(t *testing.T) {
	v := Fresh(7, 200_000)
	whole := bytesOf(t, v)
	flipped := bytes.Clone(whole)
	flipped[150_001] ^= 1
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"equal":   {whole, ""},
		"short":   {whole[:199_999], "199999 bytes, it has 200000"},
		"empty":   {nil, "0 bytes, it has 200000"},
		"long":    {append(bytes.Clone(whole), 0), "more than the 200000 bytes that it has"},
		"flipped": {flipped, "other bytes from 150001 on, of 200000"},
	} {
		err := v.Compare(iotest.OneByteReader(bytes.NewReader(c.got)))
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		var m *Mismatch
		require.ErrorAs(t, err, &m, name)
		require.Equal(t, c.want, m.What, name)
	}
	broken := iotest.ErrReader(io.ErrClosedPipe)
	require.ErrorIs(t, v.Compare(broken), io.ErrClosedPipe)
	cut := io.MultiReader(NewReader(v.Slice(0, v.Size()/2)), iotest.ErrReader(io.ErrUnexpectedEOF))
	require.Equal(t, io.ErrUnexpectedEOF, v.Compare(cut), "an answer that was cut off is no wrong one")
}
