package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// BenchmarkExtentBytes keeps b.N objects of one extent each, about what an object of
// up to 64 MiB takes, and reports the bytes of metadata for each by kind of record,
// as they lie compressed on the disk. Meant for -benchtime 2000000x.
func BenchmarkExtentBytes(b *testing.B) {
	m := &machine{t: b, fs: vfs.NewMem(), dir: "meta", cache: 64 << 20}
	m.open()
	b.Cleanup(m.close)
	c := newClient(b, m, 1, 8, 4)
	c.bucket(b, "bucket")
	chance := rand.New(rand.NewPCG(1, 1))
	b.ResetTimer()
	for i := 0; i < b.N; {
		b.StopTimer()
		leaseFor(b, c, benchLeases)
		b.StartTimer()
		for n := min(benchLeases, b.N-i); n > 0; n-- {
			m.append(c.stamp(asWritten(putExtent("bucket", benchKey(i), i, 1, uint64(i+257), benchExtent), chance)))
			i++
		}
		m.catchUp()
		clear(m.log)
	}
	b.StopTimer()
	require.NoError(b, m.s.Flush())
	require.NoError(b, m.s.db.Compact(b.Context(), []byte{0}, []byte{0xff}, true))
	reportKinds(b, m)
}

const (
	benchLeases = 64 * 256 // Extents that are leased at once: whole blocks.
	benchExtent = 32 << 20
)

// asWritten fills in what the object service does: ids, ETags and checksums are
// random and do not compress.
func asWritten(c *metapb.Command, chance *rand.Rand) *metapb.Command {
	p := c.GetPutObject()
	content := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, chance.Uint64()), chance.Uint64())
	etag := fmt.Sprintf("%016x%016x", chance.Uint64(), chance.Uint64())
	p.Version.ContentId, p.Version.Etag, p.Part.Etag = content, etag, etag
	p.Version.ModifiedMs = 1_700_000_000_000 + int64(chance.Uint32())
	p.Part.ModifiedMs = p.Version.ModifiedMs
	p.Version.Checksums = []*metapb.Checksum{{Value: binary.BigEndian.AppendUint64(nil, chance.Uint64())}}
	e := p.Extents[0].Extent
	e.FullBlocks, e.TailBlockBytes, e.HasCrcs = 512, 64<<10, true
	e.Crc64, e.Crc32, e.Crc32C = chance.Uint64(), chance.Uint32(), chance.Uint32()
	return c
}

// reportKinds reports the size on the disk of each kind of record, for each extent.
func reportKinds(b *testing.B, m *machine) {
	var sum float64
	for name, kind := range map[string]keys.Kind{"object": keys.KindObject, "part": keys.KindPart,
		"extent": keys.KindExtent, "reference": keys.KindRef} {
		size, err := m.s.db.EstimateDiskUsage([]byte{byte(kind)}, []byte{byte(kind) + 1})
		require.NoError(b, err)
		b.ReportMetric(float64(size)/float64(b.N), name+"-B/extent")
		sum += float64(size)
	}
	b.ReportMetric(sum/float64(b.N), "B/extent")
}

// BenchmarkViewAnswer answers the view of a large cluster, whole, and what has changed in it with
// one slot: what every node asks for after every change of a slot.
func BenchmarkViewAnswer(b *testing.B) {
	for _, volumes := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("volumes=%d", volumes), func(b *testing.B) {
			m := &machine{t: b, fs: vfs.NewMem(), dir: "meta", cache: 64 << 20}
			m.open()
			b.Cleanup(m.close)
			formLarge(b, m, 1000, 12, volumes)
			answer := func(b *testing.B, q *metapb.GetView) {
				b.ReportAllocs()
				var size int
				for b.Loop() {
					a, err := m.s.Query(&metapb.Query{Op: &metapb.Query_View{View: q}})
					require.NoError(b, err)
					size = proto.Size(a)
				}
				b.ReportMetric(float64(size), "answer-B")
			}
			b.Run("whole", func(b *testing.B) { answer(b, &metapb.GetView{}) })
			had := m.view(&metapb.GetView{})
			v := had.Volumes[0]
			m.apply(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: id(2)}}})
			c := &client{m: m, session: id(2)}
			r := c.do(&metapb.Command{Op: &metapb.Command_StartMove{StartMove: &metapb.StartMove{
				Volume: v.Id, Epoch: v.Epoch, To: had.Nodes[len(had.Nodes)/2+1].Drives[1].Id}}})
			require.Zero(b, r.Refusal, r.Detail)
			b.Run("a slot", func(b *testing.B) { answer(b, &metapb.GetView{HaveEpoch: had.Epoch, Differences: true}) })
		})
	}
}

// formLarge makes a cluster of many nodes and volumes of 8+4.
func formLarge(b *testing.B, m *machine, nodes, drives, volumes int) {
	m.apply(&metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "c1"}}})
	for n := range nodes {
		node := &metapb.Node{Id: uint64(n + 1), Zone: fmt.Sprint("zone", n%20), RpcAddr: fmt.Sprintf("node%d.example.com:9001", n),
			RaftAddr: fmt.Sprintf("node%d.example.com:9002", n), S3Addr: fmt.Sprintf("node%d.example.com:9000", n)}
		for d := range drives {
			node.Drives = append(node.Drives, &metapb.Drive{Id: uint64(1000*(n+1) + d), CapacityBytes: 16 << 40})
		}
		m.apply(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: node}}})
	}
	c := &client{m: m, session: id(1)}
	m.apply(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: c.session}}})
	const atOnce = 1000
	for made := 0; made < volumes; made += atOnce {
		create := &metapb.CreateVolumes{ViewEpoch: m.s.mem.cluster.ViewEpoch}
		for v := made; v < min(volumes, made+atOnce); v++ {
			slots := make([]uint64, 12)
			for s := range slots {
				slots[s] = uint64(1000*((v*12+s*83)%nodes+1) + v%drives)
			}
			create.Volumes = append(create.Volumes, &metapb.Volume{K: 8, M: 4, Slots: slots})
		}
		c.ok(b, &metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: create}})
	}
}
