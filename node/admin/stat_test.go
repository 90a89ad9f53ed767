package admin

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/node/admin/adminpb"
	"github.com/cairnstore/cairn/s3api/iam"
	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/shard"
)

func of(account string) object.Caller {
	return object.Caller{Account: account, DisplayName: account, User: account}
}

func (w *world) bucket(account, name string) {
	_, err := w.objects.CreateBucket(w.t.Context(), of(account), name, "here", nil)
	require.NoError(w.t, err)
}

func randomBody(size int64) object.Body {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	return object.Body{Reader: bytes.NewReader(b), Size: size}
}

func (w *world) put(bucket, key string, size int64) {
	_, err := w.objects.Put(w.t.Context(), &object.PutInput{Caller: of(iam.RootAccount), Bucket: bucket, Key: key, Body: randomBody(size)})
	require.NoError(w.t, err)
}

// upload makes a bucket and an upload in it, and returns the upload's id.
func (w *world) upload(account, bucket, key string) string {
	w.bucket(account, bucket)
	return w.begin(account, bucket, key)
}

func (w *world) begin(account, bucket, key string) string {
	id, err := w.objects.CreateUpload(w.t.Context(), &object.UploadInput{Caller: of(account), Bucket: bucket, Key: key})
	require.NoError(w.t, err)
	return id
}

func (w *world) part(account, bucket, key, id string, number int, size int64) object.CompletePart {
	p, err := w.objects.PutPart(w.t.Context(), &object.PartInput{Caller: of(account), Bucket: bucket, Key: key, UploadID: id,
		PartNumber: number, Body: randomBody(size)})
	require.NoError(w.t, err)
	return object.CompletePart{Number: number, ETag: p.Etag}
}

func (w *world) stat(r *adminpb.StatObjectRequest) *adminpb.ObjectStat {
	w.t.Helper()
	o, err := w.as(root).StatObject(w.t.Context(), r)
	require.NoError(w.t, err)
	return o
}

// checkPieces proves that the pieces of a version's parts cover it without a gap, and that every
// extent that they name is listed.
func checkPieces(t *testing.T, o *adminpb.ObjectStat, v *adminpb.VersionStat) {
	extents := map[string]bool{}
	for _, e := range o.Extents {
		extents[e.Id] = true
	}
	var at uint64
	for _, p := range v.Parts {
		require.Equal(t, at, p.Offset)
		var size uint64
		for _, piece := range p.Pieces {
			require.True(t, piece.Inline || extents[piece.Extent], "%v", piece)
			size += piece.Size
		}
		require.Equal(t, p.Size, size)
		at += size
	}
	require.Equal(t, v.Size, at)
}

func TestStatShowsEveryShard(t *testing.T) {
	w := newWorld(t)
	w.bucket(iam.RootAccount, "photos")
	w.put("photos", "beach", 3*testExtent)
	o := w.stat(&adminpb.StatObjectRequest{Bucket: "photos", Key: "beach"})
	require.Equal(t, healthWhole, o.Health)
	require.Equal(t, "off", o.Versioning)
	require.Len(t, o.Versions, 1)
	v := o.Versions[0]
	require.Equal(t, nullVersion, v.VersionId)
	require.True(t, v.Latest)
	require.Equal(t, "STANDARD", v.StorageClass)
	require.Equal(t, "none", v.Encryption)
	checkPieces(t, o, v)
	require.GreaterOrEqual(t, len(o.Extents), 3)
	require.EqualValues(t, testNodes*len(o.Extents), o.ShardsPresent)
	e := o.Extents[0]
	require.Equal(t, "4+2", e.Scheme)
	require.Equal(t, v.ContentId, e.Owners[0].Id)
	require.EqualValues(t, 1, e.Owners[0].Part)
	for slot, sh := range e.Shards {
		require.EqualValues(t, slot, sh.Slot)
		require.Equal(t, slot >= 4, sh.Kind == "parity")
		drive, err := cluster.ParseDriveID(sh.Drive)
		require.NoError(t, err)
		i := int(drive) - testDrive
		require.Equal(t, testNode(i+1).String(), sh.Node)
		require.Equal(t, "z"+string(rune('a'+i)), sh.Zone)
		h, err := w.drives[drive].Stat(t.Context(), shardID(e, slot))
		require.NoError(t, err)
		require.EqualValues(t, h.FramedBytes(), e.ShardBytes)
	}
}

func shardID(e *adminpb.ExtentStat, slot int) shard.ID {
	var id shard.ID
	_, err := fmt.Sscanf(e.Id, "%d/%d", &id.Extent.Volume, &id.Extent.Seq)
	if err != nil {
		panic(err)
	}
	id.Slot = uint8(slot)
	return id
}

// Some shards are lost, some are known to be bad, and some are on drives that do not answer. Health
// follows from what is left.
func TestStatHealth(t *testing.T) {
	w := newWorld(t)
	w.bucket(iam.RootAccount, "photos")
	w.put("photos", "beach", testExtent/2)
	ask := &adminpb.StatObjectRequest{Bucket: "photos", Key: "beach"}
	e := w.stat(ask).Extents[0]
	drive := func(slot int) cluster.DriveID {
		id, err := cluster.ParseDriveID(e.Shards[slot].Drive)
		require.NoError(t, err)
		return id
	}
	states := func() (string, []string) {
		o := w.stat(ask)
		var out []string
		for _, sh := range o.Extents[0].Shards {
			out = append(out, sh.State)
		}
		require.EqualValues(t, testNodes, o.ShardsPresent+o.ShardsMissing+o.ShardsUnreachable)
		require.Equal(t, o.Health, o.Extents[0].Health)
		return o.Health, out
	}
	require.NoError(t, w.drives[drive(1)].Delete(t.Context(), []shard.ID{shardID(e, 1)}))
	health, got := states()
	require.Equal(t, healthDegraded, health)
	require.Equal(t, []string{"present", "missing", "present", "present", "present", "present"}, got)

	id := shardID(e, 5)
	w.meta.must(&metapb.Command{Op: &metapb.Command_SetMissing{SetMissing: &metapb.SetMissing{Add: []*metapb.ExtentSlots{
		{Volume: uint32(id.Extent.Volume), Seq: id.Extent.Seq, Slots: 1 << 5}}}}})
	health, got = states()
	require.Equal(t, healthDegraded, health)
	require.Equal(t, []string{"present", "missing", "present", "present", "present", "missing"}, got)
	require.True(t, w.stat(ask).Extents[0].Shards[5].Recorded)
	require.False(t, w.stat(ask).Extents[0].Shards[1].Recorded)

	w.drives[drive(2)].Fail(errors.New("the drive is on fire"))
	health, got = states()
	require.Equal(t, healthUnreadable, health)
	require.Equal(t, []string{"present", "missing", "unreachable", "present", "present", "missing"}, got)
	w.drives[drive(2)].Heal()
	health, _ = states()
	require.Equal(t, healthDegraded, health)
}

func TestStatParts(t *testing.T) {
	w := newWorld(t)
	w.bucket(iam.RootAccount, "photos")
	id := w.begin(iam.RootAccount, "photos", "film")
	var parts []object.CompletePart
	for _, p := range []struct {
		number int
		size   int64
	}{{2, 2 * testExtent}, {7, 100}, {8, testExtent}} {
		parts = append(parts, w.part(iam.RootAccount, "photos", "film", id, p.number, p.size))
	}
	_, err := w.objects.Complete(t.Context(), &object.CompleteInput{Caller: of(iam.RootAccount), Bucket: "photos", Key: "film", UploadID: id, Parts: parts})
	require.NoError(t, err)
	o := w.stat(&adminpb.StatObjectRequest{Bucket: "photos", Key: "film"})
	v := o.Versions[0]
	require.EqualValues(t, 3, v.PartCount)
	require.Equal(t, id, v.ContentId)
	require.Equal(t, []uint32{2, 7, 8}, each(v.Parts, (*adminpb.PartStat).GetNumber), "numbers with gaps")
	require.Equal(t, parts[1].ETag, v.Parts[1].Etag)
	checkPieces(t, o, v)
	require.False(t, o.Truncated)

	o = w.stat(&adminpb.StatObjectRequest{Bucket: "photos", Key: "film", MaxParts: 1})
	require.True(t, o.Truncated)
	require.Len(t, o.Versions[0].Parts, 1)
	o = w.stat(&adminpb.StatObjectRequest{Bucket: "photos", Key: "film", MaxExtents: 1})
	require.True(t, o.Truncated)
	require.Len(t, o.Extents, 1)
}

func TestStatVersions(t *testing.T) {
	w := newWorld(t)
	w.bucket(iam.RootAccount, "photos")
	w.put("photos", "beach", 10)
	w.meta.must(&metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{
		Bucket: "photos", Versioning: metapb.Versioning_VERSIONING_ENABLED}}})
	w.put("photos", "beach", 0)
	w.put("photos", "beach2", 10) // It is another key.
	_, err := w.objects.Delete(t.Context(), of(iam.RootAccount), "photos", []*metapb.ObjectName{{Key: "beach"}})
	require.NoError(t, err)

	o := w.stat(&adminpb.StatObjectRequest{Bucket: "photos", Key: "beach"})
	require.Equal(t, healthInline, o.Health)
	require.Equal(t, "enabled", o.Versioning)
	require.Len(t, o.Versions, 3)
	require.True(t, o.Versions[0].DeleteMarker && o.Versions[0].Latest)
	require.Empty(t, o.Versions[0].Parts)
	require.Zero(t, o.Versions[1].Size)
	require.False(t, o.Versions[1].Latest)
	require.Equal(t, nullVersion, o.Versions[2].VersionId)
	require.True(t, o.Versions[2].Parts[0].Pieces[0].Inline)

	for i, want := range o.Versions {
		one := w.stat(&adminpb.StatObjectRequest{Bucket: "photos", Key: "beach", VersionId: want.VersionId})
		require.Len(t, one.Versions, 1)
		require.Equal(t, want.String(), one.Versions[0].String(), "version %d", i)
	}
	few := w.stat(&adminpb.StatObjectRequest{Bucket: "photos", Key: "beach", MaxVersions: 2})
	require.Len(t, few.Versions, 2)
	require.True(t, few.Truncated)

	for _, r := range []*adminpb.StatObjectRequest{{Bucket: "nix", Key: "beach"}, {Bucket: "photos", Key: "bea"},
		{Bucket: "photos", Key: "beach", VersionId: "nix"}} {
		_, err := w.as(root).StatObject(t.Context(), r)
		require.Equal(t, connect.CodeNotFound, connect.CodeOf(err), "%v", r)
	}
}

// An object that is replaced between two queries is not shown as a mix of the two.
func TestStatOfWhatChanges(t *testing.T) {
	w := newWorld(t)
	w.bucket(iam.RootAccount, "photos")
	w.put("photos", "beach", testExtent)
	w.meta.onRead = func(q *metapb.Query) {
		if q.GetObject().GetRange() == metapb.RangeKind_RANGE_PART {
			w.meta.onRead = nil
			w.put("photos", "beach", testExtent)
		}
	}
	_, err := w.as(root).StatObject(t.Context(), &adminpb.StatObjectRequest{Bucket: "photos", Key: "beach"})
	require.Equal(t, connect.CodeFailedPrecondition, connect.CodeOf(err))
	require.ErrorContains(t, err, "look again")
}

func TestUploads(t *testing.T) {
	w := newWorld(t)
	_, alice := w.account("alice")
	ctx := t.Context()
	ids := []string{w.upload(alice.Account, "alices", "a"), w.begin(alice.Account, "alices", "a"), w.begin(alice.Account, "alices", "b")}
	other := w.upload(iam.RootAccount, "roots", "c")
	w.part(alice.Account, "alices", "b", ids[2], 4, 1000)
	w.part(alice.Account, "alices", "b", ids[2], 9, 500)

	list := func(id *iam.Identity, r *adminpb.ListUploadsRequest) *adminpb.Uploads {
		u, err := w.as(id).ListUploads(ctx, r)
		require.NoError(t, err)
		return u
	}
	names := func(u *adminpb.Uploads) []string { return each(u.Uploads, (*adminpb.Upload).GetId) }
	require.Equal(t, ids, names(list(alice, &adminpb.ListUploadsRequest{})))
	require.Equal(t, append(ids, other), names(list(root, &adminpb.ListUploadsRequest{})))
	require.Equal(t, ids, names(list(root, &adminpb.ListUploadsRequest{Account: "alice"})))
	require.Equal(t, ids[2:], names(list(alice, &adminpb.ListUploadsRequest{Bucket: "alices", Prefix: "b"})))
	few := list(root, &adminpb.ListUploadsRequest{Max: 2})
	require.True(t, few.Truncated)
	require.Equal(t, ids[:2], names(few))

	u, err := w.as(alice).ShowUpload(ctx, &adminpb.UploadRef{Id: ids[2]})
	require.NoError(t, err)
	require.EqualValues(t, 2, u.Parts)
	require.EqualValues(t, 1500, u.Bytes)
	require.Equal(t, []uint32{4, 9}, each(u.Part, (*adminpb.UploadPart).GetNumber))

	_, err = w.as(alice).AbortUpload(ctx, &adminpb.UploadRef{Id: ids[2]})
	require.NoError(t, err)
	_, err = w.as(alice).ShowUpload(ctx, &adminpb.UploadRef{Id: ids[2]})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	_, err = w.as(alice).AbortUpload(ctx, &adminpb.UploadRef{Id: ids[2]})
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	_, err = w.as(alice).AbortUpload(ctx, &adminpb.UploadRef{Id: "x"})
	require.Equal(t, connect.CodeInvalidArgument, connect.CodeOf(err))
}

func TestBefore(t *testing.T) {
	for id, want := range map[string]string{"0001": "0000", "0100": "00ff", "ffff": "fffe", "0000": ""} {
		b, err := hex.DecodeString(id)
		require.NoError(t, err)
		require.Equal(t, want, hex.EncodeToString(before(b)), id)
	}
}
