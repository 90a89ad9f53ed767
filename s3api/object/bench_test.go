package object

import (
	"io"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/s3api/sse"
)

// cpu returns the processor time used so far, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// report adds CPU seconds per GiB, or microseconds per operation.
func report(b *testing.B, start float64, bytes int) {
	used := cpu() - start
	if bytes > 1<<20 {
		b.ReportMetric(used/(float64(bytes)*float64(b.N)/(1<<30)), "cpu-s/GiB")
		return
	}
	b.ReportMetric(used*1e6/float64(b.N), "cpu-µs/op")
}

const benchBytes = 64 << 20

// Benchmarks over stores in memory and metadata without Raft: what the object
// service, the engine and the state machine cost, and nothing else.

func BenchmarkPut(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
		k    *sse.CustomerKey
	}{{"4KiB", 4 << 10, nil}, {"64KiB", 64 << 10, nil}, {"64MiB", benchBytes, nil}, {"64MiB-ssec", benchBytes, testKey('1')}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, setup{config: Config{ExtentMaxBytes: 64 << 20}})
			body := contentOf(c.n, 1)
			start := cpu()
			for b.Loop() {
				w.put("k", body, c.k)
				if c.n == benchBytes {
					b.StopTimer()
					w.collect()
					b.StartTimer()
				}
			}
			report(b, start, c.n)
		})
	}
}

func BenchmarkGet(b *testing.B) {
	for _, c := range []struct {
		name string
		n    int
		k    *sse.CustomerKey
	}{{"4KiB", 4 << 10, nil}, {"64MiB", benchBytes, nil}, {"64MiB-ssec", benchBytes, testKey('1')}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, setup{config: Config{ExtentMaxBytes: 64 << 20}})
			w.put("k", contentOf(c.n, 1), c.k)
			start := cpu()
			for b.Loop() {
				g, err := w.Get(b.Context(), &GetInput{Caller: alice, Bucket: testBucket, Key: "k", CustomerKey: c.k})
				require.NoError(b, err)
				_, err = g.WriteTo(b.Context(), io.Discard)
				require.NoError(b, err)
			}
			report(b, start, c.n)
		})
	}
}

func BenchmarkCopyPart(b *testing.B) {
	for _, c := range []struct {
		name     string
		src, dst *sse.CustomerKey
	}{{"reference", nil, nil}, {"rekey", testKey('1'), testKey('2')}} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, setup{config: Config{ExtentMaxBytes: 64 << 20}})
			w.put("src", contentOf(benchBytes, 1), c.src)
			id := w.upload("dst", c.dst, "", false)
			start := cpu()
			for b.Loop() {
				p, err := w.CopyPart(b.Context(), &CopyPartInput{Caller: alice, Bucket: testBucket, Key: "dst", UploadID: id, PartNumber: 1,
					CustomerKey: c.dst, Source: CopySource{Bucket: testBucket, Key: "src", CustomerKey: c.src, Range: fromTo(1, benchBytes-2)}})
				require.NoError(b, err)
				_, err = p.Run(b.Context())
				require.NoError(b, err)
				p.Close()
				if c.dst != nil {
					b.StopTimer()
					w.collect()
					b.StartTimer()
				}
			}
			if c.dst == nil {
				report(b, start, 0)
				return
			}
			report(b, start, benchBytes)
		})
	}
}
