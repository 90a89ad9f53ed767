package object

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkCopyRekey copies from one customer's key to another, several copies at
// once, each of four extents: alone, and with another node to help (which here is
// the same machine: it shows what the asking costs).
func BenchmarkCopyRekey(b *testing.B) {
	const size, extent = 16 << 20, 4 << 20
	for _, way := range []string{"alone", "helped"} {
		for _, atOnce := range []int{1, 4, 16} {
			b.Run(fmt.Sprintf("%s/%d", way, atOnce), func(b *testing.B) {
				p := peers{}
				o := setup{config: Config{ExtentMaxBytes: extent}}
				if way == "helped" {
					o.workers = p
				}
				w := newWorld(b, o)
				other := New(Deps{Meta: w.meta, Topology: w.meta, Engine: w.engine, Budget: w.budget}, o.config, Events{})
				p[2] = other.DoTask
				w.put("src", contentOf(size, 1), testKey('1'))
				src := CopySource{Bucket: testBucket, Key: "src", CustomerKey: testKey('1')}
				b.SetBytes(int64(atOnce) * size)
				start := cpu()
				for b.Loop() {
					var copies sync.WaitGroup
					for i := range atOnce {
						copies.Go(func() {
							c, err := w.Copy(context.Background(), &CopyInput{Description: Description{CustomerKey: testKey('2')}, Caller: alice, Source: src, Bucket: testBucket,
								Key: fmt.Sprint("dst", i)})
							if err == nil {
								_, err = c.Run(context.Background())
								c.Close()
							}
							if err != nil {
								b.Error(err)
							}
						})
					}
					copies.Wait()
					b.StopTimer()
					w.collect()
					b.StartTimer()
				}
				report(b, start, atOnce*size)
				require.Zero(b, w.count("here failed"))
			})
		}
	}
}
