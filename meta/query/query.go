package query

import (
	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/keys"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/meta/record"
)

// PageMax is how many entries a page has at most, whatever a query asks for.
const PageMax = 1000

// ListSteps is how many records a page of a list of objects looks at, so that it takes a
// fraction of a second even where delete markers hide very many keys.
const ListSteps = 50_000

// View is the state as one query sees it: records and what is known of them, all as of the
// same moment. It answers one query.
type View struct {
	Records         pebble.Reader
	Applied         *metapb.Applied
	Cluster         *metapb.Cluster
	Directory       DirectoryLog
	ViewLog         ViewLog
	BucketsRevision uint64
	ListSteps       int // How many records a page of a list of objects looks at.

	decided []*metapb.Decided
	keyBuf  [96]byte // Room for most keys.
}

// Answer answers a query. A refusal is an answer. Errors: Invalid if the query is of a newer
// release, Corrupt if what it looks at is damaged, Internal if the file system fails.
func (v *View) Answer(q *metapb.Query) (*metapb.Answer, error) {
	v.decided = q.Decided
	a := &metapb.Answer{ViewEpoch: v.Cluster.ViewEpoch, ConfigRevision: v.Applied.ConfigRevision,
		DirectoryRevision: max(v.Applied.DirectoryRevision, 1), BucketsRevision: max(v.BucketsRevision, 1)}
	if err := v.answer(q, a); err != nil {
		return nil, err
	}
	return a, nil
}

// answer fills in the part of an answer that depends on the query.
func (v *View) answer(q *metapb.Query, a *metapb.Answer) (err error) {
	switch op := q.Op.(type) {
	case *metapb.Query_View:
		a.View, err = v.topology(op.View)
	case *metapb.Query_Bucket:
		err = v.bucketAnswer(op.Bucket, a)
	case *metapb.Query_ListBuckets:
		err = v.listBuckets(op.ListBuckets, a)
	case *metapb.Query_Object:
		a.Object, err = v.object(op.Object, a)
	case *metapb.Query_Content:
		a.Content, err = v.contentPage(op.Content, a)
	case *metapb.Query_ListObjects:
		a.List, err = v.listObjects(op.ListObjects, a)
	case *metapb.Query_ListVersions:
		a.Versions, err = v.listVersions(op.ListVersions, a)
	case *metapb.Query_Upload:
		a.Upload, err = v.upload(op.Upload, a)
	case *metapb.Query_ListParts:
		a.Parts, err = v.listParts(op.ListParts, a)
	case *metapb.Query_ListUploads:
		a.Uploads, err = v.listUploads(op.ListUploads, a)
	case *metapb.Query_ListWork:
		a.Work, err = v.listWork(op.ListWork)
	case *metapb.Query_KnownExtents:
		a.Known, err = v.known(op.KnownExtents)
	case *metapb.Query_ShardDigest:
		a.ShardDigest, err = v.shardDigest(op.ShardDigest)
	case *metapb.Query_Entries:
		a.Directory, err = v.listEntries(op.Entries)
	case *metapb.Query_Extents:
		a.Extents, err = v.extents(op.Extents, a)
	case *metapb.Query_ObjectParts:
		a.ObjectParts, err = v.objectParts(op.ObjectParts, a)
	case *metapb.Query_EventQueues:
		a.EventQueues, err = v.eventQueues()
	case *metapb.Query_Events:
		a.Events, err = v.events(op.Events)
	case *metapb.Query_Status:
		a.Status, err = v.status(op.Status)
	case *metapb.Query_VolumeStats:
		a.VolumeStats, err = v.listStats()
	default:
		err = errs.Newf("state", errs.Invalid, "unknown query: it was sent by a newer release; upgrade this node")
	}
	return err
}

// key returns an empty buffer for the next key. Its bytes are valid until key is called
// again.
func (v *View) key() []byte { return v.keyBuf[:0] }

func (v *View) get(key []byte, m proto.Message) (bool, error) { return record.Get(v.Records, key, m) }

func (v *View) has(key []byte) (bool, error) {
	return record.View(v.Records, key, func([]byte) error { return nil })
}

// bucket returns a bucket by name. If there is none that the query was decided on, it puts
// the refusal into a and returns nil.
func (v *View) bucket(name string, a *metapb.Answer) (*metapb.Bucket, error) {
	b := new(metapb.Bucket)
	ok, err := v.get(keys.AppendBucket(v.key(), name), b)
	if err != nil || ok && record.IsDecidedOn(v.decided, b) {
		return b, err
	}
	a.Refusal = metapb.Refusal_REFUSAL_NO_SUCH_BUCKET
	return nil, nil
}

// listBuckets answers the buckets of an owner, or all buckets if none is named, each with
// what it holds if that is asked for.
func (v *View) listBuckets(q *metapb.ListBuckets, a *metapb.Answer) error {
	return record.ScanKind(v.Records, keys.KindBucket, func(_ keys.Key, value []byte) error {
		b := new(metapb.Bucket)
		if err := record.Unmarshal(value, b); err != nil {
			return err
		}
		if q.Owner != "" && b.Owner != q.Owner {
			return nil
		}
		a.Buckets = append(a.Buckets, b)
		if !q.WithUsage {
			return nil
		}
		u, err := v.usage(b.Id)
		a.BucketUsages = append(a.BucketUsages, u)
		return err
	})
}

// usage returns what a bucket holds, which is nothing if there is no record of it.
func (v *View) usage(bucket uint64) (*metapb.BucketUsage, error) {
	u := new(metapb.BucketUsage)
	_, err := v.get(keys.AppendUsage(v.key(), bucket), u)
	return u, err
}
