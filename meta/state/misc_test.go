package state

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/metapb"
)

// rewriting reports whether golden files are to be written anew: -rewrite, a flag that
// package datadriven defines.
func rewriting() bool { return flag.Lookup("rewrite").Value.String() == "true" }

func TestUnknownCommandStopsTheState(t *testing.T) {
	m := newMachine(t, nil)
	_, err := m.s.Apply([]Entry{{Index: 1, Term: 1}, {Index: 2, Term: 1, Command: []byte{}}})
	require.Error(t, err, "no operation")
	_, again := m.s.Apply([]Entry{{Index: 1, Term: 1}})
	require.Equal(t, err, again, "nothing is applied any more")
	index, _ := m.s.Applied()
	require.Zero(t, index, "nothing of the batch has effect")
	m.close()
}

func TestEntriesWithoutCommandsMoveTheIndex(t *testing.T) {
	m := newMachine(t, nil)
	rs, err := m.s.Apply([]Entry{{Index: 5, Term: 2}, {Index: 6, Term: 3}, {Index: 4, Term: 9}})
	require.NoError(t, err)
	require.Equal(t, make([]*metapb.Result, 3), rs)
	m.close()
	m.open()
	index, term := m.s.Applied()
	require.Equal(t, []uint64{6, 3}, []uint64{index, term})
	m.close()
}

// Flush must end when the disk is full, though Pebble tries again for ever.
func TestFlushFailsWithTheDisk(t *testing.T) {
	var full atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			return errors.New("no space")
		}
		return nil
	}))
	var told sync.Once
	failed := make(chan error, 1)
	s, err := Open(Options{FS: fs, Dir: "d", Events: Events{BackgroundError: func(err error) { told.Do(func() { failed <- err }) }}})
	require.NoError(t, err)
	_, err = s.Apply([]Entry{{Index: 1, Term: 1}})
	require.NoError(t, err)
	full.Store(true)
	require.ErrorContains(t, s.Flush(), "no space")
	require.ErrorContains(t, <-failed, "no space")
	full.Store(false)
	_ = s.Close() // The flush before closing reports the failure that was.
}

// A large object is dropped in steps, none of which is long, and Check holds at
// each of them.
func TestLargeContentIsTrimmedInSteps(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	const parts = 125
	multipart(t, c, parts)
	require.NoError(t, m.s.Check())
	c.ok(t, put("b", "k", 5, nil))
	status := func() *metapb.StatusAnswer {
		return m.query(&metapb.Query{Op: &metapb.Query_Status{Status: &metapb.GetStatus{}}}).Status
	}
	require.Equal(t, uint64(1), status().ContentsDropped)
	gc := status().ExtentsGc
	require.Less(t, gc, uint64(dropInline))
	steps := 0
	for more := true; more; steps++ {
		work := m.query(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: &metapb.ListWork{Kind: metapb.WorkKind_WORK_DROPPED}}}).Work
		require.Len(t, work.Items, 1)
		r := c.ok(t, &metapb.Command{Op: &metapb.Command_TrimContents{TrimContents: &metapb.TrimContents{
			ContentIds: [][]byte{work.Items[0].Id}, Max: 50}}})
		more = r.More
		require.LessOrEqual(t, status().ExtentsGc-gc, uint64(50))
		gc = status().ExtentsGc
		require.NoError(t, m.s.Check())
	}
	require.Greater(t, steps, 1)
	require.Equal(t, uint64(2*parts), gc)
	require.Zero(t, status().ContentsDropped)
}

// From its last reference an extent goes through the queue and doom to nothing,
// and upkeep finds it at every station.
func TestLifeOfAnExtent(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	c.bucket(t, "b")
	e := &metapb.ExtentSlots{Volume: 1, Seq: 1, Slots: 7}
	known := func(seq uint64) bool {
		return m.query(&metapb.Query{Op: &metapb.Query_KnownExtents{KnownExtents: &metapb.KnownExtents{
			Extents: []*metapb.ExtentSlots{{Volume: 1, Seq: seq}}}}}).Known.Known[0]
	}
	work := func(q *metapb.ListWork) []*metapb.WorkItem {
		return m.query(&metapb.Query{Op: &metapb.Query_ListWork{ListWork: q}}).Work.Items
	}
	require.True(t, known(1), "leased")
	require.False(t, known(257), "not leased")
	c.ok(t, putExtent("b", "k", 1, 1, 1, 10))
	c.ok(t, &metapb.Command{Op: &metapb.Command_ReleaseLeases{ReleaseLeases: &metapb.ReleaseLeases{
		Blocks: []*metapb.LeaseBlock{{Volume: 1}}}}})
	require.True(t, known(1))
	require.False(t, known(2), "released and not committed: an orphan")
	c.ok(t, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{
		Add: []*metapb.ExtentSlots{{Volume: 1, Seq: 1, Slots: 2}}}}})
	require.Equal(t, uint32(2), work(&metapb.ListWork{Kind: metapb.WorkKind_WORK_MISSING})[0].Extent.Missing)
	require.Len(t, work(&metapb.ListWork{Kind: metapb.WorkKind_WORK_VOLUME, Volume: 1}), 1)
	require.Empty(t, work(&metapb.ListWork{Kind: metapb.WorkKind_WORK_VOLUME, Volume: 1, AfterSeq: 1}))

	deleted := c.ok(t, deleteKeys("b", "k"))
	require.Empty(t, work(&metapb.ListWork{Kind: metapb.WorkKind_WORK_GC, BeforeIndex: deleted.Index}))
	queued := work(&metapb.ListWork{Kind: metapb.WorkKind_WORK_GC, BeforeIndex: deleted.Index + 1})
	require.Equal(t, deleted.Index, queued[0].Index)
	require.Empty(t, work(&metapb.ListWork{Kind: metapb.WorkKind_WORK_GC, AfterIndex: deleted.Index, AfterVolume: 1, AfterSeq: 1}))
	doom := func(before uint64) {
		c.ok(t, &metapb.Command{Op: &metapb.Command_DoomExtents{DoomExtents: &metapb.DoomExtents{
			Extents: []*metapb.ExtentSlots{e}, BeforeIndex: before}}})
	}
	doom(deleted.Index)
	require.Empty(t, work(&metapb.ListWork{Kind: metapb.WorkKind_WORK_DOOMED}), "too young")
	doom(deleted.Index + 1)
	require.Equal(t, uint32(7), work(&metapb.ListWork{Kind: metapb.WorkKind_WORK_DOOMED})[0].Doomed.Slots)
	require.True(t, known(1), "upkeep deletes its shards, not the sweep")
	for _, slots := range []uint32{3, 4} {
		c.ok(t, &metapb.Command{Op: &metapb.Command_ForgetExtents{ForgetExtents: &metapb.ForgetExtents{
			Extents: []*metapb.ExtentSlots{{Volume: 1, Seq: 1, Slots: slots}}}}})
	}
	require.False(t, known(1))
	require.NoError(t, m.s.Check())
}

// Queries beside Apply see whole batches: both objects of a pair, or none.
func TestQueriesSeeWholeBatches(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	c.bucket(t, "b")
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				a, err := m.s.Query(&metapb.Query{Op: &metapb.Query_ListObjects{ListObjects: &metapb.ListObjects{Bucket: "b", MaxKeys: 1000}}})
				if err != nil || len(a.List.Entries)%2 != 0 {
					t.Errorf("%d entries, %v", len(a.GetList().GetEntries()), err)
					return
				}
			}
		})
	}
	for i := range 100 {
		m.append(c.stamp(put("b", fmt.Sprint("x", i), 2*i, nil)))
		m.append(c.stamp(put("b", fmt.Sprint("y", i), 2*i+1, nil)))
		m.catchUp()
	}
	close(done)
	wg.Wait()
}

func TestSessionWindow(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 0, 1, 0)
	send := func(seq, floor uint64) *metapb.Result {
		return m.apply(&metapb.Command{Session: c.session, Seq: seq, Floor: floor,
			Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{Bucket: &metapb.Bucket{Name: fmt.Sprint("b", seq)}}}})
	}
	c.seq = 100
	first := send(100, 100)
	require.Equal(t, first.Index, send(100, 100).Index, "a repeat is answered what the first was")
	require.Equal(t, metapb.Refusal_REFUSAL_ALREADY_DONE, send(99, 99).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, send(100+SessionWindow, 100).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, send(100+SessionWindow-1, 100).Refusal)
	// A session that ended stays ended, however late its opening is repeated.
	open := func(n int) *metapb.Result {
		return m.apply(&metapb.Command{Op: &metapb.Command_OpenSession{OpenSession: &metapb.OpenSession{Node: 1, Session: id(n)}}})
	}
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, open(2).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_STALE_SESSION, send(101, 101).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_STALE_SESSION, open(1).Refusal)
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, open(2).Refusal)
	for n := range 3 * endedKept {
		open(10 + n)
	}
	require.Len(t, m.s.mem.sessions, endedKept+1)
	require.NoError(t, m.s.Check())
}

func TestUploadAnswers(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	multipart(t, c, 3)
	c.ok(t, createUpload(2, "b", "open"))
	want := &metapb.Part{Number: 2, Size: 3, Etag: "e", ModifiedMs: 7, Inline: []byte("abc"),
		Checksums: []*metapb.Checksum{{Algorithm: "CRC32", Value: []byte{1, 2}}}}
	c.ok(t, putPart(2, "b", "open", proto.Clone(want).(*metapb.Part), nil))
	c.ok(t, putPart(2, "b", "open", &metapb.Part{Number: 9}, nil))
	want.Inline = nil
	upload := func(n int, key string, parts bool) *metapb.Answer {
		return m.query(&metapb.Query{Op: &metapb.Query_Upload{Upload: &metapb.GetUpload{Bucket: "b", Key: key, UploadId: id(n), WithParts: parts}}})
	}
	a := upload(2, "open", true)
	require.True(t, proto.Equal(want, a.Upload.Parts[0]), a.Upload.Parts[0])
	require.Len(t, a.Upload.Parts, 2)
	require.Equal(t, uint64(2), a.Upload.State.Revision)
	require.NotNil(t, upload(1, "k", true).Upload.Upload.Completed)
	require.Equal(t, metapb.Refusal_REFUSAL_NO_SUCH_UPLOAD, upload(2, "other", false).Refusal)
	parts := func(after, limit uint32) *metapb.PartsAnswer {
		return m.query(&metapb.Query{Op: &metapb.Query_ListParts{ListParts: &metapb.ListParts{
			Bucket: "b", Key: "open", UploadId: id(2), After: after, MaxParts: limit}}}).Parts
	}
	require.True(t, parts(0, 1).Truncated)
	require.Equal(t, uint32(2), parts(1, 1).Parts[0].Number)
	require.Equal(t, uint32(9), parts(2, 1).Parts[0].Number)
	require.False(t, parts(2, 1).Truncated)
	require.Empty(t, parts(9, 1).Parts)
}

// golden makes a state that has every kind of record.
func golden(t *testing.T) *machine {
	m := newMachine(t, nil)
	c := newClient(t, m, 1, 2, 1)
	multipart(t, c, 2)
	c.ok(t, put("b", "inline", 2, []byte("hello")))
	c.ok(t, putExtent("b", "dropped", 3, 1, 100, 10))
	c.ok(t, putExtent("b", "doomed", 4, 1, 101, 10))
	c.ok(t, createUpload(5, "b", "open"))
	c.ok(t, &metapb.Command{Op: &metapb.Command_AddPin{AddPin: &metapb.AddPin{Pin: id(6),
		Extents: []*metapb.ExtentRef{{Volume: 1, Seq: 1, Length: 10}}}}})
	c.ok(t, &metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{
		Add: []*metapb.ExtentSlots{{Volume: 1, Seq: 2, Slots: 1}}}}})
	c.ok(t, deleteKeys("b", "doomed"))
	c.ok(t, &metapb.Command{Op: &metapb.Command_DoomExtents{DoomExtents: &metapb.DoomExtents{
		Extents: []*metapb.ExtentSlots{{Volume: 1, Seq: 101}}, BeforeIndex: 1000}}})
	c.ok(t, deleteKeys("b", "dropped"))
	m.s.limits = dropLimits{}
	c.ok(t, deleteKeys("b", "k"))
	goldenVersions(t, c)
	m.s.limits = dropLimits{eventsMax: 8}
	goldenEvents(t, c)
	c.ok(t, &metapb.Command{Op: &metapb.Command_RegisterNode{RegisterNode: &metapb.RegisterNode{
		Node: &metapb.Node{Id: 2, Drives: []*metapb.Drive{{Id: 200, CapacityBytes: 1 << 30}}}}}})
	c.ok(t, &metapb.Command{Op: &metapb.Command_RemoveNode{RemoveNode: &metapb.RemoveNode{Node: 2, Force: true}}})
	at, term := m.s.Applied()
	_, err := m.s.Apply([]Entry{{Index: at + 1, Term: term, Command: []byte{0xff}}})
	require.NoError(t, err)
	return m
}

// TestGolden holds the encoding of every kind of record as it was first released.
func TestGolden(t *testing.T) {
	m := golden(t)
	defer m.close()
	var b strings.Builder
	require.NoError(t, m.s.records(func(key, value []byte) error {
		_, err := fmt.Fprintf(&b, "%x %x\n", key, value)
		return err
	}))
	const file = "testdata/records.golden"
	if rewriting() {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

// goldenVersions writes the records that came with versions and the directory.
func goldenVersions(t *testing.T, c *client) {
	c.ok(t, &metapb.Command{Op: &metapb.Command_CreateBucket{CreateBucket: &metapb.CreateBucket{
		Bucket: &metapb.Bucket{Name: "v", Owner: "me", Versioning: versioningEnabled, ObjectLock: true},
		Config: []*metapb.ConfigPart{{Name: "policy", Value: []byte("{}")}, {Name: "acl", Value: []byte("a")}}}}})
	for i, version := range []string{"v1", "v2"} {
		cmd := put("v", "k", 20+i, []byte("cold"))
		cmd.GetPutObject().Version.VersionId = version
		cmd.GetPutObject().Version.Tags = []*metapb.Pair{{Name: "t", Value: "v"}}
		cmd.GetPutObject().Version.Retention = &metapb.Retention{Mode: metapb.RetentionMode_RETENTION_COMPLIANCE, UntilMs: 1800000000000}
		cmd.GetPutObject().Version.LegalHold = i == 1
		c.ok(t, cmd)
	}
	c.ok(t, &metapb.Command{Op: &metapb.Command_DeleteObjects{DeleteObjects: &metapb.DeleteObjects{Bucket: "v", Owner: "me",
		Objects: []*metapb.ObjectName{{Key: "k"}}, NewVersionIds: []string{"m"}}}})
	c.ok(t, &metapb.Command{Op: &metapb.Command_UpdateVersion{UpdateVersion: &metapb.UpdateVersion{Bucket: "v", Key: "k",
		VersionId: "v1", Acl: &metapb.Acl{Grants: []*metapb.Grant{{Group: metapb.GranteeGroup_GRANTEE_ALL_USERS,
			Permission: metapb.Permission_PERMISSION_READ}}},
		Restore: &metapb.Restore{RequestedMs: 1, ExpiresMs: 1700000000000, Days: 3, Tier: "Bulk", ContentId: id(30)},
		Parts:   []*metapb.Part{{Number: 1, Size: 4, Inline: []byte("warm")}}}}})
	c.ok(t, writeEntries(&metapb.WriteEntries{Put: []*metapb.Entry{account("a")}}))
}

// goldenEvents writes the queue of a target with two events in it: that its rules were
// set, and what they ask for.
func goldenEvents(t *testing.T, c *client) {
	c.ok(t, &metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "b",
		EventRules: &metapb.EventRules{Rules: []*metapb.EventRule{{Id: "1", Target: "t", Kinds: ^uint64(0)}}}}}})
	c.ok(t, put("b", "told", 40, []byte("x")))
}

func TestCheckFindsDamage(t *testing.T) {
	m := newMachine(t, nil)
	defer m.close()
	c := newClient(t, m, 1, 2, 1)
	multipart(t, c, 2)
	goldenVersions(t, c)
	require.NoError(t, m.s.Check())
	var keysOf [][]byte
	require.NoError(t, m.s.records(func(key, _ []byte) error {
		if key[0] != 'a' && key[0] != 'n' && key[0] != 't' && key[0] != 'L' &&
			key[0] != 'B' { // A bucket may have no configuration.
			keysOf = append(keysOf, append([]byte{}, key...))
		}
		return nil
	}))
	require.Greater(t, len(keysOf), 25)
	for _, key := range keysOf {
		value, closer, err := m.s.db.Get(key)
		require.NoError(t, err)
		value = append([]byte{}, value...)
		require.NoError(t, closer.Close())
		require.NoError(t, m.s.db.Delete(key, pebble.NoSync))
		require.True(t, errs.Is(m.s.Check(), errs.Corrupt), "without %q", key)
		require.NoError(t, m.s.db.Set(key, value, pebble.NoSync))
	}
	require.NoError(t, m.s.Check())
}

// TestFullDisk: a flush that finds the file system full says so and is no end of the
// database; with room it is made up for, and nothing is lost.
func TestFullDisk(t *testing.T) {
	var full atomic.Bool
	mem := vfs.NewMem()
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full.Load() && op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") {
			return syscall.ENOSPC
		}
		return nil
	}))
	var waited atomic.Int32
	s, err := Open(Options{FS: fs, Dir: "d", Events: Events{
		NoRoom:          func(error) { waited.Add(1) },
		BackgroundError: func(err error) { t.Errorf("a full disk is taken for a broken one: %v", err) }}})
	require.NoError(t, err)
	_, err = s.Apply([]Entry{{Index: 1, Term: 1}})
	require.NoError(t, err)
	full.Store(true)
	require.True(t, errs.Is(s.Flush(), errs.NoSpace))
	require.Positive(t, waited.Load())
	_, err = s.Apply([]Entry{{Index: 2, Term: 1}})
	require.NoError(t, err)
	full.Store(false)
	require.Eventually(t, func() bool { return s.Flush() == nil }, 5*time.Minute, 10*time.Millisecond)
	require.NoError(t, s.Close())
	s, err = Open(Options{FS: mem, Dir: "d"})
	require.NoError(t, err)
	index, _ := s.Applied()
	require.Equal(t, uint64(2), index)
	require.NoError(t, s.Close())
}
