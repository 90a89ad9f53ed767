package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

const (
	versioningOff       = metapb.Versioning_VERSIONING_OFF
	versioningEnabled   = metapb.Versioning_VERSIONING_ENABLED
	versioningSuspended = metapb.Versioning_VERSIONING_SUSPENDED
)

// versioned makes a bucket "b" of which tests show the versions.
func versioned(t testing.TB, v metapb.Versioning) *client {
	m := newMachine(t, nil)
	t.Cleanup(m.close)
	c := newClient(t, m, 1, 2, 1)
	c.bucket(t, "b")
	c.setVersioning(t, v)
	return c
}

func (c *client) setVersioning(t testing.TB, v metapb.Versioning) {
	t.Helper()
	c.ok(t, &metapb.Command{Op: &metapb.Command_SetBucketConfig{SetBucketConfig: &metapb.SetBucketConfig{Bucket: "b", Versioning: v}}})
}

// putVersion puts an object whose content, etag and bytes are told by n.
func putVersion(key, version string, n int) *metapb.Command {
	c := put("b", key, n, fmt.Append(nil, "v", n))
	c.GetPutObject().Version.VersionId = version
	return c
}

func deleteVersion(key, version, marker string) *metapb.Command {
	return &metapb.Command{Op: &metapb.Command_DeleteObjects{DeleteObjects: &metapb.DeleteObjects{Bucket: "b", Owner: "who",
		Objects: []*metapb.ObjectName{{Key: key, VersionId: version}}, NewVersionIds: []string{marker}}}}
}

// show lists the versions of a bucket: "key=id" each, markers with "!", the latest
// with "*".
func (c *client) show(q *metapb.ListVersions) string {
	q.Bucket, q.MaxKeys = "b", max(q.MaxKeys, 1)
	a := c.m.query(&metapb.Query{Op: &metapb.Query_ListVersions{ListVersions: q}}).Versions
	var words []string
	for _, e := range a.Entries {
		switch {
		case e.Prefix:
			words = append(words, e.Key)
		default:
			mark := ""
			if e.Latest {
				mark += "*"
			}
			if e.Version.DeleteMarker {
				mark += "!"
			}
			words = append(words, e.Key+"="+record.ShownVersionID(e.Version.VersionId)+mark)
		}
	}
	if a.Truncated {
		words = append(words, "...")
	}
	return strings.Join(words, " ")
}

func (c *client) versions() string { return c.show(&metapb.ListVersions{MaxKeys: 1000}) }

// Each step changes the versions of one key; what a list shows after it is told.
func TestVersions(t *testing.T) {
	type step struct {
		versioning metapb.Versioning // Changed first, unless off.
		put        string            // Version id proposed; "-": none is.
		del        string            // Version named; "-": none is, and a marker "m<n>" may be made.
		want       string
	}
	for name, steps := range map[string][]step{
		"enabled keeps all": {
			{put: "-", want: "k=null*"},
			{versioningEnabled, "a", "", "k=a* k=null"},
			{put: "b", want: "k=b* k=a k=null"},
			{del: "a", want: "k=b* k=null"},
			{del: "b", want: "k=null*"},
			{del: "null", want: ""},
		},
		"the newest that is left is the latest": {
			{versioningEnabled, "a", "", "k=a*"},
			{put: "b", want: "k=b* k=a"},
			{put: "c", want: "k=c* k=b k=a"},
			{del: "c", want: "k=b* k=a"},
			{del: "other", want: "k=b* k=a"},
		},
		"markers": {
			{versioningEnabled, "a", "", "k=a*"},
			{del: "-", want: "k=m1*! k=a"},
			{del: "-", want: "k=m2*! k=m1! k=a"},
			{put: "b", want: "k=b* k=m2! k=m1! k=a"},
			{del: "m2", want: "k=b* k=m1! k=a"},
			{del: "b", want: "k=m1*! k=a"},
			{del: "m1", want: "k=a*"},
		},
		"a marker without an object": {
			{versioning: versioningEnabled, del: "-", want: "k=m0*!"},
			{del: "m0", want: ""},
		},
		"suspended replaces the null version alone": {
			{put: "-", want: "k=null*"},
			{versioningEnabled, "a", "", "k=a* k=null"},
			{versioningSuspended, "ignored", "", "k=null* k=a"},
			{put: "-", want: "k=null* k=a"},
			{del: "-", want: "k=null*! k=a"},
			{put: "-", want: "k=null* k=a"},
			{versioningEnabled, "b", "", "k=b* k=null k=a"},
			{versioning: versioningSuspended, del: "-", want: "k=null*! k=b k=a"},
			{del: "null", want: "k=b* k=a"},
		},
		"unversioned": {
			{put: "ignored", want: "k=null*"},
			{put: "-", want: "k=null*"},
			{del: "other", want: "k=null*"},
			{del: "-", want: ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := versioned(t, versioningOff)
			for i, s := range steps {
				if s.versioning != versioningOff {
					c.setVersioning(t, s.versioning)
				}
				if s.put != "" {
					c.ok(t, putVersion("k", strings.Trim(s.put, "-"), i))
				}
				if s.del != "" {
					c.ok(t, deleteVersion("k", strings.Trim(s.del, "-"), fmt.Sprint("m", i)))
				}
				require.Equal(t, s.want, c.versions(), "step %d", i)
				require.NoError(t, c.m.s.Check(), "step %d", i)
			}
		})
	}
}

func TestDeleteResults(t *testing.T) {
	c := versioned(t, versioningEnabled)
	c.ok(t, putVersion("k", "a", 1))
	for _, tc := range []struct {
		key, version, marker string
		want                 *metapb.DeleteResult
	}{
		{"k", "", "m1", &metapb.DeleteResult{Existed: true, DeleteMarker: true, VersionId: "m1"}},
		{"k", "", "m2", &metapb.DeleteResult{DeleteMarker: true, VersionId: "m2"}},
		{"k", "", "m2", &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_INVALID}},
		{"k", "", "m1", &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_INVALID}},
		{"", "", "m3", &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_INVALID}},
		{"k", "m2", "", &metapb.DeleteResult{Existed: true, DeleteMarker: true, VersionId: "m2"}},
		{"k", "a", "", &metapb.DeleteResult{Existed: true, VersionId: "a"}},
		{"k", "a", "", &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_NO_SUCH_VERSION, VersionId: "a"}},
		{"k", "null", "", &metapb.DeleteResult{VersionId: "null"}},
		{"none", "null", "", &metapb.DeleteResult{VersionId: "null"}},
		{"none", "a", "", &metapb.DeleteResult{Refusal: metapb.Refusal_REFUSAL_NO_SUCH_VERSION, VersionId: "a"}},
	} {
		got := c.ok(t, deleteVersion(tc.key, tc.version, tc.marker)).Deleted[0]
		require.Equal(t, tc.want.String(), got.String(), "%q %q %q", tc.key, tc.version, tc.marker)
	}
	c.setVersioning(t, versioningSuspended)
	got := c.ok(t, deleteVersion("k", "", "m9")).Deleted[0]
	require.Equal(t, (&metapb.DeleteResult{DeleteMarker: true, VersionId: "null"}).String(), got.String())
}

// A key that one command names twice gets one marker; ids that are not given are
// made, all different.
func TestMarkersOfOneCommand(t *testing.T) {
	c := versioned(t, versioningEnabled)
	r := c.ok(t, deleteKeys("b", "k", "l", "k"))
	require.Equal(t, r.Deleted[0].VersionId, r.Deleted[2].VersionId)
	require.NotEqual(t, r.Deleted[0].VersionId, r.Deleted[1].VersionId)
	require.Len(t, r.Deleted[0].VersionId, 32)
	require.Len(t, strings.Fields(c.versions()), 2)
	require.NoError(t, c.m.s.Check())
}

func TestVersionIDs(t *testing.T) {
	c := versioned(t, versioningEnabled)
	made := c.ok(t, putVersion("k", "", 1)).Version
	require.Len(t, made.VersionId, 32)
	require.NotEqual(t, made.VersionId, c.ok(t, putVersion("k", "", 2)).Version.VersionId)
	for _, id := range []string{made.VersionId, record.NullVersion, strings.Repeat("i", VersionIDMaxBytes+1)} {
		require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.do(putVersion("k", id, 3)).Refusal, id)
	}
	c.ok(t, putVersion("k", "given", 4))
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.do(putVersion("k", "given", 5)).Refusal, "of the latest version")
	c.setVersioning(t, versioningSuspended)
	require.Empty(t, c.ok(t, putVersion("k", "given", 6)).Version.VersionId)
}

func TestConditionsSeeTheLatestVersion(t *testing.T) {
	c := versioned(t, versioningEnabled)
	conditional := func(n int, cond *metapb.Conditions) metapb.Refusal {
		cmd := putVersion("k", fmt.Sprint("v", n), n)
		cmd.GetPutObject().Conditions = cond
		return c.do(cmd).Refusal
	}
	const no, failed = metapb.Refusal_REFUSAL_NONE, metapb.Refusal_REFUSAL_PRECONDITION_FAILED
	etag := func(n int) string { return fmt.Sprintf("%032x", n) }
	const missing = metapb.Refusal_REFUSAL_NO_SUCH_KEY
	require.Equal(t, missing, conditional(1, &metapb.Conditions{IfMatch: "*"}))
	require.Equal(t, no, conditional(2, &metapb.Conditions{IfNoneMatch: "*"}))
	require.Equal(t, failed, conditional(3, &metapb.Conditions{IfNoneMatch: "*"}))
	require.Equal(t, no, conditional(4, &metapb.Conditions{IfMatch: etag(2)}))
	require.Equal(t, failed, conditional(5, &metapb.Conditions{IfMatch: etag(2)}), "of an older version")
	c.ok(t, deleteVersion("k", "", "m"))
	require.Equal(t, missing, conditional(6, &metapb.Conditions{IfMatch: "*"}), "a marker is no object")
	require.Equal(t, no, conditional(7, &metapb.Conditions{IfNoneMatch: "*"}))
}

func TestGetVersion(t *testing.T) {
	c := versioned(t, versioningOff)
	c.ok(t, putVersion("k", "", 1))
	c.setVersioning(t, versioningEnabled)
	c.ok(t, putVersion("k", "a", 2))
	c.ok(t, deleteVersion("k", "", "m"))
	c.ok(t, putVersion("alt", "x", 3))
	const none, noKey, noVersion = metapb.Refusal_REFUSAL_NONE, metapb.Refusal_REFUSAL_NO_SUCH_KEY, metapb.Refusal_REFUSAL_NO_SUCH_VERSION
	for _, tc := range []struct {
		key, version, alternate string
		refusal                 metapb.Refusal
		marker                  bool
		bytes                   string
	}{
		{"k", "", "", noKey, true, ""},
		{"k", "m", "", none, true, ""},
		{"k", "a", "", none, false, "v2"},
		{"k", "null", "", none, false, "v1"},
		{"k", "b", "", noVersion, false, ""},
		{"none", "", "", noKey, false, ""},
		{"none", "a", "", noVersion, false, ""},
		{"alt", "null", "", noVersion, false, ""},
		{"k", "", "alt", none, false, "v3"},
		{"none", "x", "alt", none, false, "v3"},
		{"k", "", "none", noKey, true, ""},
	} {
		name := fmt.Sprint(tc)
		a := c.m.query(&metapb.Query{Op: &metapb.Query_Object{Object: &metapb.GetObject{Bucket: "b", Key: tc.key,
			VersionId: tc.version, AlternateKey: tc.alternate}}})
		require.Equal(t, tc.refusal, a.Refusal, name)
		require.Equal(t, "b", a.Object.Bucket.Name, name)
		require.Equal(t, tc.marker, a.Object.Version.GetDeleteMarker(), name)
		require.Equal(t, tc.bytes != "" && tc.alternate != "", a.Object.Alternate, name)
		if tc.bytes != "" {
			require.Equal(t, tc.bytes, string(a.Object.Content.Pieces[0].Inline), name)
		} else {
			require.Nil(t, a.Object.Content, name)
		}
	}
	marker := c.m.get(&metapb.GetObject{Bucket: "b", Key: "k"}).Version
	require.Equal(t, "who", marker.Owner)
	require.NotZero(t, marker.ModifiedMs)
}

func TestBucketWithVersionsIsNotEmpty(t *testing.T) {
	c := versioned(t, versioningEnabled)
	remove := func() metapb.Refusal {
		return c.do(&metapb.Command{Op: &metapb.Command_DeleteBucket{DeleteBucket: &metapb.DeleteBucket{Name: "b"}}}).Refusal
	}
	c.ok(t, putVersion("k", "a", 1))
	c.ok(t, deleteVersion("k", "", "m"))
	require.Empty(t, list(c.m, &metapb.ListObjects{Bucket: "b", MaxKeys: 10}).Entries)
	require.Equal(t, metapb.Refusal_REFUSAL_BUCKET_NOT_EMPTY, remove())
	c.ok(t, deleteVersion("k", "a", ""))
	require.Equal(t, metapb.Refusal_REFUSAL_BUCKET_NOT_EMPTY, remove(), "there is a marker")
	c.ok(t, deleteVersion("k", "m", ""))
	require.Equal(t, metapb.Refusal_REFUSAL_NONE, remove())
}

// An upload completed into a versioned bucket is a version like any other, and a
// repeat of its completion is answered the same id.
func TestCompleteIntoVersions(t *testing.T) {
	c := versioned(t, versioningEnabled)
	c.ok(t, putVersion("k", "a", 1))
	create := createUpload(2, "b", "k")
	create.GetCreateUpload().Upload.Tags = []*metapb.Pair{{Name: "t", Value: "v"}}
	create.GetCreateUpload().Upload.Acl = &metapb.Acl{Grants: []*metapb.Grant{{Account: "you"}}}
	create.GetCreateUpload().Upload.OwnerName, create.GetCreateUpload().Upload.InitiatorName = "Me", "I"
	c.ok(t, create)
	c.ok(t, putPart(2, "b", "k", &metapb.Part{Number: 1, Size: 1, Inline: []byte("x")}, nil))
	v := c.ok(t, completeAll(2, 1, 1, "b", "k")).Version
	require.Len(t, v.VersionId, 32)
	require.Equal(t, v.VersionId, c.ok(t, completeAll(2, 1, 1, "b", "k")).Version.VersionId)
	require.Equal(t, "k="+v.VersionId+"* k=a", c.versions())
	stored := c.m.get(&metapb.GetObject{Bucket: "b", Key: "k"}).Version
	require.Equal(t, "v", stored.Tags[0].Value)
	require.Equal(t, "you", stored.Acl.Grants[0].Account)
	u := c.m.query(&metapb.Query{Op: &metapb.Query_Upload{Upload: &metapb.GetUpload{Bucket: "b", Key: "k", UploadId: id(2)}}}).Upload.Upload
	require.Equal(t, []string{"Me", "I"}, []string{u.OwnerName, u.InitiatorName})

	c.ok(t, createUpload(3, "b", "k"))
	c.ok(t, putPart(3, "b", "k", &metapb.Part{Number: 1, Size: 1, Inline: []byte("x")}, nil))
	cmd := completeAll(3, 1, 1, "b", "k")
	cmd.GetCompleteUpload().Version.VersionId = "a"
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.do(cmd).Refusal, "the version id is in use")
}

// A content id in use under the same key is refused in every build: the put would
// drop what it has just written.
func TestPutOfAContentTwice(t *testing.T) {
	c := versioned(t, versioningOff)
	c.ok(t, put("b", "k", 1, []byte("once")))
	require.Equal(t, metapb.Refusal_REFUSAL_INVALID, c.do(put("b", "k", 1, []byte("twice"))).Refusal)
	require.Equal(t, "once", string(c.m.get(&metapb.GetObject{Bucket: "b", Key: "k"}).Content.Pieces[0].Inline))
	require.NoError(t, c.m.s.Check())
}

// What is said of a version when its upload is completed goes before what was said when
// that was begun; a legal hold stays whoever asked for it.
func TestInherit(t *testing.T) {
	acl := func(to string) *metapb.Acl { return &metapb.Acl{Grants: []*metapb.Grant{{Account: to}}} }
	tags := func(v string) []*metapb.Pair { return []*metapb.Pair{{Name: "t", Value: v}} }
	retention := func(until int64) *metapb.Retention { return &metapb.Retention{UntilMs: until} }
	upload := func() *metapb.Upload {
		return &metapb.Upload{Acl: acl("upload"), Tags: tags("upload"), Retention: retention(1), LegalHold: true}
	}
	for name, c := range map[string]struct {
		v    *metapb.Version
		u    *metapb.Upload
		want *metapb.Version
	}{
		"the upload's": {&metapb.Version{}, upload(),
			&metapb.Version{Acl: acl("upload"), Tags: tags("upload"), Retention: retention(1), LegalHold: true}},
		"its own": {&metapb.Version{Acl: acl("own"), Tags: tags("own"), Retention: retention(2)}, upload(),
			&metapb.Version{Acl: acl("own"), Tags: tags("own"), Retention: retention(2), LegalHold: true}},
		"its own hold": {&metapb.Version{LegalHold: true}, &metapb.Upload{}, &metapb.Version{LegalHold: true}},
		"nothing":      {&metapb.Version{}, &metapb.Upload{}, &metapb.Version{}},
	} {
		inherit(c.v, c.u)
		require.True(t, proto.Equal(c.want, c.v), "%s: %v", name, c.v)
	}
}
