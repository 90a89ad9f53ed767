package object

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/proof"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// TestAssembledObjects builds objects of uploaded and copied parts at random, the
// copies from such objects again, and compares them with plain slices of bytes.
func TestAssembledObjects(t *testing.T) {
	w := newWorld(t, setup{})
	keys := []*sse.CustomerKey{nil, nil, testKey('1'), testKey('2')}
	rapid.Check(t, func(t *rapid.T) {
		type object struct {
			bytes []byte
			key   *sse.CustomerKey
		}
		var made []object
		for o := range rapid.IntRange(2, 4).Draw(t, "objects") {
			key := rapid.SampledFrom(keys).Draw(t, "key")
			name := fmt.Sprint("o", o)
			id := w.upload(name, key, "", false)
			var whole []byte
			var list []CompletePart
			for p := 1; p <= rapid.IntRange(1, 4).Draw(t, "parts"); p++ {
				var b []byte
				var etag string
				if from := rapid.IntRange(-1, len(made)-1).Draw(t, "from"); from < 0 {
					b = contentOf(size(t), uint64(o*10+p))
					etag = w.part(name, id, p, b, key).Etag
				} else {
					src := made[from]
					first := rapid.IntRange(0, len(src.bytes)-1).Draw(t, "first")
					last := min(len(src.bytes)-1, first+size(t)-1)
					b = src.bytes[first : last+1]
					c, err := w.CopyPart(w.t.Context(), &CopyPartInput{Caller: alice, Bucket: testBucket, Key: name, UploadID: id,
						PartNumber: p, CustomerKey: key, Source: CopySource{Bucket: testBucket, Key: fmt.Sprint("o", from),
							CustomerKey: src.key, Range: fromTo(first, last)}})
					require.NoError(t, err)
					done, err := c.Run(w.t.Context())
					require.NoError(t, err)
					c.Close()
					etag = done.ETag
				}
				whole = append(whole, b...)
				list = append(list, CompletePart{Number: p, ETag: etag})
			}
			v := w.complete(name, id, list)
			if sum := valueOf(v.Checksums, "CRC64NVME"); sum != nil {
				require.Equal(t, proof.CRC(checksum.CRC64NVME, []proof.Run{proof.Computed(int64(len(whole)), stripe.SumsOf(whole))}), sum, "a checksum that is told is right")
			}
			made = append(made, object{whole, key})
		}
		w.collect()
		for o, m := range made {
			got, _ := w.get(fmt.Sprint("o", o), m.key, Range{})
			require.True(t, bytes.Equal(m.bytes, got), "object %d", o)
		}
	})
	require.Zero(t, w.orphans())
}

// size draws the length of a part, around the borders.
func size(t *rapid.T) int {
	border := rapid.SampledFrom([]int{1, 100, 8192, shard.BlockBytes, 4 * shard.BlockBytes, testExtent}).Draw(t, "border")
	return max(1, border+rapid.IntRange(-20, 20).Draw(t, "off"))
}
