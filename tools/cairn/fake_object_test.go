package main

import (
	"context"

	"github.com/cairnstore/cairn/node/admin/adminpb"
)

func (fakeAdmin) ListUploads(_ context.Context, r *adminpb.ListUploadsRequest) (*adminpb.Uploads, error) {
	return &adminpb.Uploads{Truncated: r.Max == 1, Uploads: []*adminpb.Upload{fakeUpload()}}, nil
}

func fakeBucket(name string) *adminpb.Bucket {
	return &adminpb.Bucket{Name: name, Owner: "acme", Created: fakeTime, Region: "here", Versioning: "enabled", Objects: 1200, Bytes: 3 << 30, QuotaBytes: 4 << 30}
}

func (fakeAdmin) ListBuckets(_ context.Context, r *adminpb.ListBucketsRequest) (*adminpb.Buckets, error) {
	return &adminpb.Buckets{Truncated: r.Max == 1, Buckets: []*adminpb.Bucket{{Name: "empty", Owner: "acme", Versioning: "off"}, fakeBucket("photos")}}, nil
}

func (fakeAdmin) ShowBucket(_ context.Context, r *adminpb.BucketRef) (*adminpb.Bucket, error) {
	b := fakeBucket(r.Name)
	b.StorageClass, b.Configured = "STANDARD", []string{"cors", "policy"}
	return b, failing(r.Name)
}

func (fakeAdmin) ShowUpload(_ context.Context, r *adminpb.UploadRef) (*adminpb.Upload, error) {
	u := fakeUpload()
	u.Parts, u.Bytes = 2, 6<<20
	u.Part = []*adminpb.UploadPart{{Number: 3, Size: 5 << 20, Etag: "e3", Modified: fakeTime}, {Number: 9, Size: 1 << 20, Etag: "e9", Modified: fakeTime}}
	return u, failing(r.Id)
}

func (fakeAdmin) AbortUpload(_ context.Context, r *adminpb.UploadRef) (*adminpb.Removed, error) {
	return &adminpb.Removed{}, failing(r.Id)
}

func fakeUpload() *adminpb.Upload {
	return &adminpb.Upload{Bucket: "photos", Key: "film", Id: fakeID, Initiated: fakeTime, Initiator: "alice", Owner: "acme",
		StorageClass: "STANDARD", Encryption: "SSE-KMS", KmsKeyId: "one"}
}

// StatObject answers an object of three versions: a delete marker, one of two parts
// whose second shares an extent with another object, and an inline one. The key
// small has the last alone.
func (fakeAdmin) StatObject(_ context.Context, r *adminpb.StatObjectRequest) (*adminpb.ObjectStat, error) {
	inline := &adminpb.VersionStat{VersionId: "null", Latest: r.Key == "small", Size: 3, Etag: "e0", Modified: fakeTime, StorageClass: "STANDARD", Owner: "acme",
		Encryption: "none", ContentId: "00" + fakeID[2:], Parts: []*adminpb.PartStat{{Number: 1, Size: 3, Etag: "e0",
			Pieces: []*adminpb.PieceStat{{Size: 3, Inline: true}}}}}
	o := &adminpb.ObjectStat{Bucket: r.Bucket, Key: r.Key, BucketOwner: "acme", Versioning: "enabled"}
	if r.Key == "small" {
		o.Health, o.Versions = "inline", []*adminpb.VersionStat{inline}
		return o, nil
	}
	if r.VersionId != "" {
		o.Health = "inline"
		o.Versions = []*adminpb.VersionStat{{VersionId: r.VersionId, DeleteMarker: true, Modified: fakeTime}}
		return o, nil
	}
	o.Truncated = r.MaxParts == 1
	o.Versions = []*adminpb.VersionStat{
		{VersionId: "v3", Latest: true, DeleteMarker: true, Modified: fakeTime},
		{VersionId: "v2", Size: 96 << 20, Etag: "e2-2", Modified: fakeTime, StorageClass: "STANDARD", Owner: "acme",
			Encryption: "SSE-KMS", KmsKeyId: "one", ContentId: fakeID, PartCount: 2, Parts: []*adminpb.PartStat{
				{Number: 1, Size: 64 << 20, Etag: "p1", Pieces: []*adminpb.PieceStat{{Size: 64 << 20, Extent: "7/1"}}},
				{Number: 2, Offset: 64 << 20, Size: 32 << 20, Etag: "p2", Pieces: []*adminpb.PieceStat{{Size: 32 << 20, Extent: "7/9", ExtentOffset: 100}}},
			}},
		inline,
	}
	o.Extents = []*adminpb.ExtentStat{
		fakeExtent("7/1", "degraded", "present", "missing", "present"),
		fakeExtent("7/9", "unreadable", "present", "missing", "unreachable"),
	}
	o.Extents[1].Owners = append(o.Extents[1].Owners, &adminpb.OwnerStat{Kind: "part", Id: "ff" + fakeID[2:], Part: 5}, &adminpb.OwnerStat{Kind: "pin", Id: fakeID})
	o.Extents[1].MoreOwners = true
	o.Shards, o.ShardsPresent, o.ShardsMissing, o.ShardsUnreachable, o.Health = 6, 3, 2, 1, "unreadable"
	return o, failing(r.Key)
}

func fakeExtent(id, health string, states ...string) *adminpb.ExtentStat {
	e := &adminpb.ExtentStat{Id: id, Volume: 7, VolumeEpoch: 2, Scheme: "2+1", PlainBytes: 64 << 20, ShardBytes: 33 << 20, Sealed: true,
		Health: health, Owners: []*adminpb.OwnerStat{{Kind: "part", Id: fakeID, Part: 1}}}
	for i, s := range states {
		kind := "data"
		if i == 2 {
			kind = "parity"
		}
		e.Shards = append(e.Shards, &adminpb.ShardStat{Slot: uint32(i), Kind: kind, Drive: "d" + string(rune('0'+i)),
			Node: "n" + string(rune('0'+i)), Zone: "rack" + string(rune('0'+i)), State: s, Recorded: s == "missing"})
	}
	return e
}
