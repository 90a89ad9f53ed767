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
	Account     string // Its canonical id. The account owns what the caller makes.
	DisplayName string
	User        string // The initiator of uploads; for the root user of an account, the account.
	// Anonymous says that nobody knows who asks. Account is the bucket's owner then, because what
	// is written so belongs to the owner; the owner's rights do not come with it.
	Anonymous bool
	// BucketsMax is how many buckets the account may have; 0: as many as the settings say.
	BucketsMax uint32

	// Request goes with every query and command that the caller's request leads to.
	Request Request

	// Access decides about the objects that the caller asks for. Nil: the caller may do anything
	// with them, so there is nothing to ask.
	Access Access
}

// Request is what the metadata are told of a request with its queries and commands. The zero
// Request stands for the node's own work.
type Request struct {
	// Decided names the buckets that the request was decided on, and their owners. A node may
	// decide on a bucket as it was a second ago. If another account has made a bucket of that name
	// since, the decision does not hold for it: to this request, the bucket is gone.
	Decided []*metapb.Decided
	// Origin returns whose request it is, for the events that a command makes. It is called once a
	// command. Nil, or a nil answer: events do not say.
	Origin func() *metapb.Origin
}

// knows reports whether the request was decided on the bucket. Then the bucket was there, and a
// commit finds out if it is gone by now.
func (r *Request) knows(bucket string) bool {
	return slices.ContainsFunc(r.Decided, func(d *metapb.Decided) bool { return d.Bucket == bucket })
}

// Access decides about an object when it is known what there is.
type Access interface {
	// Object reports whether the caller may do what it asks with a version of a key. The version is
	// no delete marker.
	Object(key string, v *metapb.Version) bool
	// Missing reports whether the caller may be told that there is no such object.
	Missing() bool
}

// Description is what a writer says of a new object or upload besides its bytes.
type Description struct {
	Attributes *metapb.Attributes
	ACL        *metapb.Acl // Nil: private.
	Tags       []*metapb.Pair
	Retention  *metapb.Retention // Nil: the bucket's default, if it has one.
	LegalHold  bool

	// The key to encrypt under: the customer's, or one of the key service. At most one is set; with
	// neither, nothing is encrypted.
	CustomerKey *sse.CustomerKey
	ServiceKey  sse.WrappingKey
}

// Digest is the additional checksum of a body that the client sent or wants.
type Digest struct {
	Algorithm string // As package checksum names it; empty: the client asks for none.
	// Value returns what the client claims. It is called when the body was read to its end, where
	// trailers are. Nil: there is no claim, and the checksum is computed and recorded.
	Value func() ([]byte, error)
}

// Body is the plaintext of a request.
type Body struct {
	Reader     io.Reader // Ends after Size bytes, or fails. Its errors reach the caller unchanged.
	Size       int64     // Of a LateBody: the most that it may have.
	ContentMD5 []byte    // 16 bytes, or nil.
	Digest     Digest
}

// LateBody is a body whose length is known only when its end is near, such as a file in a form.
type LateBody interface {
	// Next returns how many bytes are certain to follow. last says that these are all.
	Next() (n int64, last bool, err error)
}

// PutInput is a PutObject.
type PutInput struct {
	Caller      Caller
	Bucket, Key string
	Description
	Body       Body
	Conditions *metapb.Conditions // May be nil.
	Event      metapb.EventKind   // Which event it is; NONE stands for PUT.
}

// Range is the part of an object that a reader wants: First and Last, or Part, as Kind says.
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

// GetInput is a GetObject. With Head it is a HeadObject: the content is not read, so the object may
// be cold.
type GetInput struct {
	Caller      Caller
	Bucket, Key string
	VersionID   string
	Range       Range
	Head        bool
	CustomerKey *sse.CustomerKey
	// AttributesOnly says that only what is not encrypted is wanted, so no customer's key is
	// needed.
	AttributesOnly bool
}

// Got is an object that was looked up. Its content is not read before WriteTo, so conditions can be
// tested first. It belongs to one goroutine.
type Got struct {
	Bucket        *metapb.Bucket
	Version       *metapb.Version
	Unsatisfiable bool               // The range lies outside the object.
	First, Length uint64             // The range, in bytes of the object's plaintext.
	PartChecksums []*metapb.Checksum // Of the part, if the range is RANGE_PART.

	content *content
}

// WriteTo sends the range to w. No byte is sent before it is verified and decrypted. After an
// error, what was sent is right and too short.
func (g *Got) WriteTo(ctx context.Context, w io.Writer) (int64, error) {
	return g.content.writeTo(ctx, w)
}

// CopySource names what is copied.
type CopySource struct {
	Bucket, Key  string
	AlternateKey string // Key with '+' read as a space. It is tried if Key does not exist; may be empty.
	VersionID    string
	Range        *Range // Nil: the whole object. RANGE_FIRST_LAST otherwise.
	CustomerKey  *sse.CustomerKey
	Conditions   ReadConditions
	Access       Access // Decides about the source, as Caller.Access does.
	TagAccess    Access // Decides about its tags, if the copy takes them over.
}

// CopyInput is a CopyObject. If ReplaceAttributes is set, Attributes replace the source's.
// Otherwise only the storage class and the redirect in them count. The lock of the copy is always
// Description's.
type CopyInput struct {
	Caller      Caller
	Source      CopySource
	Bucket, Key string
	Description
	ReplaceAttributes bool
	ReplaceTags       bool
	// Named says that the request names a class, an encryption, a checksum's algorithm or a
	// redirect. Such a request may copy an object onto itself, even if that changes nothing.
	Named      bool
	TagsDenied error // Why the caller may not give the source's tags to the copy; nil: it may.
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
	Repeated    *metapb.Encryption // What the request says of the upload's encryption; nil: nothing.
}

// Copy is a copy that was checked and is ready to run. Everything that can be refused before the
// first byte moves was refused. It belongs to one goroutine.
type Copy interface {
	// SourceVersionID returns the id of the version that is copied, as ShownVersionID does.
	SourceVersionID() string
	// Encryption returns how the copy will be encrypted, or nil if it will not be.
	Encryption() *metapb.Encryption
	// Run copies and commits. It may be called once. After an error nothing was committed, unless
	// the error says that the outcome is not known.
	Run(ctx context.Context) (*Copied, error)
	// Close frees what the copy holds of its source. It is always called.
	Close()
}

// Copied is the result of a copy.
type Copied struct {
	ETag       string // Without quotes.
	ModifiedMS int64
	Checksums  []*metapb.Checksum
	Version    *metapb.Version // The version that a CopyObject has made; nil for a part.
}

// PartInput is an UploadPart.
type PartInput struct {
	Caller      Caller
	Bucket, Key string
	UploadID    string
	PartNumber  int
	Body        Body
	CustomerKey *sse.CustomerKey
	Repeated    *metapb.Encryption // As in CopyPartInput.
}

// UploadInput is a CreateMultipartUpload.
type UploadInput struct {
	Caller      Caller
	Bucket, Key string
	Description
	ChecksumAlgorithm  string
	ChecksumFullObject bool
}

// CompletePart is one row of the list that a client completes an upload with.
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
	// Checksums are what the client claims of the whole object. ChecksumType is the header
	// x-amz-checksum-type. Where it is empty, a checksum that is not Composite may be of either
	// type.
	Checksums    []*metapb.Checksum
	ChecksumType string
}
