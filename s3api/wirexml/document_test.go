package wirexml_test

import (
	"encoding/xml"
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/wirexml"
)

const when = 1795346096123 // 2026-11-22T11:14:56.123Z

// documents has one document of each kind, with every element set.
func documents() map[string]wirexml.Document {
	owner := wirexml.Owner{ID: "owner-id", DisplayName: "Owner & Co"}
	sums := []*metapb.Checksum{{Algorithm: "CRC32", Value: []byte{1, 2, 3, 4}}, {Algorithm: "SHA256", Value: make([]byte, 32), Composite: true}}
	listing := wirexml.Listing{
		Bucket: "bucket", Prefix: "a b/", Delimiter: "/", MaxKeys: 1000, Truncated: true, Owner: owner,
		Entries: []*metapb.ListEntry{
			{Key: "a b/<&>\"'", Size: math.MaxInt64, Etag: "abc-2", ModifiedMs: when, Owner: "owner-id", ChecksumAlgorithms: []string{"CRC32"}, ChecksumComposite: true},
			{Key: "a b/sub dir/", Prefix: true},
			{Key: "a b/ü\t漢", Etag: "d41d8cd98f00b204e9800998ecf8427e", Owner: "other", StorageClass: "GLACIER"},
		},
	}
	coded := listing
	coded.EncodingType = wirexml.EncodingURL
	return map[string]wirexml.Document{
		"ListBuckets": &wirexml.ListBuckets{Owner: owner, Prefix: "b", ContinuationToken: "token", Buckets: []*metapb.Bucket{
			{Name: "bucket", CreatedMs: when, Region: "eu-de"}, {Name: "other"}}},
		"Location":         &wirexml.Location{Region: "eu-de"},
		"LocationDefault":  &wirexml.Location{Region: "us-east-1"},
		"ListObjects":      &wirexml.ListObjects{Listing: listing, Marker: "a", NextMarker: "a b/sub dir/"},
		"ListObjectsURL":   &wirexml.ListObjects{Listing: coded, Marker: "a +", NextMarker: "a b/sub dir/"},
		"ListObjectsV2":    &wirexml.ListObjectsV2{Listing: listing, StartAfter: "a", ContinuationToken: "this", NextContinuationToken: "next", FetchOwner: true},
		"ListObjectsV2URL": &wirexml.ListObjectsV2{Listing: coded, StartAfter: "a b"},
		"ListObjectsEmpty": &wirexml.ListObjectsV2{Listing: wirexml.Listing{Bucket: "b", MaxKeys: 0}},
		"CopyObject":       &wirexml.CopyObject{ETag: "etag", ModifiedMS: when, Checksums: sums[:1]},
		"CopyPart":         &wirexml.CopyPart{ETag: "etag", ModifiedMS: when, Checksums: sums[:1]},
		"CreateUpload":     &wirexml.CreateUpload{Bucket: "bucket", Key: "k & l", UploadID: "id"},
		"CompleteUpload": &wirexml.CompleteUpload{Location: "http://h/bucket/k", Bucket: "bucket", Key: "k", ETag: "e-2",
			Checksums: sums[1:], Parts: 2},
		"ListParts": &wirexml.ListParts{Bucket: "bucket", Key: "k", UploadID: "id", Initiator: owner, Owner: owner, PartNumberMarker: 1,
			MaxParts: 2, Truncated: true, ChecksumAlgorithm: "SHA256", ChecksumType: wirexml.ChecksumComposite,
			Parts: []*metapb.Part{{Number: 2, Size: 5 << 20, Etag: "e2", ModifiedMs: when, Checksums: sums}, {Number: 10000, Etag: "e3"}}},
		"ListUploads": &wirexml.ListUploads{Bucket: "bucket", Prefix: "p", Delimiter: "/", KeyMarker: "k m", UploadIDMarker: "um",
			NextKeyMarker: "nk", NextUploadID: "nu", MaxUploads: 1000, EncodingType: wirexml.EncodingURL, Truncated: true,
			Uploads: []wirexml.UploadEntry{{Key: "k 1", UploadID: "u1", Initiator: owner, Owner: owner, InitiatedMS: when, ChecksumAlgorithm: "CRC32", ChecksumType: wirexml.ChecksumFullObject}, {Prefix: "p/x y/"}}},
		"ListVersions": &wirexml.ListVersions{Bucket: "bucket", Prefix: "a b/", Delimiter: "/", KeyMarker: "k", VersionIDMarker: "v", NextKeyMarker: "nk",
			NextVersionID: "nv", MaxKeys: 4, Truncated: true, Owner: owner, Entries: versionEntries},
		"ListVersionsURL": &wirexml.ListVersions{Bucket: "bucket", Prefix: "a b/", EncodingType: wirexml.EncodingURL, MaxKeys: 1000, Entries: versionEntries},
		"LocationOBS":     &wirexml.Location{Region: "eu-de", Form: wirexml.LocationOBS},
		"StoragePolicy":   &wirexml.StorageClass{Class: "STANDARD_IA"},
		"StorageClass":    &wirexml.StorageClass{Class: "WARM", Native: true},
		"DeleteObjects": &wirexml.DeleteObjects{Deleted: []wirexml.Deleted{{Key: "a"}, {Key: "b", VersionID: "v", DeleteMarker: true, DeleteMarkerVersionID: "m"}},
			Errors: []wirexml.DeleteError{{Key: "c", VersionID: "w", Err: s3err.AccessDenied.Err()}}},
		"DeleteObjectsQuiet": &wirexml.DeleteObjects{Quiet: true, Deleted: []wirexml.Deleted{{Key: "a"}},
			Errors: []wirexml.DeleteError{{Key: "c", Err: s3err.InternalError.Say("own words")}}},
	}
}

// TestDocuments compares each document with its golden file, and has encoding/xml
// read it.
func TestDocuments(t *testing.T) {
	for name, d := range documents() {
		body := wirexml.Marshal(d, wirexml.Namespace)
		golden(t, "testdata/golden/"+name+".xml", body)
		var root struct {
			XMLName xml.Name
			Inner   string `xml:",innerxml"`
		}
		require.NoError(t, xml.Unmarshal(body, &root), name)
		require.Equal(t, wirexml.Namespace, root.XMLName.Space, name)
		require.NotContains(t, string(wirexml.Marshal(d, "")), "xmlns", name)
	}
}

type listBucketResult struct {
	Prefix, Delimiter, Marker, NextMarker, StartAfter string
	IsTruncated                                       bool
	KeyCount, MaxKeys                                 int
	Contents                                          []struct {
		Key, ETag, LastModified, StorageClass string
		Size                                  uint64
		Owner                                 struct{ ID, DisplayName string }
	}
	CommonPrefixes []struct{ Prefix string }
}

// TestListing: all valid keys come back from a list, encoded or not.
func TestListing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		coded := rapid.Bool().Draw(t, "coded")
		runes := rapid.Rune().Filter(func(r rune) bool {
			legal := r >= 0x20 || r == '\t' || r == '\n' || r == '\r'
			return coded || legal && r != 0xfffe && r != 0xffff
		})
		keys := rapid.StringOfN(runes, 1, 40, -1)
		d := &wirexml.ListObjectsV2{Listing: wirexml.Listing{Prefix: keys.Draw(t, "prefix"), Delimiter: keys.Draw(t, "delimiter")}, StartAfter: keys.Draw(t, "after")}
		if coded {
			d.EncodingType = wirexml.EncodingURL
		}
		var names, prefixes []string
		for range rapid.IntRange(0, 5).Draw(t, "entries") {
			e := &metapb.ListEntry{Key: keys.Draw(t, "key"), Prefix: rapid.Bool().Draw(t, "is prefix"), Size: rapid.Uint64().Draw(t, "size"),
				ModifiedMs: rapid.Int64Range(0, 253402300799999).Draw(t, "modified"), Etag: rapid.StringMatching(`[0-9a-f]{32}(-[0-9]+)?`).Draw(t, "etag")}
			d.Entries = append(d.Entries, e)
			if e.Prefix {
				prefixes = append(prefixes, e.Key)
			} else {
				names = append(names, e.Key)
			}
		}
		var got listBucketResult
		body := wirexml.Marshal(d, wirexml.Namespace)
		if err := xml.Unmarshal(body, &got); err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		plain := func(s string) string {
			if !coded {
				return s
			}
			s, err := url.QueryUnescape(s)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		if plain(got.Prefix) != d.Prefix || plain(got.Delimiter) != d.Delimiter || plain(got.StartAfter) != d.StartAfter ||
			len(got.Contents) != len(names) || len(got.CommonPrefixes) != len(prefixes) || got.KeyCount != len(d.Entries) {
			t.Fatalf("not what went in: %+v\n%s", got, body)
		}
		for i, c := range got.Contents {
			if plain(c.Key) != names[i] {
				t.Fatalf("key %q is %q", names[i], c.Key)
			}
			if _, err := time.Parse("2006-01-02T15:04:05.000Z", c.LastModified); err != nil || c.ETag[0] != '"' {
				t.Fatalf("%v, %s", err, c.ETag)
			}
		}
		for i, p := range got.CommonPrefixes {
			if plain(p.Prefix) != prefixes[i] {
				t.Fatalf("prefix %q is %q", prefixes[i], p.Prefix)
			}
		}
	})
}

func TestTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(-62167219200000, 253402300799999).Draw(t, "ms")
		want := time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
		if got := string(wirexml.AppendTime(nil, ms)); got != want {
			t.Fatalf("%d: %s, not %s", ms, got, want)
		}
	})
	require.Equal(t, "9999-12-31T23:59:59.999Z", string(wirexml.AppendTime(nil, math.MaxInt64)))
	require.Equal(t, "0000-01-01T00:00:00.000Z", string(wirexml.AppendTime(nil, math.MinInt64)))
}

// TestIllegalCharacters: characters that XML cannot hold are written as S3 writes them.
func TestIllegalCharacters(t *testing.T) {
	body := wirexml.Marshal(&wirexml.CreateUpload{Key: "a\x00\x1f\x7f\r\n\t\ufffe\uffff\xff"}, "")
	require.Contains(t, string(body), "<Key>a&#x0;&#x1f;\x7f&#xd;&#xa;&#x9;&#xfffe;&#xffff;\ufffd</Key>")
	require.Equal(t, "a+%2B/%25%7E%00%FF*-_.", string(wirexml.AppendURLEncoded(nil, "a +/%~\x00\xff*-_.")))
}

func BenchmarkListObjectsV2(b *testing.B) {
	d := &wirexml.ListObjectsV2{Listing: wirexml.Listing{Bucket: "bucket", MaxKeys: 1000}}
	for i := range 1000 {
		d.Entries = append(d.Entries, &metapb.ListEntry{Key: fmt.Sprintf("photos/2026/11/22/image-%06d.jpeg", i), Size: 123456,
			Etag: strings.Repeat("0123456789abcdef", 2), ModifiedMs: when + int64(i), ChecksumAlgorithms: []string{"CRC64NVME"}})
	}
	for _, encoding := range []string{"", wirexml.EncodingURL} {
		d.EncodingType = encoding
		b.Run("encoding="+encoding, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				wirexml.Marshal(d, wirexml.Namespace)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/key")
		})
	}
}
