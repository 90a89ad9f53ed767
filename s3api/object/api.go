package object

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

// Caller is who asks, as authenticated.
type Caller struct {
	Account     string // Canonical id: the owner of what is made.
	DisplayName string
	User        string // Initiator of uploads; the account itself for its root user.
	// Anonymous says that nobody knows who asks. Account is the bucket's owner, to
	// whom belongs what is written so; its rights do not come with that.
	Anonymous bool
	// BucketsMax is how many buckets the account may have; 0: what the settings say.
	BucketsMax uint32

	// Request is what is told of the caller's request with what it has done.
	Request Request

	// Access decides about the objects that the caller asks for. Nil: about none
	// is there anything to decide.
	Access Access
}

// Request is what the metadata is told of the request that a query or a command is of.
// The zero Request is that of the node itself.
type Request struct {
	// Decided are the buckets that the request was decided on, and whose they were. A node
	// may decide on a bucket as it was a second ago; what the request then does names its
	// decision, so that it never touches a bucket of the same name that another account has
	// made since: to the request, the bucket is gone.
	Decided []*metapb.Decided
	// Origin is asked with each command, for events that it makes: whose request it is. Nil,
	// or nil as its answer: nobody that anyone has to know.
	Origin func() *metapb.Origin
}

// knows reports whether the request was decided on a bucket, which was there then. A
// commit finds out if it is not any more.
func (r *Request) knows(bucket string) bool {
	return slices.ContainsFunc(r.Decided, func(d *metapb.Decided) bool { return d.Bucket == bucket })
}

// Access decides about an object once it is known what there is.
type Access interface {
	// Object reports whether the caller may do what it asks with a version of a key,
	// which is no delete marker.
	Object(key string, v *metapb.Version) bool
	// Missing reports whether the caller may know that there is no such object.
	Missing() bool
}

// Description is what a writer says of something new besides its bytes.
type Description struct {
	Attributes *metapb.Attributes
	ACL        *metapb.Acl // Nil: private.
	Tags       []*metapb.Pair
	Retention  *metapb.Retention // Nil: the bucket's default, if it has one.
	LegalHold  bool

	// Of the two keys that it is encrypted under, at most one is set: the
	// customer's, or one of the key service.
	CustomerKey *sse.CustomerKey
	ServiceKey  sse.WrappingKey
}

// Digest is an additional checksum that the client sent or wants.
type Digest struct {
	Algorithm string // As package checksum names it; empty: none asked for.
	// Value returns what the client claims, known at the latest when the body
	// is read to its end (trailers); nil: compute and store only.
	Value func() ([]byte, error)
}

// Body is the plaintext of a request.
type Body struct {
	Reader     io.Reader // Ends after Size bytes, or fails; its errors reach the caller unchanged.
	Size       int64     // If Reader is a LateBody: at most.
	ContentMD5 []byte    // 16 bytes, or nil.
	Digest     Digest
}

// LateBody is a body whose length is known only when its end is near.
type LateBody interface {
	// Next returns how many bytes follow for certain; last says that they are all.
	Next() (n int64, last bool, err error)
}

// PutInput is a PutObject.
type PutInput struct {
	Caller      Caller
	Bucket, Key string
	Description
	Body       Body
	Conditions *metapb.Conditions // May be nil.
	Event      metapb.EventKind   // What to tell of it; NONE is PUT.
}

// Range is the part of an object that a reader wants.
type Range struct {
	Kind        metapb.RangeKind
	First, Last uint64
	Part        uint32
}

// ReadConditions are the conditional headers of a read or of a copy's source.
type ReadConditions struct {
	IfMatch, IfNoneMatch               string // As sent: a list of quoted tags, a bare tag, or *. Empty: absent.
	IfModifiedSince, IfUnmodifiedSince time.Time
}

// GetInput is a GetObject or, with Head, a HeadObject: its content is not read, so the
// object may be cold.
type GetInput struct {
	Caller      Caller
	Bucket, Key string
	VersionID   string
	Range       Range
	Head        bool
	CustomerKey *sse.CustomerKey
	// AttributesOnly says that only what is not encrypted is wanted: no customer's
	// key is needed.
	AttributesOnly bool
}

// Got is an opened object. Nothing of its content is read before WriteTo, so that
// conditions can be tested first.
type Got struct {
	Bucket        *metapb.Bucket
	Version       *metapb.Version
	Unsatisfiable bool               // The range lies outside the object.
	First, Length uint64             // Of the object's plaintext.
	PartChecksums []*metapb.Checksum // RANGE_PART.

	content *content
}

// WriteTo sends First..First+Length to w, verified and decrypted. Bytes are sent
// only after they are verified; an error ends the stream short.
func (g *Got) WriteTo(ctx context.Context, w io.Writer) (int64, error) {
	return g.content.writeTo(ctx, w)
}

// CopySource names what is copied.
type CopySource struct {
	Bucket, Key  string
	AlternateKey string // The key with '+' read as space, tried when Key does not exist; may be empty.
	VersionID    string
	Range        *Range // Nil: the whole object. RANGE_FIRST_LAST otherwise.
	CustomerKey  *sse.CustomerKey
	Conditions   ReadConditions
	Access       Access // To the source; nil as Caller.Access.
	TagAccess    Access // To its tags, where a copy takes them over.
}

// CopyInput is a CopyObject. Attributes replace the source's if ReplaceAttributes
// says so; their storage class and redirect are the copy's in any case, and so is
// its lock.
type CopyInput struct {
	Caller      Caller
	Source      CopySource
	Bucket, Key string
	Description
	ReplaceAttributes bool
	ReplaceTags       bool
	// Named says that the request names a class, an encryption, a checksum's algorithm or
	// a redirect: it may copy an object onto itself, even where that changes nothing.
	Named      bool
	TagsDenied error // Why tags of the source may not be given to the copy; nil: they may.
	Conditions *metapb.Conditions
	Digest     Digest
}

// CopyPartInput is an Upload Part - Copy.
type CopyPartInput struct {
	Caller      Caller
	Source      CopySource
	Bucket, Key string
	UploadID    string
	PartNumber  int
	CustomerKey *sse.CustomerKey
	Repeated    *metapb.Encryption // What the request says again of the upload's encryption; nil: nothing.
}

// Copy is a checked copy, ready to run: everything that can be refused before
// the first byte moves has been.
type Copy interface {
	// SourceVersionID returns the copied version's id, as ShownVersionID does.
	SourceVersionID() string
	// Encryption returns how the copy will be encrypted; nil: not at all.
	Encryption() *metapb.Encryption
	// Run copies and commits. It may be called once.
	Run(ctx context.Context) (*Copied, error)
	// Close frees what an unfinished copy holds.
	Close()
}

// Copied is the result of a copy.
type Copied struct {
	ETag       string // Without quotes.
	ModifiedMS int64
	Checksums  []*metapb.Checksum
	Version    *metapb.Version // CopyObject: as stored.
}

// PartInput is an UploadPart.
type PartInput struct {
	Caller      Caller
	Bucket, Key string
	UploadID    string
	PartNumber  int
	Body        Body
	CustomerKey *sse.CustomerKey
	Repeated    *metapb.Encryption // As CopyPartInput's.
}

// UploadInput is a CreateMultipartUpload.
type UploadInput struct {
	Caller      Caller
	Bucket, Key string
	Description
	ChecksumAlgorithm  string
	ChecksumFullObject bool
}

// CompletePart is one row of the list a client completes with.
type CompletePart struct {
	Number    int
	ETag      string // Without quotes.
	Checksums []*metapb.Checksum
}

// CompleteInput is a CompleteMultipartUpload.
type CompleteInput struct {
	Caller      Caller
	Bucket, Key string
	UploadID    string
	Parts       []CompletePart
	CustomerKey *sse.CustomerKey
	Conditions  *metapb.Conditions
	ObjectSize  *uint64 // x-amz-mp-object-size.
	// Checksums are of the whole object, as claimed. One that is not Composite may
	// be of either type where ChecksumType, the x-amz-checksum-type, is empty.
	Checksums    []*metapb.Checksum
	ChecksumType string
}
