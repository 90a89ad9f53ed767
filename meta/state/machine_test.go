package state

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
)

// machine is a State on a crashable file system, and the log that it was fed, as
// Raft would keep it.
type machine struct {
	t      require.TestingT
	fs     *vfs.MemFS
	dir    string
	dirs   int
	limits *dropLimits
	cache  int64
	s      *State
	log    []Entry
}

func newMachine(t require.TestingT, limits *dropLimits) *machine {
	m := &machine{t: t, fs: vfs.NewCrashableMem(), dir: "meta", limits: limits, cache: 1 << 20}
	m.open()
	return m
}

func (m *machine) open() {
	s, err := Open(Options{FS: m.fs, Dir: m.dir, CacheBytes: m.cache, limits: m.limits})
	require.NoError(m.t, err)
	m.s = s
}

func (m *machine) close() { require.NoError(m.t, m.s.Close()) }

// append adds a command to the log without applying it.
func (m *machine) append(c *metapb.Command) {
	b, err := proto.Marshal(c)
	require.NoError(m.t, err)
	m.log = append(m.log, Entry{Index: uint64(len(m.log) + 1), Term: 1, Command: b})
}

// catchUp applies the rest of the log, and returns the last result.
func (m *machine) catchUp() *metapb.Result {
	index, _ := m.s.Applied()
	rs, err := m.s.Apply(m.log[index:])
	require.NoError(m.t, err)
	if len(rs) == 0 {
		return nil
	}
	return rs[len(rs)-1]
}

func (m *machine) apply(c *metapb.Command) *metapb.Result {
	m.append(c)
	return m.catchUp()
}

// crash loses power: some of what was not synced survives, by chance.
func (m *machine) crash(seed uint64, percent int) {
	clone := m.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent,
		RNG: rand.New(rand.NewPCG(seed, 1))})
	_ = m.s.Close() // The old machine is gone; only its goroutines have to end.
	m.fs = clone
	m.open()
}

// restore takes a checkpoint and goes on from it.
func (m *machine) restore() {
	m.dirs++
	dir := fmt.Sprintf("meta%d", m.dirs)
	require.NoError(m.t, m.s.Checkpoint(dir))
	m.close()
	m.dir = dir
	m.open()
}

func (m *machine) dump() string {
	var b strings.Builder
	require.NoError(m.t, m.s.Dump(&b))
	return b.String()
}

func (m *machine) query(q *metapb.Query) *metapb.Answer {
	a, err := m.s.Query(q)
	require.NoError(m.t, err)
	return a
}

// id returns an id that is told by a number.
func id(n int) []byte {
	var k keys.ID
	copy(k[:], fmt.Sprintf("%016d", n))
	return k[:]
}

// client proposes commands of one session.
type client struct {
	m       *machine
	session []byte
	seq     uint64
}

// newClient forms a cluster of one node with drives and volumes of k+m slots and
// opens a session.
func newClient(t testing.TB, m *machine, volumes, k, parity int) *client {
	c := &client{m: m, session: id(1)}
	node := &metapb.Node{Id: 1}
	var slots []uint64
	for i := range k + parity {
		node.Drives = append(node.Drives, &metapb.Drive{Id: uint64(100 + i), CapacityBytes: 1 << 30})
		slots = append(slots, uint64(100+i))
	}
	m.apply(&metapb.Command{Op: &metapb.Command_FormCluster{FormCluster: &metapb.FormCluster{Id: "c1"}}})
	m.apply(&metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{Node: node}}})
	m.apply(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: c.session}}})
	create := &metapb.CreateVolumes{ViewEpoch: 2}
	for range volumes {
		create.Volumes = append(create.Volumes, &metapb.Volume{K: uint32(k), M: uint32(parity), Slots: slots})
	}
	c.ok(t, &metapb.Command{Op: &metapb.Command_CreateVolumes{CreateVolumes: create}})
	for v := range volumes {
		c.ok(t, &metapb.Command{Op: &metapb.Command_LeaseExtents{LeaseExtents: &metapb.LeaseExtents{Volumes: []uint32{uint32(v + 1)}}}})
	}
	return c
}

func (c *client) stamp(cmd *metapb.Command) *metapb.Command {
	c.seq++
	cmd.Session, cmd.Seq, cmd.Floor = c.session, c.seq, c.seq
	if cmd.TimeMs == 0 {
		cmd.TimeMs = 1700000000000
	}
	return cmd
}

func (c *client) do(cmd *metapb.Command) *metapb.Result { return c.m.apply(c.stamp(cmd)) }

// ok proposes a command that must not be refused.
func (c *client) ok(t testing.TB, cmd *metapb.Command) *metapb.Result {
	t.Helper()
	r := c.do(cmd)
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, r.Refusal, r.Detail)
	return r
}

func (c *client) bucket(t testing.TB, name string) {
	t.Helper()
	c.ok(t, &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: name, Owner: "me"}}}})
}

// put makes an inline object with a content id of its own.
func put(bucket, key string, content int, inline []byte) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_PutObject{PutObject: &metapb.PutObject{Bucket: bucket, Key: key,
		Version: &metapb.Version{ContentId: id(content), Size: uint64(len(inline)), Etag: fmt.Sprintf("%032x", content),
			ModifiedMs: 1, Owner: "me", Attributes: &metapb.Attributes{ContentType: "text/plain"}},
		Part: &metapb.Part{Size: uint64(len(inline)), Etag: fmt.Sprintf("%032x", content), Inline: inline}}}}
}

// extentPart returns a part that is one new extent.
func extentPart(number uint32, volume uint32, seq, size uint64) (*metapb.Part, []*metapb.NewExtent) {
	return &metapb.Part{Number: number, Size: size, Etag: fmt.Sprintf("p%d", number),
			Extents: []*metapb.ExtentRef{{Volume: volume, Seq: seq, Length: size}}},
		[]*metapb.NewExtent{{Volume: volume, Seq: seq, Extent: &metapb.Extent{PlainBytes: size}}}
}

func putExtent(bucket, key string, content int, volume uint32, seq, size uint64) *metapb.Command {
	c := put(bucket, key, content, nil)
	p := c.GetPutObject()
	p.Version.Size = size
	p.Part, p.Extents = extentPart(1, volume, seq, size)
	return c
}

func deleteKeys(bucket string, names ...string) *metapb.Command {
	d := &metapb.DeleteObjects{Bucket: bucket}
	for _, n := range names {
		d.Objects = append(d.Objects, &metapb.ObjectName{Key: n})
	}
	return &metapb.Command{Op: &metapb.Command_DeleteObjects{DeleteObjects: d}}
}
