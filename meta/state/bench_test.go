package state

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/meta/metapb"
)

const benchBatch = 64 // Commands a Raft batch.

// cpu returns the CPU time that the process has used: on a busy machine it says
// more than the clock.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchClient returns a client whose state holds n objects.
func benchClient(b *testing.B, n int) *client {
	m := &machine{t: b, fs: vfs.NewMem(), dir: "meta"}
	m.open()
	b.Cleanup(m.close)
	c := newClient(b, m, 1, 4, 2)
	c.bucket(b, "bucket")
	for i := range n {
		m.append(c.stamp(put("bucket", benchKey(i), 1_000_000+i, make([]byte, 100))))
		if i%500 == 499 {
			m.catchUp()
		}
	}
	m.catchUp()
	require.NoError(b, m.s.Flush())
	return c
}

func reportCPU(b *testing.B, start time.Duration) {
	b.ReportMetric(float64((cpu()-start).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func benchKey(i int) string { return fmt.Sprintf("photos/%04d/%06d.jpg", i%100, i) }

// benchApply applies n commands, made outside the clock, in batches.
func benchApply(b *testing.B, c *client, command func(i int) *metapb.Command) {
	b.ReportAllocs()
	i := 0
	var used time.Duration
	defer func() { b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/op") }()
	for i < b.N {
		b.StopTimer()
		from := len(c.m.log)
		for range min(benchBatch, b.N-i) {
			cmd := c.stamp(command(i))
			cmd.Floor = max(cmd.Seq, benchBatch) - benchBatch + 1
			c.m.append(cmd)
			i++
		}
		batch := c.m.log[from:]
		b.StartTimer()
		start := cpu()
		rs, err := c.m.s.Apply(batch)
		used += cpu() - start
		if err != nil || rs[len(rs)-1].Refusal != 0 {
			b.Fatal(err, rs[len(rs)-1])
		}
		clear(batch)
	}
}

func BenchmarkApplyPutInline4K(b *testing.B) {
	c := benchClient(b, 10000)
	body := make([]byte, 4096)
	b.ResetTimer()
	benchApply(b, c, func(i int) *metapb.Command { return put("bucket", "new/"+benchKey(i), i, body) })
}

func BenchmarkApplyOverwriteInline4K(b *testing.B) {
	c := benchClient(b, 10000)
	body := make([]byte, 4096)
	b.ResetTimer()
	benchApply(b, c, func(i int) *metapb.Command { return put("bucket", benchKey(i%10000), i, body) })
}

// BenchmarkApplyPutVersion4K puts 100 versions of each key.
func BenchmarkApplyPutVersion4K(b *testing.B) {
	c := benchClient(b, 0)
	c.ok(b, &metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{
		Bucket: "bucket", Versioning: metapb.Versioning_VERSIONING_ENABLED}}})
	body := make([]byte, 4096)
	b.ResetTimer()
	benchApply(b, c, func(i int) *metapb.Command {
		p := put("bucket", benchKey(i/100), i, body)
		p.GetPutObject().Version.VersionId = fmt.Sprint("version", i)
		return p
	})
}

func BenchmarkApplyPutExtent(b *testing.B) {
	c := benchClient(b, 10000)
	b.ResetTimer()
	leaseFor(b, c, b.N)
	benchApply(b, c, func(i int) *metapb.Command {
		return putExtent("bucket", "new/"+benchKey(i), i, 1, uint64(i+257), 1<<20)
	})
}

// leaseFor leases numbers of volume 1 for n extents after the first block.
func leaseFor(b *testing.B, c *client, n int) {
	b.StopTimer()
	for range n/256 + 1 {
		c.ok(b, &metapb.Command{Op: &metapb.Command_LeaseExtents{LeaseExtents: &metapb.LeaseExtents{Volumes: []uint32{1}}}})
	}
	b.StartTimer()
}

func BenchmarkApplyDeleteInline(b *testing.B) {
	c := benchClient(b, b.N)
	b.ResetTimer()
	benchApply(b, c, func(i int) *metapb.Command { return deleteKeys("bucket", benchKey(i)) })
}

func BenchmarkApplyDeleteExtent(b *testing.B) {
	c := benchClient(b, 10000)
	leaseFor(b, c, b.N)
	for i := range b.N {
		c.ok(b, putExtent("bucket", "new/"+benchKey(i), i, 1, uint64(i+257), 1<<20))
	}
	b.ResetTimer()
	benchApply(b, c, func(i int) *metapb.Command { return deleteKeys("bucket", "new/"+benchKey(i)) })
}

func createUpload(upload int, bucket, key string) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_CreateUpload{CreateUpload: &metapb.CreateUpload{
		Upload: &metapb.Upload{Id: id(upload), Bucket: bucket, Key: key, Initiator: "me"}}}}
}

func putPart(upload int, bucket, key string, p *metapb.Part, fresh []*metapb.NewExtent) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_PutPart{PutPart: &metapb.PutPart{UploadId: id(upload), Bucket: bucket,
		Key: key, Initiator: "me", Part: p, Extents: fresh}}}
}

func BenchmarkApplyPutPart(b *testing.B) {
	c := benchClient(b, 10000)
	leaseFor(b, c, b.N)
	for i := range b.N/10000 + 1 {
		c.ok(b, createUpload(-i, "bucket", "large"))
	}
	b.ResetTimer()
	benchApply(b, c, func(i int) *metapb.Command {
		p, fresh := extentPart(uint32(i%10000+1), 1, uint64(i+257), 8<<20)
		return putPart(-(i / 10000), "bucket", "large", p, fresh)
	})
}

// completeAll returns the completion of an upload with all n parts of a size.
func completeAll(upload, n int, size uint64, bucket, key string) *metapb.Command {
	l := &metapb.Layout{}
	for i := range n {
		l.Numbers = append(l.Numbers, uint32(i+1))
		l.Sizes = append(l.Sizes, size)
	}
	return &metapb.Command{Op: &metapb.Command_CompleteUpload{CompleteUpload: &metapb.CompleteUpload{
		UploadId: id(upload), Bucket: bucket, Key: key, Initiator: "me", Revision: uint64(n), Layout: l,
		ListDigest: []byte("digest"),
		Version:    &metapb.Version{Size: uint64(n) * size, Parts: uint32(n), Etag: "e-1", ModifiedMs: 1}}}}
}

func BenchmarkApplyComplete10000(b *testing.B) {
	c := benchClient(b, 100)
	const parts = 10000
	for i := range b.N {
		c.ok(b, createUpload(i, "bucket", fmt.Sprint("large", i)))
		for n := range parts {
			p := &metapb.Part{Number: uint32(n + 1), Size: 1, Inline: []byte("x")}
			c.m.append(c.stamp(putPart(i, "bucket", fmt.Sprint("large", i), p, nil)))
			if n%500 == 499 {
				c.m.catchUp()
			}
		}
		clear(c.m.log)
	}
	b.ResetTimer()
	benchApply(b, c, func(i int) *metapb.Command {
		return completeAll(i, parts, 1, "bucket", fmt.Sprint("large", i))
	})
}

func BenchmarkQueryGetInline(b *testing.B) {
	c := benchClient(b, 20000)
	b.ReportAllocs()
	defer reportCPU(b, cpu())
	b.ResetTimer()
	for i := range b.N {
		a, err := c.m.s.Query(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{
			Bucket: "bucket", Key: benchKey(i * 7919 % 20000)}}})
		if err != nil || len(a.GetObject().GetContent().GetPieces()) != 1 {
			b.Fatal(err, a)
		}
	}
}

func BenchmarkQueryList1000(b *testing.B) {
	c := benchClient(b, 20000)
	b.ReportAllocs()
	defer reportCPU(b, cpu())
	b.ResetTimer()
	for b.Loop() {
		a, err := c.m.s.Query(&metapb.Query{Op: &metapb.Query_ListObjects{ListObjects: &metapb.ListObjects{
			Bucket: "bucket", Prefix: "photos/", MaxKeys: 1000}}})
		if err != nil || len(a.GetList().GetEntries()) != 1000 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
}

func BenchmarkQueryListPrefixes(b *testing.B) {
	c := benchClient(b, 20000)
	defer reportCPU(b, cpu())
	b.ResetTimer()
	for b.Loop() {
		a, err := c.m.s.Query(&metapb.Query{Op: &metapb.Query_ListObjects{ListObjects: &metapb.ListObjects{
			Bucket: "bucket", Prefix: "photos/", Delimiter: "/", MaxKeys: 1000}}})
		if err != nil || len(a.GetList().GetEntries()) != 100 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/prefix")
}
